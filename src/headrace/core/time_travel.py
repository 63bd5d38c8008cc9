"""Time travel: the commit that a text such as `v1.2`, `~3` or `2026-11-01` means."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from headrace.core.ports import LakeReader
from headrace.errors import ConfigError, InvalidName, RefNotFound

WHERE = "dataset.at"
FORMS = f"type: {WHERE}=<commit, branch or tag>, {WHERE}=~3, {WHERE}=2026-11-01 or {WHERE}=2026-11-01T12:00Z"

_STEPS = re.compile(r"([~^][0-9]*)+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
_FIRST_LOOK, _LOOK_AT_MOST = 32, 1024  # commits that one question to the lake asks for


def find_commit(lake: LakeReader, at: str, source_ref: str, source_commit: str, now: float) -> str:
    """Return the full id of the commit that `at` means.

    A ref means what the lake says; one that begins with `~` or `^` is relative to `source_commit`, the
    head of `source_ref`. A day means its end in UTC, and a time (UTC where it names no zone) that
    instant: the newest commit of the branch's own history that is not younger. A ref that is called
    like a day wins over the day. Today means now.

    Args:
        lake: where to look.
        at: the text.
        source_ref: what messages call `source_commit`.
        source_commit: a full commit id.
        now: seconds since the epoch.

    Raises:
        ConfigError: there is no such ref or day, the time is to come, or the history began later.
    """
    if _INSTANT.fullmatch(at):
        return _newest_until(lake, at, source_ref, source_commit, _parse_time(at, now))
    try:
        return lake.resolve(f"{source_commit}{at}" if _STEPS.fullmatch(at) else at)
    except (RefNotFound, InvalidName) as error:
        if _DAY.fullmatch(at):
            last = _parse_time(at, now) + timedelta(days=1) - timedelta(microseconds=1)
            return _newest_until(lake, at, source_ref, source_commit, last)
        raise ConfigError.one(WHERE, str(error).replace(source_commit, source_ref), FORMS) from error


def _parse_time(at: str, now: float) -> datetime:
    try:
        when = datetime.fromisoformat(at)
    except ValueError as error:
        raise ConfigError.one(WHERE, f"'{at}' is no date: {error}", FORMS) from error
    when = when.replace(tzinfo=when.tzinfo or UTC)
    if when.timestamp() > now:
        found = f"{at} is in the future: it is {_told(now)}"
        raise ConfigError.one(WHERE, found, f"for the newest state, type: {WHERE}=null")
    return when


def _newest_until(lake: LakeReader, at: str, source_ref: str, head: str, last: datetime) -> str:
    """Walk back from the head; each look begins where the one before ended, and asks for more."""
    start, look = head, _FIRST_LOOK
    while True:
        commits = lake.log(start, look, first_parent=True)
        for commit in commits:
            if commit.time <= last.timestamp():
                return commit.id
        oldest = commits[-1]
        if not oldest.parents:
            found = f"{at} is before the first commit of {source_ref}, which is of {_told(oldest.time)}"
            raise ConfigError.one(WHERE, found, f"the oldest that works: {WHERE}={_told(oldest.time)[:10]}")
        start, look = oldest.parents[0], min(4 * look, _LOOK_AT_MOST)


def _told(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
