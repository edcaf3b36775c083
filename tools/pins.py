"""Exact versions of every installed package that development needs: the content of constraints.txt.

Run as ``make pins`` after a dependency changed. Local version suffixes are dropped, so that one constraint fits every
build of a package (torch's CPU build and the usual one).
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from knet.errors import DISTRIBUTION

ROOTS = (f"{DISTRIBUTION}[dev]", "knet-jupyter[dev]")


def closure(roots: tuple[str, ...]) -> dict[str, str]:
    """Return name and version of every installed package that the roots require, with all their extras."""
    pins: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    queue = [Requirement(root) for root in roots]
    while queue:
        wanted = queue.pop()
        name = canonicalize_name(wanted.name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        pins[name] = Version(found.version).public
        for extra in {"", *wanted.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                needs = map(Requirement, found.requires or [])
                queue += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    return pins


def main() -> None:
    pins = closure(ROOTS)
    for name in sorted(pins):
        if not name.startswith("knet"):
            print(f"{name}=={pins[name]}")


if __name__ == "__main__":
    main()
