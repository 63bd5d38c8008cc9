"""Answers requests with rows, in whatever form they came: who answers, the answer, and who is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from headrace.core.serving import Answers, Request
from headrace.errors import Overloaded, RowsRejected, did_you_mean
from headrace.serving import arrow
from headrace.serving.exchange import JSON, ClientGone, Exchange, Header, Refused, Reply, json_reply
from headrace.serving.limits import BodyReader
from headrace.serving.roles import Host, Hosted, Prediction, PredictionLog, Serving
from headrace.serving.settings import ServeSettings

RETRY: tuple[Header, ...] = ((b"retry-after", b"1"),)


class ModelFailed(Exception):
    """The model raised on rows that meet its schema; the cause is chained."""


class Predictions:
    """Answers predictions for every model of a host. Used from the event loop only."""

    def __init__(self, host: Host, settings: ServeSettings, log: PredictionLog) -> None:
        self.host, self.settings = host, settings
        self.bodies = BodyReader(settings.max_body_bytes)
        self._log = log
        self._routing_header = settings.routing_header.lower().encode()

    async def post(self, exchange: Exchange) -> Reply:
        """Answer `POST /predict` and `POST /models/{name}/predict`, in JSON or Arrow."""
        hosted = self.find(exchange)
        asked = exchange.flag("probabilities")
        media = exchange.media_type()
        if media not in ("application/json", arrow.MEDIA_TYPE):
            raise wrong_media(media, f"application/json or {arrow.MEDIA_TYPE}")
        refuse_encoding(exchange)
        accept = answer_media(exchange.header(b"accept"), media)
        body = await self.bodies.read(exchange)
        serving = self.choose(exchange, hosted)
        if media == arrow.MEDIA_TYPE:
            columns = arrow.read_columns(body, self.settings.max_rows, 4 * self.settings.max_body_bytes)
            serving, request = self.check(
                exchange, hosted, serving, lambda one: one.schema.require_columns(columns)
            )
        else:
            serving, request = self.check(exchange, hosted, serving, lambda one: one.schema.parse_json(body))
        request = with_probabilities(request, asked)
        serving, answers = await self.answer(exchange, hosted, serving, request)
        headers = ((b"x-model-version", str(exchange.version).encode()),)
        if accept == arrow.MEDIA_TYPE:
            classes = serving.predictor.signature.classes
            return Reply(arrow.write_answers(answers, classes), 200, accept.encode(), headers)
        return json_reply(told(serving, answers), headers=headers)

    def find(self, exchange: Exchange) -> Hosted:
        """Return the model that the path names, the first one where it names none. Raises `Refused`."""
        models = self.host.models
        if not self.host.ready or not models:
            raise Refused(503, "the service is not ready; try again", "not_ready", headers=RETRY)
        name = exchange.scope["path_params"].get("name")
        hosted = next(iter(models.values())) if name is None else models.get(name)
        if hosted is None:
            hint = did_you_mean(name[:200], models)
            raise Refused(404, f"no model {name[:200]!r}: {hint}", "no_model", {"did_you_mean": hint})
        exchange.model = hosted.name
        return hosted

    def choose(self, exchange: Exchange, hosted: Hosted) -> Serving:
        """Return the version that answers. Nothing may be awaited between this and `answer`: a version
        that is replaced meanwhile takes nothing more."""
        key = exchange.headers.get(self._routing_header)
        serving = hosted.choose(key.decode("latin-1") if key is not None else None)
        exchange.version = serving.predictor.version
        return serving

    def check(
        self, exchange: Exchange, hosted: Hosted, serving: Serving, read: Callable[[Serving], Request]
    ) -> tuple[Serving, Request]:
        """Read the rows by the schema of who answers. Returns who does, and the request.

        What a canary refuses and the stable version takes is a failure of the canary, and no client's.
        Raises `RowsRejected`.
        """
        try:
            return serving, read(serving)
        except RowsRejected:
            if serving.role != "canary":
                raise
            stable = hosted.stable
            request = read(stable)
            hosted.observe(serving, 0.0, True)
            exchange.version = stable.predictor.version
            return stable, request

    async def answer(
        self, exchange: Exchange, hosted: Hosted, serving: Serving, request: Request
    ) -> tuple[Serving, Answers]:
        """Let the model answer, and tell canary, shadow and log of it. Returns who answered.

        Where a canary fails, the stable version answers: an error of the one on trial is no client's.

        Raises `ModelFailed`, `Overloaded`, `ClientGone`, and `RowsRejected` or `Refused` by the rows.
        """
        exchange.rows = request.rows
        if request.rows > self.settings.max_rows:
            wanted = f"at most {self.settings.max_rows}"
            raise Refused(413, f"the request has {request.rows} rows, wanted {wanted}", "too_large")
        if request.probabilities and not serving.predictor.signature.probabilities:
            raise Refused(422, f"{hosted.name} gives no probabilities", "bad_rows")
        began = time.perf_counter()
        try:
            answers: Answers = await exchange.watched(serving.batcher.submit(request))
        except (Overloaded, ClientGone):
            raise
        except Exception as error:
            hosted.observe(serving, time.perf_counter() - began, True)
            stable = hosted.stable
            if serving.role == "canary" and takes_alike(stable, serving):
                exchange.version = stable.predictor.version
                return await self.answer(exchange, hosted, stable, request)
            raise ModelFailed from error
        seconds = time.perf_counter() - began
        hosted.observe(serving, seconds, False)
        hosted.shadow(exchange.id, request, answers)
        self._log.write(
            Prediction(
                id=exchange.id,
                time=time.time(),
                model=hosted.name,
                version=exchange.version,
                role=serving.role,
                signature=serving.predictor.signature,
                columns=request.columns,
                answers=answers,
                seconds=seconds,
                bytes=exchange.held,
            )
        )
        return serving, answers


def takes_alike(one: Serving, other: Serving) -> bool:
    """Tell whether rows that were checked for one version are checked for another too."""
    return one.predictor.signature.inputs == other.predictor.signature.inputs


def told(serving: Serving, answers: Answers) -> dict[str, Any]:
    """Say answers in JSON's types."""
    predictor = serving.predictor
    said: dict[str, Any] = {
        "model": predictor.name,
        "version": predictor.version,
        "predictions": answers.predictions.tolist(),
    }
    if answers.probabilities is not None:
        said["probabilities"] = answers.probabilities.tolist()
        said["classes"] = predictor.signature.classes
    return said


