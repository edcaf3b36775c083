"""Bound on the work of a listing that a person waits for, such as a preview."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


class Budget:
    """A number of entries of folders, of requests, and a time in seconds. Without arguments it has no end.

    ``is_spent`` tells that the listing stopped early.
    """

    def __init__(self, *, entries: float = math.inf, requests: float = math.inf, seconds: float = math.inf) -> None:
        self._entries = entries
        self._requests = requests
        self._end = time.monotonic() + seconds
        self.is_spent = False

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def in_time(self) -> bool:
        """Return True until the time is over."""
        if self.seconds_left <= 0:
            self.is_spent = True
            return False
        return True

    def goes_on(self) -> bool:
        """Return True while something of everything is left."""
        return self.in_time() and not self.is_spent

    def take(self, entries: Iterable[T]) -> list[T]:
        """Return as many entries as are left, and spend them."""
        taken = []
        for entry in entries:
            if self._entries <= 0 or not self.goes_on():
                self.is_spent = True
                break
            self._entries -= 1
            taken.append(entry)
        return taken

    def may_request(self) -> bool:
        """Return True if one more request may be sent, and spend it."""
        self._requests -= 1
        if self._requests < 0:
            self.is_spent = True
        return self.goes_on()
