"""The code that a call reaches: what counts, what does not, and that nothing is imported to find out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from headrace.core.code import CodeIndex, Reach
from headrace.core.module import read_code
from headrace.errors import ConfigError

Write = Callable[[Mapping[str, str]], None]

STEPS = '''
import json
from reached.helper import scale


def clean(table, factor=2):
    """Clean a table."""
    return {"table": scale(table, factor)}
'''
PACKAGE = {
    "reached/__init__.py": "",
    "reached/steps.py": STEPS,
    "reached/helper.py": "def scale(table, factor):\n    return table * factor\n",
    "reached/unrelated.py": "x = 1\n",
}


def reach(*roots: str) -> Reach:
    index = CodeIndex(lambda kind, file, compute: compute())
    return index.reach(list(roots or ["reached.steps.clean"]))


def digest(source: str) -> str:
    return str(read_code(source, "m", is_package=False)["digest"])


def imports(source: str, module: str = "top.inner.mod", is_package: bool = False) -> list[str]:
    return list(read_code(source, module, is_package)["imports"])


@pytest.mark.parametrize(
    "same",
    [
        STEPS + "\n# a comment at the end",
        STEPS.replace("Clean a table.", "Make a table clean."),
        STEPS.replace('    """Clean a table."""\n', ""),
        STEPS.replace("factor=2", "factor = 2"),
        '"""A docstring of the module."""\n' + STEPS,
        STEPS.replace(
            '{"table": scale(table, factor)}', "{\n        'table': (scale(table, factor)),\n    }"
        ),
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(same: str) -> None:
    """The digest is of what the code does, not of how it is written down."""
    assert digest(same) == digest(STEPS)


@pytest.mark.parametrize(
    "other",
    [
        STEPS.replace("factor=2", "factor=3"),
        STEPS.replace("factor=2", "factor=2.0"),
        STEPS.replace("table, factor)}", "factor, table)}"),
        STEPS + "\nclean = None\n",
        STEPS.replace('    return {"table"', '    "not a docstring" + ""\n    return {"table"'),
    ],
)
def test_a_change_of_the_code_counts(other: str) -> None:
    """A default, an order of arguments and a statement make another digest."""
    assert digest(other) != digest(STEPS)


def test_the_module_and_what_it_imports_are_reached(write: Write) -> None:
    """First-party modules count with their parents; the standard library and neighbours do not."""
    write(PACKAGE)
    found = reach()
    assert list(found.modules) == ["reached", "reached.helper", "reached.steps"]
    assert found.packages == {}
    assert found.dynamic == ()


def test_a_change_in_a_helper_counts_and_in_a_neighbour_does_not(write: Write) -> None:
    """Only the changed module's digest differs; a module that nothing imports is not there at all."""
    write(PACKAGE)
    before = reach().modules
    write({"reached/unrelated.py": "x = 2\n"})
    assert reach().modules == before
    write({"reached/helper.py": "def scale(table, factor):\n    return table / factor\n"})
    after = reach().modules
    assert {name for name in after if after[name] != before[name]} == {"reached.helper"}


@pytest.mark.parametrize(
    "line",
    [
        "def f():\n    from reached.helper import scale\n    return scale",
        "def f():\n    import reached.helper\n    return reached.helper.scale",
        "import reached.helper as h",
        "from reached import helper",
        "from .helper import scale",
        "from . import helper",
        "from .helper import *",
        "import importlib\nh = importlib.import_module('reached.helper')",
        "from importlib import import_module\nh = import_module('.helper', __package__)",
        "h = __import__('reached.helper')",
        "try:\n    import numpy\nexcept ImportError:\n    from reached import helper",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import x\nelse:\n    import reached.helper",
    ],
)
def test_an_import_is_followed_wherever_it_is_written(write: Write, line: str) -> None:
    """Lazy, relative, aliased, starred, by name and conditional imports all reach the helper."""
    write(PACKAGE | {"reached/steps.py": f"{line}\n"})
    assert "reached.helper" in reach("reached.steps.f").modules


@pytest.mark.parametrize(
    "line",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from reached.helper import scale",
        "import typing\nif typing.TYPE_CHECKING:\n    import reached.helper",
        "text = 'import reached.helper'",
        "# import reached.helper",
    ],
)
def test_what_is_not_imported_at_run_time_is_not_followed(write: Write, line: str) -> None:
    """Imports for the type checker only, and the word in a text, reach nothing."""
    write(PACKAGE | {"reached/steps.py": f"{line}\n"})
    assert "reached.helper" not in reach("reached.steps.f").modules


