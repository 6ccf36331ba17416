"""Hints: the commands that a message names, with the desk that `--desk` chose."""

import re

import click

_COMMAND = re.compile(r"`(gatekeeper [a-z][^`\n]*)`")
_NEXT = re.compile(r"^(next: gatekeeper [^,\n]*)", re.MULTILINE)


def chosen() -> dict[str, str]:
    """What the running command line chose; an empty one outside of a command line."""
    context = click.get_current_context(silent=True)
    return {} if context is None or context.obj is None else context.obj


def with_desk(text: str, desk: str | None = None) -> str:
    """`text` with `--desk NAME` in each command that it names, so that it can be pasted as it is."""
    name = desk or chosen().get("desk")
    if name is None:
        return text
    named = _COMMAND.sub(lambda found: f"`{_of(found[1], name)}`", text)
    return _NEXT.sub(lambda found: _of(found[1], name), named)


def _of(command: str, desk: str) -> str:
    return command if "--desk" in command else f"{command} --desk {desk}"
