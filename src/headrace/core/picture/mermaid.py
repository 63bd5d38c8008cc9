"""A picture as Mermaid, which GitHub, GitLab and many wikis draw."""

from __future__ import annotations

import re

from headrace.core.picture.model import Picture

# Everything that Mermaid or the page around it may take for more than text.
_SPECIAL = re.compile(r"[^\w .,:~+-]")
_CLASSES = {
    "cached": "stroke-dasharray: 4 3",
    "ran": "stroke: #2e7d32",
    "run": "stroke: #b26a00, stroke-width: 2px",
    "running": "stroke: #b26a00, stroke-width: 2px",
    "maybe": "stroke: #b26a00, stroke-dasharray: 4 3",
    "failed": "stroke: #c62828, stroke-width: 3px",
    "skipped": "opacity: 0.5",
    "pruned": "opacity: 0.5",
}


def to_mermaid(picture: Picture) -> str:
    """Return a flow chart. Ids are numbers: a stage may be called `end`, which Mermaid keeps for itself."""
    ids = {box.name: f"s{number}" for number, box in enumerate(picture.boxes)}
    lines = ["flowchart TD", f"  accTitle: {_escape(picture.title)}"]
    for box in picture.boxes:
        note = f"<br/>{_escape(box.note)}" if box.note else ""
        lines.append(f'  {ids[box.name]}["{_escape(box.name)}{note}"]')
    for link in picture.links:
        label = _escape(", ".join(link.artifacts))
        lines.append(f'  {ids[link.source]} -->|"{label}"| {ids[link.target]}')
    used: dict[str, list[str]] = {}
    for box in picture.boxes:
        if box.state.lower() in _CLASSES:
            used.setdefault(box.state.lower(), []).append(ids[box.name])
    for state, names in used.items():
        lines += [f"  classDef {state} {_CLASSES[state]}", f"  class {','.join(names)} {state}"]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Write special characters as Mermaid's entities, `#34;`."""
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", text)
