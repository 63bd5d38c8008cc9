"""What changed in a module, down to the function."""

from __future__ import annotations

import re
import sys

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
    methods = {"class Net, method forward", "class Net, method back"}
    assert set(definitions(BEFORE)) == {"module level", "function one", "class Net"} | methods


@pytest.mark.parametrize(
    ("old", "new", "begins"),
    [
        ("    return x\n\n\nclass", "    return x + 1\n\n\nclass", "function one, "),
        ("        return -x", "        return x - x", "class Net, method back, "),
        ("class Net:", "class Net(dict):", "class Net, "),
        (
            "    def back(self",
            "    def forth(self",
            "class Net, method back removed; class Net, method forth added",
        ),
        ("class Net:", "class Web:", "class Net removed; class Net, method back removed; "),
        ("import math", "import cmath", "module level, "),
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


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("def ResNet18(): ...", "function ResNet18"),
        ("async def fetch(): ...", "function fetch"),
        ("class lower: ...", "class lower"),
        ("@wrap(3)\ndef fit(): ...", "function fit"),
    ],
)
def test_what_a_thing_is_comes_from_the_source(text: str, name: str) -> None:
    """A function with a capital and a class without one are called what they are."""
    assert set(definitions(text)) == {"module level", name}


def test_a_name_that_is_defined_twice_counts_with_both() -> None:
    """The first of two, such as an overload or the other side of a condition, is not lost."""
    twice = "def f():\n    return 1\n\n\ndef f():\n    return 2\n"
    assert explain(definitions(twice), definitions(twice.replace("1", "3"))).startswith("function f, ")


def test_a_decorator_counts_with_what_it_decorates() -> None:
    """Taking one away is a change of the function, and of nothing else."""
    said = explain(definitions("@wrap(3)\ndef fit(): ..."), definitions("def fit(): ..."))
    assert said.startswith("function fit, ")
    assert ";" not in said


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
def test_type_parameters_count_with_their_class() -> None:
    """What a class is generic in is part of it."""
    assert explain(definitions("class Net[T]: ..."), definitions("class Net[T: int]: ...")) != ""


def test_the_digests_of_a_definition_are_shortened() -> None:
    """A reason shows six digits of each, as `git` does."""
    assert re.fullmatch(r"module level, [0-9a-f]{6} → [0-9a-f]{6}", change("LIMIT = 3", "LIMIT = 4"))


def test_many_changes_are_bounded() -> None:
    """Three are named, the others counted."""
    text = "\n".join(f"def f{number}():\n    return {number}\n" for number in range(5))
    assert explain(definitions(text), {}).endswith("; and 3 more")


def test_what_is_not_known_is_not_guessed() -> None:
    """Without the old definitions nothing is said."""
    assert explain(None, {"function one": "abc"}) == ""
