"""The schema with its resolvers: the SDL beside this file, and a function or attribute for each field."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
)

from headrace.testing.wandb import (
    resolve_accounts,
    resolve_artifacts,
    resolve_collections,
    resolve_files,
    resolve_projects,
    resolve_reports,
    resolve_runs,
)
from headrace.testing.wandb.fields import Context, Resolver, read_attribute
from headrace.testing.wandb.runs import Run

DOMAINS = (
    resolve_accounts,
    resolve_projects,
    resolve_runs,
    resolve_files,
    resolve_artifacts,
    resolve_collections,
    resolve_reports,
)


@functools.cache
def load_schema() -> GraphQLSchema:
    """Return the executable schema. Raises `LookupError` for a resolver of a field that it lacks."""
    text = resources.files("headrace.testing.wandb").joinpath("schema.graphql").read_text()
    schema = build_schema(text)
    for domain in DOMAINS:
        for (type_name, name), resolver in domain.fields.found.items():
            _field(schema, type_name, name).resolve = _adapt(resolver)
    for named in schema.type_map.values():
        if isinstance(named, GraphQLInterfaceType):
            named.resolve_type = _type_of_collection
        elif isinstance(named, GraphQLUnionType):
            named.resolve_type = _type_of_creator
    return schema


def _field(schema: GraphQLSchema, type_name: str, name: str) -> GraphQLField:
    parent = schema.type_map.get(type_name)
    if not isinstance(parent, GraphQLObjectType) or name not in parent.fields:
        raise LookupError(f"a resolver is there for {type_name}.{name}, which the schema lacks")
    field: GraphQLField = parent.fields[name]
    return field


def _adapt(resolver: Resolver) -> Any:
    def resolve(parent: Any, info: GraphQLResolveInfo[Context], **arguments: Any) -> Any:
        return resolver(parent, info.context, arguments)

    return resolve


def resolve_by_name(parent: Any, info: GraphQLResolveInfo[Context], **arguments: Any) -> Any:
    """Resolve a field without a function of its own, which has no arguments."""
    if arguments:
        raise LookupError(f"the stand-in ignores the arguments of {info.parent_type.name}.{info.field_name}")
    return read_attribute(parent, info.field_name)


def _type_of_collection(value: Any, info: GraphQLResolveInfo[Context], kind: Any) -> str:
    return "ArtifactPortfolio" if value.is_portfolio else "ArtifactSequence"


def _type_of_creator(value: Any, info: GraphQLResolveInfo[Context], kind: Any) -> str:
    return "Run" if isinstance(value, Run) else "User"
