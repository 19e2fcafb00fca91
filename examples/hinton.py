"""The deep autoencoder that started it, 784-1000-500-250-30.

Hinton and Salakhutdinov (2006, Science 313, 504-507) squeezed images of handwritten digits through 30 numbers and got
them back with a squared error, summed over the pixels in [0, 1], of 3.00 per test image, where principal component
analysis leaves 13.87. They needed layer-wise pretraining with Boltzmann machines. Here the same layers are trained from
random weights: Adam with a learning rate that falls to zero along a cosine, a smooth nonlinearity (GELU), the squared
error as the loss, and logistic outputs. The number of epochs is set beforehand; the test images are only looked at.

    python examples/hinton.py
"""

import common
import keras
import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from keras_ae import AE, networks, plots
from keras_ae.layers import Head
from keras_ae.optimizers import Adam

HIDDEN = (1000, 500, 250)
LATENT = 30
PUBLISHED = {"PCA": 13.87, "deep autoencoder": 3.00}  # Hinton and Salakhutdinov (2006), fig. 2B
BATCH = 128


def squared_error(reconstructed: np.ndarray, images: np.ndarray) -> float:
    """Summed over the pixels, averaged over the images."""
    return float(np.square(reconstructed - images).sum(axis=(1, 2, 3)).mean())


def make(shape: tuple, steps: int, seed: int) -> AE:
    """The compiled network; `steps` is the length of the training."""
    encoder, decoder = networks.dense(shape, LATENT, HIDDEN, activation="gelu", seed=seed)
    logistic = Head(shape, "sigmoid", seed=seed)
    model = AE(encoder, decoder, LATENT, likelihood="normal", output_layer=logistic, seed=seed)
    model.compile(Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)))
    return model


class Errors(keras.callbacks.Callback):
    """Squared errors on training and test images, every few epochs."""

    def __init__(self, train: np.ndarray, test: np.ndarray, every: int) -> None:
        super().__init__()
        self.images, self.every, self.found = (train[: len(test)], test), every, {}

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            self.found[epoch + 1] = [squared_error(self.model.reconstruct(x), x) for x in self.images]
            training, test = self.found[epoch + 1]
            print(f"epoch {epoch + 1}: training {training:.3f}, test {test:.3f}", flush=True)


def curve(found: dict[int, list[float]]) -> Figure:
    """The errors against the epoch, with the published ones."""
    figure = Figure(figsize=(6, 3.5))
    axes = figure.add_subplot(xlabel="epoch", ylabel="squared error per image")
    for i, name in enumerate(("training images", "test images")):
        axes.plot(list(found), [errors[i] for errors in found.values()], label=name)
    axes.axhline(PUBLISHED["deep autoencoder"], color="grey", linestyle=":", label="published, test images")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def main() -> None:
    """Trains, compares with PCA, and writes the page."""
    options = common.options(__doc__, data="mnist", epochs=60, seed=0)
    page = common.Page(options.out, __doc__)
    train, test = (part.x for part in common.load(options.data))
    pca = PCA(LATENT, svd_solver="full").fit(train.reshape(len(train), -1))
    of_pca = pca.inverse_transform(pca.transform(test.reshape(len(test), -1))).reshape(test.shape)

    model = make(test.shape[1:], options.epochs * -(-len(train) // BATCH), options.seed)
    errors = Errors(train, test, every=max(options.epochs // 12, 1))
    model.fit(train, epochs=options.epochs, batch_size=BATCH, verbose=0, callbacks=[errors])
    of_model = model.reconstruct(test)

    page.text(f"{len(train)} training images of {options.data}, {options.epochs} epochs in batches of {BATCH}.")
    rows = [("PCA", squared_error(of_pca, test)), ("deep autoencoder", squared_error(of_model, test))]
    published = {name: f"{error:.2f}" for name, error in PUBLISHED.items()} if options.data == "mnist" else {}
    page.table(
        (f"{LATENT} numbers an image", "squared error, test images", "published"),
        [(name, error, published.get(name, "-")) for name, error in rows],
    )
    on_training = squared_error(model.reconstruct(train), train)
    page.text(f"On the training images the deep autoencoder's error is {on_training:.3f}.")
    shown = {"original": test[:12], "deep": of_model[:12], "PCA": of_pca[:12]}
    page.picture("reconstructions", plots.labelled_rows(shown), "Test images, and what comes back:")
    page.picture("curve", curve(errors.found), "The errors during training:")
    page.write()


if __name__ == "__main__":
    main()
