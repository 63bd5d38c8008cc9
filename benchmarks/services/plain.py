"""A plain FastAPI app, as one writes it in ten lines: no check of columns, no batches, no log.

BENCH_MODEL=model.joblib python -m uvicorn plain:app --app-dir benchmarks/services
"""

from __future__ import annotations

import os
from typing import Any

import joblib
import pandas as pd
from fastapi import Body, FastAPI

app = FastAPI()
model = joblib.load(os.environ["BENCH_MODEL"])


@app.get("/ready")
async def ready() -> bool:
    return True


@app.post("/predict")
async def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's own way
    return {"predictions": model.predict(pd.DataFrame(body["records"])).tolist()}
