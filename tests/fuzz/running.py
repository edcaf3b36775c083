"""Runs of targets: each input may take some seconds and some memory, and may raise errors of knet's tree alone."""

from __future__ import annotations

import logging
import os
import resource
import sys
import time
import traceback
import warnings
from contextlib import suppress
from random import Random

from hypothesis import HealthCheck, Phase, given, seed, settings

from knet.errors import KnetError

from .mutation import Mutants
from .targets import TARGETS, Target

MAX_SECONDS = 5.0  # of processor time for one input of a few kilobytes
MAX_MEMORY = 256 << 20  # bytes that one input may add to the process at its peak
MAX_ADDRESSES = 3 << 30  # bytes of address space beyond a process with all modules: an expansion becomes MemoryError
ROUND = 5_000  # inputs between two seeds: Hypothesis remembers the inputs of a round
_UNIT = 1 if sys.platform == "darwin" else 1024


def check(target: Target, data: bytes) -> None:
    """Run a target on one input. Raises what the target raises beside `KnetError`, and AssertionError over a limit."""
    before, started = _peak(), time.process_time()
    with suppress(KnetError):
        target.run(data)
    seconds, memory = time.process_time() - started, _peak() - before
    assert seconds <= MAX_SECONDS, f"{seconds:.1f} s for {len(data)} bytes"
    assert memory <= MAX_MEMORY, f"{memory >> 20} MiB for {len(data)} bytes"


def fuzz(name: str, examples: int, variants: int, first_seed: int) -> int:
    """Run one target on inputs of Hypothesis, and on some variants of valid inputs after each. Return their number."""
    target = TARGETS[name]
    mutants = Mutants(target.seeds(), target.form)
    done = 0

    def one(data: bytes) -> None:
        nonlocal done
        random = Random(data)
        for each in (data, *(mutants.random(random) for _ in range(variants))):
            done += 1
            try:
                check(target, each)
            except BaseException as error:
                raise AssertionError(f"{name}: input {each[:2000]!r}") from error

    for start in range(0, examples, ROUND):
        run = given(mutants.strategy())(one)
        run = seed(first_seed + start)(run)
        run = settings(
            max_examples=min(ROUND, examples - start),
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )(run)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run()
    return done


def seconds_of(name: str) -> float:
    """Return the processor time that a valid input of a target takes."""
    target, seeds = TARGETS[name], TARGETS[name].seeds()
    for data in seeds:  # imports and caches
        check(target, data)
    started = time.process_time()
    for data in seeds * 3:
        check(target, data)
    return (time.process_time() - started) / len(seeds) / 3


def limit() -> None:
    """Limit the memory of a worker, where the system can."""
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MAX_ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def work(name: str, examples: int, variants: int, seed: int) -> tuple[str, int, float, str]:
    """Return a target's name, inputs, seconds and failure."""
    logging.disable()  # of libraries that report each malformed input
    started = time.monotonic()
    try:
        return name, fuzz(name, examples, variants, seed), time.monotonic() - started, ""
    except BaseException:
        return name, 0, time.monotonic() - started, traceback.format_exc()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
