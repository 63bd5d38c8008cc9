"""Digests: pinned, tagged by type, and never a constant for what has no canonical form."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.digest import (
    CannotEncode,
    digest_bytes,
    digest_file,
    digest_listing,
    digest_value,
    encode,
)

SCALARS = st.none() | st.booleans() | st.integers(-2, 12) | st.floats(-2, 2) | st.text("a1:[", max_size=3)
TREES = st.recursive(
    SCALARS,
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text("ab.", max_size=2), children, max_size=3)
    ),
    max_leaves=6,
)


def typed(tree: Any) -> Any:
    """Return an image of a JSON tree that equals another's exactly when the trees are the same."""
    if isinstance(tree, dict):
        return ("dict", tuple(sorted((key, typed(value)) for key, value in tree.items())))
    if isinstance(tree, list):
        return ("list", tuple(map(typed, tree)))
    return (type(tree).__name__, repr(tree))


def reordered(tree: Any) -> Any:
    """Return an equal tree whose mappings are in the opposite order."""
    if isinstance(tree, dict):
        return {key: reordered(value) for key, value in reversed(tree.items())}
    return [reordered(item) for item in tree] if isinstance(tree, list) else tree


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        (None, "1b16b1df538ba12dc3f97edbb85caa7050d46c148134290feba80f8236c83db9"),
        (True, "e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8"),
        (1, "f7e4bdb03eefaca0319450705ce053a8f7f396dbd98d8270e843b3025be729d6"),
        (1.0, "8384008b5f4ebe1cc9c6c71a11800bc002129fae5b623f6310a6c5207d3c8202"),
        ("1", "ea4cb38773dbeb62118b1a71f70929c725ecd5aa909651d9c7e8fc3963fbc5f3"),
        (b"1", "bceff91cd35f1e5c4a7a0958196c6f20ce03093ed6f8fe2845e5d3da08fa304b"),
        (["ab"], "c5a8ad9d6d2be1b12abf1e90bda20439ff86d28f33c7f0d148d986ba845ad8e9"),
        (
            {"a": 1, "b": [None, 2.5]},
            "0001386b46052c1339f1e0c7d06da9823a3dfc53f2d059c310ae36cd464897ab",
        ),
    ],
)
def test_digests_are_pinned(value: Any, digest: str) -> None:
    """A release that changes a digest makes every cached stage run again, so it must be on purpose."""
    assert digest_value(value) == digest


def test_digests_of_bytes_and_listings_are_pinned(tmp_path: Path) -> None:
    """Content digests name their algorithm; a listing's digest does not depend on the order."""
    file = tmp_path / "file"
    file.write_bytes(b"headrace")
    assert digest_bytes(b"headrace") == f"sha256:{hashlib.sha256(b'headrace').hexdigest()}"
    assert digest_file(file) == digest_bytes(b"headrace")
    listing = [("b", "sha256:2"), ("a", "sha256:1")]
    wanted = "sha256:fbc1e6ee99090eff6c9d7cb00cc89f66c6daaef1f02ffa106cb2a1e3b5a10f57"
    assert digest_listing(listing) == digest_listing(reversed(listing)) == wanted


def test_values_of_different_types_never_share_a_digest() -> None:
    """What prints alike or compares equal but is of another type has another digest."""
    values = [1, 1.0, True, "1", b"1", [1], None, "", b"", [], {}, "True", [[]], [None], "None"]
    assert len({digest_value(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab"], ["a", "b"]),
        ([["a"], "b"], [["a", "b"]]),
        ([[], [[]]], [[[]], []]),
        ({"a": {"b": 1}}, {"a": {}, "b": 1}),
        ({"ab": 1}, {"a": "b1"}),
        (["s1:a"], ["a"]),
        (0.0, -0.0),
    ],
)
def test_nesting_is_part_of_the_digest(one: Any, other: Any) -> None:
    """The same leaves in another structure have another digest."""
    assert digest_value(one) != digest_value(other)


def test_a_tuple_is_a_list() -> None:
    """JSON has no tuples, so a record read back must give the same key."""
    assert digest_value((1, ("a",))) == digest_value([1, ["a"]])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, {"b": {1, 2}}]}, r"^a\[1\]\.b is a set"),
        (object(), "^value is a object"),
        ([Path("x")], r"^\[0\] is a \w*Path"),
        ({"a": {3: "x"}}, r"^a \(key 3\) is a int"),
    ],
)
def test_an_unknown_type_is_an_error_that_names_its_place(value: Any, message: str) -> None:
    """What has no canonical form says where it is and what it is."""
    with pytest.raises(CannotEncode, match=message):
        encode(value)


@given(TREES, TREES)
def test_two_trees_share_an_encoding_only_when_they_are_the_same(one: Any, other: Any) -> None:
    """Encoding is injective on JSON trees."""
    assert (encode(one) == encode(other)) == (typed(one) == typed(other))


@given(TREES)
def test_the_order_of_keys_does_not_count(tree: Any) -> None:
    """Equal trees that were built in another order have one encoding."""
    assert encode(reordered(tree)) == encode(tree)
