"""A picture made of a graph, a plan or a record, and drawn three ways."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from headrace.core.artifact import Artifact
from headrace.core.graph import build_graph
from headrace.core.picture import (
    Box,
    Link,
    Picture,
    picture_of_plan,
    picture_of_run,
    to_mermaid,
    to_svg,
    to_text,
)
from headrace.core.picture.model import tell_seconds
from headrace.core.plan import Plan, StagePlan, StageResult, State
from headrace.core.record import RunRecord, StageRecord
from headrace.core.spec import StageSpec

SPECS = (
    StageSpec(name="load", call="a.b", inputs={"source": "file:x"}, outputs={"rows": "rows", "n": "count"}),
    StageSpec(name="fit", call="a.c", inputs={"x": "rows"}, outputs={"model": "model"}),
    StageSpec(name="judge", call="a.d", inputs={"m": "model", "n": "count", "x": "rows"}),
)
GRAPH = build_graph(SPECS)
CHAIN = Picture(
    title="small",
    boxes=(
        Box(name="load", state="cached"),
        Box(name="fit", state="ran", seconds=1.25),
        Box(name="judge", state="failed", seconds=0.04, reason="ValueError: <no>"),
    ),
    links=(
        Link(source="load", target="fit", artifacts=("rows",)),
        Link(source="load", target="judge", artifacts=("count",)),
        Link(source="fit", target="judge", artifacts=("model", "scores")),
    ),
)


def test_the_picture_of_a_plan() -> None:
    """A cached stage shows what it took when it was made, others what they took lately."""
    made = StageResult(stage="load", key="k", run="r", seconds=2.5, outputs={})
    cached = StagePlan(name="load", state=State.CACHED, reasons=("made by r",), result=made)
    plan = Plan((cached, StagePlan(name="fit", state=State.RUN, reasons=("x",), estimated_seconds=3.0)))
    found = picture_of_plan("t", GRAPH, plan, {"load": 9.0, "fit": 3.0})
    assert [box.note for box in found.boxes] == ["CACHED ~2.5 s", "RUN ~3.0 s", ""]
    assert [(one.source, one.target, one.artifacts) for one in found.links] == [
        ("load", "fit", ("rows",)),
        ("fit", "judge", ("model",)),
        ("load", "judge", ("count", "rows")),
    ]
    assert found.to_json()["stages"][2]["reads"][1] == {"stage": "load", "artifacts": ["count", "rows"]}


def record(config: dict[str, object]) -> RunRecord:
    def artifact(name: str) -> Artifact:
        return Artifact(digest=f"sha256:{name}", bytes=1, codec="json", uri=f"lake://c/{name}")

    load = StageRecord(name="load", state="cached", seconds=0.1, outputs={"rows": artifact("rows")})
    fit = StageRecord(name="fit", state="failed", seconds=3.0, inputs={"x": "sha256:rows"}, reason="no\nmore")
    judge = StageRecord(name="judge", state="skipped")
    return RunRecord(
        id="r1",
        experiment="toy",
        pipeline="p",
        command="",
        state="failed",
        started="2026-11-24T00:00:00+00:00",
        seconds=1.0,
        seed=0,
        config=config,
        git={},
        packages={},
        source={},
        resume="",
        stages=[load, fit, judge],
    )


def test_the_picture_of_a_run() -> None:
    """What failed or was skipped has its links too, by the names in the run's config."""
    stages = {spec.name: {"inputs": dict(spec.inputs), "outputs": dict(spec.outputs)} for spec in SPECS}
    found = picture_of_run(record({"stages": stages}))
    assert [box.note for box in found.boxes] == ["cached", "failed 3.0 s", "skipped"]
    assert {(one.source, one.target) for one in found.links} == {
        ("load", "fit"),
        ("load", "judge"),
        ("fit", "judge"),
    }
    assert found.boxes[1].reason == "no"


@pytest.mark.parametrize("config", [{}, {"stages": "gone"}, {"stages": {"fit": None}}])
def test_a_run_whose_config_tells_nothing(config: dict[str, object]) -> None:
    """Digests still say what was read."""
    (link,) = picture_of_run(record(config)).links
    assert (link.source, link.target, link.artifacts) == ("load", "fit", ("rows",))


