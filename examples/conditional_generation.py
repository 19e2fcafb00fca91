"""Digits of a class, in a style: the conditional variational autoencoder.

A conditional VAE is told the class y in its encoder and its decoder (Kingma et al., 2014, arXiv:1406.5298; Sohn et al.,
2015, NIPS). What y says, the code z need not say: it is left with the style. So z and y can be chosen apart, to draw
digits of a given class, or to write one digit in the style of another.

    python examples/conditional_generation.py
"""

import common
import numpy as np

import keras_ae
from keras_ae import plots

LATENT = 8
COLUMNS = 12


def trained(name: str, x: np.ndarray, y: np.ndarray | None, epochs: int, **arguments) -> keras_ae.Autoencoder:
    """A model of the zoo, trained."""
    model = keras_ae.create(name, x.shape[1:], LATENT, seed=0, **arguments)
    model.compile("adam")
    model.fit(x, y, epochs=epochs, batch_size=128, verbose=0)
    return model


def main() -> None:
    """Trains a VAE with and one without the class, and writes the page."""
    options = common.options(__doc__, data="mnist", epochs=8)
    page = common.Page(options.out, __doc__)
    train, test = common.load(options.data, binarize="threshold")
    classes = train.num_classes
    plain = trained("vae", train.x, None, options.epochs)
    model = trained("conditional_vae", train.x, train.y, options.epochs, condition_dim=classes)
    learned = trained("conditional_vae", train.x, train.y, options.epochs, condition_dim=classes, learned_prior=True)
    found = {
        "VAE": plain.evaluate(test.x, verbose=0, return_dict=True),
        "conditional VAE": model.evaluate(test.x, test.y, verbose=0, return_dict=True),
        "conditional VAE, learned p(z given y)": learned.evaluate(test.x, test.y, verbose=0, return_dict=True),
    }
    page.text(
        f"{len(train)} training images of {options.data}, black and white; codes of {LATENT} dimensions, "
        f"{options.epochs} epochs. Nats per test image:"
    )
    terms = ("loss", "reconstruction", "kl")
    page.table(("model", "negative ELBO", *terms[1:]), [(name, *(t[k] for k in terms)) for name, t in found.items()])
    saved = found["VAE"]["loss"] - found["conditional VAE"]["loss"]
    page.text(
        f"Being told the class saves {saved:.2f} nats an image. With exact densities it could save log {classes} = "
        f"{np.log(classes):.2f} at most, what it takes to name one of {classes} classes; anything beyond that is a "
        "shortcoming of the VAE that is not told."
    )

    codes = np.repeat(np.random.default_rng(0).standard_normal((1, COLUMNS, LATENT)), classes, axis=0)
    y = np.repeat(np.arange(classes), COLUMNS)
    grid = model.decode(codes.reshape(-1, LATENT), condition=y)
    page.picture("classes", plots.image_grid(grid, columns=COLUMNS), "One class a row, one code z a column:")

    x, labels = test.x[:COLUMNS], test.y[:COLUMNS]
    style = model.encode(x, condition=labels)
    rows = {"original": x, **{f"as a {c}": model.decode(style, condition=c) for c in range(classes)}}
    page.picture("styles", plots.labelled_rows(rows), "Test images, and other digits in their style:")
    page.write()


if __name__ == "__main__":
    main()
