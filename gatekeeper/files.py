"""How is a file written? Whole or not at all, whoever else writes the same one."""

import os
import tempfile
from pathlib import Path

from gatekeeper.errors import Unavailable


def write_whole(path: Path, content: bytes) -> None:
    """Makes `path` hold `content`: a reader sees all of it, or what was there before.

    Raises Unavailable, with nothing left behind, where the folder can't be written.
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
        temporary.chmod(0o644)  # mkstemp's own mode would keep other users' servers and browsers out
        temporary.replace(path)
    except OSError as fault:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise Unavailable(f"can't write {path}: {fault.strerror or fault}; nothing was left behind") from fault
