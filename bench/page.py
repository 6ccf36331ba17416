"""Benchmark page: tables in Markdown by section, missed bounds first, and what only one side does."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from kept import Kept
from pictures import drawn
from results import Result

SECTIONS = (
    "Replay",
    "Indicators",
    "Judging",
    "Training",
    "Registry",
    "Promotions at once",
    "Command line",
    "Cold start",
    "One score",
    "Server",
    "DAG file",
    "Weekly run",
    "Rehearsal",
    "Growth",
)
"""In the order of the page; others follow."""
SECONDS = ("s", "CPU s")
HEADER = ("work", "size", "beside", "ours", "its", "ratio", "quartiles", "target", "met")
ABOUT = """# Benchmarks

`make bench` measures Gatekeeper beside what one would use instead, on the same work in the same run, and writes this
page of each part's newest figures. Both sides warm up and take turns; figures are medians of the rounds, and the
quartiles are those of the ratio. "Times as fast" is its time over ours; "of its time" and "of its rate" are ours over
its. A peer that wasn't measured is named, not guessed. `bench/run.py --only PART` measures one part again.

Machines with neighbours are noisy: a ratio holds better than a time, processor seconds better than those of the clock.
Where the noise is large, the ratio of the medians may lie outside the quartiles of the rounds' ratios.
The load is the system's average over the last minute, before and after the part; it counts the benchmark itself."""


def written(kept: Mapping[str, Kept], parts: Mapping[str, str], folder: Path) -> Path:
    """The page below this folder of documents, and its pictures."""
    results = [result for each in kept.values() for result in each.results]
    names = sorted({result.section for result in results}, key=_place)
    pictures = drawn(results, names, folder / "pictures")
    blocks = [ABOUT, _circumstances(kept), _summary(results)]
    for name in names:
        blocks += _section(name, [each for each in results if each.section == name], pictures.get(name))
    blocks.append(_unmeasured(results, {part: what for part, what in parts.items() if part not in kept}))
    page = folder / "why" / "benchmarks.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text("\n\n".join(block for block in blocks if block) + "\n")
    return page


def cells(result: Result) -> tuple[str, ...]:
    """A row as it is shown."""
    ratio = "" if math.isnan(result.ratio) else f"{number(result.ratio)} {result.better}"
    met = {True: "yes", False: "no", None: ""}[result.met]
    # The quartiles of a number with nothing beside it are in its unit.
    between = [number(each) if result.better else value(each, result.unit) for each in (result.low, result.high)]
    quartiles = "" if math.isnan(result.low) or result.low == result.high else " to ".join(between)
    figures = (value(result.ours, result.unit), value(result.theirs, result.unit))
    return (result.work, result.size, result.peer, *figures, ratio, quartiles, result.target, met)


def value(figure: float, unit: str) -> str:
    """With its unit; seconds in the fitting one."""
    if math.isnan(figure):
        return ""
    if unit in SECONDS:
        scale, short = (1e6, "µs") if figure < 1e-3 else (1e3, "ms") if figure < 1 else (1, "s")
        figure, unit = figure * scale, unit[:-1] + short
    return f"{number(figure)} {unit}"


def number(figure: float) -> str:
    """Three digits that count; whole above."""
    if not math.isfinite(figure):
        return "-"
    if float(figure).is_integer() or abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.{max(0, 2 - math.floor(math.log10(abs(figure))))}f}"


def _place(section: str) -> tuple[int, str]:
    return (SECTIONS.index(section) if section in SECTIONS else len(SECTIONS), section)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _circumstances(kept: Mapping[str, Kept]) -> str:
    rows = [
        (
            part,
            each.measured.replace("T", " ").replace("+00:00", " UTC"),
            f"{each.took:,.0f} s",
            f"{each.load[0]:.1f} to {each.load[1]:.1f}",
            each.about,
        )
        for part, each in kept.items()
    ]
    machines = sorted({each.machine for each in kept.values()})
    versions = sorted({f"{name} {version}" for each in kept.values() for name, version in each.versions.items()})
    return "\n\n".join(
        [
            "## When and where",
            "; ".join(machines) + ".",
            ", ".join(versions) + ".",
            _table(("part", "measured", "took", "load", ""), rows),
        ]
    )


def _summary(results: Sequence[Result]) -> str:
    """How many targets were met, and by how much the others were missed."""
    aimed = [each for each in results if each.met is not None]
    missed = [each for each in aimed if not each.met]
    summary = f"## Targets\n\n{len(aimed) - len(missed)} of {len(aimed)} were met."
    if not missed:
        return summary
    header = ("section", "work", "size", "beside", "measured", "target")
    rows = [(each.section, each.work, each.size, each.peer, _measured(each), each.target) for each in missed]
    return f"{summary} Missed:\n\n{_table(header, rows)}"


def _measured(result: Result) -> str:
    """What the target is held against."""
    return f"{number(result.ratio)} {result.better}" if result.better else value(result.ours, result.unit)


def _section(name: str, results: Sequence[Result], picture: str | None) -> list[str]:
    order = list(dict.fromkeys(each.work for each in results))
    ordered = sorted(results, key=lambda each: order.index(each.work))  # a work's sizes one below the other
    rows = [cells(each) for each in ordered if not math.isnan(each.ours)]
    lines = _notes([each for each in ordered if not math.isnan(each.ours)])
    return [
        f"## {name}",
        _table(HEADER, rows) if rows else "",
        "\n".join(lines),
        f"![{name}: against size](../pictures/{picture})" if picture else "",
    ]


def _notes(results: Sequence[Result]) -> list[str]:
    """Each note once, and which rows it is about, where it isn't about all of them."""
    lines = []
    for note in dict.fromkeys(each.note for each in results if each.note):
        about = [each for each in results if each.note == note]
        works, peers = (list(dict.fromkeys(names)) for names in zip(*((a.work, a.peer) for a in about), strict=True))
        all_works = len(works) == len({each.work for each in results})
        rows = "" if all_works else "; ".join(works)
        beside = f" beside {'; '.join(peers)}" if any(peers) and len(about) < len(results) else ""
        lines.append(f"- {(rows + beside).strip()}: {note}." if rows or beside else f"- {note}.")
    return lines


def _unmeasured(results: Sequence[Result], parts: Mapping[str, str]) -> str:
    """Peers and parts without figures."""
    lines = [f"- {what}: the part `{part}` wasn't run." for part, what in parts.items()]
    for each in filter(lambda each: math.isnan(each.ours), results):
        what = ", ".join(filter(None, (each.section, each.work, each.size, each.peer)))
        lines += [f"- {what}: {each.note}."]
    return "## Not measured\n\n" + "\n".join(dict.fromkeys(lines)) if lines else ""
