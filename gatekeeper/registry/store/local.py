"""Local model store: a folder on disk, written atomically.

Each file is written to a temporary file, synced and renamed, and then the folder is synced.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gatekeeper.errors import ConfigError, ModelRefused, StorageFailed, Unavailable
from gatekeeper.files import replace, sync_folder
from gatekeeper.model.files import read_model
from gatekeeper.registry.store.base import (
    BLOBS,
    Store,
    Undo,
    blob_name,
    inside,
    is_digest,
    kept_name,
    nothing,
    sha256_of,
)

READ_ONLY = 0o444
TEMPORARY = ".tmp-"
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LocalStore(Store):
    """The models folder. `step` is called with the name of each write, so that tests can stop there."""

    def __init__(self, root: Path, *, cap: int, step: Callable[[str], None]) -> None:
        self.root = root
        self.cap = cap
        self._step = step

    def where(self, name: str) -> str:
        """The path on this disk."""
        return str(self.root / name)

    def make(self) -> None:
        """Make the folder and that of the blobs, which tells a models folder from an empty mount point."""
        with _clear_errors(self.root):
            (self.root / BLOBS).mkdir(parents=True, exist_ok=True)

    def refuse_absent(self) -> None:
        """Raise Unavailable if the folder or that of its blobs is missing, as on an unmounted volume."""
        if not os.path.isdir(self.root):  # noqa: PTH112  # Path.is_dir raises if a parent folder is not accessible
            raise Unavailable(
                f"The models folder {self.root} does not exist. Mount it, or name another one in GATEKEEPER_MODELS."
            )
        if not os.path.isdir(self.root / BLOBS):  # noqa: PTH112  # a volume that isn't mounted leaves an empty folder
            raise Unavailable(
                f"{self.root / BLOBS} does not exist. Mount the models folder, name another one in GATEKEEPER_MODELS, "
                "or make a new one with `gatekeeper db upgrade`."
            )

    def read(self, name: str) -> bytes:
        """The bytes of a regular file, or of a link to one inside the folder."""
        try:
            return read_model(self.root / inside(name), root=self.root, cap=self.cap)
        except ModelRefused as fault:
            if fault.reason == "missing":
                self.refuse_absent()
            raise

    def may_hold(self, name: str, content: bytes) -> bool:
        """Whether the name is free or holds these bytes. A link, even a dangling one, takes the name."""
        target = self.root / inside(name)
        with _clear_errors(target):
            if not os.path.lexists(target):
                return True
            return _is_regular(target) and target.stat().st_size == len(content) and target.read_bytes() == content

    def put_blob(self, content: bytes) -> Undo:
        """Store a blob; a missing folder of the blobs is made again."""
        blob = self.root / blob_name(sha256_of(content))
        with _clear_errors(blob):
            blob.parent.mkdir(exist_ok=True)
            self._refuse_other_root(blob.parent)
            return self._place(blob, content)

    def place(self, name: str, content: bytes) -> Undo:
        """Write a named file. A link under this name is replaced, never followed."""
        target = self.root / inside(name)
        with _clear_errors(target):
            displaced = self._regular(target)
            if displaced is not None and displaced != content:
                self._keep(displaced)
            return self._place(target, content)

    def remove(self, name: str) -> None:
        """Remove the file, or the link itself."""
        target = self.root / inside(name)
        with _clear_errors(target):
            target.unlink(missing_ok=True)
            sync_folder(target.parent)

    def names(self) -> list[str]:
        """The named files, dangling links included."""
        return [name for name in self._entries("") if not name.startswith(".")]

    def blobs(self) -> list[str]:
        """The blobs, by their names alone."""
        return [name for name in self._entries(BLOBS) if is_digest(name)]

    def leftovers(self) -> list[str]:
        """Temporary files in the folder and in that of the blobs."""
        return [
            f"{folder}{name}"
            for folder in ("", f"{BLOBS}/")
            for name in self._entries(folder)
            if name.startswith(TEMPORARY)
        ]

    def written_at(self, name: str) -> datetime | None:
        """The modification time; of a link, that of the link itself."""
        with _clear_errors(self.root / name):
            try:
                written = os.lstat(self.root / inside(name)).st_mtime
            except FileNotFoundError:
                return None
            return datetime.fromtimestamp(written, UTC)

    def _keep(self, displaced: bytes) -> None:
        """Keep displaced bytes, unless a blob has them already, as it has those of a name that moves to another row."""
        sha256 = sha256_of(displaced)
        if not self.holds(blob_name(sha256), sha256):
            self._place(self.root / kept_name(sha256), displaced)

    def _entries(self, folder: str) -> list[str]:
        """All entries of a folder of the root but its folders, links included."""
        self.refuse_absent()
        with _clear_errors(self.root / folder), os.scandir(self.root / folder) as found:
            return sorted(entry.name for entry in found if not entry.is_dir(follow_symlinks=False))

    def _place(self, target: Path, content: bytes) -> Undo:
        before = self._regular(target)
        if before == content and target.stat().st_nlink == 1:  # a hard link would share another file's fate
            return nothing
        link = target.readlink() if target.is_symlink() else None

        def undo() -> None:
            if before is not None:
                self._write(target, before)
                return
            target.unlink(missing_ok=True)
            if link is not None:
                target.symlink_to(link)

        try:
            self._write(target, content)
        except OSError:
            if self._regular(target) == content:  # renamed already: only the folder's sync failed
                undo()
            raise
        return undo

    def _write(self, target: Path, content: bytes) -> None:
        replace(target, content, mode=READ_ONLY, prefix=TEMPORARY, written=lambda: self._step(f"written {target.name}"))
        sync_folder(target.parent)
        self._step(f"placed {target.name}")

    def _regular(self, path: Path) -> bytes | None:
        """The bytes of the regular file `path`; None for a link and anything else."""
        if not _is_regular(path):
            return None
        if path.stat().st_size > self.cap:
            raise Unavailable(f"{path} is a file over the limit of {self.cap:,} bytes. Move it away first.")
        return path.read_bytes()

    def _refuse_other_root(self, folder: Path) -> None:
        if not (there := folder.resolve()).is_relative_to(self.root.resolve()):
            raise ConfigError(
                f"{folder} is a link to {there}, outside the models folder {self.root}. Replace it by a folder."
            )


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Translate errors of the operating system: StorageFailed if the disk has no room, else Unavailable."""
    try:
        yield
    except OSError as fault:
        if fault.errno in NO_ROOM:
            raise StorageFailed(
                f"{path} can't be written ({fault.strerror}), so nothing has changed. "
                "Free some space there, then repeat it."
            ) from fault
        raise Unavailable(
            f"{path} can't be written ({fault.strerror or fault}), so nothing has changed. "
            "Check that GATEKEEPER_MODELS is a writable folder with free space."
        ) from fault


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
