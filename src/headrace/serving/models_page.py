"""What the service tells of its models: which there are, and of each its columns, an example and its card."""

from __future__ import annotations

from typing import Any

from headrace.core.serving import Predictor
from headrace.serving.exchange import Exchange, Reply, json_reply
from headrace.serving.predict import Predictions


class ModelPages:
    """Answers `/models`, `/models/{name}` and `/models/{name}/example`."""

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions

    async def every(self, _: Exchange) -> Reply:
        models = [
            {
                "name": name,
                "version": hosted.stable.predictor.version,
                "task": hosted.stable.predictor.signature.task,
                "url": f"/models/{name}",
            }
            for name, hosted in (
                self._predictions.host.models.items() if self._predictions.host.ready else ()
            )
        ]
        return json_reply({"models": models})

    async def one(self, exchange: Exchange) -> Reply:
        predictor = self._predictions.find(exchange).stable.predictor
        told = {
            "name": predictor.name,
            "version": predictor.version,
            "digest": predictor.digest,
            "signature": predictor.signature.to_json(),
            "example": example_of(predictor),
            "expected": example_of(predictor, predictor.expected)["records"],
        }
        return json_reply(told | ({"card": predictor.card} if predictor.card else {}))

    async def example(self, exchange: Exchange) -> Reply:
        """Give a request that may be sent as it is."""
        return json_reply(example_of(self._predictions.find(exchange).stable.predictor))


def example_of(predictor: Predictor, columns: Any = None) -> dict[str, Any]:
    """Return a model's example as a request in JSON's types."""
    columns = predictor.example if columns is None else columns
    names = list(columns)
    rows = zip(*(columns[name] for name in names), strict=True)
    return {"records": [dict(zip(names, map(_plain, row), strict=True)) for row in rows]}


def _plain(value: Any) -> Any:
    """Return what JSON can say of a value; NaN is missing."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
