"""Writes the tables of models and of presets: docs/models/README.md and the blocks between markers in README.md.

python docs/table.py
"""

import json
from pathlib import Path

from keras_ae.zoo import presets, registry

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
INDEX = ROOT / "docs" / "models" / "README.md"
START, END = "<!-- {what}: written by docs/table.py -->", "<!-- end of {what} -->"
INTRODUCTION = """\
# Models

One page for each registered model: what it assumes, what it minimises, where each symbol is in the code, an example
that runs, and when to use it. L is -log p(x given the code), in nats; f is the encoder, g the decoder. This page is
written by `python docs/table.py`."""


def table(folder: str) -> str:
    """The table, with links to the pages in a folder."""
    lines = ["| name | class | objective | reference |", "|---|---|---|---|"]
    for name, model in sorted(registry.MODELS.items()):
        equation = registry.equation(name).replace("|", r"\|")
        reference = registry.reference(name)
        lines.append(f"| [`{name}`]({folder}{name}.md) | `{model.__name__}` | `{equation}` | {reference} |")
    return "\n".join(lines)


def preset_table() -> str:
    """The table of presets, with links to their cards and the figures."""
    lines = ["| name | data | code | squared error | log p(x), nats |", "|---|---|---|---|---|"]
    for name in presets.list_presets():
        metrics = json.loads((ROOT / "saved_models" / name / "metrics.json").read_text())
        probability = metrics["quantity"] == "log-probability"  # not the cross-entropy of grey levels
        bound = f"{metrics['bound']:.2f} (K = {metrics['samples']})" if probability else "-"
        recipe = presets.preset(name).recipe
        card = f"[`{name}`](saved_models/{name})"
        lines.append(f"| {card} | {recipe.data} | {recipe.latent_dim} | {metrics['squared_error']:.2f} | {bound} |")
    return "\n".join(lines)


def replace(text: str, what: str, block: str) -> str:
    """A text with another block between the markers."""
    start, end = START.format(what=what), END.format(what=what)
    return f"{text[: text.index(start)]}{start}\n{block}\n{text[text.index(end) :]}"


def render() -> dict[Path, str]:
    """Both files as they should be."""
    readme = replace(README.read_text(), "models", table("docs/models/"))
    return {README: replace(readme, "presets", preset_table()), INDEX: f"{INTRODUCTION}\n\n{table('')}\n"}


if __name__ == "__main__":
    for path, text in render().items():
        path.write_text(text)
