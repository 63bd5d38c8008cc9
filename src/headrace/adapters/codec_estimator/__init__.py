"""Estimators: scikit-learn as skops, torch as safetensors, pipelines of both step by step."""

from __future__ import annotations

from headrace.adapters.codec_estimator.codec import EstimatorCodec

__all__ = ["EstimatorCodec"]
