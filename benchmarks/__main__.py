"""List the benchmarks, a line each."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import benchmarks


def main() -> None:
    for found in pkgutil.iter_modules(benchmarks.__path__):
        if found.ispkg:
            summary = (import_module(f"benchmarks.{found.name}").__doc__ or "").strip().splitlines()[0]
            print(f"python -m benchmarks.{found.name:<12} {summary}")


if __name__ == "__main__":
    main()
