"""The code that a call reaches, held against what Python itself imports of random packages."""

from __future__ import annotations

import ast
import importlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headrace.core.code import CodeIndex

PACKAGE = "reached_pkg"
LEAVES = ("alpha", "beta", "gamma", "inner.one", "inner.two", "inner.deep.three")
PACKAGES = ("", "inner", "inner.deep")
MODULES = (*LEAVES, *PACKAGES)

# Ways to import `{full}`; `{up}.{rest}` is the same seen from the module's own package, `{parent}` and
# `{last}` its two halves. Each module has `thing` before it imports, so circles end well. Python is asked
# what happens, so a form may do anything that works.
FORMS = {
    "plain": "import {full}",
    "alias": "import {full} as other_{n}",
    "from": "from {full} import thing as thing_{n}",
    "star": "from {full} import *",
    "relative": "from {up}{rest} import thing as thing_{n}",
    "relative star": "from {up}{rest} import *",
    "module": "from {parent} import {last} as other_{n}",
    "relative module": "from {up}{parent_rest} import {last} as other_{n}",
    "handed on": "from {full} import thing\n__all__ = [*globals().get('__all__', []), 'thing']",
    "conditional": "if len('{n}'):\n    import {full}\nelse:\n    other = 1",
    "tried": "try:\n    from {full} import nothing_like_it\nexcept ImportError:\n    nothing = 1",
    "with": "with open(__file__):\n    import {full}",
    "in a class": "class Holder_{n}:\n    from {full} import thing",
    "lazy": "def lazy_{n}():\n    import {full}\n    return 1",
    "lazy relative": "def lazy_{n}():\n    from {up}{rest} import thing\n    return thing",
    "lazy nested": "def lazy_{n}():\n    def within():\n        from {parent} import {last}\n    within()",
    "lazy attribute": "def lazy_{n}():\n    import {full}\n    return {full}.thing",
    "by name": "import importlib\nimportlib.import_module('{full}')",
    "by relative name": "import importlib as il\nil.import_module('{up}{rest}', __package__)",
    "by aliased loader": "from importlib import import_module as load\nload(name='{full}')",
    "built in": "__import__('{full}')",
    "built in list": "__import__('{parent}', fromlist=['{last}'])",
    "by colon": "import pkgutil\npkgutil.resolve_name('{full}:thing')",
    "typing only": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {full}",
    "text": "text = 'import {full}'  # import {full}",
}
HALVES = {"module", "relative module", "lazy nested", "built in list"}  # the whole has none

Imports = Mapping[str, list[tuple[str, str]]]


def full(name: str) -> str:
    return f"{PACKAGE}.{name}" if name else PACKAGE


def statement(module: str, target: str, form: str, number: int) -> str:
    """Write an import of `target` into `module`."""
    if form in HALVES and not target:
        form = "plain"
    depth = module.count(".") + (2 if module in PACKAGES and module else 1)
    parent, _, last = full(target).rpartition(".")
    parent_rest = parent.removeprefix(PACKAGE).removeprefix(".")
    return FORMS[form].format(
        full=full(target),
        rest=target,
        up="." * depth,
        parent=parent,
        parent_rest=parent_rest,
        last=last,
        n=f"{module.replace('.', '_')}_{number}",  # a star must not bring another function of the same name
    )


def texts(imports: Imports, exported: bool) -> dict[str, str]:
    """Return the source of every module; with `exported` a star brings two modules of `inner`."""
    found = {}
    for module in MODULES:
        lines = ['"""Some module."""', "thing = 1"]
        if module == "inner" and exported:
            lines.append("__all__ = ['thing']\n__all__ += ['one', 'deep']")
        drawn = imports.get(module, [])
        lines += [statement(module, target, form, n) for n, (target, form) in enumerate(drawn)]
        lines.append('def last(x):\n    """Say it."""\n    return (x, 2)')
        found[module] = "\n".join(lines) + "\n"
    return found


def file_of(folder: Path, module: str) -> Path:
    inside = "/".join([PACKAGE, *filter(None, module.split("."))])
    return folder / (f"{inside}/__init__.py" if module in PACKAGES else f"{inside}.py")


