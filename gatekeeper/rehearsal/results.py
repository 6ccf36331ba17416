"""Rehearsal results: every simulated run of every policy, and its returns next to the references."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np
from msgspec import structs

from gatekeeper.documents.rehearsal import (
    FORMAT,
    HoldoutResult,
    PolicyResult,
    RehearsalData,
    RehearsalDocument,
    RehearsalRules,
)
from gatekeeper.errors import GatekeeperError, ModelRefused, TrainingRefused, with_reason
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.statistics.sharpe import excess_returns
from gatekeeper.model.verify import open_scorer
from gatekeeper.rehearsal import start_dates, weeks
from gatekeeper.rehearsal.comparison import ComparedStream, StreamComparison
from gatekeeper.rehearsal.live_simulation import Stage
from gatekeeper.rehearsal.plan import Plan
from gatekeeper.rehearsal.policy_replay import WeeklyContest
from gatekeeper.rehearsal.simulated_desk import JUDGED, NEWEST, REFIT, Ruled, SimulatedDesk, label
from gatekeeper.rehearsal.weeks import Week
from gatekeeper.settings import Settings

Progress = Callable[[str], None]


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
    """Every week judged once for all desks: one begins with the rehearsal, the others on its later start dates."""
    settings = plan.settings_of(holdout)
    stage = Stage.of(plan.last, plan.as_ofs[0], plan.rules_of(holdout))
    desks = [SimulatedDesk(each, stage, plan.policies, plan.deploys) for each in _start_dates(plan, holdout)]
    for week, challenger in _challengers(plan, holdout):
        contests = _contests(week, challenger, settings)
        for desk in desks:
            desk.week(week.as_of, challenger, contests)
        progress("judged")
    begun = {desk.begins: desk for desk in reversed(desks) if desk.begins is not None}  # the earliest of two alike
    if not begun:
        last = next(iter(desks[0].ruled.values())).governance.looks[-1]
        raise TrainingRefused(f"no Monday of the rehearsal could be judged; the last message: {last.message}")
    results = [_compared(begun[begins], begins, plan) for begins in sorted(begun)]
    return structs.replace(results[0], starts=start_dates.of(results))


def _start_dates(plan: Plan, holdout: int) -> list[datetime]:
    """The first Monday, and those of the later start dates; they are spaced from the first model on."""
    folder = plan.folder(holdout)
    first = next((number for number, as_of in enumerate(plan.as_ofs) if weeks.has_model(as_of, folder)), 0)
    later = start_dates.start_weeks(first, len(plan.as_ofs) - 1, plan.starts)[1:]
    return [plan.as_ofs[0], *(plan.as_ofs[number] for number in later)]


def _compared(desk: SimulatedDesk, begins: datetime, plan: Plan) -> HoldoutResult:
    """The figures of all from `begins` on, with the errors that one draw of days gives them."""
    ruled, stage = desk.ruled, desk.stage
    policies = {name: each.result(begins) for name, each in ruled.items()}
    others = [track.result(begins) for track in desk.references.tracks(refits=REFIT in plan.deploys)]
    free, year = stage.rules.risk_free, stage.rules.periods_per_year
    modes = {NEWEST: JUDGED, label(NEWEST, REFIT): REFIT}
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
    name, base, newest = policy.name, each.governance.policy, label(NEWEST, each.deploy)
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
    return Contender(label(week.name, REFIT), scorer.sha256, settings.threshold, scorer.score, week.refit_to)


def _contests(week: Week, challenger: Contender | None, settings: Settings) -> dict[str, WeeklyContest]:
    """The same Monday for who deploys what was judged, and for who deploys its refit."""
    judged = challenger and replace(challenger, refit=None)
    fresh = challenger if challenger is not None and challenger.refit is not None else None
    refused = week if challenger is None else replace(week, refusal=week.refit_refusal)
    return {JUDGED: WeeklyContest(week, judged, settings), REFIT: WeeklyContest(refused, fresh, settings)}
