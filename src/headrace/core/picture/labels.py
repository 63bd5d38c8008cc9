"""The names of artifacts beside the ends of wires, where there is room for them."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.core.picture.drawing import Frame, Label, Wire

ASIDE = 3  # free cells between a text and what is not its own


def place_labels(frames: Sequence[Frame], wires: Sequence[Wire], width: int) -> tuple[Label, ...]:
    """Put what each wire carries beside its end: all of it, or the first and how many more."""
    taken = {cell for wire in wires for cell in wire.cells()}
    for frame in frames:
        taken |= {(x, frame.y) for x in range(frame.x, frame.x + frame.width)}
    labels: dict[int, Label] = {}
    for shortened in (False, True):  # all of it wherever that can be, before anything is shortened
        for number, wire in enumerate(wires):
            text = _text(wire, shortened)
            if number in labels or not text:
                continue
            column, y = wire.points[-1][0], wire.points[-1][1] - 1
            right, left = column + 2, column - 1 - len(text)
            for x, first in ((right, right - 1), (left, left - ASIDE)):
                # Nearer to its own wire than to any other.
                needed = {(at, y) for at in range(first, first + len(text) + 1 + ASIDE)}
                if x >= 0 and x + len(text) <= width and not needed & taken:
                    taken |= needed
                    labels[number] = Label(x, y, text)
                    break
    return tuple(labels.values())


def _text(wire: Wire, shortened: bool) -> str:
    names = ["".join(c if c.isprintable() else "�" for c in name) for name in wire.artifacts]
    if not shortened:
        return ", ".join(names)
    return f"{names[0]}, +{len(names) - 1}" if len(names) > 1 else ""
