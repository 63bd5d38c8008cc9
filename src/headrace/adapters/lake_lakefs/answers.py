"""What the server's answers mean: its statuses and messages as the errors of the port."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.adapters.lake_lakefs.settings import ACCESS_KEY, SECRET_KEY
from headrace.errors import (
    AccessDenied,
    AlreadyExists,
    HookRejected,
    InvalidName,
    LakeBusy,
    LakeError,
    LakeUnavailable,
    NoChanges,
    ObjectNotFound,
    PreconditionFailed,
    ProtectedRef,
    RefNotFound,
    RepositoryNotFound,
    UncommittedChanges,
    Unsupported,
)

FIRST_DELAY_SECONDS = 0.05
LONGEST_DELAY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that did not succeed. `nothing_done` is False where the server may have done it all the same."""

    error: LakeError
    nothing_done: bool = True
    again: bool = False  # the same call may succeed later
    status: int = 0
    wait_seconds: float | None = None  # the server's own wish


class Failed(Exception):
    """One request did not succeed; `failure` says what that means."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure.error))


def read_message(body: object) -> str:
    """Return the message of an error's body; its first line where it is no JSON, such as a proxy's page."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        found = json.loads(text)
    except ValueError:
        return text.strip().partition("\n")[0][:200]
    return str(found.get("message", "")) if isinstance(found, Mapping) else text[:200]


def judge(what: str, status: int, message: str, headers: Mapping[str, str] | None = None) -> Failure:
    """Turn a status and a message into a failure. `what` says what was tried: `commit to branch 'x'`."""
    said = message or f"status {status}"
    low = message.lower()
    if "permission" in low:  # lakeFS says so with 401, and with 500 too
        return Failure(AccessDenied(f"{what}: {_NOT_ALLOWED.format(said)}"), status=status)
    if status in (423, 429, 503):
        error: LakeError = LakeBusy(f"{what}: the server is busy or throttling ({said}); try again later")
        return Failure(error, again=True, status=status, wait_seconds=_retry_after(headers))
    if status == 500 and "locked" in low:
        return Failure(LakeBusy(f"{what}: {said}"), again=True, status=status)
    if status >= 500 and status != 501:
        error = LakeUnavailable(f"{what}: the server failed: {status} {said}")
        return Failure(error, nothing_done=False, again=True, status=status)
    return Failure(_refusal(what, status, said, low), status=status)


def judge_storage(what: str, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Failure:
    """Turn the status of a signed URL into a failure. Of what the storage says, only its code is repeated."""
    match = _CODE.search(body)
    code = match[1].decode() if match else f"status {status}"
    if status in (404, 410):
        return Failure(ObjectNotFound(f"{what}: the storage holds no such bytes any more"), status=status)
    if status == 403 or code in _EXPIRED:
        error: LakeError = LakeUnavailable(
            f"{what}: the storage refuses a URL that the server signed ({code}); check the clocks, or go "
            "through the server: lake.presigned=false"
        )
        return Failure(error, again=True, status=403)
    if status == 429 or status >= 500 or code == "RequestTimeout":
        error = LakeUnavailable(f"{what}: the storage failed ({code})")
        return Failure(error, again=True, status=status, wait_seconds=_retry_after(headers))
    return Failure(LakeError(f"{what}: the storage refuses ({code})"), status=status)


def _refusal(what: str, status: int, said: str, low: str) -> LakeError:
    if status == 400:
        return _bad_request(what, said, low)
    if status == 403 and any(word in low for word in ("default branch", "protected", "read-only")):
        return ProtectedRef(f"{what}: {said}")
    if status == 410 and "delet" in low:
        return RepositoryNotFound(f"{what}: {said}")
    if status == 412 and any(word in low for word in ("hook", "action", "aborted")):
        return HookRejected(f"{what}: a hook of the repository says no: {said}")
    kind, text = _KINDS.get(status, (LakeError, f"the server says {status}: {{}}"))
    return kind(f"{what}: {text.format(said)}")


_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
_EXPIRED = ("ExpiredToken", "TokenRefreshRequired", "AuthenticationFailed")
_NOT_ALLOWED = "these keys do not allow it ({}); ask for the right in lakeFS"
_KINDS: Mapping[int, tuple[type[LakeError], str]] = {
    401: (AccessDenied, f"the server does not know these keys ({{}}); check {ACCESS_KEY} and {SECRET_KEY}"),
    403: (AccessDenied, _NOT_ALLOWED),
    404: (RefNotFound, "{}"),
    409: (AlreadyExists, "{}"),
    410: (ObjectNotFound, "the lake has collected its bytes ({})"),
    412: (PreconditionFailed, "{}"),
    501: (Unsupported, "this server cannot do it: {}"),
}


def _bad_request(what: str, said: str, low: str) -> LakeError:
    if "no changes" in low:
        return NoChanges(f"{what}: it would change nothing")
    if "dirty" in low or "uncommitted" in low:
        return UncommittedChanges(f"{what}: there are staged changes; commit or reset them first")
    if "invalid" in low or "validation" in low:
        return InvalidName(f"{what}: {said}")
    return LakeError(f"{what}: the server says 400: {said}")


def _retry_after(headers: Mapping[str, str] | None) -> float | None:
    try:
        return max(0.0, float((headers or {}).get("Retry-After", "")))
    except ValueError:
        return None


def delay_seconds(attempt: int, failure: Failure) -> float:
    """Return how long to wait before the next attempt: doubling with jitter, or as the server wishes."""
    if failure.wait_seconds is not None:
        return min(failure.wait_seconds, 6 * LONGEST_DELAY_SECONDS)
    ceiling = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0**attempt)
    return ceiling * random.uniform(0.5, 1.0)  # spreads those who wait; nothing secret
