"""Wasserstein autoencoders beside the variational autoencoder.

A VAE asks of every single posterior q(z|x) to be like the prior, so that codes of different images overlap; a WAE asks
it only of all codes together (Tolstikhin et al., 2018, arXiv:1711.01558, fig. 1), by a maximum mean discrepancy
(WAE-MMD), an adversary (WAE-GAN), or their first two moments (WAE-W2). What follows for reconstructions, samples and
codes?

    python examples/wae_vs_vae.py
"""

import common
import numpy as np
from keras import ops

import keras_ae
from keras_ae import divergences, plots
from keras_ae.distributions.likelihoods import Normal

LATENT = 8
VARIANCE = 0.1  # of p(x|z) in all models: -log p is 5 |x - g(z)|^2 and a constant
MODELS = {
    "VAE": ("vae", {}),
    "WAE-MMD": ("wae_mmd", {"penalty": 50.0}),
    "WAE-GAN": ("wae_gan", {"penalty": 5.0}),
    "WAE-W2": ("wae_w2", {"penalty": 5.0}),
}
LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])


def sharpness(images: np.ndarray) -> float:
    """The variance of an image after a Laplace filter, averaged over images (Tolstikhin et al., 2018, sec. 4)."""
    height, width = images.shape[1] - 2, images.shape[2] - 2
    shifted = (images[:, i : i + height, j : j + width] * LAPLACE[i, j] for i in range(3) for j in range(3))
    return float(sum(shifted).reshape(len(images), -1).var(axis=1).mean())


def drawn_codes(model: keras_ae.Autoencoder, x: np.ndarray) -> np.ndarray:
    """Codes of x as the decoder saw them in training: drawn from q(z|x) where the model has one."""
    if not isinstance(model, keras_ae.Variational):
        return model.encode(x)
    return np.asarray(model.sampling(model.posterior(ops.convert_to_tensor(x))))


def judged(model: keras_ae.Autoencoder, x: np.ndarray) -> list[float]:
    """A row of the table."""
    means, draws = model.encode(x), drawn_codes(model, x[:2000])
    prior = np.random.default_rng(0).standard_normal(draws.shape).astype("float32")
    return [
        float(np.square(model.reconstruct(x) - x).sum(axis=(1, 2, 3)).mean()),
        1000 * sharpness(model.sample(2000, seed=0)),
        float(divergences.mmd(ops.convert_to_tensor(draws), ops.convert_to_tensor(prior))),
        float(divergences.wasserstein2_codes(ops.convert_to_tensor(draws))),
        int((means.var(axis=0) > 0.01).sum()),
    ]


def main() -> None:
    """Trains all models, and writes the page."""
    options = common.options(__doc__, data="mnist", epochs=6)
    page = common.Page(options.out, __doc__)
    train, test = (part.x for part in common.load(options.data))
    rows, samples = [], {}
    reconstructed = {"original": test[:12]}
    for name, (registered, arguments) in MODELS.items():
        model = keras_ae.create(registered, train.shape[1:], LATENT, likelihood=Normal(VARIANCE), seed=0, **arguments)
        model.compile("adam")
        model.fit(train, epochs=options.epochs, batch_size=128, verbose=0)
        rows.append((name, *judged(model, test)))
        samples[name] = model.sample(24, seed=1)
        reconstructed[name] = model.reconstruct(test[:12])
    page.text(
        f"{len(train)} training images of {options.data}, codes of {LATENT} dimensions, p(x|z) = N(g(z), {VARIANCE}), "
        f"{options.epochs} epochs. Penalties: "
        + ", ".join(f"{name} {a['penalty']:g}" for name, (_, a) in MODELS.items() if a)
        + ". Sharpness (variance after a Laplace filter, times 1000) of the test images is "
        f"{1000 * sharpness(test):.1f}. Distances are between codes of test images and N(0, I), zero where they agree; "
        "a unit of the code is active where its (mean) code varies by more than 0.01 over the test images."
    )
    header = ("model", "squared error", "sharpness of samples", "MMD of codes", "W2^2 of codes", "active units")
    page.table(header, rows)
    best, sharpest = min(rows, key=lambda row: row[1])[0], max(rows, key=lambda row: row[2])[0]
    page.text(f"The best reconstructions are those of {best}, the sharpest samples those of {sharpest}.")
    page.picture("reconstructions", plots.labelled_rows(reconstructed), "Test images, and what comes back:")
    halves = {name + " " * i: images[12 * i : 12 * i + 12] for name, images in samples.items() for i in (0, 1)}
    page.picture("samples", plots.labelled_rows(halves), "Samples:")
    page.write()


if __name__ == "__main__":
    main()
