"""The experiment `breast_cancer` as a plain script: the same maths, checks and files, no framework.

Usage: python benchmarks/bare.py OUTPUT_FOLDER [C] [--lean]

`--lean` takes the shortcut that headrace takes: skops' own lists of trusted types, for which it imports
every module of scikit-learn and torch, are left empty. Writing does not need them.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pandera.errors import SchemaErrors
from pandera.io.pandas_io import deserialize_schema
from sklearn import metrics as score
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

SCHEMA = Path(__file__).parents[1] / "conf" / "schema" / "breast_cancer.yaml"
SEED = 42
MINIMUM = {"accuracy": 0.95, "roc_auc": 0.98}


def main(folder: Path, c: float) -> None:
    import skops.io

    folder.mkdir(parents=True, exist_ok=True)
    raw = load()
    valid, rejected, report = validate(raw)
    for name, table in {"raw": raw, "valid": valid, "rejected": rejected}.items():
        save_table(table, folder / f"{name}.parquet")
    save_json(report, folder / "validation.json")

    train, test = train_test_split(valid, test_size=0.2, random_state=SEED, stratify=valid["target"])
    train, test = train.reset_index(drop=True), test.reset_index(drop=True)
    preprocessor = make_preprocessor([name for name in train.columns if name != "target"])
    train_features = preprocessor.fit_transform(train.drop(columns="target"))
    test_features = preprocessor.transform(test.drop(columns="target"))
    tables = {
        "train": train,
        "test": test,
        "train_features": train_features,
        "train_target": train[["target"]],
        "test_features": test_features,
        "test_target": test[["target"]],
    }
    for name, table in tables.items():
        save_table(table, folder / f"{name}.parquet")
    skops.io.dump(preprocessor, folder / "preprocessor.skops")

    estimator = LogisticRegression(C=c, max_iter=1000, random_state=SEED)
    estimator.fit(train_features, train["target"].to_numpy(dtype=object).astype(str))
    skops.io.dump(estimator, folder / "estimator.skops")
    measured, predictions = evaluate(
        estimator, test_features, test["target"].to_numpy(dtype=object).astype(str)
    )
    save_json(measured, folder / "metrics.json")
    save_table(predictions, folder / "predictions.parquet")

    checks = [{"metric": name, "passed": measured[name] >= bound} for name, bound in MINIMUM.items()]
    gate = {"passed": all(check["passed"] for check in checks), "checks": checks}
    save_json(gate, folder / "gate.json")
    model = Pipeline([["preprocessor", preprocessor], ["estimator", estimator]])
    skops.io.dump(model, folder / "model.skops")
    print(measured, "published" if gate["passed"] else "rejected")


def load() -> pd.DataFrame:
    bunch = load_breast_cancer(as_frame=True)
    names = dict(enumerate(bunch.target_names.tolist()))
    frame: pd.DataFrame = bunch.frame
    return frame.assign(target=frame["target"].map(names))


def validate(raw: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return the rows that pass, those that do not, and a report."""
    schema = deserialize_schema(yaml.safe_load(SCHEMA.read_text()))
    try:
        valid, failing, failures = schema.validate(raw, lazy=True), raw.iloc[:0], []
    except SchemaErrors as errors:
        rows = sorted(set(errors.failure_cases["index"].dropna().astype(int)))
        valid, failing = raw.drop(index=rows), raw.loc[rows]
        failures = errors.failure_cases.groupby(["column", "check"]).size().reset_index().to_dict("records")
    return valid, failing, {"rows": len(raw), "rejected": len(failing), "failures": failures}


def make_preprocessor(features: list[str]) -> ColumnTransformer:
    numbers = Pipeline(
        [["impute", SimpleImputer(strategy="median", keep_empty_features=True)], ["scale", StandardScaler()]]
    )
    preprocessor = ColumnTransformer([["numbers", numbers, features]], verbose_feature_names_out=False)
    return preprocessor.set_output(transform="pandas")


def evaluate(
    estimator: LogisticRegression, features: pd.DataFrame, target: np.ndarray
) -> tuple[dict[str, float], pd.DataFrame]:
    predicted, chances = estimator.predict(features), estimator.predict_proba(features)
    classes = estimator.classes_
    measured = {
        "accuracy": score.accuracy_score(target, predicted),
        "balanced_accuracy": score.balanced_accuracy_score(target, predicted),
        "f1_macro": score.f1_score(target, predicted, average="macro"),
        "log_loss": score.log_loss(target, chances, labels=classes),
        "roc_auc": score.roc_auc_score(target == classes[1], chances[:, 1]),
    }
    table = pd.DataFrame({"target": target, "predicted": predicted})
    table = table.assign(**{f"p_{name}": chances[:, at] for at, name in enumerate(classes)})
    return {name: float(value) for name, value in measured.items()}, table


def save_table(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path, compression=None)


def save_json(value: Any, path: Path) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def skip_type_lists() -> None:
    lists = types.ModuleType("skops.io._trusted_types")
    lists.__getattr__ = lambda name: []  # type: ignore[method-assign]
    sys.modules[lists.__name__] = lists


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--lean"]
    if len(arguments) < len(sys.argv) - 1:
        skip_type_lists()
    main(Path(arguments[0]), float(arguments[1]) if len(arguments) > 1 else 1.0)
