"""What a run cost: nodes times hours, shared by busy seconds, and nothing without prices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mega_data_factory as mdf
from mega_data_factory.analytics.costs import NodePrice, Prices, cost_of_run
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli import main
from mega_data_factory.formats import money
from mega_data_factory.framework.config import PipelineConfig
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.reports import tables
from mega_data_factory.reports.operator_table import operator_table
from tests.made_runs import Op, Pool, made_config, make_run, recorded
from tests.present import present

PRICES = {"currency": "EUR", "cpu_hour": 0.04}


def pools() -> list[Pool]:
    slow_first = [Op("slow_filter", 0.004, {"r": 0.01}), Op("strict_filter", 0.001, {"q": 0.9})]
    return [Pool("a", slow_first), Pool("b", [Op("x", 0.002)])]


def config(prices: dict[str, Any] | None) -> dict[str, Any]:
    return made_config(pools()) | {"executor": {"metrics": {"prices": prices} if prices else {}}}


def test_a_run_costs_its_nodes_for_its_time(tmp_path: Path) -> None:
    """Two nodes of four cores for the duration; parts and stages add up to it, idle time included."""
    run = recorded(tmp_path, pools(), nodes=(50.0, 50.0), cores=4.0, config=config(PRICES))
    found = present(cost_of_run(run, Prices.of_run(run)))
    assert found.money == pytest.approx(2 * 4 * 0.04 * run.seconds / 3600)
    assert sum(part.money for part in found.parts) == pytest.approx(found.money)
    assert sum(stage.money for stage in found.stages) == pytest.approx(found.money)
    busy = sum(part.busy for part in found.parts)
    assert found.idle == pytest.approx(found.money * max(0.0, 1 - busy / (8 * run.seconds)))
    read = run.run["total_input_records"]
    assert found.per["million records read"] == pytest.approx(found.money * 1e6 / read)
    assert found.per["million records kept"] > found.per["million records read"]


def test_the_cheapest_order_is_given_in_money(tmp_path: Path) -> None:
    """The strict filter first would save most of the seconds of the slow one: their share of the cost."""
    run = recorded(tmp_path, pools(), nodes=(50.0,), cores=4.0, config=config(PRICES))
    found = present(cost_of_run(run, Prices.of_run(run)))
    slow = next(part for part in found.parts if part.operator == "slow_filter")
    assert 0.7 * slow.money < found.saved < slow.money


def test_node_types_have_prices_of_their_own() -> None:
    """The first pattern that matches the host counts; a price of the whole node replaces those of its parts."""
    prices = Prices("EUR", NodePrice(cpu_hour=1.0, memory_gb_hour=0.5), {"gpu-*": NodePrice(node_hour=7.0)})
    assert prices.of_node("gpu-3").hourly(64, 8, 1e12) == 7.0
    assert prices.of_node("other").hourly(4, 8, 2e9) == 5.0


def test_without_prices_or_nodes_there_is_no_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No tile, no line, no figure; the command says what is missing."""
    run = recorded(tmp_path, pools(), nodes=(50.0,), cores=4.0, config=config(None))
    assert cost_of_run(run, Prices.of_run(run)) is None
    assert "cost" not in {tile.label for tile in tables.tiles(run)}
    assert main(["runs", "cost", "--metrics", str(tmp_path)]) == 2
    assert "there are no prices for run_made" in capsys.readouterr().err
    make_run(tmp_path, pools(), "run_no_nodes", config=config(PRICES))
    assert main(["runs", "cost", "run_no_nodes", "--metrics", str(tmp_path)]) == 2
    assert "no node that has a price was sampled" in capsys.readouterr().err


