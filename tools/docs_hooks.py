"""Hook of mkdocs that writes the page of commands from the command definitions."""

from __future__ import annotations

from typing import Any

import typer
from typer.cli import get_docs_for_click

from knet.cli import main as cli

MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the mark on a page by the reference of all commands; mkdocs calls this for every page."""
    return markdown.replace(MARK, _commands()) if MARK in markdown else markdown


def _commands() -> str:
    if not any(group.name == "node" for group in cli.app.registered_groups):
        cli._mount()
    command = typer.main.get_command(cli.app)
    context = typer.Context(command, info_name="knet")
    text = get_docs_for_click(obj=command, ctx=context, name="knet")
    return text.partition("\n")[2].replace("\n### ", "\n#### ").replace("\n## ", "\n### ")
