"""Entry point of the command line: finds the command, and turns errors into one line on stderr and an exit code."""

import errno
import importlib
import io
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any, TextIO

import click

from gatekeeper.cli import extras
from gatekeeper.cli.hints import with_desk
from gatekeeper.errors import GatekeeperError, with_reason
from gatekeeper.secret_urls import hide_all
from gatekeeper.texts import plain

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # what a write to a full disk ends with

# Each command's module is imported when it is called: `gatekeeper active` needs no model runtime.
COMMANDS = {
    "list": "registry",
    "register": "registry",
    "promote": "registry",
    "active": "registry",
    "migrate-naming": "registry",
    "rollback": "registry",
    "hold": "registry",
    "release": "registry",
    "history": "registry",
    "approvals": "registry",
    "doctor": "upkeep",
    "gc": "upkeep",
    "copy": "upkeep",
    "explain": "weekly",
    "receipt": "receipt",
    "verify": "receipt",
    "report": "evidence",
    "card": "evidence",
    "score": "scoring",
    "serve": "serve",
    "console": "console",
    "run": "weekly",
    "rehearse": "rehearse",
    "plan": "plan",
    "data": "data",
    "monitor": "monitor",
    "alarms": "monitor",
    "explain-reason": "setup",
    "config": "setup",
    "desks": "setup",
    "db": "setup",
}


def _choose(ctx: click.Context, _option: click.Parameter, name: str | None) -> None:
    if name is not None:
        if not name:  # as of `--desk "$DESK"` where DESK isn't set
            raise click.BadParameter("It is empty. Name a desk, or leave --desk out to use the default one.")
        from gatekeeper import config

        config.choose(name)
        ctx.obj["desk"] = name


desk_option = click.Option(
    ["--desk"],
    metavar="NAME",
    callback=_choose,
    expose_value=False,
    is_eager=True,
    help="Desk to use, as named in desks.toml; default GATEKEEPER_DESK, else the default desk.",
)


def _with_desk_option(command: click.Command) -> click.Command:
    """The command with --desk after its own options, so that it may stand anywhere in the line."""
    if desk_option not in command.params:
        command.params.append(desk_option)
    for within in getattr(command, "commands", {}).values():
        _with_desk_option(within)
    return command


class Commands(click.Group):
    """The commands in the order of COMMANDS, each loaded when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """The names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """The command of this name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"gatekeeper.cli.{COMMANDS[cmd_name]}_commands")
        command: click.Command = module.COMMANDS[cmd_name]
        return _with_desk_option(command)


@click.command(cls=Commands, params=[desk_option], context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gatekeeper")
def gatekeeper() -> None:
    """Manage and serve the ONNX model that may veto trade ideas.

    Settings come from the environment, such as GATEKEEPER_DB (default sqlite:///registry.db) and GATEKEEPER_MODELS
    (default models). `gatekeeper config` shows them all. Every command that prints takes --json.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 refused or failed, 2 invalid usage, 70 unexpected error, 130 interrupted."""
    # Otherwise pydantic searches all installed packages for plugins, a tenth of a command's time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _take_any_terminal()
    chosen: dict[str, str] = {}
    interrupted = _noting_interrupts()
    try:
        result: Any = gatekeeper.main(args=arguments, obj=chosen, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt):
        _end("Interrupted.", 130)
    except click.ClickException as fault:
        _show(fault)
        sys.exit(fault.exit_code)
    except GatekeeperError as fault:
        _end(with_desk(with_reason(fault), chosen.get("desk")), 1)
    except SystemExit as ended:  # by click alone, if the reader of a pipe has gone, as `| head` does
        sys.exit(0 if type(sys.stdout).__name__.endswith("PacifyFlushWrapper") else ended.code)  # click leaves it there
    except Exception as fault:  # noqa: BLE001  # no traceback may reach an operator
        if interrupted:  # an extension that is being loaded turns Ctrl-C into an error of its own
            _end("Interrupted.", 130)
        _end(*_said(fault, arguments if arguments is not None else sys.argv[1:]))
    sys.exit(result if isinstance(result, int) else 0)


def _noting_interrupts() -> list[int]:
    """A list to which each Ctrl-C is added, before it is raised."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, note)
    return noted


def _said(fault: Exception, arguments: list[str]) -> tuple[str, int]:
    """The message and the exit code for an error of another library."""
    if isinstance(fault, ModuleNotFoundError):
        named = next((word for word in arguments if word in COMMANDS), "This command")
        lacks = extras.missing(fault, f"`gatekeeper {named}`" if named in COMMANDS else named)
        if lacks is not None:
            return str(lacks), 1
    if isinstance(fault, OSError) and fault.filename is None and fault.errno in _FULL:
        _silence(sys.stdout)
        return f"The output can't be written ({fault.strerror}). Free some space, or send it elsewhere.", 1
    return f"Unexpected {type(fault).__name__}: {hide_all(fault)}. Please report it.", 70


def _silence(stream: TextIO) -> None:
    """Let nothing more be written to `stream`: Python would try once more, and complain, when it ends."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _take_any_terminal() -> None:
    """Let a terminal that isn't UTF-8 show escapes for what it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _show(fault: click.ClickException) -> None:
    """What click says of a wrong command line, each of its lines as text."""
    written = io.StringIO()
    fault.show(written)
    for line in written.getvalue().rstrip("\n").split("\n"):
        click.echo(plain(hide_all(line)), file=sys.stderr)


def _end(message: str, code: int) -> None:
    try:
        click.echo(plain(f"gatekeeper: {message}"), file=sys.stderr)
    except OSError:  # nobody reads stderr either
        _silence(sys.stderr)
    sys.exit(code)
