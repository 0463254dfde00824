"""Lineage of real runs: every event keeps to the published schemas, and its counts are those of the store."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError

import mega_data_factory as mdf
from mega_data_factory.cli import main
from mega_data_factory.errors import ConfigError, MetricsError
from mega_data_factory.exports.openlineage.datasets import dataset_name, inputs_of, output_of
from mega_data_factory.exports.openlineage.delivery import Delivery, Target
from mega_data_factory.exports.openlineage.events import Naming, lineage_id
from mega_data_factory.exports.openlineage.exporter import OpenLineageExporter
from mega_data_factory.exports.openlineage.stored import send_stored_run
from mega_data_factory.framework.driver.books import Books
from mega_data_factory.framework.driver.run_columns import RunColumns
from mega_data_factory.framework.executor import Executor
from mega_data_factory.framework.metrics import MetricsReader, RunMetrics
from tests.engines.running import Pipeline, Result, fake, rejecting_some, stop_early
from tests.exports.openlineage_schemas import check
from tests.exports.snapshots import NOW, Receiver, Request, receiving
from tests.exports.snapshots import snapshot as made_snapshot
from tests.exports.test_settings import plan
from tests.metrics.test_versions import OLD, RUNS

Event = dict[str, Any]


def pipeline(folder: Path, *operators: dict[str, Any], on_error: str = "skip", **openlineage: Any) -> Pipeline:
    """A filter that rejects some records; its lineage goes to `events.jsonl` or where the settings say."""
    target = openlineage if "url" in openlineage else {"file": str(folder / "events.jsonl"), **openlineage}
    return rejecting_some(folder, *operators, on_error=on_error, metrics={"flush_interval": 0.2, "openlineage": target})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A finished run; its events are in `events.jsonl` above its output."""
    return pipeline(tmp_path_factory.mktemp("lineage"), inputs=["s3://lake/extra"]).run()


def folder_of(result: Result) -> Path:
    """The folder that everything of a run is below."""
    return result.files[0].parents[1]


def events_in(file: Path) -> list[Event]:
    """The events of a file, each checked."""
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for event in found:
        check(event)
    return found


def events_at(receiver: Receiver) -> list[Event]:
    """The events that a server has taken, each checked."""
    found = [json.loads(request.body) for request in receiver.sent("POST", "/api/v1/lineage")]
    for event in found:
        check(event)
    return found


def types(events: list[Event]) -> list[str]:
    return [event["eventType"] for event in events]


def reader_rows(result: Result, folder: Path) -> dict[str, dict[str, Any]]:
    """The stored rows of the output's columns, by name."""
    rows = MetricsReader(folder / "metrics").details("columns", result.run["run_id"]).to_pylist()
    return {row["column_name"]: row for row in rows}


def test_the_events_of_a_run_say_what_the_store_says(tmp_path: Path) -> None:
    """A server takes START, RUNNING and COMPLETE with the datasets, and counts and rejects of the Parquet files."""
    slow = fake("Slow", seconds=0.05)
    with receiving() as receiver:
        result = pipeline(tmp_path, slow, url=receiver.url, interval=0.2, namespace="curation", job="texts").run()
    events = events_at(receiver)
    assert types(events)[0] == "START"
    assert set(types(events)[1:-1]) == {"RUNNING"}, "the run takes longer than an interval"
    assert types(events)[-1] == "COMPLETE"
    last = events[-1]
    assert {event["run"]["runId"] for event in events} == {last["run"]["runId"]}
    assert last["job"]["namespace"] == "curation"
    assert last["job"]["name"] == "texts"
    (source,), (output,) = last["inputs"], last["outputs"]
    assert (source["namespace"], source["name"]) == ("file", str(tmp_path / "a.jsonl"))
    assert (output["namespace"], output["name"]) == ("file", str(tmp_path / "output"))
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == result.run["total_input_records"] == 400
    statistics = output["outputFacets"]["outputStatistics"]
    assert statistics["rowCount"] == result.run["total_output_records"] == len(result.texts)
    assert statistics["fileCount"] == len(result.files)
    assert statistics["size"] == sum(file.stat().st_size for file in result.files)
    quality, measured = output["facets"]["dataQualityMetrics"], reader_rows(result, tmp_path)
    assert quality["rowCount"] == len(result.texts)
    assert set(quality["columnMetrics"]) == set(measured) == {f["name"] for f in output["facets"]["schema"]["fields"]}
    number = quality["columnMetrics"]["number"]
    assert (number["min"], number["max"]) == (measured["number"]["minimum"], measured["number"]["maximum"])
    assert number["quantiles"]["0.5"] == measured["number"]["p50"]
    assert number["nullCount"] == 0
    assert "min" not in quality["columnMetrics"]["text"], "lengths are no values"
    (rejections,) = last["run"]["facets"]["mdf_rejections"]["operators"]
    assert rejections["operator"] == "text_length_filter"
    assert rejections["reasons"] == {"too_short": 400 - len(result.texts)}
    assert last["run"]["facets"]["mdf_run"]["balanced"] is True
    assert last["run"]["facets"]["mdf_run"]["id"] == result.run["run_id"]
    assert result.run["export_failures"] == 0


