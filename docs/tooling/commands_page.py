"""Reference of the command line, from click's commands."""

from collections.abc import Iterator

import click
from markdown import block, code, page, paragraph, sentence, table

from gatekeeper.cli.main import gatekeeper

ABOUT = """Every command takes `--desk NAME`, which chooses a desk of `desks.toml`; without it `GATEKEEPER_DESK` counts,
else the default desk. `gatekeeper COMMAND --help` shows the same as this page."""

EXIT_CODES = {
    0: "done",
    1: "refused or failed, with one line on standard error that says why; or a check found a fault",
    2: "the call itself is wrong: an unknown option, a missing argument",
    70: "a fault of Gatekeeper's own; please report it",
    130: "stopped by Ctrl-C",
}


def commands(group: click.Group, before: str = "gatekeeper") -> Iterator[tuple[str, click.Command]]:
    """Each command with its whole name, those within groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{before} {name}")
        elif command is not None:
            yield f"{before} {name}", command


def made() -> str:
    """The page."""
    exits = table(["exit code", "meaning"], [[number, sentence(text)] for number, text in EXIT_CODES.items()])
    sections = [section(name, command) for name, command in commands(gatekeeper)]
    return page("Command line", ABOUT, "## Exit codes", exits, *sections)


def section(name: str, command: click.Command) -> str:
    """One command: what it does, how it is called, its options."""
    context = click.Context(command, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ").replace("\n", " ")
    parts = [f"## {name}", paragraph(command.help or ""), block(" ".join(usage.split()), "text")]
    rows = [option(each) for each in command.params if isinstance(each, click.Option) and each.name != "desk"]
    if rows:
        parts.append(table(["option", "value", "default", "meaning"], rows))
    return "\n\n".join(parts)


def option(each: click.Option) -> list[str]:
    """One option."""
    names = ", ".join(code(name) for name in sorted([*each.opts, *each.secondary_opts], key=len))
    shown = each.default if isinstance(each.default, str | int | float) and not isinstance(each.default, bool) else ""
    value = "" if each.is_flag else code(each.make_metavar(click.Context(gatekeeper)))
    again = " Can be given more than once." if each.multiple else ""
    required = "required" if each.required else code(shown)
    return [names, value, required, sentence(each.help or "") + again]
