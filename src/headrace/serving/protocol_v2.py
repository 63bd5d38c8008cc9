"""The Open Inference Protocol (v2) over REST, with its extension for binary tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json, to_json

from headrace import __version__
from headrace.core.serving import Answers, Request
from headrace.errors import did_you_mean
from headrace.serving.exchange import JSON, Exchange, Header, Refused, Reply, json_reply
from headrace.serving.predict import Predictions, refuse_encoding, with_probabilities, wrong_media
from headrace.serving.roles import Serving
from headrace.serving.tensors import OUTPUTS, bad, datatype_of, read_tensor, to_columns, write_tensor

HEADER_LENGTH = b"inference-header-content-length"
# The public client sends no type at all.
_MEDIA = ("", "application/json", "application/octet-stream")
_DATATYPES = {"b": "BOOL", "i": "INT64", "u": "UINT64", "f": "FP64"}


class ProtocolV2:
    """Answers the protocol's routes. Errors are `{"error": ...}`, as it wants them."""

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions

    async def server(self, _: Exchange) -> Reply:
        return json_reply({"name": "headrace", "version": __version__, "extensions": ["binary_tensor_data"]})

    async def live(self, _: Exchange) -> Reply:
        return json_reply({"live": True})

    async def ready(self, _: Exchange) -> Reply:
        ready = self._predictions.host.ready
        return json_reply({"ready": ready}, 200 if ready else 503)

    async def model_ready(self, exchange: Exchange) -> Reply:
        self._serving(exchange)
        return json_reply({"name": exchange.model, "ready": True})

    async def model(self, exchange: Exchange) -> Reply:
        """Tell of the model's columns as inputs, each a tensor of any number of rows."""
        serving = self._serving(exchange)
        signature = serving.predictor.signature
        inputs = [
            {"name": column.name, "datatype": datatype_of(column), "shape": [-1]}
            for column in signature.inputs
        ]
        kind = {"float": "f", "int": "i", "uint": "u", "bool": "b"}.get(
            signature.dtype.rstrip("0123456789"), ""
        )
        outputs: list[dict[str, Any]] = [
            {"name": OUTPUTS[0], "datatype": _DATATYPES.get(kind, "BYTES"), "shape": [-1]}
        ]
        if signature.probabilities:
            shape = [-1, len(signature.classes)]
            classes = {"classes": to_json(list(signature.classes)).decode()}
            outputs.append({"name": OUTPUTS[1], "datatype": "FP64", "shape": shape, "parameters": classes})
        versions = [str(serving.predictor.version)]
        told = {"name": exchange.model, "versions": versions, "platform": "headrace"}
        return json_reply(told | {"inputs": inputs, "outputs": outputs})

    async def infer(self, exchange: Exchange) -> Reply:
        """Answer tensors with tensors."""
        predictions = self._predictions
        hosted = predictions.find(exchange)
        if exchange.media_type() not in _MEDIA:
            raise wrong_media(exchange.media_type(), "application/json")
        refuse_encoding(exchange)
        body = await predictions.bodies.read(exchange)
        said, binary = read_document(body, exchange.headers.get(HEADER_LENGTH))
        serving = self._serving(exchange)
        wanted, in_binary = _wanted(said, serving)
        inputs = said.get("inputs")
        if not isinstance(inputs, list) or not inputs:
            raise bad("inputs must be a list of at least one tensor")
        tensors, at = [], 0
        for one in inputs:
            tensor, at = read_tensor(one, binary, at)
            tensors.append(tensor)
        if at != len(binary):
            raise bad(f"the body has {len(binary) - at} bytes that belong to no input")

        def read(one: Serving) -> Request:
            return one.schema.require_columns(to_columns(tensors, one.predictor.signature))

        serving, request = predictions.check(exchange, hosted, serving, read)
        request = with_probabilities(request, OUTPUTS[1] in wanted)
        _, answers = await predictions.answer(exchange, hosted, serving, request)
        told = {"model_name": hosted.name, "model_version": str(exchange.version)}
        told["id"] = said["id"] if isinstance(said.get("id"), str) else exchange.id
        return _reply(told, answers, wanted, in_binary)

    def _serving(self, exchange: Exchange) -> Serving:
        """Return who answers; where the path names a version, it must be one that answers now."""
        hosted = self._predictions.find(exchange)
        version = exchange.scope["path_params"].get("version")
        serving = self._predictions.choose(exchange, hosted)
        if version is None or version == str(serving.predictor.version):
            return serving
        if version == str(hosted.stable.predictor.version):
            exchange.version = hosted.stable.predictor.version
            return hosted.stable
        hint = did_you_mean(version[:50], [str(hosted.stable.predictor.version)])
        raise Refused(404, f"{hosted.name} has no version {version[:50]!r} here: {hint}", "no_model")


def read_document(body: bytes, header_length: bytes | None) -> tuple[dict[str, Any], bytes]:
    """Split a body into its JSON and the bytes behind it. Raises `Refused` (400)."""
    length = len(body)
    if header_length is not None:
        # Python refuses to read a number of thousands of digits, with an error of its own.
        plain = header_length.isdigit() and len(header_length) < 20
        if not plain or int(header_length) > len(body):
            raise bad("Inference-Header-Content-Length must be at most the length of the body")
        length = int(header_length)
    try:
        said = from_json(body[:length], allow_inf_nan=False)
    except ValueError as error:
        raise bad(f"the body is no JSON: {str(error)[:200]}") from None
    if not isinstance(said, dict):
        raise bad("the body must be an object with inputs")
    return said, body[length:]


def _wanted(said: dict[str, Any], serving: Serving) -> tuple[list[str], list[bool]]:
    """Return the outputs that a request wants, and which of them as bytes. Raises `Refused` (400)."""
    asked = said.get("outputs") or [{"name": OUTPUTS[0]}]
    known = OUTPUTS if serving.predictor.signature.probabilities else OUTPUTS[:1]
    parameters = said.get("parameters")
    all_binary = isinstance(parameters, dict) and parameters.get("binary_data_output") is True
    names: list[str] = []
    binary: list[bool] = []
    for one in asked if isinstance(asked, list) else [asked]:
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or name not in known or name in names:
            raise bad(f"outputs must be among {', '.join(known)}, each once; found {str(name)[:50]!r}")
        own = one.get("parameters")
        names.append(name)
        binary.append(own.get("binary_data", all_binary) is True if isinstance(own, dict) else all_binary)
    return names, binary


def _reply(told: dict[str, Any], answers: Answers, wanted: Sequence[str], in_binary: Sequence[bool]) -> Reply:
    outputs, parts = [], []
    for name, binary in zip(wanted, in_binary, strict=True):
        values = answers.predictions if name == OUTPUTS[0] else answers.probabilities
        output, data = write_tensor(name, values, binary)
        outputs.append(output)
        parts.append(data)
    document = to_json(told | {"outputs": outputs}, inf_nan_mode="null")
    headers: list[Header] = [(b"x-model-version", told["model_version"].encode())]
    if not any(in_binary):
        return Reply(document, 200, JSON, headers)
    headers.append((HEADER_LENGTH, str(len(document)).encode()))
    return Reply(document + b"".join(parts), 200, b"application/octet-stream", headers)
