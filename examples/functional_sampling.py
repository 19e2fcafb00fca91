"""The sampling layer alone, in a functional Keras model.

A VAE written out in plain Keras, with nothing of keras_ae's models: six inputs, hidden layers of 5, 5 and 4 units, the
mean and the log-variance of a code of two dimensions, and `keras_ae.layers.Sampling` for

    z = z_mean + exp(0.5 z_log_var) * epsilon,    epsilon ~ N(0, I)

(Kingma and Welling, 2014, arXiv:1312.6114, sec. 2.4). Where epsilon is forgotten z is no sample but a function of x,
and its variance is 0 instead of exp(z_log_var); both are measured here.

    python examples/functional_sampling.py
"""

import keras
import numpy as np
from common import Page, options
from keras import layers, ops
from matplotlib.figure import Figure

from keras_ae.distributions import DiagonalNormal, StandardNormal
from keras_ae.distributions.likelihoods import Normal
from keras_ae.divergences import kl
from keras_ae.layers import Sampling

NOISE = 0.1  # standard deviation of the data around their surface
DRAWS = 10_000


class AddKL(layers.Layer):
    """Adds KL(q(z|x) || p(z)) to the loss of the model that it is part of, and passes z on."""

    def call(self, inputs):
        z_mean, z_log_var, z = inputs
        self.add_loss(ops.mean(kl(DiagonalNormal(z_mean, z_log_var), StandardNormal((2,)))))
        return z


def make_data(n, seed):
    """Points on a surface of two dimensions, (u, v), in six, with noise; and their places on it."""
    generator = np.random.default_rng(seed)
    u, v = places = generator.uniform(-1, 1, (2, n))
    x = np.stack([u, v, u * v, u**2, v**2, np.sin(2 * u + v)], axis=1)
    return (x + NOISE * generator.normal(size=x.shape)).astype("float32"), places


def make_networks():
    """Encoder and decoder."""
    inputs = keras.Input((6,), name="x")
    h1 = layers.Dense(5, "relu", name="h1")(inputs)
    h2 = layers.Dense(5, "relu", name="h2")(h1)
    h3 = layers.Dense(4, "relu", name="h3")(h2)
    z_mean = layers.Dense(2, name="z_mean")(h3)
    z_log_var = layers.Dense(2, name="z_log_var")(h3)
    z = Sampling(name="z")([z_mean, z_log_var])
    encoder = keras.Model(inputs, [z_mean, z_log_var, z], name="encoder")

    code = keras.Input((2,), name="code")
    features = layers.Dense(4, "relu")(code)
    features = layers.Dense(5, "relu")(features)
    features = layers.Dense(5, "relu")(features)
    return encoder, keras.Model(code, layers.Dense(6, name="reconstruction")(features), name="decoder")


def train(encoder, decoder, x, epochs):
    """Joins the networks to a VAE and minimises its negative ELBO: the loss of `compile` and the KL of the layer."""
    inputs = keras.Input((6,))
    vae = keras.Model(inputs, decoder(AddKL()(encoder(inputs))))
    likelihood = Normal(NOISE**2)
    vae.compile(keras.optimizers.Adam(0.003), loss=lambda x, mean: -likelihood.log_prob(x, mean))
    vae.fit(x, x, batch_size=50, epochs=epochs, verbose=0)
    return vae


def draw_encoder(encoder, page):
    """Adds the graph of the encoder to the page, where Graphviz is installed."""
    page.folder.mkdir(parents=True, exist_ok=True)
    path = page.folder / "encoder.png"
    try:
        keras.utils.plot_model(encoder, path, show_shapes=True, show_layer_names=True, dpi=80)
    except ImportError:
        encoder.summary()
        print("The graph is not drawn: it needs pydot (pip install pydot) and Graphviz (apt install graphviz).")
    else:
        page.text("The encoder, drawn by `keras.utils.plot_model`:\n\n![encoder](encoder.png)")


def draw_codes(codes, places):
    """The means of the codes, coloured by each of the two places on the surface."""
    figure = Figure(figsize=(7.4, 3.1), layout="constrained")
    for axes, place, name in zip(figure.subplots(1, 2), places, "uv", strict=True):
        points = axes.scatter(*codes.T, c=place, s=6, cmap="viridis")
        axes.set(xlabel="z_mean, dimension 1", ylabel="z_mean, dimension 2", title=f"coloured by {name}")
        figure.colorbar(points, ax=axes)
    return figure


def measure(encoder, x, page):
    """Shows that z is drawn anew at each call, with variance exp(z_log_var)."""
    calls = [[np.asarray(tensor)[0] for tensor in encoder(x[:1])] for _ in range(3)]
    page.text("A test point encoded three times: mean and log-variance stay, z does not.")
    page.table(
        ["call", "z_mean", "z_log_var", "z"],
        [[i + 1, *(f"({first:.3f}, {second:.3f})" for first, second in call)] for i, call in enumerate(calls)],
    )
    rows = []
    for i, point in enumerate(x):
        z_mean, z_log_var, z = encoder.predict(np.tile(point, (DRAWS, 1)), batch_size=DRAWS, verbose=0)
        forgotten = z_mean + np.exp(0.5 * z_log_var)
        for j in range(2):
            values = np.exp(z_log_var[0, j]), z[:, j].var(ddof=1), forgotten[:, j].var()
            rows.append([i + 1, j + 1, *(f"{value:.6f}" for value in values), float(values[1] / values[0])])
    page.text(f"The variance of {DRAWS} draws of z, at {len(x)} test points:")
    page.table(["point", "dimension", "exp(z_log_var)", "variance of z", "without epsilon", "ratio"], rows)
    page.text(
        f"The largest deviation of a ratio (variance of z / exp(z_log_var)) from 1 is "
        f"{max(abs(row[-1] - 1) for row in rows):.1%}; its standard error is {np.sqrt(2 / (DRAWS - 1)):.1%}."
    )


def main():
    arguments = options(__doc__, epochs=100, seed=0)
    page = Page(arguments.out, __doc__)
    keras.utils.set_random_seed(arguments.seed)
    x, _ = make_data(2000, seed=1)
    test, places = make_data(500, seed=2)
    encoder, decoder = make_networks()
    draw_encoder(encoder, page)
    vae = train(encoder, decoder, x, arguments.epochs)

    codes = encoder.predict(test, verbose=0)[0]
    error = np.square(test - decoder.predict(codes, verbose=0)).sum(axis=1).mean()
    page.text(
        f"After {arguments.epochs} epochs the negative ELBO of 500 test points is "
        f"{vae.evaluate(test, test, verbose=0):.2f} nats. Their squared error is {error:.3f}; that of the mean of all "
        f"is {test.var(axis=0).sum():.3f}, and the noise alone has {6 * NOISE**2:.3f}."
    )
    page.picture("codes", draw_codes(codes, places), "Where the encoder puts the test points:")

    measure(encoder, test[:5], page)
    page.write()


if __name__ == "__main__":
    main()
