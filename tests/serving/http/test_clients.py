"""Clients of bots, as they come: each scores an idea and reports its outcome, over a connection that it keeps.

.NET is left out: Debian has no package of it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from model_files import constant_model
from npm_packages import installed
from registry_site import Site
from score_server import Server, eventually, idea, running, serving_site

CLIENTS = Path(__file__).parents[2] / "support" / "clients"
NODE = Path(__file__).parents[2] / "support" / "node" / "clients"
TOKEN = "a-long-random-text"
TIME, CLOSED = "2018-06-04T14:30:00Z", "2018-06-08T14:30:00Z"

pytestmark = [pytest.mark.matrix, pytest.mark.xdist_group("clients")]

Command = Sequence[str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return serving_site(tmp_path_factory.mktemp("clients"), constant_model(0.625))


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with running(site, token=TOKEN) as started:
        yield started


def needed(command: str, package: str) -> str:
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"{command} is missing: Debian's package {package} brings it")
    return found


def java() -> Command:
    needed("javac", "default-jdk-headless")
    return [needed("java", "default-jdk-headless"), str(CLIENTS / "Client.java")]


def go() -> Command:
    return [needed("go", "golang-go"), "run", str(CLIENTS / "client.go")]


def python(library: str) -> Callable[[], Command]:
    return lambda: [sys.executable, str(CLIENTS / "client.py"), library]


def node(file: str) -> Callable[[], Command]:
    return lambda: [needed("node", "nodejs"), str(CLIENTS / file)]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("httpx", python("httpx")),
        ("requests", python("requests")),
        ("aiohttp", python("aiohttp")),
        ("fetch", node("fetch.mjs")),
        ("axios", node("axios.mjs")),
        ("java", java),
        ("go", go),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_client_scores_an_idea_and_reports_its_outcome(
    server: Server, site: Site, tmp_path: Path, name: str, command: Callable[[], Command]
) -> None:
    """Case 98: Java's HttpClient got status 400 for each POST."""
    environ = {**os.environ, "GOCACHE": str(tmp_path), "GO111MODULE": "off", "GOTOOLCHAIN": "local"}
    if name == "axios":
        environ["CLIENT_MODULES"] = str(installed(NODE, "node-clients"))
    asked: list[str] = []
    for number in range(3):
        asked += ["/v1/score", json.dumps(idea(idea_id=f"{name}-{number}", time=TIME))]
    asked += ["/v1/outcomes", json.dumps({"idea_id": f"{name}-0", "outcome": 0.0125, "closed_at": CLOSED})]
    done = subprocess.run(
        [*command(), server.url, TOKEN, *asked], env=environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    check([line.split(maxsplit=1) for line in done.stdout.splitlines()], name, site)


def test_curl(server: Server, site: Site) -> None:
    curl = needed("curl", "curl")
    answers = []
    for path, body in (
        *(("/v1/score", idea(idea_id=f"curl-{number}", time=TIME)) for number in range(3)),
        ("/v1/outcomes", {"idea_id": "curl-0", "outcome": 0.0125, "closed_at": CLOSED}),
    ):
        words = ["-H", f"Authorization: Bearer {TOKEN}", "-H", "Content-Type: application/json", "-w", "\n%{http_code}"]
        done = subprocess.run(
            [curl, "-sS", server.url + path, *words, "--data-binary", "@-"],
            input=json.dumps(body),
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(done.stdout.split("\n")[::-1])
    check(answers, "curl", site)


def check(answers: list[list[str]], name: str, site: Site) -> None:
    """Status and body of three scores and one outcome, and what is in the tables."""
    read = [(int(status), json.loads(body)) for status, body in answers]
    for number, (status, answer) in enumerate(read[:3]):
        assert (status, answer["idea_id"], answer["decision"]) == (200, f"{name}-{number}", "approve")
        assert (answer["score"], answer["model_id"], answer["logged"]) == (0.625, 1, True)
    ((status, noted),) = read[3:]
    assert (status, noted) in (
        (200, {"idea_id": f"{name}-0", "status": "recorded"}),
        (202, {"idea_id": f"{name}-0", "status": "pending"}),
    )
    wanted = [(f"{name}-0", 0.0125), (f"{name}-1", None), (f"{name}-2", None)]
    rows = (
        'SELECT idea_id, outcome FROM gatekeeper_decision JOIN "RLDataset" ON id = dataset_id '
        f"WHERE idea_id LIKE '{name}-%' ORDER BY idea_id"
    )
    eventually(lambda: site.sql(rows) == wanted)
