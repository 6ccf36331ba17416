"""Atomic file writes."""

import os
import tempfile
from pathlib import Path

from gatekeeper.errors import Unavailable


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically: a reader sees the old content or the new one.

    Raises Unavailable if the folder can't be written; then no file is left behind.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's mode would deny access to other users' servers and browsers
        temporary.replace(path)
    except OSError as fault:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise Unavailable(
            f"Can't write {path} ({fault.strerror or fault}), so nothing has changed. "
            "Check the folder's permissions and free space."
        ) from fault
