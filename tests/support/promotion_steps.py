"""Steps of a promotion: where a test stops it or acts meanwhile, and the chain of its history recomputed."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch

from registry_site import Site

from gatekeeper.registry import Registry
from gatekeeper.registry.promotion import clock

BESIDE = ("chain", "order_digest", "discounted_at")  # what the hash of a row leaves out

STEPS = ("locked", "named", "demoted", "promoted", "audited", "noted")


class Stopped(Exception):
    """The process got no further."""


def at_step(name: str, act: Callable[[], object]) -> Callable[[str], None]:
    """Calls `act` when the promotion reaches this step."""

    def step(reached: str) -> None:
        if reached == name:
            act()

    return step


def stop() -> None:
    raise Stopped


def overwrite(site: Site, name: str, content: bytes) -> None:
    (site.models / name).unlink()
    site.put(name, content)


@contextmanager
def by_hand_as_of(instant: datetime) -> Iterator[None]:
    """Acts by hand have this as-of, as if made on data that end there. Their time stays the database's."""
    with patch.object(clock, "by_hand", lambda _connection, _at: instant):
        yield


def promote_by_hand(registry: Registry, model_id: int, as_of: datetime) -> None:
    """Promote the model by hand, as if on data that end at `as_of`."""
    with by_hand_as_of(as_of):
        registry.promote(model_id, actor="test", reason="by hand")


def check_chain(registry: Registry) -> None:
    """Each row holds the sha256 over the row before's and its own fields, recomputed here: an act breaks no chain."""
    before = hashlib.sha256(b"gatekeeper").hexdigest()
    for row in reversed(registry.promotions()):
        fields = {name: getattr(row, name) for name in row.__slots__ if name not in BESIDE}
        times = {name: fields[name].astimezone(UTC).isoformat(timespec="microseconds") for name in ("as_of", "at")}
        entry = {**fields, **times, "evidence": None}  # none of these rests on an evaluation
        written = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        before = hashlib.sha256(f"{before}\n{written}".encode()).hexdigest()
        assert row.chain == before


# What it writes
