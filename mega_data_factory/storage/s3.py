"""S3 with an end to waiting: a store that does not answer is asked again, with a warning each time, then abandoned."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from fsspec.asyn import sync_wrapper
from s3fs import S3FileSystem
from s3fs.errors import translate_boto_error

from mega_data_factory.backoff import Backoff
from mega_data_factory.storage.location import StoreSilent

_BYTES_PER_SECOND = 256 << 10
"""How fast a request's body is sent at least: a slower one counts as not answered."""

_SECONDS_WHEN_SILENT = 5.0
"""How long a store that has just been abandoned is waited for, once, so that a run that fails for it ends soon."""

_SILENT_FOR = 120.0
"""Seconds after which it is given the usual time again."""

_THROTTLED = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestLimitExceeded"})

log = logging.getLogger("mega_data_factory.storage")


@dataclass(frozen=True)
class Patience:
    """How long to wait for an object store.

    Attributes:
        timeout: seconds without an answer, or to connect in, after which a request is made again.
        attempts: how often a request is made in all.
    """

    timeout: float = 30.0
    attempts: int = 3

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Patience:
        """Read `MDF_STORE_TIMEOUT` and `MDF_STORE_ATTEMPTS`; for the latter also boto's own `AWS_MAX_ATTEMPTS`.

        Raises:
            ValueError: one is not a number, or too small.
        """
        name, text = "MDF_STORE_TIMEOUT", environment.get("MDF_STORE_TIMEOUT") or str(cls.timeout)
        try:
            timeout = float(text)
            name = "MDF_STORE_ATTEMPTS" if environment.get("MDF_STORE_ATTEMPTS") else "AWS_MAX_ATTEMPTS"
            text = environment.get(name) or str(cls.attempts)
            attempts = int(text)
        except ValueError:
            raise ValueError(f"{name} is {text!r}, not a number") from None
        if not 0 < timeout < float("inf") or attempts < 1:
            raise ValueError("MDF_STORE_TIMEOUT must be more than 0 seconds, MDF_STORE_ATTEMPTS at least 1")
        return cls(timeout, attempts)


class PatientS3(S3FileSystem):  # type: ignore[misc]  # s3fs has no types
    """S3 of s3fs with one layer of retries in place of three, each attempt bounded, and a warning before each retry.

    Args:
        patience: how long to wait.
        options: of `S3FileSystem`.
    """

    def __init__(self, *, patience: Patience, **options: Any) -> None:
        config = {
            "connect_timeout": patience.timeout,
            "read_timeout": patience.timeout,
            "retries": {"total_max_attempts": 1},
            **(options.pop("config_kwargs", None) or {}),
        }
        super().__init__(config_kwargs=config, **options)
        self._patience = patience
        self._silent_until = 0.0
        self.retries = patience.attempts  # of bodies that break off while they are read

    async def _call_s3(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Make a request, again if that may help.

        Raises:
            StoreSilent: no attempt was answered.
            OSError: the store has refused the request.
        """
        await self.set_session()
        client = await self.get_s3(options.get("Bucket"))
        call = getattr(client, method)
        known = self._get_s3_method_kwargs(call, *arguments, **options)
        what = f"{method} of s3://{known.get('Bucket', '')}/{known.get('Key') or known.get('Prefix') or ''}"
        return await self._ask(lambda: call(**known), what, _body_bytes(known.get("Body")) / _BYTES_PER_SECOND)

    call_s3 = sync_wrapper(_call_s3)

    async def _ask(self, call: Callable[[], Awaitable[Any]], what: str, extra: float) -> Any:
        """Await a call until it is answered.

        Args:
            call: makes the request.
            what: it is, for messages.
            extra: seconds that its body may take.
        """
        silent = time.monotonic() < self._silent_until
        attempts = 1 if silent else self._patience.attempts
        seconds = min(_SECONDS_WHEN_SILENT, self._patience.timeout) if silent else self._patience.timeout
        backoff = Backoff(min(1.0, seconds), seconds)
        for attempt in range(1, attempts + 1):
            try:
                answer = await asyncio.wait_for(call(), seconds + extra)
            except Exception as error:
                if not _may_pass(error):
                    raise translate_boto_error(error) from error
                if attempt == attempts:
                    self._silent_until = time.monotonic() + _SILENT_FOR
                    times = "" if attempts == 1 else f", asked {attempts} times"
                    raise StoreSilent(f"{_reason(error, seconds)}{times}") from error
                pause = backoff.pause
                backoff.failed()
                log.warning(
                    "%s: %s; asking again in %.3g s (%d of %d)",
                    what,
                    _reason(error, seconds),
                    pause,
                    attempt + 1,
                    attempts,
                )
                await asyncio.sleep(pause)
            else:
                self._silent_until = 0.0
                return answer
        raise AssertionError("there is at least one attempt")


def _may_pass(error: Exception) -> bool:
    """Return whether a failure is of the network, or of a store that has too much to do: asking again may help."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or error.response.get("Error", {}).get("Code") in _THROTTLED
    return isinstance(error, TimeoutError | ConnectionError | HTTPClientError)


def _reason(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError) or "timeout" in type(error).__name__.lower():
        return f"the store has not answered in {seconds:g} s"
    return f"the store does not answer ({str(error) or type(error).__name__})"


def _body_bytes(body: Any) -> int:
    if isinstance(body, bytes | bytearray | memoryview):
        return len(body)
    return getattr(body, "getbuffer", lambda: b"")().__len__()
