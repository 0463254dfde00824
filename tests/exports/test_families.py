"""A snapshot as families: every number of the store, bounded labels, counters that never fall."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from mega_data_factory.exports.cardinality import OTHER, Bounds, label
from mega_data_factory.exports.families import Families
from mega_data_factory.exports.prometheus.exposition import EDGES, classic_buckets, exposed, prometheus_name
from mega_data_factory.framework.metrics import LatencyHistogram, NodeMetrics, OperatorMetrics
from mega_data_factory.framework.metrics.live.exporting import ExportSnapshot
from tests.exports.snapshots import NOW, operator, snapshot

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(given: ExportSnapshot, families: Families | None = None) -> Samples:
    """Name and labels → value, as a reader of the text format sees them; the pipeline is left out."""
    text, _ = exposed((families or Families()).from_snapshot(given))
    found: Samples = {}
    for family in parse(text.decode()):
        for sample in family.samples:
            labels = frozenset(item for item in sample.labels.items() if item[0] != "pipeline")
            assert sample.labels["pipeline"] == "demo"
            assert (sample.name, labels) not in found, "a series twice"
            found[sample.name, labels] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_counts_of_operators_are_those_of_all_workers() -> None:
    """Records, rejections by reason, errors, seconds and batches are the sums over the workers of the operator."""
    given = snapshot()
    found = samples(given)
    rows = [row for row in given.operators if row.operator_name == "a"]
    names = {"stage": "clean", "operator": "a"}
    assert value(found, "mdf_operator_records_total", **names, direction="in") == 4000
    assert value(found, "mdf_operator_records_total", **names, direction="out") == 3560
    assert value(found, "mdf_operator_rejected_records_total", **names, reason="too_short") == 280
    assert value(found, "mdf_operator_rejected_records_total", **names, reason="too_long") == 120
    assert value(found, "mdf_operator_unmatched_records_total", **names) == 160
    assert value(found, "mdf_operator_errors_total", **names) == 40
    assert value(found, "mdf_operator_batches_total", **names) == 40
    assert value(found, "mdf_operator_busy_seconds_total", **names) == sum(row.total_time for row in rows)


def test_created_records_have_a_series_where_there_are_some() -> None:
    """An operator that creates none has none: nearly all are such."""
    rows = [operator("a", "clean-0"), operator("a", "clean-1"), operator("b", index=1)]
    assert "mdf_operator_created_records_total" not in {name for name, _ in samples(snapshot(rows))}
    for row in rows[:2]:
        row.observe(1.0, 10, 30, created_records=20)
    found = samples(snapshot(rows))
    assert value(found, "mdf_operator_created_records_total", stage="clean", operator="a") == 40
    assert sum(name == "mdf_operator_created_records_total" for name, _ in found) == 1


def test_text_and_tokens_have_series_where_they_are_counted() -> None:
    """Bytes of text and tokens of operators, in and out; none of what is not counted, as before a tokenizer."""
    rows = [operator("a", "clean-0"), operator("a", "clean-1"), operator("b", index=1)]
    names = {name for name, _ in samples(snapshot(rows))}
    assert not {"mdf_operator_text_bytes_total", "mdf_operator_tokens_total", "mdf_run_tokens_total"} & names
    for row in rows[:2]:
        row.observe(1.0, 10, 10, text_bytes=(100, 90), tokens=(None, 7))
    found = samples(snapshot(rows))
    place = {"stage": "clean", "operator": "a"}
    assert value(found, "mdf_operator_text_bytes_total", **place, direction="in") == 200
    assert value(found, "mdf_operator_text_bytes_total", **place, direction="out") == 180
    assert value(found, "mdf_operator_tokens_total", **place, direction="out") == 14
    assert sum(name == "mdf_operator_tokens_total" for name, _ in found) == 1


def test_numbers_of_the_run_and_its_stages() -> None:
    """The run's and the stages' columns are there, with times as Unix time and one status that is 1."""
    found = samples(snapshot())
    assert value(found, "mdf_run_records_total", direction="in") == 4000
    assert value(found, "mdf_run_records_total", direction="out") == 3560
    assert value(found, "mdf_run_output_bytes_total") == 12345
    assert value(found, "mdf_run_in_flight_records") == 120
    assert value(found, "mdf_run_start_timestamp_seconds") == 1769256000.25
    assert value(found, "mdf_run_heartbeat_timestamp_seconds") == 1769256300
    assert value(found, "mdf_run_status", status="running") == 1
    assert value(found, "mdf_run_status", status="failed") == 0
    assert value(found, "mdf_run_info", engine="local", version="1.0") == 1
    assert value(found, "mdf_stage_workers", stage="clean") == 2
    assert value(found, "mdf_stage_backlog", stage="clean") == 4
    assert value(found, "mdf_export_failures_total", exporter="otlp") == 2


def test_what_is_not_known_is_absent() -> None:
    """Books that are not closed yet, no end, no plan, a node without a GPU: no series, rather than a 0."""
    found = samples(snapshot())
    names = {name for name, _ in found}
    assert not names & {"mdf_run_balanced", "mdf_run_end_timestamp_seconds", "mdf_run_planned_records"}
    assert ("mdf_node_gpu_usage_ratio", frozenset({("node", "n2")})) not in found
    closed = samples(snapshot(balanced=False, unbalanced_records=3, planned_records=9, end_time=NOW))
    assert value(closed, "mdf_run_balanced") == 0
    assert value(closed, "mdf_run_unbalanced_records") == 3
    assert value(closed, "mdf_run_planned_records") == 9


def test_nodes_are_in_base_units() -> None:
    """Percent become ratios, rates are bytes and operations per second, the status one of three series."""
    found = samples(snapshot())
    assert value(found, "mdf_node_cpu_usage_ratio", node="n1") == 0.5
    assert value(found, "mdf_node_gpu_usage_ratio", node="n1") == 0.9
    assert value(found, "mdf_node_network_io_bytes_per_second", node="n1") == 1e6
    assert value(found, "mdf_node_disk_operations_per_second", node="n1") == 100
    assert value(found, "mdf_node_status", node="n2", status="unhealthy") == 1
    assert value(found, "mdf_node_object_store_bytes", node="n2") == 1024
    assert value(found, "mdf_run_nodes", status="active") == 1


@pytest.mark.parametrize("low", [-30, -9, -1])
def test_classic_buckets_hold_exactly_what_is_below_their_edge(low: int) -> None:
    """Every `le` of a latency histogram counts exactly the values up to it, those on the very edge included."""
    chance = random.Random(low)
    values = [2.0 ** chance.uniform(low, low + 12) for _ in range(500)] + [2.0**power for power in range(-25, 9)]
    values.append(0.0)
    histogram = LatencyHistogram()
    for each in values:
        histogram.add(each)
    for bound, count in classic_buckets(histogram):
        assert count == sum(each <= bound for each in values)


def test_a_latency_histogram_in_text() -> None:
    """A histogram in the text format has a bucket for each edge and infinity, and its count and sum are the row's."""
    row = operator("a")
    found = samples(snapshot([row]))
    names = {"stage": "clean", "operator": "a"}
    buckets = {
        float(dict(labels)["le"]): count
        for (name, labels), count in found.items()
        if name == "mdf_operator_latency_seconds_bucket"
    }
    assert sorted(buckets) == [*(2.0**power for power in EDGES), math.inf]
    assert buckets[math.inf] == value(found, "mdf_operator_latency_seconds_count", **names) == 2000
    assert value(found, "mdf_operator_latency_seconds_sum", **names) == row.total_time


