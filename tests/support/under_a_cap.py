"""Process with little memory: its gatekeeper's answer to each hostile file, while the old model answers on.

Run by test_hostile_models.py: `under_a_cap.py FOLDER`; writes one JSON object.
"""

import hashlib
import json
import resource
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, Thread

from hostile_files import BOMBS, ODD_FILES, contents
from model_files import constant_model
from registry_site import OWN, Site
from serving_load import Clock

from gatekeeper.errors import ModelRefused
from gatekeeper.model import verify
from gatekeeper.registry import Registry
from gatekeeper.serving import Gatekeeper

CAP = 1 << 20
MEMORY = 512 << 20
SLOW = "hours of work"  # takes its three seconds of the processor in test_hostile_files.py
GOOD, OTHER = constant_model(0.7), constant_model(0.3)
IDEA = [[41.0, 22.0, 0.02, 0.05, 0.0, 0.0, 1.0]]
SWAP = (
    "UPDATE \"RLModel\" SET version = 'gatekeeper_1' WHERE id = 1",
    "UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 2",
)
BACK = (
    "UPDATE \"RLModel\" SET version = 'gatekeeper_2' WHERE id = 2",
    "UPDATE \"RLModel\" SET version = 'gatekeeper_primary1' WHERE id = 1",
)


class Trial:
    """A registry whose model 1 answers, and a thread that keeps asking, also while the other one looks.

    The watcher looks when it is started again, so never at half a change.
    """

    def __init__(self, site: Site, registry: Registry) -> None:
        self.site = site
        self.registry = registry
        self.own = site.models / registry.primary().file_name
        self.clock = Clock()
        self.gatekeeper = Gatekeeper(registry, poll_seconds=500, clock=self.clock)
        self.answers = 0
        self.wrong: list[str] = []
        self._over = Event()

    def ask(self) -> None:
        expected = hashlib.sha256(GOOD).hexdigest()
        while not self._over.wait(0.0005):
            try:
                scores = self.gatekeeper.score(IDEA)
                if abs(float(scores.values[0]) - 0.7) > 1e-6 or scores.sha256 != expected:
                    self.wrong.append(repr(scores))
            except Exception as fault:  # noqa: BLE001  # whatever it is, a score failed
                self.wrong.append(repr(fault))
            self.answers += 1

    def run(self) -> dict[str, dict[str, object]]:
        self.gatekeeper.start()
        asking = Thread(target=self.ask)
        asking.start()
        try:
            found = {name: self.file(reason, put(content)) for name, (content, reason) in contents(CAP).items()}
            found.update({name: self.file(reason, put_odd) for name, (put_odd, reason) in ODD_FILES.items()})
            found.update({name: self.bomb(build()) for name, (build, _) in BOMBS.items() if name != SLOW})
            found[SLOW] = {"in place": self.in_place(put(BOMBS[SLOW][0]()))}
        finally:
            self._over.set()
            asking.join()
            self.gatekeeper.stop()
        return found

    def look(self) -> tuple[str, str, bool]:
        """What the next poll counts, the fallback that answers then, and whether it is degraded."""
        before, answers = self.gatekeeper.state().failures, self.answers
        self.clock.now += 1000.0
        self.gatekeeper.stop()
        self.gatekeeper.start()
        while self.answers < answers + 3:
            Event().wait(0.001)
        now = self.gatekeeper.state().failures
        reasons = sorted(reason for reason in now if now[reason] != before.get(reason))
        loaded = self.gatekeeper.current()
        return ", ".join(reasons), loaded.fallback, loaded.degraded

    def file(self, reason: str, place: Callable[[Path], object]) -> dict[str, object]:
        return {"in place": self.in_place(place), "registered": self.registered(reason, place)}

    def bomb(self, content: bytes) -> dict[str, object]:
        """Such bytes can't be registered; elsewhere their sha256 speaks against them."""
        try:
            self.registry.register(content)
            reason = None
        except ModelRefused as refusal:
            reason = refusal.reason
        return {"in place": self.in_place(put(content)), "registered": [reason]}

    def in_place(self, place: Callable[[Path], object]) -> tuple[str, str, bool]:
        """Over the primary's own file."""
        clear(self.own)
        place(self.own)
        found = self.look()
        clear(self.own)
        self.own.write_bytes(GOOD)
        self.heal()
        return found

    def registered(self, reason: str, place: Callable[[Path], object]) -> tuple[str, str, bool]:
        """As the named file and the blob of the new primary, whose sha256 the registry knows."""
        named = self.site.models / "gatekeeper_2.onnx"
        clear(named)
        place(named)
        sha256 = hashlib.sha256(named.read_bytes()).hexdigest() if reason not in ODD_REASONS else "ab" * 32
        blob = self.site.models / ".blobs" / sha256
        clear(blob)
        place(blob)
        self.switch(f"UPDATE gatekeeper_artifact SET sha256 = '{sha256}' WHERE model_id = 2", *SWAP)
        found = self.look()
        self.switch(*BACK)
        clear(blob)
        self.heal()
        return found

    def heal(self) -> None:
        healed = self.look()
        if healed != ("", "primary", False):
            raise AssertionError(healed)

    def switch(self, *statements: str) -> None:
        with self.site.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for statement in (*statements, "UPDATE gatekeeper_lock SET generation = generation + 1"):
                connection.execute(statement)
            connection.execute("COMMIT")


ODD_REASONS = {reason for _, reason in ODD_FILES.values()}


def put(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def main(root: Path) -> None:
    # So much of the processor that memory is what ends each of them, however slow the machine (case 112).
    verify.verify_untrusted = partial(verify.verify_untrusted, seconds=60)
    site = Site(root)
    site.upgrade()
    with site.open(size_cap=CAP) as registry:
        registry.register(GOOD, details=OWN)
        registry.register(OTHER, details=OWN)
        registry.promote(1, actor="test", reason="test")
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        # The soft limit: a child process that checks a model in sets its own.
        resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
        trial = Trial(site, registry)
        found = trial.run()
    json.dump({"found": found, "answers": trial.answers, "wrong": trial.wrong[:5]}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
