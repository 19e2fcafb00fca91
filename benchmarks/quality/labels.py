"""Few labels: five ways to a classifier when most images have none.

The semi-supervised VAE (M2) explains an image by its class y, known for few images only, and by a code z2. M1+M2 does
not explain the image so, but z1, its code in a VAE that saw no labels (Kingma, Rezende, Mohamed and Welling, 2014,
arXiv:1406.5298, sec. 2), here a preset; each step draws z1 from q(z1 given x) anew. Beside them: a classifier from
scratch, one that starts from the encoder of that VAE, and logistic regression on its codes.

    python benchmarks/quality/labels.py
    python benchmarks/quality/labels.py --preset vae_digits --counts 50 200 --seeds 0

Prints errors of the test images in %. Those of the default preset go to labels.csv, from where an interrupted call goes
on, and docs/models/semi_supervised_vae.md shows their means and deviations over the draws of the labels.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import page
import tensorflow as tf

import keras_ae
from keras_ae import networks, tasks
from keras_ae.data import Dataset, balanced
from keras_ae.distributions.likelihoods import Normal
from keras_ae.evaluation import probe_codes
from keras_ae.optimizers import Adam
from keras_ae.zoo import presets

RESULTS = Path(__file__).with_name("labels.csv")
PAGE = page.PAGE.parent / "models" / "semi_supervised_vae.md"
PRESET = "vae_conv_mnist"
HIDDEN = (500,)
Z2 = 30
ALPHA = 1.0  # weight of the classifier's loss, as if each of the N examples had a label; Kingma et al. take 0.1
BATCH = 200
LABELLED = 50  # further examples of a batch of M2, drawn from those with a label
STEPS = 1000  # of the classifiers that see labelled examples alone


def from_scratch(vae: keras_ae.VAE, train: Dataset, test: Dataset, rows: np.ndarray, seed: int, epochs: int) -> float:
    """A perceptron of the examples with a label."""
    return supervised(networks.classifier(train.shape, train.num_classes, HIDDEN, seed=seed), train, test, rows)


def fine_tuned(vae: keras_ae.VAE, train: Dataset, test: Dataset, rows: np.ndarray, seed: int, epochs: int) -> float:
    """The encoder of the VAE with a layer of classes, trained on the examples with a label."""
    return supervised(tasks.classifier(vae, train.num_classes, activation=None, seed=seed), train, test, rows)


def probe(vae: keras_ae.VAE, train: Dataset, test: Dataset, rows: np.ndarray, seed: int, epochs: int) -> float:
    """Logistic regression on the codes of the VAE."""
    codes = vae.encode(train.x[rows])
    (found,) = probe_codes(codes, train.y[rows], vae.encode(test.x), test.y, [len(rows)], seed=seed)
    return 1 - found.score


def m2(vae: keras_ae.VAE, train: Dataset, test: Dataset, rows: np.ndarray, seed: int, epochs: int) -> float:
    """The semi-supervised VAE of the images."""
    model = semi_supervised((train.x,), train, rows, lambda x: x, seed, epochs)
    return wrong(model.classify(test.x), test)


def m1_and_m2(vae: keras_ae.VAE, train: Dataset, test: Dataset, rows: np.ndarray, seed: int, epochs: int) -> float:
    """The semi-supervised VAE of the VAE's codes, without the dimensions that it does not use."""
    active = keras_ae.evaluation.active_units(vae, train.x).active
    q = vae.over_batches("posterior", train.x)
    mean, scale = q.mean[:, active], np.exp(0.5 * q.log_var[:, active])

    def draw(mean: Any, scale: Any) -> Any:
        return mean + scale * tf.random.normal(tf.shape(mean))

    model = semi_supervised((mean, scale), train, rows, draw, seed, epochs, likelihood=Normal("per_value"))
    return wrong(model.classify(vae.encode(test.x)[:, active]), test)


METHODS: dict[str, Callable[..., float]] = {
    "from scratch": from_scratch,
    "fine-tuned encoder": fine_tuned,
    "probe of codes": probe,
    "M2": m2,
    "M1+M2": m1_and_m2,
}


