"""`gatekeeper serve` for tests, as operators run it: a process, a real socket, and the settings around it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from registry_site import OWN, Site

HOUSE = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from gatekeeper.cli import main; main()", "serve", "--port", "0"]
SECONDS = 60.0  # until something that has to come counts as missing

FEATURES = {
    "rsi14": 41.0,
    "adx14": 22.0,
    "fastMASlowDelta": 0.02,
    "bbWidth": 0.05,
    "avgSent": 0.0,
    "avgOB": 0.0,
    "action": 1,
}


def idea(**changes: object) -> dict[str, Any]:
    """A good idea, but for `changes`; those of `features` are changes of the features, None takes one away."""
    given = {**FEATURES, **changes.pop("features", {})}  # type: ignore[dict-item]  # a dict, where it is given
    features = {name: value for name, value in given.items() if value is not None}
    return {"symbol": "EURUSD", "features": features, **changes}


def eventually(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What `condition` gives, once that is true. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)  # what is asked may cost its server a little
    return found


def plain() -> httpx.HTTPTransport:
    """Of a client that never speaks TLS: reading all certificates would take longer than what is tested."""
    return httpx.HTTPTransport(verify=False)


@dataclass(frozen=True)
class Server:
    """One that runs. `client` asks it; `errors` is what it has written on stderr."""

    process: subprocess.Popen[bytes]
    url: str
    client: httpx.Client
    errors: Path

    def score(self, *ideas: object, **options: Any) -> httpx.Response:
        """One idea as an object, several as an array."""
        body = ideas[0] if len(ideas) == 1 else list(ideas)
        return self.client.post("/v1/score", json=body, **options)

    def close(self, *outcomes: object, **options: Any) -> httpx.Response:
        """One outcome as an object, several as an array."""
        body = outcomes[0] if len(outcomes) == 1 else list(outcomes)
        return self.client.post("/v1/outcomes", json=body, **options)

    def metrics(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Every sample by name and label values, as Prometheus' own parser reads them."""
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(self.client.get("/metrics").text):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def serving_site(folder: Path, model: bytes) -> Site:
    """A registry whose primary is this model, for all tests of a module."""
    made = Site(folder)
    made.upgrade()
    with made.open() as registry:
        registry.promote(registry.register(model, details=OWN).id, actor="ann", reason="test")
    return made


def environment(site: Site, **settings: object) -> dict[str, str]:
    """This site's, and nothing of ours. A setting in capitals is any other variable."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("GATEKEEPER_")}
    given = {"db": site.url, "models": site.models, "spool": site.root / "spool", "poll_seconds": 0.05, **settings}
    return {
        **own,
        **{name if name.isupper() else f"GATEKEEPER_{name.upper()}": str(value) for name, value in given.items()},
    }


def start(
    site: Site, errors: Path, *options: str, command: Sequence[str] = COMMAND, **settings: object
) -> subprocess.Popen[bytes]:
    """The process, as soon as it is there."""
    with errors.open("wb") as stderr:
        return subprocess.Popen([*command, *options], env=environment(site, **settings), cwd=HOUSE, stderr=stderr)


@contextmanager
def running(site: Site, *options: str, **settings: Any) -> Iterator[Server]:
    """A server of this site, once it says where it listens; killed afterwards, if it still runs."""
    errors = site.root / "stderr.txt"
    process = start(site, errors, *options, **settings)

    def listening() -> re.Match[str] | None:
        assert process.poll() is None, errors.read_text()
        return re.search(r"listening on (http://\S+)", errors.read_text())

    try:
        url = eventually(listening)[1]
        token = settings.get("token")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(base_url=url, timeout=SECONDS, headers=headers, transport=plain()) as client:
            yield Server(process, url, client, errors)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def refused(site: Site, *options: str, **settings: Any) -> str:
    """What a server says that doesn't start; it ends with 1, and without a traceback."""
    errors = site.root / "stderr.txt"
    process = start(site, errors, *options, **settings)
    try:
        assert process.wait(SECONDS) == 1, errors.read_text()
    finally:
        process.kill()
        process.wait()
    said = errors.read_text()
    assert "Traceback" not in said
    return said
