"""Which command is meant, and how does it end? A fault is a line on stderr and an exit code, never a traceback."""

import importlib
import os
import sys
from typing import Any

import click

from gatekeeper.errors import GatekeeperError

# Each command's module is imported when it is called for: `gatekeeper active` needs no model runtime.
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
    "monitor": "monitor",
    "alarms": "monitor",
    "config": "setup",
    "desks": "setup",
    "db": "setup",
}


def _choose(_ctx: click.Context, _option: click.Parameter, name: str | None) -> None:
    if name is not None:
        from gatekeeper import config

        config.choose(name)


desk_option = click.Option(
    ["--desk"],
    metavar="NAME",
    callback=_choose,
    expose_value=False,
    is_eager=True,
    help="One of desks.toml; default GATEKEEPER_DESK, else the default desk.",
)


def _about_a_desk(command: click.Command) -> click.Command:
    """The command with --desk behind its own options, wherever in the line an operator types it."""
    if desk_option not in command.params:
        command.params.append(desk_option)
    for within in getattr(command, "commands", {}).values():
        _about_a_desk(within)
    return command


class Commands(click.Group):
    """The commands, loaded when called for, in the order of the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"gatekeeper.cli.{COMMANDS[cmd_name]}_commands")
        command: click.Command = module.COMMANDS[cmd_name]
        return _about_a_desk(command)


@click.command(cls=Commands, params=[desk_option], context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gatekeeper")
def gatekeeper() -> None:
    """Keeps the ONNX model that may veto trades good and safe.

    All commands read GATEKEEPER_DB (default sqlite:///registry.db) and GATEKEEPER_MODELS (default models);
    `gatekeeper config` shows every setting. All that print take --json.
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 refused or failed, 2 the call's words are off."""
    # Otherwise pydantic asks each package that is installed whether it is a plugin, a tenth of a command's time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        result: Any = gatekeeper.main(args=arguments, standalone_mode=False)
    except click.exceptions.Abort:
        _end("stopped", 130)
    except click.ClickException as fault:
        fault.show()
        sys.exit(fault.exit_code)
    except GatekeeperError as fault:
        _end(str(fault), 1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away, as `| head` does
        sys.exit(0)
    except Exception as fault:  # noqa: BLE001  # the last line of defence: no traceback reaches an operator
        _end(f"unexpected {type(fault).__name__}: {fault}; please report it", 70)
    sys.exit(result if isinstance(result, int) else 0)


def _end(message: str, code: int) -> None:
    click.echo(f"gatekeeper: {message}", err=True)
    sys.exit(code)
