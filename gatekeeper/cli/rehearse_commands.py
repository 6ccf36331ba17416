"""Command `rehearse`: walk-forward simulation of past weeks for each policy."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.ageing_options import ageing_options, asked, show_ageing, with_ageing
from gatekeeper.cli.show import LocalPath, as_json, echo, json_option, table
from gatekeeper.judgement.rule.verdict import DEPLOYS, POLICIES

if TYPE_CHECKING:
    from gatekeeper.documents.rehearsal import HoldoutResult, RehearsalDocument
    from gatekeeper.documents.stream_pairs import PairResult, Resampling

WORK = {"made": "prepared", "judged": "judged"}  # the kinds of progress, and their words
STREAMS = ("deployed", "Sharpe", "return, %", "max drawdown, %", "approved", "data age, days")
PROMOTIONS = ("policy", "promotions", "won", "tied", "lost", "gained, %", "given up, %", "net, %")
BUDGETS = ("policy", "budget a year", "z", "challengers", "correlation of gains", "spent a year")
WEEKS = ("policy", "weeks", "without a model", "below the floors", "undecided", "cost of waiting, Sharpe")
PAIRS = ("pair", "Sharpe difference", "return difference, %", "verdict")
OVER_DATES = ("Sharpe difference", "smallest", "largest", "verdict by start date")
REFITS = ("policy", "gain over judged, Sharpe", "return, %", "judged return, %", "weeks not alike")


@click.command(short_help="Simulate past weeks for each policy.")
@click.option("--from", "first", help="First Monday; default ten years before the last.")
@click.option("--to", "last", help="Last Monday; default the newest that the data cover (demo: 2018-12-31).")
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
@click.option(
    "--starts",
    type=click.IntRange(1, 20),
    help="Start dates to compare, as far as each leaves a year; default 4.",
)
@ageing_options
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default="all cores", help="Processes."
)
@click.option(
    "--report", type=LocalPath(path_type=Path, dir_okay=False), help="Report file; default one in GATEKEEPER_REPORTS."
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
) -> int:
    """Walk-forward simulation of past weeks for each policy, next to never retraining, always deploying the newest
    model, and taking every trade.

    Uses no registry. An interrupted simulation continues where it stopped. If one of several holdouts fails, the others
    are shown, and the exit code is 1.

    Example: gatekeeper rehearse --from 2009-01-05 --policy safe --policy better
    """
    from gatekeeper import config
    from gatekeeper.pipeline import parse_as_of
    from gatekeeper.rehearsal import mondays, plan, rehearse
    from gatekeeper.rehearsal.plan import TEN_YEARS, last_monday, source
    from gatekeeper.rehearsal.start_dates import STARTS

    aged = asked(ageing=ageing, train_years=train_years, half_lives=half_lives)
    settings, now = config.load(), datetime.now(UTC)
    if settings.league:
        echo("The simulation leaves the league out: each week judges only its own challenger.", err=True)
        settings = config.override(settings, {"league": False})
    if last and first:
        mondays(parse_as_of(first), parse_as_of(last))  # refused before the data are read
    known = source(settings)
    until = parse_as_of(last) if last else last_monday(known, settings, now)
    since = parse_as_of(first) if first else until - TEN_YEARS
    days = mondays(since, until)
    chosen = plan(
        days,
        settings,
        now=now,
        policies=policies or POLICIES,
        holdouts=holdouts,
        deploys=deploys,
        starts=starts or STARTS,
        known=known,
    )
    place = report or Path(settings.reports) / f"rehearsal_{since:%Y-%m-%d}_{until:%Y-%m-%d}.html"
    finished: list[RehearsalDocument] = []
    try:
        with _progress(len(chosen.as_ofs) * len(chosen.holdouts)) as advance:
            document = rehearse(chosen, jobs=jobs, progress=advance, kept=finished.append)
        document = with_ageing(document, chosen, aged, jobs=jobs)
    except BaseException:  # Ctrl-C too: what is finished is shown, and then the error is told as usual
        if finished:
            _show(finished[-1], place, as_json_)
        raise
    _show(document, place, as_json_)
    for holdout, part in document.holdouts.items():
        dates = len(part.starts.dates) if part.starts else 1
        if starts is not None and dates < starts:
            echo(
                f"Holdout {holdout} days: {dates} of {starts} start dates, since a later one leaves less than a year "
                f"of the {part.weeks} weeks. Begin earlier with --from.",
                err=True,
            )
    for holdout, fault in document.failures.items():
        echo(f"Holdout {holdout} days failed: {fault}", err=True)
    return 1 if document.failures else 0


def _show(document: "RehearsalDocument", place: Path, as_json_: bool) -> None:
    """The results, and then the page: a folder that can't be written must not cost them."""
    from gatekeeper.documents import rehearsal as documents
    from gatekeeper.files import write_whole
    from gatekeeper.rehearsal.report import render

    if as_json_:
        as_json({**documents.as_object(document), "report": str(place)})
    else:
        echo(f"{document.mondays} Mondays, {document.first:%Y-%m-%d} to {document.last:%Y-%m-%d}", "")
        for holdout, part in document.holdouts.items():
            _show_holdout(holdout, part)
        show_ageing(document.ageing)
    write_whole(place, render(document).encode())
    if not as_json_:
        echo(f"report: {place}")


