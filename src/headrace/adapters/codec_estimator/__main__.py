"""Read a stored estimator and answer a Parquet file of raw rows, as a process of its own.

    python -m headrace.adapters.codec_estimator MODEL ROWS

Prints `loaded` once the estimator is read, and then its predictions as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from headrace.adapters.codec_estimator import EstimatorCodec


def main(model: str, rows: str) -> None:
    """Answer the rows."""
    import pandas as pd

    estimator = EstimatorCodec().read(Path(model), "")
    sys.stdout.write("loaded\n")
    answers = estimator.predict(pd.read_parquet(rows))
    sys.stdout.write(json.dumps(answers.tolist()) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
