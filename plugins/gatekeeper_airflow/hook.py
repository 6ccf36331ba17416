"""Registry hook: opens a desk's registry by its Airflow connection, else by its settings."""

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from gatekeeper.registry import Registry
    from gatekeeper.settings import Settings

CONNECTION = "gatekeeper_registry"
_known_to_airflow: set[str] = set()


class RegistryHook(BaseHook):
    """The registry of `desk` (None: the default desk), by Airflow connection.

    The connection is `gatekeeper_conn_id`, else `gatekeeper_registry` for the default desk and
    `gatekeeper_registry_DESK` for another one. Its fields give the database URL; its extra may hold `models`, the model
    store. Without a connection the desk's settings apply, as on the command line; a named one must exist.
    """

    conn_name_attr = "gatekeeper_conn_id"
    default_conn_name = CONNECTION
    hook_name = "Gatekeeper registry"

    def __init__(self, gatekeeper_conn_id: str | None = None, desk: str | None = None) -> None:
        super().__init__()
        self.gatekeeper_conn_id = gatekeeper_conn_id
        self.desk = desk

    def settings(self) -> "Settings":
        """The desk's settings, with database and model store of the connection. Raises ConfigError."""
        from gatekeeper import config, desks

        settings = _masked(config.load(desk=self.desk))
        declared = desks.chosen(config.desks(), settings.desk)
        own = f"{CONNECTION}_{declared.name}" if declared.is_apart else CONNECTION
        try:
            connection = self.get_connection(self.gatekeeper_conn_id or own)
        except AirflowNotFoundException:
            if self.gatekeeper_conn_id not in (None, own):
                raise
            return settings
        changes: dict[str, object] = {"db": database_url(connection)}
        if models := connection.extra_dejson.get("models"):
            changes["models"] = models
        return _masked(config.override(settings, changes))

    def get_conn(self) -> "Registry":
        """The open registry, a context manager. Raises ConfigError, SchemaOutOfDate, Unavailable."""
        from gatekeeper.registry import Registry

        return Registry.configured(self.settings())


def _masked(settings: "Settings") -> "Settings":
    """`settings`, whose secrets Airflow masks from now on in the logs and rendered fields of this task."""
    from airflow.sdk.log import mask_secret

    from gatekeeper.secret_urls import long_secrets

    for secret in set(long_secrets()) - _known_to_airflow:
        mask_secret(secret)
        _known_to_airflow.add(secret)
    return settings


def database_url(connection: "Connection") -> str:
    """The SQLAlchemy URL of a connection, built from its fields, since `get_uri()` re-encodes paths of SQLite.

    Its extra, without `models`, becomes options of the database. Raises ConfigError for another kind of database.
    """
    from sqlalchemy.engine import URL

    from gatekeeper.errors import ConfigError

    place = connection.schema or connection.host
    if connection.conn_type == "sqlite" and place:
        return URL.create("sqlite", database=place).render_as_string()
    if connection.conn_type not in ("postgres", "postgresql"):
        raise ConfigError(
            f"The connection {connection.conn_id} has the type {connection.conn_type!r} and the place {place!r}. Use "
            "the type sqlite, with the file as its schema, or postgres."
        )
    options = {name: str(value) for name, value in connection.extra_dejson.items() if name != "models"}
    return URL.create(
        "postgresql+psycopg",
        username=connection.login or None,
        password=connection.password or None,
        host=connection.host or None,
        port=connection.port or None,
        database=connection.schema or None,
        query=options,
    ).render_as_string(hide_password=False)
