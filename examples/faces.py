"""Faces: eigenfaces, and a DCGAN VAE.

The 200 patches of 25x25 pixels that scikit-image ships; half of them are faces from Labeled Faces in the Wild (Huang et
al., 2007). A linear autoencoder of the faces spans what their first principal components span, the eigenfaces (Turk
and Pentland, 1991, Journal of Cognitive Neuroscience 3, 71-86; Baldi and Hornik, 1989). A VAE with the networks of
DCGAN (Radford et al., 2016, arXiv:1511.06434) learns all patches: to reconstruct them, to sample, to go from face to
face, and from what is no face to a face along the difference of the mean codes. One patch in five is held out, to
see what the other 160 are good for; since the VAE's settings were chosen on the held-out ones, its figures flatter it.

    pip install scikit-image
    python examples/faces.py
"""

import sys

import keras
import numpy as np
from common import Page, options
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

import keras_ae
from keras_ae import evaluation, plots
from keras_ae.distributions.likelihoods import Normal

FACES = 100  # the first images of the set; the others are no faces


def load():
    """Images in [0, 1], whether each is a face, and whether it is held out."""
    try:
        from skimage.data import lfw_subset
    except ImportError:
        sys.exit("This example needs scikit-image: pip install scikit-image")
    index = np.arange(2 * FACES)
    return lfw_subset().astype("float32")[..., None], index < FACES, index % 5 == 4


def squared_error(x, reconstructed):
    """|x - reconstruction|^2, averaged over images."""
    return float(np.square(x - reconstructed).sum(axis=(1, 2, 3)).mean())


def adam(rate, steps):
    """Adam with a rate that falls to 0 over the training."""
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))


