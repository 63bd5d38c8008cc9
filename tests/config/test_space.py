"""Spaces in Hydra's grammar: what they become, and what is said of those that are wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from headrace.config.override import format_override
from headrace.config.space import parse_space
from headrace.core.grid import grid_points
from headrace.core.space import Choice, Interval, Space
from headrace.errors import ConfigError, Problem

PARSER = OverridesParser.create()
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner))


def domain(text: Any) -> Choice | Interval:
    """Read the one domain of a space."""
    space, fixed = parse_space({"x": text}, [])
    assert fixed == []
    return space.domains["x"]


def problems(params: dict[str, Any], *overrides: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        parse_space(params, overrides)
    return caught.value.problems


def same(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return type(left) is type(right) and left == right


@given(SCALARS)
def test_hydra_reads_a_written_value_as_the_same_value(value: Any) -> None:
    """Every scalar comes back from Hydra's parser equal and of its own type, from the plain key."""
    parsed = PARSER.parse_override(format_override("+model.x", value))
    assert parsed.get_key_element() == "+model.x"
    assert same(parsed.value(), value)


@given(TREES)
def test_hydra_reads_written_lists_and_mappings(value: Any) -> None:
    """Lists and mappings of scalars come back too."""
    parsed = PARSER.parse_override(format_override("x", value))
    assert same(parsed.value(), value)


@given(st.lists(SCALARS.filter(lambda v: v == v), min_size=2, max_size=5))
def test_a_choice_holds_what_was_written(values: list[Any]) -> None:
    """Values joined by commas become a choice of just these, unless one is there twice."""
    words = [format_override("", value)[1:] for value in values]
    twice = any(same(a, b) for n, a in enumerate(values) for b in values[:n] if a == b)
    if twice or len({(type(v), v) for v in values}) < len(values):
        assert "twice" in problems({"x": ",".join(words)})[0].found
    else:
        found = domain(",".join(words))
        assert isinstance(found, Choice)
        assert same(list(found.values), values)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("choice(a,b,c)", Choice(values=("a", "b", "c"))),
        ("choice('a b', true, 2)", Choice(values=("a b", True, 2))),
        ("0.1,1,null", Choice(values=(0.1, 1, None))),
        ("sort(3,1,2)", Choice(values=(1, 2, 3))),
        ("shuffle(choice(3,1,2))", Choice(values=(3, 1, 2))),
        ("int(choice(1.5,2))", Choice(values=(1, 2))),
        ("interval(0, 1)", Interval(low=0.0, high=1.0)),
        ("int(interval(1, 8))", Interval(low=1, high=8, integer=True)),
        ("tag(log, interval(0.001, 100))", Interval(low=0.001, high=100.0, log=True)),
        ("tag(log, int(interval(1, 1000)))", Interval(low=1, high=1000, integer=True, log=True)),
        ("int(tag(log, interval(1, 1000)))", Interval(low=1, high=1000, integer=True, log=True)),
        ("range(2, 10)", Interval(low=2, high=9, integer=True, step=1)),
        ("range(4)", Interval(low=0, high=3, integer=True, step=1)),
        ("range(1, 10, 3)", Interval(low=1, high=7, integer=True, step=3)),
        ("shuffle(range(1, 4))", Interval(low=1, high=3, integer=True, step=1)),
        ("range(0, 1, 0.1)", Interval(low=0.0, high=0.9, step=0.1)),
        ("range(0, 0.9, 0.3)", Interval(low=0.0, high=0.6, step=0.3)),
        ("float(range(1, 4))", Interval(low=1.0, high=3.0, step=1.0)),
        ("tag(log, range(1, 101))", Interval(low=1, high=100, integer=True, log=True)),
    ],
)
def test_grammar(text: str, wanted: Choice | Interval) -> None:
    """Each form of Hydra's grammar becomes the domain that it means, with numbers of their type."""
    found = domain(text)
    assert found == wanted
    assert repr(found) == repr(wanted)


def test_fixed_values_and_the_command_line() -> None:
    """What does not sweep is fixed; the command line's word for a key counts, and its prefix stays."""
    params = {"model.C": "interval(0, 1)", "+model.a": "1,2", "seed": 3, "name": None, "model.w": "1,2"}
    words = ["++model.a=choice(5,6)", "dataset=iris", "+model.n=range(3)", "~tracker", "model.w=7"]
    space, fixed = parse_space(params, words)
    assert space == Space(
        domains={
            "model.C": Interval(low=0.0, high=1.0),
            "++model.a": Choice(values=(5, 6)),
            "+model.n": Interval(low=0, high=2, integer=True, step=1),
        }
    )
    assert fixed == ["seed=3", "name=null", "model.w=7", "dataset=iris", "~tracker"]


def test_the_last_word_for_a_key_counts() -> None:
    """Of two words for one key the later one is taken, as Hydra does."""
    assert parse_space({}, ["x=1,2", "x=3"]) == (Space(domains={}), ["x=3"])


