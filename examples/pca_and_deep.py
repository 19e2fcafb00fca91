"""How many dimensions? Principal components, the linear and the deep autoencoder.

The same images are squeezed through codes of 2 to 32 dimensions. The linear autoencoder finds the space of the
principal components (Baldi and Hornik, 1989, Neural Networks 2, 53-58), so it cannot do better than PCA; the deep one
bends that space along the data (Hinton and Salakhutdinov, 2006, Science 313, 504-507).

    python examples/pca_and_deep.py
"""

import itertools

import common
import keras
import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

import keras_ae
from keras_ae import plots
from keras_ae.optimizers import Adam

SIZES = (2, 4, 8, 16, 32)
BATCH = 128
METHODS = ("PCA", "linear autoencoder", "deep autoencoder")


def trained(name: str, size: int, x: np.ndarray, epochs: int, **arguments) -> keras_ae.Autoencoder:
    """A model of the zoo, trained with a learning rate that falls to zero."""
    model = keras_ae.create(name, x.shape[1:], size, seed=0, **arguments)
    steps = epochs * -(-len(x) // BATCH)
    model.compile(Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)))
    model.fit(x, epochs=epochs, batch_size=BATCH, verbose=0)
    return model


def reconstructions(size: int, train: np.ndarray, test: np.ndarray, epochs: int) -> dict[str, np.ndarray]:
    """Method -> test images through a code of `size` dimensions."""
    pca = PCA(size, svd_solver="full").fit(train.reshape(len(train), -1))
    linear = trained("linear_ae", size, train, epochs)
    deep = trained("ae", size, train, epochs, likelihood="normal", network_options={"activation": "gelu"})
    of_pca = pca.inverse_transform(pca.transform(test.reshape(len(test), -1))).reshape(test.shape)
    return dict(zip(METHODS, (of_pca, linear.reconstruct(test), deep.reconstruct(test)), strict=True))


def curve(errors: dict[str, list[float]]) -> Figure:
    """Error against dimensions."""
    figure = Figure(figsize=(6, 3.8))
    axes = figure.add_subplot(xlabel="dimensions of the code", ylabel="squared error per image", xscale="log")
    for (name, values), style in zip(errors.items(), ("o-", "x--", "s-"), strict=True):
        axes.plot(SIZES, values, style, label=name)
    axes.set(yscale="log", xticks=SIZES, xticklabels=SIZES)
    axes.minorticks_off()
    axes.legend()
    return figure


def answer(errors: dict[str, list[float]]) -> str:
    """What the errors say about the number of dimensions."""
    pca, _, deep = errors.values()
    matching = next((size for size, error in zip(SIZES, deep, strict=True) if error <= pca[-1]), None)
    gains = [f"{1 - after / before:.0%}" for before, after in itertools.pairwise(deep)]
    return (
        f"How many dimensions? Each doubling of the code takes {', '.join(gains)} off the deep autoencoder's error: "
        "what is to be kept decides, not the curve. To do as well as PCA with "
        f"{SIZES[-1]} dimensions, the deep one needs {matching or 'more than these'}."
    )


def main() -> None:
    """Trains two autoencoders of each size, and writes the page."""
    options = common.options(__doc__, data="mnist", epochs=6)
    page = common.Page(options.out, __doc__)
    train, test = (part.x for part in common.load(options.data))
    errors: dict[str, list[float]] = {name: [] for name in METHODS}
    shown = {"original": test[:12]}
    for size in SIZES:
        for name, images in reconstructions(size, train, test, options.epochs).items():
            errors[name].append(float(np.square(images - test).sum(axis=(1, 2, 3)).mean()))
            if size in (2, 8, 32):
                shown[f"{name}, {size}"] = images[:12]
    page.text(
        f"{len(train)} training images of {options.data}, {options.epochs} epochs. Squared error, summed over the "
        f"pixels in [0, 1], averaged over {len(test)} test images:"
    )
    page.table(("dimensions", *METHODS), zip(SIZES, *errors.values(), strict=True))
    page.text(answer(errors))
    page.picture("curve", curve(errors), "The same as curves:")
    page.picture("reconstructions", plots.labelled_rows(shown), "Test images through codes of some sizes:")
    page.write()


if __name__ == "__main__":
    main()
