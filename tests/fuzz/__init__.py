"""Fuzzing of everything that reads foreign bytes: random inputs, and valid ones with hostile changes."""
