"""Hot swap: promotions reach a running server, which keeps answering through faults of files and database."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from model_files import constant_model, contract_model, placeholder_model
from registry_site import OWN, Site
from serving_load import ROWS, Load, by_hand, coefficients, files, overwrite, until, watching

WORDS = {"actor": "test", "reason": "test"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.upgrade()
    return made


class Saboteur:
    """At a chosen step of the next promotion, with the lock held, spoils what it promotes."""

    def __init__(self) -> None:
        self.spoil: Callable[[], object] | None = None

    def __call__(self, step: str) -> None:
        if step == "audited" and self.spoil is not None:
            self.spoil()
            self.spoil = None


CORRUPT = (
    lambda content: content[: len(content) // 2],
    lambda _content: b"",
    lambda _content: constant_model(0.999),  # a good model, but another one
    lambda _content: b"<html>503</html>",
    lambda _content: placeholder_model(),
)


@pytest.mark.parametrize(
    ("promotions", "requests"),
    [
        pytest.param(20, 5_000, id="short"),
        pytest.param(200, 100_000, id="full", marks=pytest.mark.stress),
    ],
)
def test_promotions_under_load(site: Site, promotions: int, requests: int, figures: Callable[[str], None]) -> None:
    """Every tenth model's bytes are spoilt as it is promoted: no error, no value but that of the model named."""
    sabotage = Saboteur()
    contents = [contract_model(coefficients(number)) for number in range(promotions + 1)]
    expected = {hashlib.sha256(content).hexdigest(): by_hand(number) for number, content in enumerate(contents)}
    spoilt = set(list(expected)[10::10])
    with site.open(step=sabotage) as registry:
        models = [registry.register(content, details=OWN) for content in contents]
        registry.promote(1, **WORDS)
        with watching(registry) as gatekeeper, Load(gatekeeper, expected, threads=8) as load:

            def promoted(number: int) -> None:
                sha256, enough = str(models[number].sha256), number * requests // promotions
                if sha256 in spoilt:
                    other = CORRUPT[number // 10 % len(CORRUPT)](contents[number])
                    places = [site.models / f"gatekeeper_primary{number + 1}.onnx", site.models / ".blobs" / sha256]
                    sabotage.spoil = lambda: [overwrite(place, other) for place in places]
                registry.promote(number + 1, **WORDS)
                if sha256 in spoilt:
                    until(lambda: gatekeeper.current().degraded)
                else:
                    until(lambda: load.named[sha256] > 0)
                until(lambda: load.asked >= enough)

            for number in range(1, promotions + 1):
                promoted(number)
        failures = gatekeeper.state().failures
    figures(f"{load.asked:,} requests, {promotions} promotions, {len(spoilt)} spoilt {dict(failures)}")
    assert load.errors == []
    assert load.asked >= requests
    assert set(load.named) == set(expected) - spoilt
    assert sum(failures.values()) >= len(spoilt) == promotions // 10


def test_the_primarys_file_goes_under_load(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Case 58 and more: deleted, overwritten, file and blob; no score fails, it is said, and it heals."""
    content = contract_model(coefficients(0))
    sha256 = hashlib.sha256(content).hexdigest()
    with site.open() as registry:
        registry.promote(registry.register(content, details=OWN).id, **WORDS)
        named, blob = files(site, registry, 1)
        with watching(registry) as gatekeeper, Load(gatekeeper, {sha256: by_hand(0)}, threads=4) as load:

            def harmed(fallback: str, words: str, *harm: Callable[[], object]) -> None:
                caplog.clear()
                for do in harm:
                    do()
                until(lambda: gatekeeper.current().fallback == fallback and words in str(gatekeeper.state().fault))
                scores, asked = gatekeeper.score(ROWS), load.asked
                assert words in str(scores.reason)
                assert not scores.degraded  # the same model
                assert gatekeeper.state().lag_seconds == 0
                until(lambda: "answers, but not from its own file" in caplog.text)
                until(lambda: load.asked > asked + 100)
                for place in (named, blob):
                    overwrite(place, content)
                until(lambda: gatekeeper.state().fault is None and gatekeeper.current().fallback == "primary")
                until(lambda: "in step with the registry again" in caplog.text)

            # The blob first: nobody looks at it before the file is gone.
            harmed("blob", "does not exist", named.unlink)
            harmed("blob", "The bytes have sha256", lambda: overwrite(named, constant_model(0.999)))
            harmed("last_served", "does not exist", blob.unlink, named.unlink)
            harmed(
                "last_served", "is empty", lambda: overwrite(blob, constant_model(0.2)), lambda: overwrite(named, b"")
            )
        assert {"missing", "sha256", "empty"} <= set(gatekeeper.state().failures)
    assert load.errors == []
    assert set(load.named) == {sha256}


# Reloading


@pytest.mark.parametrize(
    "reloads", [pytest.param(100, id="short"), pytest.param(1000, id="full", marks=pytest.mark.stress)]
)
def test_reloading_keeps_no_memory(site: Site, reloads: int, figures: Callable[[str], None]) -> None:
    """Case 26: 1,000 reloads of a small model by a running gatekeeper, under 10 MB."""
    with site.open() as registry:
        for score in (0.2, 0.4):
            registry.promote(registry.register(constant_model(score), details=OWN).id, **WORDS)
    ended = subprocess.run(
        [sys.executable, "-c", RELOADING, site.url, str(site.models), str(reloads)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    figures(f"{told['reloads']:,} reloads: {told['grown'] / 1e6:.2f} MB")
    assert told["reloads"] >= reloads
    assert told["grown"] < 10_000_000


RELOADING = """
import json, sys
from pathlib import Path
from sqlalchemy import create_engine, text
from gatekeeper.registry import Registry
from gatekeeper.serving import Gatekeeper

url, models, reloads = sys.argv[1], sys.argv[2], int(sys.argv[3])
resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * 4096
with Registry.open(url, models=models) as registry, create_engine(url).connect() as other:
    gatekeeper = Gatekeeper(registry, poll_seconds=1e-9)
    seen, before = set(), 0
    for number in range(reloads + 50):
        if number == 50:
            before = resident()
        other.execute(text("UPDATE gatekeeper_lock SET generation = generation + 1"))
        other.commit()
        gatekeeper.score([[41, 22, 0.02, 0.05, 0, 0, 1]])
        seen.add(id(gatekeeper.current()))
    grown = resident() - before
    state = gatekeeper.state()
print(json.dumps({"reloads": state.served_generation - 2 - 50, "grown": grown}))
"""
