"""Signatures, read from source where source tells, and asked for otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from headrace.core.code import CodeIndex
from headrace.core.signature import NotCallable, Signature, find_signature

Write = Callable[[Mapping[str, str]], None]

STEPS = """
from __future__ import annotations
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from pandas import DataFrame


class Local:
    pass


def clean(
    table: pd.DataFrame | None, other: DataFrame, text: "str", own: Local, *, rows: list[int], limit: int = 3
) -> dict[str, Any]:
    return {"table": table, "rest": other}


def branches(x, context):
    def inner():
        return {"inner": 1}

    if x:
        return {"a": 1, "b": 2}
    return {"b": 3, "c": 4}


def computed(x):
    return {name: x for name in "ab"}


def spread(x):
    return {"a": 1, **x}


def anything(x, **rest):
    return {"x": x}


@lru_cache(maxsize=3)
def cached(x: int):
    return {"x": x}


async def later(x):
    return {"x": x}


if True:
    def hidden(x):
        return {"x": x}

value = 3
"""


def signature(dotted: str) -> Signature:
    return find_signature(CodeIndex(lambda kind, file, compute: compute()), dotted)


def refused(dotted: str) -> NotCallable:
    with pytest.raises(NotCallable) as caught:
        signature(dotted)
    return caught.value


@pytest.fixture
def steps(write: Write) -> Write:
    write({"signed/__init__.py": "", "signed/steps.py": STEPS})
    return write


@pytest.mark.usefixtures("steps")
def test_a_function_tells_names_types_and_what_is_required() -> None:
    """Types are qualified by the module's own imports; keyword-only arguments count."""
    found = signature("signed.steps.clean")
    assert [(param.name, param.type, param.required) for param in found.params] == [
        ("table", "pandas.DataFrame", True),
        ("other", "pandas.DataFrame", True),
        ("text", "str", True),
        ("own", "signed.steps.Local", True),
        ("rows", "list", True),
        ("limit", "int", False),
    ]
    assert found.params[0].annotation == "pd.DataFrame | None"
    assert found.type_of("limit") == "int"
    assert found.type_of("nothing") == ""
    assert not found.any_name


@pytest.mark.usefixtures("steps")
@pytest.mark.parametrize(
    ("name", "returns"),
    [
        ("clean", ("rest", "table")),
        ("branches", ("b",)),
        ("computed", None),
        ("spread", None),
        ("cached", ("x",)),
        ("later", ("x",)),
        ("hidden", ("x",)),
    ],
)
def test_returned_names_are_those_of_every_return(name: str, returns: tuple[str, ...] | None) -> None:
    """Names count where each return is a literal dict that has them; else the source does not tell."""
    assert signature(f"signed.steps.{name}").returns == returns


@pytest.mark.usefixtures("steps")
def test_keyword_arguments_take_any_name() -> None:
    """`**rest` is no parameter, and no name is wrong any more."""
    found = signature("signed.steps.anything")
    assert (found.names(), found.any_name) == (["x"], True)


def test_classes_tell_their_constructor(write: Write) -> None:
    """Without `self`, from the class or the nearest base that has one, in whichever module it is."""
    write(
        {
            "signed/__init__.py": "from .models import Wide\nfrom .models import Own as Renamed\n",
            "signed/models.py": """
                from signed import roots
                from signed.roots import Root
                class Own:
                    def __init__(self, depth: int, width: int = 3): ...
                class Child(Own): ...
                class Wide(Child): ...
                class Far(roots.Root): ...
                """,
            "signed/roots.py": "class Root:\n    def __init__(self, seed): ...\n",
            "signed/starred.py": "from signed.models import *\n",
        }
    )
    for dotted in ("models.Own", "models.Child", "Wide", "Renamed", "starred.Child"):
        assert signature(f"signed.{dotted}").names() == ["depth", "width"]
    assert signature("signed.models.Far").names() == ["seed"]


