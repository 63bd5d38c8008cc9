"""Aliases on both lakes: each move is one commit with its history, and nothing of others is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.core.ports import MAIN, LakeStore
from headrace.errors import AliasMoved, ModelNotFound
from headrace.publish import publish_run
from headrace.registry import (
    Move,
    find_before,
    find_move,
    find_numbered,
    history,
    holder,
    list_models,
    move_alias,
    read_registry,
    remove_alias,
)
from tests.lakefs_server import server
from tests.test_publish import SPEC, MovingLake, lake, publish, start

__all__ = ["lake", "server"]


def birds(lake: LakeStore) -> dict[str, Any]:
    return read_registry(lake, lake.resolve(MAIN), "birds")


def three_versions(lake: LakeStore) -> None:
    for number in (1, 2, 3):
        publish(lake, f"r{number}", start(lake, f"r{number}", {"a": str(number)}))


def test_publishing_is_in_the_history(lake: LakeStore) -> None:
    """Every version that took the alias left an entry: from what, to what, and by which run."""
    three_versions(lake)
    told = [(move["from"], move["to"], move["why"], move["run"]) for move in history(birds(lake))]
    assert told == [(None, 1, "publish", "r1"), (1, 2, "publish", "r2"), (2, 3, "publish", "r3")]
    assert list_models(lake) == ["birds"]


def test_an_alias_moves_as_one_commit(lake: LakeStore) -> None:
    """`main` gets one merge, the branch of the change is gone, and the history says all of it."""
    three_versions(lake)
    before = lake.resolve(MAIN)
    check = {"metric": "accuracy", "passed": False}
    moved = move_alias(
        lake, "birds", "canary", 2, run="r2", forced="a demo", share=0.1, deployment="d1", checks=[check]
    )
    head = lake.log(MAIN, limit=1, first_parent=True)[0]
    assert (head.id, head.parents[0]) == (moved.commit, before)
    assert head.metadata == {"model": "birds", "alias": "canary", "deployment": "d1"}
    found = birds(lake)
    assert (found["aliases"], found["shares"]) == ({"production": 3, "canary": 2}, {"canary": 0.1})
    entry = history(found, "canary")[0]
    assert entry == moved.entry
    assert {**entry, "time": ""} == {
        "time": "", "alias": "canary", "from": None, "to": 2, "why": "promote", "run": "r2",
        "forced": "a demo", "share": 0.1, "deployment": "d1", "checks": [check],
    }  # fmt: skip
    assert [branch.name for branch in lake.branches("alias-")] == []


def test_a_deployment_moves_once(lake: LakeStore) -> None:
    """The same deployment again finds its move and changes nothing, whatever came after it."""
    three_versions(lake)
    first = move_alias(lake, "birds", "production", 1, deployment="d1")
    move_alias(lake, "birds", "production", 2, deployment="d2")
    head = lake.resolve(MAIN)
    again = move_alias(lake, "birds", "production", 1, deployment="d1")
    assert again.entry == first.entry
    assert lake.resolve(MAIN) == head
    assert find_move(birds(lake), "d1") == first.entry
    assert find_move(birds(lake), "d1", undo=True) is None


def test_what_a_killed_one_left_is_no_hindrance(lake: LakeStore) -> None:
    """A deployment that was killed before its merge left a branch; the next try makes it anew."""
    three_versions(lake)
    lake.create_branch("alias-d1-promote", MAIN)
    lake.put("alias-d1-promote", "models/birds/registry.json", b"half")
    move_alias(lake, "birds", "production", 1, deployment="d1")
    assert holder(birds(lake), "production") == 1


def test_two_moves_that_race_are_both_kept(lake: LakeStore) -> None:
    """Whoever comes second reads what the first one changed, and changes that."""
    three_versions(lake)
    moving = MovingLake(lake, lambda: move_alias(lake, "birds", "shadow", 1))
    move_alias(moving, "birds", "staging", 2)
    found = birds(lake)
    assert found["aliases"] == {"production": 3, "shadow": 1, "staging": 2}
    assert [move["alias"] for move in history(found)][-2:] == ["shadow", "staging"]


def test_a_decision_about_another_version_does_not_count(lake: LakeStore) -> None:
    """Where the alias names another version than the one that was judged, nothing moves."""
    three_versions(lake)
    moving = MovingLake(lake, lambda: move_alias(lake, "birds", "production", 1))
    with pytest.raises(AliasMoved, match="birds@production names version 1 by now, not version 3"):
        move_alias(moving, "birds", "production", 2, expect=3)
    assert holder(birds(lake), "production") == 1
    with pytest.raises(AliasMoved, match="names nothing by now, not version 1"):
        remove_alias(lake, "birds", "canary", expect=1)


def test_an_alias_is_removed(lake: LakeStore) -> None:
    """Its share of the traffic goes with it, and the history says so; what is not there is an error."""
    three_versions(lake)
    move_alias(lake, "birds", "canary", 2, share=0.1)
    removed = remove_alias(lake, "birds", "canary")
    found = birds(lake)
    assert (found["aliases"], found["shares"]) == ({"production": 3}, {})
    assert (removed.entry["from"], removed.entry["to"], removed.entry["why"]) == (2, None, "remove")
    with pytest.raises(ModelNotFound, match="birds has no alias 'canary'"):
        remove_alias(lake, "birds", "canary")
    with pytest.raises(ModelNotFound, match="birds has no version 7"):
        move_alias(lake, "birds", "production", 7)
    assert find_numbered(found, 2)["run"] == "r2"


def test_a_run_is_published_to_another_alias(lake: LakeStore) -> None:
    """A deployment publishes by the same merge: version, alias and the reason why at once."""
    three_versions(lake)
    move = Move(alias="staging", why="promote", run="r4", forced="a demo", deployment="d1")
    spec = SPEC.__class__(model="birds", package="model", gate=None, alias="staging")
    package = start(lake, "r4", {"a": "4"})
    with pytest.raises(AliasMoved):
        publish_run(lake, "r4", spec, package, {}, b"{}", {}, move=move, expect=1)
    outcome = publish_run(lake, "r4", spec, package, {}, b"{}", {}, move=move, expect=None)
    assert outcome.new is not None
    assert outcome.new["version"] == 4
    found = birds(lake)
    assert found["aliases"] == {"production": 3, "staging": 4}
    assert history(found)[-1]["forced"] == "a demo"


def past(*moves: tuple[str, int | None]) -> dict[str, Any]:
    """Make a registry in which the alias made these moves."""
    registry: dict[str, Any] = {"model": "birds", "versions": [], "aliases": {}}
    for why, to in moves:
        Move(alias="production", why=why).apply(registry, to)  # type: ignore[arg-type]
    return registry


@pytest.mark.parametrize(
    ("moves", "before"),
    [
        ([], None),
        ([("publish", 1)], None),
        ([("publish", 1), ("publish", 2), ("publish", 3)], 2),
        ([("publish", 1), ("publish", 2), ("publish", 3), ("rollback", 2)], 1),
        ([("publish", 1), ("publish", 2), ("publish", 3), ("rollback", 2), ("rollback", 1)], None),
        ([("publish", 1), ("publish", 2), ("rollback", 1), ("promote", 2)], 1),
        ([("publish", 1), ("publish", 2), ("rollback", 1), ("publish", 3)], 1),
        ([("publish", 1), ("publish", 2), ("promote", 1), ("promote", 3)], 1),
        ([("publish", 1), ("publish", 2), ("promote", 1), ("promote", 3), ("rollback", 1)], 2),
        ([("publish", 1), ("promote", 2), ("undo", 1)], None),
        ([("promote", 1), ("undo", None), ("promote", 2)], None),
        ([("publish", 1), ("publish", 2), ("remove", None)], 2),
        ([("publish", 1), ("publish", 2), ("remove", None), ("rollback", 2)], 1),
        ([("publish", 1), ("publish", 2), ("promote", 2)], 1),
    ],
)
def test_a_rollback_goes_further_back_each_time(moves: list[tuple[str, int | None]], before: int) -> None:
    """It leads to what the alias named before, never to what an earlier rollback left."""
    assert find_before(past(*moves), "production") == before


def test_the_history_of_an_old_registry_begins_with_its_first_move(tmp_path: Path) -> None:
    """A registry from before there was a history: the first entry says what the alias named till then."""
    old: dict[str, Any] = {"model": "birds", "versions": [], "aliases": {"production": 2}}
    assert history(old) == []
    assert find_before(old, "production") is None
    Move(alias="production", why="publish").apply(old, 3)
    assert find_before(old, "production") == 2
