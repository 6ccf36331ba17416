"""Rehearsal results: every simulated run of every policy, and its returns next to the references."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from gatekeeper.documents.promotion_tally import PromotionTally
from gatekeeper.documents.rehearsal import (
    FORMAT,
    HoldoutResult,
    PolicyResult,
    RehearsalData,
    RehearsalDocument,
    RehearsalRules,
    ReignRecord,
)
from gatekeeper.errors import GatekeeperError, ModelRefused, TrainingRefused, with_reason
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.backtest.daily_returns import daily_returns
from gatekeeper.judgement.rule.verdict import DEPLOYS
from gatekeeper.judgement.statistics.sharpe import excess_returns
from gatekeeper.model.verify import open_scorer
from gatekeeper.rehearsal import weeks
from gatekeeper.rehearsal.comparison import ComparedStream, StreamComparison
from gatekeeper.rehearsal.live_simulation import Stage, Track
from gatekeeper.rehearsal.plan import WEEK, Plan
from gatekeeper.rehearsal.policy_replay import Governance, WeeklyContest
from gatekeeper.rehearsal.weeks import Week
from gatekeeper.settings import Settings

JUDGED, REFIT = DEPLOYS
NEVER, NEWEST, UNGATED = "never retrained", "always the newest", "ungated"

Progress = Callable[[str], None]


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
        self._refit = Track(_label(NEWEST, REFIT), stage)
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


def rehearse(
    plan: Plan, *, jobs: int, progress: Progress, kept: Callable[[RehearsalDocument], None] = lambda _: None
) -> RehearsalDocument:
    """The whole rehearsal; progress: called for each Monday made and each judged; kept: for each holdout finished.

    A holdout that fails leaves the others as they are; its error stands in the document. Raises the first error if all
    fail, such as TrainingRefused if no Monday has a model, and whatever is no GatekeeperError at once.
    """
    holdouts: dict[str, HoldoutResult] = {}
    faults: dict[str, GatekeeperError] = {}
    for holdout in plan.holdouts:
        try:
            holdouts[str(holdout)] = _simulated(plan, holdout, jobs, progress)
        except GatekeeperError as fault:
            faults[str(holdout)] = fault
        else:
            kept(_document(plan, holdouts, faults))
    if not holdouts:
        raise next(iter(faults.values()))
    return _document(plan, holdouts, faults)


def _simulated(plan: Plan, holdout: int, jobs: int, progress: Progress) -> HoldoutResult:
    folder, refits = plan.folder(holdout), REFIT in plan.deploys
    for _ in weeks.prepare(plan.as_ofs, plan.settings_of(holdout), folder, jobs=jobs, refits=refits):
        progress("made")
    return _governed(plan, holdout, progress)


def _document(
    plan: Plan, holdouts: Mapping[str, HoldoutResult], faults: Mapping[str, GatekeeperError]
) -> RehearsalDocument:
    rules = plan.rules_of(plan.holdouts[0])
    return RehearsalDocument(
        format=FORMAT,
        first=plan.as_ofs[0],
        last=plan.as_ofs[-1],
        mondays=len(plan.as_ofs),
        data=RehearsalData(plan.last.source, plan.last.fingerprint(), list(plan.last.notes)),
        rules=RehearsalRules(
            recipe=plan.settings.recipe,
            threshold=plan.settings.threshold,
            fraction=rules.sizing.fraction,
            sizing=rules.sizing,
            periods_per_year=rules.periods_per_year,
            tolerance=rules.policy.safe_tolerance,
            deploys=list(plan.deploys),
            refit_disagreement=plan.settings.refit_disagreement,
            z={name: rules.policy.with_name(name).z for name in plan.policies if name != "better"},
            tests_a_year=rules.policy.tests_a_year,
        ),
        holdouts=dict(holdouts),
        failures={holdout: with_reason(fault) for holdout, fault in faults.items()},
    )


def _governed(plan: Plan, holdout: int, progress: Progress) -> HoldoutResult:
    settings = plan.settings_of(holdout)
    stage = Stage.of(plan.last, plan.as_ofs[0], plan.rules_of(holdout))
    ruled = {
        _label(name, deploy): Ruled(Governance(name), Track(_label(name, deploy), stage), deploy)
        for deploy in plan.deploys
        for name in plan.policies
    }
    references = References(stage)
    begins: datetime | None = None
    for week, challenger in _challengers(plan, holdout):
        contests = _contests(week, challenger, settings)
        for each in ruled.values():
            each.week(contests[each.deploy])
        if begins is None and challenger is not None:
            begins = week.as_of
        references.week(week.as_of, challenger)
        progress("judged")
    if begins is None:
        last = next(iter(ruled.values())).governance.looks[-1]
        raise TrainingRefused(f"no Monday of the rehearsal could be judged; the last message: {last.message}")
    return _compared(ruled, references.tracks(refits=REFIT in plan.deploys), begins, stage)


def _compared(ruled: Mapping[str, Ruled], references: list[Track], begins: datetime, stage: Stage) -> HoldoutResult:
    """The figures of all from `begins` on, with the errors that one draw of days gives them."""
    policies = {name: each.result(begins) for name, each in ruled.items()}
    others = [track.result(begins) for track in references]
    free, year = stage.rules.risk_free, stage.rules.periods_per_year
    modes = {NEWEST: JUDGED, _label(NEWEST, REFIT): REFIT}
    modes |= {name: each.deploy for name, each in ruled.items()}
    streams = [
        ComparedStream(
            each,
            excess_returns(each.daily, each.exposed, free, year),
            modes.get(each.name),
            ruled[each.name].governance.policy if each.name in ruled else None,
        )
        for each in (*policies.values(), *others)
    ]
    found = StreamComparison.of(streams, {name: each.promoted(begins) for name, each in ruled.items()}, year)
    sharpes = {each.name: each.sharpe for each in (*policies.values(), *others)}
    return HoldoutResult(
        begins,
        np.datetime_as_string(stage.days_from(begins)).tolist(),
        {name: _with_errors(policies[name], each, found, sharpes, policies) for name, each in ruled.items()},
        [structs.replace(each, **found.errors[each.name]) for each in others],
        weeks=sum(look.as_of >= begins for look in next(iter(policies.values())).looks),
        pairs=found.pairs,
        resampling=found.resampling,
    )


def _with_errors(
    policy: PolicyResult,
    each: Ruled,
    found: StreamComparison,
    sharpes: Mapping[str, float | None],
    policies: Mapping[str, PolicyResult],
) -> PolicyResult:
    """A policy next to always the newest model, and to itself with the judged models deployed.

    A difference over too few days for an error is there without one.
    """
    name, base, newest = policy.name, each.governance.policy, _label(NEWEST, each.deploy)
    waiting = found.sharpe_difference(newest, name)
    judged = policies.get(base) if each.deploy == REFIT else None
    refit = found.sharpe_difference(name, base) if judged is not None else None
    return structs.replace(
        policy,
        **found.errors[name],
        tally=structs.replace(policy.tally, net_error=found.net_errors[name]),
        waiting_cost=_less(sharpes.get(newest), policy.sharpe),
        waiting_cost_error=waiting and waiting.error,
        refit_gain=judged and _less(policy.sharpe, judged.sharpe),
        refit_gain_error=refit and refit.error,
        judged_made=judged and judged.total_return,
    )


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _challengers(plan: Plan, holdout: int) -> Iterator[tuple[Week, Contender | None]]:
    """Each Monday with its challenger, one after the other: no more than two of them are needed at a time."""
    settings, folder = plan.settings_of(holdout), plan.folder(holdout)
    for as_of in plan.as_ofs:
        week = weeks.read(as_of, folder)
        if week.content is None:
            yield week, None
            continue
        try:
            scorer = open_scorer(week.content, cap=settings.model_size_cap)
        except ModelRefused as refusal:
            yield Week(as_of, None, None, None, str(refusal)), None
            continue
        twin = Contender(week.name, scorer.sha256, settings.threshold, scorer.score, week.trained_to)
        yield week, twin if week.refit is None else replace(twin, refit=_refit(week, settings))


def _refit(week: Week, settings: Settings) -> Contender | None:
    if week.refit is None:
        return None
    scorer = open_scorer(week.refit, cap=settings.model_size_cap)
    return Contender(_label(week.name, REFIT), scorer.sha256, settings.threshold, scorer.score, week.refit_to)


def _contests(week: Week, challenger: Contender | None, settings: Settings) -> dict[str, WeeklyContest]:
    """The same Monday for who deploys what was judged, and for who deploys its refit."""
    judged = challenger and replace(challenger, refit=None)
    fresh = challenger if challenger is not None and challenger.refit is not None else None
    refused = week if challenger is None else replace(week, refusal=week.refit_refusal)
    return {JUDGED: WeeklyContest(week, judged, settings), REFIT: WeeklyContest(refused, fresh, settings)}


def _label(name: str, deploy: str) -> str:
    return name if deploy == JUDGED else f"{name}, {deploy}"
