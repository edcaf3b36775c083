"""Malformed input that fuzzing found to escape as errors of other libraries, or to overflow the C stack.

Threat model: RPC, node, document, contributor of training pairs: bytes that crash their reader.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from eth_abi.exceptions import DecodingError

from knet.chain.batches import decode_batch
from knet.chain.events import fetch_logs
from knet.chain.rpc import Rpc
from knet.codec import Cid
from knet.content.pinning import PinningService
from knet.dsi.datasets import MAX_LINE, parse_passage_id, read_questions
from knet.errors import BadReply, ChainError, ChainUnreachable, CodecError, ConfigError, SourceError
from knet.records import SearchRequest
from knet_indexer.server.negotiation import JSON, parse
from knet_indexer.sources.ignore import IgnoreRules
from knet_indexer.sources.site_client import SiteReply
from knet_indexer.sources.sitemap import _in_utf8

POST = "web3._utils.http_session_manager.HTTPSessionManager.make_post_request"
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
DEEP = b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 200_000 + b"]" * 200_000 + b"}"


@pytest.fixture
def rpc() -> Rpc:
    return Rpc("http://127.0.0.1:9")


@pytest.mark.parametrize("data", ["0xzz", "0x0", "0x   "])
def test_revert_data_that_is_not_hex_is_an_error_of_the_chain(rpc: Rpc, data: str) -> None:
    reply = b'{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"no","data":"%s"}}' % data.encode()
    owner = rpc.contract("IdentityRegistry", CONTRACT).functions.ownerOf(1)
    with mock.patch(POST, return_value=reply), pytest.raises(ChainError):
        rpc.call(owner, "Reading an owner")


@pytest.mark.parametrize("result", [b'"0x5"', b"[1]", b'{"number":"0x5"}'])
def test_block_without_a_hash_is_an_error_of_the_chain(rpc: Rpc, result: bytes) -> None:
    reply = b'{"jsonrpc":"2.0","id":1,"result":' + result + b"}"
    with mock.patch(POST, return_value=reply), pytest.raises(ChainError):
        rpc.block_hash(5)


@pytest.mark.parametrize("reply", [DEEP, b"[]", b"5", b"\xff"], ids=["deep", "list", "number", "bytes"])
def test_reply_that_is_no_object_is_refused_before_it_is_parsed(rpc: Rpc, reply: bytes) -> None:
    """The decoder of the standard library would overflow the C stack, since web3 lifts the recursion limit."""
    with mock.patch(POST, return_value=reply), pytest.raises(ChainUnreachable):
        list(fetch_logs(rpc, [CONTRACT], [], 1, 1))


@pytest.mark.parametrize("data", ["0x", "0x" + "ff" * 96])
def test_log_that_its_contract_did_not_write_is_an_error_of_the_chain(rpc: Rpc, data: str) -> None:
    log: dict[str, Any] = {"topics": ["0x", "0x" + "0" * 64, "0x1"], "data": data, "blockNumber": "0x1"}
    with pytest.raises((DecodingError, OverflowError)):
        decode_batch(log, 1)
    with pytest.raises(ChainError), rpc.errors("Reading batches"):
        decode_batch(log, 1)


def test_request_with_a_text_that_is_not_utf8_is_refused() -> None:
    body = b'{"type":"knet/search/1","question":"a","client":"","salt":"","x":"\x80"}'
    with pytest.raises(CodecError):
        parse(body, SearchRequest, JSON)


def test_offsets_of_thousands_of_digits_are_refused() -> None:
    with pytest.raises(CodecError, match="not the id of a passage"):
        parse_passage_id(f"{Cid.of(b'')}#{'9' * 5000}-1")


@pytest.mark.parametrize(
    "line",
    ['{"text":"a","relevant":5}', '{"text":"a","relevant":{"b":"1"}}', '{"text":"a","docid":5}', "[" * 100_000, '"a"'],
    ids=lambda line: line[:30],
)
def test_question_of_odd_types_is_refused(line: str, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(line)
    with pytest.raises(ConfigError):
        read_questions(path)


def test_damaged_and_endless_archives_of_questions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl.gz"
    good = gzip.compress(b'{"text":"a"}' * 50)
    path.write_bytes(good[:20] + b"\xff" * 8 + good[28:])
    with pytest.raises(ConfigError):
        read_questions(path)
    path.write_bytes(gzip.compress(b" " * (MAX_LINE + 1)))
    with pytest.raises(ConfigError, match="characters or more"):
        read_questions(path)


def test_reply_of_a_pinning_service_that_nests_is_refused() -> None:
    http = mock.Mock(run=mock.Mock(return_value=b'{"count":1,"results":' + b"[" * 300_000))
    with pytest.raises(BadReply):
        PinningService(http, "https://pins.example", "token")._find("a")


def test_ignore_file_with_a_pattern_that_is_not_valid_is_named(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("[{-a]")
    with pytest.raises(SourceError, match="is not valid: bad character range"):
        IgnoreRules(tmp_path).reason(tmp_path / "a")


@pytest.mark.parametrize("charset", ["idna", "IDNA", "punycode"])
def test_page_in_an_encoding_of_names_is_not_decoded_by_it(charset: str) -> None:
    """Their decoders take time that grows with the square of the length: hours for 16 MiB."""
    reply = SiteReply("", {"content-type": f"text/html; charset={charset}"}, b"a" * 300_000 + b".")
    assert reply.charset.lower() == charset.lower()
    assert _in_utf8(reply) == reply.body
