"""The code that a call reaches, held against an independent model over random packages."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.core.code import CodeIndex

PACKAGE = "reached_pkg"
NAMES = ("alpha", "beta", "gamma", "delta")
INNER = ("inner.one", "inner.two")
MODULES = (*NAMES, *INNER)

# Each way to import `target` from a module inside the package; `{dots}` is the way up to the package.
FORMS = (
    "import {package}.{target}",
    "import {package}.{target} as other",
    "from {package}.{target} import thing",
    "from {package}.{target} import *",
    "from {dots}{target} import thing",
    "def lazy():\n    from {dots}{target} import thing\n    return thing",
    "def lazy():\n    import {package}.{target}\n    return 1",
    "try:\n    import {package}.{target}\nexcept ImportError:\n    pass",
    "if True:\n    from {package} import {first}{rest}",
    "import importlib\nfound = importlib.import_module('{package}.{target}')",
)
HARMLESS = ("# a comment\n", '"""A docstring."""\n', "\n\n\n")

Imports = dict[str, list[tuple[str, int]]]


def texts(imports: Imports) -> dict[str, str]:
    """Return the source of every module."""
    found = {}
    for module in MODULES:
        dots = ".." if "." in module else "."
        lines = ["thing = 1"]
        for target, form in imports.get(module, ()):
            first, _, rest = target.partition(".")
            text = FORMS[form % len(FORMS)]
            if "{first}" in text and rest:
                text = FORMS[0]
            lines.append(text.format(package=PACKAGE, target=target, dots=dots, first=first, rest=""))
        found[module] = "\n".join(lines) + "\n"
    return found


def write(folder: Path, sources: dict[str, str], init: str | None) -> None:
    for name in ("__init__", "inner.__init__"):
        file = folder / PACKAGE / f"{name.replace('.', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        brings = init is not None and name.startswith("inner")
        file.write_text(f"from ..{init} import thing\n" if brings else "")
    for name, text in sources.items():
        (folder / PACKAGE / f"{name.replace('.', '/')}.py").write_text(text)


def expected(imports: Imports, root: str, init: str | None) -> set[str]:
    """Follow the imports that were drawn; a module brings the packages that it lies in."""
    reached, pending = set(), [root]
    while pending:
        module = pending.pop()
        if module not in reached:
            reached.add(module)
            pending += [target for target, _ in imports.get(module, ())]
            pending += [init] if init is not None and module.startswith("inner") else []
    names = {f"{PACKAGE}.{module}" for module in reached}
    return names | {name.rpartition(".")[0] for name in names} | {PACKAGE}


def reach(root: str) -> dict[str, str]:
    """Ask with nothing remembered."""
    index = CodeIndex(lambda kind, file, compute: compute())
    return index.reach([f"{PACKAGE}.{root}.thing"]).modules


INITS = st.none() | st.sampled_from(NAMES)  # what the inner package's `__init__` hands on
IMPORTS = st.dictionaries(
    st.sampled_from(MODULES), st.lists(st.tuples(st.sampled_from(MODULES), st.integers(0, 9)), max_size=2)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    imports=IMPORTS,
    init=INITS,
    root=st.sampled_from(MODULES),
    edited=st.sampled_from(MODULES),
    harmless=st.sampled_from(HARMLESS),
)
def test_an_edit_is_seen_by_exactly_those_that_reach_it(
    imports: Imports,
    init: str | None,
    root: str,
    edited: str,
    harmless: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reach follows every form of import; a real edit counts where it is reached, a harmless one nowhere."""
    with tempfile.TemporaryDirectory() as name, monkeypatch.context() as patch:
        folder = Path(name)
        patch.syspath_prepend(name)
        sources = texts(imports)
        write(folder, sources, init)
        sys.path_importer_cache.pop(name, None)
        before = reach(root)
        assert set(before) == expected(imports, root, init)
        write(folder, {**sources, edited: harmless + sources[edited]}, init)
        assert reach(root) == before
        write(folder, {**sources, edited: sources[edited] + "changed = 2\n"}, init)
        after = reach(root)
        seen = {module for module in before if before[module] != after[module]}
        assert seen == ({f"{PACKAGE}.{edited}"} & set(before))