def test_text() -> None:
    """Boxes with states and seconds, lines that part and meet, artifacts beside them."""
    assert to_text(CHAIN, 60) == [
        "    ┌───────────────┐",
        "    │ load  cached  │",
        "    └───────┬───────┘",
        "      ┌─────┤",
        "      │     │ rows",
        "      │  ┌──▼──────────────┐",
        "      │  │ fit  ran 1.2 s  │",
        "      │  └────────┬────────┘",
        "      │ count     │ model, scores",
        "┌─────▼───────────▼─────┐",
        "│ judge  failed 0.04 s  │",
        "└───────────────────────┘",
    ]


def test_ascii_for_a_terminal_without_utf_8() -> None:
    """Every character is one that such a terminal has, whatever names hold."""
    odd = Picture(title="é", boxes=(Box(name="größe…"),), links=())
    for picture in (CHAIN, odd):
        assert all(line.isascii() for line in to_text(picture, 60, ascii_only=True))
        assert all(line.isascii() for line in to_text(picture, 8, ascii_only=True))


def test_colours_only_where_asked_for() -> None:
    """No escape sequence without; with, each that begins also ends, and the text is the same."""
    plain, coloured = to_text(CHAIN, 60), to_text(CHAIN, 60, colour=True)
    assert "\033" not in "\n".join(plain)
    assert "\033[31mfailed" in "\n".join(coloured)
    assert [re.sub("\033\\[[0-9]*m", "", line) for line in coloured] == plain
    assert "\n".join(coloured).count("\033") == 2 * len(CHAIN.boxes)


def test_what_others_wrote_moves_no_cursor() -> None:
    """A control character in a name is shown as a mark."""
    bad = Picture(
        title="",
        boxes=(Box(name="a\033[2Jb"), Box(name="c")),
        links=(Link(source="a\033[2Jb", target="c", artifacts=("x\ry",)),),
    )
    for width in (60, 20, 4):
        assert all(line.isprintable() for line in to_text(bad, width))


def test_mermaid_is_escaped() -> None:
    """Names that Mermaid would take for its own syntax come out as text, under ids of our own."""
    name, artifact = 'end"]; click s0 "javascript:x', "%%{init: {}}%%<b>`#"
    picture = Picture(
        title="t\nflowchart LR",
        boxes=(Box(name=name), Box(name="class", state="RUN")),
        links=(Link(source=name, target="class", artifacts=(artifact,)),),
    )
    text = to_mermaid(picture)
    lines = text.splitlines()
    assert lines[0] == "flowchart TD"
    assert lines[2] == '  s0["end#34;#93;#59; click s0 #34;javascript:x"]'
    assert lines[4].startswith('  s0 -->|"#37;#37;#123;init:')
    assert text.count("flowchart") == 2
    assert len(lines) == 7
    assert not set("<>`{}") & set(text.replace("<br/>", "").replace("-->", ""))


def test_svg_is_well_formed_and_described() -> None:
    """A parser reads it; title and description say what it shows; names stay text; nothing is loaded."""
    bad = Picture(
        title="<script>&",
        boxes=(Box(name="</svg><script>"), Box(name="b", reason='"><x')),
        links=(Link(source="</svg><script>", target="b", artifacts=("<a>&",)),),
    )
    for picture in (CHAIN, bad, Picture(title="", boxes=(), links=())):
        svg = to_svg(picture, name='a"b')
        root = ElementTree.fromstring(svg)
        space = "{http://www.w3.org/2000/svg}"
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == 'a"b-title a"b-desc'
        assert [child.tag for child in root][:2] == [f"{space}title", f"{space}desc"]
        assert {element.tag for element in root.iter()} <= {
            f"{space}{tag}"
            for tag in ("svg", "title", "desc", "style", "path", "circle", "g", "rect", "text")
        }
        assert "url(" not in svg
        assert "href" not in svg
    desc = to_svg(CHAIN)
    assert "judge (failed 0.04 s) reads count of load; model, scores of fit." in desc


def test_seconds_in_few_digits() -> None:
    """As many as a person reads."""
    said = [tell_seconds(value) for value in (0.0312, 0.5, 1.234, 12.34, 119.4, 600, 7200)]
    assert said == ["0.031 s", "0.5 s", "1.2 s", "12 s", "119 s", "10 min", "2.0 h"]
