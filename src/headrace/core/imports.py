"""What the source text of a module imports, wherever and however it says so."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

STAR = "*"

# By these a module is had under a name that is a value; where the value is a literal, it is followed.
LOADERS = frozenset(
    {
        "builtins.__import__",
        "importlib.__import__",
        "importlib.import_module",
        "importlib.machinery.SourceFileLoader",
        "importlib.util.spec_from_file_location",
        "pkgutil.resolve_name",
        "runpy.run_module",
        "runpy.run_path",
    }
)
# So telling that they count even where nobody can say from where they come.
LOADER_NAMES = frozenset({"import_module", "__import__"})


@dataclass(frozen=True, slots=True)
class Imports:
    """Dotted `names` (`package.*` for a star), and the lines of imports whose name is computed."""

    names: list[str]
    dynamic: list[int]


@dataclass(slots=True)
class _Module:
    """A module that is read. `bound` has what each name may stand for, in any of its scopes."""

    name: str
    is_package: bool
    names: dict[str, None] = field(default_factory=dict)
    bound: dict[str, set[str]] = field(default_factory=dict)

    def absolute(self, name: str, level: int) -> str:
        return absolute_name(name, level, self.name, self.is_package)

    def bind(self, name: str, to: str) -> None:
        self.bound.setdefault(name, set()).add(to)


def read_imports(tree: ast.Module, module_name: str, is_package: bool) -> Imports:
    """Read lazy, relative and conditional imports too, and not those under `if TYPE_CHECKING:`.

    With `import a`, a use of `a.b.c` counts as an import of `a.b.c`, for somebody else may have imported
    `a.b`; that it may be no module is for the reader to find out.
    """
    module = _Module(module_name, is_package)
    nodes = list(_walk_runtime(tree))
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            _read_statement(node, module)
    parts: set[int] = set()  # of a longer chain, or of a call that is followed
    dynamic: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.Call) and (found := _followed(node, module)):
            module.names.update(dict.fromkeys(found))
            parts.add(id(node.func))
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            if isinstance(node, ast.Attribute):
                parts.add(id(node.value))
            if _is_loader(node, module):
                dynamic |= set() if id(node) in parts else {node.lineno}
            elif isinstance(node, ast.Attribute) and id(node) not in parts:
                used = sorted(_dotted(node, module))
                module.names.update((name, None) for name in used if not _is_standard(name))
    return Imports(list(module.names), sorted(dynamic))


def absolute_name(name: str, level: int, module: str, is_package: bool) -> str:
    """Return the full name of what a module imports as `name` after `level` dots."""
    if not level:
        return name
    parts = module.split(".")
    keep = max(len(parts) - level + is_package, 0)
    return ".".join([*parts[:keep], *([name] if name else [])])


def read_exports(tree: ast.Module) -> list[str]:
    """Return the strings in what is assigned or added to `__all__`: a star import brings these modules."""
    about = [node for node in tree.body if _mentions_all(node)]
    strings = {
        inner.value
        for node in about
        for inner in ast.walk(node)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
    }
    return sorted(strings)


def _mentions_all(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return any(isinstance(inner, ast.Name) and inner.id == "__all__" for inner in ast.walk(node))


def _read_statement(node: ast.Import | ast.ImportFrom, module: _Module) -> None:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            package = module.absolute(node.module or "", node.level)
            dotted = f"{package}.{alias.name}"
            module.bind(alias.asname or alias.name, dotted)
        else:
            dotted = alias.name
            top = dotted.partition(".")[0]
            module.bind(alias.asname or top, dotted if alias.asname else top)
        module.names[dotted] = None


def _walk_runtime(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every node after the one that it is in, and nothing that is for the type checker only."""
    pending = [node]
    while pending:
        found = pending.pop()
        yield found
        if isinstance(found, ast.If) and _is_type_checking(found.test):
            pending.extend(reversed(found.orelse))
        else:
            pending.extend(reversed(list(ast.iter_child_nodes(found))))


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _dotted(node: ast.expr, module: _Module) -> set[str]:
    """Return what `name.attribute...` may stand for, where its first name was imported."""
    rest: list[str] = []
    while isinstance(node, ast.Attribute):
        rest.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return set()
    return {".".join([bound, *rest]) for bound in module.bound.get(node.id, ())}


def _is_standard(dotted: str) -> bool:
    return dotted.partition(".")[0] in sys.stdlib_module_names


def _is_loader(node: ast.expr, module: _Module) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in LOADER_NAMES or bool(_dotted(node, module) & LOADERS)


def _followed(call: ast.Call, module: _Module) -> list[str]:
    """Return the modules that a call of a loader names; [] for any other, and where that is computed."""
    if not _is_loader(call.func, module):
        return []
    known = {found.rpartition(".")[2] for found in _dotted(call.func, module) & LOADERS}
    loader = next(iter(known), getattr(call.func, "attr", getattr(call.func, "id", "")))
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    first = _literal(call.args[0] if call.args else given.get("name", given.get("mod_name")))
    if not isinstance(first, str) or None in given:
        return []
    match loader:
        case "import_module":
            return _relative(first, call.args[1] if len(call.args) > 1 else given.get("package"), module)
        case "__import__":
            return _built_in(first, call, given, module)
        case "run_module":
            return [first, f"{first}.__main__"]
        case "resolve_name":
            return [first.replace(":", ".")]
    return []  # a file, which may be anywhere


def _relative(name: str, anchor: ast.expr | None, module: _Module) -> list[str]:
    """Follow `import_module(name, anchor)`."""
    bare = name.lstrip(".")
    level = len(name) - len(bare)
    if not level:
        return [name]
    package = _literal(anchor)
    if isinstance(package, str):
        return [absolute_name(bare, level, package, True)]
    own = ast.unparse(anchor) if anchor is not None else ""
    if own == "__package__" or (own == "__name__" and module.is_package):
        return [module.absolute(bare, level)]
    return []


def _built_in(name: str, call: ast.Call, given: dict[str | None, ast.expr], module: _Module) -> list[str]:
    """Follow `__import__(name, globals, locals, fromlist, level)`."""
    wanted = call.args[3] if len(call.args) > 3 else given.get("fromlist")
    up = call.args[4] if len(call.args) > 4 else given.get("level")
    listed = () if wanted is None else _literal(wanted)
    level = 0 if up is None else _literal(up)
    if not isinstance(listed, list | tuple) or not isinstance(level, int):
        return []
    package = module.absolute(name, level)
    return [package, *(f"{package}.{item}" for item in listed)]


def _literal(node: ast.expr | None) -> object:
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
