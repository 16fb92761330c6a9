"""Sentences that the program can print, to be read from top to bottom: `python -m tests.docs.sentences [FOLDER…]`.

They are the texts of several words in the source, with `{…}` for what is filled in, and the docstrings of commands,
which are their help. Other docstrings, patterns, and programs for hosts are left out.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import ROOT

WORDS = re.compile(r"[A-Za-z]{2,}[,;:.`')]* [`'(]*[A-Za-z{]|[}`')]:? [a-z]{2,}")
NO_SENTENCE = re.compile(
    r"\\[bdsSwW.]|\.\*|\(\?|\$\{|\$docker|\$_|^import |\n.*\n.*\n.*\n|^(docker|sudo|set|exec|cat|test|if) "
)
HELP = "orchestrator/cli/commands/"


def sentences(file: Path) -> Iterator[tuple[int, str]]:
    """The line and the text of each in a file."""
    tree = ast.parse(file.read_text())
    if HELP in str(file):
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield node.lineno, ast.get_docstring(node) or ""
    yield from _texts(tree)


def _texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    text = _text(node)
    if text is None:
        for child in ast.iter_child_nodes(node):
            yield from _texts(child)
    elif isinstance(node, ast.expr) and WORDS.search(text) and not NO_SENTENCE.search(text):
        yield node.lineno, text


def _text(node: ast.AST) -> str | None:
    """A string as it is written; None for what is none."""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            f"{{{ast.unparse(part.value)}}}" if isinstance(part, ast.FormattedValue) else _text(part) or ""
            for part in node.values
        )
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def main(folders: list[str]) -> None:
    for folder in folders or ["orchestrator"]:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if found := list(sentences(file)):
                sys.stdout.write(f"\n{file.relative_to(ROOT)}\n")
            for line, text in found:
                sys.stdout.write(f"{line:5}  {' '.join(text.split())}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
