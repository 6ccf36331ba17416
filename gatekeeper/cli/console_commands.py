"""Command `console`: the web console without Airflow."""

import click

from gatekeeper.cli.show import echo
from gatekeeper.errors import ConfigError

PORT = 8056
EXTRA = {"fastapi", "jinja2", "markupsafe", "starlette", "uvicorn"}


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Port to bind; 0 picks a free one."
)
def console(port: int) -> None:
    """Start the web console.

    It shows models, verdicts and history, on this machine only. It is read-only; Airflow's menu has the same pages, and
    there you can act too. Stop it with SIGTERM or Ctrl-C.

    Example: gatekeeper console --port 8056
    """
    try:
        from gatekeeper.console.standalone import serve
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in EXTRA:
            raise
        raise ConfigError(
            f"The console needs the package {missing.name}, which is not installed. "
            "Run `pip install 'gatekeeper[console]'`."
        ) from None
    serve(port, lambda text: echo(f"gatekeeper: {text}", err=True))


COMMANDS: dict[str, click.Command] = {"console": console}
