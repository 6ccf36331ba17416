"""Commands `run` and `explain`: the weekly run without Airflow, and its evaluation."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.hints import with_desk
from gatekeeper.cli.show import as_json, echo, json_option, opened, pairs, table, text
from gatekeeper.errors import UnknownModel

if TYPE_CHECKING:
    from gatekeeper.documents.evaluation import EvaluationDocument, LeagueRecord, Number, Twins

ROLES = ("champion", "challenger", "ungated")
CARD = ("name", "ideas", "kept_trades", "sharpe", "total_return", "max_drawdown", "win_rate")
LEAGUE = ("kept_trades", "sharpe", "gain", "standard_error", "bound", "bound_of_many", "alone")
MARKS = {True: "pass", False: "FAIL", None: "-"}


@click.command()
@click.option("--as-of", "as_of", required=True, help="Use no data after this instant; a bare date means 02:00 UTC.")
@click.option("--param", "given", multiple=True, metavar="NAME=VALUE", help="Run parameter, as in the DAG's form.")
@json_option
def run(as_of: str, given: tuple[str, ...], as_json_: bool) -> None:
    """Run the weekly steps without Airflow.

    The steps are retrain, export, register, backtest and promote.
    """
    from gatekeeper import config, pipeline
    from gatekeeper.cli.show import user
    from gatekeeper.documents import step_output
    from gatekeeper.documents.step_output import Promoted
    from gatekeeper.pipeline import alarms
    from gatekeeper.registry import Registry

    parameters: dict[str, object] = dict(parameter.partition("=")[::2] for parameter in given)
    with alarms.tells_of_faults(config.alarms_alone(), as_of, f"gatekeeper run --as-of {as_of}"):
        weekly_run = pipeline.start(
            pipeline.parse_as_of(as_of),
            now=datetime.now(UTC),
            settings=config.load(),
            parameters=parameters,
            actor=user(),
        )
        with Registry.configured(weekly_run.settings) as registry:
            for name, output in pipeline.weekly(weekly_run, registry):
                echo(f"{name:<12} {output.summary}", err=as_json_)
    if as_json_:
        as_json({"as_of": weekly_run.as_of, **step_output.written(output)})
    elif isinstance(output, Promoted):
        echo(f"report: {output.report}")
        echo(with_desk(f"next: gatekeeper explain {output.challenger_id}"))


@click.command()
@click.argument("model_id", type=int, metavar="ID")
@click.option("--evaluation", type=int, metavar="N", help="Evaluation; default the newest.")
@json_option
def explain(model_id: int, evaluation: int | None, as_json_: bool) -> None:
    """Explain a model's evaluation.

    Begins with what came of it in the registry, then shows every gate with its numbers, and the verdict of each policy.
    """
    with opened() as registry:
        model = registry.model(model_id)
        every = registry.evaluations(model_id)
        found = [e for e in every if evaluation in (None, e.id)]
        effect = registry.pages.effect_of(found[0]) if found else ""
    if not every:
        raise UnknownModel(
            f"Model {model_id} ({model.version}) has no evaluation as a challenger. Weekly runs evaluate models; "
            "a model promoted by hand may have none (see `gatekeeper history`)."
        )
    if not found:
        raise UnknownModel(
            f"Model {model_id} ({model.version}) has no evaluation {evaluation} as a challenger. It has "
            f"{', '.join(str(each.id) for each in every)}; `gatekeeper explain {model_id}` shows the newest."
        )
    chosen = found[0]
    if as_json_:
        as_json(
            {
                "effect": effect,
                "evaluation": chosen.id,
                "challenger": chosen.challenger,
                "champion": chosen.champion,
                "as_of": chosen.as_of,
                "kind": chosen.kind,
                "report": chosen.report,
                **chosen.stored,
            }
        )
        return
    document = chosen.document  # a damaged one is refused before anything is said
    echo(effect)
    _explain(document)
    echo()
    pairs({"evaluation": chosen.id, "kind": chosen.kind, "as-of": chosen.as_of, "report": chosen.report})
    if len(found) > 1:
        echo(f"earlier evaluations: {', '.join(str(e.id) for e in found[1:])} (--evaluation N)")


def _explain(document: "EvaluationDocument") -> None:
    from gatekeeper.judgement.report import glossary
    from gatekeeper.judgement.rule import tests_spent

    verdict, window = document.verdict, document.window
    echo(verdict.message)
    echo(f"window {window.start:%Y-%m-%d} to {window.as_of:%Y-%m-%d}, {window.days} market days", "")
    cards = dict(document.scorecards)
    table(
        ("", "name", "ideas", "approved", "Sharpe", "total return", "max drawdown", "win rate"),
        [
            (role, *(getattr(card, column) for column in CARD))
            for role in ROLES
            if (card := cards.get(role)) and card.tested
        ],
        empty="",
    )
    _explain_refits(document.twins)
    _explain_league(document.league)
    echo("", "gates")
    for gate in verdict.gates:
        echo(f"  {MARKS[gate.passed]:<5} {gate.name:<11} {gate.text}")
        echo(f"        {'':<11} {_numbers(gate.numbers)}")
    if terms := glossary.of_gates(verdict.gates):
        echo("", "what the numbers of the gates mean")
        for name, meaning in terms.items():
            echo(f"  {name:<25} {meaning}")
    echo("", "verdict of each policy")
    for name, each in document.policies.items():
        echo(f"  {name:<7} {each.message}")
    if (spent := tests_spent.sentences(document)) is not None:
        echo("", f"{spent}")


def _explain_refits(twins: "Twins | None") -> None:
    if twins is None:
        return
    rows = [
        (role, live.name, f"{live.trained_to:%Y-%m-%d}" if live.trained_to else "unknown", live.sha256[:12])
        for role, live in (("challenger", twins.challenger), ("champion", twins.champion))
        if live is not None
    ]
    echo("", "judged on the judged model; deployed is, or would be, its refit on all that was known")
    table(("", "deployed refit", "data to", "sha256"), rows, empty="")


def _explain_league(league: "LeagueRecord | None") -> None:
    if league is None:
        return
    rows = [
        (row.name, *(getattr(row, column) for column in LEAGUE), "won" if number == league.winner else "")
        for number, row in enumerate(league.contenders)
    ]
    echo("", f"league: {len(rows)} models compared, this week's own first")
    columns = (
        "name",
        "approved",
        "Sharpe",
        "gain",
        "standard error",
        "bound alone",
        "bound as one of all",
        "alone",
        "",
    )
    table(columns, rows, empty="")
    for name, why in league.left_out.items():
        echo(f"left out: {name} ({why})")


def _numbers(numbers: "Mapping[str, Number]") -> str:
    return ", ".join(
        f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {text(value)}"
        for name, value in numbers.items()
    )


COMMANDS: dict[str, click.Command] = {"run": run, "explain": explain}