def with_probabilities(request: Request, asked: bool | None) -> Request:
    """Let the query's `probabilities` count, where it says anything."""
    if asked is None or asked == request.probabilities:
        return request
    return Request(columns=request.columns, rows=request.rows, probabilities=asked)


def answer_media(accept: str, given: str) -> str:
    """Return the media type of the answer: what the client accepts, else that of its request."""
    if not accept:
        return given
    accepted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if given in accepted:
        return given
    for media in (JSON.decode(), arrow.MEDIA_TYPE):
        if media in accepted:
            return media
    return given


def refuse_encoding(exchange: Exchange) -> None:
    """Refuse a packed body: a small one may become a large one."""
    encoding = exchange.header(b"content-encoding").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused(415, f"the body is encoded as {encoding[:50]!r}; send it as it is", "media_type")


def wrong_media(found: str, wanted: str) -> Refused:
    return Refused(415, f"the body is {found[:100] or 'of no type'}; send {wanted}", "media_type")


def rows_refused(error: RowsRejected) -> Refused:
    """Tell the client row by row what is wrong."""
    problems = [
        {"row": problem.row, "column": problem.column, "found": problem.found, "wanted": problem.wanted}
        for problem in error.problems
    ]
    return Refused(422, str(error)[:2000], "bad_rows", {"problems": problems, "total": error.total})


def refused_by(error: Exception) -> Refused | None:
    """Return the refusal that an error means; None where the error is the service's own."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, RowsRejected):
        return rows_refused(error)
    if isinstance(error, Overloaded):
        return Refused(429, str(error), "overloaded", headers=RETRY)
    return None
