"""The prediction log: a queue in memory, a spool on disk, Parquet commits in the lake.

`write` costs the answer a few microseconds. One thread brings the queue to the spool several times a second;
from then on a kill loses nothing. Another commits the spool to the lake, and may take its time.
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from headrace.core.model_signature import ModelSignature
from headrace.core.ports import LakeStore
from headrace.errors import LakeError
from headrace.serving.prediction_commits import commit_dead, commit_segments
from headrace.serving.prediction_table import Layout, Slice, make_layout, read_salt
from headrace.serving.roles import Prediction
from headrace.serving.settings import LogSettings
from headrace.serving.spool import Spool

SPOOL = "predictions"  # below headrace_dir
SPOOL_BYTES = 1 << 30
CLOSE_SECONDS = 20.0
_TICK_SECONDS = 0.2
_LOOK_SECONDS = 30.0  # how often writers that died are looked for
_MOST_WAIT_SECONDS = 60.0  # between two tries to commit
_SLICE_ROWS = 2000  # converted in one go: it holds the interpreter for a millisecond or two
_SEGMENT_ROWS = 200_000  # never more in one file, whatever the settings
_SEGMENT_BYTES = 64 << 20  # or so: a segment is read whole to be committed, and rows may hold long texts

logger = logging.getLogger(__name__)

QUEUE_BYTES = 64 << 20  # of requests whose predictions wait: rows of long texts are few and large


class LogFigures(Protocol):
    """Counts what becomes of the log's rows; `headrace.serving.metrics.Metrics` does. From any thread."""

    def logged(self, rows: int) -> None:
        """Count rows that are in a commit."""

    def log_dropped(self, rows: int) -> None:
        """Count rows for which there was no place."""

    def log_failed(self) -> None:
        """Count a commit that did not come about, and is tried again."""


class NoLog:
    """Keeps nothing: `log.on=false`."""

    def write(self, prediction: Prediction) -> None:
        pass

    def close(self) -> None:
        pass


