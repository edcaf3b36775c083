"""Memory of the sites that had a public address, in a node's state: from then on only public addresses are asked."""

from __future__ import annotations

from knet.http import AddressPolicy

from ..sources.base import Source
from ..state import State

_PUBLIC = b"public"


class SiteMemory:
    """The address policies of a node's sites, by host. Sources without ``host`` and ``policy`` are not sites."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._sites: dict[str, AddressPolicy] = {}

    def restrict(self, source: Source) -> None:
        """Restrict a site that had a public address before, also under another source of the node."""
        host, policy = getattr(source, "host", ""), getattr(source, "policy", None)
        if isinstance(policy, AddressPolicy) and policy.narrows:
            if self._state.meta(_key(host)) == _PUBLIC:
                policy.name = "public"
            self._sites[host] = policy

    def save(self) -> None:
        """Remember the sites that turned out to have a public address."""
        for host, policy in self._sites.items():
            if policy.name == "public" and self._state.meta(_key(host)) != _PUBLIC:
                with self._state.transaction():
                    self._state.put_meta(_key(host), _PUBLIC)


def _key(host: str) -> str:
    return f"addresses of {host.lower().rstrip('.')}"
