"""Extras: which `pip install` brings a package that a command lacks."""

from gatekeeper.errors import ConfigError

# The modules of each extra in pyproject.toml. A module of several extras belongs to the first.
EXTRAS = {
    "train": {
        "arch",
        "croniter",
        "exchange_calendars",
        "fsspec",
        "jinja2",
        "matplotlib",
        "pandas",
        "pyarrow",
        "scipy",
        "skl2onnx",
        "sklearn",
        "skops",
        "talib",
        "threadpoolctl",
    },
    "alarms": {"apprise"},
    "airflow": {"airflow"},
    "celery": {"celery"},
    "excel": {"openpyxl"},
    "server": {"httptools", "lmdb", "prometheus_client", "starlette", "uvicorn", "uvloop"},
    "console": {"fastapi", "markupsafe"},
    "up": {"httpx", "psutil", "supervisor"},
    "postgres": {"asyncpg", "psycopg"},
    "s3": {"s3fs"},
    "sign": {"cryptography"},
}


def missing(fault: ModuleNotFoundError, command: str) -> ConfigError | None:
    """The error that names the extra of the missing module; None if no extra brings it."""
    module = (fault.name or "").partition(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if module in modules), None)
    if extra is None:
        return None
    return ConfigError(
        f"{command} needs the package {module}, which is not installed. Run `pip install 'gatekeeper[{extra}]'`."
    )
