"""Idea file: LMDB tables of the first decision of each idea id, in two generations.

A value holds the digest of what was asked, and the score, decision and model of the answer. `current` in the table
`meta` names the generation that takes new ids; the other one is the older, which is dropped whole once `current` is
full.
"""

import struct
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from math import isnan, nan
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import lmdb
import msgspec

from gatekeeper.features import FEATURE_SCHEMA
from gatekeeper.registry.decision_log.line_format import Decision

MAP_BYTES = 1 << 30  # two generations of 5,000,000 ids fit; docs/how-to/serve.md has the figures
LONGEST_REASON = 300

_MODE = 0o600
_KEY, _ASKED, _ORIGIN = 12, 12, 8  # bytes of the digests
_VALUE = struct.Struct(f"<{_ASKED}sfB{_ORIGIN}s")
_SUM = struct.Struct("<I")
_ROW = struct.Struct("<7f")
_TIME = struct.Struct("<d")

Table = Any  # py-lmdb's handles have no public type
Work = Any  # a transaction


class Claim(NamedTuple):
    """The answer to one idea. decision: the one that stands; None if the id belongs to another idea."""

    decision: Decision | None
    repeated: bool
    reason: str | None


class _Origin(msgspec.Struct, frozen=True, array_like=True):
    """What many decisions have in common."""

    threshold: float
    model_id: int | None
    version: str | None
    sha256: str | None
    degraded: bool
    reason: str | None


class _Generation(NamedTuple):
    """The tables of one generation."""

    name: bytes
    ids: Table
    origins: Table


_encode = msgspec.msgpack.Encoder().encode
_origin_of = msgspec.msgpack.Decoder(_Origin).decode


