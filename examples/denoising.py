"""Taking noise away: the denoising autoencoder.

A denoising autoencoder is given a corrupted image and has to return the clean one (Vincent et al., 2008, ICML, eq. 5);
the three kinds of noise are those of Vincent et al. (2010, JMLR 11, sec. 3.3). It is compared with a plain autoencoder
of the same networks, which has seen clean images only and returns part of the noise, too.

    python examples/denoising.py
    python examples/denoising.py --data fashion_mnist
"""

import numpy as np
from common import Page, load, options

import keras_ae
from keras_ae import plots
from keras_ae.layers import MaskingNoise, NormalNoise, SaltAndPepperNoise


def noises(seed):
    """The kinds of noise: layers that are active in training only."""
    return {
        "Gaussian": NormalNoise(0.5, seed=seed),
        "salt and pepper": SaltAndPepperNoise(0.3, seed=seed),
        "masking": MaskingNoise(0.5, seed=seed),
    }


def train(name, data, arguments, **settings):
    """A trained model of the zoo; with the normal likelihood its loss is half the squared error and a constant."""
    model = keras_ae.create(name, data.shape, arguments.latent_dim, likelihood="normal", seed=0, **settings)
    model.compile("adam")
    model.fit(data.x, epochs=arguments.epochs, batch_size=128, verbose=0)
    return model


def squared_error(images, clean):
    """Summed over pixels, averaged over images."""
    return float(np.square(images - clean).sum(axis=(1, 2, 3)).mean())


def main():
    arguments = options(__doc__, data="mnist", latent_dim=32, epochs=20)
    train_set, test_set = load(arguments.data)
    page = Page(arguments.out, __doc__)
    clean = test_set.x
    plain = train("ae", train_set, arguments)
    error_of_plain = squared_error(plain.reconstruct(clean), clean)

    table, shares, rows = [], [], {"clean": clean[:10]}
    for name, corruption in noises(seed=1).items():
        denoising = train("denoising_ae", train_set, arguments, corruption=corruption)
        noisy = np.asarray(noises(seed=2)[name](clean, training=True))  # drawn once
        shown = {"noisy": noisy, "plain": plain.reconstruct(noisy), "denoised": denoising.reconstruct(noisy)}
        errors = [squared_error(images, clean) for images in shown.values()]
        table.append([name, *errors, squared_error(denoising.reconstruct(clean), clean)])
        shares.append(errors[2] / errors[1])
        rows |= {f"{name}: {label}": np.clip(images[:10], 0, 1) for label, images in shown.items()}

    page.text(
        f"{len(train_set.x)} training images, codes of {arguments.latent_dim} dimensions, {arguments.epochs} epochs, "
        f"seed 0. Gaussian noise has the standard deviation 0.5; salt and pepper sets 0.3 of the pixels to 0 or 1, "
        f"masking 0.5 of them to 0. Squared error per image to the clean image, over {len(clean)} test images with "
        "noise of another seed than in training:"
    )
    header = ["noise", "noisy image", "plain autoencoder", "denoising autoencoder", "denoising, clean image given"]
    page.table(header, table)
    page.text(
        f"The denoising autoencoder leaves {min(shares):.0%} to {max(shares):.0%} of the plain one's error. On clean "
        f"images the plain one has an error of {error_of_plain:.3f}; the last column is that of the denoising ones, "
        "which were never given a clean image in training."
    )
    page.picture("denoised", plots.labelled_rows(rows), "Test images, with noise, and what comes back:")
    page.write()


if __name__ == "__main__":
    main()
