"""Registry costs with 10,000 models and with 100, next to MLflow's.

Both are called from Python on the same kind of database, with no server between. MLflow's `create version` and
`set alias` write rows alone; what ours does besides stands in the notes, and by_hand.py says what bounds it.
"""

import itertools
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import by_hand
import mlflow_side
from databases import POSTGRESQL, SQLITE, DatabaseOf, postgresql, settled, sqlite
from results import FASTER, ITS_TIME, Result, Work, missing, pair
from sqlalchemy import create_engine, insert, select, text

from gatekeeper import registry
from gatekeeper.registry import Details, Registry
from gatekeeper.registry.db.tables import artifacts

OWN = Details(trained_to=datetime(2018, 1, 5, tzinfo=UTC))
"""Of our own export, as the weekly run registers it: it needs no child process to be run in for the first time."""
HOUSE = Path(__file__).parents[2]
SECTION = "Registry"
PAGE = mlflow_side.PAGE
SIZES = (100, 1_000, 10_000)
BESIDE = {"register": "create version", "promote": "set alias", "primary": "get by alias", "page of models": "search"}
NOTES = {
    "register": "ours reads, verifies and runs the model, copies and syncs two files and their folders; MLflow's call "
    "writes a row that names a folder. What bounds ours is the verification, and five syncs, which by hand shows alone",
    "promote": "ours looks twice, without the lock and under it, that the model may go in, reads its files through and "
    "writes an audit row in a chain; MLflow's call sets the alias. The file that serves was written and synced by the "
    "warm-up, and stays for an hour. What bounds ours is some 25 statements, most of them checks, and what SQLAlchemy "
    "does for each; by hand shows what is left without them",
}
BY_HAND = {
    "register": "the same two files written and synced, two rows inserted",
    "promote": "the four statements that change something, and the commit",
    "primary": "the same statement; the rest of ours is SQLAlchemy's",
    "page of models": "the same statement; the rest of ours is SQLAlchemy's, and each row made a value",
}
WITH_FILES = {
    "register": "both keep the file; ours verifies it, MLflow writes what is said of it beside",
    "register a foreign file": "the same; ours first runs it in a child process with limits, which is most of its time",
}
FLAT = 1.25
"""As flat as noise lets a small number be seen."""


def main(*, quick: bool) -> list[Result]:
    """On each database: each size in a registry of its own; then the largest beside the smallest."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        results = measured(folder, SQLITE, sqlite, quick=quick)
        if not quick:
            database = stack.enter_context(postgresql())
            results += measured(folder, POSTGRESQL, database, quick=quick)
        return results


def measured(folder: Path, kind: str, database: DatabaseOf, *, quick: bool) -> list[Result]:
    """One database's rows."""
    rounds, peers = (1, False) if quick else (15, mlflow_side.installed())
    ours: dict[int, Mapping[str, Work]] = {}
    results = []
    with ExitStack() as stack:
        for size in SIZES[:1] if quick else SIZES:
            place = folder / f"{kind}_{size}"
            place.mkdir()
            opened = stack.enter_context(filled(place, database(place, "ours"), size))
            ours[size] = works(opened)
            theirs = mlflow_side.works(database(place, "mlflow"), place, size, next(contents())) if peers else {}
            results += beside(kind, size, ours[size], theirs, rounds)
            if size == SIZES[0]:
                alone = hand(place, database(place, "hand"), size)
                results += floors(kind, f"{size:,} models", ours[size], alone, rounds)
        return results + flat(kind, ours, rounds)


def beside(kind: str, size: int, ours: Mapping[str, Work], theirs: Mapping[str, Work], rounds: int) -> list[Result]:
    """Our works and MLflow's; ours alone, to prove that it runs, where MLflow isn't asked."""
    results = []
    for work, name in BESIDE.items():
        shown, peer, count = f"{work}, {kind}", f"MLflow, {name}", f"{size:,} models"
        if not theirs:
            ours[work]()
            results.append(missing(SECTION, shown, peer, mlflow_side.ABSENT, count))
            continue
        target = 10 if size == SIZES[0] else None
        note = NOTES.get(work, "")
        pair_of = ours[work], theirs[work]
        results.append(
            pair(SECTION, shown, count, peer, *pair_of, rounds=rounds, as_=FASTER, at_least=target, note=note)
        )
    if theirs and size == SIZES[0]:
        results += with_files(kind, f"{size:,} models", ours, theirs)
    return results


