"""Compile the contracts and write what the Python side needs to `knet/chain/artifacts/`.

Run ``npm ci`` in this folder first, then ``python build.py``. The same sources give the same bytes everywhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

CONTRACTS = ("IdentityRegistry", "ManifestRegistry", "Reliability")
HERE = Path(__file__).resolve().parent
ARTIFACTS = HERE.parent / "knet" / "chain" / "artifacts"


def artifact(out: Path, name: str) -> str:
    """Return the ABI and creation code of one compiled contract as one line of sorted JSON."""
    compiled = json.loads((out / f"{name}.sol" / f"{name}.json").read_text())
    kept = {"abi": compiled["abi"], "bytecode": compiled["bytecode"]["object"]}
    return json.dumps(kept, sort_keys=True, separators=(",", ":")) + "\n"


def build(target: Path) -> None:
    """Compile into ``target``; raises CalledProcessError with the compiler's words on stderr."""
    forge = HERE / "node_modules" / ".bin" / "forge"
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:  # of its own, so that builds and tests may run side by side
        out = Path(scratch) / "out"
        subprocess.run(
            [forge, "build", "--skip", "test", "--out", out, "--cache-path", Path(scratch) / "cache"],
            cwd=HERE,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for name in CONTRACTS:
            (target / f"{name}.json").write_text(artifact(out, name))


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ARTIFACTS)
