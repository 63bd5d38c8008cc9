"""Checks of stored trees: scikit-learn follows their indices in C, without looking."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace.errors import StageError

_PREDICTOR = ("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor")
_TREE = ("sklearn.tree._tree", "Tree")


def check_trees(estimator: Any, file: Path) -> None:
    """Refuse trees whose indices would lead outside their arrays, or round in a circle.

    skops knows types, not contents, and for this reason trusts neither kind of tree by itself
    (https://github.com/scikit-learn/scikit-learn/pull/34558). What is checked: every child comes
    after its parent and within the array, every feature is one of the estimator's, and every set of
    categories exists.
    """
    for owner, tree in _trees(estimator, None, set()):
        limit = getattr(owner, "n_features_in_", None)
        problem = (
            _problem_of_tree(tree, limit) if _name(tree) == _TREE else _problem_of_predictor(tree, limit)
        )
        if problem:
            raise StageError(f"{file} holds a damaged tree: {problem}.\n      Train the model again.")


def clean_nodes(data: bytes) -> bytes:
    """Return the npy file of a tree's nodes without what happened to be in memory between the fields.

    Padding, and at a leaf the side that missing values would go to, are never set by scikit-learn.
    Every other file is returned as it is.
    """
    if not data.startswith(b"\x93NUMPY") or (
        b"'descr': {" not in data[:160] and b"'descr': [" not in data[:160]
    ):
        return data
    import numpy as np

    nodes = np.load(io.BytesIO(data), allow_pickle=False)
    clean = np.zeros(nodes.shape, nodes.dtype)
    for name in nodes.dtype.names:
        clean[name] = nodes[name]
    if {"left_child", "missing_go_to_left"} <= set(nodes.dtype.names):
        clean["missing_go_to_left"][clean["left_child"] == -1] = 0
    target = io.BytesIO()
    np.save(target, clean, allow_pickle=False)
    return target.getvalue()


def _name(value: object) -> tuple[str, str]:
    return type(value).__module__, type(value).__qualname__


def _trees(value: Any, owner: Any, seen: set[int]) -> Iterator[tuple[Any, Any]]:
    """Yield each tree with the estimator that feeds it, wherever the two are nested."""
    if id(value) in seen or isinstance(value, (str, int, float, bytes, type(None))):
        return
    seen.add(id(value))
    if _name(value) in (_TREE, _PREDICTOR):
        yield owner, value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _trees(item, owner, seen)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _trees(item, owner, seen)
    elif getattr(getattr(value, "dtype", None), "hasobject", False):
        yield from _trees(value.ravel().tolist(), owner, seen)
    elif hasattr(value, "__dict__"):
        owner = value if hasattr(value, "n_features_in_") else owner
        yield from _trees(vars(value), owner, seen)


def _problem_of_tree(tree: Any, limit: int | None) -> str:
    import numpy as np

    state = tree.__getstate__()
    nodes = state["nodes"]
    if not len(nodes) or len(nodes) != len(state["values"]):
        return "nodes and values differ in number"
    inner = nodes["left_child"] != -1
    return _problem_of_links(
        np.flatnonzero(inner),
        [nodes["left_child"][inner], nodes["right_child"][inner]],
        nodes["feature"][inner],
        len(nodes),
        tree.n_features if limit is None else min(tree.n_features, limit),
    )


def _problem_of_predictor(tree: Any, limit: int | None) -> str:
    import numpy as np

    nodes = tree.nodes
    if not len(nodes):
        return "it has no nodes"
    inner = nodes["is_leaf"] == 0
    problem = _problem_of_links(
        np.flatnonzero(inner),
        [nodes["left"][inner], nodes["right"][inner]],
        nodes["feature_idx"][inner],
        len(nodes),
        limit if limit is not None else 0,
    )
    sets = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
    shape = tree.raw_left_cat_bitsets.shape
    if not problem and len(sets) and (int(sets.max()) >= shape[0] or len(shape) != 2 or shape[1] != 8):
        return "a set of categories does not exist"
    return problem


def _problem_of_links(parents: Any, children: list[Any], features: Any, count: int, limit: int) -> str:
    import numpy as np

    for links in children:
        links = links.astype(np.int64)
        if ((links <= parents) | (links >= count)).any():
            return "a child lies before its parent or outside the tree"
    features = features.astype(np.int64)
    if ((features < 0) | (features >= limit)).any():
        return "a feature does not exist"
    return ""
