"""How is a number, an instant or a state put to people?"""

import re
from datetime import UTC, datetime

from markupsafe import Markup, escape

NOTHING = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 3) -> str:
    """Three digits behind the point; what is undefined says so."""
    return "undefined" if value is None else f"{value:.{digits}f}".replace("-", _MINUS)


def signed(value: float | None) -> str:
    """A difference."""
    return "undefined" if value is None else f"{value:+.3f}".replace("-", _MINUS)


def percent(value: float | None) -> str:
    """A fraction as a percentage."""
    return NOTHING if value is None else f"{100 * value:.2f} %".replace("-", _MINUS)


def plain(value: object) -> str:
    """As it is; a dash for nothing."""
    if value is None or value == "":
        return NOTHING
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def instant(value: datetime | str | None) -> Markup | str:
    """To the minute, in UTC, readable by programs too."""
    return _time(value, "%Y-%m-%d %H:%M UTC")


def day(value: datetime | str | None) -> Markup | str:
    """To the day."""
    return _time(value, "%Y-%m-%d")


def short(sha256: str | None) -> str:
    """Enough of a sha256 to tell it apart."""
    return sha256[:12] if sha256 else NOTHING


def size(count: int | None) -> str:
    """Bytes, in the unit that fits."""
    if count is None:
        return NOTHING
    return f"{count / 1024:.1f} KiB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MiB"


def coded(text: str) -> Markup:
    """What stands between backticks as code, as messages for the command line have it."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped before


def _time(value: datetime | str | None, shape: str) -> Markup | str:
    if not value:
        return NOTHING
    at = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
    shown = at.strftime(shape)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), shown)
