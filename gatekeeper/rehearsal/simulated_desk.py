"""Simulated desk: every policy and every reference, from one Monday on, on the same challengers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import PolicyName
from gatekeeper.documents.promotion_tally import PromotionTally
from gatekeeper.documents.rehearsal import PolicyResult, ReignRecord
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.backtest.daily_returns import daily_returns
from gatekeeper.judgement.rule.verdict import DEPLOYS
from gatekeeper.rehearsal.live_simulation import Stage, Track
from gatekeeper.rehearsal.plan import WEEK
from gatekeeper.rehearsal.policy_replay import Governance, WeeklyContest

JUDGED, REFIT = DEPLOYS
NEVER, NEWEST, UNGATED = "never retrained", "always the newest", "ungated"


@dataclass(slots=True)
class PolicyReign:
    """From one promotion to the next: what the new one made, and what the one that it replaced would have."""

    since: datetime
    made: float = 0.0
    before: float = 0.0


@dataclass(slots=True)
class Ruled:
    """A policy while it is rehearsed."""

    governance: Governance
    track: Track
    deploy: str = "judged"
    reigns: list[PolicyReign] = field(default_factory=list)
    ours: NDArray[np.bool_] = field(init=False)
    """The ideas entered since the first promotion."""
    theirs: NDArray[np.bool_] = field(init=False)
    """Those that the replaced model would have entered in their place."""

    def __post_init__(self) -> None:
        self.ours, self.theirs = np.zeros_like(self.track.kept), np.zeros_like(self.track.kept)

    def week(self, contest: WeeklyContest) -> None:
        """Simulate the weekly run of this Monday, and then the days until the next one."""
        week, track = contest.week, self.track
        look = self.governance.look(contest)
        if look.promoted and look.kind != "bootstrap":
            self.reigns.append(PolicyReign(week.as_of))
        until = week.as_of + WEEK
        track.live(self.governance.live, week.as_of, until)
        if self.reigns:
            when = track.stage.between(week.as_of, until)
            self.ours[when] = track.taken(when)
            self.theirs[when] = track.taken(when, track.stage.kept(self.governance.live_before, when))
            self.reigns[-1].made += track.made(when, self.ours[when])
            self.reigns[-1].before += track.made(when, self.theirs[when])

    def promoted(self, begins: datetime) -> NDArray[np.float64]:
        """(T,) what the promotions added, day by day: the return of each new model less that of the replaced one."""
        stage = self.track.stage
        days, size = stage.days_from(begins), stage.sizing.of(stage.ideas)
        ours, theirs = (daily_returns(stage.ideas, taken, days, size) for taken in (self.ours, self.theirs))
        return np.asarray(ours - theirs)

    def result(self, begins: datetime) -> PolicyResult:
        """The figures for the days from `begins` on, without errors."""
        looks = self.governance.looks
        first = next((place for place, look in enumerate(looks) if look.promoted), len(looks))
        return PolicyResult(
            **structs.asdict(self.track.result(begins)),
            looks=looks,
            answers=dict(Counter(look.answer for look in looks)),
            promotions=len(self.reigns),
            weeks_without=sum(look.as_of >= begins for look in looks[:first]),
            weeks_not_alike=sum(look.decided_by == "alike" for look in looks),
            weeks_under_the_floors=sum(look.under_the_floors for look in looks),
            reigns=[ReignRecord(reign.since, reign.made, reign.before) for reign in self.reigns],
            spent=self.governance.spent(),
            tally=PromotionTally.of([reign.made - reign.before for reign in self.reigns]),
        )


class References:
    """References that ignore verdicts: always the newest model, its refit, never retrained, and ungated."""

    def __init__(self, stage: Stage) -> None:
        self._newest, self._never, self._ungated = Track(NEWEST, stage), Track(NEVER, stage), Track(UNGATED, stage)
        self._refit = Track(label(NEWEST, REFIT), stage)
        self._ungated.kept[:] = True
        self._first: Contender | None = None
        self._last: Contender | None = None
        self._last_refit: Contender | None = None

    def week(self, since: datetime, challenger: Contender | None) -> None:
        """The week after this Monday."""
        self._last = challenger or self._last
        self._last_refit = (challenger and challenger.refit) or self._last_refit
        self._first = self._first or challenger
        self._never.live(self._first, since, since + WEEK)
        self._newest.live(self._last, since, since + WEEK)
        self._refit.live(self._last_refit, since, since + WEEK)

    def tracks(self, *, refits: bool) -> list[Track]:
        """The newest first; with `refits`, its refit last."""
        return [self._newest, self._never, self._ungated, *([self._refit] if refits else [])]


class SimulatedDesk:
    """A desk that begins on one Monday without a model, and goes on to the end."""

    def __init__(self, since: datetime, stage: Stage, policies: Sequence[PolicyName], deploys: Sequence[str]) -> None:
        self.since, self.stage = since, stage
        self.ruled: Mapping[str, Ruled] = {
            label(name, deploy): Ruled(Governance(name), Track(label(name, deploy), stage), deploy)
            for deploy in deploys
            for name in policies
        }
        self.references = References(stage)
        self.begins: datetime | None = None
        """The first Monday with a model that could be deployed."""

    def week(self, as_of: datetime, challenger: Contender | None, contests: Mapping[str, WeeklyContest]) -> None:
        """The week after this Monday; nothing before the desk begins. contests: by what is deployed."""
        if as_of < self.since:
            return
        for each in self.ruled.values():
            each.week(contests[each.deploy])
        if self.begins is None and challenger is not None:
            self.begins = as_of
        self.references.week(as_of, challenger)


def label(name: str, deploy: str) -> str:
    """The name of a policy or reference with what it deploys, if that is the refit."""
    return name if deploy == JUDGED else f"{name}, {deploy}"
