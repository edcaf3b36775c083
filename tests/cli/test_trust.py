"""`knet trust`: bonds, status, audits and revealed leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from knet.chain.devchain import fund
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer, load_or_create_key
from knet.cli.main import app
from knet.config import Profile, save_profile
from knet.content.store import FileStore, MemoryStore
from knet.rating.audit import audit_batch, challenge
from knet.rating.batch import build_batch
from tests.chain.support import rating, send, submit


@pytest.fixture
def joined(devnet: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    monkeypatch.delenv("KNET_PROFILE", raising=False)
    save_profile(devnet, default=True)
    return devnet


def trust(*arguments: str, fails: int = 0) -> Result:
    result = CliRunner().invoke(app, ["trust", *arguments])
    assert result.exit_code == fails, result.output
    return result


def test_bond_status_and_unbond(joined: Profile) -> None:
    assert "0.25 ether bonded" in trust("bond", "0.25").stdout
    text = trust("status").stdout
    assert "0.25 ether at stake" in text
    assert "250 full ratings" in text
    trust("unbond", "0.15")
    status = json.loads(trust("status", "--json").stdout)
    assert status["standing"]["bond"] == 10**17
    assert "BondTooSmall" in trust("unbond", "5", fails=1).stderr


@pytest.mark.parametrize("amount", ["0", "-1", "much", "nan", "1e-19"])
def test_invalid_amount_is_refused(joined: Profile, amount: str) -> None:
    assert "is not an amount of ether. Use a number above 0" in trust("bond", "--", amount, fails=1).stderr


def test_audit_of_a_false_batch_slashes_its_bond(
    joined: Profile, chain: EvmChain, new_account: Callable[[], Signer]
) -> None:
    owner, cheat = new_account(), new_account()
    node = chain.identity.register(owner, "http://127.0.0.1:1")
    store = FileStore(joined.path("blocks"))
    submit(chain, cheat, [rating(owner, node, cheat, chain.deployment)], store)
    assert "1 batches checked, 0 wrong" in trust("audit", "--rater", cheat.address).stdout
    forged = send(chain, cheat, build_batch([rating(cheat, node, cheat, chain.deployment)]), store)
    assert "not a recorded wallet" in trust("audit", "--rater", cheat.address, fails=1).stdout
    assert chain.reliability.is_active(forged), "without --challenge"
    trust("audit", "--rater", cheat.address, "--challenge", fails=1)
    assert not chain.reliability.is_active(forged)
    assert "1 batches checked, 0 wrong" in trust("audit", "--rater", cheat.address).stdout


def test_withheld_batch_is_challenged_and_revealed(
    joined: Profile, chain: EvmChain, new_account: Callable[[], Signer]
) -> None:
    owner, auditor, me = new_account(), new_account(), load_or_create_key(joined.path("key"))
    fund(joined.rpc, me.address)
    node = chain.identity.register(owner, "http://127.0.0.1:1")
    batch = submit(chain, me, [rating(owner, node, me, chain.deployment)], FileStore(joined.path("blocks")))
    finding = audit_batch(chain, MemoryStore(), batch)
    assert finding is not None
    challenge(chain, auditor, finding)
    assert "leaf 0 of batch 0 must be revealed" in trust("status").stdout
    assert "1 leaves revealed" in trust("reveal").stdout
    assert "no leaf of your batches was demanded" in trust("reveal").stdout
