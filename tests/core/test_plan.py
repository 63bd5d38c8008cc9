"""The plan: CACHED, RUN or MAYBE for every stage, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.core.artifact import Artifact
from headrace.core.digest import digest_value
from headrace.core.graph import build_graph
from headrace.core.key import Key
from headrace.core.plan import (
    Past,
    Plan,
    Planner,
    StageResult,
    all_external,
    final_runs,
    input_digests,
    name_outputs,
)
from headrace.core.spec import StageSpec

READ = StageSpec(name="read", call="s.read", inputs={"source": "file:a.csv"}, outputs={"out": "table"})
FIT = StageSpec(name="fit", call="s.fit", inputs={"data": "table"}, outputs={"out": "model"})
TEST = StageSpec(
    name="test", call="s.test", inputs={"model": "model", "data": "table"}, outputs={"m": "metrics"}
)
GRAPH = build_graph([READ, FIT, TEST])
EXTERNAL = {"file:a.csv": "sha256:a"}


def make_key(spec: StageSpec, inputs: Mapping[str, str]) -> Key:
    parts = {"call": spec.call, "params": dict(spec.params), "inputs": dict(inputs)}
    return Key(digest_value(parts), parts)


def result(spec: StageSpec, key: Key, content: str = "", run: str = "r1") -> StageResult:
    outputs = {
        name: Artifact(
            digest=f"sha256:{content or artifact}", bytes=1, codec="json", uri=f"lake://c/{artifact}"
        )
        for name, artifact in spec.outputs.items()
    }
    return StageResult(stage=spec.name, key=key.value, run=run, seconds=1.0, outputs=outputs)


class Results(dict[str, StageResult]):
    """The results of finished stages by key."""

    def add(self, spec: StageSpec, inputs: Mapping[str, str], content: str = "", run: str = "r1") -> None:
        key = make_key(spec, inputs)
        self[key.value] = result(spec, key, content, run)

    def find(self, spec: StageSpec, key: Key) -> StageResult | None:
        return self.get(key.value)


def all_done() -> Results:
    results = Results()
    results.add(READ, {"source": "sha256:a"})
    results.add(FIT, {"data": "sha256:table"})
    results.add(TEST, {"model": "sha256:model", "data": "sha256:table"}, run="r2")
    return results


def plan(
    results: Results,
    stages: list[StageSpec] | None = None,
    external: Mapping[str, str] = EXTERNAL,
    before: Mapping[str, Any] | None = None,
    remembers: bool = False,
    forced: Mapping[str, str] | None = None,
    seconds: Mapping[str, float] | None = None,
) -> Plan:
    planner = Planner(
        make_key=make_key,
        find_result=results.find,
        remembers=lambda key: remembers,
        past=Past(run="r0", parts=before or {}, seconds=seconds or {}),
        forced=forced or {},
    )
    return planner.plan_run(build_graph(stages) if stages else GRAPH, external)


def states(found: Plan) -> list[str]:
    return [stage.state.value for stage in found.stages]


def test_a_first_run_runs_what_it_can_know_and_may_run_the_rest() -> None:
    """Without results the first stage runs, and the stages behind it name whom they wait for."""
    found = plan(Results())
    assert states(found) == ["RUN", "MAYBE", "MAYBE"]
    assert [stage.reason for stage in found.stages] == ["never ran before", "after read", "after fit, read"]
    assert found["read"].key is not None
    assert found["fit"].key is None
    assert not found.nothing_to_run


def test_everything_cached_leaves_nothing_to_run() -> None:
    """Each cached stage names the run that made it and holds its result."""
    found = plan(all_done())
    assert states(found) == ["CACHED"] * 3
    assert found["fit"].reason == "made by r1"
    assert found["test"].result is not None
    assert found.nothing_to_run
    assert final_runs(GRAPH, found) == ["r2"]


def test_a_stage_runs_again_when_a_param_changes_and_says_which() -> None:
    """What is before the change stays cached, what is behind it may run."""
    changed = StageSpec(name="fit", call="s.fit", params={"C": 2}, inputs=FIT.inputs, outputs=FIT.outputs)
    before = {"fit": make_key(FIT, {"data": "sha256:table"}).parts | {"params": {"C": 1}}}
    found = plan(all_done(), [READ, changed, TEST], before=before)
    assert states(found) == ["CACHED", "RUN", "MAYBE"]
    assert found["fit"].reason == "params.C 1 → 2"
    assert found["test"].reason == "after fit"


def test_a_stage_whose_inputs_came_out_the_same_is_cached() -> None:
    """Early cutoff: another source that gives the same table leaves what follows cached."""
    results = all_done()
    results.add(READ, {"source": "sha256:b"}, content="table", run="r3")
    found = plan(results, external={"file:a.csv": "sha256:b"})
    assert states(found) == ["CACHED"] * 3
    assert found["read"].reason == "made by r3"


def test_an_input_that_came_out_otherwise_is_named() -> None:
    """The stage behind it knows its inputs, so it says which one changed."""
    results = all_done()
    results.add(READ, {"source": "sha256:b"}, content="another table", run="r3")
    before = {"fit": make_key(FIT, {"data": "sha256:table"}).parts}
    found = plan(results, external={"file:a.csv": "sha256:b"}, before=before)
    assert states(found) == ["CACHED", "RUN", "MAYBE"]
    assert found["fit"].reason == "input data changed"


def test_a_result_that_is_gone_is_told_as_such() -> None:
    """Same key, no result: the objects were collected, and that is the reason."""
    results = all_done()
    key = make_key(FIT, {"data": "sha256:table"})
    del results[key.value]
    before = {"fit": key.parts}
    assert plan(results, before=before, remembers=True)["fit"].reason == "cached object is gone"
    assert plan(results, before=before)["fit"].reason == "its result is not cached any more"


def test_a_forced_stage_runs_and_says_why() -> None:
    """It runs although its result is there, and what follows may stay as it is."""
    found = plan(all_done(), forced={"fit": "force=fit"})
    assert states(found) == ["CACHED", "RUN", "MAYBE"]
    assert found["fit"].reason == "force=fit"
    found = plan(Results(), forced={"test": "force=test"})
    assert (states(found), found["test"].key) == (["RUN", "MAYBE", "RUN"], None)


def test_a_plan_says_how_long_stages_take() -> None:
    """What they took lately; nothing for a cached one, and unknown where nobody has seen it."""
    found = plan(all_done(), forced={"test": "force=test"}, seconds={"read": 3.0, "test": 2.5})
    assert [stage.estimated_seconds for stage in found.stages] == [0.0, 0.0, 2.5]
    assert plan(Results())["read"].estimated_seconds is None


def test_a_stage_without_cache_runs_every_time() -> None:
    """`cache: false` runs in spite of a result, and what follows may stay as it is."""
    uncached = StageSpec(name="read", call="s.read", inputs=READ.inputs, outputs=READ.outputs, cache=False)
    found = plan(all_done(), [uncached, FIT, TEST])
    assert states(found) == ["RUN", "MAYBE", "MAYBE"]
    assert found["read"].reason == "cache is off"


def test_inputs_are_digests_by_argument_or_not_known_yet() -> None:
    """External inputs have digests from the start, artifacts once they are made."""
    made = name_outputs(READ, result(READ, make_key(READ, {}), "t"))
    spec = StageSpec(name="x", call="s.x", inputs={"a": "table", "b": "file:a.csv"})
    assert input_digests(spec, made, EXTERNAL) == {"a": "sha256:t", "b": "sha256:a"}
    assert input_digests(spec, {}, EXTERNAL) is None
    assert all_external([READ, spec]) == ["file:a.csv"]


def test_a_result_survives_json() -> None:
    """What the stage cache writes is what it reads."""
    one = result(FIT, make_key(FIT, {}))
    assert StageResult.from_json(one.to_json()) == one


def test_a_plan_is_a_markdown_table() -> None:
    """Prefect shows the plan, one row a stage."""
    lines = plan(all_done()).to_markdown().splitlines()
    assert lines[0] == "| stage | state | why |"
    assert lines[3] == "| fit | CACHED | made by r1 |"
    assert len(lines) == 5
