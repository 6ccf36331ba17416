"""Does the server with all it does keep up with a bare FastAPI endpoint, and how soon does it follow a promotion?

Both serve the same file from a process of their own (uvicorn, uvloop, httptools); requests come from a third process.
The rounds alternate, and the ratio of the medians counts; so does the processor time of one request, which the
neighbours on a shared machine change less.
"""

import itertools
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from load import BODY
from rich.console import Console
from rich.table import Table

from gatekeeper import registry
from gatekeeper.registry import Registry

HOUSE = Path(__file__).parent.parent
ROUNDS = 7
SECONDS = 2.0
PROMOTIONS = 30
Server = tuple[int, int]  # port, process id


def main(*, quick: bool) -> None:
    """Prints both tables."""
    sys.path.append(str(HOUSE / "tests"))
    from model_files import constant_model

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url, models = f"sqlite:///{folder / 'registry.db'}", folder / "models"
        registry.upgrade(url, models=models)
        with Registry.open(url, models=models) as opened:
            pair = [opened.register(constant_model(score)).id for score in (0.4, 0.6)]
            opened.promote(pair[0], actor="bench", reason="bench")
            file = models / f"gatekeeper_primary{pair[0]}.onnx"
            (folder / "model.onnx").write_bytes(file.read_bytes())
            with ours(folder, url) as first, bare(folder / "model.onnx") as second:
                compare(first, second, rounds=2 if quick else ROUNDS, seconds=0.5 if quick else SECONDS)
                turns = itertools.cycle(pair[::-1])
                follow(first, lambda: promote(opened, next(turns)), times=3 if quick else PROMOTIONS)


def promote(opened: Registry, model_id: int) -> int:
    """Returns its id, once the promotion is committed."""
    opened.promote(model_id, actor="bench", reason="bench")
    return model_id


def compare(first: Server, second: Server, *, rounds: int, seconds: float) -> None:
    """Requests a second, over 1 and over 16 connections."""
    columns = ("connections", "side", "requests/s", "lowest to highest", "ratio", "p50 ms", "p99 ms", "CPU µs", "ratio")
    shown = Table(
        *columns, title="gatekeeper serve, decisions logged / bare FastAPI + onnxruntime", title_justify="left"
    )
    for connections in (1, 16):
        for server in (first, second):
            asked(server, connections, 0.5)
        runs: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
        for _ in range(rounds):
            for side, server in enumerate((first, second)):
                runs[side].append(asked(server, connections, seconds))
        rates, costs = ([median(side, what) for side in runs] for what in ("rate", "cpu"))
        for number, side in enumerate(runs):
            spread = [run["rate"] for run in side]
            shown.add_row(
                str(connections),
                ("ours", "bare")[number],
                f"{rates[number]:,.0f}",
                f"{min(spread):,.0f} to {max(spread):,.0f}",
                f"{rates[0] / rates[1]:.2f}" if number == 0 else "",
                f"{median(side, 'p50') * 1e3:.2f}",
                f"{median(side, 'p99') * 1e3:.2f}",
                f"{costs[number] * 1e6:.0f}",
                f"{costs[0] / costs[1]:.2f}" if number == 0 else "",
            )
    Console(width=120).print(shown)


def median(runs: list[dict[str, float]], what: str) -> float:
    """Of all rounds."""
    return statistics.median(run[what] for run in runs)


def asked(server: Server, connections: int, seconds: float) -> dict[str, float]:
    """One round: what `load.py` says, and the server's processor time for each request."""
    port, process = server
    before = processor_seconds(process)
    load = [sys.executable, str(HOUSE / "bench" / "load.py"), "127.0.0.1", str(port), str(connections), str(seconds)]
    said: dict[str, float] = json.loads(subprocess.run(load, capture_output=True, text=True, check=True).stdout)
    return {**said, "cpu": (processor_seconds(process) - before) / said["count"]}


def processor_seconds(process: int) -> float:
    """Spent by this process; 0 where the system doesn't say it in /proc."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def follow(server: Server, promote: Callable[[], int], *, times: int) -> None:
    """From a promotion's commit to the first answer of the new model, polling once a second as by default."""
    connection = HTTPConnection("127.0.0.1", server[0])
    waits = []
    for number in range(times):
        time.sleep(0.31 * (number % 4))  # promotions come at any moment between two polls
        wanted = promote()
        began = time.perf_counter()
        while answer(connection)["model_id"] != wanted:
            time.sleep(0.002)
        waits.append(time.perf_counter() - began)
    waits.sort()
    at = [waits[min(len(waits) - 1, int(len(waits) * share))] for share in (0.5, 0.95)]
    print(
        f"commit to first answer, {times} promotions: median {at[0]:.2f} s, p95 {at[1]:.2f} s, worst {waits[-1]:.2f} s"
    )


def answer(connection: HTTPConnection) -> dict[str, object]:
    """To one idea."""
    connection.request("POST", "/v1/score", BODY, {"content-type": "application/json"})
    said: dict[str, object] = json.loads(connection.getresponse().read())
    return said


@contextmanager
def ours(folder: Path, url: str) -> Iterator[Server]:
    """`gatekeeper serve`, as it comes."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("GATEKEEPER_")}
    settings = {"DB": url, "MODELS": str(folder / "models"), "SPOOL": str(folder / "spool"), "PORT": "0"}
    command = [sys.executable, "-c", "from gatekeeper.cli import main; main()", "serve"]
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(
            command, env={**own, **{f"GATEKEEPER_{name}": value for name, value in settings.items()}}, stderr=said
        )
    try:
        while not (found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", (folder / "said.txt").read_text())):
            if process.poll() is not None:
                raise SystemExit((folder / "said.txt").read_text())
            time.sleep(0.05)
        answer(HTTPConnection("127.0.0.1", int(found[1])))
        yield int(found[1]), process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def bare(model: Path) -> Iterator[Server]:
    """The endpoint beside."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(HOUSE / "bench" / "bare_server.py"), str(model), str(port)])
    try:
        while True:
            try:
                answer(HTTPConnection("127.0.0.1", port))
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