FOREST_OR_SVM = {
    "model": "choice(forest, svm)",
    "model=forest": {"model.depth": "int(interval(1, 8))", "model.trees": 100},
    "model=svm": {"model.kernel": "rbf,poly", "model.kernel=poly": {"model.degree": "range(2,4)"}},
}


def test_conditional_params() -> None:
    """Params under a condition are drawn only there, inside one another, and fixed ones are set there."""
    space, fixed = parse_space(FOREST_OR_SVM, [])
    degree = Space(domains={"model.degree": Interval(low=2, high=3, integer=True, step=1)})
    assert fixed == []
    assert space.domains == {"model": Choice(values=("forest", "svm"))}
    assert space.when["model", "forest"] == Space(
        domains={
            "model.depth": Interval(low=1, high=8, integer=True),
            "model.trees": Choice(values=(100,)),
        }
    )
    assert space.when["model", "svm"] == Space(
        domains={"model.kernel": Choice(values=("rbf", "poly"))}, when={("model.kernel", "poly"): degree}
    )


def test_the_command_line_reaches_under_a_condition() -> None:
    """A word for a key under a condition counts there, and is not set for the other models."""
    space, fixed = parse_space(FOREST_OR_SVM, ["model.depth=1,2", "+model.kernel=poly"])
    assert fixed == []
    assert space.when["model", "forest"].domains["model.depth"] == Choice(values=(1, 2))
    svm = space.when["model", "svm"]
    assert svm.domains == {"+model.kernel": Choice(values=("poly",))}
    assert list(svm.when) == [("+model.kernel", "poly")]


def test_a_fixed_model_keeps_its_own_params_only() -> None:
    """Where the command line fixes the model, its params are drawn always and others' never."""
    space, fixed = parse_space(FOREST_OR_SVM, ["model=forest"])
    assert list(space.domains) == ["model.depth"]
    assert space.when == {}
    assert fixed == ["model=forest", "model.trees=100"]
    _, fixed = parse_space(FOREST_OR_SVM, ["model=forest", "model.degree=3"])
    assert "model.degree=3" in fixed  # the composition is to say that the forest has none


def test_conditions_on_numbers() -> None:
    """A condition finds the domain's own value: 1 for 1.0, a number of a range, and never a truth value."""
    params = {
        "n": "range(1,4)",
        "n=2": {"a": "1,2"},
        "x": "0.5,1.0",
        "x=1": {"b": "1,2"},
        "t": "1,true",
        "t=true": {"c": "1,2"},
    }
    space, _ = parse_space(params, [])
    assert [repr(key) for key in space.when] == ["('n', 2)", "('x', 1.0)", "('t', True)"]


def test_globs(tmp_path: Path) -> None:
    """A glob chooses among the options of its group that match."""
    (tmp_path / "model").mkdir()
    for name in ("svm", "svr", "tree"):
        (tmp_path / "model" / f"{name}.yaml").write_text("{}\n")
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(tmp_path)):
        loader = GlobalHydra.instance().config_loader()
        space, _ = parse_space({"model": "glob(sv*)"}, [], loader)
        assert space.domains == {"model": Choice(values=("svm", "svr"))}
        with pytest.raises(ConfigError, match=r"no option of model matches\n\s+there are: .*svm, svr, tree"):
            parse_space({"model": "glob(x*)"}, [], loader)
        with pytest.raises(ConfigError, match="'modle' is no config group"):
            parse_space({"modle": "glob(*)"}, [], loader)


WRONG: list[tuple[str, str, str]] = [
    ("interval(5, 1)", "from 5.0 to 1.0: the low end is not below", "type: m.C: interval(1.0, 5.0)"),
    ("int(interval(3, 3))", "from 3 to 3: the low end", "type: m.C: int(interval(3, <high>))"),
    (
        "tag(log, interval(0, 1))",
        "from 0.0 to 1.0: a logarithm needs a low end above 0",
        "type: m.C: tag(log, interval(<above 0>, 1.0))",
    ),
    ("interval(0, inf)", "needs two finite ends", "type: m.C: interval(<low>, <high>)"),
    ("intervall(0, 1)", "no function 'intervall'", "did you mean m.C: interval(0, 1)?"),
    ("interval(0)", "missing a required argument: 'end'", "type: m.C: interval(low, high)"),
    ("range(1, 5, 0)", "a search wants a step above 0", "type: m.C: range(1, 5, <step>)"),
    ("range(5, 1, -2)", "a search wants a step above 0", "type: m.C: range(1, 5, 2)"),
    ("range(5, 1)", "the range is empty", "type: m.C: range(1, 5, 1)"),
    (
        "tag(log, range(0, 5))",
        "on a logarithm a range has",
        "type: m.C: tag(log, int(interval(<low>, <high>)))",
    ),
    ("choice()", "empty choice is not legal", "type: m.C: choice(a, b, c)"),
    ("choice(1, null)", "cannot hold null", "type: m.C: 1, null"),
    ("choice(1, 1)", "names 1 twice", "name each value once"),
    ("choice(nan, 1)", "nan is no value to choose", "leave it out"),
    ("choice([1,2],[3])", "[1,2] is a list", "make each a file of a config group"),
    ("{a:1},{b:2}", "{a:1} is a mapping", "make each a file of a config group"),
    ("tag(lgo, interval(0, 1))", "tag 'lgo' means nothing", "type: m.C: tag(log, interval(low, high))"),
    ("tag(log, choice(1, 2))", "a choice has no logarithm", "type: m.C: choice(...)"),
    ("glob(*)", "glob(...) needs the config's folders", "type: m.C: choice(a, b, c)"),
    ("choice(1", "no viable alternative", "quote what is special"),
]


