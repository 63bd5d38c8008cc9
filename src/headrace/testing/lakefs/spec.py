"""Holding requests and answers against lakeFS's own description of its API, an OpenAPI 3.0 file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from headrace.testing.lakefs.answer import JSON, Answer
from headrace.testing.lakefs.request import Request
from headrace.testing.lakefs.routing import API_PREFIX

SPEC_VARIABLE = "HEADRACE_TEST_LAKEFS_SPEC"
BESIDE_CHECKOUT = Path("shared", "lakefs", "swagger.yml")
URN = "urn:lakefs"
SHOWN_AT_MOST = 5
METHODS = {"get", "head", "put", "post", "delete", "patch"}
Node = Mapping[str, Any]


def find_spec() -> Path | None:
    """Return lakeFS's swagger file: where the variable says, or beside the checkout; None without one."""
    named = os.environ.get(SPEC_VARIABLE)
    if named:
        return Path(named)
    candidates = (parent / BESIDE_CHECKOUT for parent in Path(__file__).resolve().parents)
    return next((path for path in candidates if path.is_file()), None)


class Specification:
    """One swagger file. Each check returns what is wrong, in words; nothing wrong is []."""

    def __init__(self, document: Node) -> None:
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT4

        self._document = document
        resource: Resource[Any] = Resource.from_contents(document, default_specification=DRAFT4)
        registry: Registry[Any] = Registry()
        self._registry = registry.with_resource(URN, resource)
        self._operations = self._index()
        self._validators: dict[int, Any] = {}  # by the identity of a schema, which the document keeps alive

    @staticmethod
    def read(path: Path) -> Specification:
        """Read a swagger file; the same one is read once in a process."""
        return _read(path.resolve(), path.stat().st_mtime_ns)

    def request_problems(self, request: Request, document: Any) -> list[str]:
        """Check a request; `document` is its JSON body, None where it has none."""
        found = self._find(request.method, request.path)
        if found is None:
            return [f"the specification has no {request.method} {request.path}"]
        operation, values = found
        return [
            *self._parameter_problems(operation, values, request),
            *self._body(operation, request, document),
        ]

    def response_problems(self, request: Request, answer: Answer) -> list[str]:
        """Check one of our own answers: its status, and its body where that is JSON."""
        found = self._find(request.method, request.path)
        if found is None:
            return []
        responses = found[0]["responses"]
        response = responses.get(str(answer.status))
        if response is None and (answer.status < 400 or "default" not in responses):
            return [f"{found[0]['operationId']} has no status {answer.status}"]
        content = self._follow(response or responses["default"]).get("content", {})
        media = answer.headers.get("Content-Type", "")
        if answer.document is None or not content or request.method == "HEAD":
            return []
        if media not in content:
            return [f"the content is {media!r}, not {', '.join(content)}"]
        return self._schema_problems(content[media]["schema"], answer.document, "body")

    # --- finding the operation ----------------------------------------------------------------

    def _find(self, method: str, raw_path: str) -> tuple[Node, dict[str, str]] | None:
        """Return the operation that a request asks for, and the values in its path."""
        parts = raw_path.removeprefix(API_PREFIX).strip("/").split("/")
        for segments, operation in self._operations.get((method.lower(), len(parts)), []):
            pairs = list(zip(segments, parts, strict=True))
            if all(segment.startswith("{") or segment == part for segment, part in pairs):
                return operation, {seg[1:-1]: unquote(part) for seg, part in pairs if seg.startswith("{")}
        return None

    def _index(self) -> dict[tuple[str, int], list[tuple[list[str], Node]]]:
        """Sort the operations by method and length of the path, each with its path's own parameters."""
        index: dict[tuple[str, int], list[tuple[list[str], Node]]] = {}
        for template, item in self._document["paths"].items():
            segments = template.strip("/").split("/")
            for method in item.keys() & METHODS:
                shared = [*item.get("parameters", []), *item[method].get("parameters", [])]
                operation = {**item[method], "parameters": [self._follow(each) for each in shared]}
                index.setdefault((method, len(segments)), []).append((segments, operation))
        return index

    def _follow(self, node: Node) -> Node:
        while "$ref" in node:
            target: Any = self._document
            for key in node["$ref"].removeprefix(f"{URN}#/").split("/"):
                target = target[key]
            node = target
        return node

    # --- the parts of a request ---------------------------------------------------------------

    def _parameter_problems(
        self, operation: Node, values: Mapping[str, str], request: Request
    ) -> Iterable[str]:
        headers = {name.lower(): text for name, text in request.headers.items()}
        known: dict[str, Mapping[str, str]] = {
            "path": values,
            "header": headers,
            "query": dict(request.pairs),
        }
        declared = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
        for name, _ in request.pairs:
            if name not in declared:
                yield f"{operation['operationId']} has no query parameter {name!r}"
        for parameter in operation["parameters"]:
            where = parameter["in"]
            name = parameter["name"].lower() if where == "header" else parameter["name"]
            if name not in known[where]:
                if parameter.get("required"):
                    yield f"{operation['operationId']} needs the {where} parameter {name!r}"
                continue
            texts = [text for key, text in request.pairs if key == name]
            text = known[where][name]
            if not text and parameter.get("allowEmptyValue"):
                continue
            kind = parameter["schema"].get("type")
            value = texts if kind == "array" else _typed(text, kind)
            yield from self._schema_problems(parameter["schema"], value, f"{where} parameter {name}")

    def _body(self, operation: Node, request: Request, document: Any) -> Iterable[str]:
        body = operation.get("requestBody")
        if body is None:
            if request.body.length or request.body.chunked:
                yield f"{operation['operationId']} takes no body"
            return
        content = body["content"]
        if JSON not in content:
            if request.content_type not in content:
                yield f"the body is {request.content_type!r}, not {' or '.join(content)}"
        elif document is not None:
            yield from self._schema_problems(content[JSON]["schema"], document, "body")
        elif body.get("required"):
            yield f"{operation['operationId']} needs a body"

    def _schema_problems(self, schema: Node, value: Any, where: str) -> list[str]:
        from jsonschema import Draft4Validator  # type: ignore[import-untyped]

        validator = self._validators.get(id(schema))
        if validator is None:
            validator = self._validators[id(schema)] = Draft4Validator(schema, registry=self._registry)
        errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
        return [
            f"{'.'.join([where, *map(str, error.absolute_path)])}: {error.message[:200]}"
            for error in errors[:SHOWN_AT_MOST]
        ]


def _typed(text: str, kind: str | None) -> Any:
    """Read a parameter as its type where that is possible; what is left is a wrong type."""
    if kind == "integer" and text.removeprefix("-").isdecimal():
        return int(text)
    if kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return text


@lru_cache(maxsize=4)
def _read(path: Path, mtime_ns: int) -> Specification:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built
    document = yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506 - both are safe loaders
    return Specification(_strict(document))


def _strict(node: Any, composed: bool = False) -> Any:
    """Turn OpenAPI 3.0 into a JSON schema that jsonschema reads, strict about unknown fields.

    References become absolute, `nullable` becomes a type, statuses become texts, and an object with
    declared properties has no others; below `allOf` each part is only a part of the object.
    """
    if isinstance(node, list):
        return [_strict(item, composed) for item in node]
    if not isinstance(node, dict):
        return node
    made = {str(key): _strict(value, key in ("allOf", "anyOf", "oneOf")) for key, value in node.items()}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = URN + made["$ref"]
    if made.pop("nullable", False) is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if made.get("type") == "object" and "properties" in made and not composed:
        made.setdefault("additionalProperties", False)
    return made
