"""The screen of a run that goes on: stages with their pace, time left, and what was set aside."""

from __future__ import annotations

import io
from dataclasses import replace

import pyarrow as pa
import pytest
from rich.console import Console

from mega_data_factory.cli.display.live import LiveScreen, Rates, error_line, top_reasons
from mega_data_factory.framework.batch import Batch, Exclusion, SplitEnd, StagedBatch
from mega_data_factory.framework.contracts import Split
from mega_data_factory.framework.driver.progress import Progress, StageLoad, StageProgress
from mega_data_factory.framework.driver.source_share import SourceShare, SourceTally
from mega_data_factory.framework.driver.splits import SourceSize
from mega_data_factory.framework.driver.tally import Tally
from mega_data_factory.framework.metrics import OperatorMetrics

_STAGES = (
    StageProgress("clean", input_records=1_000, output_records=900, rejected=98, errors=2, workers=2, backlog=3),
    StageProgress("judge [x]", input_records=900, output_records=450, rejected=450, workers=4),
)
_ERROR = Exclusion("error", "doc-17", "clean", "parser", "ValueError: no\nclosing [bracket]")


def _screen(progress: Progress, width: int = 120, *, after: float = 10.0) -> str:
    now = [0.0]
    screen = LiveScreen(lambda: now[0])
    screen.note(Progress(records_read=0, stages=(StageProgress("clean"), StageProgress("judge [x]"))))
    now[0] = after
    screen.note(progress)
    console = Console(file=io.StringIO(), width=width)
    console.print(screen.screen(width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_stage_has_its_records_pace_pool_and_time_left() -> None:
    """A row tells records, rate over the last seconds, pass rate, workers, backlog and time left."""
    progress = Progress(
        records_read=1_000, records_passed=450, records_written=450, elapsed=10.0, share=0.25, stages=_STAGES
    )
    head, *_, clean, judge = _screen(progress).splitlines()
    assert head == "1,000 read, 450 written; 100 /s, 10 s; 25.0 %, 30 s left"
    assert clean.split()[0] == "clean"
    assert clean.split()[2:] == ["1,000", "100", "/s", "90.0", "%", "2", "3", "30", "s"]
    assert judge.startswith("judge [x]")
    assert judge.split()[-4:] == ["4", "-", "30", "s"]


def test_what_waits_for_its_file_is_named() -> None:
    """Before the first file "0 written" alone would look as if nothing came out."""
    progress = Progress(records_read=1_000, records_passed=600, elapsed=10.0, stages=_STAGES)
    assert _screen(progress).startswith("1,000 read, 0 written, 600 passed (not yet in a file); ")
    head, left, *_ = _screen(replace(progress, share=0.25, share_unit="bytes"), 80).splitlines()
    assert head == "1,000 read, 0 written, 600 passed (not yet in a file); 100 /s, 10 s"
    assert left == "25.0 % of its bytes, 30 s left"


def test_where_the_end_is_unknown_no_time_is_promised() -> None:
    """Without a known share of the source there is no time left and an empty bar."""
    text = _screen(Progress(records_read=1_000, elapsed=10.0, stages=_STAGES))
    assert "left\n" in text
    assert "s left" not in text


def test_what_was_set_aside_is_told_on_one_line_each() -> None:
    """Rejects by reason and the last error stand below the stages, whatever text they carry."""
    progress = Progress(
        records_read=1_000,
        records_rejected=98,
        record_errors=2,
        dead_lettered=1,
        stages=_STAGES,
        reasons={"too_short": 90, "too_long": 8},
        last_error=_ERROR,
    )
    assert _screen(progress, 160).splitlines()[-3:] == [
        "rejected 98: too_short 90, too_long 8",
        "errors 2, the last in clean/parser, record doc-17: ValueError: no closing [bracket]",
        "dead-lettered 1",
    ]


def test_reasons_beyond_the_first_are_counted() -> None:
    """The reasons that most rejects carry are named, the others summed up."""
    reasons = {"a": 1, "b": 50, "c": 3, "d": 4, "e": 50, "f": 2}
    assert top_reasons(Progress(reasons=reasons)) == "b 50, e 50, d 4, c 3, 2 other reasons 3"


def test_an_error_without_its_operator_names_the_stage() -> None:
    """What the loader could not read has no operator."""
    progress = Progress(record_errors=1, last_error=Exclusion("error", "a:3", "data_loader", "", "no JSON"))
    assert error_line(progress) == "errors 1, the last in data_loader, record a:3: no JSON"


def test_a_narrow_screen_keeps_what_matters() -> None:
    """On 60 columns every line fits, and records, rate and pass rate are there."""
    lines = _screen(Progress(records_read=1_000, elapsed=10.0, share=0.5, stages=_STAGES), 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert "backlog" not in lines[1]
    assert "1,000" in lines[3]


def test_rates_look_back_over_the_window_only() -> None:
    """What happened before the window does not count."""
    rates = Rates(window=10.0)
    for second in range(31):
        rates.note(float(second), {"s": 1_000 if second < 15 else 1_000 + 50 * (second - 15)})
    assert rates.per_second("s", 30.0) == pytest.approx(50.0)
    assert rates.per_second("s", 40.0) == pytest.approx(25.0)  # nothing came for ten seconds


def _staged(split: int, number: int, records: int, last: tuple[int, int] | None = None) -> StagedBatch:
    def row(operator: int, records_in: int, records_out: int) -> OperatorMetrics:
        return OperatorMetrics(
            run_id="run_x",
            stage_name="clean",
            operator_name=f"op_{operator}",
            worker_id=f"clean-{number % 2}",
            operator_index=operator,
            input_records=records_in,
            output_records=records_out,
            rejected_reasons={"short": records_in - records_out} if records_in > records_out else {},
        )

    batch = Batch(
        id=f"{split}-{number}",
        split=split,
        table=pa.table({}),
        records=records,
        split_end=SplitEnd(*last) if last else None,
        metrics=(row(0, records, records - 3), row(1, records - 3, records - 5)),
    )
    return StagedBatch(batch, records - 5, 0)


def test_a_stage_takes_what_its_first_operator_takes_and_gives_what_its_last_gives() -> None:
    """Two batches of two workers add up to the input of the first and the output of the last operator."""
    tally = Tally()
    tally.add(_staged(0, 0, 100))
    tally.add(_staged(0, 1, 50))
    stage = tally.stage_progress("clean", None)
    assert (stage.input_records, stage.output_records, stage.rejected) == (150, 140, 10)
    assert (stage.workers, stage.backlog) == (2, None)
    assert tally.stage_progress("clean", StageLoad(3, 7)).backlog == 7
    assert tally.reasons == {"short": 10}


def _size(splits: int, *, complete: bool = True) -> SourceSize:
    """Return the size of a source whose splits tell nothing."""
    size = SourceSize()
    for number in range(splits):
        size.add(Split({"number": number}))
    size.complete = complete
    return size


def test_the_share_of_the_source_follows_its_splits() -> None:
    """A split that is done counts whole, one that is open by the usual size, in whatever order batches come."""
    source, size = SourceTally(), _size(4)
    assert source.share(size) is None
    source.add(_staged(0, 1, 40, last=(2, 100)).batch)  # the last batch overtook the first
    assert source.share(size) is None
    source.add(_staged(0, 0, 60).batch)
    assert source.share(size) == 0.25
    assert source.share(_size(4, complete=False)) is None
    source.add(_staged(1, 0, 50).batch)
    assert source.share(size) == pytest.approx(0.375)
    source.add(_staged(2, 0, 300).batch)
    assert source.share(size) == pytest.approx(0.625)


def test_a_limit_of_records_tells_the_share_at_once() -> None:
    """With executor.max_samples the share is known before any split is done."""
    tally = Tally()
    tally.add(_staged(0, 0, 100))
    assert tally.share(SourceSize(), 400) == SourceShare(0.25, "records")
    assert tally.share(SourceSize(), None) is None


def test_the_share_is_of_records_or_bytes_where_the_source_tells_them() -> None:
    """Records count from the first batch on; a split weighs its bytes; one that does not tell makes all count alike."""
    first, second = _staged(0, 0, 60).batch, _staged(1, 0, 50, last=(1, 50)).batch
    for told, begun, half in [
        ([{"num_records": 300}, {"num_records": 50}], 60 / 350, 110 / 350),
        ([{"num_bytes": 900}, {"num_bytes": 100}], None, (100 + 900 * 60 / 450) / 1000),
        ([{"num_bytes": 900}, {}], None, 1.0),
    ]:
        source, size = SourceTally(), _size(0)
        for values in told:
            size.add(Split({}, **values))
        source.add(first)
        assert source.share(size) == begun
        source.add(second)
        assert source.share(size) == pytest.approx(half)