@pytest.mark.parametrize(("text", "found", "hint"), WRONG)
def test_wrong_sweeps(text: str, found: str, hint: str) -> None:
    """A wrong sweep is named with its key, what was found and what to type."""
    (problem,) = problems({"m.C": text})
    assert problem.where == "hydra.sweeper.params.m.C"
    assert found in problem.found
    assert hint in problem.hint


def test_a_wrong_word_of_the_command_line_is_named_as_typed() -> None:
    """A problem of an override stands at the override, and the hint is an override."""
    (problem,) = problems({}, "m.C=interval(2,1)")
    assert problem.where == "m.C=interval(2,1)"
    assert problem.hint == "type: m.C=interval(1.0, 2.0)"


@pytest.mark.parametrize(
    ("params", "where", "found", "hint"),
    [
        ({"modle=a": {"x": "1,2"}}, "modle=a", "draws no 'modle'", "did you mean model=a"),
        ({"model=c": {"x": "1,2"}}, "model=c", "'model' is never c", "there are: a, b"),
        ({"u=0.5": {"x": "1,2"}}, "u=0.5", "'u' goes from 0.0 to 1.0", "a choice or of a range"),
        ({"n=7": {"x": "1,2"}}, "n=7", "'n' goes from 1 to 3 and is not 7", "a choice or of a range"),
        ({"model": {"x": "1,2"}}, "model", "params that hang on another one", "<param>=<value>"),
        ({"model=a,b": {"x": "1,2"}}, "model=a,b", "params that hang on", "<param>=<value>"),
        ({"model=a": {"u": "1,2"}}, "model=a.u", "'u' is set already by hydra.sweeper.params.u", "leave one"),
        ({"model=a": {"x": "[1,2]"}}, "model=a.x", "sets single values", "config group"),
        (
            {"model=a": {"x": "1,2"}, "n=1": {"x": "1,2"}},
            "n=1.x",
            "'x' is set already by hydra.sweeper.params.model=a.x",
            "leave one",
        ),
    ],
)
def test_wrong_conditions(params: dict[str, Any], where: str, found: str, hint: str) -> None:
    """A condition that never holds, or that sets a key twice, is named with what would do."""
    base = {"u": "interval(0,1)", "n": "range(1,4)"}
    if "model" not in params:
        base["model"] = "choice(a,b)"
    (problem,) = problems({**base, **params})
    assert problem.where == f"hydra.sweeper.params.{where}"
    assert found in problem.found
    assert hint in problem.hint


def test_the_same_key_under_conditions_that_exclude_each_other() -> None:
    """Two models may both have the key, each with a domain of its own."""
    params = {"m": "a,b", "m=a": {"x": "1,2"}, "m=b": {"x": "interval(0,1)"}}
    space, _ = parse_space(params, [])
    assert {type(inner.domains["x"]) for inner in space.when.values()} == {Choice, Interval}


def test_every_problem_is_told_at_once() -> None:
    """One error holds the problems of params, conditions and overrides together."""
    params = {"a": "interval(2,1)", "b": "choice()", "c": "1,2", "c=3": {"x": "1,2"}, "c=1": {"y": "rang(3)"}}
    found = problems(params, "d=range(3,1)")
    assert len(found) == 5


def test_grid_points() -> None:
    """A grid has each point once, the last param changing fastest, with the params of its conditions."""
    space, _ = parse_space({**FOREST_OR_SVM, "x": "range(0, 0.3, 0.1)"}, ["model.depth=1,2"])
    points = list(grid_points(space))
    assert len(points) == 3 * (2 + 1 + 2)
    assert points[0] == {"model": "forest", "x": 0.0, "model.depth": 1, "model.trees": 100}
    assert points[-1] == {"model": "svm", "x": 0.2, "model.kernel": "poly", "model.degree": 3}
    assert len({tuple(sorted(point.items())) for point in points}) == len(points)


def test_a_grid_needs_steps() -> None:
    """Every interval without a step is named, also under a condition; whole numbers need none."""
    params = {"x": "interval(0,1)", "n": "int(interval(1,2))", "n=1": {"y": "interval(0,2)"}}
    with pytest.raises(ConfigError) as caught:
        grid_points(parse_space(params, [])[0])
    assert [problem.where for problem in caught.value.problems] == ["x", "y"]
    assert caught.value.problems[0].hint == "to search it: +sweep=tpe; for a grid: x=range(0.0,1.0,<step>)"
