"""Rehearsal results: every simulated run of every policy, and its returns next to the references."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import sqrt

import numpy as np
from msgspec import structs

from gatekeeper.documents.rehearsal import (
    FORMAT,
    HoldoutResult,
    PolicyResult,
    RehearsalData,
    RehearsalDocument,
    RehearsalRules,
    ReignRecord,
    StreamResult,
)
from gatekeeper.errors import ModelRefused, TrainingRefused
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.rule.verdict import DEPLOYS
from gatekeeper.judgement.statistics.sharpe import excess_returns, sharpe_difference
from gatekeeper.market.ideas import instant
from gatekeeper.model.verify import open_scorer
from gatekeeper.rehearsal import weeks
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

    def week(self, contest: WeeklyContest) -> None:
        """Simulate the weekly run of this Monday, and then the days until the next one."""
        week = contest.week
        look = self.governance.look(contest)
        if look.promoted and look.kind != "bootstrap":
            self.reigns.append(PolicyReign(week.as_of))
        until = week.as_of + WEEK
        self.track.live(self.governance.live, week.as_of, until)
        if self.reigns:
            stage, when = self.track.stage, self.track.stage.between(week.as_of, until)
            self.reigns[-1].made += self.track.made(when)
            self.reigns[-1].before += self.track.made(when, stage.kept(self.governance.live_before, when))


class References:
    """References that ignore verdicts: always the newest model, its refit, never retrained, and ungated."""

    def __init__(self, stage: Stage) -> None:
        self._newest, self._never, self._ungated = Track(NEWEST, stage), Track(NEVER, stage), Track(UNGATED, stage)
        self._refit = Track(_label(NEWEST, REFIT), stage)
        self._ungated.kept[:] = True
        self._first: Contender | None = None
        self._last: Contender | None = None
        self._last_refit: Contender | None = None

    def week(self, since: datetime, challenger: Contender | None, *, begun: bool) -> None:
        """The week after this Monday. `begun`: some policy has a primary by now."""
        self._last = challenger or self._last
        self._last_refit = (challenger and challenger.refit) or self._last_refit
        if begun:
            self._first = self._first or challenger
            self._never.live(self._first, since, since + WEEK)
            self._newest.live(self._last, since, since + WEEK)
            self._refit.live(self._last_refit, since, since + WEEK)

    def tracks(self, *, refits: bool) -> list[Track]:
        """The newest first; with `refits`, its refit last."""
        return [self._newest, self._never, self._ungated, *([self._refit] if refits else [])]


def rehearse(plan: Plan, *, jobs: int, progress: Progress) -> RehearsalDocument:
    """The whole rehearsal; progress: called for each Monday made and each judged.

    Raises TrainingRefused where no Monday of it has a model, and whatever stops a run for good.
    """
    holdouts = {}
    for holdout in plan.holdouts:
        folder = plan.folder(holdout)
        refits = REFIT in plan.deploys
        for _ in weeks.prepare(plan.as_ofs, plan.settings_of(holdout), folder, jobs=jobs, refits=refits):
            progress("made")
        holdouts[str(holdout)] = _governed(plan, holdout, progress)
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
        holdouts=holdouts,
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
        if begins is None and any(each.governance.primary for each in ruled.values()):
            begins = week.as_of
        references.week(week.as_of, challenger, begun=begins is not None)
        progress("judged")
    if begins is None:
        last = next(iter(ruled.values())).governance.looks[-1]
        raise TrainingRefused(f"no Monday of the rehearsal could be judged; the last message: {last.message}")
    days = stage.days[stage.days >= instant(begins).astype("datetime64[D]")]
    results = [track.result(begins) for track in references.tracks(refits=REFIT in plan.deploys)]
    return HoldoutResult(begins, np.datetime_as_string(days).tolist(), _results(ruled, results, begins), results)


def _results(ruled: dict[str, Ruled], references: list[StreamResult], begins: datetime) -> dict[str, PolicyResult]:
    """Each policy's figures, next to always the newest model, and to itself with the judged models deployed."""
    results = {name: _ruled(each, each.track.result(begins)) for name, each in ruled.items()}
    for name, each in ruled.items():
        mine, fresh = results[name], each.deploy == REFIT
        mine = structs.replace(mine, waiting_cost=_difference(references[-1 if fresh else 0].sharpe, mine.sharpe))
        judged = results.get(each.governance.policy) if fresh else None
        if judged is not None:
            mine = structs.replace(
                mine,
                refit_gain=_difference(mine.sharpe, judged.sharpe),
                refit_gain_error=_error(mine, judged, each.track.stage),
                judged_made=judged.total_return,
            )
        results[name] = mine
    return results


def _error(ours: StreamResult, theirs: StreamResult, stage: Stage) -> float | None:
    """Standard error of the difference of the two annual Sharpe ratios, as in the promotion rule; None if undefined."""
    year = stage.rules.periods_per_year
    found = sharpe_difference(
        *(excess_returns(each.daily, each.exposed or [], stage.rules.risk_free, year) for each in (ours, theirs))
    )
    return None if found.standard_error is None else found.standard_error * sqrt(year)


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


def _ruled(each: Ruled, made: StreamResult) -> PolicyResult:
    looks = each.governance.looks
    false = [reign for reign in each.reigns if reign.made < reign.before]
    return PolicyResult(
        **structs.asdict(made),
        looks=looks,
        answers=dict(Counter(look.answer for look in looks)),
        promotions=sum(look.promoted and look.kind != "bootstrap" for look in looks),
        weeks_without=next((place for place, look in enumerate(looks) if look.promoted), len(looks)),
        weeks_not_alike=sum(look.decided_by == "alike" for look in looks),
        weeks_under_the_floors=sum(look.under_the_floors for look in looks),
        reigns=[ReignRecord(reign.since, reign.made, reign.before) for reign in each.reigns],
        false_promotions=len(false),
        false_promotions_cost=sum(reign.before - reign.made for reign in false),
    )


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
