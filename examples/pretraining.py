"""Pretraining: an autoencoder's encoder as the start of a classifier.

After an autoencoder is trained, its decoder can be replaced by a classification layer, and the new network is trained
on labels (Hinton and Salakhutdinov, 2006; Goodfellow et al., 2016, sec. 15.1). A denoising autoencoder (Vincent et al.,
2010, JMLR 11, sec. 6) learns from all training images without their labels. Then classifiers are trained with few
labels and with all: from scratch, from its encoder, and with the encoder frozen; same network, same optimiser, same
number of steps, no early stopping.

    python examples/pretraining.py
"""

import common
import keras
import numpy as np
from matplotlib.figure import Figure

import keras_ae
from keras_ae import tasks
from keras_ae.data import balanced

BATCH = 100
STEPS = 1000  # of a classifier with few labels
ARMS = ("from scratch", "pretrained", "pretrained, frozen")


def pretrained(x: np.ndarray, epochs: int, seed: int) -> keras_ae.Autoencoder:
    """A denoising autoencoder of unlabelled images; without epochs, untrained."""
    corruption = keras_ae.layers.MaskingNoise(0.3, seed=seed)
    model = keras_ae.create("denoising_ae", x.shape[1:], 32, corruption=corruption, seed=seed)
    model.compile("adam")
    if epochs:
        model.fit(x, epochs=epochs, batch_size=BATCH, verbose=0)
    return model


def test_error(model: keras_ae.Autoencoder, freeze: bool, x: np.ndarray, y: np.ndarray, steps: int, test, seed: int):
    """Percentage of test images that a classifier gets wrong."""
    keras.utils.set_random_seed(seed)  # of the order of Keras' own fit
    found = tasks.classifier(model, num_classes=10, freeze=freeze, seed=seed)
    found.compile(keras_ae.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    epochs = max(round(steps * BATCH / len(x)), 1)
    found.fit(x, y, batch_size=min(BATCH, len(x)), epochs=epochs, verbose=0)
    return 100 * (1 - found.evaluate(test.x, test.y, batch_size=1000, verbose=0)[1])


def curve(counts: list[int], errors: dict[str, np.ndarray]) -> Figure:
    """Error against labels, with one standard deviation."""
    figure = Figure(figsize=(6, 3.6))
    axes = figure.add_subplot(xlabel="labels", ylabel="test error, %", xscale="log", yscale="log")
    for name, values in errors.items():
        axes.errorbar(counts, values.mean(axis=1), values.std(axis=1, ddof=1 if values.shape[1] > 1 else 0), label=name)
    axes.legend()
    return figure


def main() -> None:
    """Trains all classifiers, and writes the page."""
    options = common.options(__doc__, data="mnist", epochs=10, seeds=5, steps=STEPS)
    page = common.Page(options.out, __doc__)
    train, test = common.load(options.data)
    counts = [100, 1000, len(train)]
    errors = {name: np.zeros((len(counts), options.seeds)) for name in ARMS}
    for seed in range(options.seeds):
        rng = np.random.default_rng(seed)
        start, scratch = (pretrained(train.x, epochs, seed) for epochs in (options.epochs, 0))
        for i, count in enumerate(counts):
            rows = balanced(train.y, count, rng) if count < len(train) else np.arange(count)
            steps = options.steps if count < len(train) else 2 * count // BATCH
            for name, model, freeze in zip(ARMS, (scratch, start, start), (False, False, True), strict=True):
                errors[name][i, seed] = test_error(model, freeze, train.x[rows], train.y[rows], steps, test, seed)
                print(f"seed {seed}, {count} labels, {name}: {errors[name][i, seed]:.2f} %", flush=True)
    page.text(
        f"Test error in % on {options.data}, mean and standard deviation over {options.seeds} seeds (each with its own "
        f"weights, pretraining and choice of labels). {options.epochs} epochs of pretraining; classifiers: Adam, "
        f"batches of {BATCH}, {options.steps} steps with few labels, 2 epochs with all."
    )
    spread = 1 if options.seeds > 1 else 0
    rows = [
        (count, *(f"{v[i].mean():.2f} ({v[i].std(ddof=spread):.2f})" for v in errors.values()))
        for i, count in enumerate(counts)
    ]
    page.table(("labels", *ARMS), rows)
    means = {name: values.mean(axis=1) for name, values in errors.items()}
    gains = [f"{1 - b / a:.0%} with {n}" for n, a, b in zip(counts, means[ARMS[0]], means[ARMS[1]], strict=True)]
    page.text(f"Share of the error that pretraining takes away (negative: adds): {', '.join(gains)} labels.")
    page.picture("errors", curve(counts, errors), "The same as a picture:")
    page.write()


if __name__ == "__main__":
    main()
