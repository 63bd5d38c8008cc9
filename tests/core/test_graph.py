"""The graph: edges from names, and every mistake in them at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.graph import Graph, build_graph
from headrace.core.spec import StageSpec
from headrace.errors import ConfigError, Problem


def stage(name: str, inputs: str = "", outputs: str | None = None) -> StageSpec:
    """Return a stage from artifact names; it makes an artifact of its own name unless told otherwise."""
    made = name if outputs is None else outputs
    return StageSpec(
        name=name,
        call=f"steps.{name}",
        inputs={f"from_{i}": source for i, source in enumerate(inputs.split())},
        outputs={artifact: artifact for artifact in made.split()},
    )


def names(graph: Graph) -> list[str]:
    return [spec.name for spec in graph.order]


def problems(*stages: StageSpec) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        build_graph(stages)
    return caught.value.problems


def test_each_stage_comes_after_what_it_reads() -> None:
    """The order of the config does not matter, except between stages that do not need each other."""
    graph = build_graph([stage("c", "b a"), stage("z"), stage("b", "a"), stage("a")])
    assert names(graph) == ["z", "a", "b", "c"]
    assert graph.upstream["c"] == ("b", "a")
    assert graph.producer == {"a": "a", "b": "b", "c": "c", "z": "z"}


@given(st.permutations([stage("a"), stage("b", "a"), stage("c", "b"), stage("d", "b"), stage("e", "c d")]))
def test_any_order_in_the_config_gives_a_valid_one(stages: list[StageSpec]) -> None:
    """No stage is lost, and none is before a stage that it reads from."""
    graph = build_graph(stages)
    order = names(graph)
    assert sorted(order) == ["a", "b", "c", "d", "e"]
    assert all(order.index(up) < order.index(name) for name in order for up in graph.upstream[name])


def test_downstream_is_what_needs_a_stage_directly_or_not() -> None:
    """The stage itself and its siblings are not among them."""
    graph = build_graph([stage("a"), stage("b", "a"), stage("c", "a"), stage("d", "b"), stage("e", "d c")])
    assert graph.downstream("b") == ["d", "e"]
    assert graph.downstream("e") == []


def test_a_chain_is_known_as_one() -> None:
    """One stage after the other is a chain; two that could run side by side are not."""
    assert build_graph([stage("a"), stage("b", "a"), stage("c", "b a")]).is_chain()
    assert not build_graph([stage("a"), stage("b", "a"), stage("c", "a")]).is_chain()
    assert build_graph([]).is_chain()


def test_an_input_that_nothing_makes_offers_the_nearest_name() -> None:
    """The message says which input, and what to type."""
    (problem,) = problems(stage("train", outputs="model"), stage("test", "modle"))
    assert problem.where == "stages.test.inputs.from_0"
    assert problem.found == "no stage makes 'modle'"
    assert problem.hint == "did you mean stages.test.inputs.from_0=model?"


def test_an_input_with_no_near_name_lists_what_there_is() -> None:
    """Without a near name, all artifacts are named."""
    (problem,) = problems(stage("train", outputs="model metrics"), stage("test", "xyzzy"))
    assert problem.hint == "there are: metrics, model, test"


def test_two_stages_with_one_output_are_both_named() -> None:
    """The message says which stage made it first and how to give it another name."""
    (problem,) = problems(stage("one", outputs="table"), stage("two", outputs="table"))
    assert problem.where == "stages.two.outputs.table"
    assert problem.found == "artifact 'table' is already made by stage 'one'"
    assert problem.hint == "give it another name: stages.two.outputs.table=<name>"


def test_a_cycle_is_printed_as_a_path() -> None:
    """The path goes from stage to stage by the artifact between them, without what only hangs on it."""
    (problem,) = problems(stage("a", "c x"), stage("b", "a"), stage("c", "b"), stage("d", "c"), stage("x"))
    path = "a <- c (makes c) <- b (makes b) <- a (makes a)"
    assert problem.found == f"these stages wait for each other: {path}"


def test_a_stage_that_reads_its_own_output_is_a_cycle() -> None:
    """The shortest cycle is a path too."""
    (problem,) = problems(stage("a", "a"))
    assert problem.found == "these stages wait for each other: a <- a (makes a)"


def test_an_unknown_scheme_names_the_known_ones() -> None:
    """A URI is not taken for an artifact, and its scheme must be known."""
    (problem,) = problems(stage("a", "htp://data.csv"))
    assert problem.found == "'htp://data.csv' has the unknown scheme 'htp'"
    assert problem.hint == "there are: package:, file:, lake:, model:"


def test_external_inputs_make_no_edges() -> None:
    """Known URIs need no stage."""
    graph = build_graph([stage("a", "file:a.csv package:p/b.csv lake:c/d")])
    assert graph.upstream == {"a": ()}


def test_all_problems_are_told_at_once() -> None:
    """A missing input, a doubled output, a scheme and a cycle make four problems of one error."""
    found = problems(
        stage("a", "b nothing"), stage("b", "a"), stage("c", "htp:x", "a"), stage("d", "c", "d d2")
    )
    assert [problem.where for problem in found] == [
        "stages.c.outputs.a",
        "stages.a.inputs.from_1",
        "stages.c.inputs.from_0",
        "stages.d.inputs.from_0",
        "stages",
    ]
