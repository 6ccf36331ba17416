"""Screen of a data passport: one view for people, readable at 60 columns and without colour."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gatekeeper.market.data.passport import texts
from gatekeeper.texts import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from gatekeeper.documents.passport import FindingRecord, Layout, Passport, SymbolRecord
    from gatekeeper.rehearsal.prospects import Prospects

COLUMNS = "columns.toml"
MOST_SYMBOLS = 12
MOST_LAYOUTS = 5
MOST_NOTES = 8
WORDS = {"refused": ("REFUSED", "bold red"), "warning": ("WARNING", "yellow"), "note": ("note", "dim")}


def show(
    passport: "Passport | None",
    prospects: "Prospects | None",
    refusal: str | None,
    use: str,
    mapping: str = "",
    again: str = "gatekeeper data",
) -> None:
    """Print it. refusal: why the reading ended early, if it did. mapping: TOML that would let it go on. again: the
    command that reads with it."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        if refusal is not None and mapping:
            refusal = refusal.partition(" | Mapping: ")[0]  # it follows, ready to paste
        _shown(console, passport, prospects, refusal, use)
        if mapping:
            console.print()
            todo = (
                "Fill in the empty names of this mapping, check the others"
                if '= ""' in mapping
                else "Check this mapping"
            )
            console.print(_text(f"{todo}, and paste it all. (A desk keeps it in desks.toml.)"))
            for line in (f"cat > {COLUMNS} <<'END'", *mapping.split("\n"), "END"):
                console.print(_text(line, "bold"), soft_wrap=True)
            console.print(_text(f'export GATEKEEPER_COLUMNS="$PWD/{COLUMNS}"', "bold"), soft_wrap=True)
            console.print(_text(again, "bold"), soft_wrap=True)
    click.echo("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))


def _shown(
    console: "Console", passport: "Passport | None", prospects: "Prospects | None", refusal: str | None, use: str
) -> None:
    if passport is not None:
        console.print(_text(f"Data passport of {passport.source}, as of {passport.as_of:%Y-%m-%d %H:%M}Z", "bold"))
        _pairs(console, _facts(passport))
        _symbols(console, passport.symbols)
        _findings(console, passport)
        if refusal is not None:
            console.print()
    if refusal is not None:
        first, *rest = texts.parted(refusal)
        console.print(_text(f"REFUSED  {first}", "bold red"))
        for line in rest:
            console.print(_text(line), soft_wrap=True)  # it may be there to be copied
    if prospects is not None:
        _prospects(console, prospects)
    if passport is not None:
        console.print()
        refused = refusal is not None or bool(passport.refused)
        early = prospects is not None and (prospects.first_judged is None or prospects.first_judged > passport.as_of)
        if refused:
            line = "A weekly run refuses these data as they are. Once that is mended:"
        else:
            line = "Use it:"
            if early and prospects is not None:
                line = "With that change:" if prospects.change else "There is nothing to rehearse yet. Once there is:"
        console.print(_text(line))
        console.print(_text(use, "bold"), soft_wrap=True)


def _text(text: str, style: str = "") -> "Text":
    from rich.text import Text

    return Text(plain(text), style=style)


def _pairs(console: "Console", pairs: "Iterator[tuple[str, str]]") -> None:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(_text(name, "dim"), _text(value))
    console.print(grid)


def _facts(passport: "Passport") -> "Iterator[tuple[str, str]]":
    for found in passport.layouts[:MOST_LAYOUTS]:
        yield from _layout(found)
    if len(passport.layouts) > MOST_LAYOUTS:
        yield "", f"and {len(passport.layouts) - MOST_LAYOUTS} more layouts: --json lists them"
    if passport.symbols:
        yield from _bars(passport)
    if (ideas := passport.ideas) is not None:
        won = f", {100 * ideas.won / ideas.ideas:.0f} % of them won" if ideas.ideas else ""
        named = f" of {', '.join(each for each in ideas.strategies if each)}" if any(ideas.strategies) else ""
        yield "ideas", f"{ideas.ideas}{named}, {ideas.a_year:.0f} a year{won}"
    for note in passport.notes[:MOST_NOTES]:
        yield "note", note
    yield "digest", passport.digest[:12]


def _layout(found: "Layout") -> "Iterator[tuple[str, str]]":
    count = f"{found.first}" + (f" and {found.files - 1} more" if found.files > 1 else "")
    yield "files", count
    yield "layout", texts.layout(found)
    yield "columns", ", ".join(found.columns)
    written = texts.written(found)
    if written is not None:
        yield "written", written
    for note in found.notes[:MOST_NOTES]:
        yield "read", note


def _bars(passport: "Passport") -> "Iterator[tuple[str, str]]":
    symbols = passport.symbols
    first, last = min(each.first for each in symbols), max(each.last for each in symbols)
    count = sum(each.bars for each in symbols)
    yield "symbols", f"{len(symbols)}"
    yield "bars", f"{count} of {texts.bar_lengths(passport)}, {first:%Y-%m-%d} to {last:%Y-%m-%d %H:%M}Z"
    holes = [each for each in symbols if each.holes]
    if holes:
        longest = max(holes, key=lambda each: each.longest_hole_days)
        total = sum(each.holes for each in holes)
        yield (
            "holes",
            f"{total} in {len(holes)} symbol{'s' * (len(holes) != 1)}, the longest "
            f"{longest.longest_hole_days:g} days ({longest.symbol})",
        )
    else:
        yield "holes", "none over five bars and four days"
    lacking = [each.without_volume for each in symbols if each.without_volume is not None]
    missing = f"{sum(lacking)} bars without one" if sum(lacking) else "on every bar"
    yield "volume", missing if lacking else "the source has none"
    if out := passport.without_last:
        yield "left out", f"the last bar of {', '.join(out[:MOST_SYMBOLS])}"


def _symbols(console: "Console", symbols: "list[SymbolRecord]") -> None:
    from rich.table import Table

    if not symbols:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("symbol", "first", "last"):
        table.add_column(name, header_style="dim", overflow="fold")
    for name in ("bars", "holes"):
        table.add_column(name, header_style="dim", justify="right")
    for each in symbols[:MOST_SYMBOLS]:
        row = (each.symbol, f"{each.first:%Y-%m-%d}", f"{each.last:%Y-%m-%d}", str(each.bars), str(each.holes))
        table.add_row(*(_text(cell) for cell in row))
    console.print()
    console.print(table)
    if len(symbols) > MOST_SYMBOLS:
        console.print(_text(f"and {len(symbols) - MOST_SYMBOLS} more: --json lists them all", "dim"))


def _findings(console: "Console", passport: "Passport") -> None:
    console.print()
    console.print(_text(f"Findings: {texts.counted(passport)}", "bold"))
    notes = [each for each in passport.findings if each.severity == "note"]
    _pairs_of(console, [*passport.refused, *passport.warnings, *notes[:MOST_NOTES]])
    if (more := len(notes) - MOST_NOTES + passport.more_findings) > 0:
        console.print(_text(f"and {more} more notes: --json lists them", "dim"))


def _pairs_of(console: "Console", findings: "list[FindingRecord]") -> None:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for each in findings:
        word, style = WORDS[each.severity]
        grid.add_row(_text(word, style), _text(str(each)))
    if findings:
        console.print(grid)


def _prospects(console: "Console", prospects: "Prospects") -> None:
    from rich.table import Table

    console.print()
    console.print(_text("Can a model be judged?", "bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("floor", header_style="dim", overflow="fold")
    for name in ("needs", "has"):
        table.add_column(name, header_style="dim", justify="right")
    table.add_column("", overflow="fold")
    for floor in prospects.floors:
        name = f"{floor.what} ({floor.setting})" if floor.setting else floor.what
        met = _text("met", "green") if floor.met else _text("NOT MET", "bold yellow")
        table.add_row(_text(name), str(floor.needs), str(floor.has), met)
    console.print(table)
    if prospects.approved_a_year is not None and prospects.ideas_a_year:
        share = prospects.approved_a_year / prospects.ideas_a_year
        console.print(
            _text(
                f"Of {prospects.ideas_a_year:.0f} ideas a year a model has to approve {prospects.approved_a_year:.0f} "
                f"({100 * share:.2g} %) to be compared by its trades."
            )
        )
    console.print(_text(prospects.advice))
    if prospects.change:
        console.print(_text(f"The one setting to change: {prospects.change}", "bold"))
