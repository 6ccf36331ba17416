"""Ages of a rehearsal's models: their decisions on the same ideas, for one or several trainings side by side."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from gatekeeper.config import override
from gatekeeper.documents.ageing import Ageing, AgeingCurve, TrainingAged
from gatekeeper.errors import ModelRefused, TrainingRefused
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.backtest.daily_returns import Marks
from gatekeeper.judgement.statistics.sharpe import excess_returns
from gatekeeper.market.ideas import Ideas, instant
from gatekeeper.model.verify import open_scorer
from gatekeeper.rehearsal import ageing, weeks
from gatekeeper.rehearsal.ageing import Decisions, Floats, MeasuredAges
from gatekeeper.rehearsal.live_simulation import Stage
from gatekeeper.rehearsal.plan import WEEK, Plan
from gatekeeper.rehearsal.start_dates import start_weeks


@dataclass(frozen=True, slots=True, eq=False)
class TrainingChoice:
    """The weeks of one training that have a model, by number, each with its decisions on later ideas.

    refusal: why the last week without a model has none.
    """

    plan: Plan
    decide: dict[int, Decisions]
    refusal: str | None


def trainings(plan: Plan, train_years: Sequence[float], half_lives: Sequence[float]) -> list[Plan]:
    """The rehearsal's own plan first, then one for each other training window and half-life. Raises ConfigError."""
    own = plan.settings
    windows = dict.fromkeys((own.train_years, *train_years))
    halves = dict.fromkeys((own.half_life_days, *half_lives))
    return [
        replace(plan, settings=override(own, {"train_years": years, "half_life_days": days}))
        for years, days in product(windows, halves)
    ]


def measured(plans: Sequence[Plan], *, jobs: int, progress: Callable[[], None] = lambda: None) -> Ageing:
    """The ageing curve of each plan's training, by its first holdout's weeks; only weeks that are missing are trained.

    progress: called for each week that is ready. Raises TrainingRefused if the weeks of the first are too few.
    """
    own = plans[0]
    stage = _stage(own)
    number = _week_of(own, stage.ideas)
    found = [_trained(each, stage, number, jobs, progress) for each in plans]
    if not found[0].decide:
        raise TrainingRefused(f"no week of the rehearsal has a model to age; the last message: {found[0].refusal}")
    able = [each for each in found if each.decide]
    last = len(own.as_ofs) - 1
    first = max(min(each.decide) for each in able)
    ages = ageing.oldest_age(first, last)
    begins = first + ages - 1
    span = _Span(own, stage, number, begins)
    curves = span.curves([ageing.by_age(each.decide, number, ages) for each in able], own)
    by_plan = {id(each): of for each, of in zip(able, curves, strict=True)}
    return Ageing(
        recipe=own.settings.recipe,
        models=len(own.as_ofs),
        oldest_weeks=ages,
        block=ageing.block_of(len(span.days), own.last.periods_per_year),
        draws=ageing.DRAWS,
        power=own.settings.power,
        trainings=[
            TrainingAged(
                each.plan.settings.train_years,
                each.plan.settings.half_life_days,
                by_plan.get(id(each), []),
                None if each.decide else each.refusal,
            )
            for each in found
        ],
    )


class _Span:
    """The ideas and days that every age of every training has, and the start dates in it."""

    def __init__(self, plan: Plan, stage: Stage, number: NDArray[np.intp], begins: int) -> None:
        self._stage, self._number, self._begins = stage, number, begins
        self._origin = _first(plan).astype("datetime64[D]")
        self._starts = start_weeks(begins, len(plan.as_ofs) - 1, plan.starts)
        self.days = stage.days[stage.days >= self._day(begins)]

    def curves(self, ages: list[Decisions], plan: Plan) -> list[list[AgeingCurve]]:
        """By training, then by start date."""
        counted = self._number >= self._begins
        streams = [_excess(self._stage, each & counted, self.days) for each in ages]
        made: list[list[AgeingCurve]] = [[] for _ in streams]
        holdouts = sorted({*ageing.HOLDOUTS, *plan.holdouts})
        for start in self._starts:
            after = self.days >= self._day(start)
            about = (str(self.days[after][0]), str(self.days[-1]), int(np.count_nonzero(self._number >= start)))
            block = ageing.block_of(int(after.sum()), plan.last.periods_per_year)
            first: MeasuredAges | None = None
            for curves, stream in zip(made, streams, strict=True):
                found = ageing.measure(
                    stream[:, after], plan.last.periods_per_year, block=block, power=plan.settings.power
                )
                curves.append(ageing.curve(found, holdouts, about, first))
                first = first or found
        return made

    def _day(self, week: int) -> np.datetime64:
        return np.datetime64(self._origin + np.timedelta64(7 * week, "D"))


