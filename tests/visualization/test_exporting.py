"""Metrics as files."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as parquet_encryption
import pytest

from mega_data_factory.errors import OutputError, VisualizationError
from mega_data_factory.visualization import MetricsVisualizer
from tests.visualization.making import START, cluster

KEY = "0123456789abcdef0123456789abcdef"


def test_every_format_holds_the_same_rows(tmp_path: Path) -> None:
    """CSV, Parquet, JSON, JSON lines, Arrow and Excel are read back as the frame."""
    visualizer = cluster(2, 20)
    frame = visualizer.to_frame()
    for suffix in ("csv", "parquet", "json", "jsonl", "arrow", "xlsx", "html"):
        visualizer.export_metrics(tmp_path / f"metrics.{suffix}")
    found = {
        "csv": pd.read_csv(tmp_path / "metrics.csv", parse_dates=["timestamp"]),
        "parquet": pq.read_table(tmp_path / "metrics.parquet").to_pandas(),
        "json": pd.DataFrame(json.loads((tmp_path / "metrics.json").read_text())),
        "jsonl": pd.DataFrame([json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]),
        "arrow": feather.read_feather(tmp_path / "metrics.arrow"),
        "xlsx": pd.read_excel(tmp_path / "metrics.xlsx"),
        "html": frame,
    }
    for name, read in found.items():
        read["timestamp"] = pd.to_datetime(read["timestamp"]).astype("datetime64[us]").dt.round("ms")
        pd.testing.assert_frame_equal(
            read.astype({"node_id": str, "status": str}),
            frame.assign(timestamp=frame["timestamp"].dt.round("ms")).astype({"node_id": str, "status": str}),
            check_dtype=False,
            obj=name,
        )
    assert "40 rows, times in UTC" in (tmp_path / "metrics.html").read_text()


def test_a_part_can_be_exported(tmp_path: Path) -> None:
    """Nodes, metrics and a time range choose rows and columns."""
    visualizer = cluster(2, 20)
    visualizer.export_metrics(
        tmp_path / "part.csv", nodes="node-2", metrics=["iops", "status"], time_range=(START + 5, START + 9)
    )
    part = pd.read_csv(tmp_path / "part.csv")
    assert part.columns.tolist() == ["node_id", "timestamp", "iops", "status"]
    assert set(part["node_id"]) == {"node-2"}
    assert len(part) == 4


def test_an_encrypted_file_is_read_with_the_key_and_only_with_it(tmp_path: Path) -> None:
    """pyarrow and DuckDB read it with the key; without it, or with another, neither does, nor do names show."""
    visualizer = cluster(1, 50)
    path = tmp_path / "secret.parquet"
    visualizer.export_metrics(path, key=KEY)
    expected = visualizer.to_frame()["cpu_usage"].tolist()
    right = parquet_encryption.create_decryption_properties(KEY.encode())
    assert pq.read_table(path, decryption_properties=right)["cpu_usage"].to_pylist() == expected
    with duckdb.connect() as connection:
        connection.execute(f"PRAGMA add_parquet_key('ours', '{KEY}')")
        query = f"SELECT cpu_usage FROM read_parquet('{path}', encryption_config = {{footer_key: 'ours'}})"
        assert [row[0] for row in connection.execute(query).fetchall()] == expected
        with pytest.raises(duckdb.Error):
            connection.execute(f"SELECT * FROM read_parquet('{path}')")
        connection.execute(f"PRAGMA add_parquet_key('other', '{KEY[::-1]}')")
        with pytest.raises(duckdb.Error):
            connection.execute(query.replace("'ours'", "'other'"))
    with pytest.raises(OSError, match="decryption"):
        pq.read_table(path)
    with pytest.raises(OSError, match=r"footer|decrypt|tag"):
        pq.read_table(path, decryption_properties=parquet_encryption.create_decryption_properties(KEY[::-1].encode()))
    assert b"cpu_usage" not in path.read_bytes()
    assert KEY.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("m.parquet", "short", "16, 24 or 32 bytes, this one has 5"),
        ("m.csv", KEY, "only .parquet takes a key"),
        ("m.xls", None, "did you mean `.xlsx`"),
        ("m.htm", None, "does not say what to write"),
    ],
)
def test_a_wrong_key_or_suffix_writes_nothing(name: str, key: str | None, message: str, tmp_path: Path) -> None:
    """The error says what is right, never contains the key, and no file appears."""
    with pytest.raises(VisualizationError, match=message) as caught:
        cluster(1, 5).export_metrics(tmp_path / name, key=key)
    assert KEY not in str(caught.value)
    assert "short" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_text_is_no_formula_and_no_markup(tmp_path: Path) -> None:
    """A node id that begins with `=` is text in a workbook, and one of HTML is text in a page."""
    visualizer = MetricsVisualizer()
    visualizer.add_metrics("=1+1", {"cpu_usage": 1.0}, START)
    visualizer.add_metrics("<script>x</script>", {"cpu_usage": 1.0}, START)
    visualizer.export_metrics(tmp_path / "m.xlsx")
    visualizer.export_metrics(tmp_path / "m.html")
    cells = [row[0] for row in openpyxl.load_workbook(tmp_path / "m.xlsx").active.iter_rows(min_row=2)]
    assert {(cell.value, cell.data_type) for cell in cells} == {("=1+1", "s"), ("<script>x</script>", "s")}
    assert "<script>" not in (tmp_path / "m.html").read_text()


def test_a_place_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    """The error names the path, and the file that was there stays as it was."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError):
        cluster(1, 5).export_metrics(tmp_path / "file" / "m.csv")
    assert (tmp_path / "file").read_text() == "mine"


def test_the_summary_is_json() -> None:
    """It goes through JSON unchanged and tells of cluster and nodes."""
    summary = cluster(2, 60).get_metrics_summary()
    assert json.loads(json.dumps(summary)) == summary
    assert (summary["nodes"], summary["points"], summary["start"]) == (2, 120, "2026-01-24 12:00:00")
    assert summary["by_node"]["node-1"]["status"] == "active"
    assert summary["by_node"]["node-2"]["metrics"]["disk_usage"]["last"] == pytest.approx(30.0595)