def write(folder: Path, sources: Mapping[str, str]) -> None:
    for module, text in sources.items():
        file = file_of(folder, module)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Put a folder on the path, and afterwards have nothing of the package left anywhere."""
    sys.path.insert(0, str(folder))
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = kept
        sys.path.remove(str(folder))
        sys.path_importer_cache.pop(str(folder), None)
        forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def really_imported(root: str) -> set[str]:
    """Import a module, call every lazy function of what that brings, and return what has been loaded."""
    forget()
    try:
        importlib.import_module(full(root))
        return call_what_is_lazy()
    except AttributeError as error:
        # A star that brings a module which is itself being imported: Python has no such program.
        assume("circular import" not in str(error))
        raise


def call_what_is_lazy() -> set[str]:
    called: set[str] = set()
    while left := {name for name in sys.modules if name.partition(".")[0] == PACKAGE} - called:
        for name in left:
            called.add(name)
            for function in [v for k, v in vars(sys.modules[name]).items() if k.startswith("lazy_")]:
                function()
    return called


def reach(root: str) -> dict[str, str]:
    """Ask with nothing remembered."""
    index = CodeIndex(lambda kind, file, compute: compute())
    return index.reach([f"{full(root)}.thing"]).modules


def harmless(text: str, how: int) -> str:
    """Write a module in other words: comments, docstrings or its whole formatting."""
    return [
        f"# a comment\n\n\n{text}# another",
        text.replace('"""Some module."""', "# no docstring").replace('"""Say it."""', "'Say\\nit twice.'"),
        ast.unparse(ast.parse(text)),
        text.replace("    return (x, 2)", "    return (\n        x,\n        2\n    )").replace("\n", "\r\n"),
    ][how]


def real(text: str, how: int) -> str:
    """Change what a module does: a statement more, another constant, another default, another order."""
    return [
        text + "changed = 2\n",
        text.replace("(x, 2)", "(x, 3)"),
        text.replace("last(x)", "last(x=1)"),
        text.replace("(x, 2)", "(2, x)"),
    ][how]


DRAWN = st.dictionaries(
    st.sampled_from(MODULES),
    st.lists(st.tuples(st.sampled_from(MODULES), st.sampled_from(sorted(FORMS))), min_size=1, max_size=3),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(imports=DRAWN, exported=st.booleans())
def test_reach_is_what_python_imports(imports: Imports, exported: bool) -> None:
    """From every module of a random package, by every form of import, exactly what is loaded is reached."""
    with tempfile.TemporaryDirectory() as name, importable(Path(name)):
        write(Path(name), texts(imports, exported))
        for root in MODULES:
            assert set(reach(root)) == really_imported(root), root


@settings(max_examples=25, deadline=None)
@given(
    imports=DRAWN,
    edited=st.sampled_from(MODULES),
    same=st.integers(0, 3),
    other=st.integers(0, 3),
)
def test_an_edit_is_seen_by_exactly_those_that_reach_it(
    imports: Imports, edited: str, same: int, other: int
) -> None:
    """A real edit of a module counts for every stage that imports it, a harmless one for none."""
    with tempfile.TemporaryDirectory() as name, importable(Path(name)):
        folder, sources = Path(name), texts(imports, exported=False)
        write(folder, sources)
        before = {root: reach(root) for root in MODULES}
        concerned = {root for root in MODULES if full(edited) in really_imported(root)}
        write(folder, {edited: harmless(sources[edited], same)})
        assert {root: reach(root) for root in MODULES} == before
        write(folder, {edited: real(sources[edited], other)})
        after = {root: reach(root) for root in MODULES}
        assert {root for root in MODULES if after[root] != before[root]} == concerned
        assert all(after[root].keys() == before[root].keys() for root in MODULES)


def test_every_form_does_import() -> None:
    """No form of the list is idle: Python itself loads the module, or does not where that is the point."""
    with tempfile.TemporaryDirectory() as name, importable(Path(name)):
        for form in FORMS:
            write(Path(name), texts({"alpha": [("inner.one", form)]}, exported=False))
            sys.path_importer_cache.pop(name, None)
            wanted = form not in ("typing only", "text")
            assert (f"{PACKAGE}.inner.one" in really_imported("alpha")) is wanted, form
