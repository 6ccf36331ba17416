"""Atomic file writes: a reader sees the whole content, or what was there before, whoever else writes the same file."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from gatekeeper.errors import Unavailable


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically and durably, for whom the umask allows; makes its folder if it is missing.

    A pipe or device is written to, never replaced by a file. Raises Unavailable if the folder can't be written; then no
    file is left behind.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content, mode=0o666)
    except OSError as fault:
        raise Unavailable(
            f"Can't write {path} ({fault.strerror or fault}), so nothing has changed. "
            "Check the folder's permissions and free space."
        ) from fault
    try:
        sync_folder(path.parent)
    except OSError as fault:
        raise Unavailable(
            f"{path} is written, but a power cut may lose it, since its folder can't be synced "
            f"({fault.strerror or fault}). Write it again."
        ) from fault


def replace(
    path: Path,
    content: bytes,
    *,
    mode: int,
    prefix: str | None = None,
    durable: bool = True,
    written: Callable[[], None] = lambda: None,
) -> None:
    """Replace `path` by a new file with `content`. Raises OSError; then no file is left behind.

    mode: its permissions, less those that the umask takes. prefix: of the temporary file beside it, default `.NAME.`.
    durable: whether its bytes are synced before it takes the name; the name itself survives a power cut only after
    `sync_folder`. written: called before the rename.
    """
    temporary = path.parent / f"{prefix or f'.{path.name}.'}{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        written()
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Sync the names in `folder` to disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
