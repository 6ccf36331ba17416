"""Number, date and size formats of the pages."""

import re
from datetime import UTC, datetime

from markupsafe import Markup, escape

NOTHING = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 3) -> str:
    """Three digits behind the point; "undefined" for None."""
    return "undefined" if value is None else f"{value:.{digits}f}".replace("-", _MINUS)


def signed(value: float | None) -> str:
    """A difference."""
    return "undefined" if value is None else f"{value:+.3f}".replace("-", _MINUS)


def percent(value: float | None) -> str:
    """A fraction as a percentage."""
    return NOTHING if value is None else f"{100 * value:.2f} %".replace("-", _MINUS)


def plain(value: object) -> str:
    """The value as text; a dash for None."""
    if value is None or value == "":
        return NOTHING
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def instant(value: datetime | str | None) -> Markup | str:
    """The instant to the minute, in UTC, as a `time` element that programs can read."""
    return _time(value, "%Y-%m-%d %H:%M UTC")


def day(value: datetime | str | None) -> Markup | str:
    """To the day."""
    return _time(value, "%Y-%m-%d")


def short(sha256: str | None) -> str:
    """The first digits of a sha256."""
    return sha256[:12] if sha256 else NOTHING


def size(count: int | None) -> str:
    """A number of bytes in B, KiB or MiB."""
    if count is None:
        return NOTHING
    return f"{count / 1024:.1f} KiB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MiB"


def coded(text: str) -> Markup:
    """The text as HTML, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped before


def _time(value: datetime | str | None, shape: str) -> Markup | str:
    if not value:
        return NOTHING
    at = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
    shown = at.strftime(shape)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), shown)