def test_the_init_of_a_package_counts_for_what_is_in_it(write: Write) -> None:
    """Importing a module runs its parents' `__init__.py`, and what these import."""
    write(PACKAGE | {"reached/__init__.py": "from reached import setting\n", "reached/setting.py": "x = 1\n"})
    before = reach().modules
    assert "reached.setting" in before
    write({"reached/setting.py": "x = 2\n"})
    assert reach().modules["reached.setting"] != before["reached.setting"]


def test_a_name_handed_on_by_a_package_is_followed_to_its_module(write: Write) -> None:
    """`from reached import scale` goes through `__init__` to the module that defines it."""
    write(PACKAGE | {"reached/__init__.py": "from .helper import scale\n"})
    write({"reached/steps.py": "from reached import scale\n"})
    assert "reached.helper" in reach().modules


def test_modules_that_import_each_other_are_each_read_once(write: Write) -> None:
    """A circle of imports ends."""
    write(PACKAGE | {"reached/helper.py": "from reached import steps\n"})
    assert list(reach().modules) == ["reached", "reached.helper", "reached.steps"]


def test_an_import_of_a_computed_name_is_told(write: Write) -> None:
    """What the source does not tell is named by module and line, so that `depends_on` can list it."""
    write(PACKAGE | {"reached/helper.py": "import importlib\n\nx = importlib.import_module('re' + 'x')\n"})
    assert reach().dynamic == ("reached.helper:3",)
    write({"reached/helper.py": "from importlib import import_module\nx = import_module('.x', package)\n"})
    assert reach().dynamic == ("reached.helper:2",)


def test_what_hides_behind_a_computed_name_is_covered_by_naming_it(write: Write) -> None:
    """A root more, as `depends_on` gives it, is reached; a package stands for everything in it."""
    load = "import importlib\n\nx = importlib.import_module(f'reached.plugins.{name}')\n"
    plugins = {
        f"reached/plugins/{name}.py": "x = 1\n" for name in ("__init__", "one", "deep/__init__", "deep/two")
    }
    write(PACKAGE | plugins | {"reached/helper.py": load, "reached/plugins/notes.txt": "none"})
    assert not any("plugins" in name for name in reach().modules)
    assert reach().dynamic == ("reached.helper:3",)
    assert "reached.plugins.one" in reach("reached.steps.clean", "reached.plugins.one").modules
    whole = reach("reached.steps.clean", "reached.plugins").modules
    inside = {"reached.plugins", "reached.plugins.one", "reached.plugins.deep", "reached.plugins.deep.two"}
    assert whole.keys() - reach().modules.keys() == inside
    write({"reached/plugins/deep/two.py": "x = 2\n"})
    assert reach("reached.steps.clean", "reached.plugins").modules != whole


def test_a_star_brings_the_modules_that_a_package_lists(write: Write) -> None:
    """`__all__` of a package may name modules, which a star then imports; other names there are none."""
    write(PACKAGE | {"reached/__init__.py": "__all__ = ['helper', 'nothing']\n"})
    write({"reached/steps.py": "from reached import *\n"})
    assert list(reach().modules) == ["reached", "reached.helper", "reached.steps"]


def test_a_module_that_somebody_else_imported_counts_where_it_is_used(write: Write) -> None:
    """`import reached` and a use of `reached.helper.scale` work as soon as anybody imported the helper."""
    write(PACKAGE | {"reached/steps.py": "import reached\n\n\ndef f():\n    return reached.helper.scale\n"})
    assert list(reach("reached.steps.f").modules) == ["reached", "reached.helper", "reached.steps"]


def test_a_package_named_like_one_of_the_standard_library_counts(write: Write) -> None:
    """Who calls a project `code` gets it followed all the same; the real ones stay out."""
    write(
        {
            "code/__init__.py": "",
            "code/steps.py": "import json\nimport code.rules\n",
            "code/rules.py": "x = 1\n",
        }
    )
    assert list(reach("code.steps.f").modules) == ["code", "code.rules", "code.steps"]
    write(PACKAGE | {"reached/steps.py": "import code.rules\n"})
    assert "code.rules" in reach().modules


@pytest.mark.parametrize("text", ["def f(:\n", "x = '\0'\n", "x = " + "(" * 300 + ")" * 300])
def test_a_helper_that_is_not_python_is_named(write: Write, text: str) -> None:
    """The error says which file, and ends the command as a wrong config does."""
    write(PACKAGE | {"reached/helper.py": text})
    with pytest.raises(ConfigError, match=r"reached/helper\.py.*not Python") as caught:
        reach()
    assert caught.value.exit_code == 2


