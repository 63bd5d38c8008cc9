"""Score a table: one task a partition, then one output, put in its place at once."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headrace.adapters.schema_pydantic import PydanticRows
from headrace.batch.plan import Batch, Summary, find_source
from headrace.batch.read import Partition, TableReader
from headrace.batch.score import PREDICTION, Scorer, probability_names
from headrace.batch.write import write_file, write_part
from headrace.core.digest import digest_file, digest_value
from headrace.core.model_signature import ModelSignature
from headrace.core.ports import Runtime, StageTask
from headrace.errors import ConfigError, HeadraceError, Problem, StageError, StageFailed, did_you_mean
from headrace.loaded import Model

Progress = Callable[[int], None]
"""Takes the number of rows that are done, after each partition."""

_REASONS = 20  # kinds that a summary tells


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What the partitions of one batch share."""

    batch: Batch
    files: Sequence[Path]
    stamps: Sequence[tuple[int, int]]  # of the files, before anything was read
    reader: TableReader
    scorer: Scorer

    def key(self, number: int) -> str:
        return digest_value([self.batch.key, number])

    def part(self, number: int) -> Path:
        return self.batch.folder / f"part-{number:06}.arrow"

    def rejected_part(self, number: int) -> Path:
        return self.batch.folder / f"rejected-{number:06}.arrow"

    def find_parts(self) -> list[dict[str, Any]]:
        """Return the records of the first partitions, as far as they are there with their files."""
        records: list[dict[str, Any]] = []
        while True:
            number = len(records)
            record = self.batch.cache.get(self.key(number))
            if record is None:
                return records
            files = [self.part(number), *([self.rejected_part(number)] if record["rejected"] else [])]
            if record["bytes"] != [file.stat().st_size if file.is_file() else -1 for file in files]:
                self.batch.cache.forget(self.key(number))
                return records
            records.append(record)

    def compute(self, number: int, partition: Partition) -> dict[str, Any]:
        """Score a partition, and keep what came of it."""
        try:
            scored = self.scorer.score(partition)
        except HeadraceError:
            raise
        except Exception as error:
            raise StageFailed(f"partition {number}", error) from error
        files = [self.part(number)]
        write_part(scored.answered, files[0])
        if len(scored.rejected):
            files.append(self.rejected_part(number))
            write_part(scored.rejected, files[1])
        return {
            "answered": len(scored.answered),
            "rejected": len(scored.rejected),
            "reasons": dict(scored.reasons),
            "bytes": [file.stat().st_size for file in files],
        }


def run_batch(batch: Batch, runtime: Callable[[], Runtime], progress: Progress) -> Summary:
    """Score what is not scored yet, and put the output in its place.

    Raises:
        ConfigError: The input lacks a column, or has one that the output is to have.
        StageError: The input cannot be read, or changed meanwhile.
        StageFailed: The model fails on rows that meet its signature.
    """
    with batch.cache.lock(batch.key):
        if done := batch.find_done():  # by the same command, for which this one waited
            return done
        batch.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=batch.folder, prefix="input-") as links:
            source, names, is_csv = find_source(batch, Path(links))
            stamps = [_stamp(file) for file in source.paths]
            reader = TableReader(source.paths, names, is_csv)
            work = _Work(
                batch=batch,
                files=source.paths,
                stamps=stamps,
                reader=reader,
                scorer=_make_scorer(batch, reader),
            )
            return _run(work, runtime(), progress)


def _run(work: _Work, runtime: Runtime, progress: Progress) -> Summary:
    batch = work.batch
    started = time.perf_counter()
    records = work.find_parts()
    found = len(records)

    def body() -> None:
        rows = sum(_rows(record) for record in records)
        partitions = work.reader.partitions(batch.node.partition_rows, skip=found)
        for number, partition in enumerate(partitions, start=found):
            records.append(runtime.submit(_task(work, number, partition)).result())
            rows += _rows(records[-1])
            progress(rows)

    about = {"model": batch.model, "version": batch.version, "input": batch.uri, "output": batch.node.output}
    runtime.run(f"predict {batch.model} {batch.version}", body, about, _plan_markdown(batch, found))
    _check_unchanged(work, len(records))
    places, digests = _publish(work, records)
    summary = Summary(
        model=batch.model,
        version=batch.version,
        rows=sum(_rows(record) for record in records),
        answered=sum(record["answered"] for record in records),
        rejected=sum(record["rejected"] for record in records),
        reasons=_add_reasons(records),
        places=places,
        digests=digests,
        seconds=round(time.perf_counter() - started, 3),
        computed=sum(_rows(record) for record in records[found:]),
    )
    batch.note_done(summary)
    _forget_parts(work, len(records))
    return summary


