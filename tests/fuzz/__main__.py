"""The long profile: a million inputs over all targets, with progress, and one line of counts at the end.

python -m tests.fuzz --inputs 1000000 --processes 2 [--only NAME]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from .running import limit, seconds_of, work
from .targets import TARGETS

VARIANTS = 19  # inputs after each of Hypothesis, which takes 100 times as long to make one
OVERHEAD = 1e-4  # seconds of an input beside the target's


def shares(names: list[str], inputs: int) -> dict[str, int]:
    """Return how many inputs of Hypothesis each target gets: about the same time for each."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        speed = [1 / (seconds + OVERHEAD) for seconds in pool.map(seconds_of, names)]
    return {
        name: 1 + round(inputs * each / sum(speed) / (1 + VARIANTS)) for name, each in zip(names, speed, strict=True)
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--only", action="append", choices=list(TARGETS), default=[])
    options = parser.parse_args()
    planned = shares(options.only or list(TARGETS), options.inputs)
    total = sum(planned.values()) * (1 + VARIANTS)
    print(f"fuzz: {total} inputs for {len(planned)} targets, --seed {options.seed}", flush=True)
    started, counts, failures = time.monotonic(), dict[str, int](), list[str]()
    initializer = limit if sys.platform == "linux" else None
    with ProcessPoolExecutor(options.processes, get_context("spawn"), initializer) as pool:
        jobs = [pool.submit(work, name, count, VARIANTS, options.seed) for name, count in planned.items()]
        for done, job in enumerate(as_completed(jobs), 1):
            name, counts[name], seconds, failure = job.result()
            failures += [name] * bool(failure)
            outcome = f"FAILED\n{failure}" if failure else f"{counts[name]} inputs"
            print(f"fuzz: {done}/{len(jobs)} {name}: {outcome} in {seconds:.0f} s", flush=True)
    total, seconds = sum(counts.values()), round(time.monotonic() - started)
    print(json.dumps({"inputs": total, "seconds": seconds, "failed": failures, "targets": counts}))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
