"""What does a rehearsal say? Every look of every policy, and what each would have made, beside who never looks."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from gatekeeper.errors import ModelRefused, TrainingRefused
from gatekeeper.judgement.backtest import Contender
from gatekeeper.market.ideas import instant
from gatekeeper.model.verify import open_scorer
from gatekeeper.rehearsal import weeks
from gatekeeper.rehearsal.governance import Governance, Look
from gatekeeper.rehearsal.living import Stage, Track
from gatekeeper.rehearsal.plan import WEEK, Plan
from gatekeeper.rehearsal.weeks import Week

FORMAT = 1
NEVER, NEWEST, UNGATED = "never retrained", "always the newest", "ungated"

Told = Callable[[str], None]
Document = dict[str, Any]


@dataclass(slots=True)
class Reign:
    """From one promotion to the next: what the new one made, and what the one that it replaced would have."""

    since: datetime
    made: float = 0.0
    before: float = 0.0


@dataclass(slots=True)
class Ruled:
    """A policy while it is rehearsed."""

    governance: Governance
    track: Track
    reigns: list[Reign] = field(default_factory=list)

    def week(self, week: Week, challenger: Contender | None) -> None:
        """The look of this Monday, and then the days until the next one."""
        said = self.governance.look(week, challenger)
        if said.promoted and said.kind != "bootstrap":
            self.reigns.append(Reign(week.as_of))
        until = week.as_of + WEEK
        self.track.live(self.governance.primary, week.as_of, until)
        if self.reigns:
            stage, when = self.track.stage, self.track.stage.between(week.as_of, until)
            self.reigns[-1].made += stage.made(self.track.kept[when], when)
            self.reigns[-1].before += stage.made(stage.kept(self.governance.before, when), when)


def rehearse(plan: Plan, *, jobs: int, told: Told) -> Document:
    """The whole rehearsal as JSON, every number finite or null; `told` hears of each Monday made and each judged.

    Raises TrainingRefused where no Monday of it has a model, and whatever stops a run for good.
    """
    holdouts = {}
    for holdout in plan.holdouts:
        folder = plan.folder(holdout)
        for _ in weeks.prepare(plan.as_ofs, plan.settings_of(holdout), folder, jobs=jobs):
            told("made")
        holdouts[str(holdout)] = _governed(plan, holdout, told)
    return {
        "format": FORMAT,
        "first": plan.as_ofs[0].isoformat(),
        "last": plan.as_ofs[-1].isoformat(),
        "mondays": len(plan.as_ofs),
        "data": {"source": plan.last.source, "fingerprint": plan.last.fingerprint(), "notes": list(plan.last.notes)},
        "rules": {
            "recipe": plan.settings.recipe,
            "threshold": plan.settings.threshold,
            "fraction": plan.settings.fraction,
            "periods_per_year": plan.last.periods_per_year,
            "tolerance": plan.settings.tolerance,
            "alpha": plan.settings.alpha,
        },
        "holdouts": holdouts,
    }


def _governed(plan: Plan, holdout: int, told: Told) -> Document:
    settings = plan.settings_of(holdout)
    stage = Stage.of(plan.last, plan.as_ofs[0], settings)
    ruled = {name: Ruled(Governance(name, settings), Track(name, stage)) for name in plan.policies}
    never, newest = Track(NEVER, stage), Track(NEWEST, stage)
    first, fresh = None, None
    begins: datetime | None = None
    for week, challenger in _challengers(plan, holdout):
        for each in ruled.values():
            each.week(week, challenger)
        fresh = challenger or fresh
        if begins is None and any(each.governance.primary for each in ruled.values()):
            begins, first = week.as_of, challenger
        if begins is not None:
            never.live(first, week.as_of, week.as_of + WEEK)
            newest.live(fresh, week.as_of, week.as_of + WEEK)
        told("judged")
    if begins is None:
        last = next(iter(ruled.values())).governance.looks[-1]
        raise TrainingRefused(f"no Monday of the rehearsal could be judged; the last one said: {last.message}")
    ungated = Track(UNGATED, stage)
    ungated.kept[:] = True
    results = {name: {**each.track.result(begins), **_ruled(each)} for name, each in ruled.items()}
    references = [track.result(begins) for track in (newest, never, ungated)]
    for result in results.values():
        result["waiting_cost"] = _difference(references[0]["sharpe"], result["sharpe"])
    days = stage.days[stage.days >= instant(begins).astype("datetime64[D]")]
    return {
        "begins": begins.isoformat(),
        "days": np.datetime_as_string(days).tolist(),
        "policies": results,
        "references": references,
    }


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
        yield week, Contender(week.name, scorer.sha256, settings.threshold, scorer.score, week.trained_to)


def _ruled(each: Ruled) -> Document:
    looks = each.governance.looks
    false = [reign for reign in each.reigns if reign.made < reign.before]
    return {
        "looks": [_look(look) for look in looks],
        "answers": dict(Counter(look.answer for look in looks)),
        "promotions": sum(look.promoted and look.kind != "bootstrap" for look in looks),
        "weeks_under_the_floors": sum(look.under_the_floors for look in looks),
        "reigns": [{**asdict(reign), "since": reign.since.isoformat()} for reign in each.reigns],
        "false_promotions": len(false),
        "false_promotions_cost": sum(reign.before - reign.made for reign in false),
    }


def _look(look: Look) -> Document:
    return {**asdict(look), "as_of": look.as_of.isoformat()}


def _difference(one: object, other: object) -> float | None:
    return one - other if isinstance(one, float) and isinstance(other, float) else None
