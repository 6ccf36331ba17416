"""MLflow's registry on the same kind of database, without a server between."""

import itertools
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from databases import settled
from results import Work
from sqlalchemy import MetaData, Table, create_engine, insert, select

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME, ALIAS, STAGE = "gatekeeper", "champion", "Production"
ABSENT = "not asked: a quick run, or MLflow isn't installed (`make bench` does it)"
PAGE = 50


def installed() -> bool:
    """Is it here?"""
    try:
        import mlflow
    except ImportError:
        return False
    logging.getLogger(mlflow.__name__).setLevel(logging.CRITICAL)  # what it raises is counted, where it is raced
    return True


def client(url: str) -> "MlflowClient":
    """A client that opens the database itself."""
    from mlflow import MlflowClient

    return MlflowClient(url, url)


def works(url: str, folder: Path, size: int, model: bytes) -> dict[str, Work]:
    """A registry with `size` versions of one model, two of them promoted in turns."""
    where = source(folder, model)
    asked, turns = filled(url, size, where), itertools.cycle(("1", "2"))
    return {
        "register": lambda: asked.create_model_version(NAME, where),
        "primary": lambda: asked.get_model_version_by_alias(NAME, ALIAS),
        "promote": lambda: asked.set_registered_model_alias(NAME, ALIAS, next(turns)),
        "page of models": lambda: asked.search_model_versions(f"name='{NAME}'", max_results=PAGE),
        "register with its file": logged(url, folder, model),
    }


def filled(url: str, size: int, where: str) -> "MlflowClient":
    """`size` versions, the first of which has the alias and the stage: two by the client, the others as rows."""
    made = client(url)
    made.create_registered_model(NAME)
    for _ in range(min(2, size)):
        made.create_model_version(NAME, where)
    made.set_registered_model_alias(NAME, ALIAS, "1")
    engine = create_engine(url)
    with engine.begin() as connection:
        versions = Table("model_versions", MetaData(), autoload_with=connection)
        first = dict(connection.execute(select(versions).where(versions.c.version == 1)).mappings().one())
        if size > 2:
            connection.execute(insert(versions), [{**first, "version": number} for number in range(3, size + 1)])
    settled(engine)
    return made


def source(folder: Path, model: bytes) -> str:
    """The model as MLflow keeps one: a folder with the file and what is said of it."""
    import mlflow.onnx
    import onnx

    mlflow.onnx.save_model(onnx.load_from_string(model), folder / "mlflow_model", pip_requirements=["onnxruntime"])
    return (folder / "mlflow_model").as_uri()


def logged(url: str, folder: Path, model: bytes) -> Work:
    """What registers a model together with its file."""
    import mlflow.onnx
    import onnx

    shown = onnx.load_from_string(model)
    experiment = client(url).create_experiment("bench", artifact_location=(folder / "artifacts").as_uri())

    def work() -> object:
        mlflow.set_tracking_uri(url)
        mlflow.set_experiment(experiment_id=experiment)
        return mlflow.onnx.log_model(shown, name="model", registered_model_name=NAME, pip_requirements=["onnxruntime"])

    return work
