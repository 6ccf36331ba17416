"""A good client of a server under attack, and what the limits of connections cost when nobody attacks.

The good client keeps asking over one connection and over a new one each time; the attackers are one process more, at
a lower priority, since a second machine would not take the server's processor time either. The rate is measured in
turns beside the same server with uvicorn's own protocol.

Usage: attacks.py [--quick]; prints a table.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

sys.path[1:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "tests" / "support")]

import servers  # noqa: E402
from serving import asked  # noqa: E402

from gatekeeper import registry  # noqa: E402
from gatekeeper.registry import Registry  # noqa: E402

ROUNDS, SECONDS = 9, 1.0
UVICORNS = (
    "import gatekeeper.serving.http.listening as it; "
    "from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol; it.StrictProtocol = HttpToolsProtocol; "
    "from gatekeeper.cli import main; main()"
)
FILES = 1280  # that the attacked server may open: 1,024 connections
KINDS = {
    "idle": "3,000 connections that say nothing, again and again",
    "slow": "500 connections that send a head byte by byte",
    "pipeline": "50 connections that pipeline and never read",
    "head": "20 connections with a header of 60 MB",
    "endless": "20 connections with headers without end",
    "chunks": "20 connections with bodies in chunks of one byte",
    "half": "500 connections that stop in the middle of a body",
}


def main(*, quick: bool) -> None:
    """Print both tables."""
    rounds, seconds = (1, 0.3) if quick else (ROUNDS, SECONDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "other").mkdir()
        url, other = _site(folder), _site(folder / "other")
        print("requests a second, beside uvicorn's own protocol: ours, its, ratio (median of the rounds)")
        with servers.ours(folder, url) as ours, _uvicorns(folder / "other", other) as its:
            for connections in (1, 16):
                for server in (ours, its):
                    asked(server, connections, seconds / 4)
                pairs = [_in_turn(ours, its, connections, seconds, flipped=number % 2 == 1) for number in range(rounds)]
                rates = [(one["rate"], other["rate"]) for one, other in pairs]
                costs = [one["cpu"] / other["cpu"] if other["cpu"] else float("nan") for one, other in pairs]
                middle = [median(column) for column in zip(*rates, strict=True)]
                ratio = median(one / other for one, other in rates)
                print(
                    f"  {connections} connections: {middle[0]:.0f}, {middle[1]:.0f}, {ratio:.3f}; "
                    f"processor time {median(costs):.3f} of its"
                )
        print(
            "a good client's 50th and 99th percentile and slowest in ms, its requests and errors; the server's memory"
        )
        with servers.ours(folder, url, files=FILES) as server:
            for kind in ("", *KINDS):
                with _attacked(server.port, kind) as about:
                    client = _good(server.port, seconds if quick else 4 * SECONDS)
                print(f"  {about}: {client}, {_resident(server.process) / 2**20:.0f} MB")


def _in_turn(
    ours: servers.Server, its: servers.Server, connections: int, seconds: float, *, flipped: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """One round of each; who comes second has the other's backlog of decisions to share the machine with."""
    both = {server.port: asked(server, connections, seconds) for server in ((its, ours) if flipped else (ours, its))}
    return both[ours.port], both[its.port]


def _site(folder: Path) -> str:
    from model_files import constant_model

    url, models = f"sqlite:///{folder / 'registry.db'}", folder / "models"
    registry.upgrade(url, models=models)
    with Registry.open(url, models=models) as opened:
        opened.promote(opened.register(constant_model(0.6)).id, actor="bench", reason="bench")
    return url


@contextmanager
def _uvicorns(folder: Path, url: str) -> Iterator[servers.Server]:
    command = [sys.executable, "-c", UVICORNS, "serve", "--port", "0"]
    settings = {
        "GATEKEEPER_DB": url,
        "GATEKEEPER_MODELS": str(folder / "models"),
        "GATEKEEPER_SPOOL": str(folder / "spool"),
    }
    with (folder / "log.txt").open("w") as log, servers.started(command, settings, log) as process:
        while "listening on" not in (folder / "log.txt").read_text():
            time.sleep(0.01)
        port = int((folder / "log.txt").read_text().partition("127.0.0.1:")[2].split()[0])
        server = servers.Server(port, process.pid)
        while server.answer().get("score") is None:
            time.sleep(0.01)
        yield server


@contextmanager
def _attacked(port: int, kind: str) -> Iterator[str]:
    if not kind:
        yield "no attack"
        return
    attackers = [sys.executable, str(Path(__file__).with_name("attackers.py")), str(port), kind]
    process = subprocess.Popen(attackers, preexec_fn=lambda: os.nice(5), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        yield KINDS[kind]
    finally:
        process.kill()
        process.wait()


def _good(port: int, seconds: float) -> str:
    """Asks one idea after the other, every tenth over a new connection."""
    times, errors = [], 0
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if len(times) % 10 == 0:
            connection.close()
        began = time.perf_counter()
        try:
            connection.request("POST", "/v1/score", servers.IDEA, {"content-type": "application/json"})
            assert json.loads(connection.getresponse().read())["logged"]
        except Exception:  # noqa: BLE001  # whatever it is, the client got no answer
            errors += 1
            connection.close()
        times.append(time.perf_counter() - began)
    times.sort()
    shown = [1000 * times[len(times) // 2], 1000 * times[len(times) * 99 // 100], 1000 * times[-1]]
    return f"{shown[0]:.2f}, {shown[1]:.2f}, {shown[2]:.1f}, {len(times)}, {errors}"


def _resident(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
