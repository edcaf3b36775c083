"""`knet dsi`: training, evaluation and update of models that generate passage ids for a question."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..config import DEFAULT_MODEL, load_profile
from ..errors import ConfigError
from .common import AsJson, ProfileName, command, console, out, print_json, print_result, shown

if TYPE_CHECKING:
    from ..dsi.corpus import Passages, Questions
    from ..dsi.pairs import WeightedPair
    from ..embed.base import Embedder, Vectors
    from ..records import Space

app = typer.Typer(help="Train models that generate passage ids for a question (De-DSI).", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The folder of the trained models.", metavar="FOLDER")]
QuestionFiles = Annotated[
    list[Path] | None,
    typer.Option("--questions", "-q", help="Read questions and their documents from these JSON lines (repeatable)."),
]
Model = Annotated[str, typer.Option(help="Embed with this model: a hub id or a folder.")]


@app.command()
@command
def train(
    source: Annotated[Path, typer.Argument(help="A node's home folder, or JSON lines of {id, text}.")],
    questions: QuestionFiles = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Write the models to this folder; by default in SOURCE.")
    ] = None,
    shards: Annotated[int, typer.Option(help="Train this many models, on k-means shards; 0: as many as needed.")] = 0,
    workers: Annotated[int, typer.Option(help="Train this many shards in parallel processes.")] = 2,
    epochs: Annotated[int, typer.Option(help="Pass this many times over all questions.")] = 5,
    pseudo: Annotated[bool, typer.Option(help="Generate questions for passages without any.")] = True,
    trust: Annotated[
        Path | None, typer.Option(help="Weigh signed pairs by this JSON object: signer's address -> weight 0 to 1.")
    ] = None,
    model: Model = DEFAULT_MODEL,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Train models of a collection. After an interruption, the same command continues."""
    from ..dsi.collection import train_collection
    from ..dsi.corpus import pseudo_pairs
    from ..dsi.examples import Settings

    with _bars() as bars:
        passages, space, embedder = _passages(source, model, bars)
        pairs, dropped = _pairs(questions or [], trust, profile)
        asked = len(pairs)
        if pseudo:
            pairs += pseudo_pairs(passages, pairs)
        found = _embedded(pairs, embedder(), bars)
        folder = out_folder or (source / "dsi" if source.is_dir() else source.with_name(f"{source.name}.dsi"))
        task = bars.add_task("training", total=None)
        plan = train_collection(
            passages,
            found,
            space,
            folder,
            shards=shards,
            settings=Settings(epochs=epochs),
            workers=workers,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
    generated = len(pairs) - asked
    counts = {"shards": plan.shards, "passages": plan.passages, "questions": asked, "pseudo_questions": generated}
    if dropped and not as_json:
        out.print(f"[yellow]{dropped} pairs dropped[/]: invalid signature, repeated, or signer without trust")
    print_result(
        {"folder": str(folder), **counts, "dropped_pairs": dropped},
        f"{plan.shards} models of {plan.passages} passages, trained on {asked} given and "
        f"{generated} generated questions, in {shown(str(folder))}",
        as_json,
    )


@app.command("eval")
@command
def evaluate(
    folder: Folder,
    questions: Annotated[Path, typer.Argument(help="JSON lines: questions that were not used in training.")],
    beam: Annotated[int, typer.Option(help="Keep this many prefixes at each step of the search.")] = 10,
    model: Annotated[str, typer.Option(help="Embed with this model instead of the one of the models' space.")] = "",
    as_json: AsJson = False,
) -> None:
    """Measure the retrieval quality of the models on held-out questions."""
    from ..dsi.collection import load_models
    from ..dsi.datasets import read_questions
    from ..dsi.ensemble import DsiRetriever
    from ..dsi.evaluation import evaluate
    from ..embed.load import load_embedder_for

    space, models = load_models(folder)
    pairs = read_questions(questions).own
    with _bars() as bars:
        found = _embedded(pairs, load_embedder_for(space, model=model), bars)
        measured = evaluate(DsiRetriever(models), found, beam)
    print_result(
        measured,
        f"{measured.questions} questions, {len(models)} models, {measured.milliseconds:.1f} ms each\n"
        f"hit@1 {measured.hit_at_1:.3f}  hit@10 {measured.hit_at_10:.3f}  MRR {measured.mrr:.3f}",
        as_json,
    )


@app.command()
@command
def show(folder: Folder, as_json: AsJson = False) -> None:
    """Show the trained models."""
    from ..codec import cid_of
    from ..dsi.collection import load_models, load_plan
    from ..dsi.evaluation import summarize

    plan = load_plan(folder)
    space, models = load_models(folder)
    described = [summarize(model) for model in models]
    if as_json:
        print_json({"space": cid_of(space), "model": space.model, "questions": plan.questions, "shards": described})
        return
    out.print(f"{plan.passages} passages, {plan.questions} questions, space {space.model} ({cid_of(space)})")
    table = Table("shard", "passages", "levels", "edges", "features", "published size")
    for number, each in enumerate(described):
        size = f"{each.bytes / 1024:,.0f} KiB"
        table.add_row(str(number), str(each.documents), str(each.levels), str(each.edges), str(each.features), size)
    out.print(table)


@app.command()
@command
def update(
    folder: Folder,
    add: Annotated[Path | None, typer.Option(help="JSON lines of new {id, text}.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="An id to remove (repeatable).")] = None,
    questions: QuestionFiles = None,
    pseudo: Annotated[bool, typer.Option(help="Make questions for new passages that have none.")] = True,
    model: Annotated[str, typer.Option(help="Embedding model, if not where the models' space leads.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add and remove documents without training from nothing."""
    from ..dsi.collection import load_plan, update_collection
    from ..dsi.corpus import Passages, pseudo_pairs
    from ..dsi.datasets import read_documents
    from ..embed.load import load_embedder_for

    space = load_plan(folder).space
    new = questions_of = None
    if add is not None:
        with _bars() as bars:
            embedder = load_embedder_for(space, model=model)
            ids, texts = read_documents(add)
            new = Passages(ids, texts, _vectors(texts, embedder, bars, "new passages", query=False))
            pairs, _ = _pairs(questions or [], None, None)
            pairs += pseudo_pairs(new, pairs) if pseudo else []
            questions_of = _embedded(pairs, embedder, bars)
    with console.status("updating the models ..."):
        report = update_collection(folder, new, questions_of, remove or [])
    text = f"{report.added} added, {report.removed} removed; {report.passages} passages in {report.shards} models"
    print_result(report, text, as_json)


# --- parts -------------------------------------------------------------------------------------------------------


def _passages(source: Path, model: str, bars: Progress) -> tuple[Passages, Space, Callable[[], Embedder]]:
    """Return the passages to train on, their space, and a function that opens its embedder."""
    from ..dsi.corpus import Passages
    from ..dsi.datasets import read_documents, read_node
    from ..embed.load import is_bulk, load_embedder, load_embedder_for

    if source.is_dir():
        passages, space = read_node(source)
        return passages, space, lambda: load_embedder_for(space, model="" if model == DEFAULT_MODEL else model)
    ids, texts = read_documents(source)
    embedder = load_embedder(model, bulk=is_bulk(len(texts)))
    vectors = _vectors(texts, embedder, bars, "passages", query=False)
    return Passages(ids, texts, vectors), embedder.space, lambda: embedder


def _pairs(files: list[Path], trust: Path | None, profile: str | None) -> tuple[list[WeightedPair], int]:
    """Return the unsigned pairs with the weighted pairs of trusted signers, and the number of dropped pairs."""
    from ..dsi.datasets import read_questions
    from ..dsi.pairs import weight_pairs

    asked = [read_questions(file) for file in files]
    signed = [pair for each in asked for pair in each.signed]
    own = [pair for each in asked for pair in each.own]
    if not signed or trust is None:
        return own, len(signed)
    deployment = load_profile(profile).deployment
    given, dropped = weight_pairs(signed, _trust(trust), deployment.chain_id, deployment.reliability)
    return own + given, dropped


def _trust(path: Path) -> dict[str, float]:
    try:
        found = json.loads(path.read_text())
        return {str(address): float(weight) for address, weight in found.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is not a JSON object of address -> weight: {error}.", hint='Write {"0x...": 1.0} into it.'
        ) from error


def _embedded(pairs: list[WeightedPair], embedder: Embedder, bars: Progress) -> Questions:
    from ..dsi.corpus import Questions

    return Questions(pairs, _vectors([pair.question for pair in pairs], embedder, bars, "questions", query=True))


def _vectors(texts: list[str], embedder: Embedder, bars: Progress, what: str, *, query: bool) -> Vectors:
    task = bars.add_task(f"embedding {what}", total=len(texts))
    return embedder.encode(texts, query=query, progress=lambda done: bars.update(task, advance=done))


@contextmanager
def _bars() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        yield bars
