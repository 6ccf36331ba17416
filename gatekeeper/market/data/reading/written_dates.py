"""Dates as people write them, brought nearer to ISO 8601 where there is only one way to read them.

Month names in English, twelve-hour clocks, single digits in dates that begin with the year, and doubled spaces.
"""

import re

import pandas as pd

_MONTHS = {
    name: f"{i:02}"
    for i, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}
_NAME = r"(?P<month>[A-Za-z]{3})[a-z]{0,6}\.?"
_DAY_FIRST = re.compile(rf"^(?P<day>\d{{1,2}})[ /.-]{_NAME}[ /.,-]+(?P<year>\d{{4}})(?!\d)")
_MONTH_FIRST = re.compile(rf"^{_NAME} (?P<day>\d{{1,2}}),? (?P<year>\d{{4}})(?!\d)")
_YEAR_FIRST = re.compile(r"^(?P<year>\d{4})(?P<mark>[/.-])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})(?!\d)")
_HALF_DAY = re.compile(r"(?P<hour>\d{1,2})(?P<rest>:\d{2}(?::\d{2}(?:\.\d+)?)?) ?(?P<half>[AaPp])\.?[Mm]\.?")


def nearer(text: pd.Series) -> pd.Series:
    """The same texts, those of such forms rewritten."""
    text = text.str.replace(r"\s+", " ", regex=True)
    for pattern, rewrite in (
        (_DAY_FIRST, _date),
        (_MONTH_FIRST, _date),
        (_YEAR_FIRST, _date),
        (_HALF_DAY, _clock),
    ):
        if pattern.search(str(text.iloc[0])):  # a column has one form
            text = text.str.replace(pattern, rewrite, regex=True)
    return text


def _date(found: re.Match[str]) -> str:
    month = found["month"]
    number = month.zfill(2) if month.isdigit() else _MONTHS.get(month.lower())
    return f"{found['year']}-{number}-{found['day'].zfill(2)}" if number else found[0]


def _clock(found: re.Match[str]) -> str:
    hour = int(found["hour"])
    if not 1 <= hour <= 12:
        return found[0]
    return f"{hour % 12 + 12 * (found['half'] in 'pP'):02}{found['rest']}"
