"""Load the model behind an alias and predict with raw rows: python load_model.py penguins rows.csv."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.assemble import codecs
from headrace.core.artifact import Artifact
from headrace.execute import load_artifact
from headrace.publish import read_registry

name, rows = sys.argv[1:]
lake = EmbeddedLake(Path(".headrace/lake"))
registry = read_registry(lake, "main", name)
version = registry["aliases"]["production"]
found = next(entry for entry in registry["versions"] if entry["version"] == version)
with TemporaryDirectory() as folder:
    model = load_artifact(lake, codecs(), Artifact.from_json(found), "", Path(folder))
print(f"{name} version {version}:", *model.predict(pd.read_csv(rows)))
