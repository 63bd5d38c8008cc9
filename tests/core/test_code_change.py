"""What changed in a module, down to the function."""

from __future__ import annotations

import pytest

from headrace.core.code_change import explain
from headrace.core.module import read_code

BEFORE = '''
"""A module."""
import math

LIMIT = 3


def one(x):
    """Say one."""
    return x


class Net:
    size = 1

    def forward(self, x):
        return x

    def back(self, x):
        return -x
'''


def change(old: str, new: str) -> str:
    assert old in BEFORE
    return explain(read_code(BEFORE, "m", False)["definitions"], definitions(BEFORE.replace(old, new)))


def definitions(text: str) -> dict[str, str]:
    return dict(read_code(text, "m", False)["definitions"])


def test_every_definition_has_a_digest() -> None:
    """Functions, classes, methods, and what is left at module level."""
    assert set(definitions(BEFORE)) == {"", "one", "Net", "Net.forward", "Net.back"}


@pytest.mark.parametrize(
    ("old", "new", "begins"),
    [
        ("    return x\n\n\nclass", "    return x + 1\n\n\nclass", "function one, "),
        ("        return -x", "        return x - x", "method Net.back, "),
        ("size = 1", "size = 2", "class Net, "),
        ("LIMIT = 3", "LIMIT = 4", "module level, "),
        ("def one(x)", "def two(x)", "function one removed; function two added"),
    ],
)
def test_what_changed_is_named(old: str, new: str, begins: str) -> None:
    """By kind and name, with the digests before and after."""
    assert change(old, new).startswith(begins)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Say one."""', '"""Say two."""'),
        ("LIMIT = 3", "LIMIT  =  3  # a comment"),
        ('"""A module."""', "# no module"),
    ],
)
def test_what_means_the_same_is_no_change(old: str, new: str) -> None:
    """Docstrings, comments and formatting are nothing."""
    assert change(old, new) == ""


def test_many_changes_are_bounded() -> None:
    """Three are named, the others counted."""
    text = "\n".join(f"def f{number}():\n    return {number}\n" for number in range(5))
    assert explain(definitions(text), {}).endswith("; and 3 more")


def test_what_is_not_known_is_not_guessed() -> None:
    """Without the old definitions nothing is said."""
    assert explain(None, {"one": "abc"}) == ""
