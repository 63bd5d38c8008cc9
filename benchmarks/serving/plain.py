"""A plain FastAPI app, as one writes it in ten lines: no check of columns, no batches, no log."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd
from fastapi import Body, FastAPI

from headrace import load_model

app = FastAPI()
estimator = load_model(os.environ["BENCH_MODEL"]).estimator


@app.post("/predict")
async def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's own way
    return {"predictions": estimator.predict(pd.DataFrame(body["records"])).tolist()}
