"""The one module that knows lakefs-client: single requests, with time-outs and the port's errors.

It uses what lakefs-client shares with lakefs-sdk, its successor: `LakeFSClient`, the models, the
configuration and the connection pool below them. A change of the import is the change of the client.
"""

from __future__ import annotations

import json
import logging
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from headrace.adapters.lake_lakefs.answers import Failed, Failure, judge, judge_storage, read_message
from headrace.adapters.lake_lakefs.settings import Settings, is_open_to_eavesdroppers
from headrace.errors import AccessDenied, InvalidName, LakeError, LakeUnavailable

CONNECT_SECONDS = 10.0
CONNECTIONS = 16
STORAGE_CONNECTIONS = 32
ERROR_BYTES = 4096

Body = tuple[str, Mapping[str, Any]]
"""A request's body: the model's name, and its fields."""

_WITHOUT_REPOSITORY = ("config", "repositories")
_ANSWERS_TEXT = "branches.create_branch"


class Client:
    """Sends requests to one server. Safe from several threads, and in a forked process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.reached = False  # the server has answered
        self.found = False  # the repository is there
        # Connections by process: a fork inherits its parent's, and would read the parent's answers.
        self._clients: dict[int, Any] = {}
        self._storage_pools: dict[int, Any] = {}

    def once(self, what: str, operation: str, *names: str, body: Body | None = None, **query: Any) -> Any:
        """Call `<api>.<method>` of the client a single time; return the answer as plain data.

        Raises `Failed`.
        """
        api, _, method = operation.partition(".")
        with self._judging(what):
            arguments = [*names] if api in _WITHOUT_REPOSITORY else [self.settings.repository, *names]
            if body is not None:
                query[_snake_case(body[0])] = self.model(*body)  # the argument is named after the model
            answer = getattr(getattr(self._client(), f"{api}_api"), method)(
                *arguments,
                _request_timeout=(CONNECT_SECONDS, self.settings.timeout_seconds),
                _check_return_type=False,  # a newer server may send more; and it is ten times as fast
                **query,
            )
        if isinstance(answer, str) and operation != _ANSWERS_TEXT:
            raise Failed(Failure(self._stranger(what)))
        self.reached = True
        self.found = self.found or api not in _WITHOUT_REPOSITORY
        # `to_dict` trips over what was not checked; with lakefs-sdk it is the way.
        return getattr(answer, "_data_store", answer)

    @contextmanager
    def stream(self, what: str, method: str, url: str, **options: Any) -> Iterator[Any]:
        """Send a request through a pool and give the response, which is not read yet. Raises `Failed`.

        A URL outside the API, a signed one, goes through a pool of its own and gets no keys.
        """
        import urllib3

        signed = not url.startswith(f"{self.settings.endpoint}/")
        headers = dict(options.pop("headers", {}))
        if signed:
            self._refuse_plain_http(what, url)
            pool = self._storage_pool()
        else:
            api = self._client().config_api.api_client
            headers["Authorization"] = api.configuration.get_basic_auth_token()
            pool = api.rest_client.pool_manager
        # The pool sends a body under the time for connecting; a server may pause while it takes one.
        patient = "body" in options and self.reached
        timeout = urllib3.Timeout(
            connect=self.settings.timeout_seconds if patient else CONNECT_SECONDS,
            read=self.settings.timeout_seconds,
        )
        with self._judging(what, url if signed else None):
            answer = pool.request(
                method, url, headers=headers, timeout=timeout, preload_content=False, retries=False, **options
            )
            try:
                if answer.status >= 300:
                    raise Failed(self._judge_status(what, answer, signed))
                if not signed:  # what is streamed from the API belongs to the repository
                    self.reached = self.found = True
                yield answer
            except BaseException:
                answer.close()
                raise
            answer.drain_conn()
            answer.release_conn()

    def send_json(self, what: str, method: str, url: str, document: Mapping[str, Any]) -> Any:
        """Send a document to a route for which the client has no method. Raises `Failed`."""
        headers = {"Content-Type": "application/json"}
        with self.stream(what, method, url, headers=headers, body=json.dumps(document).encode()) as answer:
            return json.loads(answer.read())

    def model(self, name: str, fields: Mapping[str, Any]) -> Any:
        """Return a body of the client's; fields that are None are left out."""
        from lakefs_client import models

        return getattr(models, name)(**{key: value for key, value in fields.items() if value is not None})

    def _client(self) -> Any:
        found = self._clients.get(os.getpid())
        if found is None:
            import lakefs_client
            from lakefs_client.client import LakeFSClient

            configuration = lakefs_client.Configuration(
                host=self.settings.endpoint,
                username=self.settings.access_key_id,
                password=self.settings.secret_access_key,
            )
            configuration.ssl_ca_cert = self.settings.ca_bundle
            configuration.retries = False  # which calls may be repeated is not the pool's to know
            configuration.connection_pool_maxsize = CONNECTIONS
            # At DEBUG both log whole URLs, and a signed one authorises whoever reads it.
            for name in ("urllib3", "lakefs_client"):
                logging.getLogger(name).setLevel(logging.WARNING)
            found = self._clients.setdefault(os.getpid(), LakeFSClient(configuration))
        return found

    def _storage_pool(self) -> Any:
        """Return the pool for signed URLs; the storage may have its certificate from anybody."""
        found = self._storage_pools.get(os.getpid())
        if found is None:
            import urllib3

            context = ssl.create_default_context()
            if self.settings.ca_bundle is not None:
                context.load_verify_locations(self.settings.ca_bundle)
            made = urllib3.PoolManager(maxsize=STORAGE_CONNECTIONS, ssl_context=context)
            found = self._storage_pools.setdefault(os.getpid(), made)
        return found

    def _refuse_plain_http(self, what: str, url: str) -> None:
        if is_open_to_eavesdroppers(url) and not self.settings.allow_plain_http:
            raise AccessDenied(
                f"{what}: the server signs URLs in plain HTTP, to {urlsplit(url).hostname}; where the "
                "network is trusted type: lake.allow_plain_http=true, else: lake.presigned=false"
            )

    @contextmanager
    def _judging(self, what: str, signed_url: str | None = None) -> Iterator[None]:
        """Turn what the client and its pool raise into `Failed`."""
        from lakefs_client.exceptions import ApiException, OpenApiException
        from urllib3 import exceptions as pool

        try:
            yield
        except ApiException as error:
            raise Failed(self._judge_answer(what, error)) from error
        except OpenApiException as error:  # the client's own check, of what it is given or has got
            strange = "received_data" in str(error)
            found = self._stranger(what) if strange else InvalidName(f"{what}: {error}")
            raise Failed(Failure(found)) from error
        except (AttributeError, UnicodeDecodeError) as error:
            # lakefs-client decodes the body of every failure, also where there is none (TLS) or is no text.
            cause = error.__context__
            if not isinstance(cause, ApiException):
                raise
            raise Failed(self._judge_answer(what, cause)) from error
        except (pool.HTTPError, ConnectionError, TimeoutError) as error:
            # Not chained: the texts of the pool quote URLs, and a signed one authorises.
            raise Failed(self._judge_silence(what, error, signed_url)) from None

    def _judge_answer(self, what: str, error: Any) -> Failure:
        if not error.status:
            return self._tls_failure(what, str(error.reason), None)
        self.reached = True
        return judge(what, error.status, read_message(error.body), error.headers)

    def _judge_status(self, what: str, answer: Any, signed: bool) -> Failure:
        self.reached = self.reached or not signed
        said = answer.read(ERROR_BYTES)
        if signed:
            return judge_storage(what, answer.status, said, answer.headers)
        return judge(what, answer.status, read_message(said), answer.headers)

    def _judge_silence(self, what: str, error: Exception, signed_url: str | None) -> Failure:
        from urllib3 import exceptions as pool

        if isinstance(error, pool.SSLError):
            return self._tls_failure(what, str(error), signed_url)
        host = self._host(signed_url)
        if isinstance(error, pool.NewConnectionError | pool.ConnectTimeoutError):
            hint = (
                "is it up, and is LAKECTL_SERVER_ENDPOINT_URL right?"
                if signed_url is None
                else "where only the server reaches it, type: lake.presigned=false"
            )
            return Failure(LakeUnavailable(f"{what}: {host} cannot be reached; {hint}"), again=True)
        if isinstance(error, pool.TimeoutError | TimeoutError):
            said = f"{host} did not answer in time; for more, type: lake.timeout_seconds=<more>"
        else:
            said = f"the connection to {host} broke off"
        return Failure(LakeUnavailable(f"{what}: {said}"), nothing_done=False, again=True)

    def _tls_failure(self, what: str, said: str, signed_url: str | None) -> Failure:
        reason = said.strip().splitlines()[-1][:200] if said.strip() else "no reason given"
        hint = "for a certificate of your own type: lake.ca_bundle=<file.pem>"
        host = self._host(signed_url)
        return Failure(LakeUnavailable(f"{what}: no safe connection to {host}: {reason}; {hint}"))

    def _stranger(self, what: str) -> LakeError:
        endpoint = self.settings.endpoint
        return LakeError(
            f"{what}: {endpoint} does not answer as lakeFS does; is the URL right, path and all?"
        )

    def _host(self, signed_url: str | None) -> str:
        if signed_url is None:
            return urlsplit(self.settings.endpoint).netloc
        return f"the storage at {urlsplit(signed_url).netloc}"


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()
