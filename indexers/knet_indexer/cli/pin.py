"""`knet node publish --pin`: where a publication stays when the node's machine is off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from knet.errors import ConfigError

from .common import Bars

if TYPE_CHECKING:
    from ..node import Node
    from ..publication.pinning import PinReport


class PinTarget(StrEnum):
    """What ``--pin`` takes."""

    kubo = "kubo"
    car = "car"
    service = "service"


Kubo = Annotated[str, typer.Option(help="Multiaddr of a Kubo daemon's RPC; the profile's if not given.")]
Car = Annotated[Path | None, typer.Option(help="File for the CAR; NAME.car if not given.")]
Service = Annotated[
    str, typer.Option("--pinning-service", envvar="KNET_PINNING_SERVICE", show_envvar=True, help="URL of its API.")
]
Token = Annotated[
    str, typer.Option("--pinning-token", envvar="KNET_PINNING_TOKEN", show_envvar=True, help="The account's token.")
]


def plan_pins(
    node: Node, places: Sequence[PinTarget], *, kubo: str, car: Path | None, service: str, token: str
) -> Callable[[], list[PinReport]]:
    """What pins the head in every place. Settings are checked now, before anything is published: ConfigError."""
    kubo = kubo or (node.profile.kubo if PinTarget.kubo in places else "")
    if PinTarget.kubo in places and not kubo:
        raise ConfigError("No Kubo daemon is known.", hint="Name its RPC with --kubo /ip4/127.0.0.1/tcp/5001.")
    if PinTarget.service in places and not (service and token):
        raise ConfigError(
            "A pinning service takes its URL and a token.", hint="Set KNET_PINNING_SERVICE and KNET_PINNING_TOKEN."
        )

    def keep() -> list[PinReport]:
        with Bars() as progress:
            return [_pin(node, place, kubo, car, service, token, progress) for place in dict.fromkeys(places)]

    return keep


def _pin(
    node: Node, place: PinTarget, kubo: str, car: Path | None, service: str, token: str, progress: Bars
) -> PinReport:
    from knet.content.pinning import PinningService
    from knet.http import HttpClient

    from ..publication.pinning import export_car, pin_kubo, pin_service

    if place is PinTarget.kubo:
        return pin_kubo(node, kubo, progress=progress)
    if place is PinTarget.car:
        return export_car(node, car or Path(f"{node.name}.car"), progress=progress)
    with HttpClient(addresses="private") as http:  # the owner's own choice, not a name read from the chain
        return pin_service(node, PinningService(http, service, token), service, progress=progress)
