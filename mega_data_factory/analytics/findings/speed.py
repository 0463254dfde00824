"""Findings about time: the bottleneck, idle workers, stragglers, the order of filters."""

from __future__ import annotations

from collections.abc import Iterator

from mega_data_factory.analytics.findings.finding import Finding
from mega_data_factory.analytics.performance import bottleneck as limits
from mega_data_factory.analytics.performance.bottleneck import Bottleneck, Remedy, find_bottleneck, idle_stages
from mega_data_factory.analytics.performance.filter_order import better_orders
from mega_data_factory.analytics.performance.overhead import overhead_share
from mega_data_factory.analytics.performance.skew import stragglers, uneven_work
from mega_data_factory.analytics.performance.stations import Station, stations_of
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.latency import long_tails
from mega_data_factory.analytics.runs.recording import Recording, interval_of
from mega_data_factory.formats import count, percent, plural, seconds

_LEAST_SECONDS = 1.0
"""Of runs that worked less than this nothing is said of speed: everything in them is start-up."""

_LEAST_OTHERS = 0.1
"""Share of the CPU that other processes used before they are mentioned, 0 to 1."""

_LEAST_INTERVALS = 4
"""Of runs of fewer intervals nothing is said of waiting: work begins and ends somewhere within an interval."""


def bottleneck(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Return the bottleneck of the run, and what would help."""
    found = find_bottleneck(recording) if recording.working_seconds >= _LEAST_SECONDS else None
    if found is None or not recording.stages:
        return
    if found.limit is None:
        interval = interval_of(recording.samples).total_seconds()
        if interval and recording.working_seconds >= _LEAST_INTERVALS * interval:  # else start-up would be waiting
            yield _waiting(recording, found)
        return
    best = found.remedies[0] if found.remedies else None
    evidence = {
        "limit": found.limit.name,
        "utilisation": {station.name: round(station.utilisation, 3) for station in found.stations},
        **_processor_evidence(found),
        "remedies": [{"change": r.text, "gain": round(r.gain, 3), "then": r.limit_after} for r in found.remedies],
    }
    yield Finding(
        "advice",
        "bottleneck",
        _title(found, found.limit),
        _reasoning(found, found.limit),
        evidence,
        _advice(found, best),
    )


def _title(found: Bottleneck, limit: Station) -> str:
    busy = percent(100 * min(limit.utilisation, 1.0))
    if limit.kind == "loader":
        return f"Reading is the bottleneck: its {_workers(limit.workers)} busy {busy} of the time"
    if limit.kind == "writer":
        return f"Writing is the bottleneck: the writer was busy {busy} of the time"
    heaviest = found.heaviest
    most = f", {percent(100 * found.heaviest_share)} of it in {heaviest.name}" if heaviest else ""
    return f"Stage {limit.name} is the bottleneck: its {_workers(limit.workers)} busy {busy} of the time{most}"


def _workers(number: int) -> str:
    return "one worker was" if number == 1 else f"{number} workers were"


def _reasoning(found: Bottleneck, limit: Station) -> str:
    others = sorted((s for s in found.stations if s is not limit), key=lambda s: -s.utilisation)[:3]
    rest = ", ".join(f"{s.name} {percent(100 * min(s.utilisation, 1.0))}" for s in others)
    text = f"The busiest part sets the pace. The others were less busy: {rest}." if rest else ""
    if found.processors is not None:
        text += f" {_processor_words(found)}"
        wants_workers = any(remedy.kind == "workers" for remedy in found.remedies)
        if found.processors_full and not found.others_fill and not wants_workers:
            text += " More workers would only wait for each other."
    return text.strip()


def _processor_words(found: Bottleneck) -> str:
    """Return whose work the processors did, in a sentence."""
    used = f"The processors were used {percent(100 * (found.processors or 0.0))}"
    own = percent(100 * (found.own_processors or 0.0))
    if found.own_measured and found.other_processors >= _LEAST_OTHERS:
        return f"{used}: {own} by this run, {percent(100 * found.other_processors)} by other processes."
    if found.others_fill:
        return f"{used}, about {own} by this run (one core for each busy worker)."
    return f"{used}."


def _processor_evidence(found: Bottleneck) -> dict[str, object]:
    own = found.own_processors if found.own_measured else None
    return {"processors": found.processors, "own_processors": own}


def _advice(found: Bottleneck, best: Remedy | None) -> str:
    if best is None:
        if found.others_fill:
            fill = "fill" if found.own_measured else "seem to fill"
            return f"Other processes {fill} the CPUs: move them or the run to another machine."
        if found.processors_full:
            return "The CPUs are saturated: use a cheaper operator, a larger machine or another node."
        return "No single change would help: the other stages are nearly as busy."
    ideas = [
        f"{r.text} (about {r.gain:.2f} times the throughput, then limited by {r.limit_after})"
        for r in found.remedies[:3]
    ]
    hedge = (
        ""
        if found.processors is not None or best.kind == "move"
        else (" More workers help only while the machine has processors to spare.")
    )
    return f"What would help: {'; or '.join(ideas)}.{hedge}"


def _waiting(recording: Recording, found: Bottleneck) -> Finding:
    busiest = max(found.stations, key=lambda station: station.utilisation)
    batches = recording.run.get("batches") or 0
    workers = sum(station.workers for station in found.stations if station.kind == "stage")
    few = 0 < batches < 4 * workers
    why = (
        f"There were {count(batches)} batches for {plural(workers, 'worker')}: too few to keep them busy."
        if few
        else "It waited between batches: for the source, for the network, or for processes to start."
    )
    if found.others_fill or (found.own_measured and found.processors is not None):
        why += f" {_processor_words(found)}"
        if found.others_fill and not found.own_measured:
            why += " Other processes seem to take the rest."
    return Finding(
        "advice",
        "bottleneck",
        f"The run was mostly waiting: its busiest part, {busiest.name}, "
        f"worked only {percent(100 * busiest.utilisation)} of the time",
        why,
        {
            "limit": None,
            "utilisation": {s.name: round(s.utilisation, 3) for s in found.stations},
            "batches": batches,
            **_processor_evidence(found),
        },
        ""
        if not recording.is_pipeline
        else "A smaller `executor.batch_size` gives every worker something to do."
        if few
        else "More `executor.max_in_flight` keeps workers busy while others wait.",
    )


def slow_workers(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Yield workers that are slower than the others of their stage."""
    found = stragglers(recording.stages)
    if found:
        worst = found[0]
        more = f" The same is true of {plural(len(found) - 1, 'other worker')}." if len(found) > 1 else ""
        yield Finding(
            "warning" if worst.capacity_lost >= 0.1 else "advice",
            "straggler",
            f"Worker {worst.worker} is {worst.times:.1f}x slower than the other workers of {worst.stage}",
            f"This holds for {count(worst.batches)} batches, the fastest as well as the slowest. It costs the "
            f"stage {percent(100 * worst.capacity_lost)} of its throughput.{more}",
            {
                "stage": worst.stage,
                "worker": worst.worker,
                "times": worst.times,
                "lost": worst.capacity_lost,
                "batches": worst.batches,
                "sigmas": worst.sigmas,
            },
            "Usual causes: a slower machine, a slower disk, or busy neighbours.",
            "workers",
        )


def uneven_stages(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Yield stages whose work was spread unevenly and whose busiest worker set the pace."""
    pace = limits.BUSY_ENOUGH * recording.working_seconds
    for uneven in [found for found in uneven_work(recording.stages) if found.busy >= pace][:2]:
        yield Finding(
            "advice",
            "skew",
            f"Stage {uneven.stage}: one worker was busy {seconds(uneven.busy)}, "
            f"the others {seconds(uneven.median)} (median)",
            f"{uneven.worker} took {percent(100 * uneven.share)} of the records; an even share is "
            f"{percent(100 * uneven.fair)}.",
            {"stage": uneven.stage, "worker": uneven.worker, "busy": uneven.busy, "median": uneven.median},
            "Smaller batches spread work more evenly.",
            "workers",
        )


def filter_order(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Find filters that would cost less in another order."""
    for order in better_orders(recording.stages)[:2]:
        yield Finding(
            "advice",
            "filter-order",
            f"Stage {order.stage}: reordering {plural(len(order.now), 'filter')} would cut their time by "
            f"{percent(100 * order.saved / order.seconds)}",
            f"They take {seconds(order.seconds)} of work; {seconds(order.saved)} less if the filters that reject "
            "most for their cost come first. Adjacent filters that judge each record by itself keep the same records "
            "in any order. The forecast is exact if the verdicts of the filters are independent.",
            {"stage": order.stage, "now": order.now, "better": order.better, "seconds_saved": order.saved},
            f"Order: {', '.join(order.better)}.",
        )


def tails(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Yield operators whose slowest batches take much of their time."""
    for tail in long_tails(recording.operator_totals)[:2]:
        yield Finding(
            "advice",
            "latency-tail",
            f"{tail.operator.label}: the slowest 1 % of records take {percent(100 * tail.share)} of its time",
            f"Half of the records take {seconds(tail.p50)} or less, one in a hundred {seconds(tail.p99)} or more.",
            {"operator": tail.operator.label, "p50": tail.p50, "p99": tail.p99, "share": tail.share},
            "A few very long records, or a model loaded midway: a length filter before the operator may help.",
        )


def late_start(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Find a run that took long to get going."""
    if not len(recording.samples) or recording.run.get("status") == "running":
        return
    begin, _end = recording.span
    waited = (begin - recording.run["start_time"]).total_seconds()
    if waited >= 10 and waited >= 0.2 * recording.seconds:
        yield Finding(
            "advice",
            "late-start",
            f"The first batch was done after {seconds(waited)}, {percent(100 * waited / recording.seconds)} of the run",
            "Before that, workers were started, models loaded and the source listed.",
            {"seconds": waited},
            "Process more records per run to reduce its share.",
        )


def idle_workers(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Yield workers that can be removed without making the run slower."""
    stations = stations_of(recording) if recording.working_seconds >= _LEAST_SECONDS else ()
    if max((station.utilisation for station in stations), default=0.0) < limits.BUSY_ENOUGH:
        return
    spare = [] if recording.is_observed else idle_stages(stations)  # its engine shares workers out
    if spare:
        names = "; ".join(f"{station.name} needs {needed} of {station.workers}" for station, needed in spare[:4])
        freed = sum(station.workers - needed for station, needed in spare)
        yield Finding(
            "advice",
            "idle-workers",
            f"{plural(freed, 'worker')} could be removed without slowing the run",
            f"At the pace of the busiest stage: {names}.",
            {"stages": {station.name: needed for station, needed in spare}},
            f"Move {'it' if freed == 1 else 'them'} to the bottleneck stage, or run fewer.",
        )


def instrumentation(recording: Recording, _: EarlierRuns) -> Iterator[Finding]:
    """Return the cost of the metrics themselves."""
    cost = recording.run.get("instrumentation_seconds")
    work = sum(stage.busy for stage in recording.stages)
    work += (recording.run.get("loader_seconds") or 0.0) + (recording.run.get("writer_seconds") or 0.0)
    of_work = overhead_share(cost, work)
    if cost is None or of_work is None:
        return
    share = percent(100 * of_work)
    evidence = {"seconds": cost, "share": of_work}
    if of_work > 0.01 and cost > 1.0:
        yield Finding(
            "advice",
            "instrumentation",
            f"Metrics overhead was {share} of the work",
            f"{seconds(cost)} of {seconds(work)}: the batches are small.",
            evidence,
            "A larger `executor.batch_size` reduces that." if recording.is_pipeline else "Measure larger batches.",
        )
    elif of_work <= 0.01:
        yield Finding(
            "good",
            "instrumentation",
            f"Metrics overhead was {share} of the work",
            f"{seconds(cost)} in total.",
            evidence,
        )
