"""The model card of a preset, with the metadata that the Hugging Face hub reads."""

from pathlib import Path
from typing import Any

from keras_ae import models, plots
from keras_ae.training import RunFolder
from keras_ae.zoo import presets, registry

SHOWN = 10
SOURCES = {  # of the data, with its licence
    "digits": "UCI ML hand-written digits (E. Alpaydin, C. Kaynak), CC BY 4.0",
    "mnist": "MNIST (Y. LeCun, C. Cortes, C. J. C. Burges), CC BY-SA 3.0",
    "binarized_mnist": "MNIST binarised once by H. Larochelle, derived from MNIST, CC BY-SA 3.0",
    "fashion_mnist": "Fashion-MNIST (Zalando SE), MIT",
}
CARD = """\
---
library_name: keras
license: apache-2.0
tags: [keras, keras_ae, autoencoder, {model}]
datasets: [{data}]
model-index:
- name: {name}
  results:
  - task: {{type: image-feature-extraction}}
    dataset: {{name: {data}, type: {data}, split: test}}
    metrics:
{index}
---

# {name}

{purpose}

    {equation}

`{class_name}` ({reference}), code of {latent_dim} dimensions, {weights:,} weights.

- **Data**: {source}. No image is in these files.
- **Training**: `keras-ae zoo train {name}`; {epochs} epochs in {minutes:.1f} minutes on {backend}{stopped}.
- **Limits**: trained on images of {shape} in [0, 1] of this data alone; it knows no other, and its samples are no
  data. Figures are of one seed.

{table}

{pictures}
## Loading it

```python
import keras_ae

model = keras_ae.from_preset("{name}")
codes = model.encode(images{condition})
```

```python
import keras
import keras_ae  # registers the classes

model = keras.saving.load_model("{name}/model.keras")
```

```python
import tensorflow as tf  # no Keras, no keras_ae

model = tf.saved_model.load("{name}/1")
code = model.signatures["encode"](x=images{condition})["code"]
```
"""


def text(
    chosen: presets.Preset, model: models.Autoencoder, run: RunFolder, metrics: dict[str, Any], drawn: list[Path]
) -> str:
    """README.md of a preset's folder."""
    settings, history = chosen.recipe, run.history()
    best = min(history, key=lambda epoch: sum(epoch.get(f"val_{name}", 0.0) for name in settings.monitor))
    return CARD.format(
        name=chosen.name,
        purpose=chosen.purpose,
        model=settings.model,
        data=settings.data,
        index=index(metrics),
        source=SOURCES.get(settings.data, settings.data),
        class_name=type(model).__name__,
        equation=registry.equation(settings.model),
        reference=registry.reference(settings.model),
        latent_dim=settings.latent_dim,
        weights=model.count_params(),
        epochs=len(history),
        minutes=run.seconds() / 60,
        backend=f"Keras with {run.config['backend']}",
        stopped=f", weights of epoch {best['epoch']}, the best on held-out images" if settings.patience else "",
        shape="x".join(map(str, model.event_shape)),
        table=table(metrics),
        pictures="\n".join(f"![{path.stem}]({path.name})\n" for path in drawn),
        condition=", condition=conditions" if model.conditional else "",
    )


def index(metrics: dict[str, Any]) -> str:
    """The figures of the test split as lines of the hub's `model-index`."""
    figures = {"squared_error": metrics["squared_error"], metrics["quantity"]: metrics["bound"]}
    return "\n".join(
        f"    - {{type: {name}, value: {value:.4f}}}" for name, value in figures.items() if value is not None
    )


def table(metrics: dict[str, Any]) -> str:
    """The figures beside the baselines', as Markdown."""

    def cell(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    what = metrics["quantity"] if metrics["estimator"] is None else f"{metrics['quantity']} ({metrics['estimator']})"
    rows = [("this model", metrics["squared_error"], metrics["bound"])]
    rows += [(baseline["name"], baseline["squared_error"], baseline["log_prob"]) for baseline in metrics["baselines"]]
    return "\n".join(
        [
            f"Means over the {metrics['examples']:,} test images; {what} in nats, squared error summed over pixels.",
            "",
            f"| model | squared error | {metrics['quantity']} |",
            "|---|---|---|",
            *(f"| {name} | {cell(error)} | {cell(log_prob)} |" for name, error, log_prob in rows),
            "",
            "Terms of the loss: " + ", ".join(f"{name} {value:.2f}" for name, value in metrics["terms"].items()) + ".",
        ]
    )


def pictures(folder: Path, chosen: presets.Preset, model: models.Autoencoder) -> list[Path]:
    """Draws reconstructions of test images and, of a model with a prior, samples; returns the files."""
    settings = chosen.recipe
    x, condition = settings.evaluation_data("test")[:SHOWN], settings.condition("test")
    given = None if condition is None else condition[:SHOWN]
    found = {"reconstructions": plots.labelled_rows({"original": x, "model": model.reconstruct(x, condition=given)})}
    if model.has_prior:
        found["samples"] = plots.samples(model)
    if model.latent_shape == (2,) and model.has_prior:
        found["manifold"] = plots.manifold(model)
    paths = [folder / "card" / f"{name}.png" for name in found]
    for path, figure in zip(paths, found.values(), strict=True):
        plots.save(figure, path)
    return paths
