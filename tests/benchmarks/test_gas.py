"""Gas of a batch: within its limits, and below that of the paper's contract."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from knet.chain.anvil import find_anvil
from tests.conftest import NO_ANVIL

from .test_benchmarks import ROOT, run


@pytest.mark.chain
def test_batch_costs_less_than_the_papers() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if find_anvil() is None:
        pytest.skip(NO_ANVIL)
    if not (ROOT / "contracts" / "node_modules").is_dir() or shutil.which("node", path=path) is None:
        pytest.skip("the compiler is not installed: run `npm ci` in contracts/")
    ended = run("benchmarks.gas")
    assert ended.returncode == 0, ended.stderr[-2000:]
    figures = json.loads(ended.stdout.splitlines()[-1])["figures"]
    assert figures["per_node_at_20"] <= 9000
    assert figures["marginal_node"] <= 7000
    assert figures["per_folded_rating"] < 500
    assert figures["paper_per_node_at_20"] > 3 * figures["per_node_at_20"]
    assert figures["paper_marginal_node"] > 4 * figures["marginal_node"]
