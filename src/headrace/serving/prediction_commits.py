"""Segments of the spool become Parquet objects on `main` of the lake, each exactly once.

A segment's name is its own, so what is on `main` under it was committed before, whoever was killed between
that and removing the segment. A merge wants nothing staged on its destination, and publishing merges into
`main` too: so nothing is ever staged there, but on a branch of the writer's own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from headrace.core.ports import MAIN, LakeStore
from headrace.errors import NoChanges, ObjectNotFound, RefNotFound
from headrace.serving.spool import claim_dead, read_segment, segment_id, writers

FOLDER = "predictions"
_AT_ONCE = 64  # segments of one commit

logger = logging.getLogger(__name__)


def object_path(segment: Path) -> str:
    """Return where a segment lies in the lake."""
    return f"{FOLDER}/{segment_id(segment)}.parquet"


def commit_segments(lake: LakeStore, writer: str, segments: Sequence[Path]) -> int:
    """Commit a writer's sealed segments to `main`, and remove them; return the number of rows.

    For one process and thread at a time a writer. May be called again after a kill or an error at any
    point: nothing is lost by that and nothing comes twice. Raises `LakeError`; then what was not committed
    is still in the spool.
    """
    branch = f"{FOLDER}-{writer}"
    rows = 0
    for start in range(0, len(segments), _AT_ONCE):
        some = segments[start : start + _AT_ONCE]
        new = _write_parquet(lake, some)
        if new:
            _merge(lake, branch, {path: file for path, (file, _) in new.items()}, writer)
        for segment in some:
            segment.unlink()
            segment.with_suffix(".parquet").unlink(missing_ok=True)
        rows += sum(count for _, count in new.values())
    if segments:
        _drop(lake, branch)  # of a writer that was killed after its merge
    return rows


def commit_dead(lake: LakeStore, root: Path) -> int:
    """Commit what writers that have died left in the spool; return the number of rows."""
    rows = 0
    for writer in writers(root):
        with claim_dead(root, writer) as segments:
            rows += commit_segments(lake, writer, segments)
    return rows


def _write_parquet(lake: LakeStore, segments: Sequence[Path]) -> dict[str, tuple[Path, int]]:
    """Write what `main` has not, beside the segments; return file and rows by path in the lake."""
    import pyarrow.parquet as pq

    main = lake.resolve(MAIN)
    new = {}
    for segment in segments:
        path = object_path(segment)
        if _is_there(lake, main, path):
            continue
        table = read_segment(segment)
        if table is None:
            logger.warning("%s holds no whole batch of predictions: it is removed", segment)
            continue
        file = segment.with_suffix(".parquet")
        pq.write_table(table, file, compression="zstd")
        new[path] = (file, table.num_rows)
    return new


def _merge(lake: LakeStore, branch: str, files: Mapping[str, Path], writer: str) -> None:
    _drop(lake, branch)
    lake.create_branch(branch, MAIN)
    lake.put_many(branch, files, consume=True)
    message, metadata = f"{len(files)} segments of predictions", {"writer": writer}
    lake.commit(branch, message, metadata)
    with suppress(NoChanges):
        lake.merge(branch, MAIN, message, metadata)
    _drop(lake, branch)


def _is_there(lake: LakeStore, ref: str, path: str) -> bool:
    try:
        lake.stat(ref, path)
    except ObjectNotFound:
        return False
    return True


def _drop(lake: LakeStore, branch: str) -> None:
    with suppress(RefNotFound):
        lake.delete_branch(branch)


def read_predictions(lake: LakeStore, model: str, ref: str = MAIN, date: str = "") -> Any:
    """Return what the lake holds of a model's predictions as one Arrow table, of a day where one is given.

    Columns that only some segments have (another version's inputs) are null in the others. None where
    there are no predictions.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    prefix = f"{FOLDER}/{model}/{date}/" if date else f"{FOLDER}/{model}/"
    commit = lake.resolve(ref)
    found = [pq.read_table(lake.local_path(commit, info.path)) for info in lake.list(commit, prefix=prefix)]
    return pa.concat_tables(found, promote_options="permissive") if found else None
