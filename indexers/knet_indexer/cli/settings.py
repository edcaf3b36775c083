"""`knet node set`: changes of a node's settings, with their effects on what the node published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from knet.chain.events import is_endpoint
from knet.cli.common import AsJson, command, out, print_json, shown
from knet.codec import MAX_DESCRIPTION, MAX_LICENCE, MAX_TITLE
from knet.errors import ConfigError
from knet.records import Record

from .common import HomeOption, NodeArgument, can_ask, open_node

if TYPE_CHECKING:
    from ..node import Node


class Effect(Record, frozen=True):
    """The effect of one changed setting. ``invalidates`` counts documents or passages that are made again."""

    setting: str
    before: str
    after: str
    effect: str
    invalidates: int = 0


@command
def set_settings(
    node: NodeArgument = "",
    home: HomeOption = None,
    name: Annotated[str | None, typer.Option(help="Show this public name.")] = None,
    description: Annotated[str | None, typer.Option(help="Describe the documents in one sentence.")] = None,
    licence: Annotated[str | None, typer.Option(help="Set the SPDX licence of documents without their own.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Announce this public URL; empty: host and port.")] = None,
    model: Annotated[str | None, typer.Option(help="Use this embedding model, a hub id or a folder.")] = None,
    rate: Annotated[float | None, typer.Option(min=0, help="Limit searches a second for each client.")] = None,
    bandwidth: Annotated[float | None, typer.Option(min=0, help="Limit MiB a second for each client.")] = None,
    grace: Annotated[float | None, typer.Option(min=0, help="Keep the text of removed documents for hours.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Change them without a question.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the effects, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change settings of a node, after a list of their effects.

    A licence or a model that makes indexed documents invalid is changed after a question, or with --yes.
    """
    opened = open_node(node, home)
    given = {
        "name": name,
        "description": description,
        "licence": licence,
        "endpoint": endpoint,
        "model": model,
        "rate": rate,
        "bandwidth": bandwidth,
        "grace": grace,
    }
    changes = {key: value for key, value in given.items() if value is not None and value != getattr(opened.config, key)}
    _check(changes)
    effects = effects_of(opened, changes)
    if as_json:
        print_json({"effects": effects})
    else:
        for each in effects:
            out.print(shown(f"{each.setting}: {each.before or '(empty)'} -> {each.after or '(empty)'}. {each.effect}"))
    if dry_run or not changes:
        if not changes and not as_json:
            out.print("nothing changes")
        return
    if any(each.invalidates for each in effects) and not yes:
        if as_json or not can_ask():
            raise ConfigError("The change makes indexed documents invalid.", hint="Repeat it with --yes.")
        if not typer.confirm("Change them?", err=True):
            raise typer.Exit(1)
    opened.configure(**changes)


def effects_of(node: Node, changes: Mapping[str, object]) -> list[Effect]:
    """Return the effect of each changed setting on what the node indexed and published. Raises StoreError."""
    with node.open_state() as state:
        documents, passages = state.counts()
        default_licence = sum(row.document.licence == node.config.licence for row in state.documents())
        registered = bool(state.metas("identity "))
    card = "The next publication has a new card; documents, shards and vectors stay."
    texts = {
        "name": f"{card} The name of the node's folder, by which commands find it, stays.",
        "description": card,
        "licence": f"The next sync reads all {documents} documents again. {default_licence} without a licence of their "
        "own get new versions, which replace the published ones; vectors stay.",
        "endpoint": "The node announces it on chain at its next start, which costs gas. Clients use the earlier URL "
        "until then." if registered else "The first publication announces it.",
        "model": f"The next sync embeds all {passages} passages again, and nothing can be published before it ends. "
        "The next publication replaces every shard and drops trained models (De-DSI). Clients need the new model.",
        "rate": "From the next start of the node on.",
        "bandwidth": "From the next start of the node on.",
        "grace": "For documents removed before too.",
    }  # fmt: skip
    invalid = {"licence": default_licence, "model": passages}
    return [
        Effect(
            setting=key,
            before=str(getattr(node.config, key)),
            after=str(value),
            effect=texts[key],
            invalidates=invalid.get(key, 0),
        )
        for key, value in changes.items()
    ]


def _check(changes: Mapping[str, object]) -> None:
    """Raise ConfigError for a value that cannot be published."""
    limits = {"name": MAX_TITLE, "description": MAX_DESCRIPTION, "licence": MAX_LICENCE}
    for key, limit in limits.items():
        if len(str(changes.get(key, ""))) > limit:
            raise ConfigError(f"{key} is too long.", hint=f"Use at most {limit} characters.")
    if not str(changes.get("name", "x")).strip() or not str(changes.get("model", "x")).strip():
        raise ConfigError("name and model cannot be empty.")
    endpoint = str(changes.get("endpoint", ""))
    if endpoint and not is_endpoint(endpoint.rstrip("/")):
        raise ConfigError(
            f"endpoint {endpoint!r} is not an address of a node.", hint="Write https://HOST[:PORT][/PATH]."
        )
