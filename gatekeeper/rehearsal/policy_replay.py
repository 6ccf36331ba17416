"""Policy replay: the promotion rule applied week by week to trained challengers, with one policy's primary."""

from gatekeeper.documents.evaluation import PolicyName
from gatekeeper.documents.rehearsal import REFUSED, Look
from gatekeeper.errors import DataError
from gatekeeper.judgement.backtest import backtest
from gatekeeper.judgement.backtest.backtest import Backtest
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.rule.promotion import judge
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
            self._measured[primary] = backtest.run(self.week.dataset, self._settings, self.challenger, primary)
        return self._measured[primary]


class Governance:
    """One policy's registry in memory: its primary, and the result of each weekly run."""

    def __init__(self, policy: PolicyName) -> None:
        self.policy = policy
        self.primary: Contender | None = None
        self.before: Contender | None = None
        """The primary before the current one."""
        self.looks: list[Look] = []

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
        verdict = judge(measured.challenger, measured.champion, rule, measured.ungated, kind=kind, refit=refit)
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
