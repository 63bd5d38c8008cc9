"""Tests of the prediction routes in JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.serving.conftest import Service
from tests.serving.small_model import FITTED, ROW, SIGNATURE, SmallModel, serve_small


def test_records_are_answered(service: Service) -> None:
    """Records get one prediction each, with the model's name and version."""
    rows = [ROW, {**ROW, "length": -9.0, "age": 0}]
    answer = service.ask("POST", "/predict", json={"records": rows})
    assert answer.status_code == 200
    expected = FITTED.predict(pd.DataFrame(rows)).tolist()
    assert answer.json() == {"model": "flights", "version": 3, "predictions": expected}
    assert answer.headers["x-model-version"] == "3"


def test_columns_are_answered_with_probabilities(service: Service) -> None:
    """Columns are answered too, and probabilities come in the order of the classes."""
    columns = {"length": [1.5], "age": [3], "colour": ["red"]}
    body = {"columns": columns, "probabilities": True}
    answer = service.ask("POST", "/models/flights/predict", json=body).json()
    assert answer["classes"] == ["no", "yes"]
    assert np.array_equal(answer["probabilities"], FITTED.predict_proba(pd.DataFrame(columns)))


def test_everybody_is_told_of_an_answer(service: Service) -> None:
    """Canary, shadow, prediction log, metrics and request log each hear of a request, by its id."""
    headers = {"x-request-id": "mine-1", "x-routing-key": "user-7"}
    answer = service.ask("POST", "/predict", json={"records": [ROW]}, headers=headers)
    assert answer.headers["x-request-id"] == "mine-1"
    assert service.first.keys == ["user-7"]
    assert service.first.observed == [False]
    assert service.first.shadowed == ["mine-1"]
    (kept,) = service.log.written
    assert (kept.id, kept.model, kept.version, kept.role) == ("mine-1", "flights", 3, "stable")
    assert kept.columns == {name: [value] for name, value in ROW.items()}
    line = json.loads(service.lines.getvalue())
    assert line["request_id"] == "mine-1"
    assert (line["status"], line["model"], line["version"], line["rows"]) == (200, "flights", 3, 1)
    counted = 'headrace_answers_total{model="flights",route="/predict",status="200"} 1.0'
    assert counted in service.metrics.text().decode()


def test_bad_rows_are_told_one_by_one(service: Service) -> None:
    """A row that breaks the schema gets 422 with row, column, what was found and what is wanted."""
    answer = service.ask("POST", "/predict", json={"records": [ROW, {**ROW, "length": "long"}]})
    assert answer.status_code == 422
    told = answer.json()
    assert told["total"] == 1
    wanted = "a number from -1000000.0 to 1000000.0"
    assert told["problems"] == [{"row": 1, "column": "length", "found": "'long'", "wanted": wanted}]
    assert service.model.calls == []
    assert 'headrace_rejections_total{reason="bad_rows"} 1.0' in service.metrics.text().decode()


def test_a_model_that_raises_is_a_500_without_its_secrets(service: Service) -> None:
    """The client of a failed model gets 500 and the request's id; the traceback is in the log only."""
    service.model.fails_on = 1.5
    answer = service.ask("POST", "/predict", json={"records": [ROW]})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "ZeroDivisionError: a secret of the model" in json.loads(service.lines.getvalue())["trouble"]
    assert service.first.observed == [True]
    assert service.log.written == []


def test_where_a_canary_fails_the_stable_version_answers(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client gets its answer, with the version that gave it, and the canary's failure is counted."""
    broken = SmallModel(version=4)
    broken.fails_on = ROW["length"]
    canary = replace(serve_small(broken, service.metrics, 256).stable, role="canary")
    monkeypatch.setattr(service.first, "choose", lambda key: canary)
    answer = service.ask("POST", "/predict", json={"records": [ROW]})
    assert (answer.status_code, answer.json()["version"]) == (200, 3)
    assert answer.headers["x-model-version"] == "3"
    assert service.first.observed == [True, False]
    (kept,) = service.log.written
    assert (kept.version, kept.role) == (3, "stable")


def test_rows_that_only_a_canary_refuses_are_answered_by_the_stable_version(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as a failure of the canary; what the stable version refuses too is the client's."""
    narrow = SmallModel(version=4)
    columns = tuple(
        replace(one, checks={"isin": ["green"]}) if one.name == "colour" else one for one in SIGNATURE.inputs
    )
    narrow.signature = replace(SIGNATURE, inputs=columns)
    canary = replace(serve_small(narrow, service.metrics, 256).stable, role="canary")
    monkeypatch.setattr(service.first, "choose", lambda key: canary)
    answer = service.ask("POST", "/predict", json={"records": [ROW]})
    assert (answer.status_code, answer.json()["version"]) == (200, 3)
    assert service.first.observed == [True, False]
    refused = service.ask("POST", "/predict", json={"records": [{**ROW, "colour": "blue"}]})
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["wanted"] == "one of red, green"
    assert service.first.observed == [True, False]


def test_looks_at_health_and_figures_are_in_no_log(service: Service) -> None:
    """Who watches asks every few seconds; only what goes wrong is told."""
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert service.ask("GET", path).status_code == 200
    service.host.ready = False
    assert service.ask("GET", "/health/ready").status_code == 503
    (line,) = service.lines.getvalue().splitlines()
    assert json.loads(line)["status"] == 503


def test_a_parameter_that_means_nothing_is_refused(service: Service) -> None:
    """A misspelt one would be passed over in silence; the answer names the one that there is."""
    answer = service.ask("POST", "/predict?probabilites=true", json={"records": [ROW]})
    assert answer.status_code == 422
    assert answer.json()["error"] == "there is no parameter 'probabilites'; there is: probabilities"
