"""Naming convention: the versions and file names of models; the primary's begins with `gatekeeper_primary`."""

from pathlib import PureWindowsPath

PRIMARY = "gatekeeper_primary"
STANDARD = "gatekeeper_"
SUFFIX = ".onnx"


def primary_version(model_id: int) -> str:
    """The version of model `model_id` while it is the primary."""
    return f"{PRIMARY}{model_id}"


def standard_version(model_id: int) -> str:
    """The version of model `model_id` while it is not the primary."""
    return f"{STANDARD}{model_id}"


def is_primary(version: str | None) -> bool:
    """Whether this version names the primary, by the same rule as the database's unique index."""
    return version is not None and version.startswith(PRIMARY)


def file_name(version: str) -> str:
    """The name of the model's file inside the models folder."""
    return version + SUFFIX


def last_part(path: str | None) -> str:
    """The file name in a stored `path`, whatever machine wrote it; "" if it names no file.

    Tables made by other tools hold POSIX and Windows paths, absolute and relative: only the last part counts.
    """
    name = PureWindowsPath(path or "").name
    return "" if name in {".", ".."} else name
