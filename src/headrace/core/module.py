"""What the source text of one module says, read from its syntax tree and never by importing it."""

from __future__ import annotations

import ast
import hashlib
import threading
from collections.abc import Iterator
from typing import Any

from headrace.core.code_change import read_definitions
from headrace.core.imports import STAR, absolute_name, read_exports, read_imports

Facts = dict[str, Any]  # JSON, so that it can be remembered between commands
FORMAT = 4  # raise it when the shape or meaning of the facts changes
CONSTRAINTS = "_parameter_constraints"  # in which a scikit-learn class lists what each param may be
# Decorators that leave a signature as it is; one that is not here is imported and asked.
TRANSPARENT = frozenset(
    "cache lru_cache wraps validate_params deprecated no_grad inference_mode set_module doc".split()
)


# Python 3.11 counts the depth of a tree for all threads together, and two that parse at once may end in
# `SystemError: AST constructor recursion depth mismatch`: https://github.com/python/cpython/issues/106905
_PARSING = threading.Lock()


def read_code(source: str | bytes, module: str, is_package: bool) -> Facts:
    """Return what the key of a stage, and the reasons for another one, need to know of a module.

    `digest` is of the normalised tree: comments, docstrings and formatting leave it as it is. `imports`
    and `dynamic` are those of `Imports`, `exports` what a star import brings, and `definitions` the
    digests that `read_definitions` gives. Bytes are decoded as Python does it. Raises `SyntaxError`.
    """
    tree = _parse(source)
    imports = read_imports(tree, module, is_package)
    exports = read_exports(tree)
    for node in ast.walk(tree):
        _drop_docstring(node)
    text = ast.dump(tree)
    return {
        "digest": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        "imports": imports.names,
        "dynamic": imports.dynamic,
        "exports": exports,
        "definitions": read_definitions(tree),
    }


def read_names(source: str | bytes, module: str, is_package: bool) -> Facts:
    """Return what the module defines at top level: `functions`, `classes`, `aliases`, `stars`."""
    functions: dict[str, Facts] = {}
    classes: dict[str, Facts] = {}
    aliases: dict[str, str] = {}
    stars: list[str] = []
    other: list[str] = []
    for node in _top_level(_parse(source).body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions[node.name] = _signature(node, skip_first=False)
        elif isinstance(node, ast.ClassDef):
            classes[node.name] = _class(node)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            package = absolute_name(node.module or "", node.level, module, is_package)
            for alias in node.names:
                if alias.name == STAR:
                    stars.append(package)
                else:
                    aliases[alias.asname or alias.name] = f"{package}.{alias.name}"
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            other.extend(target.id for target in targets if isinstance(target, ast.Name))
    return {"functions": functions, "classes": classes, "aliases": aliases, "stars": stars, "other": other}


def _parse(source: str | bytes) -> ast.Module:
    with _PARSING:
        return ast.parse(source)


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements of a module, looking into `if`, `try` and `with`."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from _top_level(getattr(node, part, []))
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                yield from _top_level(handler.body)


def _drop_docstring(node: ast.AST) -> None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        first = node.body[0] if node.body else None
        value = first.value if isinstance(first, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            node.body = node.body[1:]


def _class(node: ast.ClassDef) -> Facts:
    init = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    return {
        "init": _signature(init, skip_first=True) if init else None,
        "bases": [ast.unparse(base) for base in node.bases],
        "plain": not node.decorator_list and not node.keywords,
        "constraints": _constraints(node),
    }


def _constraints(node: ast.ClassDef) -> Facts | None:
    """Return every string in a class's own constraints, and the classes from which it takes others.

    None where the class has none, or where they are made in a way that the source does not tell.
    """
    strings: set[str] = set()
    taken: set[str] = set()
    about = [part for part in node.body if CONSTRAINTS in _names_in(part)]
    if not any(isinstance(part, ast.Assign | ast.AnnAssign) for part in about):
        return None
    for part in about:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for inner in ast.walk(part):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                strings.add(inner.value)
            elif isinstance(inner, ast.Attribute) and inner.attr == CONSTRAINTS:
                taken.add(ast.unparse(inner.value))
            elif isinstance(inner, ast.Dict) and not all(_is_told(*pair) for pair in _pairs(inner)):
                return None
    return {"strings": sorted(strings), "taken": sorted(taken)}


def _names_in(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _pairs(node: ast.Dict) -> Iterator[tuple[ast.expr | None, ast.expr]]:
    yield from zip(node.keys, node.values, strict=True)


def _is_told(key: ast.expr | None, value: ast.expr) -> bool:
    return key is not None or isinstance(value, ast.Dict) or getattr(value, "attr", "") == CONSTRAINTS


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef, skip_first: bool) -> Facts:
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    required = len(positional) - len(args.defaults)
    defaults = [None] * required + [_literal(default) for default in args.defaults]
    params = [
        [a.arg, _text(a.annotation), i < required, default]
        for i, (a, default) in enumerate(zip(positional, defaults, strict=True))
    ]
    params += [
        [a.arg, _text(a.annotation), default is None, _literal(default)]
        for a, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
    ]
    return {
        "params": params[1:] if skip_first else params,
        "any": args.kwarg is not None,
        "returns": _returned_names(node),
        "plain": all(_decorator_name(d) in TRANSPARENT for d in node.decorator_list),
    }


def _literal(node: ast.expr | None) -> str | float | None:
    """Return a default that is a number, a truth value or a string; None for any other."""
    try:
        value = None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return value if isinstance(value, str | int | float) else None


def _decorator_name(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _text(annotation: ast.expr | None) -> str:
    if annotation is None:
        return ""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value
    return ast.unparse(annotation)


def _returned_names(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str] | None:
    """Return the keys that every `return {...}` names, or None where a return is not such a literal."""
    names: set[str] | None = None
    for found in _own_returns(node.body):
        if not isinstance(found.value, ast.Dict):
            return None
        keys = set()
        for key in found.value.keys:
            if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                return None
            keys.add(key.value)
        names = keys if names is None else names & keys
    return sorted(names) if names is not None else None


def _own_returns(body: list[ast.stmt]) -> Iterator[ast.Return]:
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Return):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))