class LakePredictionLog:
    """A `PredictionLog` that becomes Parquet commits in a lake, below `predictions/<model>/<date>/`.

    Each worker process makes its own, and they may share a folder; it starts two threads. What a killed
    process left in the spool is committed by the next one, or by another one that runs.

    Args:
        lake: Where predictions are committed, on `main`.
        headrace_dir: The project's folder of state: the spool is in it, and the key of hashes.
        settings: What is kept, and when it becomes a commit.
        figures: Counts rows.
        spool_bytes: What may wait on disk while the lake is away, of all workers together.
        close_seconds: How long `close` waits for the lake; what is not committed then stays in the spool.
    """

    def __init__(
        self,
        lake: LakeStore,
        headrace_dir: Path,
        settings: LogSettings,
        figures: LogFigures,
        *,
        spool_bytes: int = SPOOL_BYTES,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        self._lake, self._settings, self._figures = lake, settings, figures
        self._close_seconds = close_seconds
        self._salt = read_salt(headrace_dir)
        self._spool = Spool(headrace_dir / SPOOL, spool_bytes)
        self._layouts: dict[tuple[str, int], Layout] = {}
        self._share = int(settings.sample * 2**32)
        self._lock = threading.Lock()
        self._queue: list[Prediction] = []
        self._waiting = 0  # rows, in the queue and on their way to the spool
        self._bytes = 0  # of the requests that they came in
        self._closed = False
        self._told: set[str] = set()
        self._deadline = float("inf")  # of `close`
        self._stop = threading.Event()
        self._spooled = threading.Event()  # nothing more will come to the spool
        self._sealed = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=f"prediction-log-{name}", daemon=True)
            for name, target in (("spool", self._spool_all), ("commit", self._commit_all))
        ]
        for thread in self._threads:
            thread.start()

    def write(self, prediction: Prediction) -> None:
        """Take one prediction, or count its rows as dropped; a sample is chosen by the request's id."""
        rows = 0
        try:
            if self._share < 2**32 and zlib.crc32(prediction.id.encode()) >= self._share:
                return
            rows = len(prediction.answers.predictions)
            with self._lock:
                if not self._closed and self._has_place(rows, prediction.bytes):
                    self._queue.append(prediction)
                    self._waiting += rows
                    self._bytes += prediction.bytes
                    return
        except Exception as error:
            self._tell("a prediction cannot be logged", error)
        self._figures.log_dropped(rows)

    def _has_place(self, rows: int, size: int) -> bool:
        return self._waiting + rows <= self._settings.queue_rows and self._bytes + size <= QUEUE_BYTES

    def close(self) -> None:
        """Bring everything that was taken to the spool and commit it, within `close_seconds` or so."""
        with self._lock:
            self._closed = True
        self._deadline = time.monotonic() + self._close_seconds
        self._stop.set()
        for thread in self._threads:
            thread.join(max(0.1, self._deadline + 1 - time.monotonic()))
        if not any(thread.is_alive() for thread in self._threads):
            self._spool.close()

    # --- from the queue to the spool --------------------------------------------------------------

    def _spool_all(self) -> None:
        while True:
            stopping = self._stop.wait(_TICK_SECONDS)
            self._spool_queue()
            try:
                if stopping or self._is_due():
                    self._spool.seal()
                    self._sealed.set()
            except Exception as error:
                self._tell("the spool of predictions cannot be sealed", error)
            if stopping:
                self._spooled.set()
                self._sealed.set()
                return

    def _is_due(self) -> bool:
        rows = self._spool.open_rows
        return rows > 0 and (
            rows >= min(self._settings.commit_rows, _SEGMENT_ROWS)
            or self._spool.open_bytes >= _SEGMENT_BYTES
            or self._spool.open_seconds >= self._settings.commit_seconds
        )

    def _spool_queue(self) -> None:
        with self._lock:
            taken, self._queue = self._queue, []
        for model, date, slices in _chunks(taken):
            rows = sum(part.stop - part.start for part in slices)
            try:
                batch = self._layout(slices[0].prediction).build(slices)
                if not self._spool.append(model, date, batch):
                    self._figures.log_dropped(rows)
                if self._is_due():
                    self._spool.seal()
                    self._sealed.set()
            except Exception as error:
                self._figures.log_dropped(rows)
                self._tell("predictions cannot be spooled", error)
            with self._lock:
                self._waiting -= rows
        with self._lock:
            self._bytes -= sum(prediction.bytes for prediction in taken)

    def _layout(self, prediction: Prediction) -> Layout:
        key, signature = (prediction.model, prediction.version), prediction.signature
        known = self._layouts.get(key)
        if known is None or not _is_same(known.signature, signature):
            known = self._layouts[key] = make_layout(signature, self._salt, self._settings.inputs)
        return known

    # --- from the spool to the lake ---------------------------------------------------------------

    def _commit_all(self) -> None:
        failed, looked = 0, 0.0
        while True:
            stopping = self._spooled.is_set()
            # While the service stops, dead writers are left to the next one.
            look = not stopping and (not looked or time.monotonic() - looked >= _LOOK_SECONDS)
            self._sealed.clear()
            if self._commit(look):
                failed = 0
                looked = time.monotonic() if look else looked
            else:
                failed += 1
            if stopping and (not failed or time.monotonic() > self._deadline):
                return
            if failed:
                pause = min(_MOST_WAIT_SECONDS, 0.5 * 2 ** min(failed, 10))
                if stopping:
                    time.sleep(min(0.5, self._close_seconds))
                else:
                    self._spooled.wait(pause)
            elif not self._spooled.is_set():
                self._sealed.wait(_LOOK_SECONDS)

    def _commit(self, look: bool) -> bool:
        """Commit what is sealed, and with `look` what dead writers left; tell whether that worked."""
        try:
            # Listed before the dead ones are dealt with, which may take long: these are not fewer then.
            rows = commit_segments(self._lake, self._spool.id, self._spool.sealed())
            if rows:
                self._figures.logged(rows)
            if look and (rows := commit_dead(self._lake, self._spool.root)):
                self._figures.logged(rows)
            self._spool.measure()
        except Exception as error:
            self._figures.log_failed()
            kind = "the lake takes no predictions" if isinstance(error, LakeError) else "a commit failed"
            self._tell(f"{kind}; they wait in {self._spool.root}", error)
            return False
        return True

    def _tell(self, what: str, error: Exception) -> None:
        """Warn once of each kind of trouble: it may come with every request."""
        kind = f"{what} {type(error).__name__}"
        if kind not in self._told:
            self._told.add(kind)
            logger.warning("%s: %s: %s", what, type(error).__name__, error)


def _is_same(left: ModelSignature, right: ModelSignature) -> bool:
    return left is right or left == right


def _chunks(taken: list[Prediction]) -> Iterator[tuple[str, str, list[Slice]]]:
    """Yield rows that go to one segment together, of one model, version and UTC day, in small parts."""
    open_parts: dict[tuple[str, int, int], list[Slice]] = {}
    counts: dict[tuple[str, int, int], int] = {}
    for prediction in taken:
        key = (prediction.model, prediction.version, int(prediction.time // 86400))
        rows, start = len(prediction.answers.predictions), 0
        while start < rows:
            stop = min(rows, start + _SLICE_ROWS - counts.get(key, 0))
            open_parts.setdefault(key, []).append(Slice(prediction, start, stop))
            counts[key] = counts.get(key, 0) + stop - start
            start = stop
            if counts[key] == _SLICE_ROWS:
                yield key[0], _date(key[2]), open_parts.pop(key)
                counts[key] = 0
    for key, slices in open_parts.items():
        yield key[0], _date(key[2]), slices


def _date(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86400))
