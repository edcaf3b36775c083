"""Receipts as nodes issue them, for tests of what the chain admits."""

from __future__ import annotations

import os
import time

from knet.chain.base import Deployment
from knet.chain.keys import Signer
from knet.chain.receipts import sign_receipt
from knet.records import Rating, Receipt, SignedReceipt


def new_receipt(node: int, client: str) -> Receipt:
    return Receipt(
        node=node,
        manifest=os.urandom(32),
        query=os.urandom(32),
        results=os.urandom(32),
        client=bytes.fromhex(client[2:]),
        issued_at=int(time.time()),
        nonce=os.urandom(32),
    )


def issue(signer: Signer, receipt: Receipt, deployment: Deployment) -> SignedReceipt:
    return sign_receipt(signer, receipt, deployment.chain_id, deployment.reliability)


def rating(signer: Signer, node: int, client: Signer, deployment: Deployment, value: int = 100) -> Rating:
    return Rating(receipt=issue(signer, new_receipt(node, client.address), deployment), value=value)