def with_files(kind: str, count: str, ours: Mapping[str, Work], theirs: Mapping[str, Work]) -> list[Result]:
    """Beside what keeps a model's file as well: of our own export, and of a file that nobody vouches for."""
    results = []
    for work in WITH_FILES:
        shown, pair_of = f"{work}, {kind}", (ours[work], theirs["register with its file"])
        note = WITH_FILES[work]
        results.append(pair(SECTION, shown, count, "MLflow, log_model", *pair_of, rounds=5, as_=FASTER, note=note))
    return results


def hand(place: Path, url: str, size: int) -> dict[str, Work]:
    """What is measured, by the driver alone, in a registry of its own."""
    folder = place / "hand"
    folder.mkdir()
    with filled(folder, url, size) as opened:
        opened.promote(1, actor="bench", reason="bench")
    return by_hand.works(url, folder, itertools.islice(contents(), 2, None), PAGE)


def floors(kind: str, count: str, ours: Mapping[str, Work], theirs: Mapping[str, Work], rounds: int) -> list[Result]:
    """How far are ours from what the database and the disk take for themselves?"""
    return [
        pair(
            SECTION,
            f"{work}, {kind}",
            count,
            "by hand, with the driver alone",
            ours[work],
            theirs[work],
            rounds=rounds,
            as_=ITS_TIME,
            note=note,
        )
        for work, note in BY_HAND.items()
    ]


def flat(kind: str, ours: Mapping[int, Mapping[str, Work]], rounds: int) -> list[Result]:
    """Does a registry with many models cost what one with a few does?"""
    few, many = min(ours), max(ours)
    return [
        pair(
            SECTION,
            f"{work}, {kind}, flat",
            f"{many:,} models",
            f"ours at {few:,} models",
            ours[many][work],
            ours[few][work],
            rounds=rounds,
            as_=ITS_TIME,
            at_most=FLAT,
        )
        for work in BESIDE
    ]


def real(folder: Path, url: str, count: int) -> Registry:
    """Our registry with so many models."""
    registry.upgrade(url, models=folder / "models")
    opened = Registry.open(url, models=folder / "models")
    for content in itertools.islice(contents(), count):
        opened.register(content, details=OWN)
    return opened


def filled(folder: Path, url: str, size: int) -> Registry:
    """The same with `size` models: two are real, the others are rows like theirs without files."""
    opened = real(folder, url, 2)
    others = range(3, size + 1)
    insert_one = "INSERT INTO \"RLModel\" (version, path) VALUES (:version, 'models/' || :version || '.onnx')"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(insert_one), [{"version": f"gatekeeper_{number}"} for number in others])
        first = dict(connection.execute(select(artifacts).where(artifacts.c.model_id == 1)).mappings().one())
        connection.execute(insert(artifacts), [{**first, "model_id": number} for number in others])
    settled(engine)
    return opened


def works(opened: Registry) -> dict[str, Work]:
    """What is measured: each registration is of new bytes, each promotion changes the primary."""
    turns, new = itertools.cycle((1, 2)), contents()
    next(new), next(new)
    return {
        "register": lambda: opened.register(next(new), details=OWN),
        "register a foreign file": lambda: opened.register(next(new)),
        "primary": opened.primary,
        "promote": lambda: opened.promote(next(turns), actor="bench", reason="bench"),
        "page of models": lambda: opened.models(limit=PAGE),
    }


def contents() -> Iterator[bytes]:
    """Models that differ in a word of their metadata, and so in their sha256."""
    sys.path.append(str(HOUSE / "tests" / "support"))
    from model_files import contract_model

    model = contract_model([0.1] * 7, number="_number_")
    return (model.replace(b"_number_", f"{number:08d}".encode()) for number in itertools.count())
