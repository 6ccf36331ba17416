"""What would the policies have made of years of Mondays on these data?"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.show import as_json, json_option, table
from gatekeeper.judgement.rule.verdict import DEPLOYS, POLICIES

if TYPE_CHECKING:
    from gatekeeper.documents.rehearsal import HoldoutResult

STREAMS = ("who was live", "Sharpe", "made", "max drawdown", "kept", "ideas", "data age, days")
STREAM = ("name", "sharpe", "total_return", "max_drawdown", "kept_trades", "ideas", "age_days")
RULES = ("policy", "promotions", "of them false", "false ones cost", "waiting cost", "undecided", "under the floors")
REFITS = (
    "policy",
    "over judged, Sharpe",
    "error",
    "made",
    "judged made",
    "data age, days",
    "not alike",
    "weeks without a model",
)
REFIT = (
    "refit_gain",
    "refit_gain_error",
    "total_return",
    "judged_made",
    "age_days",
    "weeks_not_alike",
    "weeks_without",
)


@click.command()
@click.option("--from", "first", help="The first Monday; default ten years of them.")
@click.option("--to", "last", help="The last Monday; default the newest that the data carry.")
@click.option("--policy", "policies", multiple=True, type=click.Choice(POLICIES), help="Again for more; default all.")
@click.option("--holdout", "holdouts", multiple=True, type=int, help="In days, again for more; default the setting.")
@click.option(
    "--deploy", "deploys", multiple=True, type=click.Choice(DEPLOYS), help="Again for both; default the setting."
)
@click.option("--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default="all cores")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Default: in GATEKEEPER_REPORTS.")
@json_option
def rehearse(
    first: str | None,
    last: str | None,
    policies: tuple[str, ...],
    holdouts: tuple[int, ...],
    deploys: tuple[str, ...],
    jobs: int,
    report: Path | None,
    as_json_: bool,
) -> None:
    """Replays years of Mondays under each policy, beside never retraining, always the newest, and no gate.

    Touches no registry. Stopped and started again, it goes on where it was.

    Example: gatekeeper rehearse --from 2009-01-05 --policy safe --policy better
    """
    from gatekeeper import config
    from gatekeeper.documents import rehearsal as documents
    from gatekeeper.files import write_whole
    from gatekeeper.pipeline import parse_as_of
    from gatekeeper.rehearsal import mondays, plan, rehearse
    from gatekeeper.rehearsal.plan import TEN_YEARS, last_monday
    from gatekeeper.rehearsal.report import render

    settings, now = config.load(), datetime.now(UTC)
    if settings.league:
        click.echo("the league is not rehearsed: each Monday judges its own challenger alone", err=True)
        settings = config.override(settings, {"league": False})
    until = parse_as_of(last) if last else last_monday(settings, now)
    since = parse_as_of(first) if first else until - TEN_YEARS
    days = mondays(since, until)
    chosen = plan(days, settings, now=now, policies=policies or POLICIES, holdouts=holdouts, deploys=deploys)
    with _progress(len(chosen.as_ofs) * len(chosen.holdouts)) as told:
        document = rehearse(chosen, jobs=jobs, progress=told)
    place = report or Path(settings.reports) / f"rehearsal_{since:%Y-%m-%d}_{until:%Y-%m-%d}.html"
    write_whole(place, render(document).encode())
    if as_json_:
        as_json({**documents.as_object(document), "report": str(place)})
        return
    for holdout, part in document.holdouts.items():
        _show(holdout, part)
    click.echo(f"report: {place}")


def _show(holdout: str, part: "HoldoutResult") -> None:
    click.echo(f"holdout {holdout} days, live from {part.begins:%Y-%m-%d}\n")
    streams = [*part.policies.values(), *part.references]
    table(STREAMS, [tuple(getattr(each, column) for column in STREAM) for each in streams], empty="")
    click.echo()
    rows = [
        (
            name,
            each.promotions,
            each.false_promotions,
            each.false_promotions_cost,
            each.waiting_cost,
            each.answers.get("undecided", 0),
            each.weeks_under_the_floors,
        )
        for name, each in part.policies.items()
    ]
    table(RULES, rows, empty="")
    click.echo()
    refits = [
        (name, *(getattr(each, column) for column in REFIT))
        for name, each in part.policies.items()
        if name.endswith(", refit")
    ]
    if refits:
        table(REFITS, refits, empty="")
        click.echo()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """On stderr: Mondays made, then Mondays judged."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        bars = {what: shown.add_task(f"Mondays {what}", total=total) for what in ("made", "judged")}
        yield lambda what: shown.advance(bars[what])


COMMANDS: dict[str, click.Command] = {"rehearse": rehearse}
