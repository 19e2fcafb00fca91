"""Writes the table of models: docs/models/README.md and the block between the markers in README.md.

    python docs/table.py

The reference of a model is the first parenthesis with a year in the docstring of its class, the objective its first
indented line.
"""

import inspect
import re
from pathlib import Path

from keras_ae.zoo.registry import MODELS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
INDEX = ROOT / "docs" / "models" / "README.md"
START, END = "<!-- models: written by docs/table.py -->", "<!-- end of models -->"
INTRODUCTION = """\
# Models

One page for each registered model: what it assumes, what it minimises, where each symbol is in the code, an example
that runs, and when to use it. L is -log p(x given the code), in nats; f is the encoder, g the decoder. This page is
written by `python docs/table.py`."""


def reference(docstring: str) -> str:
    """The first parenthesis with a year, with the authors if they stand before it."""
    words = " ".join(docstring.split())
    authors, rest = re.search(r"([A-Z]\w+ et al\. )?\(([^()]*\b(?:19|20)\d\d\b[^()]*)\)", words).groups()
    return f"{authors.strip()}, {rest}" if authors else rest


def objective(docstring: str) -> str:
    """The first indented line of a docstring; wide gaps become commas."""
    line = re.search(r"^ {4}(.*)$", docstring, flags=re.MULTILINE)[1]
    return re.sub(r",? {3,}", ", ", line).replace("  ", " ").strip(" ,")


def table(folder: str) -> str:
    """The table, with links to the pages in a folder."""
    lines = ["| name | class | objective | reference |", "|---|---|---|---|"]
    for name, model in sorted(MODELS.items()):
        docstring = inspect.getdoc(model)
        equation = objective(docstring).replace("|", r"\|")
        lines.append(f"| [`{name}`]({folder}{name}.md) | `{model.__name__}` | `{equation}` | {reference(docstring)} |")
    return "\n".join(lines)


def render() -> dict[Path, str]:
    """Both files as they should be."""
    text = README.read_text()
    before, after = text[: text.index(START)], text[text.index(END) :]
    return {
        README: f"{before}{START}\n{table('docs/models/')}\n{after}",
        INDEX: f"{INTRODUCTION}\n\n{table('')}\n",
    }


if __name__ == "__main__":
    for path, text in render().items():
        path.write_text(text)
