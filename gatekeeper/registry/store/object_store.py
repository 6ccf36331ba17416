"""How do a model's bytes live on an object store, such as S3?

Under the same names and in the same order of events as in a folder. A put is atomic there, so there is no temporary
file; and there are no folders, so an object of ours says that this is the store, and not an empty one of another name.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import ConfigError, GatekeeperError, ModelRefused, Unavailable
from gatekeeper.model.files import refuse_other_content, too_large
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

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MARKER = f"{BLOBS}/README"
MARKER_TEXT = (
    b"Gatekeeper keeps the bytes of each model here once, named by their sha256. Keep this object, too: where it is\n"
    b"missing, Gatekeeper takes the store for unreachable or for another one. `gatekeeper db upgrade` writes it.\n"
)
S3 = {"s3", "s3a"}
# Waiting is the caller's to decide (Airflow's retries, a server's next poll): while a writer waits here, all others do.
S3_PATIENCE: Mapping[str, object] = {
    "connect_timeout": 5,
    "read_timeout": 15,
    "retries": {"total_max_attempts": 2, "mode": "standard"},
}


class ObjectStore(Store):
    """A prefix of a bucket. `step` is told of each write, so that tests can stop there.

    Any file system that fsspec knows will do whose put is atomic and whose reads see the last put: S3 and its like,
    Google Cloud Storage, Azure. Credentials and end point are the environment's (AWS_...), or fsspec's own config.
    """

    def __init__(self, url: str, *, cap: int, step: Callable[[str], None]) -> None:
        self.url = url.rstrip("/")
        self.cap = cap
        self._step = step
        self._scheme, _, rest = self.url.partition("://")
        if "::" in url or not rest or {"", ".", ".."} & set(rest.split("/")):
            raise ConfigError(
                f"GATEKEEPER_MODELS={url!r} names no place in an object store; such as s3://bucket/prefix"
            )
        _refuse_uninstalled(self._scheme)
        self._connected: tuple[int, AbstractFileSystem, str] | None = None

    def where(self, name: str) -> str:
        """As a URL."""
        return f"{self.url}/{name}"

    def make(self) -> None:
        """Writes the object that says so; the bucket itself must be there."""
        if self._size(MARKER) is None:
            self._put(MARKER, MARKER_TEXT)

    def refuse_absent(self) -> None:
        """A bucket that is gone and a prefix that is mistyped look like missing objects, but for this."""
        if self._size(MARKER) is None:
            raise Unavailable(
                f"{self.where(MARKER)} isn't there: is this the store that GATEKEEPER_MODELS means? "
                "`gatekeeper db upgrade` makes a new one of it"
            )

    def read(self, name: str) -> bytes:
        """Its size first: what is over the cap is never fetched."""
        content = self._read(inside(name))
        if content is None:
            self.refuse_absent()
            raise ModelRefused("missing", f"{self.where(name)} does not exist")
        refuse_other_content(content, cap=self.cap, name=self.where(name))
        return content

    def may_hold(self, name: str, content: bytes) -> bool:
        """Fetched only where the size is that of `content`."""
        size = self._size(inside(name))
        return size is None or (size == len(content) and self._read(name) == content)

    def put_blob(self, content: bytes) -> Undo:
        """One put; none where the blob is right already."""
        name = blob_name(sha256_of(content))
        return self._place(name, content, self._taken_by(name))

    def place(self, name: str, content: bytes) -> Undo:
        """One put; none where the object is right already."""
        displaced = self._taken_by(inside(name))
        if displaced is not None and displaced != content:
            self._keep(displaced)
        return self._place(name, content, displaced)

    def remove(self, name: str) -> None:
        """Removing what is gone succeeds."""
        filesystem, path = self._at(inside(name))
        with self._clear_errors(name, "removed"), suppress(FileNotFoundError):
            filesystem.rm_file(path)

    def names(self) -> list[str]:
        """Objects right under the prefix."""
        self.refuse_absent()
        return [name for name in self._objects("") if not name.startswith(".")]

    def blobs(self) -> list[str]:
        """By their names alone."""
        self.refuse_absent()
        return [name for name in self._objects(f"/{BLOBS}") if is_digest(name)]

    def leftovers(self) -> list[str]:
        """None: an object is there whole, or not at all."""
        return []

    def written_at(self, name: str) -> datetime | None:
        """As the store says it."""
        filesystem, path = self._at(inside(name))
        with self._clear_errors(name, "looked at"):
            try:
                written: datetime = filesystem.modified(path)
            except FileNotFoundError:
                return None
            return written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)

    def _keep(self, displaced: bytes) -> None:
        """Somebody's bytes: the blob may have them already, as it has those of a name that moves to another row."""
        sha256 = sha256_of(displaced)
        if not self.holds(blob_name(sha256), sha256):
            self._place(kept_name(sha256), displaced, self._taken_by(kept_name(sha256)))

    def _place(self, name: str, content: bytes, before: bytes | None) -> Undo:
        if before == content:
            return nothing

        def undo() -> None:
            if before is None:
                self.remove(name)
            else:
                self._put(name, before)

        self._step(f"putting {name}")
        try:
            self._put(name, content)
        except Unavailable:
            with suppress(Unavailable):
                undo()  # perhaps only the answer was lost
            raise
        self._step(f"placed {name}")
        return undo

    def _taken_by(self, name: str) -> bytes | None:
        """What lies at `name`. Raises Unavailable where that is more than we would keep."""
        try:
            return self._read(name)
        except ModelRefused as fault:
            raise Unavailable(f"{fault}; move it away first") from fault

    def _read(self, name: str) -> bytes | None:
        """The object's bytes; None where there is none. Raises ModelRefused over the cap, and reads none of it then."""
        size = self._size(name)
        if size is None or size == 0:  # no range of an empty object can be asked for
            return None if size is None else b""
        if size > self.cap:
            raise ModelRefused("size", too_large(self.where(name), size, self.cap))
        filesystem, path = self._at(name)
        with self._clear_errors(name, "read"):
            try:
                content = bytes(filesystem.cat_file(path, start=0, end=self.cap + 1))
            except FileNotFoundError:
                return None
        if len(content) > self.cap:  # it has grown since
            raise ModelRefused("size", too_large(self.where(name), len(content), self.cap))
        return content

    def _size(self, name: str) -> int | None:
        """Bytes of the object at `name`; None where there is none."""
        filesystem, path = self._at(name)
        with self._clear_errors(name, "looked at"):
            try:
                found = filesystem.info(path)
            except FileNotFoundError:
                return None
            return int(found["size"]) if found["type"] == "file" else None

    def _put(self, name: str, content: bytes) -> None:
        filesystem, path = self._at(name)
        with self._clear_errors(name, "written"):
            filesystem.pipe_file(path, content)

    def _objects(self, folder: str) -> list[str]:
        """The names of the objects right under the root, or under its `folder`."""
        filesystem, path = self._at("")
        with self._clear_errors(folder, "listed"):
            try:
                found = filesystem.ls(path.rstrip("/") + folder, detail=True)
            except FileNotFoundError:
                return []
            return sorted(entry["name"].rpartition("/")[2] for entry in found if entry["type"] == "file")

    def _at(self, name: str) -> tuple["AbstractFileSystem", str]:
        """The file system, and how it calls `name`. Made at first use: the database alone answers most questions."""
        if self._connected is None or self._connected[0] != os.getpid():  # connections don't outlive a fork
            self._connected = (os.getpid(), *_connect(self.url, self._scheme))
        _, filesystem, root = self._connected
        return filesystem, f"{root}/{name}"

    @contextmanager
    def _clear_errors(self, name: str, done: str) -> Iterator[None]:
        """What the back ends raise, in our words. That something is missing is for the caller to tell beforehand."""
        try:
            yield
        except GatekeeperError:
            raise
        except NotImplementedError as fault:
            raise ConfigError(f"{self.where(name)} can't be {done}: {self._scheme}:// doesn't do that") from fault
        except Exception as fault:  # each back end has errors of its own, and all mean the same here
            raise Unavailable(
                f"{self.where(name)} can't be {done} just now ({_first_line(fault)}); nothing has changed. "
                "Is the store up, and may these credentials list, read and write there?"
            ) from fault


def _refuse_uninstalled(scheme: str) -> None:
    for module in ("fsspec", "s3fs") if scheme in S3 else ("fsspec",):
        if not _is_installed(module):
            raise ConfigError(
                f"models on {scheme}:// need the package {module}, which isn't installed: "
                "`pip install 'gatekeeper[s3]'` adds it"
            )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def _first_line(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".splitlines()[0]


def _connect(url: str, scheme: str) -> tuple["AbstractFileSystem", str]:
    import fsspec

    # A listing that is kept would show yesterday's names; an instance that is shared would keep other settings.
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme in S3:
        set_by_user = fsspec.config.conf.get(scheme, {}).get("config_kwargs", {})
        options["config_kwargs"] = {**S3_PATIENCE, **set_by_user}
    try:
        filesystem, root = fsspec.core.url_to_fs(url, **options)
    except (ImportError, ValueError, TypeError) as fault:
        raise ConfigError(f"GATEKEEPER_MODELS={url!r}: {fault}") from fault
    if scheme in S3:
        filesystem.retries = 1  # s3fs repeats what botocore has repeated already
    return filesystem, str(root).rstrip("/")
