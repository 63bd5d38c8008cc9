"""Check raw rows with pydantic-core, by the same schema that Pandera holds training tables to."""

from headrace.adapters.schema_pydantic.rows import PydanticRows

__all__ = ["PydanticRows"]
