"""Exporters in a configuration: checked before anything runs, loaded by name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mega_data_factory.errors import ConfigError
from mega_data_factory.exports.otlp.exporter import OtlpExporter
from mega_data_factory.exports.prometheus.exporter import PrometheusExporter
from mega_data_factory.exports.prometheus.pushgateway import PushgatewayExporter
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.metrics.live.exporting import Exporter, ExportSnapshot
from mega_data_factory.framework.plan import Plan, make_plan
from tests.exports.snapshots import snapshot

OWN = "tests.exports.test_settings:OwnExporter"


class OwnExporter(Exporter):
    """An exporter of a user's."""

    def __init__(self, *, place: str) -> None:
        self.place = place

    def export(self, snapshot: ExportSnapshot) -> None:
        """Nothing."""

    def close(self, snapshot: ExportSnapshot) -> None:
        """Nothing."""


def plan(**metrics: Any) -> Plan:
    """The plan of a small pipeline with this metrics section."""
    return make_plan(
        PipelineConfig.from_dict(
            {
                "data_loader": {"type": "jsonl_loader", "params": {"path": "x.jsonl"}},
                "stages": [{"name": "clean", "operators": [{"name": "text_length_filter"}]}],
                "data_writer": {"type": "parquet_writer", "params": {"output_path": "out"}},
                "executor": {"metrics": metrics},
            }
        )
    )


def test_each_section_is_an_exporter() -> None:
    """A scrape target, a Pushgateway, a receiver, and one's own: each section becomes an exporter with a name."""
    made = plan(
        prometheus={"port": 0, "labels": ["run_id"]},
        otlp={"endpoint": "http://localhost:4318", "headers": {"x-api-key": 12345}},
        exporters=[{"name": OWN, "params": {"place": "a"}}, {"name": OWN, "params": {"place": "b"}}],
    )
    built = {name: component.build() for name, component in made.exporters.items()}
    assert {name: type(exporter) for name, exporter in built.items()} == {
        "prometheus": PrometheusExporter,
        "otlp": OtlpExporter,
        "own": OwnExporter,
        "own_2": OwnExporter,
    }
    assert built["otlp"].interval == 15
    assert built["own_2"].place == "b"


def test_a_pushgateway_takes_the_place_of_the_target() -> None:
    """With `pushgateway` the metrics are pushed, with its own interval."""
    (component,) = plan(prometheus={"pushgateway": "http://host:9091/", "job": "nightly"}).exporters.values()
    assert isinstance(component.build(), PushgatewayExporter)
    assert component.build().interval == 15


