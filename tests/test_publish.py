"""Publishing on both lakes: versions count up, whoever comes second, and nothing foreign is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.artifact import Artifact, lake_uri
from headrace.core.digest import digest_listing
from headrace.core.package import VERSION
from headrace.core.ports import MAIN, Commit, LakeStore, MergeStrategy, ObjectInfo
from headrace.core.record import branch_of
from headrace.core.spec import PublishSpec
from headrace.errors import MergeConflict, ModelNotFound, RefNotFound
from headrace.publish import Outcome, publish_run
from headrace.registry import find_aliased, find_version, read_registry, registry_path
from tests.lakefs_server import connect, server

__all__ = ["server"]

SPEC = PublishSpec(model="birds", package="model", gate="gate", alias="production")


class MovingLake:
    """A lake on which something else happens just before the next merge into `main`."""

    def __init__(self, lake: LakeStore, meanwhile: Callable[[], object]) -> None:
        self._lake = lake
        self.meanwhile = [meanwhile]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def merge(
        self,
        source: str,
        dest: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        strategy: MergeStrategy | None = None,
    ) -> Commit:
        if dest == MAIN and self.meanwhile:
            self.meanwhile.pop()()
        return self._lake.merge(source, dest, message, metadata, strategy)


@pytest.fixture(params=["embedded", "lakefs"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> LakeStore:
    """Both lakes: what is published on one is published the same way on the other."""
    if request.param == "embedded":
        return EmbeddedLake(tmp_path / "lake")
    return connect(request.getfixturevalue("server"), tmp_path / "cache")


def start(lake: LakeStore, run_id: str, files: Mapping[str, str]) -> Artifact:
    """Do what a run does before it publishes: a branch with a committed directory artifact."""
    branch = branch_of(run_id)
    lake.create_branch(branch, MAIN)
    path = f"runs/{run_id}/publish/model"
    infos = {name: lake.put(branch, f"{path}/{name}", text.encode()) for name, text in files.items()}
    commit = lake.commit(branch, "publish")
    return Artifact(
        digest=digest_listing((name, info.digest) for name, info in infos.items()),
        bytes=sum(info.bytes for info in infos.values()),
        codec="estimator",
        uri=lake_uri(commit.id, path),
    )


def publish_or_not(lake: LakeStore, run_id: str, package: Artifact, spec: PublishSpec = SPEC) -> Outcome:
    record = json.dumps({"id": run_id}).encode()
    return publish_run(lake, run_id, spec, package, {"accuracy": 0.5}, record, {"experiment": "birds"})


def publish(lake: LakeStore, run_id: str, package: Artifact, spec: PublishSpec = SPEC) -> dict[str, Any]:
    outcome = publish_or_not(lake, run_id, package, spec)
    assert outcome.new is not None
    assert outcome.already is None
    return outcome.new


def files_below(lake: LakeStore, prefix: str, ref: str = MAIN) -> dict[str, str]:
    """Return what was published, without what says which version it is."""
    listed = [info for info in lake.list(ref, prefix=prefix) if isinstance(info, ObjectInfo)]
    found = [info for info in listed if not info.path.endswith(VERSION)]
    return {i.path[len(prefix) :]: lake.local_path(ref, i.path).read_text() for i in found}


def test_a_version_says_which_it_is_and_the_digest_of_every_file(lake: LakeStore) -> None:
    """What stands beside the package is stored with it, and a copy of the folder can be checked."""
    package = start(lake, "r1", {"manifest.json": "one"})
    publish_run(
        lake, "r1", SPEC, package, {}, b"{}", {}, beside={"card.md": b"# birds", "lineage.json": b"{}"}
    )
    about = json.loads(lake.local_path(MAIN, f"models/birds/1/{VERSION}").read_bytes())
    assert (about["model"], about["version"], about["run"], about["digest"]) == (
        "birds",
        1,
        "r1",
        package.digest,
    )
    digests = {name: lake.stat(MAIN, f"models/birds/1/{name}").digest for name in about["files"]}
    assert about["files"] == digests
    assert set(digests) == {"manifest.json", "card.md", "lineage.json"}


def test_a_run_is_published_as_one_step(lake: LakeStore) -> None:
    """One merge brings the model's files, its registry and the run's record, and a tag names it."""
    before = lake.resolve(MAIN)
    package = start(lake, "r1", {"manifest.json": "one"})
    published = publish(lake, "r1", package)
    head = lake.log(MAIN, limit=1)[0]
    assert published == {"commit": head.id, "model": "birds", "version": 1, "alias": "production"}
    assert head.parents[0] == before
    assert head.metadata == {"run": "r1", "model": "birds", "experiment": "birds"}
    assert lake.resolve("birds-v1") == head.id
    assert files_below(lake, "models/birds/1/") == {"manifest.json": "one"}
    assert files_below(lake, "runs/r1/run.json") == {"": '{"id": "r1"}'}
    registry = read_registry(lake, MAIN, "birds")
    assert registry["aliases"] == {"production": 1}
    assert find_version(registry, package.digest) == {
        "version": 1,
        "run": "r1",
        "digest": package.digest,
        "bytes": 3,
        "codec": "estimator",
        "uri": package.uri,
        "metrics": {"accuracy": 0.5},
        "read": {},
    }


def test_a_package_of_one_file_is_published_under_its_name(lake: LakeStore) -> None:
    """An artifact need not be a directory."""
    lake.create_branch("run-r1", MAIN)
    info = lake.put("run-r1", "runs/r1/publish/model.json", b"{}")
    commit = lake.commit("run-r1", "publish")
    package = Artifact(digest=info.digest, bytes=2, codec="json", uri=lake_uri(commit.id, info.path))
    publish(lake, "r1", package)
    assert files_below(lake, "models/birds/1/") == {"model.json": "{}"}


def test_a_new_model_has_an_empty_registry(lake: LakeStore) -> None:
    """Asking for a model that nobody published is no error."""
    assert read_registry(lake, MAIN, "birds") == {
        "format": 1,
        "model": "birds",
        "versions": [],
        "aliases": {},
    }


def test_a_version_is_found_by_its_alias(lake: LakeStore) -> None:
    """An alias names a version; one that is not there is an error that names those that are."""
    publish(lake, "r1", start(lake, "r1", {"a": "one"}))
    registry = read_registry(lake, MAIN, "birds")
    assert find_aliased(registry, "production")["run"] == "r1"
    with pytest.raises(ModelNotFound, match="birds has no alias 'prodcution'; did you mean production"):
        find_aliased(registry, "prodcution")
    with pytest.raises(ModelNotFound, match="no version of a model 'fish'"):
        find_aliased(read_registry(lake, MAIN, "fish"), "production")


def test_two_runs_from_one_commit_publish_versions_1_and_2(lake: LakeStore) -> None:
    """The second one began before the first was published, and keeps its files beside the first's."""
    one, two = start(lake, "r1", {"a": "one"}), start(lake, "r2", {"a": "two"})
    assert publish(lake, "r1", one)["version"] == 1
    assert publish(lake, "r2", two)["version"] == 2
    assert files_below(lake, "models/birds/1/") == {"a": "one"}
    assert files_below(lake, "models/birds/2/") == {"a": "two"}
    registry = read_registry(lake, MAIN, "birds")
    assert [(v["version"], v["run"]) for v in registry["versions"]] == [(1, "r1"), (2, "r2")]
    assert registry["aliases"] == {"production": 2}
    assert files_below(lake, "runs/r1/run.json")
    assert files_below(lake, "runs/r2/run.json")


