"""Few labels: a classifier when most images have none.

The semi-supervised VAE (M2) explains an image by its class y, known for few images only, and by a code z2. M1+M2 does
not explain the image so, but z1, its code in a VAE that saw no labels (Kingma, Rezende, Mohamed and Welling, 2014,
arXiv:1406.5298, sec. 2); each step draws z1 from q(z1 given x) anew. That VAE is a preset, or it is trained here, on
grey levels with a normal likelihood of small variance: the smaller, the more of an image its code keeps. Beside them: a
classifier from scratch, one that starts from the encoder of that VAE, and logistic regression on its codes. What M1+M2
knows of the classes apart from z2 shows when the class is replaced and z2 stays (Kingma et al., fig. 1).

    python examples/semi_supervised.py
    python examples/semi_supervised.py --labels 100 1000 3000 --seeds 5
    python examples/semi_supervised.py --preset vae_digits --labels 50 --epochs 100
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import common
import keras
import numpy as np
import tensorflow as tf

import keras_ae
from keras_ae import networks, plots, tasks
from keras_ae.data import Dataset, balanced, keep_labels, semi_supervised_batches
from keras_ae.distributions.likelihoods import Normal
from keras_ae.evaluation import probe_codes
from keras_ae.optimizers import Adam
from keras_ae.training import RunFolder
from keras_ae.zoo import presets, runs
from keras_ae.zoo.recipe import Recipe

HIDDEN = (500,)
Z2 = 30
ALPHA = 1.0  # weight of the classifier's loss, as if each of the N examples had a label; Kingma et al. take 0.1
UNLABELLED, LABELLED = 200, 50  # examples of a batch
EPOCHS = 40  # of M1+M2
STEPS = 1000  # of the classifiers that see labelled examples alone
M1 = Recipe(
    model="vae",
    data="mnist",
    likelihood="normal-0.05",
    latent_dim=50,
    hidden=(600, 600),
    network_options={"activation": "gelu"},
    epochs=20,
    learning_rate=2e-3,
    schedule="cosine",
)


@dataclass(frozen=True, eq=False)
class Task:
    """A VAE that saw no labels, the data, the labels of the training data that are known, and the budget."""

    vae: keras_ae.VAE
    train: Dataset
    test: Dataset
    labels: np.ndarray  # -1 where unknown
    seed: int
    epochs: int

    @property
    def rows(self) -> np.ndarray:
        """Which examples of the training data have a label."""
        return np.flatnonzero(self.labels >= 0)


def m1(preset: str) -> tuple[keras_ae.VAE, Recipe]:
    """The VAE that saw no labels: a preset, or the one of `M1`, trained at the first call."""
    if preset:
        return keras_ae.from_preset(preset), presets.preset(preset).recipe
    folder = RunFolder("runs/semi_supervised/m1")
    return runs.train(M1, folder, resume=folder.exists()), M1


def from_scratch(task: Task) -> float:
    """A perceptron of the examples with a label."""
    return supervised(networks.classifier(task.train.shape, task.train.num_classes, HIDDEN, seed=task.seed), task)


def fine_tuned(task: Task) -> float:
    """The encoder of the VAE with a layer of classes, trained on the examples with a label."""
    return supervised(tasks.classifier(task.vae, task.train.num_classes, activation=None, seed=task.seed), task)


def supervised(model: keras.Model, task: Task) -> float:
    """Trains a classifier on the examples with a label; its error."""
    x, y = (array[task.rows] for array in (task.train.x, task.train.y))
    model.compile(Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y)).repeat().batch(LABELLED)
    model.fit(data, steps_per_epoch=STEPS, shuffle=False, verbose=0)
    return wrong(model.predict(task.test.x, batch_size=1000, verbose=0).argmax(axis=1), task)


def probe(task: Task) -> float:
    """Logistic regression on the codes of the VAE."""
    train, test = task.vae.encode(task.train.x[task.rows]), task.vae.encode(task.test.x)
    (found,) = probe_codes(train, task.train.y[task.rows], test, task.test.y, [len(task.rows)], seed=task.seed)
    return 1 - found.score


def m2(task: Task) -> float:
    """The semi-supervised VAE of the images, with a quarter of the epochs: each takes several times as long."""
    shorter = replace(task, epochs=-(-task.epochs // 4))
    return wrong(semi_supervised(task.train.x, shorter).classify(task.test.x), task)


def m1_and_m2(task: Task) -> float:
    """The semi-supervised VAE of the VAE's codes."""
    model, active = of_codes(task)
    return wrong(model.classify(task.vae.encode(task.test.x)[:, active]), task)


