"""Object store: model files on S3, Google Cloud Storage or Azure, by fsspec.

Names and the order of writes are those of the folder. A put is atomic, so there are no temporary files. There are no
folders either, so a marker object tells the store from an empty or mistyped prefix.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import ConfigError, GatekeeperError, ModelRefused, Unavailable
from gatekeeper.logs import clear_stores
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
from gatekeeper.secret_urls import SecretUrl

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MARKER = f"{BLOBS}/README"
MARKER_TEXT = (
    b"Gatekeeper keeps the bytes of each model here once, named by their sha256. Keep this object too: if it is\n"
    b"missing, Gatekeeper takes the store for unreachable or for another one. `gatekeeper db upgrade` writes it.\n"
)
S3 = {"s3", "s3a"}
# Few retries: while a writer waits here, all others wait too. Airflow's retries and a server's next poll try again.
S3_PATIENCE: Mapping[str, object] = {
    "connect_timeout": 5,
    "read_timeout": 15,
    "retries": {"total_max_attempts": 2, "mode": "standard"},
}


class ObjectStore(Store):
    """A prefix of a bucket. `step` is called with the name of each write, so that tests can stop there.

    Any fsspec file system with atomic puts and read-after-write consistency works: S3 and compatible stores, Google
    Cloud Storage, Azure. Credentials and endpoint come from the environment (AWS_...) or fsspec's configuration.
    """

    def __init__(self, url: SecretUrl, *, cap: int, step: Callable[[str], None]) -> None:
        whole = url.reveal().rstrip("/")
        self.url = url if whole == url.reveal() else SecretUrl.store(whole)
        self.cap = cap
        self._step = step
        self._scheme, _, rest = whole.partition("://")
        if "::" in whole or not rest or {"", ".", ".."} & set(rest.split("/")):
            raise ConfigError(
                f"GATEKEEPER_MODELS={str(url)!r} does not name a place in an object store. Write one such as "
                "s3://bucket/prefix."
            )
        _refuse_uninstalled(self._scheme)
        self._connected: tuple[int, AbstractFileSystem, str] | None = None

    def where(self, name: str) -> str:
        """The URL of `name`."""
        return f"{self.url}/{name}"

    def make(self) -> None:
        """Write the marker object; the bucket must exist."""
        if self._size(MARKER) is None:
            self._put(MARKER, MARKER_TEXT)

    def refuse_absent(self) -> None:
        """Raise Unavailable without the marker: a missing bucket or mistyped prefix looks like missing objects."""
        if self._size(MARKER) is None:
            raise Unavailable(
                f"{self.where(MARKER)} does not exist, so this may not be the store that GATEKEEPER_MODELS means. "
                "Fix that setting, or make a new store with `gatekeeper db upgrade`."
            )

    def read(self, name: str) -> bytes:
        """The bytes of an object; one over the size limit is never fetched."""
        content = self._read(inside(name))
        if content is None:
            self.refuse_absent()
            raise ModelRefused("missing", f"{self.where(name)} does not exist.")
        refuse_other_content(content, cap=self.cap, name=self.where(name))
        return content

    def may_hold(self, name: str, content: bytes) -> bool:
        """Whether the name is free or holds these bytes; fetched only if the size is the same."""
        size = self._size(inside(name))
        return size is None or (size == len(content) and self._read(name) == content)

    def put_blob(self, content: bytes) -> Undo:
        """Put the blob, unless it is right already."""
        name = blob_name(sha256_of(content))
        return self._place(name, content, self._taken_by(name))

    def place(self, name: str, content: bytes) -> Undo:
        """Put the object, unless it is right already."""
        displaced = self._taken_by(inside(name))
        if displaced is not None and displaced != content:
            self._keep(displaced)
        return self._place(name, content, displaced)

    def remove(self, name: str) -> None:
        """Remove the object; a missing one is not an error."""
        filesystem, path = self._at(inside(name))
        with self._clear_errors(name, "removed"), suppress(FileNotFoundError):
            filesystem.rm_file(path)

    def names(self) -> list[str]:
        """The objects directly under the prefix."""
        self.refuse_absent()
        return [name for name in self._objects("") if not name.startswith(".")]

    def blobs(self) -> list[str]:
        """The blobs, by their names alone."""
        self.refuse_absent()
        return [name for name in self._objects(f"/{BLOBS}") if is_digest(name)]

    def leftovers(self) -> list[str]:
        """Always empty: a put is atomic."""
        return []

    def written_at(self, name: str) -> datetime | None:
        """The store's modification time."""
        filesystem, path = self._at(inside(name))
        with self._clear_errors(name, "looked at"):
            try:
                written: datetime = filesystem.modified(path)
            except FileNotFoundError:
                return None
            return written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)

    def _keep(self, displaced: bytes) -> None:
        """Keep displaced bytes, unless a blob has them already, as it has those of a name that moves to another row."""
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
        """The bytes at `name`. Raises Unavailable if they are over the size limit, so that they can't be kept."""
        try:
            return self._read(name)
        except ModelRefused as fault:
            raise Unavailable(f"{fault} Move it away first.") from fault

    def _read(self, name: str) -> bytes | None:
        """The object's bytes; None if it is missing. Raises ModelRefused, without reading, if it is over the limit."""
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
        """The size of the object at `name` in bytes; None if it is missing."""
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
        """The names of the objects directly under the root, or under its `folder`."""
        filesystem, path = self._at("")
        with self._clear_errors(folder, "listed"):
            try:
                found = filesystem.ls(path.rstrip("/") + folder, detail=True)
            except FileNotFoundError:
                return []
            return sorted(entry["name"].rpartition("/")[2] for entry in found if entry["type"] == "file")

    def _at(self, name: str) -> tuple["AbstractFileSystem", str]:
        """The file system and its path of `name`. Connects at first use, since most queries need the database alone."""
        if self._connected is None or self._connected[0] != os.getpid():  # connections don't outlive a fork
            self._connected = (os.getpid(), *_connect(self.url, self._scheme))
        _, filesystem, root = self._connected
        return filesystem, f"{root}/{name}"

    @contextmanager
    def _clear_errors(self, name: str, done: str) -> Iterator[None]:
        """Translate back-end errors into the package's own. The caller handles FileNotFoundError first."""
        try:
            yield
        except GatekeeperError:
            raise
        except NotImplementedError as fault:
            raise ConfigError(
                f"{self.where(name)} can't be {done}: {self._scheme}:// does not support it. Use another store."
            ) from fault
        except Exception as fault:  # noqa: BLE001  # each back end has errors of its own, and all mean the same here
            why = self.url.hide(_first_line(fault))
            raise Unavailable(
                f"{self.where(name)} can't be {done} now ({why}), so nothing has changed. "
                "Check that the store is up and that these credentials may list, read and write there."
            ) from self.url.harmless(fault)


