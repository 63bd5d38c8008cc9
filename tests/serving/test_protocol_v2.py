"""Tests of the Open Inference Protocol, with a public client of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tritonclient.http as triton
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tritonclient.utils import InferenceServerException

from headrace.core.model_signature import InputColumn, ModelSignature
from tests.serving.conftest import Service, listening
from tests.serving.small_model import FITTED, SmallModel

ROWS = pd.DataFrame({"length": [1.5, -9.0, 4.0], "age": [3, 0, 8], "colour": ["red", "green", "red"]})
TYPES = {"length": "FP64", "age": "INT64", "colour": "BYTES"}


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Any]:
    with listening(service.app) as port:
        client = triton.InferenceServerClient(f"127.0.0.1:{port}")
        yield client
        client.close()


def inputs(binary: bool, width: int | None = None) -> list[Any]:
    made = []
    for name, datatype in TYPES.items():
        values = ROWS[name].to_numpy(dtype=object if datatype == "BYTES" else None)
        values = values if width is None else values.reshape(-1, width)
        one = triton.InferInput(name, list(values.shape), datatype)
        one.set_data_from_numpy(values, binary_data=binary)
        made.append(one)
    return made


def outputs(binary: bool) -> list[Any]:
    return [
        triton.InferRequestedOutput(name, binary_data=binary) for name in ("predictions", "probabilities")
    ]


def test_the_client_sees_server_and_model(client: Any) -> None:
    """The client's questions of health and metadata are answered."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("flights")
    assert client.is_model_ready("flights", "3")
    assert not client.is_model_ready("flights", "4")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "headrace"
    told = client.get_model_metadata("flights")
    assert told["versions"] == ["3"]
    assert {one["name"]: one["datatype"] for one in told["inputs"]} == TYPES
    assert [(one["name"], one["datatype"]) for one in told["outputs"]] == [
        ("predictions", "BYTES"),
        ("probabilities", "FP64"),
    ]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("width", [None, 1])
def test_tensors_are_answered(client: Any, binary: bool, width: int | None) -> None:
    """One tensor a column, of shape [n] or [n, 1], in JSON or as bytes, gives the model's answers."""
    found = client.infer("flights", inputs(binary, width), outputs=outputs(binary), request_id="mine")
    predictions = found.as_numpy("predictions").tolist()
    texts = [one.decode() if isinstance(one, bytes) else one for one in predictions]
    assert texts == FITTED.predict(ROWS).tolist()
    assert np.array_equal(found.as_numpy("probabilities"), FITTED.predict_proba(ROWS))
    answer = found.get_response()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("flights", "3", "mine")


def test_a_version_may_be_named(client: Any) -> None:
    """A request for the version that answers is answered, one for another gets 404."""
    assert client.infer("flights", inputs(True), model_version="3").as_numpy("predictions").shape == (3,)
    with pytest.raises(InferenceServerException, match="no version '9'"):
        client.infer("flights", inputs(True), model_version="9")


def test_bad_rows_name_row_and_column(client: Any) -> None:
    """A value that the schema does not allow is told as of every other route."""
    made = inputs(False)
    made[2].set_data_from_numpy(np.array(["red", "blue", "red"], dtype=object), binary_data=False)
    with pytest.raises(InferenceServerException, match="row 1, column colour"):
        client.infer("flights", made)


