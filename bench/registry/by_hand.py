"""Registry work by hand: the driver alone, the same rows written and files synced, and nothing checked.

No registry on these databases and disks goes below it.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from results import Work

from gatekeeper.registry.context import SIZE_CAP, no_step
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.db.tables import claims, models
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.store.base import sha256_of
from gatekeeper.registry.store.local import LocalStore


def works(url: str, folder: Path, contents: Iterator[bytes], page: int) -> dict[str, Work]:
    """In a registry of its own, whose models 1 and 2 take turns."""
    database = Database.connect(url)
    driver: Any = database.engine.raw_connection().driver_connection
    begin = "BEGIN IMMEDIATE" if database.engine.dialect.name == "sqlite" else "BEGIN"
    store = LocalStore(folder / "models", cap=SIZE_CAP, step=no_step)

    def written(*statements: str) -> None:
        for statement in (begin, *statements, "COMMIT"):
            driver.execute(statement)

    def asked(wanted: Any) -> Work:
        words = str(wanted.compile(database.engine, compile_kwargs={"literal_binds": True})).replace("%%", "%")
        return lambda: driver.execute(words).fetchall()

    return {
        "register": _registering(written, store, contents),
        "promote": _promoting(written),
        "primary": asked(catalogue.MODELS.where(claims)),
        "page of models": asked(catalogue.MODELS.order_by(models.c.id.desc()).limit(page)),
    }


def _registering(written: Callable[..., None], store: LocalStore, contents: Iterator[bytes]) -> Work:
    ids = itertools.count(1_000_000)

    def register() -> None:
        content, number = next(contents), next(ids)
        store.put_blob(content)
        store.place(f"gatekeeper_{number}.onnx", content)
        written(
            'INSERT INTO "RLModel" (id, version, path) '
            f"VALUES ({number}, 'gatekeeper_{number}', 'models/gatekeeper_{number}.onnx')",
            "INSERT INTO gatekeeper_artifact (model_id, sha256, size, threshold, canary, recognised) "
            f"VALUES ({number}, '{sha256_of(content)}', {len(content)}, 0.55, '', '')",
        )

    return register


def _promoting(written: Callable[..., None]) -> Work:
    generations = itertools.count(1_000_000)

    def promote() -> None:
        generation = next(generations)
        new, old = (1, 2) if generation % 2 else (2, 1)
        at = f"2026-01-01 00:00:00.{generation % 1_000_000:06d}"
        written(
            f"UPDATE \"RLModel\" SET version = 'gatekeeper_{old}' WHERE id = {old}",
            f"UPDATE \"RLModel\" SET version = 'gatekeeper_primary{new}' WHERE id = {new}",
            f"UPDATE gatekeeper_lock SET generation = {generation}",
            "INSERT INTO gatekeeper_promotion (generation, from_id, to_id, kind, actor, reason, as_of, at) "
            f"VALUES ({generation}, {old}, {new}, 'manual', 'bench', 'bench', '{at}', '{at}')",
        )

    return promote
