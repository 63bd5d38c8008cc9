"""What the source of a module says: its imports in every form, those that hide, and one digest for ever."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from headrace.core import module

SOURCE = '''"""A module."""
import json
from .helper import scale as s


class Net(json.JSONEncoder):
    """A class."""

    size = 1

    def forward(self, x: int = 2) -> float:
        return s(x) * self.size
'''
GOLDEN = "71abe42496bf97f9db96d0b097a17c30e8bbc0ae5ca6329f4c0597a4d5e3a936"


def facts(source: str | bytes, name: str = "top.inner.mod", is_package: bool = False) -> dict[str, Any]:
    return module.read_code(source, name, is_package)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each Python writes a tree down in its own words")
def test_the_digest_of_a_module_stays_what_it_is() -> None:
    """Another digest for the same source would make every stage of every project run again."""
    assert facts(SOURCE)["digest"] == GOLDEN


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("from importlib import import_module as load\nload('a.b')", "a.b"),
        ("import importlib as il\nil.import_module(name='a.b')", "a.b"),
        ("from importlib import import_module\nimport_module('.b', package='a')", "a.b"),
        ("__import__('a', fromlist=['b'])", "a.b"),
        ("__import__('b', globals(), None, (), 1)", "top.inner.b"),
        ("import builtins\nbuiltins.__import__('a.b')", "a.b"),
        ("import runpy\nrunpy.run_module('a.b')", "a.b"),
        ("import pkgutil\npkgutil.resolve_name('a.b:c')", "a.b.c"),
        ("import a\n\n\ndef f():\n    return a.b.c(1)", "a.b.c"),
        ("import a as x\nx.b.c", "a.b.c"),
        ("from a import b\nb.c.d", "a.b.c.d"),
        ("from a import *", "a.*"),
    ],
)
def test_what_names_a_module_is_followed(source: str, wanted: str) -> None:
    """Loaders under any name, their keywords, and attributes of what was imported name modules."""
    found = facts(source)
    assert wanted in found["imports"]
    assert found["dynamic"] == []


@pytest.mark.parametrize(
    "line",
    [
        "importlib.import_module(name)",
        "load(f'plugins.{name}')",
        "list(map(importlib.import_module, names))",
        "later = load",
        "importlib.import_module('.b', package)",
        "importlib.import_module(**given)",
        "__import__(name)",
        "__import__('a', fromlist=names)",
        "runpy.run_path('steps.py')",
        "runpy.run_module(name)",
        "importlib.util.spec_from_file_location('a', path)",
    ],
)
def test_what_cannot_be_followed_is_told_with_its_line(line: str) -> None:
    """A computed name, a file, and a loader that is handed on may bring any module."""
    head = "import importlib.util, runpy\nfrom importlib import import_module as load\n\n"
    assert facts(head + line)["dynamic"] == [4]


@pytest.mark.parametrize(
    "source",
    [
        "import job\njob.run_path('x')",
        "self.run_module(name)",
        "from mine import resolve_name\nresolve_name(x)",
        "import importlib.metadata\nimportlib.metadata.version(name)",
        "load(name)",
    ],
)
def test_what_only_sounds_like_a_loader_is_none(source: str) -> None:
    """A method of the user's own with such a name warns nobody."""
    assert facts(source)["dynamic"] == []


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("__all__ = ['a', 'b']", ["a", "b"]),
        ("__all__ = ['a']\n__all__ += ['b']\n__all__.append('c')", ["a", "b", "c"]),
        ("__all__: list[str] = [*other, 'a']", ["a"]),
        ("def f():\n    __all__ = ['a']", []),
    ],
)
def test_what_a_star_brings_is_read(source: str, wanted: list[str]) -> None:
    """`__all__` counts however it is put together, as far as its strings are there to be read."""
    assert facts(source)["exports"] == wanted


@pytest.mark.parametrize(
    "source",
    [b"\xef\xbb\xbfx = '\xc3\xa9'\n", b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "x = 'é'\n".encode()],
    ids=["byte order mark", "latin-1", "utf-8"],
)
def test_a_source_is_decoded_as_python_does_it(source: bytes) -> None:
    """A byte order mark and a declared encoding are how the file is written, not what it says."""
    assert facts(source)["digest"] == facts("x = 'é'\n")["digest"]


def test_one_thread_parses_at_a_time() -> None:
    """Python 3.11 may break where two threads parse at once: here the second waits for the first."""
    done = threading.Event()

    def read() -> None:
        facts(SOURCE)
        done.set()

    reader = threading.Thread(target=read)
    with module._PARSING:
        reader.start()
        assert not done.wait(0.1)
    reader.join()
    assert done.is_set()
