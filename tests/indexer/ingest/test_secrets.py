"""Secrets in documents stop a sync and a publication, and are never published."""

from __future__ import annotations

from pathlib import Path

import pytest

from knet.errors import IndexerError, SecretsFound
from knet_indexer.cli.common import allowed_name
from knet_indexer.ingest.secret_scan import _windows, check_secrets, find_secrets
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node
from knet_indexer.publication.publish import publish
from tests.network.support import make_node

MOTHS = "# Moths\n\nA moth flies at night, and its antennae are like feathers.\n"
SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"
HEX = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


def joined(*parts: str) -> str:
    """Return a made-up secret, which scanners of this repository do not find in this file."""
    return "".join(parts)


SECRETS = {
    "a PEM key": joined("-----BEGIN RSA ", "PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"),
    "an SSH key": joined("-----BEGIN OPENSSH ", "PRIVATE KEY-----\nb3Blbn"),
    "an encrypted key": joined("-----BEGIN ENCRYPTED ", "PRIVATE KEY-----\nMIIE"),
    "a PGP key": joined("-----BEGIN PGP ", "PRIVATE KEY BLOCK-----"),
    "a seed phrase": f"My wallet:\n{SEED}\n",
    "a seed phrase of one word a line": "\n".join(f"{n}. {word.title()}" for n, word in enumerate(SEED.split(), 1)),
    "a seed phrase in a table": "\n".join(f"| {n} | {word} |" for n, word in enumerate(SEED.split(), 1)),
    "a seed phrase in JSON": str(SEED.split()),
    "a seed phrase of one repeated word": "abandon " * 11 + "about",
    "a Spanish seed phrase": "ábaco abdomen abeja abierto abogado abono aborto abrazo abrir abuelo abuso acabar",
    "a private key of a wallet": f"private key: 0x{HEX}",
    "an environment variable": f"PRIVATE_KEY={HEX}",
    "an extended key": joined("xp", "rv9s21ZrQH143K", "3" * 97),
    "a keystore": '{"crypto": {"cipher": "aes-128-ctr", "kdf": "scrypt", "kdfparams": {"n": 8192}}}',
    "an AWS key": joined("the key is AK", "IAIOSFODNN7ABCDEFG"),
    "an AWS secret": joined("aws_secret_access_key = 'wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYzzzzzzzKEY'"),
    "a GitHub token": joined("gh", "p_", "a1B2" * 9),
    "a new GitHub token": joined("github_", "pat_", "11A" * 10),
    "a Slack token": joined("xox", "b-123456789012-123456789012-abcdefghijkl"),
    "a Stripe key": joined("sk_", "live_", "a1b2c3d4e5f6a1b2c3d4e5f6"),
    "an OpenAI key": joined("sk-", "proj-", "a1B2c3D4e5F6g7H8i9J0"),
    "an Anthropic key": joined("sk-", "ant-api03-", "a1B2c3D4e5F6g7H8i9J0"),
    "a Hugging Face token": joined("h", "f_", "abCdEfGhIj" * 3 + "kLmN"),
    "a Google key": joined("AI", "za", "SyA1B2C3D4E5F6G7H8I9J0K1L2M3N4O5P6Q"),
    "a JWT": joined("ey", "JhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"),
    "an RPC address": f"RPC: https://mainnet.infura.io/v3/{HEX[:32]}",
    "a password": "Password: hunter2",
    "a password in Markdown": "- **Password:** `hunter2!`",
    "a password in a table": "| password | hunter2 |",
    "a password in a sentence": "The password is hunter2.",
    "a password in quotes": 'db_password = "c0rrect-horse"',
    "a .env file": "DEBUG=1\nSECRET_KEY=k3f9w0xq2z\n",
    "a password in an address": "postgres://admin:s3cr3tpw@db.internal/main",
    "a key at the end of a long line": "x " * 4000 + joined("gh", "p_", "a1B2" * 9),
}

ORDINARY = [
    "To log in, enter your password: it has at least 8 characters.",
    "password: your_password_1",
    "password = <8 characters>",
    "export API_KEY=$MY_KEY1",
    'api_key = os.environ["OPENAI_API_KEY_2"]',
    "token: str = read_token_2(path)",
    "postgres://user:password@localhost/db",
    f"sha256 {HEX}",
    "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    "The winner of this year will thank a useful worth of sausage on a yellow wave.",
    "top-left, top, top-right, bottom-left, bottom, bottom-right, top-left, top, top-right, left",
    "return when.year, when.month, when.day, when.hour, when.minute, when.second, when.year, when.month",
    "AKIAIOSFODNN7EXAMPLE is the key of Amazon's documentation.",
    "A public key: -----BEGIN PUBLIC KEY-----",
    " ".join(f"word{number}" for number in range(60)),
]


@pytest.mark.parametrize("kind", SECRETS)
def test_secret_in_a_text_is_found(kind: str) -> None:
    """Threat model: owner, by mistake, publication of secrets."""
    (finding, *_) = find_secrets(f"# Notes\n\n{SECRETS[kind]}\n")
    assert " in line " in finding
    assert not any(part in finding for part in SECRETS[kind].split() if len(part) > 8), "no message repeats a secret"


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_not_a_secret(text: str) -> None:
    assert find_secrets(text) == []


def test_source_code_may_name_passwords_but_not_quote_them() -> None:
    assert find_secrets("password = hunter2", is_code=True) == []
    assert find_secrets('password = "hunter2"', is_code=True) == ["password or key in line 1"]
    assert find_secrets("", "lib/password.py", is_code=True) == []


@pytest.mark.parametrize(
    "name",
    ["wallet.txt", "sub/passwords.md", "id_rsa.txt", "ID_ED25519.md", "server.pem", "prod.env", "seed-phrase.md"],
)
def test_file_with_the_name_of_a_secret_is_found(name: str) -> None:
    assert find_secrets("nothing to see", name) == ["its name"]


