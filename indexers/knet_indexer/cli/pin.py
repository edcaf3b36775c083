"""`knet node publish --pin`: copies of a publication that stay when the node's machine is off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from knet.errors import ConfigError

from .common import progress_bars

if TYPE_CHECKING:
    from ..node import Node, Progress
    from ..publication.pinning import PinReport


class PinTarget(StrEnum):
    """A value of ``--pin``."""

    kubo = "kubo"
    car = "car"
    service = "service"


Kubo = Annotated[str, typer.Option(help="Use the Kubo daemon at this RPC multiaddr, instead of the profile's.")]
Car = Annotated[Path | None, typer.Option(help="Write the CAR to this file, instead of NAME.car.")]
Service = Annotated[str, typer.Option("--pinning-service", envvar="KNET_PINNING_SERVICE", help="Use this URL.")]
Token = Annotated[str, typer.Option("--pinning-token", envvar="KNET_PINNING_TOKEN", help="Use this token.")]


def plan_pins(
    node: Node, targets: Sequence[PinTarget], *, kubo: str, car: Path | None, service: str, token: str
) -> Callable[[], list[PinReport]]:
    """Return a function that pins the head at every target. Settings are checked at once: raises ConfigError."""
    kubo = kubo or (node.profile.kubo if PinTarget.kubo in targets else "")
    if PinTarget.kubo in targets and not kubo:
        raise ConfigError("No Kubo daemon is configured.", hint="Name its RPC with --kubo /ip4/127.0.0.1/tcp/5001.")
    if PinTarget.service in targets and not (service and token):
        raise ConfigError(
            "The pinning service has no URL or no token.", hint="Set KNET_PINNING_SERVICE and KNET_PINNING_TOKEN."
        )

    def keep() -> list[PinReport]:
        with progress_bars() as progress:
            return [_pin(node, target, kubo, car, service, token, progress) for target in dict.fromkeys(targets)]

    return keep


def _pin(
    node: Node, target: PinTarget, kubo: str, car: Path | None, service: str, token: str, progress: Progress
) -> PinReport:
    from knet.content.pinning import PinningService
    from knet.http import HttpClient

    from ..publication.pinning import export_car, pin_kubo, pin_service

    if target is PinTarget.kubo:
        return pin_kubo(node, kubo, progress=progress)
    if target is PinTarget.car:
        return export_car(node, car or Path(f"{node.name}.car"), progress=progress)
    with HttpClient(addresses="private") as http:  # the owner chose the URL; it was not read from the chain
        return pin_service(node, PinningService(http, service, token), service, progress=progress)
