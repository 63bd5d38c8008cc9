"""A model of one line, and a registry that a test moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.core.serving import Answers, Request
from headrace.errors import LakeUnavailable, PackageRefused, RowProblem, RowsRejected
from headrace.serving.hosting import HostedModel, Parts
from headrace.serving.metrics import Metrics
from headrace.serving.settings import CanarySettings, ServeSettings

SIGNATURE = ModelSignature(inputs=(InputColumn(name="x", dtype="float64"),))


@dataclass
class Doubler:
    """Says `factor` times x; `broken` raises, `wrong` says something else than when it was published."""

    version: int
    factor: float = 2.0
    broken: bool = False
    wrong: bool = False
    name: str = "double"
    digest: str = ""
    signature: ModelSignature = SIGNATURE
    example: Mapping[str, Any] = field(default_factory=lambda: {"x": [3.0]})
    profile: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""
    takes_columns: bool = True

    @property
    def expected(self) -> dict[str, list[float]]:
        return {"prediction": [3.0 * self.factor + self.wrong]}

    def hasten(self, rows: Any) -> None:
        pass

    def answer(self, rows: Any, probabilities: bool = False) -> Answers:
        if self.broken:
            raise RuntimeError("broken")
        return Answers(predictions=np.asarray(rows["x"]) * self.factor)


class Rows:
    """A schema that accepts everything that has the column x, and those that it `wants` too."""

    def __init__(self, wants: Sequence[str] = ()) -> None:
        self._wants = wants

    def parse_json(self, body: bytes) -> Request:
        columns = json.loads(body)["columns"]
        for name in self._wants:
            if name not in columns:
                raise RowsRejected([RowProblem(row=0, column=name, found="none", wanted="a number")], 1)
        return Request(columns=columns, rows=len(columns["x"]))

    def to_frame(self, columns: Any, as_text: bool = False) -> Any:
        return columns


class Direct:
    """A batcher that calls the model at once, and knows whether it was drained."""

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor
        self.drained = False

    async def submit(self, request: Request) -> Answers:
        await asyncio.sleep(0)
        return self._predictor.answer(request.columns)  # type: ignore[no-any-return]

    async def drain(self) -> None:
        self.drained = True


class Shelf:
    """The versions that a lake has, and what is loaded of them."""

    def __init__(self, *versions: Doubler) -> None:
        self.versions = {one.version: one for one in versions}
        self.loaded: list[int] = []
        self.away = False

    def load(self, name: str, version: int, commit: str) -> Doubler:
        if self.away:
            raise LakeUnavailable("the lake does not answer")
        self.loaded.append(version)
        found = self.versions[version]
        if found.version == 99:
            raise PackageRefused("estimator.skops is not the file that was published")
        return found

    def registry(self, aliases: Mapping[str, int], share: float | None = None) -> dict[str, Any]:
        versions = [{"version": number, "digest": str(number)} for number in self.versions]
        shares = {} if share is None else {"canary": share}
        return {"model": "double", "versions": versions, "aliases": dict(aliases), "shares": shares}


def hosted(shelf: Shelf, metrics: Metrics | None = None, **canary: Any) -> HostedModel:
    settings = ServeSettings(models=("double",), canary=CanarySettings(**canary))
    parts = Parts(
        load=shelf.load,
        schema=lambda predictor: Rows(list(predictor.example)),  # type: ignore[arg-type, return-value]
        batcher=lambda predictor, schema: Direct(predictor),
        metrics=metrics or Metrics(),
    )
    return HostedModel("double", "production", None, settings, parts)


async def ask(model: HostedModel, key: str | None = None, value: float = 1.0) -> tuple[int, float]:
    """Ask as the application does; return the version that answered, and the answer."""
    serving = model.choose(key)
    request = Request(columns={"x": [value]}, rows=1)
    try:
        answers = await serving.batcher.submit(request)
    except Exception:
        model.observe(serving, 0.001, True)
        raise
    model.observe(serving, 0.001, False)
    model.shadow("r", request, answers)
    return serving.predictor.version, float(answers.predictions[0])
