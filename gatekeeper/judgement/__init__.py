"""Two models in, a verdict out: is the challenger better, and how sure is that?"""

from gatekeeper.judgement.backtest import Backtest, Contender, keeps, run, window
from gatekeeper.judgement.promotion import judge
from gatekeeper.judgement.record import document
from gatekeeper.judgement.report import render
from gatekeeper.judgement.scorecard import Scorecard, Window
from gatekeeper.judgement.sharpe import SharpeDifference, max_drawdown, sharpe_difference, sharpe_ratio
from gatekeeper.judgement.verdict import POLICIES, Gate, Policy, Verdict

__all__ = [
    "POLICIES",
    "Backtest",
    "Contender",
    "Gate",
    "Policy",
    "Scorecard",
    "SharpeDifference",
    "Verdict",
    "Window",
    "document",
    "judge",
    "keeps",
    "max_drawdown",
    "render",
    "run",
    "sharpe_difference",
    "sharpe_ratio",
    "window",
]