def test_main_moves_between_catching_up_and_merging(lake: LakeStore) -> None:
    """The run that loses the race takes the next number, and leaves nothing in the winner's version."""
    two, one = start(lake, "r2", {"a": "two", "weights": "two"}), start(lake, "r1", {"a": "one"})
    moving = MovingLake(lake, lambda: publish(lake, "r1", one))
    published = publish(moving, "r2", two)
    assert published["version"] == 2
    assert moving.meanwhile == []
    assert files_below(lake, "models/birds/1/") == {"a": "one"}
    assert files_below(lake, "models/birds/2/") == {"a": "two", "weights": "two"}
    assert read_registry(lake, MAIN, "birds")["aliases"] == {"production": 2}
    assert lake.resolve("birds-v2") == published["commit"] == lake.resolve(MAIN)
    assert lake.resolve("birds-v1") != lake.resolve("birds-v2")


def test_another_model_published_meanwhile_is_kept(lake: LakeStore) -> None:
    """Two models do not meet in one object, so neither waits for the other."""
    other = PublishSpec(model="fish", package="model", gate=None, alias="production")
    fish, birds = start(lake, "r1", {"a": "fish"}), start(lake, "r2", {"a": "bird"})
    moving = MovingLake(lake, lambda: publish(lake, "r1", fish, other))
    assert publish(moving, "r2", birds)["version"] == 1
    assert files_below(lake, "models/fish/1/") == {"a": "fish"}
    assert files_below(lake, "models/birds/1/") == {"a": "bird"}


def test_a_package_that_is_a_version_already_changes_nothing(lake: LakeStore) -> None:
    """Neither `main` nor its alias moves back to it, and no number is spent."""
    first = publish(lake, "r1", start(lake, "r1", {"a": "one"}))
    publish(lake, "r2", start(lake, "r2", {"a": "two"}))
    head = lake.resolve(MAIN)
    outcome = publish_or_not(lake, "r3", start(lake, "r3", {"a": "one"}))
    assert outcome.new is None
    assert outcome.already == {**first, "alias_version": 2}
    assert lake.resolve(MAIN) == head
    assert lake.resolve("birds-v1") == first["commit"]


