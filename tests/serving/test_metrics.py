"""Tests of what the service counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from headrace.serving.metrics import Metrics


def test_every_figure_is_told() -> None:
    """Each method moves a figure that `/metrics` shows with its labels."""
    metrics = Metrics()
    metrics.answered("flights", "/predict", 200, 0.004)
    metrics.batched("flights", 3, 12)
    metrics.waiting("flights", 2)
    metrics.rejected("bad_rows")
    metrics.serves("flights", "canary", 4)
    metrics.swapped("flights", 5)
    metrics.swap_failed("flights")
    metrics.drift("flights", "distance", 0.25)
    metrics.canary_answered("flights", failed=True)
    metrics.shadow_compared("flights", 10, 3)
    metrics.shadow_dropped("flights", 7)
    metrics.shadow_failed("flights", 1)
    metrics.logged(5)
    metrics.log_dropped(6)
    metrics.log_failed()
    text = metrics.text().decode()
    for line in (
        'headrace_request_seconds_bucket{le="0.005",model="flights",route="/predict"} 1.0',
        'headrace_answers_total{model="flights",route="/predict",status="200"} 1.0',
        'headrace_batch_rows_sum{model="flights"} 12.0',
        'headrace_waiting_requests{model="flights"} 2.0',
        'headrace_rejections_total{reason="bad_rows"} 1.0',
        'headrace_model_version{model="flights",role="stable"} 5.0',
        'headrace_model_version{model="flights",role="canary"} 4.0',
        'headrace_swaps_total{model="flights"} 1.0',
        'headrace_failed_swaps_total{model="flights"} 1.0',
        'headrace_feature_drift{feature="distance",model="flights"} 0.25',
        'headrace_canary_requests_total{model="flights",outcome="failed"} 1.0',
        'headrace_shadow_rows_total{model="flights",outcome="different"} 3.0',
        'headrace_shadow_rows_total{model="flights",outcome="same"} 7.0',
        'headrace_prediction_log_rows_total{outcome="committed"} 5.0',
        'headrace_prediction_log_rows_total{outcome="dropped"} 6.0',
        "headrace_prediction_log_failures_total 1.0",
    ):
        assert line in text
    metrics.canary_returned("flights")
    assert 'headrace_model_version{model="flights",role="canary"} 0.0' in metrics.text().decode()


def test_workers_are_counted_together(tmp_path: Path) -> None:
    """With a folder for it, one worker's `/metrics` tells the sum over all workers."""
    count = "from headrace.serving.metrics import Metrics; m = Metrics(); m.answered('m', '/p', 200, 0.1);"
    env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", count], env=env, check=True)
    shown = f"{count} print(m.text().decode())"
    text = subprocess.run(
        [sys.executable, "-c", shown], env=env, check=True, capture_output=True, text=True
    ).stdout
    assert 'headrace_answers_total{model="m",route="/p",status="200"} 2.0' in text