def test_openmetrics_says_the_same() -> None:
    """Who asks for OpenMetrics gets it, with the same values, and its strict parser takes it."""
    given = snapshot()
    text, content_type = exposed(Families().from_snapshot(given), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    strict = {
        (sample.name, frozenset(item for item in sample.labels.items() if item[0] != "pipeline")): sample.value
        for family in parse_openmetrics(text.decode())
        for sample in family.samples
    }
    assert strict == samples(given)


def test_names_follow_the_translation_of_opentelemetry() -> None:
    """Units become suffixes, dots underscores: what a collector makes of the OTLP names is what a scrape gives."""
    names = {family.name: prometheus_name(family) for family in Families().from_snapshot(snapshot())}
    assert names["mdf.operator.busy"] == "mdf_operator_busy_seconds"
    assert names["mdf.node.cpu.usage"] == "mdf_node_cpu_usage_ratio"
    assert names["mdf.node.disk.io"] == "mdf_node_disk_io_bytes_per_second"
    assert len(set(names.values())) == len(names)


def test_no_run_and_no_worker_among_the_labels() -> None:
    """Neither run ids nor worker ids are labels, until somebody asks for them."""
    labels = {key for _, items in samples(snapshot()) for key, _ in items}
    assert not labels & {"run_id", "worker_id"}
    asked = samples(snapshot(), Families(("run_id", "worker_id")))
    names = {"run_id": "run_1", "worker_id": "clean-1", "stage": "clean", "operator": "b", "direction": "in"}
    assert value(asked, "mdf_operator_records_total", **names) == 2000
    assert all(dict(items)["run_id"] == "run_1" for _, items in asked)


def test_further_operators_are_counted_together() -> None:
    """Beyond the bound operators share the label `other`, nothing is lost, and the snapshot stays as it was."""
    rows = [operator(f"op_{n:02d}", index=n) for n in range(8)]
    before = [row.copy() for row in rows]
    found = samples(snapshot(rows), Families(bounds=Bounds(operators=3)))
    errors = {dict(labels)["operator"]: v for (name, labels), v in found.items() if name == "mdf_operator_errors_total"}
    assert errors == {"op_00": 20, "op_01": 20, "op_02": 20, OTHER: 100}
    assert rows == before


def test_further_reasons_never_take_from_those_before() -> None:
    """A reason that comes late counts as `other` however large it grows: no counter ever falls."""
    families = Families(bounds=Bounds(reasons=2))
    row = OperatorMetrics("run_1", "clean", "a", "clean-0", NOW)
    seen: list[Samples] = []
    for reasons in ({"x": 5}, {"y": 1, "z": 4}, {"z": 1000, "x": 1}):
        row.observe(1.0, 2000, 0, 0, reasons=reasons, rejected_records=sum(reasons.values()))
        found = samples(snapshot([row.copy()]), families)
        seen.append({key: v for key, v in found.items() if key[0] == "mdf_operator_rejected_records_total"})
    for earlier, later in itertools.pairwise(seen):
        assert all(later[key] >= v for key, v in earlier.items())
    by_reason = {dict(labels)["reason"]: v for (_, labels), v in seen[-1].items()}
    assert sum(by_reason.values()) == 1011
    assert by_reason == {"x": 6, "z": 1004, OTHER: 1}


def test_rejections_without_a_reason_are_other() -> None:
    """The reasons of an operator add up to what it rejected, also where some rejections have no reason."""
    row = OperatorMetrics("run_1", "clean", "a", "clean-0", NOW, input_records=10, output_records=4)
    found = samples(snapshot([row]))
    assert value(found, "mdf_operator_rejected_records_total", stage="clean", operator="a", reason=OTHER) == 6


def test_further_nodes_are_only_counted() -> None:
    """Beyond the bound nodes have no series of their own, and are in the counts by status."""
    nodes = [NodeMetrics("run_1", f"n{n}", NOW, 50.0) for n in range(9)]
    found = samples(snapshot(nodes=nodes), Families(bounds=Bounds(nodes=4)))
    assert sum(name == "mdf_node_cpu_usage_ratio" for name, _ in found) == 4
    assert value(found, "mdf_run_nodes", status="active") == 9


def test_nodes_go_by_the_name_of_their_machine() -> None:
    """A node is called after its machine, whatever id Ray gave it; a second one of the machine has its id as well."""
    nodes = [NodeMetrics("run_1", node, NOW, 50.0, hostname="host") for node in ("1a", "2b")]
    families = Families()
    names = {"host", "host/2b"}
    for order in (nodes, nodes[::-1]):
        found = samples(snapshot(nodes=order), families)
        assert {dict(labels)["node"] for name, labels in found if name == "mdf_node_cpu_usage_ratio"} == names


def test_long_labels_are_short_and_distinct() -> None:
    """Names that differ only at their end stay distinct when they are cut."""
    one, two = label("x" * 300 + "1"), label("x" * 300 + "2")
    assert one != two
    assert len(one) == len(two) == 108
    assert label("short") == "short"


def test_strange_characters_survive() -> None:
    """Quotes, line ends and other scripts in names come out as they went in."""
    row = OperatorMetrics("run_1", 'say "hi"\n', "änder\\n", "w", NOW, input_records=1, output_records=1)
    found = samples(snapshot([row]))
    names = {"stage": 'say "hi"\n', "operator": "änder\\n"}
    assert value(found, "mdf_operator_records_total", **names, direction="in") == 1
