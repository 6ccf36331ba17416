"""Throughput of scoring servers, and the delay until they follow a promotion.

All serve the same file from a process of their own; requests come from another one. The rounds alternate, and the ratio
of the medians counts; so does the processor time of one request, which the neighbours on a shared machine change less.
Ours checks, logs each decision for good, and counts; the others only answer.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

from load import NUMBER
from results import ITS_RATE, ITS_TIME, Result, alone, compared, missing
from servers import HOUSE, IDEA, MLSERVER, Server, bare, mlserver, ours

from gatekeeper import registry
from gatekeeper.registry import Registry

CONNECTIONS = (1, 16)
ROUNDS = 7
SECONDS = 2.0
PROMOTIONS = 30


def main(*, quick: bool) -> list[Result]:
    """Rates and costs beside the others, then how soon a promotion is followed."""
    sys.path.append(str(HOUSE / "tests" / "support"))
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
                # Quick: ours stands for its peer, too.
                both = {**servers, "bare FastAPI": servers["ours"]} if quick else servers
                results = compare(both, (1,), 1, 0.1) if quick else compare(both, CONNECTIONS, ROUNDS, SECONDS)
                results += named(servers["ours"], 1 if quick else ROUNDS, 0.1 if quick else SECONDS)
                turns = itertools.cycle(pair[::-1])
                waits = follow(servers["ours"], lambda: promote(opened, next(turns)), times=1 if quick else PROMOTIONS)
    if "MLServer" not in servers:
        results.append(missing("Server", "requests", "MLServer", "not installed here (`make bench` does it)"))
    return [*results, *waits]


@contextmanager
def sides(folder: Path, url: str, *, with_peers: bool) -> Iterator[dict[str, Server]]:
    """All that are here, ours first."""
    with ExitStack() as stack:
        servers = {"ours": stack.enter_context(ours(folder, url))}
        if with_peers:
            servers["bare FastAPI"] = stack.enter_context(bare(folder / "model.onnx"))
        if with_peers and MLSERVER.exists():
            servers["MLServer"] = stack.enter_context(mlserver(folder / "model.onnx", folder / "mlserver"))
        yield servers


def promote(opened: Registry, model_id: int) -> int:
    """Returns its id, once the promotion is committed."""
    opened.promote(model_id, actor="bench", reason="bench")
    return model_id


def compare(servers: Mapping[str, Server], at_once: Sequence[int], rounds: int, seconds: float) -> list[Result]:
    """Requests a second over so many connections, and what one of them costs."""
    results = []
    for connections in at_once:
        for server in servers.values():
            asked(server, connections, seconds / 4)
        runs: dict[str, list[dict[str, float]]] = {side: [] for side in servers}
        for _ in range(rounds):
            for side, server in servers.items():
                runs[side].append(asked(server, connections, seconds))
        for side in list(servers)[1:]:
            results += beside(side, f"{connections} connection{'s' * (connections > 1)}", runs["ours"], runs[side])
    return results


def named(server: Server, rounds: int, seconds: float) -> list[Result]:
    """What an idea id costs, whose first decision is remembered: requests with a new one each, beside those without."""
    with_id = replace(server, body=json.dumps({**json.loads(IDEA), "idea_id": NUMBER}))
    asked(with_id, 1, seconds / 4)
    runs = [(asked(with_id, 1, seconds)["rate"], asked(server, 1, seconds)["rate"]) for _ in range(rounds)]
    rates, bare_rates = zip(*runs, strict=True)
    about, note = ("1 connection", "ours without ids"), "each request has a new id, which the memory of ids takes in"
    return [
        compared(
            "Server",
            "requests with an idea id",
            *about,
            rates,
            bare_rates,
            as_=ITS_RATE,
            at_least=0.9,
            unit="requests/s",
            note=note,
        )
    ]


def beside(peer: str, size: str, ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> list[Result]:
    """One peer: the rate has the target; what a request costs, and its slowest, are said besides."""
    about, least = (size, peer), {"bare FastAPI": 0.9, "MLServer": 3.0}[peer]
    note = "ours checks and counts, and logs each decision for good; the other only answers"
    if peer == "bare FastAPI":
        note += ". What bounds ours is the thread that brings decisions to the database, a tenth of a request's time"

    def both(what: str) -> tuple[list[float], list[float]]:
        return [run[what] for run in ours], [run[what] for run in theirs]

    rates, costs, slowest = both("rate"), both("cpu"), both("p99")
    return [
        compared("Server", "requests", *about, *rates, as_=ITS_RATE, at_least=least, unit="requests/s", note=note),
        compared("Server", "processor time of a request", *about, *costs, as_=ITS_TIME, unit="CPU s"),
        compared("Server", "99th percentile of a request", *about, *slowest, as_=ITS_TIME),
    ]


def asked(server: Server, connections: int, seconds: float) -> dict[str, float]:
    """One round: what `load.py` says, and the server's processor time for each request."""
    before = processor_seconds(server.process)
    words = ["127.0.0.1", str(server.port), str(connections), str(seconds), server.path, server.body]
    load = [sys.executable, str(Path(__file__).with_name("load.py")), *words]
    measured: dict[str, float] = json.loads(subprocess.run(load, capture_output=True, text=True, check=True).stdout)
    return {**measured, "cpu": (processor_seconds(server.process) - before) / measured["count"]}


def processor_seconds(process: int) -> float:
    """Spent by this process; 0 where the system doesn't say it in /proc."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def follow(server: Server, promote: Callable[[], int], *, times: int) -> list[Result]:
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
    about = ("Server", "promotion's commit to the first answer of the new model", f"{times} promotions")
    return [alone(*about, waits, note=f"polled once a second; the slowest took {max(waits):.2f} s")]
