"""Load the model behind an alias and predict with raw rows: python load_model.py penguins rows.csv.

Words after the file choose a lake other than the project's: lake=lakefs lake.repository=demo.
"""

from __future__ import annotations

import sys

import pandas as pd

import headrace
from headrace.entry import run

ALIAS = "production"


def predict(name: str, rows: str, *overrides: str) -> None:
    model = headrace.load_model(f"{name}@{ALIAS}", overrides=overrides)
    print(f"{name} version {model.version} ({ALIAS}):", *model.predict(pd.read_csv(rows)))


run(lambda: predict(*sys.argv[1:]))
