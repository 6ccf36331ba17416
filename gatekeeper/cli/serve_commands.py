"""Command `serve`: the HTTP scoring server."""

import gc
from importlib.util import find_spec

import click

from gatekeeper import config
from gatekeeper.cli.show import echo
from gatekeeper.errors import ConfigError

EXTRA = {"httptools", "msgspec", "prometheus_client", "starlette", "uvicorn", "uvloop"}


@click.command()
@click.option("--host", help="Address to bind; default GATEKEEPER_HOST, else 127.0.0.1.")
@click.option("--port", type=int, help="Port to bind; 0 picks a free one; default GATEKEEPER_PORT, else 8055.")
@click.option("--workers", type=int, help="Worker processes; default GATEKEEPER_WORKERS, else 1.")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Start the HTTP scoring server.

    It scores ideas with the primary, logs them, and follows promotions. It binds 127.0.0.1 by default; any other
    address needs GATEKEEPER_TOKEN. /openapi.json describes the interface. On SIGTERM or Ctrl-C it answers running
    requests, flushes the log and stops.

    Example: gatekeeper serve --port 8055
    """
    given = {"host": host, "port": port, "workers": workers}
    settings = config.override(config.load(), {name: value for name, value in given.items() if value is not None})
    gc.disable()  # imports make no garbage, and collections would slow them
    try:
        if find_spec("prometheus_client") is None:  # imported at the first scrape
            raise ModuleNotFoundError(name="prometheus_client")
        from gatekeeper.serving.http.listening import serve as listen
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in EXTRA:
            raise
        raise ConfigError(
            f"The server needs the package {missing.name}, which is not installed. "
            "Run `pip install 'gatekeeper[server]'`."
        ) from None
    finally:
        gc.enable()
    listen(settings, lambda text: echo(f"gatekeeper: {text}", err=True))


COMMANDS: dict[str, click.Command] = {"serve": serve}
