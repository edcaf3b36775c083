"""Benchmarks: `python -m benchmarks` lists them, `python -m benchmarks.<name>` runs one."""