def _task(work: _Work, number: int, partition: Partition) -> StageTask:
    return StageTask(
        name=f"partition-{number:06}",
        key=work.key(number),
        retries=0,
        retry_delay_seconds=(),
        timeout_seconds=None,
        cache=True,
        alone=True,  # so that one partition is in memory
        execute=lambda: work.compute(number, partition),
    )


def _publish(work: _Work, records: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Make one file of the parts, and one of the rejected ones; return their places and digests."""
    batch, scorer = work.batch, work.scorer
    output, rejected = batch.target.scratch(batch.key, batch.folder)
    with_rejected = [number for number, record in enumerate(records) if record["rejected"]]
    try:
        write_file(map(work.part, range(len(records))), scorer.schema, output, batch.suffix)
        digests = [digest_file(output), ""]
        if with_rejected:
            parts = map(work.rejected_part, with_rejected)
            write_file(parts, scorer.rejected_schema, rejected, batch.suffix)
            digests[1] = digest_file(rejected)
        about = {"batch": batch.key, "model": batch.model, "version": str(batch.version), "input": batch.uri}
        return batch.target.publish(output, rejected if with_rejected else None, about), digests
    finally:
        for file in (output, rejected):
            file.unlink(missing_ok=True)


def _forget_parts(work: _Work, count: int) -> None:
    """Remove what the output was made of: it may be as large."""
    for number in range(count):
        work.batch.cache.forget(work.key(number))
    for file in work.batch.folder.glob("*.arrow"):
        file.unlink()
    for folder in work.batch.folder.glob("input-*"):  # of commands that were killed
        shutil.rmtree(folder, ignore_errors=True)


def _make_scorer(batch: Batch, reader: TableReader) -> Scorer:
    model = batch.load()
    keep = _check_columns(batch, reader, model)
    return Scorer(
        model,
        PydanticRows(model.signature),
        input_schema=reader.schema,
        keep=keep,
        probabilities=batch.node.probabilities,
        files=reader.names,
        as_text=reader.is_csv,
        typed=batch.suffix == ".parquet",  # CSV stays what it was
    )


def _check_columns(batch: Batch, reader: TableReader, model: Model) -> list[str]:
    """Return the columns of the input that the output has. Raises `ConfigError` with every problem."""
    there, signature = reader.schema.names, model.signature
    keep = list(there if batch.node.keep is None else batch.node.keep)
    problems = [
        Problem("input", f"has no column '{name}', which the model reads", did_you_mean(name, there))
        for name in signature.names
        if name not in there
    ]
    problems += [
        Problem("keep", f"the input has no column '{name}'", did_you_mean(name, there))
        for name in keep
        if name not in there
    ]
    if batch.node.probabilities and not signature.probabilities:
        problems.append(Problem("probabilities", "this model gives none", "leave it out"))
    for name in _answers(signature, batch.node.probabilities):
        if name in keep:
            hint = "say which columns to keep: keep=[<column>, ...]"
            problems.append(Problem("keep", f"the input has a column '{name}' as the output will", hint))
    if twice := sorted({name for name in keep if keep.count(name) > 1}):
        problems.append(Problem("keep", f"names '{twice[0]}' twice", "name each column once"))
    if problems:
        raise ConfigError(problems)
    return keep


def _answers(signature: ModelSignature, probabilities: bool) -> tuple[str, ...]:
    return (PREDICTION, *(probability_names(signature) if probabilities else ()))


def _check_unchanged(work: _Work, count: int) -> None:
    """Raise `StageError` where a file is another one by now: no output is made of two of them."""
    for file, name, stamp in zip(work.files, work.reader.names, work.stamps, strict=True):
        if _stamp(file) != stamp:
            _forget_parts(work, count)
            raise StageError(f"{name} changed while it was read; the same command reads it anew")


def _stamp(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


def _rows(record: Mapping[str, Any]) -> int:
    return int(record["answered"]) + int(record["rejected"])


def _add_reasons(records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for record in records:
        counts.update(record["reasons"])
    return dict(counts.most_common(_REASONS))


def _plan_markdown(batch: Batch, found: int) -> str:
    lines = [
        f"Scores `{batch.uri}` by {batch.model} version {batch.version} into `{batch.node.output}`.",
        f"Partitions of {batch.node.partition_rows:,} rows; {found} are there from an earlier try.",
    ]
    return "\n\n".join(lines)
