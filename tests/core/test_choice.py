"""Choosing stages: up to one, one alone, and those that execute in any case."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.core.artifact import Artifact
from headrace.core.choice import Chosen, Options, choose
from headrace.core.graph import build_graph
from headrace.core.record import RunRecord, StageRecord
from headrace.core.spec import Experiment, PublishSpec, StageSpec
from headrace.errors import ConfigError

STAGES = (
    StageSpec(name="read", call="s.read", inputs={"source": "file:a.csv"}, outputs={"out": "table"}),
    StageSpec(name="fit", call="s.fit", inputs={"data": "table"}, outputs={"out": "model"}),
    StageSpec(name="plot", call="s.plot", inputs={"data": "table"}, outputs={"out": "picture"}),
    StageSpec(name="test", call="s.test", inputs={"model": "model", "data": "table"}, outputs={"m": "m"}),
)
NAMES = [stage.name for stage in STAGES]
PUBLISH = PublishSpec(model="birds", package="model", gate=None, alias="production")
EXPERIMENT = Experiment(
    name="birds",
    pipeline="train",
    seed=1,
    stages=STAGES,
    publish=PUBLISH,
    source_ref="main",
    config={},
)
TABLE = Artifact(digest="sha256:t", bytes=1, codec="table", uri="lake://c/table")


def past(**outputs: Artifact) -> RunRecord:
    stages = [StageRecord(name="read", state="ran", outputs=outputs)]
    nothing: dict[str, Any] = {"config": {}, "git": {}, "packages": {}, "source": {}}
    return RunRecord(
        id="r1",
        experiment="birds",
        pipeline="train",
        command="",
        state="succeeded",
        started="2026-11-01T00:00:00+00:00",
        seconds=1.0,
        seed=1,
        resume="",
        stages=stages,
        **nothing,
    )


def chosen(**options: Any) -> Chosen:
    run = past(table=TABLE) if options.get("run") else None
    return choose(EXPERIMENT, build_graph(STAGES), Options(**options), run)


def test_nothing_asked_is_everything() -> None:
    """Without an option the experiment is run as it is."""
    found = chosen()
    assert [spec.name for spec in found.graph.order] == NAMES
    assert (found.experiment, dict(found.given), dict(found.forced)) == (EXPERIMENT, {}, {})


def test_stop_after_keeps_what_is_needed() -> None:
    """The stage and what leads to it run, and nothing is published."""
    found = chosen(stop_after="fit")
    assert [spec.name for spec in found.graph.order] == ["read", "fit"]
    assert found.experiment.publish is None
    assert set(found.graph.producer) == {"table", "model"}


def test_only_reads_what_a_past_run_made() -> None:
    """One stage is left, with the artifacts of that run, and executes in any case."""
    found = chosen(only="fit", run="r1")
    assert [spec.name for spec in found.graph.order] == ["fit"]
    assert found.given == {"table": TABLE}
    assert found.graph.upstream == {"fit": ()}
    assert found.forced == {"fit": "only=fit"}
    assert found.experiment.publish is None


def test_what_the_past_run_lacks_is_named() -> None:
    """A stage that reads more than the run has is refused, and what it has is listed."""
    with pytest.raises(ConfigError, match=r"has no artifact 'model'.*\n.*it has: table"):
        chosen(only="test", run="r1")


def test_forced_stages_say_why() -> None:
    """`force` names them, `cache=false` is all."""
    assert chosen(force=("fit", "plot")).forced == {"fit": "force=fit", "plot": "force=plot"}
    assert chosen(cache=False, force=("fit",)).forced == {
        name: "force=fit" if name == "fit" else "cache=false" for name in NAMES
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stop_after": "fitt"}, "did you mean stop_after=fit?"),
        ({"force": ("rad",)}, "did you mean force=read?"),
        ({"only": "fit"}, "run=<id of a past run>"),
        ({"only": "fit", "run": "r1", "stop_after": "fit"}, "leave one of them out"),
    ],
)
def test_what_cannot_be_is_told(options: dict[str, Any], said: str) -> None:
    """Each problem has its key and what to type."""
    problems = Options(**options).problems(NAMES)
    assert any(said in problem.hint for problem in problems)