def test_a_package_that_becomes_a_version_meanwhile_is_published_once(lake: LakeStore) -> None:
    """Two runs that made the same package and publish at once make one version."""
    mine, theirs = start(lake, "r2", {"a": "one"}), start(lake, "r1", {"a": "one"})
    moving = MovingLake(lake, lambda: publish(lake, "r1", theirs))
    outcome = publish_or_not(moving, "r2", mine)
    assert moving.meanwhile == []
    assert outcome.already is not None
    assert outcome.already["version"] == 1
    assert [v["run"] for v in read_registry(lake, MAIN, "birds")["versions"]] == ["r1"]


def test_a_version_without_its_tag_gets_it(lake: LakeStore) -> None:
    """A run that was killed between merge and tag is finished by the next one, on its own commit."""
    first = publish(lake, "r1", start(lake, "r1", {"a": "one"}))
    publish(lake, "r2", start(lake, "r2", {"a": "two"}))
    lake.delete_tag("birds-v1")
    outcome = publish_or_not(lake, "r3", start(lake, "r3", {"a": "one"}))
    assert outcome.already is not None
    assert outcome.already["commit"] == first["commit"] == lake.resolve("birds-v1")


def test_the_number_of_an_undone_version_is_not_given_again(lake: LakeStore) -> None:
    """After a revert the registry knows no version 2 any more, but its tag does: the next one is 3."""
    publish(lake, "r1", start(lake, "r1", {"a": "one"}))
    undone = publish(lake, "r2", start(lake, "r2", {"a": "two"}))
    lake.revert(MAIN, MAIN)
    lake.tag("birds-v7-of-mine", MAIN)  # no version's tag, whatever it looks like
    published = publish(lake, "r3", start(lake, "r3", {"a": "three"}))
    assert published["version"] == 3
    assert lake.resolve("birds-v2") == undone["commit"]
    assert lake.resolve("birds-v3") == published["commit"]
    assert [v["version"] for v in read_registry(lake, MAIN, "birds")["versions"]] == [1, 3]


def test_aliases_are_independent(lake: LakeStore) -> None:
    """Publishing under another alias moves only that one."""
    publish(lake, "r1", start(lake, "r1", {"a": "one"}))
    trial = PublishSpec(model="birds", package="model", gate="gate", alias="challenger")
    publish(lake, "r2", start(lake, "r2", {"a": "two"}), trial)
    assert read_registry(lake, MAIN, "birds")["aliases"] == {"production": 1, "challenger": 2}


def test_a_package_of_another_run_is_linked(lake: LakeStore) -> None:
    """A cached package stays when the branch of the run that made it is deleted and collected."""
    package = start(lake, "r1", {"a": "one"})
    lake.create_branch("run-r2", MAIN)
    publish(lake, "r2", package)
    lake.delete_branch("run-r1")
    if not lake.gc().kept_by_server:
        with pytest.raises(RefNotFound):
            lake.resolve(package.commit)
    assert files_below(lake, "models/birds/1/") == {"a": "one"}


def test_a_foreign_conflict_stops_and_leaves_main(lake: LakeStore) -> None:
    """What the run changed and somebody else too is named; nothing is overwritten, nothing is tagged."""
    package = start(lake, "r1", {"a": "one"})
    lake.put("run-r1", "notes/readme.md", b"mine")
    lake.commit("run-r1", "notes")
    lake.put(MAIN, "notes/readme.md", b"theirs")
    head = lake.commit(MAIN, "notes").id
    mine = lake.resolve("run-r1")
    with pytest.raises(MergeConflict) as caught:
        publish(lake, "r1", package)
    assert caught.value.paths == ["notes/readme.md"]
    assert lake.resolve(MAIN) == head
    assert lake.resolve("run-r1") == mine
    assert lake.tags() == []
    assert files_below(lake, registry_path("birds")) == {}


def test_a_foreign_conflict_in_the_race_stops_too(lake: LakeStore) -> None:
    """Only the registry is rewritten on a new head; another object is never taken from one side."""
    package = start(lake, "r1", {"a": "one"})
    lake.put("run-r1", "notes/readme.md", b"mine")
    lake.commit("run-r1", "notes")

    def meanwhile() -> None:
        lake.put(MAIN, "notes/readme.md", b"theirs")
        lake.commit(MAIN, "notes")

    moving = MovingLake(lake, meanwhile)
    with pytest.raises(MergeConflict, match=r"notes/readme\.md"):
        publish(moving, "r1", package)
    assert files_below(lake, "notes/readme.md") == {"": "theirs"}
    assert files_below(lake, registry_path("birds")) == {}