def test_without_sections_and_without_metrics_there_are_none() -> None:
    """Nothing is exported unless asked for, nor where nothing is measured."""
    assert not plan().exporters
    assert not plan(enabled=False, prometheus={}).exporters


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"prometheus": {"prot": 1}}, "executor.metrics.prometheus.prot: unknown key; did you mean `port`?"),
        ({"prometheus": {"port": 70000}}, "executor.metrics.prometheus.port: Input should be less than or equal"),
        ({"prometheus": {"interval": 0}}, "executor.metrics.prometheus.interval: Input should be greater than"),
        ({"prometheus": {"labels": ["host"]}}, "prometheus.labels[0]: Input should be 'run_id' or 'worker_id'"),
        ({"prometheus": {"port": 1, "pushgateway": "http://h:1"}}, "give either port or pushgateway, not both"),
        ({"prometheus": {"job": "a"}}, "without a pushgateway, leave out job"),
        ({"prometheus": {"pushgateway": "h:9091"}}, "this is not an address; write http://host:port"),
        ({"otlp": {"compression": "zstd"}}, "executor.metrics.otlp.compression: Input should be 'gzip' or 'none'"),
        ({"otlp": {"endpoint": "http://h:x"}}, "this is not an address; write http://host:port"),
        (
            {"otlp": {"endpoint": "http://h", "headers": {"x key": "a"}}},
            "otlp.headers: 'x key' is not the name of a header; write one such as x-api-key",
        ),
        ({"exporters": [{"name": "no.such:Thing"}]}, "executor.metrics.exporters[0]: cannot load `no.such:Thing`"),
        ({"exporters": [{"name": OWN}]}, "own_exporter needs `place`"),
        ({"exporters": [{"name": OWN, "params": {"plaice": 1}}]}, "own_exporter has no such parameter"),
        (
            {"exporters": [{"name": "mega_data_factory.errors:MdfError"}]},
            "is not an exporter: it must subclass Exporter",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(metrics: dict[str, Any], message: str) -> None:
    """Every mistake in an exporter's section is one error that names the key."""
    with pytest.raises(ConfigError) as refused:
        plan(**metrics)
    assert message in str(refused.value)


def test_an_error_keeps_the_password() -> None:
    """The address in an error has no password in it."""
    with pytest.raises(ConfigError) as refused:
        plan(prometheus={"pushgateway": "http://me:secret@host:port"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("value", ["topsecret\n", "topsecret\r\nEvil: 1", "topsecret\x1b[2J", "“topsecret”"])
def test_a_header_that_http_cannot_send_is_refused_without_its_value(value: str) -> None:
    """A key with a line break, as files and variables often end in, is an error at the door that does not tell it."""
    with pytest.raises(ConfigError, match="the value of x-api-key") as refused:
        plan(otlp={"endpoint": "http://h", "headers": {"x-api-key": value}})
    assert "topsecret" not in str(refused.value)


@pytest.mark.parametrize(
    ("package", "section", "extra"),
    [
        ("prometheus_client", "prometheus={}", "prometheus"),
        ("opentelemetry", "otlp={'endpoint': 'http://localhost:4318'}", "otlp"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(package: str, section: str, extra: str) -> None:
    """Without the package of an extra the configuration is refused, with the command that installs it."""
    code = (
        "import sys\n"
        f"sys.modules[{package!r}] = None\n"  # Python's own way to say that a package is not there
        "from tests.exports.test_settings import plan\n"
    )
    code = code.replace("from tests.exports.test_settings import plan", _plan_alone(section))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"hint: pip install 'mega-data-factory[{extra}]'" in done.stdout, done.stderr


def _plan_alone(section: str) -> str:
    return f"""
from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.plan import make_plan
try:
    make_plan(PipelineConfig.from_dict(dict(
        data_loader=dict(type="jsonl_loader", params=dict(path="x")),
        stages=[dict(name="clean", operators=[dict(name="text_length_filter")])],
        data_writer=dict(type="parquet_writer", params=dict(output_path="out")),
        executor=dict(metrics=dict({section})),
    )))
except ConfigError as error:
    print(error)
"""


def test_a_run_without_exporters_loads_none_of_their_packages() -> None:
    """A plan without exporters imports neither prometheus_client nor OpenTelemetry."""
    code = (
        "import sys, mega_data_factory.framework.executor\n"
        "print(sorted({'prometheus_client', 'opentelemetry', 'mega_data_factory.exports'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_exporter_of_the_manual_works(tmp_path: Path) -> None:
    """The class that docs/monitoring.md shows is an exporter, and does what it says."""
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    exporter = names["LineExporter"](path=str(tmp_path / "records.log"))
    exporter.export(snapshot())
    exporter.close(snapshot())
    assert (tmp_path / "records.log").read_text() == "run_1 3560\n" * 2


def test_the_sections_of_the_manual_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every YAML section of docs/monitoring.md that configures exporters is accepted."""
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    monkeypatch.setenv("OTLP_KEY", "abc")
    found = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    sections = [yaml.safe_load(text) for text in found if "scrape_configs" not in text]
    made = [plan(**section.get("executor", {"metrics": section})["metrics"]) for section in sections[:2]]
    assert [list(each.exporters) for each in made] == [["prometheus", "otlp"], ["pushgateway"]]
