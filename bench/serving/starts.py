"""Start times: a command's answer, and the first score of a server that was just started.

A command's processor seconds count, since neighbours on a shared machine change them less. A server's seconds are those
on the clock, from the start of its process to its first answer.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import mlflow_side
import registry
import servers
from results import FASTER, Result, compared, missing, pair

BIN = Path(sys.executable).parent
COMMANDS, COLD = "Command line", "Cold start"
WORK, ROUNDS = "start to first score", 5
NOTES = {
    "MLflow, load_model in a script": "a process that loads `models:/gatekeeper@champion` and scores, with no server; "
    "ours answers over HTTP, and has verified the model and opened its log of decisions",
    "MLServer": "of a file that it is given: it asks no registry. What bounds ours are imports: numpy, onnx, "
    "onnxruntime, SQLAlchemy, pydantic and the server take nine tenths of its processor time; bare FastAPI with "
    "onnxruntime, which asks no registry either, takes 0.7 of ours and 0.4 of MLServer's",
}
Start = Callable[[int], AbstractContextManager[object]]
"""Started anew for each round; entered once it has scored."""


def main(*, quick: bool) -> list[Result]:
    """Both, of one registry with one primary."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'registry.db'}"
        with registry.real(folder, url, 1) as opened:
            opened.promote(1, actor="bench", reason="bench")
            model = opened.model_bytes(opened.model(1))
        (folder / "model.onnx").write_bytes(model)
        peers = not quick and mlflow_side.installed()
        tracked = f"sqlite:///{folder / 'mlflow.db'}"
        if peers:
            mlflow_side.filled(tracked, 1, mlflow_side.source(folder, model))
        rows = commands(url, folder, peers=peers)
        if not peers:
            return [*rows, missing(COLD, WORK, "MLflow, MLServer", mlflow_side.ABSENT)]
        return rows + cold(url, tracked, folder)


def commands(url: str, folder: Path, *, peers: bool) -> list[Result]:
    """`gatekeeper active` reads the registry; `mlflow --version` reads nothing."""
    places = {"GATEKEEPER_DB": url, "GATEKEEPER_MODELS": str(folder / "models")}

    def ours() -> object:
        return run([str(BIN / "gatekeeper"), "active"], places)

    peer = "mlflow --version"
    if not peers:
        ours()
        return [missing(COMMANDS, "gatekeeper active", peer, mlflow_side.ABSENT)]
    note = "ours opens the database and names the primary; MLflow's only says its version"
    theirs = lambda: run([str(BIN / "mlflow"), "--version"], {})  # noqa: E731  # beside its like
    return [
        pair(COMMANDS, "gatekeeper active", "", peer, ours, theirs, as_=FASTER, at_least=5, cpu=True, note=note),
        pair(COMMANDS, "gatekeeper active, on the clock", "", peer, ours, theirs, as_=FASTER, note=note),
    ]


def run(command: list[str], settings: Mapping[str, str]) -> int:
    """To its end."""
    ended = subprocess.run(command, env=servers.environment(settings), check=True, stdout=subprocess.DEVNULL)
    return ended.returncode


def cold(url: str, tracked: str, folder: Path) -> list[Result]:
    """Of each side's process, in turns; each is ended before the next begins."""
    sides: dict[str, Start] = {
        "ours": lambda _: servers.ours(folder, url),
        "MLflow, load_model in a script": lambda _: scored(tracked),
        "MLflow, models serve": lambda _: servers.mlflow(tracked, folder),
        "MLServer": lambda number: servers.mlserver(folder / "model.onnx", folder / f"mlserver{number}"),
    }
    absent = []
    if not servers.MLSERVER.exists():
        sides.pop("MLServer")
        absent = [missing(COLD, WORK, "MLServer", "it isn't installed here (`make bench` does it)")]
    took: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(1 + ROUNDS):
        for side, start in sides.items():
            took[side].append(entered(start(number)))
    ours = took.pop("ours")[1:]  # the first of each warms up
    rows = [
        compared(COLD, WORK, "", peer, ours, times[1:], as_=FASTER, at_least=3, note=NOTES.get(peer, ""))
        for peer, times in took.items()
    ]
    return rows + absent


def entered(server: AbstractContextManager[object]) -> float:
    """Seconds from the start of its process to its first score; its end doesn't count."""
    began = time.perf_counter()
    with server:
        return time.perf_counter() - began


@contextmanager
def scored(tracked: str) -> Iterator[None]:
    """A script that loads the champion and scores, and serves nobody."""
    script = [sys.executable, str(Path(__file__).with_name("first_score.py")), tracked]
    subprocess.run(script, env=servers.environment({}), check=True, capture_output=True)
    yield