def test_all_columns_may_be_one_tensor() -> None:
    """A model of numbers takes one tensor [rows, columns], whatever it is called."""
    names = ("a", "b")
    rows = pd.DataFrame({"a": [1.0, -1.0, 2.0, -2.0], "b": [0.5, 0.25, 1.0, 0.0]})
    estimator = make_pipeline(LogisticRegression()).fit(rows, rows["a"] > 0)
    model = SmallModel(estimator=estimator)
    columns = tuple(InputColumn(name=name, dtype="float64") for name in names)
    model.signature = ModelSignature(
        inputs=columns, task="classification", dtype="bool", classes=(False, True)
    )
    service = Service(model)
    values = rows.to_numpy()
    for data in (values.tolist(), values.ravel().tolist()):
        tensor = {"name": "input", "shape": [4, 2], "datatype": "FP32", "data": data}
        answer = service.ask("POST", "/v2/models/flights/infer", json={"inputs": [tensor]})
        assert answer.json()["outputs"] == [
            {"name": "predictions", "datatype": "BOOL", "shape": [4], "data": [True, False, True, False]}
        ]
    tensor = {"name": "input", "shape": [2, 4], "datatype": "FP32", "data": [0.0] * 8}
    answer = service.ask("POST", "/v2/models/flights/infer", json={"inputs": [tensor]})
    assert (answer.status_code, "shape [rows, 2]" in answer.json()["error"]) == (400, True)


GOOD = {"name": "age", "shape": [1], "datatype": "INT64", "data": [3]}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "inputs"),
        ({"inputs": []}, "at least one tensor"),
        ({"inputs": [1]}, "must be an object"),
        ({"inputs": [{**GOOD, "datatype": "FP8"}]}, "datatype must be one of"),
        ({"inputs": [{**GOOD, "shape": [-1]}]}, "shape"),
        ({"inputs": [{**GOOD, "shape": [1, 1, 1]}]}, "shape"),
        ({"inputs": [{**GOOD, "shape": [True]}]}, "shape"),
        ({"inputs": [{**GOOD, "shape": [2]}]}, "has 2 values, and the data 1"),
        ({"inputs": [{**GOOD, "data": [1.5]}]}, "is no INT64"),
        ({"inputs": [{**GOOD, "data": [True]}]}, "is no INT64"),
        ({"inputs": [{**GOOD, "data": [10**30]}]}, "too large"),
        ({"inputs": [{**GOOD, "data": [[[3]]]}]}, "is no INT64"),
        ({"inputs": [GOOD, GOOD]}, "twice"),
        ({"inputs": [GOOD, {**GOOD, "name": "length", "shape": [2], "data": [1, 2]}]}, "differ in rows"),
        ({"inputs": [{**GOOD, "parameters": {"binary_data_size": 9}}]}, "more than the body has"),
        ({"inputs": [GOOD], "outputs": [{"name": "nothing"}]}, "outputs must be among"),
    ],
)
def test_what_is_no_request_is_told(said: Any, told: str) -> None:
    """A request that breaks the protocol gets 400 and its error form."""
    answer = Service().ask("POST", "/v2/models/flights/infer", json=said)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert told in answer.json()["error"]


@pytest.mark.parametrize("length", ["-1", "99", "1" * 5000, "0" * 5000, "two", ""])
def test_a_header_length_that_lies_is_told(length: str) -> None:
    """The length of the JSON before binary tensors is checked before it is believed."""
    headers = {"inference-header-content-length": length}
    answer = Service().ask("POST", "/v2/models/flights/infer", content=b"{}", headers=headers)
    assert (answer.status_code, "Inference-Header-Content-Length" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    ("datatype", "data", "told"),
    [
        ("FP64", b"1234567", "whole number of FP64"),
        ("BYTES", b"\xff\xff\xff\xff", "longer than its bytes"),
        ("BYTES", b"\x01\x00", "no texts"),
        ("BYTES", b"\x01\x00\x00\x00\xff", "no texts"),
    ],
)
def test_bytes_that_are_no_tensor_are_told(datatype: str, data: bytes, told: str) -> None:
    """Bytes that do not hold what the request says get 400."""
    size = {"binary_data_size": len(data)}
    shape = [0] if datatype == "FP64" else [1]
    tensor = {"name": "length", "shape": shape, "datatype": datatype, "parameters": size}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    answer = Service().ask("POST", "/v2/models/flights/infer", content=head + data, headers=headers)
    assert (answer.status_code, told in answer.json()["error"]) == (400, True)
