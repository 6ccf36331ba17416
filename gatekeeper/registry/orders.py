"""Orders: a digest of what was asked for with a run key, and the refusal of a key that did something else."""

import hashlib
import json
from datetime import datetime

from gatekeeper.errors import KeyUsed


def digest(act: str, **facts: str | float | datetime | None) -> str:
    """The sha256 of an order: the act and what it asks for. Who asks is no part of it: a retry may be another's."""
    stated = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()}
    words = json.dumps({"act": act, **stated}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(words.encode()).hexdigest()


def key_used(run_key: str, done: str, asked: str) -> KeyUsed:
    """The error for a key that was used for another order. `done` and `asked` are clauses in the past tense."""
    return KeyUsed(
        f"The run key {run_key!r} was used already: it {done}. It can't be used again with another order ({asked}), so "
        "nothing has changed. Use a new key; in Airflow, trigger a new run instead of clearing this one."
    )
