"""Filling in missing pixels: training on incomplete data.

What is missing is `NaN` in x. The encoder sees it as 0, as it sees the pixels that masking noise hides (Vincent et al.,
2008, ICML), and the loss counts observed pixels only; so a denoising autoencoder learns to fill in what is missing
without ever seeing a complete image. It is compared with the mean of each pixel over the images that show it, and with
PCA: from the means on, the missing pixels are replaced by their reconstructions, again and again.

    python examples/missing_inputs.py
    python examples/missing_inputs.py --data fashion_mnist --share 0.7
"""

import numpy as np
from common import Page, load, options
from sklearn.decomposition import PCA

import keras_ae
from keras_ae import plots
from keras_ae.layers import MaskingNoise

ORANGE = (0.9, 0.6, 0.0)  # the colour of what is missing
MASKING = (0.2, 0.5)  # shares of the observed pixels that masking noise hides in training
ROUNDS = 20


def hide(x, share, seed):
    """x with the ways to lose pixels: name -> x with NaN."""
    _, height, width, _ = x.shape
    row, column = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
    inside = (abs(row - (height - 1) / 2) < height / 4) & (abs(column - (width - 1) / 2) < width / 4)
    missing = {
        "at random": np.random.default_rng(seed).random(x.shape, "float32") < share,
        "block": inside,
        "lower half": (row >= height / 2) & (column >= 0),
    }
    return {name: np.where(where, np.float32(np.nan), x) for name, where in missing.items()}


def fill_by_pca(train, others, dimensions):
    """Each array of `others` with its missing pixels filled in by the principal components of `train`."""
    arrays = [x.reshape(len(x), -1) for x in (train, *others)]
    mean = np.nanmean(arrays[0], axis=0)
    filled = [np.where(np.isnan(x), mean, x) for x in arrays]
    for _ in range(ROUNDS):
        pca = PCA(dimensions, svd_solver="covariance_eigh").fit(filled[0])
        filled = [
            np.where(np.isnan(x), pca.inverse_transform(pca.transform(y)), x)
            for x, y in zip(arrays, filled, strict=True)
        ]
    return [y.reshape(x.shape) for x, y in zip(others, filled[1:], strict=True)]


def train(x, masking, arguments):
    """A denoising autoencoder of incomplete images."""
    model = keras_ae.create(
        "denoising_ae",
        x.shape[1:],
        arguments.latent_dim,
        likelihood="normal",
        corruption=MaskingNoise(masking, seed=0),
        seed=0,
    )
    model.compile("adam")
    model.fit(x, epochs=arguments.epochs, batch_size=128, verbose=0)
    return model


def main():
    arguments = options(__doc__, data="mnist", latent_dim=32, epochs=20, share=0.5)
    train_set, test_set = load(arguments.data)
    page = Page(arguments.out, __doc__)
    incomplete = hide(train_set.x, arguments.share, seed=1)["at random"]
    clean, test = test_set.x, hide(test_set.x, arguments.share, seed=2)
    models = {f"masking {masking:.0%}": train(incomplete, masking, arguments) for masking in MASKING}
    by_pca = dict(zip(test, fill_by_pca(incomplete, test.values(), arguments.latent_dim), strict=True))

    table, rows = [], {"complete": clean[:10]}
    for name, x in test.items():
        fills = {"mean": np.nanmean(incomplete, axis=0), "PCA": by_pca[name]}
        fills |= {label: model.reconstruct(x) for label, model in models.items()}
        filled = {label: np.where(np.isnan(x), fill, x) for label, fill in fills.items()}
        errors = [float(np.square(images - clean).sum(axis=(1, 2, 3)).mean()) for images in filled.values()]
        table.append([name, f"{np.isnan(x).mean():.0%}", *errors, list(fills)[np.argmin(errors)]])
        seen = np.where(np.isnan(x), ORANGE, x)
        rows |= {f"{name}: {label}": images[:10] for label, images in {"seen": seen, **filled}.items()}

    page.text(
        f"{len(incomplete)} training images, each without {arguments.share:.0%} of its pixels, at random. Two "
        f"denoising autoencoders: masking noise hides {MASKING[0]:.0%} or {MASKING[1]:.0%} of the other pixels in "
        f"training. Codes of {arguments.latent_dim} dimensions, of PCA too; {arguments.epochs} epochs, {ROUNDS} rounds "
        f"of PCA, seed 0. Squared error per image over its missing pixels alone, on {len(clean)} test images:"
    )
    page.table(["missing", "share", *fills, "best"], table)
    page.text(
        "In training no image lacked a block or a half. The encoder sees what is missing as black; PCA begins with the "
        "means instead."
    )
    page.picture("filled", plots.labelled_rows(rows), "Test images, what was seen of them, and how it was filled in:")
    page.write()


if __name__ == "__main__":
    main()
