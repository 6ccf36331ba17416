"""League entrants: earlier challengers that compete with this week's, and the evaluations that the run records."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from gatekeeper.errors import DataError, ModelRefused
from gatekeeper.logs import logger
from gatekeeper.pipeline.weekly.run import DAG_ID, Run
from gatekeeper.registry import Evaluation, Model, Registry

if TYPE_CHECKING:
    from gatekeeper.documents.evaluation import Gate, LeagueRecord
    from gatekeeper.judgement.backtest.backtest import Backtest, ScorecardBuilder
    from gatekeeper.judgement.backtest.contender import Contender
    from gatekeeper.judgement.backtest.scorecard import Scorecard
    from gatekeeper.judgement.league.league import Field
    from gatekeeper.judgement.rule.verdict import Policy

log = logger("gatekeeper")

Opened = Callable[[Model], "Contender"]
"""Opens a model as a verified contender. Raises ModelRefused."""


@dataclass(frozen=True, slots=True)
class Case:
    """One model of which the weekly run records an evaluation."""

    model: Model
    measured: "Backtest"
    many: "Callable[[Policy], Gate | None]" = lambda _: None
    """The gate `league` under a policy; None if no other model was compared."""
    league: "LeagueRecord | None" = None
    """The league's part of the evaluation document; None if no other model was compared."""


def cases(
    run: Run,
    registry: Registry,
    model: Model,
    measured: "Backtest",
    kind: str,
    opened: Opened,
) -> list[Case]:
    """The cases to record, the deciding one last: this week's challenger, or an older one if that won the league.

    In the second case this week's own comes first, and names the winner.
    """
    from gatekeeper.judgement.backtest.backtest import ScorecardBuilder
    from gatekeeper.judgement.league.league import Field

    if not run.settings.league or measured.champion is None or not measured.challenger.tested:
        return [Case(model, measured)]
    book = ScorecardBuilder.of(measured.rules, measured.window, measured.ideas, measured.days)
    met = {measured.challenger.sha256, measured.champion.sha256}
    left_out: dict[str, str] = {}
    older = list(_entrants(run, registry, book, met, opened, left_out))
    if not older:
        return [Case(model, measured)]
    against = [book.against(measured.champion, card, measured.pool) for _, card in older]
    everyone = Field(measured.champion, (measured.challenger, *against))
    return _held(everyone, [model, *(each for each, _ in older)], measured, kind, left_out)


def recorded(registry: Registry, run_key: str, model: Model) -> list[Evaluation]:
    """The deciding evaluations of a run, newest first: of this model, or of one that won against it."""
    return [
        each
        for each in registry.pages.evaluations_of(run_key)
        if _decides(each, model) and registry.model(each.challenger).sha256 == each.challenger_sha256
    ]


def _decides(evaluation: Evaluation, model: Model) -> bool:
    league = evaluation.document.league
    if league is None:
        return evaluation.challenger_sha256 == model.sha256
    competed = {row.sha256 for row in league.contenders}
    return model.sha256 in competed and league.winner in (None, league.challenger)


def _held(
    everyone: "Field", models: list[Model], measured: "Backtest", kind: str, left_out: dict[str, str]
) -> list[Case]:
    from gatekeeper.judgement.league import league, league_document
    from gatekeeper.judgement.league.gate import gate

    policy = measured.rules.policy

    @cache  # asked of each policy, for one case or two
    def contest(under: "Policy") -> league.FieldResult:
        return league.contest(everyone, under, measured.ungated, kind=kind)

    def case(number: int) -> Case:
        return Case(
            models[number],
            replace(measured, challenger=everyone.contenders[number]),
            lambda under: gate(contest(under), everyone, number),
            league_document.document(contest(policy), everyone, number, left_out),
        )

    return [case(number) for number in dict.fromkeys((0, contest(policy).winner or 0))]


def _entrants(
    run: Run,
    registry: Registry,
    book: "ScorecardBuilder",
    met: set[str | None],
    opened: Opened,
    left_out: dict[str, str],
) -> "Iterator[tuple[Model, Scorecard]]":
    """The newest challengers turned down before that can be judged on this window; `left_out` collects the others."""
    room = run.settings.league_size
    for model in registry.pages.rejected(before=run.as_of, run_keys=f"{DAG_ID}/"):
        if room == 0:
            return
        if model.sha256 in met:
            continue
        met.add(model.sha256)
        try:
            card = book.measure(opened(model))
        except (ModelRefused, DataError) as fault:
            log.warning("%s is left out of the league: %s", model.version, fault)
            # Without the message, which names a path: the same run gives the same document on any machine.
            slug = fault.reason if isinstance(fault, ModelRefused) else "scores"
            left_out[model.version] = f"it can't be loaded ({slug})"
            continue
        if not card.out_of_sample:
            left_out[model.version] = "it was trained on part of this window"
            continue
        room -= 1
        yield model, card