def test_the_definitions_of_a_module_are_had_by_its_name(write: Write) -> None:
    """They tell what in a module changed; of what is no module there are none."""
    write(PACKAGE)
    index = CodeIndex(lambda kind, file, compute: compute())
    assert set(index.definitions("reached.helper")) == {"module level", "function scale"}
    assert index.definitions("reached.nothing") == {}


def test_one_index_answers_for_stages_of_several_packages(write: Write) -> None:
    """What was followed for one stage is not what counts for another, whose own package is another."""
    write(PACKAGE | {"beside.py": "import yaml\n"})
    index = CodeIndex(lambda kind, file, compute: compute())
    assert list(index.reach(["beside.f"]).packages) == ["PyYAML"]
    assert index.reach(["yaml.nodes.Node"]).modules.keys() >= {"yaml", "yaml.nodes"}
    assert list(index.reach(["beside.f"]).modules) == ["beside"]


def test_third_party_packages_count_by_version(write: Write) -> None:
    """They are named as pip names them, and their modules are not read."""
    write(PACKAGE | {"reached/helper.py": "import numpy.linalg\nfrom sklearn import svm\nimport yaml\n"})
    found = reach()
    wanted = {name: metadata.version(name) for name in ("PyYAML", "numpy", "scikit-learn")}
    assert found.packages == wanted
    assert list(found.modules) == ["reached", "reached.helper", "reached.steps"]


def test_other_first_party_packages_are_followed(write: Write) -> None:
    """What lies outside the library folders is the user's own, whatever its name."""
    write(PACKAGE | {"reached/steps.py": "import beside\n", "beside.py": "x = 1\n"})
    assert "beside" in reach().modules


def test_params_with_targets_are_roots_too(write: Write) -> None:
    """The class that a param builds counts by its code, or by its package's version."""
    write(PACKAGE)
    found = reach("reached.unrelated.x", "reached.helper.scale", "sklearn.svm.SVC")
    assert list(found.modules) == ["reached", "reached.helper", "reached.unrelated"]
    assert list(found.packages) == ["scikit-learn"]


def test_a_namespace_package_has_no_code_of_its_own(write: Write) -> None:
    """A folder without `__init__.py` is followed."""
    write({"spaced/steps.py": "import spaced.helper\n", "spaced/helper.py": "x = 1\n"})
    assert {"spaced.helper", "spaced.steps"} <= set(reach("spaced.steps.f").modules)


def test_nothing_is_imported(write: Write) -> None:
    """Reading a project's code runs none of it, nor of the packages that it imports."""
    boom = "raise RuntimeError('imported')\n"
    write(PACKAGE | {"reached/__init__.py": boom, "reached/helper.py": f"{boom}import sklearn.svm\n"})
    before = set(sys.modules)
    found = reach()
    assert list(found.packages) == ["scikit-learn"]
    assert {name.partition(".")[0] for name in set(sys.modules) - before} <= sys.stdlib_module_names


def test_a_file_is_read_once_and_its_facts_are_remembered(write: Write) -> None:
    """What is remembered is JSON under a name that holds the module, for relative imports depend on it."""
    write(PACKAGE)
    asked: list[tuple[str, Path]] = []

    def remember(kind: str, file: Path, compute: Callable[[], Any]) -> Any:
        asked.append((kind, file))
        return compute()

    index = CodeIndex(remember)
    first = index.reach(["reached.steps.clean"])
    assert index.reach(["reached.steps.clean"]) == first
    assert sorted(file.name for _, file in asked) == ["__init__.py", "helper.py", "steps.py"]
    assert {kind.partition(":")[2] for kind, _ in asked} == {"reached", "reached.helper", "reached.steps"}


@pytest.mark.parametrize(
    ("source", "is_package", "wanted"),
    [
        ("from . import x", False, ["top.inner.x"]),
        ("from . import x", True, ["top.inner.mod.x"]),
        ("from .. import x", False, ["top.x"]),
        ("from ..other import x, y", False, ["top.other.x", "top.other.y"]),
        ("import importlib\nimportlib.import_module('..a', __package__)", False, ["importlib", "top.a"]),
        ("import_module('.a', __name__)", True, ["top.inner.mod.a"]),
        ("import_module('.a', package=__package__)", False, ["top.inner.a"]),
    ],
)
def test_relative_imports_are_made_absolute(source: str, is_package: bool, wanted: list[str]) -> None:
    """Dots count from the package that the module is in, which for `__init__.py` is itself."""
    assert imports(source, is_package=is_package) == wanted