def test_the_command_shows_it_and_a_file_of_prices_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file replaces the prices of the configuration; twice the price is twice the cost."""
    make_run(tmp_path, pools(), nodes=(50.0,), cores=4.0, config=config(PRICES))
    file = tmp_path / "prices.yaml"
    file.write_text("currency: CHF\ncpu_hour: 0.08\n")
    costs = []
    for more in ([], ["--prices", str(file)]):
        assert main(["runs", "cost", "--metrics", str(tmp_path), "--json", *more]) == 0
        costs.append(json.loads(capsys.readouterr().out))
    assert costs[1]["money"] == pytest.approx(2 * costs[0]["money"])
    assert [cost["currency"] for cost in costs] == ["EUR", "CHF"]
    assert main(["runs", "cost", "--metrics", str(tmp_path)]) == 0
    assert "EUR for each million records read" in capsys.readouterr().out
    assert main(["runs", "show", "--metrics", str(tmp_path)]) == 0
    assert "a million records kept (mdf runs cost run_made)" in capsys.readouterr().out


def test_mistakes_of_a_file_of_prices_are_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its line."""
    file = tmp_path / "prices.yaml"
    file.write_text("cpu_hours: 1\ngpu_hour: -2\nnodes:\n  a-*: {}\n")
    assert main(["runs", "cost", "--prices", str(file), "--metrics", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "prices.yaml:1: cpu_hours: unknown key; did you mean `cpu_hour`?" in said
    assert "prices.yaml:2: gpu_hour" in said
    assert "prices.yaml:4: nodes.a-*: give a price" in said


def test_prices_are_a_section_of_the_configuration() -> None:
    """They are checked with the configuration, and read back from the run's row as they were written."""
    prices = {**PRICES, "nodes": {"gpu-*": {"node_hour": 3.2}}}
    whole = {
        "data_loader": {"type": "jsonl_loader", "params": {"path": "in"}},
        "stages": [{"name": "a", "operators": [{"name": "text_length_filter"}]}],
        "data_writer": {"type": "jsonl_writer", "params": {"output_path": "out"}},
        "executor": {"metrics": {"prices": prices}},
    }
    checked = present(PipelineConfig.from_dict(whole).executor.metrics.prices)
    assert (checked.cpu_hour, checked.nodes["gpu-*"].node_hour) == (0.04, 3.2)
    assert Prices.from_mapping(prices).of_node("gpu-1").node_hour == 3.2


def test_the_gate_bounds_the_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit in money for a million records read; without prices the rule is not judged."""
    make_run(tmp_path, pools(), "run_1", nodes=(50.0,), cores=4.0, own=50.0, config=config(PRICES))
    make_run(tmp_path, pools(), "run_2", nodes=(50.0,), cores=4.0, own=50.0, config=config(PRICES))
    make_run(tmp_path, pools(), "run_3", nodes=(50.0,), cores=4.0, own=50.0, config=config(None))
    rules = tmp_path / "gate.yaml"
    arguments = ["--against", "run_1", "--rules", str(rules), "--metrics", str(tmp_path), "--json"]
    codes = []
    for limit, run in ((1000, "run_2"), (0.0001, "run_2"), (0.0001, "run_3")):
        rules.write_text(f"rules:\n  - {{rule: cost, max: {limit}, max_rise: 20 %}}\n")
        codes.append(main(["runs", "gate", run, *arguments]))
        checks = json.loads(capsys.readouterr().out)["checks"]
    assert codes == [0, 1, 0]
    assert checks[1]["status"] == "not judged"


def test_the_table_of_operators_has_the_cost_of_each(tmp_path: Path) -> None:
    """Stages and operators add up; without prices there is no such column."""
    run = recorded(tmp_path, pools(), nodes=(50.0,), cores=4.0, config=config(PRICES))
    cost = present(tables.own_cost(run))
    columns, rows = operator_table(run.stages, cost)
    at = columns.index("cost")
    shown = {row.name: row.cells[at] for row in rows}
    expected = {part.operator or part.stage: part.money for part in (*cost.stages, *cost.parts)}
    assert shown == {name: money(expected[name], "EUR") for name in shown}
    assert "cost" not in operator_table(run.stages)[0]
    assert columns.index("p50") == at + 1


def test_observed_runs_have_prices_too(tmp_path: Path) -> None:
    """They are given to `observe`, and read like those of a configuration; what is wrong has one error."""
    with mdf.observe("priced", metrics=tmp_path, prices=PRICES) as run:
        run.step(lambda rows: rows, name="same")([1, 2, 3])
    recording = Recording.read(MetricsReader(tmp_path), run.run_id)
    assert present(Prices.of_run(recording)).default.cpu_hour == 0.04
    assert present(tables.own_cost(recording)).money > 0
    with pytest.raises(ValueError, match="prices has no 'cpu_our'; did you mean `cpu_hour`"):
        mdf.observe("x", metrics=tmp_path, prices={"cpu_our": 1})
    with pytest.raises(TypeError, match="prices of nodes gpu-\\*: gpu_hour must be a number, not 'a'"):
        mdf.observe("x", metrics=tmp_path, prices={"nodes": {"gpu-*": {"gpu_hour": "a"}}})
