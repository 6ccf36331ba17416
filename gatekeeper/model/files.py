"""Model files: reads a file safely, and refuses what is plainly not an ONNX model."""

import os
import stat
from pathlib import Path

from gatekeeper.errors import ModelRefused, Unavailable

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
HTML_STARTS = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")


def read_model(path: Path, *, root: Path | None, cap: int) -> bytes:
    """The bytes of the regular file at `path`, read once, at most `cap` of them; inside `root` if one is given.

    A symlink is followed; its target must lie inside `root` too. Raises ModelRefused if the file is at fault,
    Unavailable if the disk is.
    """
    target = _resolve(path)
    if root is not None and not target.is_relative_to(root.resolve()):
        raise ModelRefused(
            "outside", f"{path} is a link to {target}, outside the models folder {root}. Copy the file into the folder."
        )
    try:
        content = _read_regular(target, path, cap)
    except OSError as fault:
        raise Unavailable(f"{path} can't be read now: {fault.strerror or fault}.") from fault
    refuse_other_content(content, cap=cap, name=str(path))
    return content


def refuse_other_content(content: bytes, *, cap: int, name: str = "the model") -> None:
    """Raise ModelRefused for content that is plainly not ONNX: empty, too large, a Git LFS pointer, a web page."""
    if not content:
        raise ModelRefused("empty", f"{name} is empty (0 bytes).")
    if len(content) > cap:
        raise ModelRefused("size", too_large(name, len(content), cap))
    if content.startswith(LFS_POINTER):
        raise ModelRefused("lfs", f"{name} is a Git LFS pointer, not the model. Fetch the bytes with `git lfs pull`.")
    if content[:256].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(HTML_STARTS):
        raise ModelRefused("html", f"{name} is a web page, not a model. Download the file itself.")


def _resolve(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        if path.is_symlink():
            raise ModelRefused("dangling", f"{path} is a dangling symlink. Restore its target.") from None
        raise ModelRefused("missing", f"{path} does not exist.") from None
    except RuntimeError:  # Python up to 3.12 raises this for a loop
        raise ModelRefused("dangling", f"{path} is part of a symlink loop.") from None
    except OSError as fault:
        if path.is_symlink():
            raise ModelRefused("dangling", f"{path} is a symlink that can't be followed: {fault.strerror}.") from None
        raise Unavailable(f"{path} can't be reached now: {fault.strerror or fault}.") from fault


def _read_regular(target: Path, path: Path, cap: int) -> bytes:
    # Non-blocking: opening a named pipe must not wait for a writer. No link: `target` is resolved already.
    descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise ModelRefused("directory", f"{path} is a directory, not a model file.")
        if not stat.S_ISREG(status.st_mode):
            raise ModelRefused("special", f"{path} is not a regular file.")
        if status.st_size > cap:
            raise ModelRefused("size", too_large(str(path), status.st_size, cap))
        return _read_up_to(descriptor, cap + 1)
    finally:
        os.close(descriptor)


def _read_up_to(descriptor: int, limit: int) -> bytes:
    parts: list[bytes] = []
    while limit > 0 and (part := os.read(descriptor, min(limit, 1 << 20))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def too_large(name: str, size: int, cap: int) -> str:
    """The message for a file over the size limit."""
    return f"{name} has {size:,} bytes; the limit is {cap:,} (GATEKEEPER_MODEL_SIZE_CAP_MB)."
