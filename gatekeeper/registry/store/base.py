"""Where do a model's bytes live, and what may be asked of that place?

Once, immutable, at `.blobs/<sha256>`; the named files beside are copies, since a link would share the blob's fate.
The blob comes first, then the named copy, then the row; a reader sees whole files only, wherever the store is.
"""

import hashlib
import re
from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from gatekeeper.errors import ModelRefused

BLOBS = ".blobs"
LONGEST_NAME = 255  # bytes; no folder holds a longer one

Undo = Callable[[], None]

_DIGEST = re.compile(r"[0-9a-f]{64}")


def nothing() -> None:
    """Undoes a step that changed nothing."""


def sha256_of(content: bytes) -> str:
    """Hex digest: the name of these bytes everywhere."""
    return hashlib.sha256(content).hexdigest()


def blob_name(sha256: str) -> str:
    """Where the blob lies, inside the models folder."""
    return f"{BLOBS}/{sha256}"


def kept_name(sha256: str) -> str:
    """Where somebody's bytes are kept that lay under a name of ours: no clean-up takes them for a blob."""
    return f"{blob_name(sha256)}.kept"


def is_digest(name: str) -> bool:
    """Is `name` what a blob is called?"""
    return _DIGEST.fullmatch(name) is not None


def inside(name: str) -> str:
    """`name` as it is. Raises ModelRefused where it leaves the models root (`outside`), or no file can have it."""
    if not name:
        raise ModelRefused("missing", "the row names no file")
    *folder, last = name.split("/")
    if folder not in ([], [BLOBS]) or last in {"", ".", ".."} or "\\" in name:
        raise ModelRefused("outside", f"{name!r} leads out of the models root; only the names of files in it are taken")
    if "\0" in name or len(last.encode(errors="surrogatepass")) > LONGEST_NAME:
        raise ModelRefused("missing", f"no file can be called {name[:80]!r}: it is too long, or holds a null character")
    return name


class Store(Protocol):
    """The models root. Names are relative to it; those that lead out of it are refused (ModelRefused, `outside`).

    Unavailable means that the store can't be reached, read or written just now: never taken for a missing file.
    What writes returns how to undo that.
    """

    cap: int  # bytes: the largest file that is read

    @abstractmethod
    def where(self, name: str) -> str:
        """`name` with the root before it, for people."""

    @abstractmethod
    def make(self) -> None:
        """The root itself, where it isn't there yet."""

    @abstractmethod
    def refuse_absent(self) -> None:
        """Raise Unavailable where this is no store that `make` made: unmounted, or another one."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes at `name`. Raises ModelRefused where that file is at fault, Unavailable where the store is."""

    @abstractmethod
    def may_hold(self, name: str, content: bytes) -> bool:
        """Is `name` free, or a file with these bytes already?"""

    @abstractmethod
    def put_blob(self, content: bytes) -> Undo:
        """Keep `content` for good."""

    @abstractmethod
    def place(self, name: str, content: bytes) -> Undo:
        """Make the file `name` a copy of `content`.

        Other bytes that somebody put there are kept, as a blob or beside it: no file of a user's is lost.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Take the file `name` away, where it is still there."""

    @abstractmethod
    def names(self) -> list[str]:
        """All named files, sorted; no blob, no folder, nothing hidden (such as .gitkeep) or still being written."""

    @abstractmethod
    def blobs(self) -> list[str]:
        """The sha256 that all blobs go by, sorted, whatever they hold."""

    @abstractmethod
    def leftovers(self) -> list[str]:
        """Names of what writers that were killed left half-written. Only under the lock are they surely nobody's."""

    @abstractmethod
    def written_at(self, name: str) -> datetime | None:
        """When `name` was last written, by the store's clock, aware UTC; None where it isn't there."""

    def holds(self, name: str, sha256: str) -> bool:
        """Are the bytes at `name` these? False for whatever else is there; Unavailable where the store is at fault."""
        try:
            return sha256_of(self.read(name)) == sha256
        except ModelRefused:
            return False

    def is_missing(self, name: str) -> bool:
        """Is there no file `name`? False for a file at fault; Unavailable where the store is."""
        try:
            self.read(name)
        except ModelRefused as fault:
            return fault.reason == "missing"
        return False

    def find(self, name: str, sha256: str) -> bytes:
        """These bytes, from `name` or else from their blob.

        Raises ModelRefused (`missing` or `sha256`) where neither holds them, Unavailable where the store is gone.
        """
        faults = []
        for place in (name, blob_name(sha256)):
            try:
                content = self.read(place)
            except ModelRefused as fault:
                faults.append(fault)
                continue
            if (found := sha256_of(content)) == sha256:
                return content
            faults.append(ModelRefused("sha256", f"{self.where(place)} has sha256 {found}; registered is {sha256}"))
        raise ModelRefused(faults[0].reason, "; ".join(str(fault) for fault in faults))
