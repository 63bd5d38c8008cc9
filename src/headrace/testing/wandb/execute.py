"""Answering one GraphQL request: exactly the fields that it selects, or an error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError, execute_sync, parse, validate

from headrace.testing.wandb.answer import Answer, json_answer
from headrace.testing.wandb.fields import Context
from headrace.testing.wandb.refusal import Refusal, Violation
from headrace.testing.wandb.schema import load_schema, resolve_by_name

OPERATION = re.compile(r"^\s*(?:query|mutation)\s+(\w+)", re.MULTILINE)
REQUEST_KEYS = {"query", "variables", "operationName"}


def read_request(body: bytes) -> dict[str, Any]:
    """Return the parts of a request. Raises `Violation` for what is none."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise Violation(400, f"a GraphQL request is no JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("query"), str):
        raise Violation(400, "a GraphQL request has no query")
    if unknown := document.keys() - REQUEST_KEYS:
        raise Violation(400, f"a GraphQL request has the unknown keys {sorted(unknown)}")
    return document


def operation_name(request: Mapping[str, Any]) -> str:
    """Return what the client calls the operation; the first of a document where it says nothing else."""
    found = OPERATION.search(request["query"])
    return str(request.get("operationName") or (found.group(1) if found else "anonymous"))


def answer_query(request: Mapping[str, Any], context: Context, complain: Callable[[str], None]) -> Answer:
    """Execute a request against the schema.

    What the schema does not allow, and every mistake of the stand-in itself, goes to `complain` and is
    answered with 400, which the client does not try again.
    """
    name = operation_name(request)
    schema = load_schema()
    try:
        document = parse(request["query"])
    except GraphQLSyntaxError as error:
        complain(f"{name}: {error.message}")
        return _errors([error], 400)
    if wrong := validate(schema, document):
        for problem in wrong:
            complain(f"{name}: {problem.message}")
        return _errors(wrong, 400)
    with context.store.lock:
        result = execute_sync(
            schema,
            document,
            context_value=context,
            variable_values=dict(request.get("variables") or {}),
            operation_name=request.get("operationName") or None,
            field_resolver=resolve_by_name,
        )
    if result.errors:
        for problem in result.errors:
            cause = problem.original_error
            if not isinstance(cause, Refusal) or isinstance(cause, Violation):
                complain(f"{name}: {cause or problem}")
        return _errors(result.errors, _status(result.errors[0]), result.data)
    return json_answer({"data": result.data})


def _status(error: GraphQLError) -> int:
    return error.original_error.status if isinstance(error.original_error, Refusal) else 400


def _errors(errors: list[GraphQLError], status: int, data: Any = None) -> Answer:
    """Answer as W&B does: the status of the first error, and all of them in the body."""
    found = [{"message": error.message, "path": error.path} for error in errors]
    return json_answer({"errors": found, "data": data}, status)
