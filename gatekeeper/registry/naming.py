"""What are a model's stored names, and which of them says that it is the active one?"""

from pathlib import PureWindowsPath

PRIMARY = "gatekeeper_primary"
STANDARD = "gatekeeper_"
SUFFIX = ".onnx"


def primary_version(model_id: int) -> str:
    """The version of model `model_id` while it is the primary."""
    return f"{PRIMARY}{model_id}"


def standard_version(model_id: int) -> str:
    """The version of model `model_id` while it isn't."""
    return f"{STANDARD}{model_id}"


def is_primary(version: str | None) -> bool:
    """Does a row of this version claim to be the active one? The same rule as the database's unique index."""
    return version is not None and version.startswith(PRIMARY)


def file_name(version: str) -> str:
    """The name of the model's file inside the models folder."""
    return version + SUFFIX


def last_part(path: str | None) -> str:
    """What names the file in a stored `path`, whatever machine wrote it; "" where nothing does.

    Grown tables hold POSIX and Windows paths, absolute and relative: only the last part ever counts.
    """
    name = PureWindowsPath(path or "").name
    return "" if name in {".", ".."} else name
