"""What does the record say of an evaluation or a model, for people who weren't there?"""

from datetime import UTC, datetime
from pathlib import Path

import click

from gatekeeper.cli.show import as_json, json_option, opened


@click.command()
@click.argument("evaluation_id", type=int, metavar="N")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: report_N.html.")
@json_option
def report(evaluation_id: int, output: Path | None, as_json_: bool) -> None:
    """Writes the report of evaluation N again, from the registry alone: no data, model or old file is needed.

    `gatekeeper explain ID` and `gatekeeper card ID` name a model's evaluations.
    """
    from gatekeeper.files import write_whole
    from gatekeeper.judgement.report import report as reports

    with opened() as registry:
        evaluation = registry.evaluation(evaluation_id)
    place = output or Path(f"report_{evaluation_id}.html")
    write_whole(place, reports.render(evaluation.document).encode())
    if as_json_:
        as_json({"file": str(place), "evaluation": evaluation_id, "challenger": evaluation.challenger})
    else:
        click.echo(f"{place}, evaluation {evaluation_id} of model {evaluation.challenger}")


@click.command()
@click.argument("model_id", type=int, metavar="ID")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; default: shown here.")
@json_option
def card(model_id: int, output: Path | None, as_json_: bool) -> None:
    """A model's card, in Markdown: what it is, learned from and may be used for, how it was judged and promoted.

    With --json the facts that it is made of.
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
        click.echo(card_text.markdown(facts), nl=False)
    else:
        click.echo(f"{output}, model {model_id}")


COMMANDS: dict[str, click.Command] = {"report": report, "card": card}
