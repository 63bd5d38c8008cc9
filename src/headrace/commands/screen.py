"""What an answer looks like: one JSON document, or lines that fit the terminal."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LINES_AT_MOST = 200
SHORT_ID = 12


@dataclass(frozen=True, slots=True)
class Screen:
    """Where lines go: `width` is the terminal's, or None where nothing is cut (a pipe, a file).

    `options` are those that a command to type next takes over.
    """

    width: int | None
    options: str = ""

    @classmethod
    def of_stdout(cls, options: str = "") -> Screen:
        return cls(shutil.get_terminal_size().columns if sys.stdout.isatty() else None, options)

    def command(self, *words: str) -> str:
        """Return a command to type next, on the same lake."""
        return f"headrace lake {shlex.join(words)}{self.options}"

    def fit(self, before: str, text: str, after: str = "") -> str:
        """Join the three, `text` cut at its end where the line is too long. The others stay whole."""
        text = printable(text)
        if self.width is not None:
            room = max(self.width - len(before) - len(after), 1)
            text = text if len(text) <= room else text[: room - 1] + "…"
        return f"{before}{text}{after}"

    def fit_path(self, before: str, path: str, after: str = "") -> str:
        """As `fit`, and the end of the path is what stays: its beginning says least."""
        path = printable(path)
        if self.width is not None:
            room = max(self.width - len(before) - len(after), 1)
            path = path if len(path) <= room else "…" + path[len(path) - room + 1 :]
        return f"{before}{path}{after}"

    def wrap(self, text: str) -> list[str]:
        """Return the lines of a text, broken where the terminal ends; none for ''."""
        if self.width is None:
            return text.splitlines()
        return [part for line in text.splitlines() for part in textwrap.wrap(line, self.width)]

    def bound(self, lines: Iterable[str], at_most: int = LINES_AT_MOST) -> Iterator[str]:
        """Yield the first lines and how many are left out; all of them where nothing is cut."""
        left = 0
        for number, line in enumerate(lines):
            if self.width is None or number < at_most:
                yield line
            else:
                left += 1
        if left:
            yield f"… and {left} more"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found: `data` for `--json`, and the lines for people."""

    data: Any
    lines: Callable[[Screen], Iterable[str]]

    def show(self, as_json: bool, options: str = "") -> None:
        """Print it to stdout."""
        if as_json:
            print(json.dumps(self.data, indent=1, ensure_ascii=False))
            return
        for line in self.lines(Screen.of_stdout(options)):
            print(line)


def printable(text: str) -> str:
    """Return a text without what moves a terminal's cursor: others wrote it."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def first_line(message: str) -> str:
    return message.partition("\n")[0].rstrip()


def short(commit: str) -> str:
    return commit[:SHORT_ID]


def iso(time: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")


def minutes(time: float) -> str:
    """Return seconds since the epoch as UTC to the minute, for a column of times."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%MZ}"


def age(seconds: float) -> str:
    """Say a span of time in its largest unit, such as `3 d`."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(int(seconds), 0)} s"


def plural(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: int) -> str:
    """Say a number of bytes in the unit that keeps it short."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def metadata_lines(screen: Screen, metadata: Mapping[str, str]) -> Iterator[str]:
    for name, value in sorted(metadata.items()):
        yield screen.fit(f"  {printable(name)}: ", value)
