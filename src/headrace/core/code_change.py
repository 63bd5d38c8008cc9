"""What a module defines, each thing by a digest, and what changed between two states of it."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Iterator, Mapping

DIGITS = 12
SHOWN = 6  # digits of a digest in a reason
SHOWN_AT_MOST = 3
REST = "module level"  # imports, constants, and everything else that is no function or class


def read_definitions(tree: ast.Module) -> dict[str, str]:
    """Return the digest of each function, each class without its methods, each method, and the rest.

    They go by the names that a person reads: `function fit`, `class Net`, `class Net, method forward`,
    `module level`. `tree` is without docstrings. What is defined twice has one digest for both.
    """
    parts: dict[str, list[str]] = {REST: []}
    for name, node in _definitions(tree):
        parts.setdefault(name, []).append(ast.dump(node))
    return {name: _digest("".join(texts)) for name, texts in parts.items()}


def explain(old: Mapping[str, str] | None, new: Mapping[str, str]) -> str:
    """Name what differs, such as `function fit, abc123 → def456`; '' where the old is not known.

    It is '' too where the definitions only changed places.
    """
    if old is None:
        return ""
    changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    said = [_said(name, old.get(name), new.get(name)) for name in changed[:SHOWN_AT_MOST]]
    more = len(changed) - SHOWN_AT_MOST
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def _said(name: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{name} added"
    return f"{name} removed" if new is None else f"{name}, {old[:SHOWN]} → {new[:SHOWN]}"


def _definitions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"function {node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from _class(node)
        else:
            yield REST, node


def _class(node: ast.ClassDef) -> Iterator[tuple[str, ast.AST]]:
    methods = [n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    bare = copy.copy(node)  # keeps what later versions of Python have beside bases, such as type parameters
    bare.body = [n for n in node.body if n not in methods]
    yield f"class {node.name}", bare
    for method in methods:
        yield f"class {node.name}, method {method.name}", method


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
