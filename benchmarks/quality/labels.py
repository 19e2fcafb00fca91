"""Few labels: five ways to a classifier when most images have none.

The semi-supervised VAE (M2) explains an image by its class y, known for few images only, and by a code z2. M1+M2 does
not explain the image so, but z1, its code in a VAE that saw no labels (Kingma, Rezende, Mohamed and Welling, 2014,
arXiv:1406.5298, sec. 2); each step draws z1 from q(z1 given x) anew. Beside them: a classifier from scratch, one that
starts from the encoder of that VAE, and logistic regression on its codes.

    python benchmarks/quality/labels.py
    python benchmarks/quality/labels.py --data digits --counts 50 200 --epochs 5

Prints errors of the test images, and writes those of the default data to labels.csv, from where an interrupted call
goes on.
"""

import argparse
from collections.abc import Callable, Iterator
from csv import DictReader
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

import keras_ae
from keras_ae import networks, tasks
from keras_ae.data import balanced
from keras_ae.evaluation import probe_codes
from keras_ae.optimizers import Adam

RESULTS = Path(__file__).with_name("labels.csv")
HIDDEN = (500,)
BATCH = 200
LABELLED = 50  # further examples of a batch of M2, drawn from those with a label
Z1, Z2 = 50, 50
STEPS = 1000  # of the classifiers that see labelled examples alone


def m1(x: np.ndarray, epochs: int, seed: int) -> keras_ae.Autoencoder:
    """A VAE of all images, without labels."""
    model = keras_ae.create("vae", x.shape[1:], Z1, seed=seed, network_options={"hidden": (500, 500)})
    model.compile(Adam(keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(x) // BATCH))))
    model.fit(x, epochs=epochs, batch_size=BATCH, verbose=0)
    return model


def m2(
    shape: tuple,
    examples: tuple,
    y: np.ndarray,
    rows: np.ndarray,
    draw: Callable,
    epochs: int,
    seed: int,
    **options: Any,
) -> keras_ae.models.SemiSupervisedVAE:
    """A semi-supervised VAE of `draw(*examples)`; labels are known of the examples `rows`.

    Those are few, so each batch holds some of them beside those without a label; a weight makes up for it. The
    classifier's loss has the weight of Kingma et al., 0.1 N / (number of labels).
    """
    n = len(y)
    classes = int(y.max()) + 1
    weight = len(rows) / n * BATCH / LABELLED
    every = tf.data.Dataset.from_tensor_slices(examples).shuffle(n, seed=seed).batch(BATCH, drop_remainder=True)
    known = tf.data.Dataset.from_tensor_slices((*(array[rows] for array in examples), y[rows]))
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
        condition_dim=classes,
        alpha=0.1 * n / len(rows),
        classifier=networks.classifier(shape, classes, HIDDEN, seed=seed),
        network_options={"hidden": HIDDEN},
        **options,
    )
    steps = n // BATCH
    model.compile(Adam(keras.optimizers.schedules.CosineDecay(1e-3, epochs * steps)))
    model.fit(tf.data.Dataset.zip(every, known).map(batch).prefetch(4), epochs=epochs, shuffle=False, verbose=0)
    return model


def supervised(model: keras.Model, x: np.ndarray, y: np.ndarray) -> keras.Model:
    """A classifier of the examples with a label."""
    model.compile(Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x)).repeat().batch(LABELLED)
    model.fit(data, steps_per_epoch=STEPS, shuffle=False, verbose=0)
    return model


def errors(
    vae: keras_ae.Autoencoder, train: Any, test: Any, count: int, seed: int, epochs: int
) -> Iterator[tuple[str, float]]:
    """Each method and its test error in %, with `count` labels."""
    keras.utils.set_random_seed(seed)  # of the order of Keras' own fit
    q = vae.posterior(ops.convert_to_tensor(train.x))
    z1 = tuple(ops.convert_to_numpy(values) for values in (q.mean, ops.exp(0.5 * q.log_var)))
    code, classes = vae.encode(test.x), int(train.y.max()) + 1
    rows = balanced(train.y, count, seed)
    scratch = networks.classifier(train.shape, classes, HIDDEN, seed=seed)
    for name, model in (
        ("from scratch", scratch),
        ("fine-tuned", tasks.classifier(vae, classes, activation=None, seed=seed)),
    ):
        supervised(model, train.x[rows], train.y[rows])
        yield name, error(model.predict(test.x, batch_size=1000, verbose=0).argmax(axis=1), test.y)
    (probe,) = probe_codes(z1[0], train.y, code, test.y, [count], seed=seed)
    yield "probe of codes", 100 * (1 - probe.score)
    of_images = m2(train.shape, (train.x,), train.y, rows, lambda x: x, epochs, seed)
    yield "M2", error(of_images.classify(test.x), test.y)
    likelihood = keras_ae.distributions.likelihoods.Normal("per_value")
    of_codes = m2((Z1,), z1, train.y, rows, drawn, epochs, seed, likelihood=likelihood)
    yield "M1+M2", error(of_codes.classify(code), test.y)


def drawn(mean: Any, scale: Any) -> Any:
    """z1 of q(z1 given x)."""
    return mean + scale * tf.random.normal(tf.shape(mean))


def error(predicted: np.ndarray, y: np.ndarray) -> float:
    """Share of wrong ones, in %."""
    return 100 * float((predicted != y).mean())


def read(path: Path) -> dict[tuple[str, int, int], float]:
    """(method, labels, seed) -> error in %, of what was measured before."""
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        return {(row["method"], int(row["labels"]), int(row["seed"])): float(row["error"]) for row in DictReader(file)}


def write(path: Path, found: dict[tuple[str, int, int], float]) -> None:
    """The other way round."""
    lines = [f"{method},{labels},{seed},{value:.2f}\n" for (method, labels, seed), value in found.items()]
    keras_ae.models.files.write_text(path, "method,labels,seed,error\n" + "".join(lines))


def main() -> None:
    """Trains all of them for each draw of the labels, and prints means and deviations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000, 3000], help="labels")
    parser.add_argument("--seeds", type=int, default=5, help="draws of the labels")
    parser.add_argument("--epochs", type=int, default=30, help="of M2")
    parser.add_argument("--m1-epochs", type=int, default=60, help="of the VAE that saw no labels")
    options = parser.parse_args()
    out = RESULTS if options.data == "mnist" else None
    train, test = (keras_ae.data.load(options.data, split) for split in ("train", "test"))
    found = read(out) if out else {}
    for seed in range(options.seeds):
        missing = [count for count in options.counts if ("M1+M2", count, seed) not in found]
        vae = m1(train.x, options.m1_epochs, seed) if missing else None
        for count in missing:
            for method, value in errors(vae, train, test, count, seed, options.epochs):
                found[method, count, seed] = value
                print(f"seed {seed}, {count} labels, {method}: {value:.2f} %", flush=True)
            if out:
                write(out, found)
    for method, count in dict.fromkeys(key[:2] for key in found):
        values = np.array([v for key, v in found.items() if key[:2] == (method, count)])
        print(f"{method}, {count} labels: {values.mean():.2f} % ({values.std():.2f})")


if __name__ == "__main__":
    main()
