"""`knet network`: local development chains, and profiles of existing networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from msgspec.structs import replace

from ..config import ADDRESS_POLICIES, Deployment, Profile, load_profile, profile_names, save_profile
from ..errors import ConfigError
from ..redaction import public_url
from .common import AsJson, ProfileName, command, console, out, print_json, print_result, shown

app = typer.Typer(help="Start a new network, or join an existing one.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The profile's name.")]


@app.command()
@command
def up(
    name: Name = "local",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serve the chain's RPC on this port of 127.0.0.1; 0 takes a free one.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Start a development chain (Anvil) with knet's contracts; it keeps its state and runs until `down`."""
    from ..chain.devchain import start_network

    with console.status("starting the chain ..."):
        profile = start_network(name, port=port)
    text = f"network {name}: chain {profile.deployment.chain_id} at {profile.public_rpc}; it is now the default profile"
    print_result(_public(profile), text, as_json)


@app.command()
@command
def down(name: Name = "local", as_json: AsJson = False) -> None:
    """Stop a development chain; its state is kept and `up` resumes it."""
    from ..chain.devchain import stop_network

    stopped = stop_network(name)
    print_result({"stopped": stopped}, f"network {name} {'stopped' if stopped else 'was not running'}", as_json)


@app.command()
@command
def join(
    name: Name,
    rpc: Annotated[str, typer.Option(envvar="KNET_RPC", show_envvar=True, help="The URL of an Ethereum JSON-RPC.")],
    identity: Annotated[str, typer.Option(help="The address of the ERC-8004 identity registry.")],
    manifests: Annotated[str, typer.Option(help="The address of the manifest registry.")],
    reliability: Annotated[str, typer.Option(help="The address of the reliability contract.")],
    chain_id: Annotated[int, typer.Option(help="The chain's id.")],
    block: Annotated[int, typer.Option(help="Read events from this block on.")] = 0,
    addresses: Annotated[
        str, typer.Option(help=f"Contact only nodes at such addresses: {', '.join(ADDRESS_POLICIES)}.")
    ] = "public",
    confirmations: Annotated[
        str, typer.Option(help="Trust blocks with this many blocks above them; or safe, or finalized.")
    ] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(help="Also embed questions with this model, a hub id or a folder (repeatable)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Save the profile of an existing network, and make it the default."""
    if addresses not in ADDRESS_POLICIES:
        raise ConfigError(
            f"--addresses {addresses[:80]!r} is not an address policy.", hint=f"Use {', '.join(ADDRESS_POLICIES)}."
        )
    deployment = Deployment(
        chain_id=chain_id,
        identity=identity,
        manifests=manifests,
        reliability=reliability,
        block=block,
    )
    profile = Profile(
        name=name, rpc=rpc, deployment=deployment, addresses=addresses, confirmations=_confirmations(confirmations)
    )
    profile = _with_models(profile, model or [])
    path = save_profile(profile, default=True)
    print_result(_public(profile), f"joined {shown(name)}; the profile is {shown(str(path))}", as_json)


@app.command()
@command
def allow(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Hub ids, or folders of models.")],
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Allow further models to embed questions, so that nodes of their spaces can be asked."""
    changed = _with_models(load_profile(profile), models)
    save_profile(changed)
    print_result(_public(changed), f"{shown(changed.name)} embeds with {shown(', '.join(changed.models))}", as_json)


def _with_models(profile: Profile, models: list[str]) -> Profile:
    """Return the profile with further models. The path of a folder is made absolute."""
    named = [str(path.resolve()) if (path := Path(model).expanduser()).is_dir() else model for model in models]
    return replace(profile, models=tuple(dict.fromkeys([*profile.models, *named])))


def _public(profile: Profile) -> Profile:
    """Return a profile to print: without the keys in its URLs."""
    return replace(profile, rpc=profile.public_rpc, gateways=[public_url(url) for url in profile.gateways])


def _confirmations(text: str) -> int | Literal["safe", "finalized"] | None:
    if text in ("safe", "finalized"):
        return "safe" if text == "safe" else "finalized"
    if text and not text.isdecimal():
        raise ConfigError(
            f"--confirmations {text[:80]!r} is not valid.", hint="Use a number of blocks, safe or finalized."
        )
    return int(text) if text else None


@app.command("list")
@command
def list_(as_json: AsJson = False) -> None:
    """List the profiles on this machine."""
    names = profile_names()
    if as_json:
        print_json(names)
    else:
        for profile in [load_profile(name) for name in names]:
            out.print(f"{shown(profile.name)}: {profile.public_rpc}")