def eigenfaces(page, train, test, dimensions, steps):
    """PCA of faces by a linear autoencoder."""
    flat = train.reshape(len(train), -1)
    pca = PCA(dimensions, svd_solver="full").fit(flat)
    model = keras_ae.create("linear_ae", train.shape[1:], dimensions, tied=True, seed=0)
    model.compile(adam(0.01, steps))
    # 20 steps an epoch, each on all faces
    model.fit(
        np.tile(train, (20, 1, 1, 1)), batch_size=len(train), epochs=max(steps // 20, 1), shuffle=False, verbose=0
    )
    spans = model.components().components.reshape(dimensions, -1)
    angle = np.degrees(subspace_angles(spans.T, pca.components_.T)[0])

    def project(x):
        return pca.inverse_transform(pca.transform(x.reshape(len(x), -1))).reshape(x.shape)

    page.text(
        f"Eigenfaces of {len(train)} faces: the largest principal angle between what {dimensions} principal components "
        f"and the decoder of the linear autoencoder span is {angle:.2f} degrees."
    )
    page.table(
        ["squared error of faces", "training", "held out"],
        [
            [f"PCA, {dimensions} dimensions", squared_error(train, project(train)), squared_error(test, project(test))],
            ["linear_ae", squared_error(train, model.reconstruct(train)), squared_error(test, model.reconstruct(test))],
            ["mean face", squared_error(train, train.mean(axis=0)), squared_error(test, train.mean(axis=0))],
        ],
    )
    page.picture("eigenfaces", plots.components(model, train), "Its components, and their shares of the variance:")


def varied(x):
    """Images and their mirror images, each moved by up to a pixel: 18 of one."""
    both = np.concatenate([x, x[:, :, ::-1]])
    height, width = x.shape[1:3]
    padded = np.pad(both, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
    return np.concatenate([padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)])


def train_vae(x, dimensions, epochs):
    """A DCGAN VAE."""
    model = keras_ae.create(
        "vae",
        input_shape=x.shape[1:],
        latent_dim=dimensions,
        network="dcgan",
        network_options={"filters": 16},
        likelihood=Normal(variance=0.01),
        seed=0,
    )
    model.compile(adam(0.001, epochs * len(x) // 32))
    model.fit(x, batch_size=32, epochs=epochs, verbose=0)
    return model


def nearest(x, train):
    """The squared distance of each image to the training image that is nearest to it, averaged."""
    return float(np.mean([np.square(train - image).sum(axis=(1, 2, 3)).min() for image in x]))


def judge(page, model, train, test):
    """Errors and log-likelihood beside those of PCA, and how new the samples are."""
    on_train, on_test = (squared_error(x, model.reconstruct(x)) for x in (train, test))
    page.text(
        f"A VAE of {model.latent_shape[0]} dimensions with p(x|z) = N(mean, {model.likelihood.variance}), trained on "
        f"{len(train)} patches, their mirror images, and both moved by a pixel. Its squared error on {len(test)} "
        f"held-out patches is {on_test / on_train:.1f} times that on the training patches, {on_train:.2f}."
    )
    bound = evaluation.log_likelihood(model, test, samples=100).log_prob.mean()
    base = evaluation.baselines(train, test, *model.latent_shape, model.likelihood)
    rows = [["VAE (bound, K = 100)", on_test, bound], *([row[key] for key in row] for row in base)]
    page.table(
        ["held-out patches", "squared error", "log p(x) (nats)"],
        [[name, float(error), float(log_prob)] for name, error, log_prob in rows],
    )
    page.text(
        f"The squared distance to the nearest training patch is {nearest(test, train):.2f} for held-out patches and "
        f"{nearest(model.sample(200, seed=0), train):.2f} for samples of the VAE."
    )


def move(page, model, images, is_face, held_out):
    """From face to face, and along the difference of the mean codes of faces and others."""
    codes = model.encode(images)
    means = [codes[group & ~held_out].mean(axis=0) for group in (is_face, ~is_face)]
    direction, middle = means[0] - means[1], (means[0] + means[1]) / 2
    right = (((codes - middle) @ direction > 0) == is_face)[held_out].mean()
    page.text(
        "The direction from the mean code of the training patches without a face to that of the faces also tells them "
        f"apart: of the held-out patches, {right:.0%} lie on their side of the middle between the two means."
    )
    faces, others = np.flatnonzero(is_face & held_out), np.flatnonzero(~is_face & held_out)
    errors = np.square(images - model.reconstruct(images)).sum(axis=(1, 2, 3))
    first, second = faces[np.argsort(errors[faces])[:2]]
    rows = {
        "codes": model.decode(np.linspace(codes[first], codes[second], 10)),
        "pixels": np.linspace(images[first], images[second], 10),
    }
    caption = "Between the two held-out faces that are reconstructed best, by their codes and by their pixels:"
    page.picture("interpolation", plots.labelled_rows(rows), caption)
    ways = {"other 1": (others[0], 1.5), "other 2": (others[1], 1.5), "face 1": (first, -1.5), "face 2": (second, -1.5)}
    rows = {
        name: np.concatenate([images[[i]], model.decode(np.linspace(codes[i], codes[i] + far * direction, 10))])
        for name, (i, far) in ways.items()
    }
    caption = (
        "Held-out patches (left), decoded with 0 to 1.5 times the direction added to their codes (faces: subtracted):"
    )
    page.picture("direction", plots.labelled_rows(rows), caption)


def main():
    arguments = options(__doc__, epochs=30, steps=4000, eigenfaces=8, latent_dim=32)
    page = Page(arguments.out, __doc__)
    images, is_face, held_out = load()
    train, test = images[~held_out], images[held_out]
    faces, others = images[is_face & held_out], images[~is_face & held_out]
    eigenfaces(page, images[is_face & ~held_out], faces, arguments.eigenfaces, arguments.steps)
    model = train_vae(varied(train), arguments.latent_dim, arguments.epochs)
    judge(page, model, train, test)
    for name, group in (("faces", faces), ("others", others)):
        figure = plots.side_by_side(group, model.reconstruct(group))
        page.picture(f"reconstructions-{name}", figure, f"Held-out {name} and their reconstructions:")
    page.picture("samples", plots.image_grid(model.sample(40, seed=0), columns=10), "Samples:")
    move(page, model, images, is_face, held_out)
    page.write()


if __name__ == "__main__":
    main()
