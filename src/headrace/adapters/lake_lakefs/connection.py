"""The one module that knows lakefs-client: calls with time-outs, retries and the port's errors.

It uses what lakefs-client shares with lakefs-sdk, its successor: `LakeFSClient`, the models, the
configuration and the connection pool below them. A change of the import is the change of the client.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from headrace.adapters.lake_lakefs.answers import (
    Failure,
    delay_seconds,
    judge,
    judge_storage,
    read_message,
)
from headrace.adapters.lake_lakefs.settings import Settings, is_open_to_eavesdroppers
from headrace.errors import AccessDenied, InvalidName, LakeError, LakeUnavailable, RepositoryNotFound

CONNECT_SECONDS = 10.0
FIRST_CONTACT_SECONDS = 3.0  # an address that was never reached is most likely a wrong one
CONNECTIONS = 16
ERROR_BYTES = 4096

Body = tuple[str, Mapping[str, Any]]
"""A request's body: the model's name, and its fields."""


class Connection:
    """One repository on one server. Safe from several threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self._reached = False  # the server has answered
        self._found = False  # the repository is there

    def call(
        self,
        what: str,
        operation: str,
        *names: str,
        body: Body | None = None,
        done: Callable[[], Any] | None = None,
        **query: Any,
    ) -> Any:
        """Call `<api>.<method>` of the client on the repository, and return the answer as plain data.

        Tried again while that is safe. A call that may not happen twice gives `done`, which returns
        its result where it has happened, else None: it is asked whenever an answer was lost.
        """

        return self.persist(what, lambda: self.once(operation, *names, body=body, **query), done)

    def once(self, operation: str, *names: str, body: Body | None = None, **query: Any) -> Any:
        """Call a method of the client a single time. Raises what the client does: use it in `persist`."""
        api, _, method = operation.partition(".")
        arguments: list[Any] = list(names) if api in ("config", "repositories") else [self.repository, *names]
        if body is not None:
            query[_snake_case(body[0])] = self.model(*body)  # the client names the argument after the model
        answer = getattr(getattr(self._open(), f"{api}_api"), method)(
            *arguments,
            _request_timeout=(CONNECT_SECONDS, self.settings.timeout_seconds),
            _check_return_type=False,  # a newer server may send more; and it is ten times as fast
            **query,
        )
        # `to_dict` trips over what was not checked; with lakefs-sdk it is the way.
        return getattr(answer, "_data_store", answer)

    @cached_property
    def storage(self) -> Mapping[str, Any]:
        """What the server says of its storage: if it signs URLs, and where it puts repositories."""
        config = self.call("ask what the server can do", "config.get_config")
        return dict(config.get("storage_config") or {})

    @property
    def repository(self) -> str:
        return self.settings.repository

    def persist(
        self,
        what: str,
        attempt: Callable[[], Any],
        done: Callable[[], Any] | None = None,
        received: Callable[[], int] = int,
        inner: bool = False,
    ) -> Any:
        """Attempt until it works, cannot work, or has failed for too long. Raises the port's errors.

        While `received` grows, a transfer that keeps breaking off has not failed. Inside another
        `persist`, `inner` raises `Failed` for the outer one to judge, and leaves to it what a signed
        URL refuses.
        """
        tries, doubtful, failing_since = 0, False, 0.0
        while True:
            before = received()
            with self._noticing(what) as noticed:
                answer = attempt()
            failure = noticed.failure
            if failure is None:
                self._reached = self._found = True
                return answer
            doubtful = doubtful or not failure.nothing_done
            if doubtful and done is not None and (found := done()) is not None:
                return found
            if not tries or received() > before:
                tries, failing_since = 0, time.monotonic()
            patience = self.settings.retry_seconds
            if not self._reached:
                patience = min(patience, FIRST_CONTACT_SECONDS)
            pause = delay_seconds(tries, failure)
            late = time.monotonic() + pause - failing_since > patience
            if inner and (late or not failure.again or failure.status == 403):
                raise Failed(failure)
            if late or not failure.again:
                error = self._explained(failure)
                if doubtful and done is not None and failure.again:
                    raise type(error)(f"{error}; an answer was lost, so it may have happened: look first")
                raise error
            time.sleep(pause)
            tries += 1

    @contextmanager
    def stream(self, what: str, method: str, url: str, **options: Any) -> Iterator[Any]:
        """Send a request through the client's pool and give the response, which is not read yet.

        A URL outside the API, a signed one, gets no keys. Raises `Failed` for a status that is no
        success, and what urllib3 raises: use it in `persist`.
        """
        import urllib3

        headers = dict(options.pop("headers", {}))
        client = self._open().config_api.api_client
        signed = not url.startswith(f"{self.settings.endpoint}/")
        if not signed:
            headers["Authorization"] = client.configuration.get_basic_auth_token()
        elif is_open_to_eavesdroppers(url) and not self.settings.allow_plain_http:
            raise AccessDenied(
                f"{what}: the server signs URLs in plain HTTP, to {urlsplit(url).hostname}; where the "
                "network is trusted type: lake.allow_plain_http=true, else: lake.presigned=false"
            )
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=self.settings.timeout_seconds)
        answer = client.rest_client.pool_manager.request(
            method, url, headers=headers, timeout=timeout, preload_content=False, retries=False, **options
        )
        try:
            if answer.status >= 300:
                judge_it = judge_storage if signed else judge
                raise Failed(
                    judge_it(what, answer.status, read_message(answer.read(ERROR_BYTES)), answer.headers)
                )
            yield answer
        except BaseException:
            answer.close()
            raise
        answer.drain_conn()
        answer.release_conn()

    def api_url(self, *parts: str, **query: str) -> str:
        """Return the URL of an API route on the repository."""
        route = "/".join(quote(part, safe="") for part in ("repositories", self.repository, *parts))
        return f"{self.settings.endpoint}/{route}" + (f"?{urlencode(query)}" if query else "")

    def _open(self) -> Any:
        with self._lock:
            if self._client is None:
                import lakefs_client
                from lakefs_client.client import LakeFSClient

                configuration = lakefs_client.Configuration(
                    host=self.settings.endpoint,
                    username=self.settings.access_key_id,
                    password=self.settings.secret_access_key,
                )
                configuration.ssl_ca_cert = self.settings.ca_bundle
                configuration.retries = False  # `persist` knows which calls may be repeated
                configuration.connection_pool_maxsize = CONNECTIONS
                self._client = LakeFSClient(configuration)
            return self._client

    def model(self, name: str, fields: Mapping[str, Any]) -> Any:
        """Return a body of the client's; fields that are None are left out."""
        from lakefs_client import models

        return getattr(models, name)(**{key: value for key, value in fields.items() if value is not None})

    @contextmanager
    def _noticing(self, what: str) -> Iterator[_Noticed]:
        """Catch what the client and its pool raise, and judge it."""
        from lakefs_client.exceptions import ApiException, OpenApiException
        from urllib3 import exceptions as pool

        noticed = _Noticed()
        try:
            yield noticed
        except Failed as failed:
            noticed.failure = failed.failure
        except ApiException as error:
            noticed.failure = self._judge_answer(what, error)
        except OpenApiException as error:  # the client's own check of what it is given
            noticed.failure = Failure(InvalidName(f"{what}: {error}"))
        except (AttributeError, UnicodeDecodeError) as error:
            # lakefs-client decodes the body of every failure, also where there is none (TLS) or is no text.
            cause = error.__context__
            if not isinstance(cause, ApiException):
                raise
            noticed.failure = self._judge_answer(what, cause)
        except (pool.HTTPError, ConnectionError, TimeoutError) as error:
            noticed.failure = self._judge_silence(what, error)

    def _judge_answer(self, what: str, error: Any) -> Failure:
        if not error.status:
            return self._tls_failure(what, str(error.reason))
        self._reached = True
        return judge(what, error.status, read_message(error.body), error.headers)

    def _judge_silence(self, what: str, error: Exception) -> Failure:
        from urllib3 import exceptions as pool

        if isinstance(error, pool.SSLError):
            return self._tls_failure(what, str(error))
        host = urlsplit(self.settings.endpoint).netloc
        if isinstance(error, pool.NewConnectionError | pool.ConnectTimeoutError):
            hint = "is it up, and is LAKECTL_SERVER_ENDPOINT_URL right?"
            return Failure(LakeUnavailable(f"{what}: {host} cannot be reached; {hint}"), again=True)
        # The texts of the pool quote URLs, which may be presigned and so authorise.
        reason = "did not answer in time" if isinstance(error, pool.TimeoutError) else "broke off"
        return Failure(LakeUnavailable(f"{what}: {host} {reason}"), nothing_done=False, again=True)

    def _tls_failure(self, what: str, said: str) -> Failure:
        host = urlsplit(self.settings.endpoint).netloc
        reason = said.strip().splitlines()[-1][:200] if said.strip() else "no reason given"
        hint = "for a certificate of your own type: lake.ca_bundle=<file.pem>"
        return Failure(LakeUnavailable(f"{what}: no safe connection to {host}: {reason}; {hint}"))

    def _explained(self, failure: Failure) -> LakeError:
        """Return the error, or where all fails for want of the repository one that says so."""
        if failure.status == 404 and not self._found and not self.repository_exists():
            return RepositoryNotFound(
                f"{urlsplit(self.settings.endpoint).netloc} has no repository {self.repository!r}; to create "
                f"it, type: headrace lake init --lake lakefs -o lake.repository={self.repository}"
            )
        return failure.error

    def repository_exists(self) -> bool:
        """Ask the server once."""
        with self._noticing(f"look for repository {self.repository!r}") as noticed:
            timeout = (CONNECT_SECONDS, self.settings.timeout_seconds)
            self._open().repositories_api.get_repository(self.repository, _request_timeout=timeout)
        if noticed.failure is None:
            return True
        if noticed.failure.status == 404:
            return False
        raise noticed.failure.error


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()


class _Noticed:
    failure: Failure | None = None


class Failed(Exception):
    """A streamed request that did not succeed, judged already."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure.error))
