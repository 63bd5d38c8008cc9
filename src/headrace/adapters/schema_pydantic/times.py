"""Times and dates as text: ISO 8601, as JSON schema's `date-time` has it, and days for CSV."""

from __future__ import annotations

import re
from datetime import date, datetime, tzinfo
from typing import Any

_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
_OFFSET = r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
END = r"$(?!\n)"  # Python's `$` is before a last line break too, that of JSON schema is not
ZONED = f"^{_DAY}[Tt ]{_TIME}{_OFFSET}{END}"
PLAIN = f"^{_DAY}[Tt ]{_TIME}{END}"
DAY = f"^{_DAY}{END}"

_zoned, _plain, _day = (re.compile(pattern) for pattern in (ZONED, PLAIN, DAY))


def read_time(text: str, zone: tzinfo | None) -> datetime | None:
    """Read a time; None is no such time. Digits beyond a microsecond are cut off.

    Args:
        zone: What it is converted to; None for a time that has none.
    """
    if (_plain if zone is None else _zoned).match(text) is None:
        return None
    try:
        found = datetime.fromisoformat(text.upper())
        return found if zone is None else found.astimezone(zone)
    except (ValueError, OverflowError):
        return None


def read_day(text: str) -> date | None:
    """Read a date; None is no such day."""
    if _day.match(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def as_bound(value: Any, zone: tzinfo | None) -> Any:
    """Read a check's argument, which YAML gives as text, a date or a time.

    One without a zone is meant in the zone of the column.
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 the column's zone follows
    except ValueError:
        return value
    if not isinstance(value, datetime):
        return value
    if zone is None:
        return value
    return value.replace(tzinfo=zone) if value.tzinfo is None else value.astimezone(zone)


def years_pattern(low: int, high: int) -> str:
    """Return what a text must begin with to be of these years; only the years of nanoseconds are few."""
    if (low, high) == (1, 9999):
        return "^(0*[1-9]|[1-9])"
    return "^(167[89]|16[89][0-9]|1[789][0-9][0-9]|2[01][0-9][0-9]|22[0-5][0-9]|226[01])-"
