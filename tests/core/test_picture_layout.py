"""Where the boxes and lines of a picture stand."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.picture import Box, Drawing, Link, Picture, arrange, to_text
from headrace.core.picture.spread import spread


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Draw a graph of up to 14 stages, each reading some of those before it."""
    count = draw(st.integers(0, 14))
    names = [f"{'s' * draw(st.integers(1, 12))}{number}" for number in range(count)]
    states = st.sampled_from(("", "CACHED", "RUN", "failed"))
    boxes = tuple(
        Box(name=name, state=draw(states), seconds=draw(st.none() | st.just(1.5))) for name in names
    )
    links = tuple(
        Link(source=names[source], target=names[target], artifacts=(f"a{source}", f"b{target}"))
        for target in range(count)
        for source in sorted(draw(st.sets(st.integers(0, target - 1), max_size=5)) if target else ())
    )
    return Picture(title="drawn", boxes=boxes, links=links)


def drawn(picture: Picture, width: int) -> Drawing:
    found = None
    while found is None:
        found = arrange(picture, width)
        width += 20
    return found


@settings(max_examples=60, deadline=None)
@given(pictures(), st.integers(30, 160))
def test_no_two_boxes_overlap(picture: Picture, width: int) -> None:
    """Every stage has one box, and no cell belongs to two."""
    found = drawn(picture, width)
    assert [frame.box for frame in found.frames] == list(picture.boxes)
    for a, b in combinations(found.frames, 2):
        beside = a.x + a.width <= b.x or b.x + b.width <= a.x
        assert beside or a.y + a.height <= b.y or b.y + b.height <= a.y


@settings(max_examples=60, deadline=None)
@given(pictures(), st.integers(30, 160))
def test_each_line_goes_forward_from_its_source_to_its_target(picture: Picture, width: int) -> None:
    """Down or sideways, never up; through no box but the borders of its two."""
    found = drawn(picture, width)
    frames = {frame.box.name: frame for frame in found.frames}
    inside = {
        (x, y) for f in found.frames for x in range(f.x, f.x + f.width) for y in range(f.y, f.y + f.height)
    }
    assert len(found.wires) == len(picture.links)
    for wire in found.wires:
        source, target = frames[wire.source], frames[wire.target]
        (x, y), (to_x, to_y) = wire.points[0], wire.points[-1]
        assert source.x < x < source.x + source.width - 1
        assert target.x < to_x < target.x + target.width - 1
        assert (y, to_y) == (source.y + source.height - 1, target.y)
        assert all(b[1] >= a[1] for a, b in zip(wire.points, wire.points[1:], strict=False))
        assert set(wire.cells()) & inside == {wire.points[0], wire.points[-1]}


@settings(max_examples=60, deadline=None)
@given(pictures(), st.integers(30, 160))
def test_lines_of_two_stages_share_crossings_only(picture: Picture, width: int) -> None:
    """No line lies on that of another stage, and none bends on it: a crossing cannot be read as a joint."""
    ways: dict[tuple[int, int], dict[str, set[str]]] = {}
    for wire in drawn(picture, width).wires:
        for a, b in zip(wire.points, wire.points[1:], strict=False):
            way = "down" if a[0] == b[0] else "across"
            for x in range(min(a[0], b[0]), max(a[0], b[0]) + 1):
                for y in range(a[1], b[1] + 1):
                    ways.setdefault((x, y), {}).setdefault(wire.source, set()).add(way)
    for by_source in ways.values():
        if len(by_source) > 1:
            assert sorted(map(sorted, by_source.values())) == [["across"], ["down"]]


@settings(max_examples=60, deadline=None)
@given(pictures(), st.integers(30, 160))
def test_labels_stand_on_free_cells(picture: Picture, width: int) -> None:
    """No label lies on a line, a box or another label."""
    found = drawn(picture, width)
    taken = [cell for wire in found.wires for cell in set(wire.cells())]
    taken += [
        (x, y) for f in found.frames for x in range(f.x, f.x + f.width) for y in range(f.y, f.y + f.height)
    ]
    of_labels = [(label.x + n, label.y) for label in found.labels for n in range(len(label.text))]
    assert len(of_labels) == len(set(of_labels))
    assert not set(of_labels) & set(taken)
    assert all(x < found.width for x, _ in of_labels)


@settings(max_examples=60, deadline=None)
@given(pictures(), st.sampled_from((20, 40, 60, 100, 160)))
def test_no_line_of_text_is_wider_than_the_terminal(picture: Picture, width: int) -> None:
    """Whatever the graph, and with every stage named."""
    lines = to_text(picture, width)
    assert max(map(len, lines), default=0) <= width
    assert all(box.name[:18] in "\n".join(lines) for box in picture.boxes)


def test_a_wide_graph_grows_downward() -> None:
    """Stages that could stand side by side stand below each other where the width ends."""
    boxes = tuple(Box(name=f"stage_{number}") for number in range(12))
    links = tuple(Link(source="stage_0", target=box.name, artifacts=("a",)) for box in boxes[1:])
    picture = Picture(title="wide", boxes=boxes, links=links)
    wide, narrow = arrange(picture, 200), arrange(picture, 60)
    assert wide is not None
    assert narrow is not None
    assert len({frame.y for frame in wide.frames}) == 2
    assert narrow.width <= 60
    assert narrow.height > wide.height


def test_crossings_that_need_not_be_are_not_there() -> None:
    """Two pairs of stages in the order in which their lines would cross are put the other way round."""
    boxes = tuple(Box(name=name) for name in ("a", "b", "c", "d"))
    links = (Link(source="a", target="d", artifacts=("x",)), Link(source="b", target="c", artifacts=("y",)))
    found = arrange(Picture(title="", boxes=boxes, links=links), 80)
    assert found is not None
    left, right = (set(wire.cells()) for wire in found.wires)
    assert not left & right


def test_places_keep_their_order_and_are_near_what_was_wanted() -> None:
    """What is wanted is given where it can be; things that want one place stand around it."""
    assert spread([3, 10], [2, 2], [0, 1], 20) == [3, 10]
    assert spread([5, 5], [2, 2], [0, 0], 20) == [4, 6]
    assert spread([-4, 100], [2, 2], [0, 1], 20) == [0, 18]
    assert spread([9, 2], [2, 2], [0, 1], 20) == [4, 7]
