"""Airflow's local settings on this machine: writers on SQLite queue; then those of the operator, if there are any.

Airflow opens a SAVEPOINT and reads in it before it writes. SQLite then refuses at once to turn the reader into a writer
if another process has written meanwhile, whatever the timeout: `database is locked`. A transaction that begins as a
writer waits its turn instead.
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event


@event.listens_for(Engine, "savepoint")
def _queue(connection: Connection, _name: str | None) -> None:
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite" and not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


_theirs = Path(os.environ.get("AIRFLOW_HOME", "")) / "config" / "airflow_local_settings.py"
if _theirs.is_file():  # this module takes the place of theirs on the path
    exec(compile(_theirs.read_text(), str(_theirs), "exec"))  # noqa: S102  # as Airflow itself would import it
