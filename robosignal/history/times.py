"""Times as a person types them, in the machine's zone, and as they are printed."""

import argparse
import re
from datetime import UTC, datetime, timedelta

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

RULE = (
    'must be a time such as "2026-11-24 14:00", "tuesday 14:00", 14:00, 2h (two hours ago), or one '
    "with a zone, such as 2026-11-24T14:00+01:00"
)

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_AGO = re.compile(r"(\d{1,5})([mhd])")


def read_time(text: str, now: datetime | None = None) -> int:
    """Return the time that a text means, in epoch ms; one without a zone is in the machine's.

    A weekday is the last one that is not in the future; `2h` is two hours ago. `now`: None for the
    present. Raise ArgumentTypeError.
    """
    now = (now or datetime.now(UTC)).astimezone()
    try:
        found = _read(" ".join(text.split()).lower(), now)
        return round(found.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        shown = text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - a line's worth
        raise argparse.ArgumentTypeError(f"{RULE}, not {shown!a}") from None


END_RULE = (
    'must be a time to come, such as "2027-01-31 14:00", "tuesday 14:00", 14:00, 7d (in seven '
    "days), or one with a zone, such as 2027-01-31T14:00+01:00"
)


def read_end(text: str, now: datetime | None = None) -> int:
    """Return the time to come that a text means, in epoch ms, as `read_time` does.

    A weekday and a time of day are the next ones, and `7d` is in seven days.
    """
    now = (now or datetime.now(UTC)).astimezone()
    try:
        found = _read_end(" ".join(text.split()).lower(), now)
    except (ValueError, OverflowError, OSError):
        found = now
    if found <= now:
        shown = text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - a line's worth
        raise argparse.ArgumentTypeError(f"{END_RULE}, not {shown!a}")
    return round(found.timestamp() * 1000)


def _read_end(text: str, now: datetime) -> datetime:
    if ahead := _AGO.fullmatch(text):
        return now + int(ahead[1]) * UNITS[ahead[2]]
    found = _read(text, now)
    day, _, clock = text.partition(" ")
    if found > now or not (_CLOCK.fullmatch(text) or day in WEEKDAYS):
        return found
    days = 7 if day in WEEKDAYS else 1
    return _at(_days_before(found, -days), (clock or "00:00") if day in WEEKDAYS else text)


def _read(text: str, now: datetime) -> datetime:
    if text == "now":
        return now
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * UNITS[ago[2]]
    day, _, clock = text.partition(" ")
    if _CLOCK.fullmatch(text):
        return _at(now, text)
    if day in WEEKDAYS:
        back = (now.weekday() - WEEKDAYS.index(day)) % 7
        found = _at(_days_before(now, back), clock or "00:00")
        return found if found <= now else _at(_days_before(now, back + 7), clock or "00:00")
    given = datetime.fromisoformat(text.upper())
    return given.astimezone() if given.tzinfo is None else given


def _days_before(now: datetime, days: int) -> datetime:
    # Without a zone, so that a change to or from summer time does not move the clock.
    return now.replace(tzinfo=None) - timedelta(days=days)


def _at(day: datetime, clock: str) -> datetime:
    found = _CLOCK.fullmatch(clock)
    if found is None:
        raise ValueError(clock)
    hour, minute, second = (int(each or 0) for each in found.groups())
    bare = day.replace(tzinfo=None, hour=hour, minute=minute, second=second, microsecond=0)
    return bare.astimezone()


def format_time(ms: int) -> str:
    """Return a time (epoch ms) in the machine's zone, with its offset from UTC."""
    return datetime.fromtimestamp(ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
