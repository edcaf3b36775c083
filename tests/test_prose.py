"""Rules of prose that a machine can check: how docstrings and comments open, words to avoid, commit subjects.

A line that has to quote such a word (a user of the system, another author's text) ends with ``prose: quoted`` in a
comment.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FIRST_COMMIT = "0b79746"  # subjects before it follow no rule

CLAUSE = re.compile(r"(What|Whether|Where|Who|Whom|Whose|How|Which|Why)\b", re.IGNORECASE)
WORDS = re.compile(r"\b(whoever|nobody|somebody|anew|one's own|by the way)\b", re.IGNORECASE)  # prose: quoted
IS_NO = re.compile(r"(?P<before>(?:\b[\w']+\W+){0,2})\b(is|are|was|were) no (?P<after>\w+(?: \w+)?)", re.IGNORECASE)
COMPARISON = re.compile(r"(longer|less|fewer)\b|(more|\w+er) than\b", re.IGNORECASE)
SLASHED = (".ts", ".js", ".mjs", ".css", ".sol")  # languages with comments in slashes
HASHED = (".py", ".sh", ".toml", ".yml", ".ini", "Makefile", ".ci/run", "binder/start", "binder/postBuild")
COMMENT = {  # one comment: a block, or lines of the same kind below each other
    SLASHED: re.compile(r"/\*\*?(?P<block>.*?)\*/|(?P<lines>//[^\n]*(?:\n[ \t]*//[^\n]*)*)", re.DOTALL),
    HASHED: re.compile(r"(?:^|(?<=\s))(?P<lines>#[^\n]*(?:\n[ \t]*#[^\n]*)*)", re.MULTILINE),
}
TAG = re.compile(r"^\s*@(?:notice|dev|title|param \w+|return)\s+", re.MULTILINE)  # NatSpec: each tag opens a text
FUNCTION = re.compile(  # with parameters, in TypeScript or Solidity, below its comment
    r"\s*\n\s*(?:export |async |private |protected |public |static )*(?:function\*? )?\*?(?!constructor\b)\w+"
    r"(?:<[^()]*>)?\((?!\))"
)
NOUN = re.compile(r"(The|A|An|All|Any|Each|Every|One|Its|This|That|These|True|Number|Text)\b")
LEADER = re.compile(r"^\s*(?:///?|#+|\*|>)?\s*")  # of a comment's or quotation's continuation line
QUOTED = "prose: quoted"
FOREIGN = re.compile(
    r"(^|/)(package-lock\.json|constraints\.txt|LICENSE|\.npmrc)$|^knet/chain/artifacts/|\.(png|svg|woff2?|pdf|docx)$"
)
IMPERATIVE_ENDINGS = ("ing", "ed")
IMPERATIVES = {"Bring", "Embed", "Feed", "Need", "Seed", "Shed", "Speed", "String"}  # verbs with such an ending


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"git {arguments[0]} failed here: {done.stderr.strip()}")
    return done.stdout


@cache
def tracked() -> list[str]:
    return [name for name in git("ls-files", "-z").split("\0") if not FOREIGN.search(name) and (ROOT / name).is_file()]


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of the docstring of each module, class and function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            text := ast.get_docstring(node)
        ):
            yield node.body[0].lineno, text


def comments(name: str, text: str) -> Iterator[tuple[int, list[str], bool]]:
    """Yield each comment of a file: its line, its openings, and True if it documents a function with parameters."""
    for kind, pattern in COMMENT.items():
        if not name.endswith(kind):
            continue
        for match in pattern.finditer(text):
            body = "\n".join(
                LEADER.sub("", line)
                for line in match[0].removeprefix("/**").removeprefix("/*").removesuffix("*/").splitlines()
            )
            openings = [part.strip() for part in TAG.split(body) if part.strip()]
            documents = match[0].startswith(("/**", "///")) and FUNCTION.match(text, match.end()) is not None
            yield text.count("\n", 0, match.start()) + 1, openings, documents


def flowed(text: str) -> tuple[str, list[int]]:
    """Return the text in one line without comment leaders, and the line number of each of its characters."""
    parts, numbers = [], []
    for number, line in enumerate(text.splitlines(), 1):
        part = LEADER.sub("", line) + " " if QUOTED not in line else ". "
        parts.append(part)
        numbers += [number] * len(part)
    return "".join(parts), numbers


def denied_noun(text: str) -> Iterator[re.Match[str]]:
    """Yield each denied noun; "there is no Y" and comparisons ("is no longer") are allowed."""
    for match in IS_NO.finditer(text):
        if not re.search(r"\bthere\b", match["before"], re.IGNORECASE) and not COMPARISON.match(match["after"]):
            yield match


def test_docstring_opens_with_a_noun_phrase_or_a_verb() -> None:
    found = [
        f"{name}:{line}: {text.splitlines()[0]}"
        for name in tracked()
        if name.endswith(".py")
        for line, text in docstrings(ast.parse((ROOT / name).read_text(encoding="utf-8")))
        if CLAUSE.match(text)
    ]
    assert found == []


def test_comment_opens_with_a_noun_phrase_or_a_verb() -> None:
    found = [
        f"{name}:{line}: {opening.splitlines()[0]}"
        for name in tracked()
        if name.endswith((*SLASHED, *HASHED))
        for line, openings, _ in comments(name, (ROOT / name).read_text(encoding="utf-8"))
        for opening in openings
        if CLAUSE.match(opening)
    ]
    assert found == []


def test_comment_of_a_function_opens_with_a_verb() -> None:
    found = [
        f"{name}:{line}: {openings[0].splitlines()[0]}"
        for name in tracked()
        if name.endswith(SLASHED)
        for line, openings, documents in comments(name, (ROOT / name).read_text(encoding="utf-8"))
        if documents and openings and NOUN.match(openings[0])
    ]
    assert found == []


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.ts", "/** What it holds. */\nclass A {}", (["What it holds."], False)),
        (
            "a.ts",
            "/**\n * The sum\n * of both. */\nexport function sum(a: number): number {",
            (["The sum\nof both."], True),
        ),
        ("a.ts", "/** The age. */\nget age(): number {", (["The age."], False)),
        ("a.ts", "  /** The rest. */\n  private async rest<T>(of: T[]): Promise<T> {", (["The rest."], True)),
        (
            "a.sol",
            "/// @notice Add.\n/// @param a Which of them.\nfunction f(uint a)",
            (["Add.", "Which of them."], True),
        ),
        ("a.py", "x = 1  #" + " how much\n# of it", (["how much\nof it"], False)),
    ],
)
def test_openings_of_a_comment_are_found(name: str, text: str, expected: tuple[list[str], bool]) -> None:
    assert [(openings, documents) for _, openings, documents in comments(name, text)] == [expected]


def test_text_names_its_agents_and_says_what_a_thing_is() -> None:
    found = []
    for name in tracked():
        text, numbers = flowed((ROOT / name).read_text(encoding="utf-8"))
        found += [
            f"{name}:{numbers[match.start()]}: {match[0]}" for match in [*WORDS.finditer(text), *denied_noun(text)]
        ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a node is no rater", 1),  # prose: quoted
        ("such answers\n    # are no\n    # evidence", 1),  # prose: quoted
        ("There is no rater, and there still is no node", 0),
        ("the node is no longer asked, the reply is no larger than its limit, and gas was no less", 0),
        ("a text that is no more", 1),  # prose: quoted
    ],
)
def test_denied_noun_is_found_across_lines_and_allowed_after_there(text: str, count: int) -> None:
    assert len(list(denied_noun(flowed(text)[0]))) == count


def commits() -> list[tuple[str, str, str]]:
    """Return hash, subject and body of each commit after the first that follows the rule."""
    if subprocess.run(
        ["git", "merge-base", "--is-ancestor", FIRST_COMMIT, "HEAD"], cwd=ROOT, capture_output=True
    ).returncode:
        pytest.skip(f"the history of this checkout does not reach commit {FIRST_COMMIT}")
    log = git("log", "--no-merges", "--format=%h%x1f%s%x1f%b%x1e", f"{FIRST_COMMIT}..HEAD")
    return [(each[0].strip(), each[1], each[2]) for entry in log.split("\x1e")[:-1] if (each := entry.split("\x1f"))]


def fault(subject: str, body: str) -> str:
    """Return the rule that a commit's message breaks, or nothing."""
    first = subject.partition(" ")[0]
    if len(subject) > 72:
        return "subject of more than 72 characters"
    if subject.endswith(".") or not first[:1].isupper():
        return "subject is not a sentence's beginning without its full stop"
    if first.endswith(IMPERATIVE_ENDINGS) and first not in IMPERATIVES:
        return "subject does not begin with an imperative verb"
    return "" if body.strip() else "no body that says why"


def test_commit_has_an_imperative_subject_and_a_body() -> None:
    assert [f"{name} {subject}: {why}" for name, subject, body in commits() if (why := fault(subject, body))] == []


@pytest.mark.parametrize(
    "subject",
    ["Added a test", "Adding a test", "add a test", "Add a test.", "Add " + "a" * 70],
)
def test_commit_subject_that_breaks_the_rule_is_found(subject: str) -> None:
    assert fault(subject, "Why.")
    assert fault("Add a test", "")
    assert not fault("Embed a test", "Why.")
