"""Command `rehearse`: walk-forward simulation of past weeks for each policy."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.ageing_options import ageing_options, asked, show_ageing, with_ageing
from gatekeeper.cli.show import as_json, echo, json_option, table
from gatekeeper.judgement.rule.verdict import DEPLOYS, POLICIES

if TYPE_CHECKING:
    from gatekeeper.documents.rehearsal import HoldoutResult

WORK = {"made": "prepared", "judged": "judged"}  # the kinds of progress, and their words
STREAMS = ("deployed", "Sharpe", "total return", "max drawdown", "approved", "ideas", "data age, days")
STREAM = ("name", "sharpe", "total_return", "max_drawdown", "kept_trades", "ideas", "age_days")
RULES = (
    "policy",
    "promotions",
    "false ones",
    "cost of false ones",
    "cost of waiting",
    "undecided",
    "weeks below the floors",
)
REFITS = (
    "policy",
    "Sharpe gain over judged",
    "standard error",
    "total return",
    "judged total return",
    "data age, days",
    "weeks not alike",
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


@click.command(short_help="Simulate past weeks for each policy.")
@click.option("--from", "first", help="First Monday; default ten years before the last.")
@click.option("--to", "last", help="Last Monday; default the newest one before today (demo: 2018-12-31).")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    type=click.Choice(POLICIES),
    help="Policy to simulate; repeatable, default all.",
)
@click.option(
    "--holdout",
    "holdouts",
    multiple=True,
    type=int,
    help="Holdout in days; repeatable, default GATEKEEPER_HOLDOUT_DAYS.",
)
@click.option(
    "--deploy",
    "deploys",
    multiple=True,
    type=click.Choice(DEPLOYS),
    help="Model to deploy; repeatable, default GATEKEEPER_DEPLOY.",
)
@ageing_options
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default="all cores", help="Processes."
)
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Report file; default one in GATEKEEPER_REPORTS."
)
@json_option
def rehearse(
    first: str | None,
    last: str | None,
    policies: tuple[str, ...],
    holdouts: tuple[int, ...],
    deploys: tuple[str, ...],
    ageing: bool,
    train_years: tuple[float, ...],
    half_lives: tuple[float, ...],
    starts: int | None,
    jobs: int,
    report: Path | None,
    as_json_: bool,
) -> None:
    """Walk-forward simulation of past weeks for each policy, next to never retraining, always deploying the newest
    model, and taking every trade.

    Uses no registry. An interrupted simulation continues where it stopped.

    Example: gatekeeper rehearse --from 2009-01-05 --policy safe --policy better
    """
    from gatekeeper import config
    from gatekeeper.documents import rehearsal as documents
    from gatekeeper.files import write_whole
    from gatekeeper.pipeline import parse_as_of
    from gatekeeper.rehearsal import mondays, plan, rehearse
    from gatekeeper.rehearsal.plan import TEN_YEARS, last_monday
    from gatekeeper.rehearsal.report import render

    aged = asked(ageing=ageing, train_years=train_years, half_lives=half_lives, starts=starts)
    settings, now = config.load(), datetime.now(UTC)
    if settings.league:
        echo("The simulation leaves the league out: each week judges only its own challenger.", err=True)
        settings = config.override(settings, {"league": False})
    until = parse_as_of(last) if last else last_monday(settings, now)
    since = parse_as_of(first) if first else until - TEN_YEARS
    days = mondays(since, until)
    chosen = plan(days, settings, now=now, policies=policies or POLICIES, holdouts=holdouts, deploys=deploys)
    with _progress(len(chosen.as_ofs) * len(chosen.holdouts)) as advance:
        document = rehearse(chosen, jobs=jobs, progress=advance)
    document = with_ageing(document, chosen, aged, jobs=jobs)
    place = report or Path(settings.reports) / f"rehearsal_{since:%Y-%m-%d}_{until:%Y-%m-%d}.html"
    write_whole(place, render(document).encode())
    if as_json_:
        as_json({**documents.as_object(document), "report": str(place)})
        return
    for holdout, part in document.holdouts.items():
        _show(holdout, part)
    show_ageing(document.ageing)
    echo(f"report: {place}")


def _show(holdout: str, part: "HoldoutResult") -> None:
    echo(f"holdout {holdout} days, deployed from {part.begins:%Y-%m-%d}", "")
    streams = [*part.policies.values(), *part.references]
    table(STREAMS, [tuple(getattr(each, column) for column in STREAM) for each in streams], empty="")
    echo()
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
    echo()
    refits = [
        (name, *(getattr(each, column) for column in REFIT))
        for name, each in part.policies.items()
        if name.endswith(", refit")
    ]
    if refits:
        table(REFITS, refits, empty="")
        echo()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """Progress bars on stderr: weeks prepared, then weeks judged."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        bars = {what: shown.add_task(f"weeks {word}", total=total) for what, word in WORK.items()}
        yield lambda what: shown.advance(bars[what])


COMMANDS: dict[str, click.Command] = {"rehearse": rehearse}
