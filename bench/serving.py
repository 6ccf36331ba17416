"""Does the server with all it does keep up with others, and how soon does it follow a promotion?

All serve the same file from a process of their own; requests come from another one. The rounds alternate, and the ratio
of the medians counts; so does the processor time of one request, which the neighbours on a shared machine change less.
Ours checks, logs each decision for good, and counts; the others only answer.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from rich.console import Console
from rich.table import Table
from servers import HOUSE, MLSERVER, Server, bare, mlserver, ours

from gatekeeper import registry
from gatekeeper.registry import Registry

ROUNDS = 7
SECONDS = 2.0
PROMOTIONS = 30


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
            with sides(folder, url, with_peers=not quick) as servers:
                compare(servers, rounds=2 if quick else ROUNDS, seconds=0.5 if quick else SECONDS)
                turns = itertools.cycle(pair[::-1])
                follow(servers["ours"], lambda: promote(opened, next(turns)), times=3 if quick else PROMOTIONS)


@contextmanager
def sides(folder: Path, url: str, *, with_peers: bool) -> Iterator[dict[str, Server]]:
    """All that are here, ours first. A peer that isn't is named."""
    with ExitStack() as stack:
        servers = {"ours": stack.enter_context(ours(folder, url))}
        servers["bare FastAPI"] = stack.enter_context(bare(folder / "model.onnx"))
        if with_peers and MLSERVER.exists():
            servers["MLServer"] = stack.enter_context(mlserver(folder / "model.onnx", folder / "mlserver"))
        elif with_peers:
            print("MLServer is not installed here (`make bench` does it): not measured")
        yield servers


def promote(opened: Registry, model_id: int) -> int:
    """Returns its id, once the promotion is committed."""
    opened.promote(model_id, actor="bench", reason="bench")
    return model_id


def compare(servers: Mapping[str, Server], *, rounds: int, seconds: float) -> None:
    """Requests a second, over 1 and over 16 connections; the ratios are ours to the other's."""
    columns = (
        "connections",
        "side",
        "requests/s",
        "lowest to highest",
        "ours / it",
        "p50 ms",
        "p99 ms",
        "CPU µs",
        "ours / it",
    )
    shown = Table(*columns, title="gatekeeper serve, decisions logged, beside others that log nothing")
    shown.title_justify = "left"
    for connections in (1, 16):
        for server in servers.values():
            asked(server, connections, 0.5)
        runs: dict[str, list[dict[str, float]]] = {side: [] for side in servers}
        for _ in range(rounds):
            for side, server in servers.items():
                runs[side].append(asked(server, connections, seconds))
        for side, its in runs.items():
            spread = [run["rate"] for run in its]
            rate, cost = (median(runs["ours"], what) / median(its, what) for what in ("rate", "cpu"))
            shown.add_row(
                str(connections),
                side,
                f"{median(its, 'rate'):,.0f}",
                f"{min(spread):,.0f} to {max(spread):,.0f}",
                f"{rate:.2f}",
                f"{median(its, 'p50') * 1e3:.2f}",
                f"{median(its, 'p99') * 1e3:.2f}",
                f"{median(its, 'cpu') * 1e6:.0f}",
                f"{cost:.2f}",
            )
    Console(width=130).print(shown)


def median(runs: list[dict[str, float]], what: str) -> float:
    """Of all rounds."""
    return statistics.median(run[what] for run in runs)


def asked(server: Server, connections: int, seconds: float) -> dict[str, float]:
    """One round: what `load.py` says, and the server's processor time for each request."""
    before = processor_seconds(server.process)
    words = ["127.0.0.1", str(server.port), str(connections), str(seconds), server.path, server.body]
    load = [sys.executable, str(HOUSE / "bench" / "load.py"), *words]
    said: dict[str, float] = json.loads(subprocess.run(load, capture_output=True, text=True, check=True).stdout)
    return {**said, "cpu": (processor_seconds(server.process) - before) / said["count"]}


def processor_seconds(process: int) -> float:
    """Spent by this process; 0 where the system doesn't say it in /proc."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def follow(server: Server, promote: Callable[[], int], *, times: int) -> None:
    """From a promotion's commit to the first answer of the new model, polling once a second as by default."""
    connection = HTTPConnection("127.0.0.1", server.port)
    waits = []
    for number in range(times):
        time.sleep(0.31 * (number % 4))  # promotions come at any moment between two polls
        wanted = promote()
        began = time.perf_counter()
        while server.answer(connection)["model_id"] != wanted:
            time.sleep(0.002)
        waits.append(time.perf_counter() - began)
    waits.sort()
    at = [waits[min(len(waits) - 1, int(len(waits) * share))] for share in (0.5, 0.95)]
    print(
        f"commit to first answer, {times} promotions: median {at[0]:.2f} s, p95 {at[1]:.2f} s, worst {waits[-1]:.2f} s"
    )


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
