"""Output of commands: tables for people, JSON for programs."""

import getpass
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from gatekeeper.cli.hints import with_desk
from gatekeeper.secret_urls import shown
from gatekeeper.texts import plain

if TYPE_CHECKING:
    from gatekeeper.registry import Registry

PIPE_WIDTH = 240
LONGEST_NAME = 40  # characters of an id or a name, which stays whole
NARROWEST = 12  # characters that any other column keeps
BETWEEN = 3  # spaces between two columns

json_option = click.option("--json", "as_json_", is_flag=True, help="Output JSON.")


def actor_options(reason: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options `--actor` and `--reason`, with defaults."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option("--reason", default=reason, show_default=True, help="Reason, kept in the history.")(
            command
        )
        return click.option(
            "--actor", default=user, show_default="you", help="Name of the person, kept in the history."
        )(command)

    return add


class LocalPath(click.Path):
    """A path on this machine. A URL would name a folder such as `https:`, and be shown with its password."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Fails for a URL."""
        if "://" in str(value):
            self.fail(f"'{shown(str(value))}' is a URL, and has to be a path on this machine.", param, ctx)
        return super().convert(value, param, ctx)


def user() -> str:
    """The name of the user, as the system knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"


def opened() -> "Registry":
    """The registry that the settings name."""
    from gatekeeper import config
    from gatekeeper.registry import Registry

    return Registry.configured(config.load())


def echo(*lines: str, err: bool = False) -> None:
    """Print lines; control, invisible and direction characters in them, newlines too, are shown as escapes."""
    file = sys.stderr if err else sys.stdout  # else click takes UTF-8 where the terminal has ASCII
    for line in lines or ("",):
        click.echo(plain(line), file=file)


def as_json(value: Any) -> None:
    """Print `value` as JSON, with times in ISO 8601. Raises ValueError for NaN."""
    click.echo(json.dumps(value, indent=2, default=_plain, allow_nan=False))  # in ASCII: all else is escaped


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "to_json"):
        return value.to_json()
    return str(value)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print `rows` as a table, as wide as the terminal, or as needed if the output is piped.

    Nothing is cut off: a cell of several words or of a long word goes on below, an id or a name stays whole, if need be
    beyond the terminal's edge.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    if not rows:
        echo(with_desk(empty))
        return
    cells = [[text(cell) for cell in row] for row in rows]
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    needed = 0
    for place, name in enumerate(columns):
        longest = max(len(row[place]) for row in cells)
        whole = longest <= LONGEST_NAME and not any(" " in row[place] for row in cells)
        least = max(longest, len(name)) if whole else min(longest, NARROWEST)
        needed += least + BETWEEN
        shown.add_column(name, no_wrap=whole, min_width=least, overflow="fold")
    for row in cells:
        shown.add_row(*row)
    console = Console(highlight=False, markup=False, emoji=False, color_system=None)  # `echo` would escape a style
    console.width = (
        max(console.width, needed) if sys.stdout is not None and sys.stdout.isatty() else max(PIPE_WIDTH, needed)
    )
    with console.capture() as captured:
        console.print(shown)
    echo(*(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))


def text(cell: object) -> str:
    """One cell as text."""
    if cell is None:
        return "-"
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M}"
    return f"{cell:.3f}" if isinstance(cell, float) else plain(str(cell))


def pairs(values: Mapping[str, object]) -> None:
    """Print `values` as aligned lines."""
    width = max(len(name) for name in values)
    for name, value in values.items():
        echo(f"{name:<{width}}  {text(value)}")
