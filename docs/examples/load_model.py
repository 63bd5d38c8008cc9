"""Load the model behind an alias and predict with raw rows: python load_model.py penguins rows.csv.

Words after the file choose a lake other than the project's: lake=lakefs lake.repository=demo.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from headrace.assemble import codecs
from headrace.core.artifact import Artifact
from headrace.entry import run
from headrace.execute import load_artifact
from headrace.project import open_lake
from headrace.registry import find_aliased, read_registry

ALIAS = "production"


def predict(name: str, rows: str, *overrides: str) -> None:
    lake = open_lake(overrides)
    version = find_aliased(read_registry(lake, "main", name), ALIAS)
    with TemporaryDirectory() as folder:
        model = load_artifact(lake, codecs(), Artifact.from_json(version), "", Path(folder))
    print(f"{name} version {version['version']} ({ALIAS}):", *model.predict(pd.read_csv(rows)))


run(lambda: predict(*sys.argv[1:]))
