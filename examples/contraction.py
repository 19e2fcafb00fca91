"""Codes that keep still: the contractive autoencoder.

The penalty lambda |J|^2 on the encoder's Jacobian J (Rifai et al., 2011, ICML) makes the code of an image move
little when the image is perturbed. It can be lowered in two ways: by codes that move less than others when the image is
disturbed, which is what one wants, and by making all codes small, which the decoder undoes. So movement is reported
raw, the mean distance of the codes of x and x + noise, and relative to the spread of the codes, the root mean square
distance of the test set's codes from their mean. |J|^2 is computed exactly or estimated (Hutchinson, 1990).

    python examples/contraction.py
    python examples/contraction.py --data fashion_mnist --epochs 5
"""

import time

import numpy as np
from common import Page, load, options
from matplotlib.figure import Figure

import keras_ae

LAMBDAS = [0.0, 0.01, 0.1, 1.0, 10.0]
NOISES = [0.1, 0.3, 0.5]  # standard deviations
RUNS = {"exact": ("exact", 0), "Hutchinson": ("hutchinson", 0), "Hutchinson, seed 1": ("hutchinson", 1)}


def judge(train, test, arguments, penalty, estimator, seed):
    """Trains a contractive autoencoder: squared error, spread of the codes, movement for each noise, and seconds."""
    model = keras_ae.create(
        "contractive_ae",
        train.shape,
        arguments.latent_dim,
        likelihood="normal",
        penalty=penalty,
        estimator=estimator,
        network_options={"hidden": (256,)},
        seed=seed,
    )
    model.compile("adam")
    begin = time.monotonic()
    model.fit(train.x, epochs=arguments.epochs, batch_size=128, verbose=0)
    seconds = time.monotonic() - begin
    rng, codes = np.random.default_rng(0), model.encode(test.x)
    noisy = [model.encode(test.x + size * rng.standard_normal(test.x.shape, "float32")) for size in NOISES]
    spread = float(np.sqrt(np.square(codes - codes.mean(axis=0)).sum(axis=1).mean()))
    raw = np.array([np.linalg.norm(moved - codes, axis=1).mean() for moved in noisy])
    error = float(np.square(model.reconstruct(test.x) - test.x).sum(axis=(1, 2, 3)).mean())
    return {"error": error, "spread": spread, "raw": raw, "relative": raw / spread, "seconds": seconds}


def draw(results):
    """Raw and relative movement against lambda, for each noise and both ways to compute the penalty."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    places = range(len(LAMBDAS))
    for axes, what in zip(figure.subplots(1, 2), ("raw", "relative"), strict=True):
        for i, size in enumerate(NOISES):
            for run, style in (("exact", "o-"), ("Hutchinson", "x--")):
                values = [results[penalty, run if penalty else "none"][what][i] for penalty in LAMBDAS]
                axes.plot(places, values, style, color=f"C{i}", label=f"noise {size}, {run}")
        axes.set(xlabel="lambda", ylabel=f"{what} movement", ylim=(0, None))
        axes.set_xticks(places, [f"{penalty:g}" for penalty in LAMBDAS])
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=9)
    return figure


def largest_difference(results, first, second):
    """Of the relative movement and of the squared error between two runs, over all lambda > 0."""
    pairs = [(results[penalty, first], results[penalty, second]) for penalty in LAMBDAS if penalty]
    movement = max(float(np.max(np.abs(b["relative"] / a["relative"] - 1))) for a, b in pairs)
    error = max(abs(b["error"] / a["error"] - 1) for a, b in pairs)
    return f"{movement:.1%} in relative movement and {error:.1%} in squared error"


def main():
    arguments = options(__doc__, data="mnist", latent_dim=8, epochs=10)
    train, test = load(arguments.data)
    page = Page(arguments.out, __doc__)
    results = {
        (penalty, run): judge(train, test, arguments, penalty, estimator, seed)
        for penalty in LAMBDAS
        for run, (estimator, seed) in (RUNS if penalty else {"none": ("hutchinson", 0)}).items()
    }
    page.text(
        f"{len(train.x)} training images, codes of {arguments.latent_dim} dimensions, one hidden layer of 256 units, "
        f"{arguments.epochs} epochs, seed 0 unless another is named. Squared error per image and movement over "
        f"{len(test.x)} test images; noise is Gaussian, of the standard deviation given; relative movement in brackets:"
    )
    page.table(
        ["lambda", "penalty", "squared error", "spread", *(f"moved by noise {size}" for size in NOISES), "seconds"],
        [
            [
                f"{penalty:g}",
                run,
                result["error"],
                result["spread"],
                *(f"{a:.3f} ({b:.1%})" for a, b in zip(result["raw"], result["relative"], strict=True)),
                f"{result['seconds']:.0f}",
            ]
            for (penalty, run), result in results.items()
        ],
    )
    without, strongest = results[0.0, "none"], results[LAMBDAS[-1], "exact"]
    least = min(LAMBDAS[1:], key=lambda penalty: results[penalty, "exact"]["relative"][1])
    raw, spread = strongest["raw"][1] / without["raw"][1], strongest["spread"] / without["spread"]
    page.text(
        f"At lambda = {LAMBDAS[-1]:g}, noise {NOISES[1]} moves the codes {raw:.1%} as far as at lambda = 0; their "
        f"spread is {spread:.1%} of what it was. Of the values of lambda above 0, {least:g} has the least relative "
        f"movement under this noise, {results[least, 'exact']['relative'][1]:.1%}; it is {without['relative'][1]:.1%} "
        f"without a penalty and {strongest['relative'][1]:.1%} at lambda = {LAMBDAS[-1]:g}."
    )
    page.text(
        f"Exact and estimated penalty differ by at most {largest_difference(results, 'exact', 'Hutchinson')}, two "
        f"seeds of the estimated one by {largest_difference(results, 'Hutchinson', 'Hutchinson, seed 1')}."
    )
    page.picture("movement", draw(results), "How far noise moves the codes; crosses, where the penalty is estimated:")
    page.write()


if __name__ == "__main__":
    main()
