"""Policy replay: the promotion rule applied week by week to trained challengers, with one policy's primary."""

import numpy as np

from gatekeeper.documents.evaluation import PolicyName
from gatekeeper.documents.rehearsal import REFUSED, BudgetSpent, Look
from gatekeeper.errors import DataError
from gatekeeper.judgement.backtest import backtest
from gatekeeper.judgement.backtest.backtest import Backtest
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.rule.promotion import judge
from gatekeeper.judgement.rule.spending import Tested, alike, expected
from gatekeeper.judgement.rule.verdict import Policy
from gatekeeper.rehearsal.weeks import Week
from gatekeeper.settings import Settings


class WeeklyContest:
    """One Monday's challenger, backtested once against each primary, however many policies share that primary."""

    def __init__(self, week: Week, challenger: Contender | None, settings: Settings) -> None:
        self.week = week
        self.challenger = challenger
        self._settings = settings
        self._measured: dict[Contender | None, Backtest] = {}

    def against(self, primary: Contender | None) -> Backtest:
        """The backtest of both on the week's window. Raises DataError if the week has no challenger."""
        if self.challenger is None or self.week.dataset is None:
            raise DataError(f"the week of {self.week.name} has no challenger; rehearse it again")
        if primary not in self._measured:
            self._measured[primary] = backtest.run(
                self.week.dataset, self._settings, self.challenger, primary, self.week.pool
            )
        return self._measured[primary]


class Governance:
    """One policy's registry in memory: its primary, and the result of each weekly run."""

    def __init__(self, policy: PolicyName) -> None:
        self.policy = policy
        self.primary: Contender | None = None
        self.before: Contender | None = None
        """The primary before the current one."""
        self.looks: list[Look] = []
        self._tests: list[Tested] = []
        self._errors: list[float] = []
        self._rule: Policy | None = None

    def spent(self) -> BudgetSpent | None:
        """What the challengers so far spend of the policy's budget; None without one, or for too few of them."""
        found, rule = alike(self._tests), self._rule
        if found is None or rule is None or rule.budget is None or not self._errors:
            return None
        spent = expected(rule, found, float(np.median(self._errors)))
        return BudgetSpent(rule.budget, rule.z, found.challengers, found.correlation, spent)

    @property
    def live(self) -> Contender | None:
        """The deployed model: the primary, or its refit."""
        return _live(self.primary)

    @property
    def live_before(self) -> Contender | None:
        """The model deployed before the last promotion."""
        return _live(self.before)

    def look(self, contest: WeeklyContest) -> Look:
        """Judge one Monday as the weekly run does, and promote if the verdict says so."""
        week = contest.week
        if contest.challenger is None:
            look = Look(week.as_of, REFUSED, "weekly", REFUSED, week.refusal or "no challenger")
        else:
            look = self._judged(contest)
            if look.promoted:
                self.before, self.primary = self.primary, contest.challenger
        self.looks.append(look)
        return look

    def _judged(self, contest: WeeklyContest) -> Look:
        kind = "bootstrap" if self.primary is None else "weekly"
        measured = contest.against(self.primary)
        rule = measured.rules.policy.with_name(self.policy)
        refit = measured.refit
        self._rule = rule
        ours, theirs = measured.challenger, measured.champion
        if theirs is not None and ours.tested and theirs.tested:
            days = measured.days
            self._tests.append(Tested(contest.week.as_of, days, ours.daily, theirs.daily, ours.sha256, theirs.sha256))
        verdict = judge(measured.challenger, measured.champion, rule, measured.ungated, kind=kind, refit=refit)
        if verdict.standard_error:
            self._errors.append(verdict.standard_error)
        return Look(
            as_of=contest.week.as_of,
            answer=verdict.answer,
            kind=kind,
            decided_by=verdict.decided_by,
            message=verdict.message,
            gain=verdict.gain,
            bound=verdict.bound,
            promoted=verdict.answer == "promote",
        )


def _live(model: Contender | None) -> Contender | None:
    return model if model is None or model.refit is None else model.refit
