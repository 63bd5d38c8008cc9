"""What the service counts, for Prometheus: requests, batches, versions, drift, what was refused or lost."""

from __future__ import annotations

import os
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from headrace.serving.roles import Role

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65536)

Reason = Literal[
    "bad_rows",
    "bad_request",
    "too_large",
    "media_type",
    "overloaded",
    "not_ready",
    "token",
    "no_model",
    "slow_body",
]


class Metrics:
    """The figures of one process, or of all workers together where `PROMETHEUS_MULTIPROC_DIR` is set.

    That variable must be set, to a folder that is empty when the service starts, before anything imports
    `prometheus_client`: the library decides then. Every method is cheap and safe from any thread.
    Labels are names of models, routes, roles and features, never what a client sent.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._children: dict[tuple[Any, ...], Any] = {}
        self._count_requests()
        self._count_versions()
        self._count_log()

    def _count_requests(self) -> None:
        self._seconds = self._histogram("request_seconds", "Time to answer", ("model", "route"), SECONDS)
        self._answers = self._counter("answers", "Requests by status", ("model", "route", "status"))
        self._batch_rows = self._histogram("batch_rows", "Rows of one call of the model", ("model",), SIZES)
        self._batch_requests = self._histogram("batch_requests", "Requests of one call", ("model",), SIZES)
        self._waiting = self._gauge(
            "waiting_requests", "Requests that wait for the model", ("model",), "livesum"
        )
        self._rejections = self._counter("rejections", "Requests refused, by reason", ("reason",))

    def _count_versions(self) -> None:
        labels = ("model", "role")
        self._version = self._gauge(
            "model_version", "Version in this role, 0 for none", labels, "livemostrecent"
        )
        self._follows = self._gauge("follows_lake", "1 where the last look went well", (), "livemin")
        self._swaps = self._counter("swaps", "New versions taken into service", ("model",))
        self._failed_swaps = self._counter("failed_swaps", "New versions that failed their check", ("model",))
        self._drift = self._gauge(
            "feature_drift", "Distance from training", ("model", "feature"), "livemostrecent"
        )
        self._canary = self._counter("canary_requests", "Requests of the canary", ("model", "outcome"))
        self._canary_returns = self._counter("canary_returns", "Canaries sent away for errors", ("model",))
        self._shadow_rows = self._counter(
            "shadow_rows", "Rows that the shadow answered", ("model", "outcome")
        )

    def _count_log(self) -> None:
        self._log_rows = self._counter("prediction_log_rows", "Rows of the prediction log", ("outcome",))
        self._log_failures = self._counter("prediction_log_failures", "Commits of the log that failed", ())

    # --- requests ---------------------------------------------------------------------------------

    def answered(self, model: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `model` is "" where none was named, `route` the path as a pattern."""
        self._child(self._seconds, model, route).observe(seconds)
        self._child(self._answers, model, route, str(status)).inc()

    def batched(self, model: str, requests: int, rows: int) -> None:
        """Count one call of a model for several requests."""
        self._child(self._batch_requests, model).observe(requests)
        self._child(self._batch_rows, model).observe(rows)

    def waiting(self, model: str, requests: int) -> None:
        self._child(self._waiting, model).set(requests)

    def rejected(self, reason: Reason) -> None:
        self._child(self._rejections, reason).inc()

    # --- versions ---------------------------------------------------------------------------------

    def serves(self, model: str, role: Role, version: int) -> None:
        """Tell which version has a role now; 0 where none has."""
        self._child(self._version, model, role).set(version)

    def swapped(self, model: str, version: int) -> None:
        """Count a new stable version."""
        self._child(self._swaps, model).inc()
        self.serves(model, "stable", version)

    def swap_failed(self, model: str) -> None:
        self._child(self._failed_swaps, model).inc()

    def follows_lake(self, follows: bool) -> None:
        """Tell whether the last look for new versions went well."""
        self._follows.set(int(follows))

    def drift(self, model: str, feature: str, value: float) -> None:
        self._child(self._drift, model, feature).set(value)

    def canary_answered(self, model: str, failed: bool) -> None:
        self._child(self._canary, model, "failed" if failed else "answered").inc()

    def canary_returned(self, model: str) -> None:
        """Count a canary that erred too often, and is gone."""
        self._child(self._canary_returns, model).inc()
        self.serves(model, "canary", 0)

    def shadow_compared(self, model: str, rows: int, different: int) -> None:
        self._child(self._shadow_rows, model, "same").inc(rows - different)
        self._child(self._shadow_rows, model, "different").inc(different)

    def shadow_dropped(self, model: str, rows: int) -> None:
        """Count rows that the shadow had no time for."""
        self._child(self._shadow_rows, model, "dropped").inc(rows)

    def shadow_failed(self, model: str, rows: int) -> None:
        self._child(self._shadow_rows, model, "failed").inc(rows)

    # --- prediction log ---------------------------------------------------------------------------

    def logged(self, rows: int) -> None:
        """Count rows that are in a commit."""
        self._child(self._log_rows, "committed").inc(rows)

    def log_dropped(self, rows: int) -> None:
        """Count rows that found no place in the queue."""
        self._child(self._log_rows, "dropped").inc(rows)

    def log_failed(self) -> None:
        """Count a commit that did not come about, and is tried again."""
        self._log_failures.inc()

    # --- reading ----------------------------------------------------------------------------------

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        folder = os.environ.get(MULTIPROCESS_DIR)
        if not folder:
            return bytes(generate_latest(self.registry))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(registry))

    @staticmethod
    def forget_process(pid: int) -> None:
        """Leave the gauges of a worker out that has ended; its counters stay."""
        if os.environ.get(MULTIPROCESS_DIR):
            mark_process_dead(pid)  # type: ignore[no-untyped-call]

    def _child(self, metric: Any, *labels: str) -> Any:
        # `metric.labels()` takes a lock and checks its arguments each time: half of the cost of a count.
        key = (metric, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def _counter(self, name: str, told: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"headrace_{name}", told, labels, registry=self.registry)

    def _gauge(self, name: str, told: str, labels: tuple[str, ...], together: Any) -> Gauge:
        return Gauge(f"headrace_{name}", told, labels, registry=self.registry, multiprocess_mode=together)

    def _histogram(
        self, name: str, told: str, labels: tuple[str, ...], buckets: tuple[float, ...]
    ) -> Histogram:
        return Histogram(f"headrace_{name}", told, labels, registry=self.registry, buckets=buckets)
