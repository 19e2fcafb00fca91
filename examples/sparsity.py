"""Sparse codes: two penalties and what they do.

`sparse_ae` adds lambda times the L1 norm of a code of ReLU units (Goodfellow et al., 2016, eq. 14.2), so that most of a
code can be exactly zero; `kl_sparse_ae` draws the mean activation of each sigmoid unit to a target (Ng, 2011, CS294A
lecture notes, sec. 3). Encoder and decoder are single layers: a reconstruction is a sum of the decoder's columns,
weighted by the code, and the columns can be looked at.

    python examples/sparsity.py
    python examples/sparsity.py --data fashion_mnist --latent-dim 144
"""

import numpy as np
from common import Page, load, options
from matplotlib.figure import Figure

import keras_ae

LAMBDAS = [0.0, 0.01, 0.03, 0.1, 0.3, 1.0]
TARGETS = [0.02, 0.05, 0.1, 0.2, 0.4]
PENALTY = 10.0  # lambda of kl_sparse_ae
PICTURED = 0.1  # lambda of the columns that are shown beside those of lambda = 0


def train(name, data, arguments, **settings):
    """A trained model of single layers; with the normal likelihood its loss is half the squared error and a penalty."""
    model = keras_ae.create(
        name,
        data.shape,
        arguments.latent_dim,
        likelihood="normal",
        network_options={"hidden": ()},
        seed=0,
        **settings,
    )
    model.compile("adam")
    model.fit(data.x, epochs=arguments.epochs, batch_size=128, verbose=0)
    return model


def squared_error(model, x):
    """Summed over pixels, averaged over images."""
    return float(np.square(model.reconstruct(x) - x).sum(axis=(1, 2, 3)).mean())


def columns(model, x):
    """The decoder's columns as images, those of the units with the greatest mean activation first."""
    units = np.eye(*model.latent_shape, dtype="float32")
    images = model.decode(units) - model.decode(0 * units)
    return images[np.argsort(-model.encode(x).mean(axis=0)), ..., 0]


def draw_curves(sparse, kl):
    """Share of zeros against lambda and mean activation against its target, each with the squared error."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = ((sparse, "lambda of sparse_ae", "share of zeros"), (kl, "target of kl_sparse_ae", "mean activation"))
    for left, (table, setting, name) in zip(figure.subplots(1, 2), panels, strict=True):
        left.set_xlabel(setting)
        left.set_xticks(range(len(table)), [row[0] for row in table])
        for axes, label, column, style in ((left, name, 1, "o-C0"), (left.twinx(), "squared error", -1, "s--C1")):
            values = [row[column] for row in table]
            axes.plot(values, style)
            axes.set_ylabel(label, color=style[-2:])
            axes.set_ylim(0, 1.1 * max(values))
    return figure


def draw_columns(found):
    """49 columns of each model in a square of images, each on its own scale: red positive, blue negative."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    for axes, (title, images) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        scaled = images[:49] / np.abs(images[:49]).max(axis=(1, 2), keepdims=True)
        framed = np.pad(scaled, ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
        rows = [np.concatenate(framed[start : start + 7], axis=1) for start in range(0, 49, 7)]
        axes.imshow(np.concatenate(rows), cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        axes.set_title(title)
        axes.set_axis_off()
    return figure


def main():
    arguments = options(__doc__, data="mnist", latent_dim=100, epochs=15)
    train_set, test_set = load(arguments.data)
    x = test_set.x
    page = Page(arguments.out, __doc__)
    sparse, kl, found = [], [], {}
    for penalty in LAMBDAS:
        model = train("sparse_ae", train_set, arguments, penalty=penalty)
        zero = model.encode(x) == 0
        sparse.append([f"{penalty:g}", float(zero.mean()), int(zero.all(axis=0).sum()), squared_error(model, x)])
        if penalty in (0.0, PICTURED):
            found[f"lambda = {penalty:g}"] = columns(model, x)
    for target in TARGETS:
        model = train("kl_sparse_ae", train_set, arguments, penalty=PENALTY, target=target)
        means = model.encode(x).mean(axis=0)
        kl.append([f"{target:g}", float(means.mean()), float(means.min()), float(means.max()), squared_error(model, x)])

    page.text(
        f"{len(train_set.x)} training images, codes of {arguments.latent_dim} dimensions, {arguments.epochs} epochs, "
        f"seed 0. Over {len(x)} test images: share of the code that is exactly zero, units that are zero for every "
        "image, and squared error per image of `sparse_ae`:"
    )
    page.table(["lambda", "share of zeros", "units always zero", "squared error"], sparse)
    page.text(f"Mean activation of the units of `kl_sparse_ae`, lambda = {PENALTY:g}:")
    page.table(["target", "mean of the units", "least unit", "greatest unit", "squared error"], kl)
    page.picture("curves", draw_curves(sparse, kl), "Sparsity (blue) and squared error (orange):")
    page.picture(
        "columns",
        draw_columns(found),
        "The decoder's columns of the 49 units with the greatest mean activation, each on a scale of its own (red "
        "positive, blue negative):",
    )
    page.write()


if __name__ == "__main__":
    main()
