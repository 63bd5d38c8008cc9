"""The gate: bounds, and what is no bound."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.errors import StageError
from headrace.stages.gate import check_thresholds

WHERE = r"stages\.gate\.params\.thresholds\.accuracy"


@pytest.mark.parametrize(("found", "passed"), [(0.9, True), (0.8999, False), (float("nan"), False)])
def test_a_bound_is_met_when_it_is_reached(found: float, passed: bool) -> None:
    """Exactly the bound passes; below it, and what is no number, does not."""
    gate = check_thresholds({"accuracy": found}, thresholds={"accuracy": {"min": 0.9}})["gate"]
    assert gate["passed"] is passed


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"accuracy": {"min": "high"}}, rf"{WHERE}\.min: 'high' is not a number"),
        ({"accuracy": {"min": None}}, rf"{WHERE}\.min: None is not a number"),
        ({"accuracy": {"mim": 0.9}}, rf"{WHERE}\.mim: no such rule; use min, max, max_drop or min_gain"),
        ({"accuracy": 0.9}, rf"{WHERE}: 0\.9 is no bound; use \{{min: x\}}, \{{max: x\}} or both"),
        ({"acuracy": {"min": 0.9}}, r"acuracy: no such metric was measured; did you mean accuracy\?"),
        ({"matrix": {"min": 0.9}}, r"matrix: the metric is \[1\], which is not a number"),
    ],
)
def test_what_is_no_bound_is_named(thresholds: dict[str, Any], message: str) -> None:
    """An error of the stage says where the bound is written and what is wrong with it."""
    with pytest.raises(StageError, match=message):
        check_thresholds({"accuracy": 0.9, "matrix": [1]}, thresholds=thresholds)


def figures(value: float | None, gain: float | None = None, **more: Any) -> dict[str, Any]:
    return {"value": value, "gain": gain, "greater_is_better": True, **more}


def evaluation(slices: dict[str, dict[str, Any]] | None = None, **metrics: Any) -> dict[str, Any]:
    """Return what `evaluate` says, with one slice `sex` of 50 rows a group."""
    groups = [{"name": name, "rows": 50, "metrics": found} for name, found in (slices or {}).items()]
    return {"metrics": metrics, "champion": {"digest": "x"}, "slices": [{"by": ["sex"], "groups": groups}]}


def failed(**given: Any) -> list[tuple[str, str | None, str]]:
    """Return metric, slice and rule of the checks that fail."""
    gate = check_thresholds(**given)["gate"]
    assert gate["passed"] is all(check["passed"] for check in gate["checks"])
    return [(c["metric"], c["slice"], c["rule"]) for c in gate["checks"] if not c["passed"]]


@pytest.mark.parametrize(
    ("rules", "gain", "passes"),
    [
        ({"max_drop": 0.01}, -0.01, True),
        ({"max_drop": 0.01}, -0.011, False),
        ({"max_drop": 0.0}, 0.2, True),
        ({"min_gain": 0.02}, 0.02, True),
        ({"min_gain": 0.02}, 0.019, False),
    ],
)
def test_a_change_is_held_against_the_champion(rules: dict[str, float], gain: float, passes: bool) -> None:
    """A drop is as much as it may be, and a gain as much as it must be, exactly."""
    found = evaluation(accuracy=figures(0.9, gain))
    assert (
        failed(metrics={"accuracy": 0.9}, evaluation=found, thresholds={"accuracy": rules}) == []
    ) is passes


def test_without_a_champion_a_change_is_met() -> None:
    """The first version of a model has nobody to beat, and the check says so."""
    found = evaluation(accuracy=figures(0.9))
    gate = check_thresholds({"accuracy": 0.9}, found, thresholds={"accuracy": {"min_gain": 0.5}})["gate"]
    assert gate["passed"]
    assert gate["checks"][0]["detail"] == "no champion to compare with"


@pytest.mark.parametrize(
    ("rules", "passes"),
    [
        ({"min": 0.85, "interval": True}, False),
        ({"min": 0.8, "interval": True}, True),
        ({"max": 0.92, "interval": True}, False),
        ({"max_drop": 0.02, "interval": True}, False),
        ({"max_drop": 0.05, "interval": True}, True),
        ({"min_gain": 0.0, "interval": True}, False),
        ({"min_gain": 0.0, "interval": False}, True),
    ],
)
def test_with_an_interval_its_worse_end_must_meet_the_bound(rules: dict[str, Any], passes: bool) -> None:
    """The figure alone is not enough where `interval` is true."""
    found = evaluation(accuracy=figures(0.9, 0.01, low=0.8, high=0.95, gain_low=-0.05, gain_high=0.07))
    assert (
        failed(metrics={"accuracy": 0.9}, evaluation=found, thresholds={"accuracy": rules}) == []
    ) is passes


def test_an_interval_that_nobody_computed_is_refused() -> None:
    """The error says where intervals come from."""
    found = evaluation(accuracy=figures(0.9, low=None))
    with pytest.raises(StageError, match=r"no interval; set stages\.evaluate\.params\.bootstrap=1000"):
        check_thresholds({"accuracy": 0.9}, found, thresholds={"accuracy": {"min": 0.5, "interval": True}})


def test_better_overall_and_worse_on_one_slice_is_stopped() -> None:
    """One group that loses is enough, and the check names it."""
    groups = {
        "sex=Female": {"accuracy": figures(0.8, -0.1)},
        "sex=Male": {"accuracy": figures(0.95, 0.1)},
    }
    found = evaluation(groups, accuracy=figures(0.9, 0.05))
    rules = {"accuracy": {"max_drop": 0.02}}
    told = failed(metrics={"accuracy": 0.9}, evaluation=found, thresholds=rules, slices={"sex": rules})
    assert told == [("accuracy", "sex=Female", "max_drop")]
    assert failed(metrics={"accuracy": 0.9}, evaluation=found, slices={"sex=Male": rules}) == []


def test_small_groups_and_what_they_do_not_determine_are_not_judged() -> None:
    """A group below `min_rows` is left out; a figure that is null passes and says why."""
    groups = {"sex=Female": {"roc_auc": {**figures(None), "why": "one class"}}}
    found = evaluation(groups)
    gate = check_thresholds({}, found, slices={"sex": {"roc_auc": {"min": 0.9}}})["gate"]
    assert [(c["passed"], c["detail"]) for c in gate["checks"]] == [(True, "one class")]
    assert check_thresholds({}, found, slices={"sex": {"roc_auc": {"min": 0.9}}}, min_rows=51)["gate"] == {
        "passed": True, "enforced": True, "checks": [],
    }  # fmt: skip


def test_a_slice_that_was_not_measured_is_named() -> None:
    """The error says which there are, or where to name one."""
    groups = {"sex=Female": {"accuracy": figures(0.8)}}
    with pytest.raises(StageError, match=r"slices\.sax: no such slice was measured; did you mean sex\?"):
        check_thresholds({}, evaluation(groups), slices={"sax": {}})
    with pytest.raises(StageError, match=r"name it in stages\.evaluate\.params\.slices"):
        check_thresholds({}, {}, slices={"sex": {}})


def test_an_interval_of_very_few_rows_is_not_judged() -> None:
    """Where others have one, a group without says why it passes."""
    group = figures(0.2, low=None, why="no interval: fewer than 10 rows")
    found = {**evaluation({"sex=Female": {"accuracy": group}}), "resamples": 1000}
    rules = {"accuracy": {"min": 0.9, "interval": True}}
    (check,) = check_thresholds({}, found, slices={"sex": rules})["gate"]["checks"]
    assert (check["passed"], check["detail"]) == (True, "no interval: fewer than 10 rows")


@pytest.mark.parametrize(("share", "passes"), [(0.05, True), (0.06, False)])
def test_rejected_rows_are_data_quality(share: float, passes: bool) -> None:
    """The share of rows that validation rejected has a bound of its own."""
    report = {"rows": 100, "rejected": int(share * 100), "share": share}
    assert (failed(metrics={}, validation=report, max_rejected=0.05) == []) is passes


def test_rejected_rows_that_nobody_counted_are_refused() -> None:
    """Without a report, and for what is no share, the error says what to write."""
    with pytest.raises(StageError, match=r"max_rejected: nothing was validated; set it to null"):
        check_thresholds({}, max_rejected=0.1)
    with pytest.raises(StageError, match=r"max_rejected is 5; use a share from 0 to 1"):
        check_thresholds({}, validation={"rows": 1, "rejected": 0, "share": 0.0}, max_rejected=5)


@pytest.mark.parametrize(
    ("smoke", "found"),
    [
        ({"loads": True, "answers": True, "rows": 5, "error": ""}, None),
        ({"loads": True, "answers": False, "rows": 5, "error": "4 answers to 5 rows"}, "no answer"),
        ({"loads": False, "answers": False, "rows": 5, "error": "no file"}, "does not load"),
        (None, None),
    ],
)
def test_a_package_must_load_and_answer(smoke: dict[str, Any] | None, found: str | None) -> None:
    """What failed is in the check; `package: false` asks for nothing."""
    gate = check_thresholds({}, smoke=smoke)["gate"]
    assert gate["passed"] is (found is None)
    assert [check["found"] for check in gate["checks"] if not check["passed"]] == ([found] if found else [])
    assert check_thresholds({}, smoke=smoke, package=False)["gate"]["checks"] == []


def test_every_bound_is_told_at_once() -> None:
    """All that fails is in the verdict, and without `enforce` it passes all the same."""
    given: dict[str, Any] = {
        "metrics": {"accuracy": 0.5, "log_loss": 2.0},
        "thresholds": {"accuracy": {"min": 0.9}, "log_loss": {"max": 1.0}},
        "validation": {"rows": 10, "rejected": 9, "share": 0.9},
        "max_rejected": 0.1,
        "smoke": {"loads": False, "answers": False, "rows": 5, "error": "no file"},
    }
    assert [metric for metric, _, _ in failed(**given)] == [
        "accuracy",
        "log_loss",
        "rejected rows",
        "package",
    ]
    assert check_thresholds(**given, enforce=False)["gate"]["passed"]