def semi_supervised(
    arrays: tuple, train: Dataset, rows: np.ndarray, draw: Callable, seed: int, epochs: int, **options: Any
) -> keras_ae.models.SemiSupervisedVAE:
    """A semi-supervised VAE of x = `draw(*arrays)`, with the labels of `rows`.

    Those are few, so each batch holds some of them beside those without a label; a weight makes up for it.
    """
    n, shape = len(train), arrays[0].shape[1:]
    weight = len(rows) / n * BATCH / LABELLED
    every = tf.data.Dataset.from_tensor_slices(arrays).shuffle(n, seed=seed).batch(BATCH, drop_remainder=True)
    known = tf.data.Dataset.from_tensor_slices((*(array[rows] for array in arrays), train.y[rows]))
    known = known.shuffle(len(rows), seed=seed).repeat().batch(LABELLED)

    def batch(without: tuple, others: tuple) -> tuple:
        x = draw(*(tf.concat(pair, 0) for pair in zip(without, others, strict=False)))
        labels = tf.concat([tf.fill([BATCH], tf.constant(-1, others[-1].dtype)), others[-1]], 0)
        return x, labels, tf.concat([tf.ones(BATCH), tf.fill([LABELLED], weight)], 0)

    model = keras_ae.create(
        "semi_supervised_vae",
        shape,
        Z2,
        seed=seed,
        condition_dim=train.num_classes,
        alpha=ALPHA * n / len(rows),
        classifier=networks.classifier(shape, train.num_classes, HIDDEN, seed=seed),
        network_options={"hidden": HIDDEN},
        **options,
    )
    model.compile(Adam(keras.optimizers.schedules.CosineDecay(3e-3, epochs * (n // BATCH))))
    model.fit(tf.data.Dataset.zip(every, known).map(batch).prefetch(4), epochs=epochs, shuffle=False, verbose=0)
    return model


def supervised(model: keras.Model, train: Dataset, test: Dataset, rows: np.ndarray) -> float:
    """Trains a classifier on the examples with a label; its error."""
    model.compile(Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data = tf.data.Dataset.from_tensor_slices((train.x[rows], train.y[rows])).shuffle(len(rows)).repeat()
    model.fit(data.batch(LABELLED), steps_per_epoch=STEPS, shuffle=False, verbose=0)
    return wrong(model.predict(test.x, batch_size=1000, verbose=0).argmax(axis=1), test)


def wrong(predicted: np.ndarray, test: Dataset) -> float:
    """Share of errors."""
    return float((predicted != test.y).mean())


def table(lines: list[dict[str, str]]) -> list[str]:
    """Means and deviations of the errors over the draws of the labels."""
    counts = sorted({int(line["labels"]) for line in lines})
    rows = [f"| error on the test images, % | {' | '.join(f'{count:,} labels' for count in counts)} |"]
    rows += ["|---" * (1 + len(counts)) + "|"]
    for method in METHODS:
        cells = []
        for count in counts:
            values = [float(r["error"]) for r in lines if (r["method"], int(r["labels"])) == (method, count)]
            deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.2f}{deviation} ({len(values)})" if values else "")
        rows.append(f"| {method} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    """Trains what is missing; what was measured before stays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default=PRESET, help="M1, a VAE (%(default)s)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000, 3000], help="labels")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="draws of the labels")
    parser.add_argument("--epochs", type=int, default=20, help="of M2 and M1+M2")
    options = parser.parse_args()
    vae, recipe = keras_ae.from_preset(options.preset), presets.preset(options.preset).recipe
    train, test = (recipe.load(split) for split in ("train", "test"))
    lines = page.read(RESULTS) if options.preset == PRESET else []
    for seed in options.seeds:
        for count in options.counts:
            rows = balanced(train.y, count, seed)
            for method in options.methods:
                key = {"method": method, "labels": str(count), "seed": str(seed)}
                if any(key.items() <= line.items() for line in lines):
                    continue
                keras.utils.set_random_seed(seed)
                start = time.perf_counter()
                error = METHODS[method](vae, train, test, rows, seed, options.epochs)
                seconds = round(time.perf_counter() - start)
                lines.append({**key, "error": f"{100 * error:.2f}", "seconds": str(seconds)})
                print(lines[-1], flush=True)
                if options.preset == PRESET:
                    with open(RESULTS, "w", newline="") as file:
                        writer = csv.DictWriter(file, list(lines[-1]), lineterminator="\n")
                        writer.writeheader()
                        writer.writerows(lines)
                    page.replace(PAGE, "labels", table(lines))
    print(*table(lines), sep="\n")


if __name__ == "__main__":
    main()
