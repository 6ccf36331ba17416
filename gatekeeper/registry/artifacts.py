"""Where do a model's bytes live, and how do they get there whole?

Once, immutable, at `.blobs/<sha256>`; the named files beside are copies, since a link would share the blob's fate.
Everything is written to a temporary file, synced, renamed, and the folder synced: a reader sees whole files only.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gatekeeper.errors import ConfigError, ModelRefused, Unavailable
from gatekeeper.model.files import read_model

BLOBS = ".blobs"
READ_ONLY = 0o444

Undo = Callable[[], None]


def _nothing() -> None:
    """Undoes a step that changed nothing."""


def sha256_of(content: bytes) -> str:
    """Hex digest: the name of these bytes everywhere."""
    return hashlib.sha256(content).hexdigest()


def blob_name(sha256: str) -> str:
    """Where the blob lies, inside the models folder."""
    return f"{BLOBS}/{sha256}"


class LocalStore:
    """The models folder. Names are relative to it. `step` is told of each write, so that tests can stop there."""

    def __init__(self, root: Path, *, cap: int, step: Callable[[str], None]) -> None:
        self.root = root
        self.cap = cap
        self._step = step

    @classmethod
    def at(cls, models: str | Path, *, cap: int, step: Callable[[str], None]) -> "LocalStore":
        """The store that the setting `models` names: a path, or a file:// URI."""
        if isinstance(models, str) and "://" in models:
            scheme, _, rest = models.partition("://")
            if scheme != "file":
                raise ConfigError(f"GATEKEEPER_MODELS={models!r}: only a folder for now, not {scheme}://")
            models = rest
        return cls(Path(models), cap=cap, step=step)

    def make(self) -> None:
        """The folder itself, where it isn't there yet."""
        with _clear_errors(self.root):
            (self.root / BLOBS).mkdir(parents=True, exist_ok=True)

    def read(self, name: str) -> bytes:
        """The bytes at `name`. Raises ModelRefused where that file is at fault, Unavailable where the store is."""
        if not os.path.isdir(self.root):  # noqa: PTH112  # Path.is_dir raises where a folder above is closed to us
            raise Unavailable(f"the models folder {self.root} isn't there just now; GATEKEEPER_MODELS names it")
        if not name:
            raise ModelRefused("missing", "the row names no file")
        return read_model(self.root / name, root=self.root, cap=self.cap)

    def holds(self, name: str, sha256: str) -> bool:
        """Are the bytes at `name` these? False for whatever else is there; Unavailable where the store is at fault."""
        try:
            return sha256_of(self.read(name)) == sha256
        except ModelRefused:
            return False

    def may_hold(self, name: str, content: bytes) -> bool:
        """Is `name` free, or a file with these bytes already?"""
        target = self.root / name
        with _clear_errors(target):
            return not os.path.lexists(target) or _regular(target) == content

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
            faults.append(ModelRefused("sha256", f"{self.root / place} has sha256 {found}; registered is {sha256}"))
        if not (self.root / BLOBS).is_dir():  # a volume that isn't mounted leaves an empty folder
            raise Unavailable(f"{self.root / BLOBS} isn't there: is the models folder mounted?")
        raise ModelRefused(faults[0].reason, "; ".join(str(fault) for fault in faults))

    def put_blob(self, content: bytes) -> Undo:
        """Keep `content` for good; returns how to undo that."""
        blob = self.root / blob_name(sha256_of(content))
        with _clear_errors(blob):
            blob.parent.mkdir(exist_ok=True)
            return self._place(blob, content)

    def place(self, name: str, content: bytes) -> Undo:
        """Make the file `name` a copy of `content`; returns how to undo that.

        Other bytes that somebody put there are kept as a blob: no file of a user's is lost.
        """
        target = self.root / name
        with _clear_errors(target):
            if target.is_file() and target.stat().st_size > self.cap:
                raise Unavailable(f"{target} is taken by a file over the cap of {self.cap:,} bytes; move it away first")
            displaced = _regular(target)
            if displaced is not None and displaced != content:
                self.put_blob(displaced)
            return self._place(target, content)

    def remove(self, name: str) -> None:
        """Take the file `name` away, where it is still there."""
        with _clear_errors(self.root / name):
            (self.root / name).unlink(missing_ok=True)
            _sync_folder(self.root)

    def _place(self, target: Path, content: bytes) -> Undo:
        before = _regular(target)
        if before == content and target.stat().st_nlink == 1:  # a hard link would share another file's fate
            return _nothing
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
            if _regular(target) == content:  # renamed already: only the folder's sync failed
                undo()
            raise
        return undo

    def _write(self, target: Path, content: bytes) -> None:
        descriptor, path = tempfile.mkstemp(prefix=".tmp-", dir=target.parent)
        temporary = Path(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), READ_ONLY)
                os.fsync(file.fileno())
            self._step(f"written {target.name}")
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
        self._step(f"placed {target.name}")


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """What the operating system raises, in our words."""
    try:
        yield
    except OSError as fault:
        raise Unavailable(
            f"{path} can't be written ({fault.strerror or fault}); nothing has changed. "
            "Is GATEKEEPER_MODELS a folder, writable, with room left?"
        ) from fault


def _regular(path: Path) -> bytes | None:
    """The bytes of the regular file `path` itself (no link); None for anything else."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