@pytest.mark.slow
def test_a_failed_run_ends_with_its_error(tmp_path: Path) -> None:
    """FAIL carries the message of the error."""
    result = pipeline(tmp_path, fake("Raises", word="text 333 "), on_error="fail").run()
    assert result.error is not None
    last = events_in(tmp_path / "events.jsonl")[-1]
    assert last["eventType"] == "FAIL"
    assert last["run"]["facets"]["errorMessage"]["message"] == result.run["error"]


@pytest.mark.slow
def test_an_interrupted_run_is_aborted_and_its_resumption_completes_it(tmp_path: Path) -> None:
    """Both sessions of a resumed run are one run of OpenLineage: ABORT, then COMPLETE."""
    made = pipeline(tmp_path, fake("Slow", seconds=0.02))
    run_id = stop_early(made)
    Executor(made.config(), resume=run_id).run()
    events = events_in(tmp_path / "events.jsonl")
    assert [kind for kind in types(events) if kind not in ("START", "RUNNING")] == ["ABORT", "COMPLETE"]
    assert len({event["run"]["runId"] for event in events}) == 1
    run = MetricsReader(str(made.metrics)).run(run_id)
    assert events[-1]["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == run["total_output_records"]


@pytest.mark.slow
def test_a_server_that_refuses_is_asked_again_and_loses_no_start(tmp_path: Path) -> None:
    """While a server refuses, nothing is lost: it is sent START before anything else, and the end."""
    refused: list[str] = []

    def answer(request: Request) -> int:
        if len(refused) < 2:
            refused.append(json.loads(request.body)["eventType"])
            return 503
        return 201

    with receiving() as receiver:
        receiver.answer = answer
        result = pipeline(tmp_path, fake("Slow", seconds=0.02), url=receiver.url, interval=0.1).run()
    taken = types(events_at(receiver))[2:]
    assert refused == ["START", "START"]
    assert taken[0] == "START"
    assert taken[-1] == "COMPLETE"
    assert result.run["status"] == "completed"
    assert result.run["export_failures"] == 2


@pytest.mark.slow
def test_a_server_that_is_silent_does_not_hold_up_the_run(tmp_path: Path) -> None:
    """Where the server takes a connection and never answers, the run completes, and says that exports failed."""
    released = threading.Event()

    def answer(request: Request) -> int:
        released.wait(30)
        return 200

    with receiving() as receiver:
        receiver.answer = answer
        result = pipeline(tmp_path, url=receiver.url, timeout=0.2).run()
        released.set()
    assert result.run["status"] == "completed"
    assert result.closed()
    assert result.seconds < 25
    assert result.run["export_failures"] >= 1


@pytest.mark.slow
def test_a_server_that_is_not_there_does_not_fail_the_run(tmp_path: Path) -> None:
    """Nothing listens: the run completes."""
    with receiving() as receiver:
        address = receiver.url
    result = pipeline(tmp_path, url=address, timeout=0.2).run()
    assert result.run["status"] == "completed"


def test_keys_and_headers_are_sent_and_not_stored() -> None:
    """The key goes out as a bearer token, headers as they are; neither is in an event or in the stored settings."""
    secrets = {"api_key": "k-topsecret", "headers": {"x-team": "h-topsecret"}}
    with receiving() as receiver:
        made = plan(openlineage={"url": receiver.url, **secrets})
        made.exporters["open_lineage"].build().export(made_snapshot())
    (request,) = receiver.requests
    assert request.headers["authorization"] == "Bearer k-topsecret"
    assert request.headers["x-team"] == "h-topsecret"
    assert b"topsecret" not in request.body
    assert "topsecret" not in json.dumps(RunColumns(made, Books(None)).known_at_start()["config"])


def test_without_a_target_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """`openlineage: {}` sends to OPENLINEAGE_URL under OPENLINEAGE_NAMESPACE; without a target it is refused."""
    with pytest.raises(ConfigError, match="give url or file, or set OPENLINEAGE_URL"):
        plan(openlineage={})
    with receiving() as receiver:
        monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
        monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "nightly")
        exporter = OpenLineageExporter()
        exporter.export(made_snapshot())
    (event,) = events_at(receiver)
    assert event["job"]["namespace"] == "nightly"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"url": "http://h:1", "file": "x"}, "give either url or file, not both"),
        ({"url": "marquez:5000"}, "this is not an address; write http://host:port"),
        ({"url": "http://h:1", "headers": {"x key": "a"}}, "'x key' is not the name of a header"),
        ({"url": "http://h:1", "namespace": ""}, "executor.metrics.openlineage.namespace"),
        ({"url": "http://h:1", "intervall": 3}, "unknown key; did you mean `interval`?"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(section: dict[str, Any], message: str) -> None:
    """Every mistake in the section is an error at the door."""
    with pytest.raises(ConfigError) as refused:
        plan(openlineage=section)
    assert message in str(refused.value)


def test_a_stored_run_is_sent_as_it_was_exported(
    finished: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`mdf export openlineage` makes the events of the end again from the store, also from another folder."""
    monkeypatch.chdir(tmp_path)
    command = ["export", "openlineage", "latest", "--json", "--metrics", str(folder_of(finished) / "metrics")]
    assert main([*command, "--file", "sent.jsonl", "--input", "s3://lake/extra"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run_id": finished.run["run_id"], "sent": ["START", "COMPLETE"]}
    assert events_in(tmp_path / "sent.jsonl")[-1] == events_in(folder_of(finished) / "events.jsonl")[-1]


def test_a_dataset_without_a_name_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An empty text is no location: it would be the working folder."""
    words = ["export", "openlineage", "--file", str(tmp_path / "events.jsonl"), "--output", ""]
    assert main(words) == 2
    assert "--input and --output name a dataset" in capsys.readouterr().err


def test_an_observed_run_has_lineage(tmp_path: Path) -> None:
    """A run of another engine is sent from the store, with the datasets that the command names."""
    with mdf.observe("observed", metrics=tmp_path / "metrics", node_interval=0) as run:
        keep = run.step(lambda record: record["n"] % 4 != 0, name="every_fourth", stage="judge", reason="fourth")
        kept = [record for record in ({"n": n} for n in range(100)) if keep(record)]
    naming = Naming("default", inputs=("s3://lake/raw/*.parquet",), outputs=("gs://curated/texts",))
    delivery = Delivery(Target(file=str(tmp_path / "events.jsonl")))
    reader = MetricsReader(tmp_path / "metrics")
    assert send_stored_run(reader, "latest", delivery, naming) == ["START", "COMPLETE"]
    start, end = events_in(tmp_path / "events.jsonl")
    assert start["job"]["name"] == "observed"
    (source,), (output,) = end["inputs"], end["outputs"]
    assert (source["namespace"], source["name"]) == ("s3://lake", "raw")
    assert (output["namespace"], output["name"]) == ("gs://curated", "texts")
    (rejections,) = end["run"]["facets"]["mdf_rejections"]["operators"]
    assert rejections["reasons"] == {"fourth": 100 - len(kept)}


@pytest.mark.parametrize("version", RUNS)
def test_a_run_of_an_older_version_is_sent(version: int, tmp_path: Path) -> None:
    """What its files lack has the default that it has for every reader, and the events keep to their schemas."""
    delivery = Delivery(Target(file=str(tmp_path / "events.jsonl")))
    reader = MetricsReader(OLD / f"version_{version}")
    assert send_stored_run(reader, RUNS[version], delivery, Naming("default")) == ["START", "COMPLETE"]
    _, end = events_in(tmp_path / "events.jsonl")
    assert end["run"]["facets"]["mdf_run"]["status"] == "completed"
    assert end["run"]["facets"]["mdf_run"]["inputRecords"] == (1000 if version == 0 else 0)


def test_a_file_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    """The error names the file."""
    exporter = OpenLineageExporter(file=str(tmp_path / "absent" / "x.jsonl"))
    with pytest.raises(MetricsError, match=r"absent/x\.jsonl"):
        exporter.export(made_snapshot())


@pytest.mark.parametrize(
    ("location", "namespace", "name"),
    [
        ("/data/a.jsonl", "file", "/data/a.jsonl"),
        ("file:///data/a", "file", "/data/a"),
        ("/data/cc/*/part-?.parquet", "file", "/data/cc"),
        ("s3://lake/raw/2026", "s3://lake", "raw/2026"),
        ("s3a://lake/raw/", "s3://lake", "raw"),
        ("gcs://lake/raw/**", "gs://lake", "raw"),
        ("s3://lake", "s3://lake", "/"),
        ("hdfs://node:8020/a/b", "hdfs://node:8020", "a/b"),
        ("https://me:topsecret@host/a.jsonl", "https://***@host", "a.jsonl"),
    ],
)
def test_datasets_are_named_as_the_specification_says(location: str, namespace: str, name: str) -> None:
    """Store and name of a location are apart, patterns are folders, and no password is in a name."""
    assert dataset_name(location) == (namespace, name)


def test_inputs_follow_from_the_configuration() -> None:
    """Several paths are several inputs, a dataset of the Hub is one; relative paths start where the run did."""
    config = {
        "data_loader": {"type": "parquet_loader", "params": {"path": ["in/a", "s3://lake/b", "in/a"]}},
        "data_writer": {"params": {"output_path": "out/texts"}},
    }
    run = RunMetrics("run_1", config=config, paths={"output": "/data/of/team/out/texts"})
    assert inputs_of(run) == [("file", "/data/of/team/in/a"), ("s3://lake", "b")]
    assert output_of(run) == ("file", "/data/of/team/out/texts")
    waiting = RunMetrics("run_1", config=config, paths={"output": "/data/of/team/out/texts/_pending/run_1"})
    assert (inputs_of(waiting), output_of(waiting)) == (inputs_of(run), output_of(run)), "not complete yet"
    hub = RunMetrics("run_1", config={"data_loader": {"params": {"dataset": "allenai/c4"}}})
    assert inputs_of(hub) == [("hf://datasets", "allenai/c4")]
    assert inputs_of(RunMetrics("run_1")) == []


def test_the_uuid_follows_from_job_and_run() -> None:
    """Two runs, and runs of two jobs, have two UUIDs; one run always has the same."""
    run, naming = made_snapshot().run, Naming("default")
    assert lineage_id(run, naming) == lineage_id(made_snapshot(start_time=NOW).run, naming)
    assert lineage_id(run, naming) != lineage_id(made_snapshot(run_id="run_2").run, naming)
    assert lineage_id(run, naming) != lineage_id(run, Naming("curation"))
    assert lineage_id(run, naming) != lineage_id(run, Naming("default", "other"))


def test_the_check_can_fail(finished: Result) -> None:
    """An event with a field that the specification does not have, or a wrong type in a facet, is refused."""
    event = events_in(folder_of(finished) / "events.jsonl")[-1]
    damages: list[Callable[[Event], object]] = [
        lambda e: e.update(extra=1),
        lambda e: e.pop("producer"),
        lambda e: e["outputs"][0]["outputFacets"]["outputStatistics"].update(rowCount="many"),
        lambda e: e["run"]["facets"]["mdf_run"].update(status="done"),
        lambda e: e["run"]["facets"]["mdf_rejections"]["operators"].append({}),
    ]
    for damage in damages:
        damaged = json.loads(json.dumps(event))
        damage(damaged)
        with pytest.raises(ValidationError):
            check(damaged)


def test_a_refusal_names_the_reason() -> None:
    """An error of a transport is one of ours."""
    with receiving() as receiver:
        receiver.answer = 422
        exporter = OpenLineageExporter(url=receiver.url)
        with pytest.raises(MetricsError, match="OpenLineage: HTTPError: 422"):
            exporter.export(made_snapshot())