def _first(plan: Plan) -> np.datetime64:
    """The end of the first model's training."""
    return instant(plan.as_ofs[0] - plan.settings_of(plan.holdouts[0]).holdout)


def _stage(plan: Plan) -> Stage:
    """The ideas from the first model's training on, to a week after the last one's."""
    settings = plan.settings_of(plan.holdouts[0])
    first, end = plan.as_ofs[0] - settings.holdout, plan.as_ofs[-1] - settings.holdout + WEEK
    whole = Stage.of(plan.last, first, plan.rules_of(plan.holdouts[0]))
    until = instant(end + settings.longest_hold).astype("datetime64[D]")
    return replace(whole, ideas=whole.ideas.take(whole.ideas.time < instant(end)), days=whole.days[whole.days <= until])


def _week_of(plan: Plan, ideas: Ideas) -> NDArray[np.intp]:
    """(n,) the week of each idea: that of the newest model whose training ended by then."""
    return np.asarray((ideas.time - _first(plan)) // np.timedelta64(7, "D"), dtype=np.intp)


def _trained(
    plan: Plan, stage: Stage, number: NDArray[np.intp], jobs: int, progress: Callable[[], None]
) -> TrainingChoice:
    holdout = plan.holdouts[0]
    for _ in weeks.prepare(plan.as_ofs, plan.settings_of(holdout), plan.folder(holdout), jobs=jobs):
        progress()
    refusal: list[str] = []
    models = list(_models(plan, refusal))
    decide = {}
    for place, (week, model) in enumerate(models):
        until = models[place + 1][0] if place + 1 < len(models) else len(plan.as_ofs)
        ages_on = (number >= week) & (number < until + ageing.EDGES[-1])
        decide[week] = np.zeros(len(number), dtype=np.bool_)
        decide[week][ages_on] = stage.kept(model, _slice(ages_on))
    return TrainingChoice(plan, decide, refusal[-1] if refusal else None)


def _models(plan: Plan, refusal: list[str]) -> Iterator[tuple[int, Contender]]:
    settings, folder = plan.settings_of(plan.holdouts[0]), plan.folder(plan.holdouts[0])
    for week, as_of in enumerate(plan.as_ofs):
        made = weeks.read(as_of, folder)
        if made.content is None:
            refusal.append(made.refusal or "no challenger")
            continue
        try:
            scorer = open_scorer(made.content, cap=settings.model_size_cap)
        except ModelRefused as fault:
            refusal.append(str(fault))
            continue
        yield week, Contender(made.name, scorer.sha256, settings.threshold, scorer.score, made.trained_to)


def _slice(mask: NDArray[np.bool_]) -> slice:
    rows = np.flatnonzero(mask)
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)


def _excess(stage: Stage, decided: Decisions, days: NDArray[np.datetime64]) -> Floats:
    """(A, T) daily excess returns of each age's decisions."""
    sizing, rules = stage.sizing, stage.rules
    marks = Marks.of(stage.ideas, days, sizing.of(stage.ideas), marked=rules.marked)
    rows = []
    for kept in decided:
        taken = sizing.taken(stage.ideas, kept)
        rows.append(excess_returns(marks.daily(taken), marks.exposed(taken), rules.risk_free, rules.periods_per_year))
    return np.array(rows)
