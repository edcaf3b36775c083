"""``%knet`` and ``%%knet``: ask, verify and rate in a notebook."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from knet.answer.live import LiveAnswer
from knet.answer.report import VerificationReport
from knet.client.shared import NetworkClient, shared_network
from knet.errors import ConfigError, KnetError
from knet.ipython import in_one_line

from .completion import complete
from .input_transform import transform
from .magic_args import Command, Question, parse, usage
from .progress import Progress
from .tables import NodeTable, rated

P = ParamSpec("P")
R = TypeVar("R")


def load(shell: InteractiveShell) -> None:
    """Add the magics and their completion to a shell, once."""
    if transform in shell.input_transformers_cleanup:
        return
    shell.input_transformers_cleanup.append(transform)
    shell.register_magics(KnetMagics)
    for key in ("%knet", "%%knet"):
        shell.set_hook("complete_command", complete, str_key=key)  # type: ignore[no-untyped-call]


def one_line_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function to show a KnetError as one red line instead of a traceback."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except KnetError as error:
            raise in_one_line(error) from None

    return run


@magics_class
class KnetMagics(Magics):
    """The magics, with the selected network and the last answer."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.profile: str | None = None
        self.last: LiveAnswer | None = None

    @no_var_expand  # a question is data: braces in it are not evaluated
    @line_cell_magic
    @one_line_errors
    def knet(self, line: str, cell: str | None = None) -> Any:
        """Ask a knowledge network: `%knet How does HNSW choose neighbours?`; `%knet help` lists the rest."""
        parsed = parse(line, cell)
        return self._ask(parsed) if isinstance(parsed, Question) else self._run(parsed)

    def _ask(self, question: Question) -> LiveAnswer:
        with Progress("asking the network ...") as progress:
            network = self._network(question.profile)
            answer = network.ask(question.text, on_status=progress.add, **question.asking)
        self.last = answer
        if question.into is not None and self.shell is not None:
            self.shell.user_ns[question.into] = answer
        return answer

    def _run(self, command: Command) -> Any:
        match command.name:
            case "nodes":
                return NodeTable(self._network().nodes())
            case "rate":
                print(rated(self._answer().rate(command.value, passage=command.passage)))
            case "flush":
                sent = self._network().ratings.flush()
                print(f"on chain in {', '.join(sent)}" if sent else "there are no ratings to put on chain")
            case "verify":
                return self._verify()
            case "use":
                network = shared_network(command.profile)
                self.profile = command.profile
                print(f"asking {network.profile.name} in later cells")
            case "widget":
                from ..widget import AskWidget

                return AskWidget(profile=self.profile)
            case _:
                print(usage())
        return None

    def _verify(self) -> VerificationReport:
        with Progress("checking every claim ..."):
            return self._answer().verify()

    def _network(self, profile: str | None = None) -> NetworkClient:
        return shared_network(profile or self.profile)

    def _answer(self) -> LiveAnswer:
        if self.last is None:
            raise ConfigError("There is no answer yet.", hint="Ask with `%knet QUESTION` first.")
        return self.last
