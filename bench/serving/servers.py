"""Servers of `serving.py`, each in a process of its own, and the request for each."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

HOUSE = Path(__file__).parents[2]
MLSERVER = (
    HOUSE / "build" / "bench-mlserver" / "bin" / "mlserver"
)  # an environment of its own: it wants an older FastAPI
FEATURES = {
    "rsi14": 41.2,
    "adx14": 22.1,
    "fastMASlowDelta": 0.021,
    "bbWidth": 0.05,
    "avgSent": 0.0,
    "avgOB": 0.0,
    "action": 1,
}
IDEA = json.dumps({"symbol": "EURUSD", "features": FEATURES})
TENSOR = {"name": "input", "shape": [1, 7], "datatype": "FP32", "data": list(FEATURES.values())}


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs, and one idea as it takes them."""

    port: int
    process: int
    path: str = "/v1/score"
    body: str = IDEA

    def answer(self, connection: HTTPConnection | None = None) -> dict[str, object]:
        """To one idea. Raises ConnectionRefusedError."""
        asked = connection or HTTPConnection("127.0.0.1", self.port)
        asked.request("POST", self.path, self.body, {"content-type": "application/json"})
        answer: dict[str, object] = json.loads(asked.getresponse().read())
        return answer


@contextmanager
def ours(folder: Path, url: str, *, files: int | None = None) -> Iterator[Server]:
    """`gatekeeper serve`, as it comes; `files`: how many it may open, if that is to be few."""
    settings = {"DB": url, "MODELS": str(folder / "models"), "SPOOL": str(folder / "spool"), "PORT": "0"}
    command = [sys.executable, "-c", "from gatekeeper.cli import main; main()", "serve"]
    with (folder / "log.txt").open("w") as log:
        environ = environment({f"GATEKEEPER_{name}": value for name, value in settings.items()})
        limit = None if files is None else (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))
        process = subprocess.Popen(command, env=environ, stderr=log, preexec_fn=limit)
    try:
        while not (found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", (folder / "log.txt").read_text())):
            if process.poll() is not None:
                raise SystemExit((folder / "log.txt").read_text())
            time.sleep(0.01)
        yield _answering(Server(int(found[1]), process.pid), process)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def bare(model: Path) -> Iterator[Server]:
    """FastAPI and onnxruntime alone."""
    port = free_port()
    with started([sys.executable, str(Path(__file__).with_name("bare_server.py")), str(model), str(port)]) as process:
        yield _answering(Server(port, process.pid), process)


@contextmanager
def mlserver(model: Path, folder: Path) -> Iterator[Server]:
    """MLServer with the same file, in its quickest setting: no workers between, so that one process does it all."""
    port = free_port()
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps({"host": "127.0.0.1", "parallel_workers": 0, **ports}))
    about = {"name": "gate", "implementation": "onnx_runtime.OnnxRuntime", "parameters": {"uri": str(model)}}
    (folder / "model-settings.json").write_text(json.dumps(about))
    settings = {"PYTHONPATH": str(Path(__file__).with_name("mlserver"))}
    with (folder / "log.txt").open("w") as log, started([str(MLSERVER), "start", str(folder)], settings, log) as one:
        body = json.dumps({"inputs": [TENSOR]})
        yield _answering(Server(port, one.pid, "/v2/models/gate/infer", body), one, "outputs")


@contextmanager
def mlflow(url: str, folder: Path) -> Iterator[Server]:
    """MLflow's own scoring server with the champion of its registry, in the environment that is here."""
    port = free_port()
    words = ["models", "serve", "--model-uri", "models:/gatekeeper@champion", "--env-manager", "local"]
    command = [sys.executable, "-m", "mlflow", *words, "--port", str(port)]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # it calls uvicorn by name
    environ = environment({"MLFLOW_TRACKING_URI": url, "PATH": path})
    with (folder / "mlflow_log.txt").open("w") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        body = json.dumps({"inputs": [list(FEATURES.values())]})
        yield _answering(Server(port, process.pid, "/invocations", body), process, "predictions")
    finally:
        with suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, signal.SIGTERM)  # the server is a child of the command
        process.wait()


@contextmanager
def started(
    command: Sequence[str], settings: Mapping[str, str] | None = None, log: object = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The process, ended at the end."""
    process = subprocess.Popen(command, env=environment(settings or {}), stdout=log, stderr=log)  # type: ignore[call-overload]  # a file or None
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The caller's without its own Gatekeeper, as from a shell: compiled modules are kept, or each start compiles."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GATEKEEPER_")}
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    return own | dict(settings)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def _answering(server: Server, process: "subprocess.Popen[bytes]", word: str = "score") -> Server:
    """Once it does: its first answers may say that it has no model yet."""
    while True:
        if process.poll() is not None:
            raise SystemExit(f"a server ended with {process.returncode} before it answered")
        try:
            if word in server.answer():
                return server
        except ConnectionRefusedError:
            pass
        time.sleep(0.01)
