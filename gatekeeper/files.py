"""Atomic file writes: a reader sees the whole content, or what was there before, whoever else writes the same file."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from gatekeeper.errors import Unavailable


def write_whole(path: Path, content: bytes) -> None:
    """Make `path` hold `content`, readable by everyone, and its folder if there is none; a power cut takes neither.

    Raises Unavailable, with nothing left behind, if the folder can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content, mode=0o644)  # other users' servers and browsers read it
    except OSError as fault:
        raise Unavailable(f"can't write {path}: {fault.strerror or fault}; nothing was left behind") from fault
    try:
        sync_folder(path.parent)
    except OSError as fault:
        raise Unavailable(
            f"{path} is written, but may not outlive a power cut: its folder can't be synced "
            f"({fault.strerror or fault}); write it again"
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
    """Put a new file with `content` in the place of `path`. Raises OSError, with nothing left behind.

    prefix: of the temporary file beside it, `.NAME.` by default. durable: its bytes are synced before it takes the
    name; the name itself is safe from a power cut only after `sync_folder`. written: called between the two.
    """
    descriptor, name = tempfile.mkstemp(prefix=prefix or f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)  # mkstemp's own is for this account alone
            if durable:
                os.fsync(file.fileno())
        written()
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` safe from a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
