"""A plain FastAPI app, as one writes it in ten lines: no validation of columns, no batches, no log."""

from __future__ import annotations

import os
from typing import Any

import joblib
import pandas as pd
from fastapi import Body, FastAPI

app = FastAPI()
model = joblib.load(os.environ["BENCH_MODEL"])


@app.post("/predict")
async def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's own way
    return {"predictions": model.predict(pd.DataFrame(body["records"])).tolist()}
