"""Idea file: LMDB tables of the first decision of each idea id, in two generations.

A value holds the digest of what was asked, and the score, decision and model of the answer. `current` in the table
`meta` names the generation that takes new ids; the other one is the older, which is dropped whole once `current` is
full. Each call of LMDB lets another thread run, and waits for it, so a new id costs as few calls as can be.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import isnan, nan
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import lmdb
import msgspec

from gatekeeper.features import FEATURE_SCHEMA
from gatekeeper.registry.decision_log.line_format import Decision

MAP_BYTES = 1 << 30  # two generations of 5,000,000 ids take 0.77 GB

_MODE = 0o600
_KEY, _ASKED, _ORIGIN = 12, 12, 8  # bytes of the digests
_VALUE = struct.Struct(f"<{_ASKED}sfB{_ORIGIN}s")
_SUM = struct.Struct("<I")
_ROW = struct.Struct("<7f")
_TIME = struct.Struct("<d")
_SCHEMA = FEATURE_SCHEMA.encode()

Table = Any  # py-lmdb's handles have no public type
Work = Any  # a transaction


class Claim(NamedTuple):
    """The answer to one idea. decision: the one that stands; None if the id belongs to another idea.

    reason: why another model than the primary made it; None for a repeated one.
    """

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


@dataclass(slots=True)
class _Generations:
    """The tables of both generations as of one transaction. ids: in the current one."""

    current: Table
    older: Table
    ids: int
    some_older: bool


_encode = msgspec.msgpack.Encoder().encode
_origin_of = msgspec.msgpack.Decoder(_Origin).decode


class IdeaFile:
    """One open file. One thread at a time may use it. Every method raises lmdb.Error or OSError if the file fails."""

    def __init__(self, path: Path) -> None:
        self._env = lmdb.open(
            os.fsencode(path),  # as text, it takes UTF-8 alone
            subdir=False,
            map_size=MAP_BYTES,
            max_dbs=4,
            sync=False,  # a kill loses nothing; after a power failure the file is made anew
            metasync=False,
            writemap=False,  # a full disk is an error, not the end of the process
            readahead=False,
            mode=_MODE,
        )
        try:
            status = path.stat()
            self.identity = (status.st_dev, status.st_ino)
            self._path = path
            self._lock_path = _lock_of(path)
            self._sizes: dict[Path, tuple[int, int]] = {}  # inode and size of each as last seen
            self._page = int(self._env.stat()["psize"])
            self.lengthen()
            self._env.reader_check()  # what a killed process was reading is kept for it otherwise
            self._meta: Table = self._env.open_db(b"meta")
            self._models: Table = self._env.open_db(b"models")
            self._tables: dict[bytes, Table] = {name: self._env.open_db(b"ids-" + name) for name in (b"a", b"b")}
        except BaseException:
            self._env.close()
            raise
        self._last = -1  # the newest transaction that was this process's
        self._there: _Generations | None = None
        self._stored: dict[tuple[object, ...], bytes] = {}  # origins in the table `models`, by their values

    def close(self) -> None:
        """Close the file."""
        with suppress(lmdb.Error, OSError):
            self._refuse_cut()
        self._env.close()

    def lengthen(self) -> None:
        """Bring a file that was cut before it was opened to its length: reading beyond its end would end the process.

        The empty pages are found as damage once they are read. Raises lmdb.CorruptedError.
        """
        self._refuse_cut()
        self._cover_pages()

    def _cover_pages(self) -> None:
        """Bring the file to the length that its newest head speaks of, if it was shorter at the last look."""
        size = (self._env.info()["last_pgno"] + 1) * self._page
        if size <= self._sizes.get(self._path, (0, 0))[1]:
            return
        if size > MAP_BYTES:
            raise lmdb.CorruptedError("its size is wrong")
        with suppress(FileNotFoundError), self._path.open("r+b") as file:  # removed, but whole
            status = os.fstat(file.fileno())
            if status.st_ino == self.identity[1] and status.st_size < size:
                os.posix_fallocate(file.fileno(), 0, size)  # never shortens what another process has lengthened

    def _refuse_cut(self, *, lock: bool = True) -> None:
        """Raise lmdb.CorruptedError if somebody has cut the file, or LMDB's lock file, since the last call."""
        for path in (self._lock_path, self._path) if lock else (self._path,):
            try:
                status = os.stat(path)  # noqa: PTH116  # twice for each claim: half the time of Path's
            except FileNotFoundError:
                continue  # removed, but whole
            inode, size = self._sizes.get(path, (status.st_ino, 0))
            if inode != status.st_ino:
                continue  # another process has made it anew
            if status.st_size < size:
                if path == self._lock_path:
                    os.truncate(path, size)  # closing it reads it
                raise lmdb.CorruptedError(f"{path.name} was cut to {status.st_size} of {size} bytes")
            self._sizes[path] = inode, status.st_size

    @contextmanager
    def _begun(self, *, write: bool = False) -> Iterator[Work]:
        """A transaction, on a file that is as long as its head says, whoever has lengthened or cut it.

        A cut between this look and the read, of some microseconds, still ends the process. A file that the
        transaction makes longer is known to be, before anybody may cut it.
        """
        self._refuse_cut()
        with self._env.begin(write=write) as work:
            self._cover_pages()
            yield work
        if write:
            self._refuse_cut(lock=False)

    def noted(self, name: bytes) -> bytes | None:
        """The note of this name."""
        with self._begun() as work:
            return _get(work, name, self._meta)

    def note(self, name: bytes, value: bytes) -> None:
        """Write a note."""
        with self._begun(write=True) as work:
            work.put(name, value, db=self._meta)

    def claim(self, decisions: Sequence[Decision], reason: str | None, most: int) -> list[Claim]:
        """What stands for each idea, in one transaction: this decision if its id is new, else the first one.

        most: ids of a generation. The ids must differ.
        """
        try:
            with self._begun(write=True) as work:
                number = work.id()
                if self._there is None or number != self._last + 1:  # another process has written meanwhile
                    self._there = self._generations(work)
                claims = [self._claimed(work, self._there, one, reason, most) for one in decisions]
        except BaseException:
            self._undone()
            raise
        self._last = number
        return claims

    def _claimed(self, work: Work, there: _Generations, one: Decision, reason: str | None, most: int) -> Claim:
        key = _key(one.idea_id)
        if there.some_older and (stored := _get(work, key, there.older)) is not None:
            return self._stands(work, key, stored, one)
        if there.ids >= most:
            if (stored := _get(work, key, there.current)) is not None:
                return self._stands(work, key, stored, one)
            self._rotate(work, there)
        if not work.put(key, self._value(work, key, one), overwrite=False, db=there.current):
            return self._stands(work, key, _get(work, key, there.current) or b"", one)
        if not there.ids:
            self._note_begin(work, there.current, one.at.timestamp())
        there.ids += 1
        return Claim(one, False, reason)

    def recall(self, decisions: Sequence[Decision]) -> list[Claim] | None:
        """What stands for each idea; None if one of them is new. Only ids, symbols and features are looked at."""
        claims = []
        with self._begun() as work:
            for one in decisions:
                key = _key(one.idea_id)
                found = (_get(work, key, table) for table in self._tables.values())
                if (stored := next((value for value in found if value is not None), None)) is None:
                    return None
                claims.append(self._stands(work, key, stored, one))
        return claims

    def remember(self, decisions: Sequence[Decision]) -> None:
        """Take in logged decisions, as older ones. They stand, even if an idea was decided anew meanwhile."""
        try:
            with self._begun(write=True) as work:
                there = self._generations(work)
                for one in decisions:
                    key = _key(one.idea_id)
                    table = there.older if _get(work, key, there.current) is None else there.current
                    work.put(key, self._value(work, key, one), db=table)
                if decisions:
                    self._note_begin(work, there.older, min(one.at.timestamp() for one in decisions))
        except BaseException:
            self._undone()
            raise

    def _undone(self) -> None:
        """Forget what is known of the tables: a transaction was undone."""
        self._there = None
        self._stored.clear()

    def extent(self) -> tuple[int, float | None]:
        """The number of ids, and the time of the oldest, in seconds since 1970; None without one."""
        with self._begun() as work:
            counts = {name: _entries(work, table) for name, table in self._tables.items()}
            began = [_get(work, b"began-" + name, self._meta) for name, count in counts.items() if count]
        return sum(counts.values()), min((_TIME.unpack(at)[0] for at in began if at is not None), default=None)

    def _generations(self, work: Work) -> _Generations:
        a, b = self._tables.values()
        current, older = (b, a) if _get(work, b"current", self._meta) == b"b" else (a, b)
        return _Generations(current, older, _entries(work, current), _entries(work, older) > 0)

    def _rotate(self, work: Work, there: _Generations) -> None:
        """Drop the older generation; the current one is the older one from now on."""
        work.drop(there.older, delete=False)
        name = self._name(there.older)
        work.delete(b"began-" + name, db=self._meta)
        work.put(b"current", name, db=self._meta)
        there.current, there.older, there.ids, there.some_older = there.older, there.current, 0, True

    def _note_begin(self, work: Work, table: Table, at: float) -> None:
        """Note the time of the oldest id of a generation."""
        name = b"began-" + self._name(table)
        stored = _get(work, name, self._meta)
        if stored is None or at < _TIME.unpack(stored)[0]:
            work.put(name, _TIME.pack(at), db=self._meta)

    def _name(self, table: Table) -> bytes:
        return next(name for name, one in self._tables.items() if one is table)

    def _value(self, work: Work, key: bytes, one: Decision) -> bytes:
        """What is stored of a decision."""
        fields = (one.threshold, one.model_id, one.version, one.sha256, one.degraded)
        if (name := self._stored.get(fields)) is None:
            content = _encode(_Origin(*fields))
            name = self._stored[fields] = _digest(content)
            work.put(name, content, db=self._models)
        value = _VALUE.pack(_asked(one), nan if one.score is None else one.score, one.approved, name)
        return value + _SUM.pack(crc32(value, crc32(key)))

    def _stands(self, work: Work, key: bytes, stored: bytes, one: Decision) -> Claim:
        """The first decision of an id. Raises lmdb.CorruptedError."""
        value, checksum = stored[: _VALUE.size], stored[_VALUE.size :]
        if checksum != _SUM.pack(crc32(value, crc32(key))):
            raise lmdb.CorruptedError("a decision in it was changed")
        asked, score, approved, name = _VALUE.unpack(value)
        if asked != _asked(one):
            return Claim(None, False, None)
        content = _get(work, name, self._models)
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
        return Claim(first, True, None)


def remove(path: Path) -> None:
    """Remove the file with LMDB's lock file. Whoever has both open keeps both, apart from new ones. Raises OSError."""
    for each in (path, _lock_of(path)):
        each.unlink(missing_ok=True)


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-lock")


def _get(work: Work, key: bytes, table: Table) -> bytes | None:
    found: bytes | None = work.get(key, db=table)
    return found


def _entries(work: Work, table: Table) -> int:
    return int(work.stat(table)["entries"])


def _key(idea_id: str) -> bytes:
    return blake2b(idea_id.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()


def _asked(one: Decision) -> bytes:
    """The digest of what was asked: schema, features (the side among them) and symbol."""
    row = _ROW.pack(*[value + 0.0 for value in one.features])  # 0 and -0 are the same
    return blake2b(_SCHEMA + row + one.symbol.encode("utf-8", "surrogatepass"), digest_size=_ASKED).digest()


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_ORIGIN).digest()
