"""Commands `report` and `card`: evaluation reports and model cards, from the registry alone."""

from datetime import UTC, datetime
from pathlib import Path

import click

from gatekeeper.cli.show import LocalPath, as_json, echo, json_option, opened


@click.command()
@click.argument("evaluation_id", type=int, metavar="N")
@click.option(
    "-o", "--output", type=LocalPath(dir_okay=False, path_type=Path), help="Output file; default report_N.html."
)
@json_option
def report(evaluation_id: int, output: Path | None, as_json_: bool) -> None:
    """Write the HTML report of an evaluation.

    It is made from the registry alone, begins with what came of the evaluation there, and shows the standby models of
    the monitor's newest check. `gatekeeper explain ID` and `gatekeeper card ID` list a model's evaluations.
    """
    from gatekeeper.files import write_whole
    from gatekeeper.judgement.report import report as reports

    with opened() as registry:
        evaluation = registry.evaluation(evaluation_id)
        effect, check = registry.pages.effect_of(evaluation), registry.checks.last_seen()
    place = output or Path(f"report_{evaluation_id}.html")
    write_whole(place, reports.render(evaluation.document, effect, check).encode())
    if as_json_:
        told = {"file": str(place), "evaluation": evaluation_id, "challenger": evaluation.challenger}
        as_json({**told, "effect": effect})
    else:
        echo(f"Wrote {place}: evaluation {evaluation_id} of model {evaluation.challenger}.")


@click.command()
@click.argument("model_id", type=int, metavar="ID")
@click.option(
    "-o", "--output", type=LocalPath(dir_okay=False, path_type=Path), help="Output file; default standard output."
)
@json_option
def card(model_id: int, output: Path | None, as_json_: bool) -> None:
    """Print a model card in Markdown.

    It covers facts, training, evaluations, promotions, intended use and limits. With --json, print its facts instead.
    """
    from gatekeeper.documents import card as cards
    from gatekeeper.files import write_whole
    from gatekeeper.registry.views import card_text

    with opened() as registry:
        facts = registry.pages.card(model_id, now=datetime.now(UTC))
    if output is not None:
        write_whole(output, card_text.markdown(facts).encode())
    if as_json_:
        as_json(cards.as_object(facts))
    elif output is None:
        echo(*card_text.markdown(facts).removesuffix("\n").split("\n"))
    else:
        echo(f"Wrote {output}: the card of model {model_id}.")


COMMANDS: dict[str, click.Command] = {"report": report, "card": card}
