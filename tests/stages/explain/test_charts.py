"""Charts stay readable: few points, names that are told apart, colours for data alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.stages.explain.charts import draw_charts
from headrace.stages.explain.charts.frame import COLOURS, count, distinct, short
from headrace.stages.explain.confusion import count_confusions
from headrace.stages.explain.curves import trace_precision_recall, trace_roc
from tests.stages.explain.made import many


@pytest.fixture(scope="module")
def analysis() -> dict[str, Any]:
    """Numbers of 26 classes and 30 columns, all with long names that begin alike."""
    answers = many(26)
    long = "a rather long name of a measured column, number {} of many"
    names = [long.format(at) for at in range(30)]
    lines = {f"class {name}": [0.1, 0.1 + 0.01 * at] for at, name in enumerate(answers.classes)}
    return {
        "task": "multiclass",
        "target": "y",
        "rows": 2000,
        "classes": list(answers.classes),
        "positive": None,
        "confusion": count_confusions(answers),
        "roc": trace_roc(answers),
        "precision_recall": trace_precision_recall(answers),
        "importance": {
            "metric": "f1_macro",
            "repeats": 5,
            "rows": 500,
            "features": [{"name": name, "mean": 0.1, "std": 0.0} for name in names],
        },
        "partial_dependence": {
            "rows": 500,
            "features": [
                {"name": names[0], "kind": "number", "of": "probability", "values": [1, 2], "lines": lines},
                {"name": names[1], "why": "it has one value"},
            ],
        },
        "learning_curve": {
            "metric": "f1_macro",
            "points": [
                {"rows": 10, "train": None, "test": None, "why": "one class"},
                {"rows": 20, "train": 1.0, "test": 0.5},
                {"rows": 9000, "train": 0.9, "test": 0.8},
            ],
        },
    }


def rows_of(spec: dict[str, Any]) -> int:
    """Count the rows of all the data that a specification holds."""
    return sum(len(rows) for rows in spec.get("datasets", {}).values())


def test_charts_stay_small_and_say_what_they_show(analysis: dict[str, Any]) -> None:
    """Each chart has a title, an alt text with its main figure, a caption, and about 500 points."""
    charts = draw_charts(analysis)
    assert set(charts) == {
        *("confusion", "roc", "precision_recall", "importance", "partial_dependence", "learning_curve")
    }
    for name, chart in charts.items():
        spec = chart.to_dict()
        told = spec["usermeta"]["headrace"]
        assert told["title"] == spec["title"]["text"]
        assert told["alt"] == spec["description"]
        assert told["caption"]
        assert any(sign.isdigit() for sign in told["alt"])
        assert rows_of(spec) <= 26 * 26, name
        assert "tooltip" in json.dumps(spec)
    assert "the 20 most important of 30" in charts["importance"].to_dict()["usermeta"]["headrace"]["caption"]
    assert "of 26 classes the 6" in charts["roc"].to_dict()["usermeta"]["headrace"]["caption"]


def test_a_chart_has_no_colour_for_page_and_text(analysis: dict[str, Any]) -> None:
    """A theme of the page decides on background, axes, titles and legends."""
    for chart in draw_charts(analysis).values():
        spec = chart.to_dict()
        assert "background" not in spec
        told = json.dumps(spec["config"])
        assert not [word for word in ("Color", "fill", "stroke") if f"{word}" in told]


def test_classes_keep_their_order_and_colour(analysis: dict[str, Any]) -> None:
    """Lines are told apart by the colours of one palette, in the order of the classes."""
    colour = draw_charts(analysis)["roc"].to_dict()["layer"][1]["encoding"]["color"]["scale"]
    assert colour["domain"] == sorted(colour["domain"])
    assert tuple(colour["range"]) == COLOURS


def test_a_score_between_narrow_bounds_is_no_mountain(analysis: dict[str, Any]) -> None:
    """The scale of a learning curve shows at least a tenth; far-off rows make the other logarithmic."""
    near = {
        **analysis["learning_curve"],
        "points": [{"rows": 10, "train": 1.0, "test": 0.99}, {"rows": 20, "train": 1.0, "test": 1.0}],
    }
    encoding = draw_charts({**analysis, "learning_curve": near})["learning_curve"].to_dict()["encoding"]
    assert encoding["y"]["scale"]["domain"] == [0.9, 1.0]
    assert "type" not in encoding["x"]["scale"]
    far = draw_charts(analysis)["learning_curve"].to_dict()["encoding"]
    assert far["x"]["scale"]["type"] == "log"


def test_a_part_with_a_reason_has_no_chart(analysis: dict[str, Any]) -> None:
    """What has no numbers is not drawn: a reason, columns of one value, shares that could not be learned."""
    reasons = {
        "roc": {"why": "the test rows have one class"},
        "partial_dependence": {"rows": 5, "features": [{"name": "a", "why": "it has one value"}]},
        "learning_curve": {"metric": "rmse", "points": [{"rows": 5, "why": "one class"}]},
    }
    assert not {*reasons} & {*draw_charts({**analysis, **reasons})}


def test_shortened_names_stay_different() -> None:
    """A long name keeps its beginning and its end; two that become the same are numbered."""
    assert short("mean radius", 24) == "mean radius"
    assert short("abcdefghijkl", 7) == "abc…jkl"
    names = [f"abc{at}jkl" for at in ("defghi", "xxxxxx", "yyyyyy")]
    assert len(set(distinct(names, 9))) == 3
    assert all(len(name) <= 9 for name in distinct(names, 9))
    assert distinct(["a", "b"], 9) == ["a", "b"]


def test_counts_agree_with_their_words() -> None:
    """One row is a row, others are rows."""
    assert [count(1, "row"), count(1234, "row")] == ["1 row", "1,234 rows"]
