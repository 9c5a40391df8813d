"""Paired measurement: a run of the base before and after each run of what is measured.

Absolute figures swing two- to threefold on shared machines; the ratio of neighbours does not.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks.wrk import Load


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians over all rounds.

    Attributes:
        throughput: Of the rate, as a multiple of the base's.
        latency: Of the median latency, as a multiple of the base's.
        load: What was measured, for its absolute figures.
        base: The same of the base.
    """

    throughput: float
    latency: float
    load: Load
    base: Load


def compare(base: Callable[[], Load], measured: Callable[[], Load], rounds: int = 7) -> Comparison:
    """Measure ``rounds`` times, each between two runs of the base."""
    bases, loads, rates, latencies = [base()], [], [], []
    for _ in range(rounds):
        load = measured()
        bases.append(base())
        before, after = bases[-2:]
        loads.append(load)
        rates.append(load.rate / ((before.rate + after.rate) / 2))
        latencies.append(load.p50 / ((before.p50 + after.p50) / 2))
    return Comparison(
        throughput=statistics.median(rates),
        latency=statistics.median(latencies),
        load=_median(loads),
        base=_median(bases),
    )


def _median(loads: list[Load]) -> Load:
    return Load(
        statistics.median(load.rate for load in loads),
        statistics.median(load.p50 for load in loads),
        statistics.median(load.p99 for load in loads),
    )
