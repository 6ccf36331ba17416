"""Settings that are lists of words: calendars by symbol, and the loudness of each kind of alarm."""

ALARM_KINDS = (
    "promoted",
    "kept",
    "undecided",
    "failed",
    "degraded",
    "rolled_back",
    "stale_feed",
    "data",
    "breaker",
    "drift",
    "approval",
)
ALARM_LEVELS = ("off", "quiet", "loud")


def refuse_levels(text: str) -> None:
    """Raises ValueError for a word that is no KIND=LEVEL of the alarms."""
    for word in text.replace(",", " ").split():
        kind, _, level = word.partition("=")
        if kind not in ALARM_KINDS or level not in ALARM_LEVELS:
            raise ValueError(
                f"{word!r} is not KIND=LEVEL. Kinds are {', '.join(ALARM_KINDS)}; levels are "
                f"{', '.join(ALARM_LEVELS)}. Write, for example, 'kept=quiet failed=loud'."
            )


def calendars(text: str) -> dict[str, str]:
    """The calendar of each symbol, from words `SYMBOL=CALENDAR`; a symbol may contain = signs, as ES=F does.

    Raises ValueError.
    """
    found: dict[str, str] = {}
    for word in text.replace(",", " ").split():
        symbol, _, name = word.rpartition("=")
        if not symbol or not name:
            raise ValueError(f"{word!r} is not SYMBOL=CALENDAR. Write, for example, 'SPX=XNYS BTC=24/7 *=XLON'.")
        if symbol in found:
            raise ValueError(f"{symbol} has two calendars, {found[symbol]} and {name}. Keep one.")
        found[symbol] = name
    return found
