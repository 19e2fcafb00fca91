"""How many dimensions? Principal components, the linear and the deep autoencoder.

The same images are squeezed through codes of 2 to 32 dimensions. The linear autoencoder finds the space of the
principal components (Baldi and Hornik, 1989, Neural Networks 2, 53-58), so it cannot do better than PCA; the deep one
bends that space along the data (Hinton and Salakhutdinov, 2006, Science 313, 504-507). Training is short here;
`hinton.py` shows how far a larger and longer trained one gets with 30 dimensions.

    python examples/pca_and_deep.py
"""

import common
import keras
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from sklearn.decomposition import PCA

import keras_ae
from keras_ae import plots
from keras_ae.optimizers import Adam

SIZES = (2, 4, 8, 16, 32)
SHOWN = (2, 8, 32)
BATCH = 128
LITTLE = 0.1  # share of the error without a code; a doubling that gains less is said to gain little


def squared_error(reconstructed: np.ndarray, images: np.ndarray) -> float:
    """Summed over the pixels, averaged over the images."""
    return float(np.square(reconstructed - images).sum(axis=(1, 2, 3)).mean())


def trained(model: keras_ae.Autoencoder, x: np.ndarray, epochs: int, rate: float) -> keras_ae.Autoencoder:
    """The model after training with a learning rate that falls to zero."""
    steps = epochs * -(-len(x) // BATCH)
    model.compile(Adam(keras.optimizers.schedules.CosineDecay(rate, steps)))
    model.fit(x, epochs=epochs, batch_size=BATCH, verbose=0)
    return model


def reconstructions(train: np.ndarray, test: np.ndarray, epochs: int) -> dict[str, list[np.ndarray]]:
    """Method -> test images through its codes of each size."""
    pca = PCA(max(SIZES), svd_solver="covariance_eigh").fit(train.reshape(len(train), -1))
    codes = pca.transform(test.reshape(len(test), -1))
    found = {"PCA": [(codes[:, :n] @ pca.components_[:n] + pca.mean_).reshape(test.shape) for n in SIZES]}
    for method, name, rate, arguments in (
        ("linear autoencoder", "linear_ae", 1e-2, {}),
        ("deep autoencoder", "ae", 1e-3, {"likelihood": "normal", "network_options": {"activation": "gelu"}}),
    ):
        models = (keras_ae.create(name, test.shape[1:], size, seed=0, **arguments) for size in SIZES)
        found[method] = [trained(model, train, epochs, rate).reconstruct(test) for model in models]
    return found


def curve(errors: dict[str, list[float]]) -> Figure:
    """Error against dimensions."""
    figure = Figure(figsize=(5.5, 3.8))
    axes = figure.add_subplot(xlabel="dimensions of the code", ylabel="squared error per image")
    for (name, values), style in zip(errors.items(), ("o-", "x--", "s-"), strict=True):
        axes.plot(SIZES, values, style, label=name)
    axes.set(xscale="log", yscale="log", xticks=SIZES, xticklabels=SIZES, yticks=(2, 5, 10, 20, 50))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def answer(errors: dict[str, list[float]], without: float) -> str:
    """What the errors say about the number of dimensions; `without` is the error of a code of none."""
    pca, linear, deep = (np.array(values) for values in errors.values())
    better = [size for size, d, p in zip(SIZES, deep, pca, strict=True) if d < p]
    matching = [size for size, d in zip(SIZES, deep, strict=True) if d <= pca[-1]]
    sentences = [
        f"The linear autoencoder's error is {np.max(linear / pca) - 1:.2%} above that of PCA at most.",
        f"The deep autoencoder's is below that of PCA with {', '.join(map(str, better)) or 'no number of'} dimensions.",
        f"The fewest with which it matches PCA with {SIZES[-1]}: {matching[0] if matching else 'more than these'}.",
        f"How many dimensions, then? The mean image, a code of none, has an error of {without:.1f}.",
    ]
    for name, values in (("PCA", pca), ("the deep autoencoder", deep)):
        gains = -np.diff(values) / without
        enough = [size for i, size in enumerate(SIZES[:-1]) if max(gains[i:]) < LITTLE]
        sentences.append(
            f"Of it, each further doubling of the code takes {', '.join(f'{gain:.0%}' for gain in gains)} with {name}; "
            f"less than {LITTLE:.0%} " + (f"from {enough[0]} on." if enough else "at none of these sizes.")
        )
    return "\n".join(sentences)


def main() -> None:
    """Trains two autoencoders of each size, and writes the page."""
    options = common.options(__doc__, data="mnist", epochs=6)
    page = common.Page(options.out, __doc__)
    train, test = (part.x for part in common.load(options.data))
    found = reconstructions(train, test, options.epochs)
    errors = {method: [squared_error(images, test) for images in of_sizes] for method, of_sizes in found.items()}
    page.text(
        f"{len(train)} training images of {options.data}, {options.epochs} epochs. Squared error, summed over the "
        f"pixels in [0, 1], averaged over {len(test)} test images:"
    )
    page.table(("dimensions", *errors), zip(SIZES, *errors.values(), strict=True))
    page.text(answer(errors, squared_error(train.mean(axis=0), test)))
    page.picture("curve", curve(errors), "The same as curves:")
    shown = {f"{method}, {n}": found[method][SIZES.index(n)][:12] for n in SHOWN for method in found}
    page.picture(
        "reconstructions",
        plots.labelled_rows({"original": test[:12], **shown}),
        "Test images through codes of some sizes:",
    )
    page.write()


if __name__ == "__main__":
    main()
