"""What led to a run and what came of it, and the commands that bring it back."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.core.artifact import Artifact
from headrace.core.record import RunRecord
from headrace.core.report import Block, Cell, Code, Facts, Folded, Table

DIGEST_SHOWN = 19  # sha256: and twelve digits
COMMIT_SHOWN = 12  # digits: a lake finds a commit by them


def lineage_blocks(record: RunRecord) -> Iterator[Block]:
    git = record.git
    rows: list[tuple[str, Cell]] = []
    if git.get("commit"):
        changed = ", with changes that are not committed" if git.get("dirty") else ""
        rows.append(("code", f"git commit {git['commit']}{changed}"))
    if record.source.get("commit"):
        rows.append(("data", f"lake commit {record.source['commit']}"))
    for stage in record.stages:
        for told in stage.sources.values():
            if told["uri"].startswith("model:"):
                version = told.get("version")
                said = "no version yet" if version is None else f"version {version}, {told.get('artifact')}"
                rows.append((f"{stage.name} compared with", f"{told['uri']}: {said}"))
    rows.append(("branch", record.branch))
    if record.published:
        rows.append(("published", f"lake commit {record.published['commit']}"))
    for name, where in (("Prefect", record.prefect), ("W&B", record.wandb)):
        if place := where.get("url") or where.get("dir") or where.get("flow_run_id"):
            rows.append((name, str(place)))
    yield Facts(tuple(rows))
    made = [(stage.name, name, a) for stage in record.stages for name, a in stage.outputs.items()]
    if made:
        cells = tuple(
            (name, stage, a.bytes, a.codec, a.digest[:DIGEST_SHOWN], _place(a)) for stage, name, a in made
        )
        columns = ("artifact", "stage", "bytes", "codec", "digest", "where")
        table = Table(columns=columns, rows=cells, caption="What each stage made, by content and place.")
        yield Folded("All artifacts by digest and place", (table,))


def _place(artifact: Artifact) -> str:
    return f"lake://{artifact.commit[:COMMIT_SHOWN]}/{artifact.path}"


def command_blocks(record: RunRecord) -> Iterator[Block]:
    lines = [record.command, f"python -m flows.reproduce run={record.id}", f"headrace show {record.id}"]
    if record.published:
        lines.append(f"headrace lineage {record.published['model']}/{record.published['version']}")
    yield Code("\n".join(lines))
    packages = tuple((name, version) for name, version in record.packages.items())
    if packages:
        caption = "What the stages import."
        table = Table(columns=("package", "version"), rows=packages, caption=caption)
        yield Folded("Packages and their versions", (table,))
