"""The service as OpenAPI 3.1: each model with its own path, its real schema and an example that works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace import __version__
from headrace.serving.arrow import MEDIA_TYPE
from headrace.serving.models_page import example_of
from headrace.serving.roles import Hosted
from headrace.serving.settings import ServeSettings
from headrace.serving.tensors import OUTPUTS, TYPES

Node = dict[str, Any]
_PROBLEM = {
    "type": "object",
    "properties": {
        "row": {"type": ["integer", "null"]},
        "column": {"type": ["string", "null"]},
        "found": {"type": "string"},
        "wanted": {"type": "string"},
    },
    "required": ["row", "column", "found", "wanted"],
}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "problems": {"type": "array", "items": _PROBLEM},
        "total": {"type": "integer"},
        "request_id": {"type": "string"},
    },
    "required": ["error"],
}
_REFUSALS = {
    "400": "No request of this protocol.",
    "401": "The bearer token lacks or is another one.",
    "404": "No such model or version; the answer names the nearest.",
    "408": "The body took too long to arrive.",
    "413": "More bytes or rows than one request may have.",
    "415": "A body of a type, or an encoding, that is not read.",
    "422": "Rows that do not meet the schema: which row and column, what was found and what is wanted.",
    "429": "As much waits as may wait; try again after Retry-After seconds.",
    "500": "The model failed on these rows.",
    "503": "Not ready yet.",
}
_POSTED = ("408", "413", "415", "422", "429", "500", "503")
_OK = {"type": "object"}


def describe_service(models: Mapping[str, Hosted], settings: ServeSettings) -> Node:
    """Return the document of the service as it is now; a new version may change it."""
    paths: Node = {}
    for at, (name, hosted) in enumerate(models.items()):
        post = _predict(hosted)
        if at == 0:
            paths["/predict"] = {"post": post | {"operationId": "predict"}}
        paths[f"/models/{name}/predict"] = {"post": post | {"operationId": f"predict_{name}"}}
        paths[f"/models/{name}"] = _get(
            f"What {name} takes and gives, with an example and its card", ("503",)
        )
        paths[f"/models/{name}/example"] = _get(f"A request to {name} that may be sent as it is", ("503",))
        paths |= _protocol_paths(name)
    paths["/models"] = _get("Every model of the service", ())
    paths["/v2"] = _get("The server, in the Open Inference Protocol", ())
    for root in ("/health", "/v2/health"):
        paths[f"{root}/live"] = _get("Whether the process answers", ())
        paths[f"{root}/ready"] = _get("Whether models are loaded", ("503",))
    paths["/metrics"] = _get("Figures for Prometheus", ())
    paths["/metrics"]["get"]["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    if settings.token:
        _want_token(paths)
    told = "Predictions of published models. Each answer has the headers x-request-id and x-model-version."
    components: Node = {"schemas": {"Error": _ERROR}}
    if settings.token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    info = {"title": "headrace", "version": __version__, "description": told}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}


def _predict(hosted: Hosted) -> Node:
    serving = hosted.stable
    predictor = serving.predictor
    binary = {"type": "string", "format": "binary"}
    schema = {key: value for key, value in serving.schema.json_schema().items() if key != "$schema"}
    body = {"schema": schema, "example": example_of(predictor)}
    answer = {"schema": _answer(hosted)}
    return {
        "summary": f"Predict rows with {hosted.name}",
        "description": f"Version {predictor.version}, {predictor.signature.task}. JSON, or an Arrow stream.",
        "parameters": [
            {
                "name": "probabilities",
                "in": "query",
                "required": False,
                "description": "Give probabilities too, or not, whatever the body says.",
                "schema": {"type": "boolean"} if predictor.signature.probabilities else {"const": False},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": body, MEDIA_TYPE: {"schema": binary}},
        },
        "responses": {
            "200": {
                "description": "One prediction for each row, in order.",
                "content": {"application/json": answer, MEDIA_TYPE: {"schema": binary}},
            },
            **_refusals(_POSTED),
        },
    }


def _answer(hosted: Hosted) -> Node:
    signature = hosted.stable.predictor.signature
    value: Node = {"type": ["number", "null"]} if signature.task == "regression" else {}
    properties: Node = {
        "model": {"const": hosted.name},
        "version": {"type": "integer"},
        "predictions": {"type": "array", "items": value},
    }
    if signature.probabilities:
        row = {"type": "array", "items": {"type": "number"}, "minItems": len(signature.classes)}
        properties["probabilities"] = {"type": "array", "items": row}
        properties["classes"] = {"const": list(signature.classes)}
    return {"type": "object", "properties": properties, "required": ["model", "version", "predictions"]}


def _protocol_paths(name: str) -> Node:
    root = f"/v2/models/{name}"
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "datatype": {"enum": list(TYPES)},
            "shape": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0},
                "minItems": 1,
                "maxItems": 2,
            },
            "data": {"type": "array"},
        },
        "required": ["name", "datatype", "shape"],
    }
    output = {"type": "object", "properties": {"name": {"enum": list(OUTPUTS)}}, "required": ["name"]}
    request = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "items": tensor, "minItems": 1},
            "outputs": {"type": "array", "items": output},
        },
        "required": ["inputs"],
    }
    outputs = {"type": "array", "items": tensor}
    answer = {"type": "object", "properties": {"outputs": outputs}, "required": ["model_name", "outputs"]}
    infer = {
        "summary": f"Predict tensors with {name} (Open Inference Protocol)",
        "operationId": f"infer_{name}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {"description": "Tensors.", "content": {"application/json": {"schema": answer}}},
            **_refusals(("400", *_POSTED)),
        },
    }
    return {
        root: _get(f"Inputs and outputs of {name} as tensors", ("503",)),
        f"{root}/ready": _get(f"Whether {name} answers", ("503",)),
        f"{root}/infer": {"post": infer},
    }


def _get(summary: str, refusals: tuple[str, ...]) -> Node:
    content = {"application/json": {"schema": dict(_OK)}}
    responses = {"200": {"description": "OK", "content": content}, **_refusals(refusals)}
    return {"get": {"summary": summary, "responses": responses}}


def _refusals(statuses: tuple[str, ...]) -> Node:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": _REFUSALS[status], "content": content} for status in statuses}


def _want_token(paths: Node) -> None:
    for path, operations in paths.items():
        if "/health/" not in path:
            for operation in operations.values():
                operation["security"] = [{"token": []}]
                operation["responses"] |= _refusals(("401",))