class IdeaFile:
    """One open file. One thread at a time may use it. Every method raises lmdb.Error or OSError if the file fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._env = lmdb.open(
            str(path),
            subdir=False,
            map_size=MAP_BYTES,
            max_dbs=5,
            sync=False,  # a kill loses nothing; after a power failure the file is made anew
            metasync=False,
            writemap=False,  # a full disk is an error, not the end of the process
            readahead=False,
            mode=_MODE,
        )
        try:
            status = path.stat()
            self.identity = (status.st_dev, status.st_ino)
            self._env.reader_check()  # what a killed process was reading is kept for it otherwise
            self._meta: Table = self._env.open_db(b"meta")
            self._both = (self._generation(b"a"), self._generation(b"b"))
        except BaseException:
            self._env.close()
            raise

    def _generation(self, name: bytes) -> _Generation:
        return _Generation(name, self._env.open_db(b"ids-" + name), self._env.open_db(b"origins-" + name))

    def close(self) -> None:
        """Close the file."""
        self._env.close()

    @property
    def least_size(self) -> int:
        """The bytes that the file must have: to read a page beyond its end would end the process."""
        return int(self._env.info()["last_pgno"] + 1) * int(self._env.stat()["psize"])

    def noted(self, name: bytes) -> bytes | None:
        """The note of this name."""
        with self._env.begin() as work:
            return _get(work, name, self._meta)

    def note(self, name: bytes, value: bytes) -> None:
        """Write a note."""
        with self._env.begin(write=True) as work:
            work.put(name, value, db=self._meta)

    def claim(self, decisions: Sequence[Decision], reason: str | None, most: int) -> list[Claim]:
        """What stands for each idea, in one transaction: this decision if its id is new, else the first one.

        most: ids of a generation. The ids must differ.
        """
        claims = []
        with self._env.begin(write=True) as work:
            both = self._generations(work)
            for one in decisions:
                held = _held(work, both, one)
                if held is None:
                    if work.stat(both[0].ids)["entries"] >= most:
                        both = self._rotate(work, both)
                    _put(work, both[0], _key(one.idea_id), one, reason)
                    self._note_begin(work, both[0], one.at.timestamp())
                    held = Claim(one, False, reason)
                claims.append(held)
        return claims

    def recall(self, decisions: Sequence[Decision]) -> list[Claim] | None:
        """What stands for each idea; None if one of them is new. Only ids, symbols and features are looked at."""
        with self._env.begin() as work:
            both = self._generations(work)
            claims = [held for one in decisions if (held := _held(work, both, one)) is not None]
        return claims if len(claims) == len(decisions) else None

    def remember(self, decisions: Sequence[Decision]) -> None:
        """Take in logged decisions, as older ones. They stand, even if an idea was decided anew meanwhile."""
        with self._env.begin(write=True) as work:
            current, older = self._generations(work)
            for one in decisions:
                key = _key(one.idea_id)
                _put(work, older if _get(work, key, current.ids) is None else current, key, one, None)
            if decisions:
                self._note_begin(work, older, min(one.at.timestamp() for one in decisions))

    def extent(self) -> tuple[int, float | None]:
        """The number of ids, and the time of the oldest, in seconds since 1970; None without one."""
        with self._env.begin() as work:
            counts = {one.name: work.stat(one.ids)["entries"] for one in self._both}
            began = [_get(work, b"began-" + name, self._meta) for name, count in counts.items() if count]
        return sum(counts.values()), min((_TIME.unpack(at)[0] for at in began if at is not None), default=None)

    def _generations(self, work: Work) -> tuple[_Generation, _Generation]:
        """The current and the older generation."""
        a, b = self._both
        return (b, a) if _get(work, b"current", self._meta) == b.name else (a, b)

    def _rotate(self, work: Work, both: tuple[_Generation, _Generation]) -> tuple[_Generation, _Generation]:
        """Drop the older generation; the current one is the older one from now on."""
        current, older = both
        work.drop(older.ids, delete=False)
        work.drop(older.origins, delete=False)
        work.delete(b"began-" + older.name, db=self._meta)
        work.put(b"current", older.name, db=self._meta)
        return older, current

    def _note_begin(self, work: Work, generation: _Generation, at: float) -> None:
        """Note the time of the oldest id of a generation."""
        name = b"began-" + generation.name
        stored = _get(work, name, self._meta)
        if stored is None or at < _TIME.unpack(stored)[0]:
            work.put(name, _TIME.pack(at), db=self._meta)


def _get(work: Work, key: bytes, table: Table) -> bytes | None:
    found: bytes | None = work.get(key, db=table)
    return found


def _key(idea_id: str) -> bytes:
    return blake2b(idea_id.encode(), digest_size=_KEY).digest()


def _asked(one: Decision) -> bytes:
    """The digest of what was asked: symbol, schema and features, the side among them."""
    row = _ROW.pack(*[value + 0.0 for value in one.features])  # 0 and -0 are the same
    return blake2b(row + f"{FEATURE_SCHEMA}\n{one.symbol}".encode(), digest_size=_ASKED).digest()


def _held(work: Work, both: Sequence[_Generation], one: Decision) -> Claim | None:
    """What stands for an idea whose id is known; None if it is new. Raises lmdb.CorruptedError."""
    key = _key(one.idea_id)
    for generation in both:
        stored = _get(work, key, generation.ids)
        if stored is not None:
            return _stands(work, generation, key, stored, one)
    return None


def _stands(work: Work, generation: _Generation, key: bytes, stored: bytes, one: Decision) -> Claim:
    value, checksum = stored[: _VALUE.size], stored[_VALUE.size :]
    if checksum != _SUM.pack(crc32(key + value)):
        raise lmdb.CorruptedError("a decision in it was changed")
    asked, score, approved, name = _VALUE.unpack(value)
    if asked != _asked(one):
        return Claim(None, False, None)
    content = _get(work, name, generation.origins)
    if content is None or _digest(content) != name:
        raise lmdb.CorruptedError("the model of a decision in it was changed")
    origin = _origin_of(content)
    first = replace(
        one,
        score=None if isnan(score) else score,
        approved=bool(approved),
        threshold=origin.threshold,
        model_id=origin.model_id,
        version=origin.version,
        sha256=origin.sha256,
        degraded=origin.degraded,
    )
    return Claim(first, True, origin.reason)


def _put(work: Work, generation: _Generation, key: bytes, one: Decision, reason: str | None) -> None:
    shown = None if reason is None else reason[:LONGEST_REASON]
    content = _encode(_Origin(one.threshold, one.model_id, one.version, one.sha256, one.degraded, shown))
    name = _digest(content)
    value = _VALUE.pack(_asked(one), nan if one.score is None else one.score, one.approved, name)
    work.put(key, value + _SUM.pack(crc32(key + value)), db=generation.ids)
    if _get(work, name, generation.origins) is None:
        work.put(name, content, db=generation.origins)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_ORIGIN).digest()
