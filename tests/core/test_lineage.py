"""References: one name for a thing, an alias for a version, an address that stays."""

from __future__ import annotations

from dataclasses import replace

from headrace.core.artifact import Artifact
from headrace.core.lineage import fit_name, lake_address, refer_to_model, refer_to_source

COMMIT = "c0ffee" * 10
SHA = "sha256:0123456789abcdef"


def test_an_object_of_the_lake_is_addressed_at_its_commit() -> None:
    """A lake on a server has its repository in the address; the embedded lake has none."""
    assert (
        lake_address("lakefs:https://h:8000/aviary", COMMIT, "a/b.csv") == f"lakefs://aviary/{COMMIT}/a/b.csv"
    )
    assert lake_address("embedded:/home/me/lake", COMMIT, "a/b.csv") == f"lake://{COMMIT}/a/b.csv"


def test_data_in_the_lake_has_the_short_commit_as_its_alias() -> None:
    """Each object is a file with the lake's digest; the name is the same at every commit."""
    source = {"uri": "lake:data/*.csv", "bytes": 7, "files": {"data/b.csv": SHA, "data/a.csv": "sha256:aa"}}
    found = refer_to_source(source, "sha256:both", "embedded:/lake", COMMIT)
    assert (found.name, found.kind, found.alias) == ("lake-data-.csv", "dataset", COMMIT[:12])
    assert [(f.path, f.uri, f.digest) for f in found.files] == [
        ("data/a.csv", f"lake://{COMMIT}/data/a.csv", "sha256:aa"),
        ("data/b.csv", f"lake://{COMMIT}/data/b.csv", SHA),
    ]
    assert found.metadata["commit"] == COMMIT


def test_data_outside_the_lake_is_its_uri_and_digest() -> None:
    """A file's alias is the beginning of its digest, and no folder of this machine is told."""
    source = {"uri": "package:birds/data/b.csv", "bytes": 7, "files": {"/opt/site/birds/data/b.csv": SHA}}
    found = refer_to_source(source, SHA, "embedded:/lake", COMMIT)
    assert (found.name, found.alias) == ("package-birds-data-b.csv", "0123456789ab")
    (file,) = found.files
    assert (file.path, file.uri, file.digest, file.bytes) == ("b.csv", "package:birds/data/b.csv", SHA, 7)
    assert "/opt/site" not in str(found.to_json())
    assert "commit" not in found.metadata


def test_many_files_outside_the_lake_are_told_apart() -> None:
    """A pattern's files keep their names; where a record does not list them, the source is one file."""
    source = {"uri": "file:data/*.csv", "bytes": 9, "files": {"data/a.csv": "sha256:aa", "data/b.csv": SHA}}
    found = refer_to_source(source, "sha256:both", "embedded:/lake", COMMIT)
    assert [(f.path, f.uri) for f in found.files] == [
        ("a.csv", "file:data/*.csv#a.csv"),
        ("b.csv", "file:data/*.csv#b.csv"),
    ]
    found = refer_to_source({**source, "files": None}, "sha256:both", "embedded:/lake", COMMIT)
    assert [(f.digest, f.uri) for f in found.files] == [("sha256:both", "file:data/*.csv")]


def test_a_model_is_its_package_wherever_that_lies() -> None:
    """The same package at another commit is the same version: its file's path and digest do not change."""
    made = Artifact(digest=SHA, bytes=5, codec="estimator", uri="lake://c1/runs/r/model")
    here = refer_to_model("birds", made, "embedded:/l", {"run": "r"})
    there = refer_to_model("birds", replace(made, uri="lake://c2/models/birds/1"), "embedded:/l", {})
    assert [(f.path, f.digest) for f in here.files] == [(f.path, f.digest) for f in there.files]
    assert (here.name, here.kind, here.alias) == ("birds", "model", "0123456789ab")
    assert here.metadata["run"] == "r"


def test_names_fit_every_registry() -> None:
    """What W&B does not take in a name becomes a dash, and a long name is cut."""
    assert fit_name("file:/a b/c.csv") == "file-a-b-c.csv"
    assert len(fit_name("x" * 300)) == 128
    assert fit_name("///") == "unnamed"