METHODS: dict[str, Callable[[Task], float]] = {
    "from scratch": from_scratch,
    "fine-tuned encoder": fine_tuned,
    "probe of codes": probe,
    "M2": m2,
    "M1+M2": m1_and_m2,
}


@lru_cache(maxsize=1)
def of_codes(task: Task) -> tuple[keras_ae.models.SemiSupervisedVAE, np.ndarray]:
    """M2 of z1 without the dimensions that the VAE does not use; and which it uses."""
    active = keras_ae.evaluation.active_units(task.vae, task.train.x).active
    q = task.vae.over_batches("posterior", task.train.x)
    moments = np.stack([q.mean[:, active], np.exp(0.5 * q.log_var[:, active])], axis=1)

    def draw(moments: Any, *others: Any) -> tuple:
        mean, scale = tf.unstack(moments, axis=1)
        return mean + scale * tf.random.normal(tf.shape(mean)), *others

    return semi_supervised(moments, task, draw, (int(active.sum()),), likelihood=Normal("per_value")), active


def semi_supervised(
    x: np.ndarray, task: Task, draw: Callable | None = None, shape: tuple | None = None, **options: Any
) -> keras_ae.models.SemiSupervisedVAE:
    """M2 of x, or of what `draw` makes of a batch of x."""
    batches = semi_supervised_batches(x, task.labels, UNLABELLED, LABELLED, task.seed)
    shape, classes = shape or x.shape[1:], task.train.num_classes
    model = keras_ae.create(
        "semi_supervised_vae",
        shape,
        Z2,
        seed=task.seed,
        condition_dim=classes,
        alpha=ALPHA * len(x) / len(task.rows),
        classifier=networks.classifier(shape, classes, HIDDEN, seed=task.seed),
        network_options={"hidden": HIDDEN},
        **options,
    )
    model.compile(Adam(keras.optimizers.schedules.CosineDecay(3e-3, task.epochs * len(batches))))
    model.fit(batches.map(draw) if draw else batches, epochs=task.epochs, shuffle=False, verbose=0)
    return model


def wrong(predicted: np.ndarray, task: Task) -> float:
    """Share of errors."""
    return float((predicted != task.test.y).mean())


def analogies(task: Task, count: int) -> np.ndarray:
    """Test images of several classes, each followed by its style in every class: (count * (1 + classes), *event)."""
    model, active = of_codes(task)
    classes = task.train.num_classes
    images = task.test.x[balanced(task.test.y, count, task.seed)]
    z2 = np.repeat(model.encode(task.vae.encode(images)[:, active]), classes, axis=0)
    z1 = np.zeros((len(z2), task.vae.latent_dim), "float32")
    z1[:, active] = model.decode(z2, condition=np.tile(np.arange(classes), count))
    written = task.vae.decode(z1).reshape(count, classes, *images.shape[1:])
    return np.concatenate([images[:, None], written], axis=1).reshape(-1, *images.shape[1:])


def main() -> None:
    """Trains every classifier for every number and draw of labels, and writes the page."""
    options = common.options(__doc__, preset="", labels=[100], seeds=1, epochs=EPOCHS)
    page = common.Page(options.out, __doc__)
    vae, recipe = m1(options.preset)
    train, test = (recipe.load(split) for split in ("train", "test"))
    draws = [[keep_labels(train.y, count, seed) for seed in range(options.seeds)] for count in options.labels]
    found = {name: np.zeros((len(options.labels), options.seeds)) for name in METHODS}
    for i, count in enumerate(options.labels):
        for seed, labels in enumerate(draws[i]):
            task = Task(vae, train, test, labels, seed, options.epochs)
            for name, method in METHODS.items():
                keras.utils.set_random_seed(seed)
                found[name][i, seed] = 100 * method(task)
                print(f"{count} labels, draw {seed}, {name}: {found[name][i, seed]:.2f} %", flush=True)
    page.text(
        f"Errors in % of the {len(test)} test images of {train.name}, mean over {options.seeds} draw(s) of the labels "
        f"(as many of each class) and standard deviation if there are several. {len(train)} training images; "
        f"VAE: {options.preset or 'of grey levels'}; {options.epochs} epochs of M1+M2, a quarter as many of M2."
    )

    def cell(values: np.ndarray) -> str:
        return f"{values.mean():.2f}" + (f" ({values.std(ddof=1):.2f})" if len(values) > 1 else "")

    rows = [(name, *map(cell, values)) for name, values in found.items()]
    page.table(("method", *(f"{count} labels" for count in options.labels)), rows)
    columns = 1 + train.num_classes
    caption = f"Test images, and their z2 in every class (M1+M2, {count} labels):"
    page.picture("analogies", plots.image_grid(analogies(task, 10), columns=columns), caption)
    page.write()


if __name__ == "__main__":
    main()
