"""A store that does not answer is asked again, with a word each time, and given up with one error."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mega_data_factory import storage
from mega_data_factory.cli import main
from mega_data_factory.errors import InputError, OutputError
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.executor import Executor
from tests.remote.conftest import forget_connections, names_below
from tests.remote.cutting import CuttingProxy
from tests.remote.silence import SilentServer

pytestmark = pytest.mark.slow

ATTEMPTS = 2


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Little patience, and no connections of other tests."""
    monkeypatch.setenv("MDF_STORE_TIMEOUT", "0.5")
    monkeypatch.setenv("MDF_STORE_ATTEMPTS", str(ATTEMPTS))
    forget_connections()
    yield
    forget_connections()


@pytest.fixture(params=[True, False], ids=["reads", "does not read"])
def silent(
    request: pytest.FixtureRequest, bucket: str, waiting: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SilentServer]:
    """A silent server as the S3 endpoint of this process and its children."""
    server = SilentServer(reads=request.param)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    yield server
    server.close()


def put(uri: str) -> None:
    with storage.atomic_output(uri) as sink:
        sink.write(b"x" * 100)


def put_much(uri: str) -> None:
    with storage.atomic_output(uri) as sink:
        sink.write(b"x" * (40 << 20))


CALLS: list[Callable[[str], object]] = [
    put,
    put_much,
    storage.read_bytes,
    storage.size,
    storage.exists,
    storage.list_dir,
    storage.list_files,
]
CALLS += [storage.remove, storage.remove_tree]


@pytest.mark.parametrize("call", CALLS)
def test_every_call_ends(silent: SilentServer, caplog: pytest.LogCaptureFixture, call: Callable[[str], object]) -> None:
    """Each is asked again with a warning that names the place, then ends with an error of ours, soon."""
    started = time.monotonic()
    with caplog.at_level(logging.WARNING), pytest.raises((InputError, OutputError)) as error:
        call("s3://bucket/folder/file")
    assert "the store has not answered in 0.5 s" in str(error.value)
    assert "bucket/folder" in str(error.value)
    assert "MDF_STORE_TIMEOUT" in (error.value.hint or "")
    warnings = [record.getMessage() for record in caplog.records if "asking again" in record.getMessage()]
    assert warnings
    assert all("s3://bucket/folder" in text and f"(2 of {ATTEMPTS})" in text for text in warnings)
    assert time.monotonic() - started < 60
    assert silent.connections


@pytest.mark.parametrize(("name", "value"), [("MDF_STORE_TIMEOUT", "soon"), ("MDF_STORE_ATTEMPTS", "0")])
def test_a_wrong_setting_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A setting that is no number, or too small, is one error."""
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=name) as error:
        storage.list_dir(bucket)
    assert error.value.hint is None


def test_a_store_that_answers_late_is_not_given_up(
    waiting: None, cutting_proxy: CuttingProxy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that comes back while it is asked again has all that was written."""
    monkeypatch.setenv("MDF_STORE_ATTEMPTS", "8")
    cutting_proxy.swallows = b"PUT /"
    threading.Timer(1.0, lambda: setattr(cutting_proxy, "swallows", None)).start()
    put(f"{bucket}/a")
    assert cutting_proxy.swallows is None
    assert storage.read_bytes(f"{bucket}/a") == b"x" * 100


@pytest.mark.parametrize("swallows", [b"PUT ", b"HTTP"], ids=["what is written", "everything"])
def test_a_run_into_a_store_that_falls_silent(
    waiting: None,
    cutting_proxy: CuttingProxy,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    swallows: bytes,
) -> None:
    """The terminal has a word of each retry, then one error that names the file; resumed, the run completes."""
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"text": f"text {n}"}) for n in range(200)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    (tmp_path / "p.yaml").write_text(
        f"""
data_loader: {{type: jsonl_loader, params: {{path: a.jsonl}}}}
stages: [{{name: s, operators: [{{name: text_length_filter, params: {{min_length: 1}}}}]}}]
data_writer: {{type: parquet_writer, params: {{output_path: "{bucket}/out", target_file_mb: 0}}}}
executor: {{batch_size: 10}}
"""
    )
    executor = Executor(PipelineConfig.from_yaml("p.yaml"), run_id="run_silent")
    started = 0.0
    with pytest.raises(OutputError) as error:  # noqa: PT012 - the store falls silent within
        for progress in executor.execute():
            if progress.batches_committed and not started:
                started, cutting_proxy.swallows = time.monotonic(), swallows
    assert time.monotonic() - started < 60
    assert error.value.slug == "store-silent"
    assert re.search(
        rf"cannot [a-z]+ {bucket}/out/.*: the store has not answered in 0.5 s, asked 2 times", str(error.value)
    )
    said = capfd.readouterr()
    assert re.search(r"_object of s3://.*/out/.*: the store has not answered in 0.5 s; asking again", said.err)
    assert "Traceback" not in said.err
    cutting_proxy.swallows = None
    assert main(["run", "--config", "p.yaml", "--resume", "run_silent", "--json"]) == 0
    answer = json.loads(capfd.readouterr().out)
    assert (answer["books"]["balanced"], answer["run"]["total_output_records"]) == (True, 200)
    assert all(name.startswith("part-") for name in names_below(f"{bucket}/out"))


def test_a_command_says_one_error(silent: SilentServer) -> None:
    """Where the store is silent from the start, the command ends with one error, after a warning on the terminal."""
    command = "from mega_data_factory.cli import command; command()"
    arguments = ["runs", "list", "--metrics", "s3://bucket/metrics"]
    ended = subprocess.run([sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    warning, error, hint = ended.stderr.splitlines()
    assert "the store has not answered in 0.5 s; asking again in 0.5 s (2 of 2)" in warning
    assert error.startswith("error[store-silent]: cannot ")
    assert hint.startswith("  hint: check network and endpoint")
