"""Whatever an exporter does to itself, it does to nobody else."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from mega_data_factory.errors import MetricsError
from mega_data_factory.exports.prometheus.exporter import PrometheusExporter
from mega_data_factory.framework.metrics.live.export_threads import Exports
from mega_data_factory.framework.metrics.live.exporting import Exporter, ExportHealth, ExportSnapshot
from tests.exports.snapshots import snapshot


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    """Wait for the threads of exporters that a test has given up: what they still log belongs to this test."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("export-to-"):
            thread.join(10)
            assert not thread.is_alive(), f"{thread.name} did not end"


class Keeping(Exporter):
    """Keeps what it is given; fails as long as `failing` says so."""

    interval = 0.01

    def __init__(self, failing: Callable[[int], bool] = lambda call: False) -> None:
        self.taken: list[ExportSnapshot] = []
        self.closed: list[ExportSnapshot] = []
        self.calls = 0
        self.called = threading.Event()
        self._failing = failing

    def export(self, snapshot: ExportSnapshot) -> None:
        self.calls += 1
        self.called.set()
        if self._failing(self.calls):
            raise MetricsError("http://user:password@host is not there")
        self.taken.append(snapshot)

    def close(self, snapshot: ExportSnapshot) -> None:
        self.export(snapshot)
        self.closed.append(snapshot)


class Hanging(Keeping):
    """Never comes back, until the test is over."""

    patience = 0.05

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def export(self, snapshot: ExportSnapshot) -> None:
        self.called.set()
        self.over.wait(30)


def source(health: Sequence[ExportHealth]) -> ExportSnapshot:
    return ExportSnapshot(snapshot().run, [], [], exports=tuple(health))


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def run(exporters: dict[str, Exporter], until: Callable[[], object]) -> Exports:
    exports = Exports(exporters, source, max_age=0.0)
    exports.start()
    eventually(until)
    exports.end()
    exports.finish()
    return exports


def test_an_exporter_gets_snapshots_and_in_the_end_the_last() -> None:
    """While a run goes on an exporter gets one snapshot after the other, and when it has ended the final one, once."""
    keeping = Keeping()
    exports = run({"keeping": keeping}, lambda: len(keeping.taken) >= 3)
    assert [keeping.taken[-1]] == keeping.closed
    assert exports.failures == 0
    assert exports.seconds > 0
    assert exports.health()[0].last_success is not None


def test_a_failure_is_reported_once_counted_and_gone_when_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    """Three failures in a row are one warning, without the password, three in the count, and one line on recovery."""
    caplog.set_level(logging.INFO, "mega_data_factory")
    keeping = Keeping(lambda call: 2 <= call <= 4)
    exports = run({"keeping": keeping}, lambda: len(keeping.taken) >= 3)
    assert exports.failures == 3
    assert [record.message for record in caplog.records] == [
        "keeping: metrics cannot be exported now, will retry: http://***@host is not there",
        "keeping: metrics are exported again",
    ]


def test_an_exporter_that_never_worked_is_not_said_to_work_again(caplog: pytest.LogCaptureFixture) -> None:
    """A target that could not be served can be closed all the same; that is no news of metrics that got anywhere."""
    caplog.set_level(logging.INFO, "mega_data_factory")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        exporter = PrometheusExporter(port=other.getsockname()[1])
        exports = Exports({"prometheus": exporter}, source)
        exports.start()
        eventually(lambda: exports.failures)
        exports.end()
        exports.finish()
    assert "prometheus: ended, after failures" in caplog.messages
    assert not any("exported again" in message for message in caplog.messages)


def test_failures_are_followed_by_longer_and_longer_pauses() -> None:
    """An exporter that always fails is called less and less often: each pause is twice as long."""
    failing = Keeping(lambda call: True)
    times: list[float] = []
    failing._failing = lambda call: bool(times.append(time.monotonic())) or True  # type: ignore[func-returns-value]
    failing.patience = 0.0
    run({"failing": failing}, lambda: failing.calls >= 5)
    assert times[4] - times[0] > 0.15, "0.02 + 0.04 + 0.08 + 0.16 s, less what a busy machine took over the first call"


def test_an_exporter_that_hangs_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """One that never comes back keeps neither the others from their work nor the run from its end; it is counted."""
    hanging, keeping = Hanging(), Keeping()
    started = time.monotonic()
    exports = run({"hanging": hanging, "keeping": keeping}, lambda: hanging.called.is_set() and len(keeping.taken) >= 3)
    assert time.monotonic() - started < 30
    assert exports.failures == 1
    assert keeping.closed
    assert "hanging: did not stop within 0.05 s, abandoned" in caplog.messages
    hanging.over.set()


def test_closing_is_tried_again_while_there_is_time() -> None:
    """A close that fails is called again within the exporter's patience."""
    keeping = Keeping()
    exports = Exports({"keeping": keeping}, source)
    exports.start()
    eventually(keeping.called.is_set)
    last = keeping.calls
    keeping._failing = lambda call: call <= last + 1
    exports.end()
    exports.finish()
    assert len(keeping.closed) == 1
    assert exports.failures >= 1


def test_exporters_share_a_snapshot() -> None:
    """Exporters that ask within `max_age` get the same snapshot, but the one of the end is taken after the end."""
    one, two = Keeping(), Keeping()
    exports = Exports({"one": one, "two": two}, source, max_age=60.0)
    exports.start()
    eventually(lambda: one.taken and two.taken)
    assert one.taken[0] is two.taken[0]
    exports.end()
    exports.finish()
    assert one.closed[0] is not one.taken[0]


def test_exporters_see_how_all_of_them_fare() -> None:
    """The health in a snapshot is that of every exporter, so that one that works can tell of one that does not."""
    working, failing = Keeping(), Keeping(lambda call: True)
    failing.patience = 0.0
    run({"working": working, "failing": failing}, lambda: failing.calls >= 2 and len(working.taken) > 3)
    assert [health.exporter for health in working.closed[0].exports] == ["working", "failing"]
    assert working.closed[0].exports[1].failures >= 2


def test_exports_that_never_started_can_end() -> None:
    """A run that fails before it begins ends its exporters all the same."""
    exports = Exports({"keeping": Keeping()}, source)
    exports.end()
    exports.finish()
    assert exports.failures == 0
