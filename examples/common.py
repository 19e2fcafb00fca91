"""What the examples share: their options, their data, and the page that each of them leaves behind."""

import argparse
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

import keras_ae
from keras_ae import plots


def options(description: str, **defaults: Any) -> argparse.Namespace:
    """The command line of an example: one option for each default, of its type (lists: several), and `--out`.

    Args:
        description: the example's docstring.
        **defaults: name of an option -> its value for the full budget.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        listed = isinstance(default, list)
        how: dict[str, Any] = {"type": type(default[0]), "nargs": "+"} if listed else {"type": type(default)}
        parser.add_argument(f"--{name.replace('_', '-')}", default=default, help="%(default)s", **how)
    parser.add_argument("--out", type=Path, help="folder for the page and its pictures; runs/examples/NAME")
    found = parser.parse_args()
    found.out = found.out or Path("runs") / "examples" / Path(sys.argv[0]).stem
    return found


def load(name: str, **how: Any) -> tuple[keras_ae.data.Dataset, keras_ae.data.Dataset]:
    """Training and test split of a data set; `how` as in `keras_ae.data.load`."""
    return keras_ae.data.load(name, "train", **how), keras_ae.data.load(name, "test", **how)


class Page:
    """A page of Markdown with tables and pictures: what an example found out.

    Args:
        folder: where README.md and the pictures go.
        description: the example's docstring: a title, an empty line, and what is to be seen.
    """

    def __init__(self, folder: Path, description: str) -> None:
        title, _, text = description.strip().partition("\n")
        self.folder = folder
        self.parts = [f"# {title.rstrip('.')}", text.strip()]
        self.begin = time.monotonic()

    def text(self, paragraph: str) -> None:
        """Adds a paragraph, and shows it."""
        print(paragraph, flush=True)
        self.parts.append(paragraph)

    def table(self, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Adds a table, and shows it; floats are written with three decimals."""
        lines = [header, ["---"] * len(header), *rows]
        cells = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in line] for line in lines]
        self.text("\n".join("| " + " | ".join(line) + " |" for line in cells))

    def picture(self, name: str, figure: Figure, caption: str) -> None:
        """Adds a picture, written to NAME.png."""
        plots.save(figure, self.folder / f"{name}.png")
        self.parts.append(f"{caption}\n\n![{name}]({name}.png)")

    def write(self) -> None:
        """Writes the page."""
        script = Path(sys.argv[0])
        command = shlex.join(["python", f"{script.parent.name}/{script.name}", *sys.argv[1:]])
        self.parts.append(f"Made by `{command}` in {time.monotonic() - self.begin:.0f} s.")
        keras_ae.models.files.write_text(self.folder / "README.md", "\n\n".join(self.parts) + "\n")
        print(f"Written: {self.folder / 'README.md'}")
