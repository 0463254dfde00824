"""Where a dashboard listens, what it says when it cannot, and how it ends."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from mega_data_factory.cli import main
from mega_data_factory.dashboard.server.serving import Address, serve, url_of
from mega_data_factory.errors import ConfigError
from tests.made_runs import Op, Pool, make_run


def _refused(tmp_path: Path, **options: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        serve(tmp_path, **options)  # type: ignore[arg-type]
    return caught.value


def test_a_port_in_use_is_one_clear_error(tmp_path: Path) -> None:
    """Somebody else listens there: the error says so, and how to get another port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        error = _refused(tmp_path, port=taken.getsockname()[1])
    assert "Address already in use" in error.message
    assert "--port 0" in str(error.hint)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be_is_refused(tmp_path: Path, port: int) -> None:
    """Ports are sixteen bits."""
    assert "0 to 65535" in str(_refused(tmp_path, port=port).hint)


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    """What cannot be listened on is not a matter of the port (192.0.2.0/24 is nobody's: RFC 5737)."""
    error = _refused(tmp_path, host="192.0.2.1", port=0, token="0123456789abcdef")
    assert "--host" in str(error.hint)


def test_a_missing_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without waitress there is one error with the command that helps, and no traceback."""
    monkeypatch.delitem(sys.modules, "mega_data_factory.dashboard.server.serving")
    monkeypatch.setitem(sys.modules, "waitress", None)
    assert main(["dashboard"]) == 2
    said = capsys.readouterr().err
    assert "waitress" in said
    assert "mega-data-factory[dashboard]" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/"),
        ("::1", "http://[::1]:80/"),
        ("[::1]", "http://[::1]:80/"),
        ("0.0.0.0", f"http://{socket.gethostname()}:80/"),
    ],
)
def test_the_address_can_be_opened(host: str, url: str) -> None:
    """IPv6 in brackets, and where all addresses are listened on the name of the machine."""
    assert url_of(host, 80) == url
    assert Address(url, "secret").opening == f"{url}?token=secret"


@contextmanager
def _dashboard(metrics: Path, options: Sequence[str] = ()) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A dashboard in a process of its own: the process, the host and the port."""
    command = [sys.executable, "-m", "mega_data_factory.cli", "dashboard", "--metrics", str(metrics), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().split("http://")[1].split("/")[0].rpartition(":")
        yield process, host.strip("[]"), int(port)
    finally:
        process.kill()
        process.communicate()


def _asked(host: str, port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(host, port, timeout=20)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 200
    answer.read()
    return connection


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_with_browsers_open(tmp_path: Path, number: signal.Signals) -> None:
    """Connections that are kept alive do not hold it up; it says that it ended, and ends well."""
    make_run(tmp_path, (Pool("clean", [Op("length")]),), "run_1")
    with _dashboard(tmp_path) as (process, host, port):
        connections = [_asked(host, port) for _ in range(12)]
        started = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - started < 15
        assert (process.returncode, said) == (0, "ended\n")
        for connection in connections:
            connection.close()


@pytest.mark.slow
def test_two_dashboards_show_one_folder(tmp_path: Path) -> None:
    """Beside each other, on IPv4 and IPv6, over a folder that does not exist yet."""
    with _dashboard(tmp_path / "later") as (_, host, port), _dashboard(tmp_path / "later", ["--host", "::1"]) as other:
        for address in ((host, port), other[1:]):
            _asked(*address).close()
    assert not (tmp_path / "later").exists()
