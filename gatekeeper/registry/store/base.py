"""Model store: the interface, and the naming of blobs.

A model's bytes are kept once, immutable, at `.blobs/<sha256>`. The named files beside the blobs are copies, since
damage to a link would damage the blob too. The blob is written first, then the named copy, then the row. Readers see
complete files only.
"""

import hashlib
import re
from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from gatekeeper.errors import ModelRefused

BLOBS = ".blobs"
LONGEST_NAME = 255  # bytes: the limit of file systems

Undo = Callable[[], None]

_DIGEST = re.compile(r"[0-9a-f]{64}")


def nothing() -> None:
    """Undo a step that changed nothing."""


def sha256_of(content: bytes) -> str:
    """The SHA-256 digest in hex, which identifies these bytes everywhere."""
    return hashlib.sha256(content).hexdigest()


def blob_name(sha256: str) -> str:
    """The blob's name inside the models folder."""
    return f"{BLOBS}/{sha256}"


def kept_name(sha256: str) -> str:
    """The name for a user's bytes that were found under one of Gatekeeper's names; `gc` does not take it for a blob."""
    return f"{blob_name(sha256)}.kept"


def is_digest(name: str) -> bool:
    """Whether `name` is a blob's file name."""
    return _DIGEST.fullmatch(name) is not None


def inside(name: str) -> str:
    """`name` unchanged. Raises ModelRefused if it leads out of the models root (`outside`) or can't be a file name."""
    if not name:
        raise ModelRefused("missing", "The row names no file.")
    *folder, last = name.split("/")
    if folder not in ([], [BLOBS]) or last in {"", ".", ".."} or "\\" in name:
        raise ModelRefused("outside", f"{name!r} leads out of the models root. Only names of files in it are allowed.")
    if "\0" in name or len(last.encode(errors="surrogatepass")) > LONGEST_NAME:
        raise ModelRefused(
            "missing",
            f"{name[:80]!r} can't be a file name: it has more than {LONGEST_NAME} bytes or holds a null character.",
        )
    return name


class Store(Protocol):
    """The models root. Names are relative to it; a name that leads out of it raises ModelRefused (`outside`).

    Every method raises Unavailable if the store can't be reached, read or written now; that is never taken for a
    missing file. Methods that write return the function that undoes it.
    """

    cap: int  # size limit of a file, in bytes

    @abstractmethod
    def where(self, name: str) -> str:
        """`name` with the root before it, for messages."""

    @abstractmethod
    def make(self) -> None:
        """Make the root if it does not exist."""

    @abstractmethod
    def refuse_absent(self) -> None:
        """Raise Unavailable if this is not a store that `make` made: unmounted, or another folder or bucket."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes at `name`. Raises ModelRefused if the file is at fault, Unavailable if the store is."""

    @abstractmethod
    def may_hold(self, name: str, content: bytes) -> bool:
        """Whether `name` is free, or a file with these bytes already."""

    @abstractmethod
    def put_blob(self, content: bytes) -> Undo:
        """Store `content` as a blob."""

    @abstractmethod
    def place(self, name: str, content: bytes) -> Undo:
        """Make the file `name` a copy of `content`.

        Other bytes found there are kept, as a blob or beside it: a user's file is never lost.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove the file `name` if it exists."""

    @abstractmethod
    def names(self) -> list[str]:
        """All named files, sorted, without blobs, folders, hidden files (such as .gitkeep) and unfinished ones."""

    @abstractmethod
    def blobs(self) -> list[str]:
        """The sha256 in the names of all blobs, sorted, whatever they hold."""

    @abstractmethod
    def leftovers(self) -> list[str]:
        """The names of half-written files of killed writers. Call it under the lock: else a live writer's show too."""

    @abstractmethod
    def written_at(self, name: str) -> datetime | None:
        """The time of the last write of `name`, by the store's clock, aware UTC; None if it does not exist."""

    def holds(self, name: str, sha256: str) -> bool:
        """Whether `name` holds these bytes. False for anything else; raises Unavailable if the store is at fault."""
        try:
            return sha256_of(self.read(name)) == sha256
        except ModelRefused:
            return False

    def is_missing(self, name: str) -> bool:
        """Whether there is no file `name`. False for a file at fault; raises Unavailable if the store is."""
        try:
            self.read(name)
        except ModelRefused as fault:
            return fault.reason == "missing"
        return False

    def find(self, name: str, sha256: str) -> bytes:
        """The bytes of this sha256, from `name`, else from their blob.

        Raises ModelRefused (`missing` or `sha256`) if neither holds them, Unavailable if the store can't be reached.
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
            faults.append(ModelRefused("sha256", f"{self.where(place)} has sha256 {found}; registered is {sha256}."))
        raise ModelRefused(faults[0].reason, " ".join(str(fault) for fault in faults))
