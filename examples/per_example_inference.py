"""Inference without an encoder.

A VAE amortises inference: one network gives q(z|x) for every x. The alternative is older: each example has a mean and a
variance of its own, found by gradient ascent on its own ELBO (stochastic variational inference; Hoffman et al., 2013,
arXiv:1206.7055), in turns with steps of the decoder, as in variational EM. It has no amortisation gap, and it is slow:
a new x needs an optimisation where an encoder needs one pass. The two are trained here with the same decoder on a small
data set.

    python examples/per_example_inference.py
"""

import time

import keras
import numpy as np
from common import Page, load, options

import keras_ae
from keras_ae.evaluation import inference_gap, log_likelihood, optimise_posterior

LATENT, BATCH = 8, 64


def make(shape):
    """A small VAE; the one without an encoder uses only its decoder."""
    model = keras_ae.create("vae", shape, LATENT, seed=0, network_options={"hidden": (64,)})
    model.compile(keras_ae.optimizers.Adam(0.002))
    return model


def train_without_encoder(model, x, rounds, steps):
    """Variational EM: every example's posterior goes on from where it was, then the decoder sees samples of it."""
    decoder = keras.Model(model.decoder.inputs, model.output_head(model.decoder.outputs[0]))
    decoder.compile(keras_ae.optimizers.Adam(0.002), loss=lambda x, params: -model.likelihood.log_prob(x, params))
    generator, start = np.random.default_rng(0), "prior"
    for i in range(rounds):
        start = optimise_posterior(model, x, steps=steps, start=start, seed=i).distribution
        z = start.mean + np.exp(0.5 * start.log_var) * generator.normal(size=start.mean.shape)
        decoder.fit(z.astype("float32"), x, batch_size=BATCH, verbose=0)


def seconds(function, *arguments, **options):
    """What a function returns, and how long its second call takes: the first compiles."""
    function(*arguments, **options)
    begin = time.perf_counter()
    result = function(*arguments, **options)
    return result, time.perf_counter() - begin


def main():
    arguments = options(__doc__, data="digits", epochs=200, steps=20, test_steps=300, samples=500)
    page = Page(arguments.out, __doc__)
    train, test = load(arguments.data, binarize="threshold")

    begin = time.perf_counter()
    amortised = make(train.shape)
    amortised.fit(train.x, epochs=arguments.epochs, batch_size=BATCH, verbose=0)
    amortised_time = time.perf_counter() - begin
    begin = time.perf_counter()
    free = make(train.shape)
    train_without_encoder(free, train.x, arguments.epochs, arguments.steps)
    free_time = time.perf_counter() - begin

    page.text(
        f"{len(train.x)} training examples, {arguments.epochs} epochs each; without an encoder, "
        f"{arguments.steps} steps of ascent for each example and epoch. Figures in nats on the training and the test "
        f"split; log p(x) with {arguments.samples} importance samples from posteriors optimised in "
        f"{arguments.test_steps} steps."
    )
    rows = []
    for name, model, time_taken in (("VAE", amortised, amortised_time), ("no encoder", free, free_time)):
        found = [
            optimise_posterior(model, x, steps=arguments.test_steps, start="encoder" if name == "VAE" else "prior")
            for x in (train.x, test.x)
        ]
        log_prob = [
            log_likelihood(model, x, samples=arguments.samples, proposal=q.distribution).log_prob.mean()
            for x, q in zip((train.x, test.x), found, strict=True)
        ]
        elbos = [float(q.elbo.mean()) for q in found]
        rows.append([name, *elbos, *map(float, log_prob), f"{time_taken:.0f}"])
    header = ["training", "ELBO, train", "ELBO, test", "log p(x), train", "log p(x), test", "seconds"]
    page.table(header, rows)

    codes, encoder_time = seconds(amortised.encode, test.x)
    _, ascent_time = seconds(optimise_posterior, amortised, test.x, steps=arguments.test_steps)
    gap = inference_gap(amortised, test.x, steps=arguments.test_steps, samples=arguments.samples)
    page.text(
        f"The ELBO of either row is that of each example's own best diagonal normal. The VAE's encoder alone reaches "
        f"{gap.elbo.mean():.3f} on the test split: its amortisation gap is {gap.amortisation.mean():.3f} nats, and the "
        f"approximation gap {gap.approximation.mean():.3f}."
    )
    page.text("What the posterior of a new example costs:")
    page.table(
        ["inference", "microseconds an example", "ratio"],
        [
            ["encoder", f"{1e6 * encoder_time / len(codes):.1f}", "1"],
            [
                f"{arguments.test_steps} steps of ascent",
                f"{1e6 * ascent_time / len(codes):.0f}",
                f"{ascent_time / encoder_time:.0f}",
            ],
        ],
    )
    page.write()


if __name__ == "__main__":
    main()
