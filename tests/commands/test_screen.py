"""How answers are cut, counted and written."""

from __future__ import annotations

import pytest

from headrace.commands.screen import Screen, age, plural, size


def test_only_the_text_in_the_middle_is_cut() -> None:
    """What stands before and after stays whole, also where nothing is left between them."""
    assert Screen(20).fit("0123456789  ", "message", " r1") == "0123456789  mess… r1"
    assert Screen(20).fit("0123456789  ", "mess", " r1") == "0123456789  mess r1"
    assert Screen(5).fit("0123456789  ", "message") == "0123456789  …"
    assert Screen(None).fit("0123456789  ", "message " * 9) == "0123456789  " + "message " * 9


def test_a_path_keeps_its_end() -> None:
    """The beginning of a long path is what goes."""
    assert Screen(12).fit_path("+ ", "runs/r1/train/x.json") == "+ …in/x.json"
    assert Screen(12).fit_path("+ ", "a/x.json") == "+ a/x.json"


def test_long_lists_end_with_a_count_on_a_terminal_only() -> None:
    """Exactly as many lines as are allowed need no count."""
    lines = [str(number) for number in range(5)]
    assert list(Screen(80).bound(lines, 3)) == ["0", "1", "2", "… and 2 more"]
    assert list(Screen(80).bound(lines, 5)) == lines
    assert list(Screen(None).bound(lines, 3)) == lines


def test_a_text_is_broken_between_words() -> None:
    """On a terminal a text is wrapped; nothing said is no line."""
    assert Screen(12).wrap("the server takes them") == ["the server", "takes them"]
    assert Screen(None).wrap("the server takes them") == ["the server takes them"]
    assert Screen(12).wrap("") == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-3, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86_400 * 400, "400 d")],
)
def test_an_age_is_in_its_largest_unit(seconds: float, said: str) -> None:
    """An age is rounded down; a clock that is ahead gives zero."""
    assert age(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
        (7 * 10**15, "7,000.0 TB"),
    ],
)
def test_a_size_has_two_or_three_digits(number: int, said: str) -> None:
    """Bytes are told in powers of 1000, and the unit changes before four digits are shown."""
    assert size(number) == said


def test_counts_have_their_plural() -> None:
    """One is one, everything else is many."""
    assert [plural(n, "branch", "branches") for n in (0, 1, 2000)] == [
        "0 branches",
        "1 branch",
        "2,000 branches",
    ]
    assert plural(2, "object") == "2 objects"
