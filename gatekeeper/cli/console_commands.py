"""How is the registry looked at in a browser, without Airflow?"""

import click

from gatekeeper.errors import ConfigError

PORT = 8056
EXTRA = {"fastapi", "jinja2", "markupsafe", "starlette", "uvicorn"}


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="The port; 0 takes a free one."
)
def console(port: int) -> None:
    """Shows models, verdicts and history in a browser, to this machine alone.

    Nothing can be changed from it; in Airflow, whose menu has the same pages, it can. Ends on SIGTERM or Ctrl-C.

    Example: gatekeeper console --port 8056
    """
    try:
        from gatekeeper.console.standalone import serve
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in EXTRA:
            raise
        raise ConfigError(
            f"the console needs {missing.name}, which is not installed: pip install 'gatekeeper[console]'"
        ) from None
    serve(port, lambda text: click.echo(f"gatekeeper: {text}", err=True))


COMMANDS: dict[str, click.Command] = {"console": console}
