"""A small package that is published in a lake, for tests that load, serve or deploy it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from headrace.adapters.codec_estimator import EstimatorCodec
from headrace.adapters.codec_package import PackageCodec
from headrace.core.artifact import Artifact, lake_uri
from headrace.core.digest import digest_listing
from headrace.core.package import Package
from headrace.core.ports import MAIN, LakeStore
from headrace.core.record import branch_of
from headrace.core.spec import PublishSpec
from headrace.publish import Outcome, publish_run
from headrace.stages.package import Export, make_package
from headrace.stages.preprocess import tabular

SCHEMA = {
    "columns": {
        "mass": {"dtype": "float64", "nullable": True, "in_range": {"min_value": 0, "max_value": 9000}},
        "island": {"dtype": "str", "isin": ["Biscoe", "Dream"]},
        "ring": {"dtype": "str", "metadata": {"private": "hash"}},
        "species": {"dtype": "str"},
    }
}


def rows(seed: int = 0, count: int = 60) -> pd.DataFrame:
    """Return birds of two kinds, by their mass; some have not been weighed."""
    rng = np.random.default_rng(seed)
    mass = rng.normal(4000, 500, count).round(1)
    table = pd.DataFrame({"mass": mass, "island": rng.choice(["Biscoe", "Dream"], count)})
    table["ring"] = [f"r{number}" for number in range(count)]
    table["species"] = np.where(mass > 4000, "Gentoo", "Adelie")
    table.loc[::11, "mass"] = np.nan
    return table


def make(c: float = 1.0, export: Export | None = None) -> Package:
    """Return a package; another `c` is another model."""
    table = rows()
    made = tabular(table, table, "species", ["ring"])
    fitted = LogisticRegression(C=c).fit(made["train_features"], made["train_target"])
    packed = make_package(made["preprocessor"], fitted, table, "species", ["ring"], SCHEMA, export)
    package: Package = packed["model"]
    return package


def publish(
    lake: LakeStore,
    package: Package,
    run_id: str = "r1",
    alias: str = "production",
    beside: Mapping[str, bytes] | None = None,
) -> Outcome:
    """Publish a package as the next version of the model `birds`."""
    branch, folder = branch_of(run_id), f"runs/{run_id}/package/model"
    lake.create_branch(branch, MAIN)
    with tempfile.TemporaryDirectory() as place:
        written = Path(place) / "model"
        PackageCodec(EstimatorCodec()).write(package, written)
        files = {
            f"{folder}/{file.relative_to(written).as_posix()}": file
            for file in written.rglob("*")
            if file.is_file()
        }
        stored = lake.put_many(branch, files)
    commit = lake.commit(branch, "package")
    digest = digest_listing([(info.path[len(folder) + 1 :], info.digest) for info in stored])
    artifact = Artifact(
        digest=digest,
        bytes=sum(info.bytes for info in stored),
        codec="package",
        uri=lake_uri(commit.id, folder),
    )
    spec = PublishSpec(model="birds", package="model", gate=None, alias=alias)
    return publish_run(lake, run_id, spec, artifact, {"accuracy": 1.0}, b"{}", {}, beside=beside or {})