def _refuse_uninstalled(scheme: str) -> None:
    for module in ("fsspec", "s3fs") if scheme in S3 else ("fsspec",):
        if not _is_installed(module):
            raise ConfigError(
                f"Models on {scheme}:// need the package {module}, which is not installed. "
                "Run `pip install 'gatekeeper[s3]'`."
            )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def _first_line(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".splitlines()[0]


def _connect(url: SecretUrl, scheme: str) -> tuple["AbstractFileSystem", str]:
    import fsspec

    clear_stores()
    # A cached listing would show old names; a shared instance would keep other settings.
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme in S3:
        set_by_user = fsspec.config.conf.get(scheme, {}).get("config_kwargs", {})
        options["config_kwargs"] = {**S3_PATIENCE, **set_by_user}
    try:
        filesystem, root = fsspec.core.url_to_fs(url.reveal(), **options)
    except (ImportError, ValueError, TypeError) as fault:
        raise ConfigError(f"GATEKEEPER_MODELS={str(url)!r}: {url.hide(fault)}") from url.harmless(fault)
    except Exception as fault:  # noqa: BLE001  # some connect already, as FTP does, each with errors of its own
        raise Unavailable(
            f"GATEKEEPER_MODELS={url} can't be opened now ({url.hide(_first_line(fault))}), so nothing has changed. "
            "Check that the store is up."
        ) from url.harmless(fault)
    if scheme in S3:
        filesystem.retries = 1  # s3fs repeats what botocore has repeated already
    return filesystem, str(root).rstrip("/")
