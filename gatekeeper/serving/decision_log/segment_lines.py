"""Segment lines: reads decisions and outcomes from the files of a spool folder, whoever writes them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gatekeeper.errors import DataError
from gatekeeper.registry.decision_log.line_format import IDEA, Decision, decision_of, parse
from gatekeeper.serving.decision_log.spool import ENDING

AT_ONCE = 500


def read(files: Iterable[Path]) -> Iterator[list[list[Any]]]:
    """The values of the lines, as `line_format.parse` gives them, by pages. What can't be read is left out.

    A file that is delivered or removed meanwhile ends early: its lines are in the database then.
    """
    for path in files:
        try:
            with path.open("rb") as file:
                lines: list[bytes] = []
                for line in file:
                    if line.endswith(b"\n"):
                        lines.append(line[:-1])
                    if len(lines) == AT_ONCE:
                        yield _values(lines)
                        lines = []
                yield _values(lines)
        except FileNotFoundError:
            continue


def _values(lines: Sequence[bytes]) -> list[list[Any]]:
    try:
        return parse(lines)
    except DataError:
        return [values for line in lines for values in _readable(line)]


def _readable(line: bytes) -> list[list[Any]]:
    try:
        return parse([line])
    except DataError:
        return []


def waiting(folder: Path) -> Iterator[list[Decision]]:
    """The decisions on the spool, by pages."""
    for page in read(sorted(folder.glob(f"*{ENDING}"))):
        yield [one for values in page if values[0] == IDEA for one in _decisions(values)]


def _decisions(values: Sequence[Any]) -> list[Decision]:
    try:
        return [decision_of(values)]
    except DataError:
        return []
