"""Training, batch and online give equal answers, whatever the model: every file in conf/model/ is tried."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from sklearn.datasets import load_digits

from flows.predict import run_predict
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.config.build import build_node
from headrace.loaded import load_version
from headrace.served import Service
from headrace.serving.settings import LogSettings, ServeSettings
from headrace.stages import preprocess
from headrace.stages.package import make_package
from headrace.stages.train import fit
from tests.packages import publish
from tests.stages.test_train import Quiet

ROOT = Path(__file__).parents[1]
MODELS = sorted(path.stem for path in (ROOT / "conf" / "model").glob("*.yaml"))
ROWS = 1000
TORCH = ("mlp", "cnn")
QUICK = {"mlp": {"max_epochs": 2}, "cnn": {"max_epochs": 2}, "random_forest": {"n_estimators": 20}}


class Trained(NamedTuple):
    """What training said of its test rows, and the package that it made."""

    table: pd.DataFrame
    predictions: np.ndarray
    probabilities: np.ndarray | None
    package: Any


def birds() -> pd.DataFrame:
    """Return rows with missing numbers, whole numbers, categories and truth values."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"mass": rng.normal(4000, 700, ROWS), "year": rng.integers(2000, 2010, ROWS)})
    table["island"] = pd.Series(rng.choice(["Biscoe", "Dream", "Torgersen"], ROWS), dtype="str")
    table["ringed"] = rng.random(ROWS) < 0.5
    table["wing"] = table["mass"] / 20 + rng.normal(0, 5, ROWS)
    table.loc[::9, "mass"] = np.nan
    table.loc[::13, "island"] = None
    table["species"] = np.where(
        table["wing"] > 205, "Gentoo", np.where(table["ringed"], "Adelie", "Chinstrap")
    )
    return table


def digits() -> pd.DataFrame:
    found = load_digits(as_frame=True)
    table: pd.DataFrame = found.frame.iloc[:ROWS]
    return table


def train(name: str, folder: Path) -> Trained:
    node = yaml.safe_load((ROOT / "conf" / "model" / f"{name}.yaml").read_text()) | QUICK.get(name, {})
    if name == "cnn":
        table, target = digits(), "target"
        made = preprocess.select(table, table, target)
    else:
        table, target = birds(), "wing" if name == "ridge" else "species"
        trees = {"encode": "ordinal", "impute": False, "scale": False}
        made = preprocess.tabular(table, table, target, **(trees if "boosting" in name else {}))
    fitted = fit(made["train_features"], made["train_target"], build_node(node), Quiet(folder))["estimator"]
    features = made["test_features"]
    chances = fitted.predict_proba(features) if hasattr(fitted, "predict_proba") else None
    package = make_package(made["preprocessor"], fitted, table, target)["model"]
    return Trained(table.drop(columns=target), fitted.predict(features), chances, package)


async def ask_online(settings: ServeSettings, trained: Trained) -> dict[str, Any]:
    """Ask a whole service in JSON by record and by column, and in Arrow."""
    service = Service(settings, None)
    await service.start()
    plain = trained.table.astype(object).where(trained.table.notna(), None)
    bodies = {
        "records": {"records": plain.to_dict("records")},
        "columns": {"columns": plain.to_dict("list")},
    }
    probabilities = {"probabilities": "true"} if trained.probabilities is not None else {}
    found = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service), base_url="http://x") as client:
        for name, body in bodies.items():
            answer = await client.post(
                "/predict", content=json.dumps(body), headers=JSON, params=probabilities
            )
            found[name] = answer.raise_for_status().json()
        sink = pa.BufferOutputStream()
        arrow = pa.Table.from_pandas(trained.table, preserve_index=False)
        with pa.ipc.new_stream(sink, arrow.schema) as writer:
            writer.write_table(arrow)
        media = {"content-type": "application/vnd.apache.arrow.stream", "accept": "application/json"}
        answer = await client.post(
            "/predict", content=sink.getvalue().to_pybytes(), headers=media, params=probabilities
        )
        found["arrow"] = answer.raise_for_status().json()
    await service.stop()
    return found


def ask_in_batch(trained: Trained, folder: Path) -> pd.DataFrame:
    """Score the table as a file, in several partitions."""
    trained.table.to_parquet(folder / "rows.parquet")
    words = ["model=birds", "input=rows.parquet", "output=scored.parquet", "partition_rows=300"]
    words += ["runtime=inline", *(["probabilities=true"] if trained.probabilities is not None else [])]
    assert run_predict(words) == 0
    return pd.read_parquet(folder / "scored.parquet")


JSON = {"content-type": "application/json"}


def same(found: Any, wanted: np.ndarray, tolerance: float) -> None:
    if wanted.dtype.kind == "f":
        np.testing.assert_allclose(np.asarray(found, dtype=float), wanted, rtol=0, atol=tolerance)
    else:
        assert list(found) == wanted.tolist()


@pytest.mark.parametrize("name", MODELS)
def test_training_batch_and_online_give_equal_answers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a thousand rows: 1e-9 for scikit-learn, 1e-6 for torch; labels are equal."""
    if name in TORCH:
        pytest.importorskip("torch", reason="the extra torch is not installed")
    tolerance = 1e-6 if name in TORCH else 1e-9
    trained = train(name, tmp_path)
    monkeypatch.chdir(tmp_path)
    place = tmp_path / ".headrace" / "lake"
    lake = EmbeddedLake(place)
    publish(lake, trained.package)
    settings = ServeSettings(
        models=("birds@production",),
        log=LogSettings(on=False),
        lake={"_target_": "headrace.adapters.lake_embedded.EmbeddedLake", "root": str(place)},
        headrace_dir=str(tmp_path / ".headrace"),
    )
    model = load_version(lake, "birds", alias="production")
    same(model.predict(trained.table), trained.predictions, tolerance)
    scored = ask_in_batch(trained, tmp_path)
    same(scored["prediction"].to_numpy(), trained.predictions, tolerance)
    if trained.probabilities is not None:
        named = [f"probability_{one}" for one in trained.package.signature.classes]
        same(scored[named].to_numpy(), trained.probabilities, tolerance)
    for answer in asyncio.run(ask_online(settings, trained)).values():
        same(answer["predictions"], trained.predictions, tolerance)
        if trained.probabilities is not None:
            same(np.array(answer["probabilities"]), trained.probabilities, tolerance)