def test_defaults_and_the_strings_that_a_class_allows_are_read(write: Write) -> None:
    """Literals are kept, and the strings in the constraints of a class and of those it builds on."""
    write(
        {
            "said/roots.py": """
                class Root:
                    _parameter_constraints = {"depth": [int, Options({"auto"})]}
                class Middle(Root): ...
                class Computed:
                    _parameter_constraints = {**limits(), "depth": [int]}
                """,
            "said/__init__.py": """
                from said.roots import Computed, Middle, Root
                class Own(Root):
                    _parameter_constraints = {**Middle._parameter_constraints, "rate": ["boolean"]}
                    _parameter_constraints.update({"kind": ["plain"]})
                    def __init__(self, depth=1, rate=-0.5, kind="plain", other=None, table={}): ...
                class Silent:
                    def __init__(self, depth=1): ...
                class Unknown:
                    _parameter_constraints = {**Computed._parameter_constraints}
                    def __init__(self, depth=1): ...
                """,
        }
    )
    own = signature("said.Own")
    assert [param.default for param in own.params] == [1, -0.5, "plain", None, None]
    assert own.strings == {"depth", "auto", "rate", "boolean", "kind", "plain"}
    assert signature("said.Silent").strings is None
    assert signature("said.Unknown").strings is None


def test_a_re_export_in_a_circle_ends(write: Write) -> None:
    """Two packages that hand a name to each other, which neither defines, are an error and not a loop."""
    write({"circle_a.py": "from circle_b import thing\n", "circle_b.py": "from circle_a import thing\n"})
    assert "importing circle_a failed" in refused("circle_a.thing").found


def test_what_is_made_at_import_time_is_asked(write: Write) -> None:
    """A dataclass, a function behind an unknown decorator, and a value that is called are imported."""
    write(
        {
            "asked_steps.py": """
                from dataclasses import dataclass
                from functools import partial, wraps

                def decorate(function):
                    @wraps(function)
                    def inner(*args, **kwargs):
                        return function(*args, **kwargs)
                    return inner

                @dataclass
                class Box:
                    width: int
                    height: int = 2

                @decorate
                def step(table, factor=2):
                    return {"table": table}

                def plain(a, b):
                    return {}

                half = partial(plain, b=1)
                """
        }
    )
    assert [(p.name, p.required) for p in signature("asked_steps.Box").params] == [
        ("width", True),
        ("height", False),
    ]
    assert signature("asked_steps.step").names() == ["table", "factor"]
    assert signature("asked_steps.half").names() == ["a", "b"]
    assert signature("asked_steps.Box").returns is None


def test_a_method_of_a_class_can_be_named(write: Write) -> None:
    """A dotted name may go through a class."""
    write({"asked_class.py": "class Maker:\n    @staticmethod\n    def make(size): ...\n"})
    assert signature("asked_class.Maker.make").names() == ["size"]


def test_reading_scikit_learn_does_not_import_it() -> None:
    """Its estimators, also those with inherited constructors, are read from source."""
    script = """
import sys
from headrace.core.code import CodeIndex
from headrace.core.signature import find_signature
index = CodeIndex(lambda kind, file, compute: compute())
for name in ("linear_model.LogisticRegression", "ensemble.HistGradientBoostingClassifier",
             "ensemble.RandomForestClassifier", "linear_model.Ridge", "svm.SVC"):
    assert "random_state" in find_signature(index, f"sklearn.{name}").names(), name
assert "as_frame" in find_signature(index, "sklearn.datasets.load_digits").names()
heavy = {"sklearn", "numpy", "pandas", "scipy", "torch"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("steps")
@pytest.mark.parametrize(
    ("dotted", "found", "hint"),
    [
        ("signed.stepz.clean", "'signed' has no 'stepz'", "did you mean signed.steps.clean?"),
        ("signed.steps.claen", "'signed.steps' has no 'claen'", "did you mean signed.steps.clean?"),
        ("sklaern.svm.SVC", "there is no module 'sklaern'", "did you mean sklearn.svm.SVC?"),
        ("sklearn.svm.SVCC", "'sklearn.svm' has no 'SVCC'", "did you mean sklearn.svm.SVC?"),
        ("qqxyz.z", "there is no module 'qqxyz'", "pip install qqxyz, or check the spelling"),
        ("signed.steps", "'signed.steps' is a module, not a function or class", "signed.steps.<function>"),
        ("signed.steps.value", "it is a int, not a function or class", ""),
    ],
)
def test_what_is_not_there_offers_the_nearest_name(dotted: str, found: str, hint: str) -> None:
    """Modules, names in modules and packages that are not installed each say what to type."""
    error = refused(dotted)
    assert (error.found, error.hint) == (found, hint)


def test_a_module_that_fails_to_import_says_why(write: Write) -> None:
    """The reason of the import error is told."""
    write({"broken_steps.py": "import surely_not_installed\nstep = surely_not_installed.step\n"})
    error = refused("broken_steps.step")
    assert error.found == "importing broken_steps failed: No module named 'surely_not_installed'"
