"""Judgement: backtests challenger and champion on the same ideas, tests the Sharpe gain, and gives a verdict."""

from gatekeeper.documents.evaluation import Gate, Rules, Verdict, Window
from gatekeeper.judgement.backtest.backtest import Backtest, run, window
from gatekeeper.judgement.backtest.contender import Contender, keeps
from gatekeeper.judgement.backtest.rules import policy_of, rules_of
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.report.document import document
from gatekeeper.judgement.report.report import render
from gatekeeper.judgement.rule.promotion import judge
from gatekeeper.judgement.rule.verdict import POLICIES, Policy
from gatekeeper.judgement.statistics.sharpe import (
    SharpeDifference,
    excess_returns,
    max_drawdown,
    sharpe_difference,
    sharpe_ratio,
)

__all__ = [
    "POLICIES",
    "Backtest",
    "Contender",
    "Gate",
    "Policy",
    "Rules",
    "Scorecard",
    "SharpeDifference",
    "Verdict",
    "Window",
    "document",
    "excess_returns",
    "judge",
    "keeps",
    "max_drawdown",
    "policy_of",
    "render",
    "rules_of",
    "run",
    "sharpe_difference",
    "sharpe_ratio",
    "window",
]
