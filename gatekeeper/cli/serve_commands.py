"""How does the active model answer over HTTP?"""

import gc
from importlib.util import find_spec

import click

from gatekeeper import config
from gatekeeper.errors import ConfigError

EXTRA = {"httptools", "msgspec", "prometheus_client", "starlette", "uvicorn", "uvloop"}


@click.command()
@click.option("--host", help="The address to bind; default GATEKEEPER_HOST, else 127.0.0.1.")
@click.option("--port", type=int, help="The port, 0 for a free one; default GATEKEEPER_PORT, else 8055.")
@click.option("--workers", type=int, help="Processes that answer; default GATEKEEPER_WORKERS, else 1.")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Answers over HTTP: scores ideas with the active model, logs them, and follows promotions.

    Binds this machine alone, unless told otherwise; then GATEKEEPER_TOKEN has to be set. /openapi.json describes the
    rest. Ends on SIGTERM or Ctrl-C, once what is under way is answered and the log is flushed.

    Example: gatekeeper serve --port 8055
    """
    given = {"host": host, "port": port, "workers": workers}
    settings = config.override(config.load(), {name: value for name, value in given.items() if value is not None})
    gc.disable()  # what is imported stays, and would be looked through again and again
    try:
        if find_spec("prometheus_client") is None:  # imported at the first scrape
            raise ModuleNotFoundError(name="prometheus_client")
        from gatekeeper.serving.http.listening import serve as listen
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in EXTRA:
            raise
        raise ConfigError(
            f"the server needs {missing.name}, which is not installed: pip install 'gatekeeper[server]'"
        ) from None
    finally:
        gc.enable()
    listen(settings, lambda text: click.echo(f"gatekeeper: {text}", err=True))


COMMANDS: dict[str, click.Command] = {"serve": serve}
