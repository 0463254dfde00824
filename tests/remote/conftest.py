"""An S3 server on the loopback interface, spoken to over HTTP as any other."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import fsspec
import pytest

from tests.remote.cutting import CuttingProxy


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a server of the S3 API that lives as long as the tests."""
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 90
        while not _answers(port):
            assert server.poll() is None, "the S3 server has ended"
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of an empty bucket of its own; the environment says how to reach it, to this process and its children."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    file_system("s3").mkdir(name)
    return f"s3://{name}"


@pytest.fixture
def cutting_proxy(bucket: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CuttingProxy]:
    """A proxy in front of the server, through which everything goes from now on."""
    proxy = CuttingProxy(int(s3_endpoint.rpartition(":")[2]))
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # s3fs tries again by itself
    forget_connections()
    yield proxy
    forget_connections()
    proxy.close()


def forget_connections() -> None:
    """Connect anew from now on: the environment names another endpoint."""
    from mega_data_factory.storage.s3 import PatientS3

    for connections in (PatientS3, type(file_system("s3"))):
        connections.clear_instance_cache()


def file_system(protocol: str) -> fsspec.AbstractFileSystem:
    """A file system that knows nothing of what others have cached."""
    return fsspec.filesystem(protocol, use_listings_cache=False)


def names_below(uri: str) -> list[str]:
    """Every key below a location, relative to it."""
    fs, path = fsspec.core.url_to_fs(uri, use_listings_cache=False)
    return sorted(name[len(path) :].lstrip("/") for name in fs.find(path))
