"""Published models are found by alias or version, and stay what they were found to be."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.adapters.source_models import NONE_YET, SourceModels
from headrace.errors import SourceNotFound


def registry(production: int | None = 2) -> dict[str, Any]:
    """Return a registry with two versions: a directory and a file."""
    versions = [
        {"version": number, "run": f"r{number}", "digest": f"sha256:{number}", "bytes": 10 * number,
         "codec": codec, "uri": f"lake://old/runs/r{number}/package/{file}", "metrics": {}}
        for number, codec, file in ((1, "json", "model.json"), (2, "estimator", "model"))
    ]  # fmt: skip
    aliases = {} if production is None else {"production": production}
    return {"model": "birds", "versions": versions, "aliases": aliases}


def models(production: int | None = 2, **pinned: Any) -> SourceModels:
    return SourceModels(lambda name: ("c0ffee", registry(production)), pinned.get("pinned"))


def test_an_alias_is_a_version() -> None:
    """The package is read where it was published, at the commit of the registry."""
    found = models().package("model:birds@production")
    assert found is not None
    assert (found.digest, found.uri) == ("sha256:2", "lake://c0ffee/models/birds/2")
    assert models().describe("model:birds@production") == {
        "uri": "model:birds@production", "bytes": 20, "files": None, "version": 2,
        "artifact": "lake://c0ffee/models/birds/2",
    }  # fmt: skip


def test_a_version_is_named_by_its_number() -> None:
    """A package of one file lies in the version's folder under its own name."""
    found = models().package("model:birds/1")
    assert found is not None
    assert found.uri == "lake://c0ffee/models/birds/1/model.json"


def test_an_alias_without_a_version_is_none() -> None:
    """That is no error: somebody publishes the first version."""
    first = models(production=None)
    assert first.package("model:birds@production") is None
    assert first.digest("model:birds@production") == NONE_YET
    assert first.describe("model:birds@production")["version"] is None


def test_one_look_is_for_ever() -> None:
    """A run sees one version, although the alias moves meanwhile."""
    now = [1]
    found = SourceModels(lambda name: ("c", registry(now[0])))
    assert found.digest("model:birds@production") == "sha256:1"
    now[0] = 2
    assert found.digest("model:birds@production") == "sha256:1"


def test_pinned_versions_count() -> None:
    """What is pinned is not asked of the registry's aliases, none at all included."""
    assert models(pinned={"model:birds@production": 1}).digest("model:birds@production") == "sha256:1"
    assert models(pinned={"model:birds@production": None}).package("model:birds@production") is None


@pytest.mark.parametrize(
    "uri", ["model:birds", "model:@production", "model:birds@", "model:birds/x", "model:/1"]
)
def test_what_names_no_model_is_refused(uri: str) -> None:
    """The error says how one is written."""
    with pytest.raises(SourceNotFound, match=r"names no model; write model:NAME@ALIAS or model:NAME/VERSION"):
        models().digest(uri)


def test_a_version_that_is_not_there_is_named() -> None:
    """The error names one that is."""
    with pytest.raises(SourceNotFound, match=r"no version 7 of a model 'birds'; did you mean model:birds/2"):
        models().digest("model:birds/7")