def _show_holdout(holdout: str, part: "HoldoutResult") -> None:
    echo(f"holdout {holdout} days, {part.weeks} weeks from the first model on {part.begins:%Y-%m-%d}", "")
    streams = [
        (
            each.name,
            measured(each.sharpe, each.sharpe_error),
            percent(each.total_return, each.return_error),
            percent(each.max_drawdown, each.drawdown_error),
            f"{each.kept_trades} of {each.ideas}",
            "-" if each.age_days is None else f"{each.age_days:.0f}",
        )
        for each in (*part.policies.values(), *part.references)
    ]
    table(STREAMS, streams, empty="")
    echo()
    policies = part.policies.items()
    tallies = [
        (
            name,
            each.promotions,
            each.tally.won,
            each.tally.tied,
            each.tally.lost,
            percent(each.tally.gained),
            percent(each.tally.given_up),
            percent(each.tally.net, each.tally.net_error),
        )
        for name, each in policies
    ]
    table(PROMOTIONS, tallies, empty="")
    echo()
    weeks = [
        (
            name,
            len(each.looks),
            each.weeks_without,
            each.weeks_under_the_floors,
            each.answers.get("undecided", 0),
            measured(each.waiting_cost, each.waiting_cost_error),
        )
        for name, each in policies
    ]
    table(WEEKS, weeks, empty="")
    echo()
    _show_budgets(part)
    _show_refits(part)
    if part.resampling is not None:
        _show_pairs(part.pairs, part.resampling)
    _show_starts(part)


def _show_budgets(part: "HoldoutResult") -> None:
    rows = [
        (name, f"{s.budget:g}", f"{s.z:.2f}", s.challengers, f"{s.correlation:.2f}", f"{s.expected:.2f} ± 0.05")
        for name, each in part.policies.items()
        if (s := each.spent) is not None
    ]
    if rows:
        table(BUDGETS, rows, empty="")
        echo(
            "Spent: promotions a year if each of these challengers were just bad enough. The budget bounds",
            "that; where challengers are alike (correlation 1, not 0.5), they spend far less.",
            "",
        )


def _show_refits(part: "HoldoutResult") -> None:
    rows = [
        (
            name,
            measured(each.refit_gain, each.refit_gain_error),
            percent(each.total_return, each.return_error),
            percent(each.judged_made),
            each.weeks_not_alike,
        )
        for name, each in part.policies.items()
        if name.endswith(", refit")
    ]
    if rows:
        table(REFITS, rows, empty="")
        echo()


def _show_pairs(pairs: Sequence["PairResult"], how: "Resampling") -> None:
    rows = [
        (
            f"{each.one} - {each.other}",
            "-" if each.sharpe is None else measured(each.sharpe.value, each.sharpe.error),
            "-" if each.total_return is None else percent(each.total_return.value, each.total_return.error),
            each.verdict,
        )
        for each in pairs
    ]
    table(PAIRS, rows, empty="")
    echo(
        "",
        f"\N{PLUS-MINUS SIGN}: standard error, {how.draws:,} draws of the same days for all "
        f"({how.method}, blocks of {how.block} days).",
        "Not separable: the intervals of both differences hold 0, so nothing follows from them. They reach",
        f"{how.critical:.1f} standard errors to each side, so that those of all {len(pairs)} pairs hold at once with "
        f"{100 * how.level:.0f} %.",
        *(["Identical: the same return on every day."] if any(each.verdict == "identical" for each in pairs) else []),
        "",
    )


def _show_starts(part: "HoldoutResult") -> None:
    from gatekeeper.rehearsal.start_tables import start_tables

    found = start_tables(part.starts, part.policies)
    if found is None:
        return
    echo(f"{len(found.begins)} start dates, each with a desk that has no model yet, all to the same end:", "")
    table(("Sharpe from", *found.begins, "range"), [(name, *cells) for name, cells in found.streams], empty="")
    echo()
    table(OVER_DATES, [(name, *cells) for name, cells in found.pairs], empty="")
    echo("", *found.conclusion.replace("; ", ";\n").split("\n"), "")


def measured(value: float | None, error: float | None = None, places: int = 2) -> str:
    """A figure with its standard error, as far as both are defined."""
    if value is None:
        return "-"
    return f"{value:.{places}f}" + ("" if error is None else f" ± {error:.{places}f}")


def percent(value: float | None, error: float | None = None) -> str:
    """The same for a part of the initial capital, in percent."""
    return measured(value and 100 * value, error and 100 * error)


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