@pytest.mark.parametrize("name", ["wallets-compared.md", "password-hashing.md", "environment.md", "notes.txt"])
def test_file_about_secrets_is_not_one(name: str) -> None:
    assert find_secrets("How to keep a secret.", name) == []


# --- sync and publication ----------------------------------------------------------------------------------------


@pytest.fixture
def node(tmp_path: Path) -> Node:
    documents = {"moths.md": MOTHS, "wallet.txt": "nothing", "keys/notes.md": f"Keep this: {SEED}"}
    return make_node(tmp_path / "node", documents)


def folder_of(node: Node) -> Path:
    return Path(node.config.sources[0].spec.partition(":")[2])


def stored(node: Node) -> set[str]:
    """Return the uris of indexed documents, and check that no text of another one is in the node's home."""
    with node.open_state() as state:
        uris = {row.document.uri.rpartition("documents/")[2] for row in state.documents()}
    if "keys/notes.md" not in uris:
        phrase = SEED.encode()
        assert not any(phrase in path.read_bytes() for path in node.folder.rglob("*") if path.is_file())
    return uris


def test_secrets_stop_the_sync_with_their_list_and_stay_out_of_the_node(node: Node) -> None:
    """Threat model: owner, by mistake, publication of secrets."""
    for _ in range(2):  # a later sync does not forget them
        with pytest.raises(SecretsFound, match=r"keys/notes\.md \(seed phrase in line 1\); wallet\.txt \(its name\)"):
            sync(node)
        assert stored(node) == {"moths.md"}


def test_publication_is_refused_while_a_source_holds_secrets(node: Node) -> None:
    with pytest.raises(SecretsFound):
        sync(node)
    with pytest.raises(SecretsFound, match="wallet"):
        publish(node)  # before it contacts the chain, which this node does not have


def test_publication_is_refused_before_the_first_scan(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {"moths.md": MOTHS})
    sync(node)
    with node.open_state() as state:
        state.put_meta("secrets", b"")  # as an earlier version left it
    with pytest.raises(IndexerError, match="were not searched for secrets"):
        publish(node)


def test_document_with_a_new_secret_is_removed_from_the_node(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {"moths.md": MOTHS, "keys/notes.md": "Nothing yet."})
    sync(node)
    (folder_of(node) / "keys" / "notes.md").write_text(SEED)
    with pytest.raises(SecretsFound):
        sync(node)
    assert stored(node) == {"moths.md"}


def test_allowed_documents_are_indexed_and_remembered(node: Node) -> None:
    node.configure(allow=["wallet.txt", "folder:node-documents/keys/notes.md"])
    assert sync(node).added == 3
    assert sync(node).unchanged == 3
    assert stored(node) == {"moths.md", "wallet.txt", "keys/notes.md"}
    node.configure(allow=["wallet.txt"])
    with pytest.raises(SecretsFound, match="keys"):
        sync(node)


def test_ignored_or_corrected_documents_end_the_refusal(node: Node) -> None:
    with pytest.raises(SecretsFound):
        sync(node)
    (folder_of(node) / ".knetignore").write_text("wallet.*\n")
    (folder_of(node) / "keys" / "notes.md").write_text("Nothing any more.")
    assert sync(node).added == 1
    assert stored(node) == {"moths.md", "keys/notes.md"}


def test_allowed_file_is_named_by_its_path_in_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "sub" / "wallet.txt").touch()
    specs = [f"folder:{tmp_path / 'docs'}", "sitemap:https://example.org"]
    monkeypatch.chdir(tmp_path)
    for given in ("sub/wallet.txt", "docs/sub/wallet.txt", str(tmp_path / "docs" / "sub" / "wallet.txt")):
        assert allowed_name(given, specs) == "sub/wallet.txt"
    assert allowed_name("https://example.org/wallet", specs) == "https://example.org/wallet"


@pytest.mark.parametrize("mark", ["sk-", "eyJ", "password", "a:", "://", "aws key", "-", "key=", "abandon ", "x|"])
def test_work_doubles_with_the_text(mark: str) -> None:
    """Threat model: document, text that makes a search take time that grows faster than the text."""

    def windows(length: int) -> int:
        return sum(len(window) for window in _windows(mark * (length // len(mark))))

    assert windows(80_000) < 2.1 * windows(40_000) < 4.2 * 2 * 40_000
    find_secrets(mark * (80_000 // len(mark)))  # within the test's time limit, which 80,000 squared exceeds


@pytest.mark.parametrize(
    "label", ["https://example.org/doc?api_key=k3f9w0xq2z", "AN AWS KEY", "https://u:s3cr3tpw@docs.example.org/a"]
)
def test_secret_in_an_address_or_title_is_found(label: str) -> None:
    """Threat model: owner, by mistake; a token in the address of a page, or in the name of a file."""
    label = label.replace("AN AWS KEY", SECRETS["an AWS key"])
    with pytest.raises(SecretsFound, match="in its address or title"):
        check_secrets("a", MOTHS, "text/plain", is_file=False, labels=("https://example.org/a", label))
    check_secrets("a", MOTHS, "text/plain", is_file=False, labels=("https://example.org/password-rules?page=2", "Keys"))


def test_secret_in_the_name_of_a_file_stops_the_sync(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {f"{joined('gh', 'p_', 'a1B2' * 9)}.md": MOTHS})
    with pytest.raises(SecretsFound, match="in its address or title"):
        sync(node)
    assert node_holds_nothing(node)


def node_holds_nothing(node: Node) -> bool:
    with node.open_state() as state:
        return not list(state.documents())
