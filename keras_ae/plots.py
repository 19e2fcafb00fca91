"""Pictures of models and of what they learned. Every function returns a Matplotlib figure; no display is needed."""

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Any

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_ae import errors
from keras_ae.checks import Count, Examples, Natural, Seed, checked, numbers, of_each
from keras_ae.models import Autoencoder, LinearAE, Variational, files

TRAINING, VALIDATION = "#0072B2", "#D55E00"  # blue and vermilion of Okabe and Ito: told apart by everyone
CELL = 0.55  # inches per image
DPI = 150


def _images(name: str, value: Any) -> np.ndarray:
    """`value` as images in float32; NaN is not drawn."""
    array = numbers(name, value).astype("float32")
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or 0 in array.shape or np.isinf(array).any():
        wanted = "finite images of shape (n, height, width, 1 or 3), n at least 1; other data can be written as .npz"
        raise errors.wrong(name, wanted, array)
    return array


Images = Annotated[np.ndarray, _images]


@checked
def save(figure: Figure, path: str | Path, dpi: Count = DPI) -> None:
    """Writes a figure whole or not at all; makes the folders above it."""
    files.write(Path(path), lambda temporary: figure.savefig(temporary, dpi=dpi, bbox_inches="tight", pad_inches=0.05))


@checked
def image_grid(images: Images, columns: Count | None = None) -> Figure:
    """Images, (n, height, width, channels), as one grid with small gaps.

    >>> image_grid(np.zeros((6, 8, 8, 1))).axes[0].get_images()[0].get_array().shape
    (17, 26)
    """
    grid = tiled(images, columns)
    inches = CELL / np.shape(images)[2]
    figure = _figure(grid.shape[1] * inches, grid.shape[0] * inches)
    _show(figure.add_axes((0, 0, 1, 1)), grid)
    return figure


@checked
def tiled(images: Images, columns: Count | None = None, gap: Natural = 1) -> np.ndarray:
    """Images, (n, height, width, channels), in rows of one image with values from 0 to 1; about as many rows as columns
    where `columns` is None."""
    images = _checked(images)
    columns = columns or math.ceil(math.sqrt(len(images)))
    return _tile(images, math.ceil(len(images) / columns), columns, gap)


@checked
def labelled_rows(rows: Mapping[str, Images]) -> Figure:
    """Rows of images with a label at the left of each; all rows have as many images, and what is white in the first is
    white in all."""
    if len({row.shape[:3] for row in rows.values()}) != 1:
        raise errors.wrong("rows", "rows of as many images, of one size", [row.shape for row in rows.values()])
    white = _white(next(iter(rows.values())))
    scaled = (_checked(row, white) for row in rows.values())
    images = np.stack(np.broadcast_arrays(*scaled))  # grey rows beside coloured ones
    return image_table(images, list(rows))


@checked
def image_table(images: np.ndarray, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> Figure:
    """Rows of images, with labels at the left of the rows and above the columns.

    Args:
        images: (rows, columns, height, width, channels).
        rows, columns: labels; none if empty.

    >>> image_table(np.zeros((1, 2, 8, 8, 1)), columns=["from", "to"]).axes[0].texts[1].get_text()
    'to'
    """
    shape = np.shape(images)
    tables, count = _checked(np.reshape(images, (-1, *shape[2:]))).reshape(shape), shape[1]
    figure = _figure(count * CELL, len(tables) * CELL * shape[2] / shape[3])
    for i, row in enumerate(tables):
        axes = figure.add_axes((0, 1 - (i + 1) / len(tables), 1, 0.94 / len(tables)))
        _show(axes, _tile(row, 1, count))
        if rows:
            axes.text(-0.01, 0.5, rows[i], transform=axes.transAxes, ha="right", va="center", fontsize=9)
        if i == 0:
            size = 8 if max(map(len, columns), default=0) <= 8 else 6
            for j, label in enumerate(columns):
                axes.text((j + 0.5) / count, 1.03, label, transform=axes.transAxes, ha="center", fontsize=size)
    return figure


@checked
def reconstructions(originals: Images, by_epoch: Mapping[int, Images]) -> Figure:
    """Originals, and below them their reconstructions after some epochs."""
    return labelled_rows({"original": originals, **{f"epoch {epoch}": by_epoch[epoch] for epoch in sorted(by_epoch)}})


@checked
def side_by_side(originals: Images, reconstructed: Images, columns: Count = 10) -> Figure:
    """Originals and reconstructions in two rows, in blocks of `columns`."""
    if len(reconstructed) != len(originals):
        raise errors.wrong("reconstructed", f"as many images as originals, {len(originals)}", reconstructed)
    white = _white(originals)
    both = (("original", _checked(originals, white)), ("reconstruction", _checked(reconstructed, white)))
    rows: dict[str, np.ndarray] = {}
    for block, start in enumerate(range(0, len(originals), columns)):
        for label, images in both:
            part = images[start : start + columns]
            missing = min(columns, len(originals)) - len(part)
            blank = np.ones((missing, *part.shape[1:]), "float32")
            rows[label + " " * block] = np.concatenate([part, blank])  # keys differ, labels look the same
    return labelled_rows(rows)


@checked
def samples(model: Variational, n: Count = 64, seed: Seed = 0) -> Figure:
    """New examples from the prior: the means of p(x|z); of a conditional model one class a row."""
    if not model.conditional:
        return image_grid(model.sample(n, seed=seed))
    columns = math.ceil(n / model.condition_dim)
    classes = np.repeat(np.arange(model.condition_dim), columns)
    return image_grid(model.sample(len(classes), seed=seed, condition=classes), columns=columns)


@checked
def manifold(model: Autoencoder, size: Count = 20) -> Figure:
    """What the decoder makes of a grid of 2-D codes at the quantiles of the standard normal from 5 % to 95 %.

    Raises:
        InputError: the model's code has not two dimensions, or the model is conditional.
    """
    if model.conditional:
        raise errors.InputError("manifold draws models without condition. Decode a grid of codes with model.decode.")
    if model.latent_shape != (2,):
        raise errors.InputError(f"manifold draws codes of 2 dimensions. Received: a model with {model.latent_shape}.")
    values = np.array([NormalDist().inv_cdf(p) for p in np.linspace(0.05, 0.95, size)])
    codes = np.array([(z1, z2) for z2 in values[::-1] for z1 in values])
    images = _checked(model.decode(codes))
    figure = _figure(6, 6 * images.shape[1] / images.shape[2])
    axes = figure.add_axes((0.1, 0.1, 0.9, 0.9))
    tiled = _tile(images, size, size, gap=0)
    _show(axes, tiled)
    for axis, length, which in ((axes.xaxis, tiled.shape[1], 1), (axes.yaxis, tiled.shape[0], -1)):
        chosen = np.linspace(0, size - 1, 5).round().astype(int)
        axis.set_ticks((chosen + 0.5) * length / size - 0.5, [f"{values[::which][i]:.1f}" for i in chosen])
    axes.set_xlabel("$z_1$")
    axes.set_ylabel("$z_2$")
    return figure


@checked
def codes(values: Examples, labels: Any = None) -> Figure:
    """A scatter of codes, (n, dimensions), coloured by label; more than two dimensions through PCA.

    Args:
        values: codes; further axes are flattened.
        labels: integers, one per code; with more than 20 classes they are not drawn.
    """
    points = np.asarray(values, "float64").reshape(len(values), -1)
    labels = None if labels is None else of_each("labels", labels, len(points))
    if points.shape[1] > 2 and len(points) < 2:
        raise errors.InputError("values must be at least 2 codes, if they have more than two dimensions. Received: 1.")
    names = ["$z_1$", "$z_2$"]
    if points.shape[1] > 2:
        from sklearn.decomposition import PCA

        fitted = PCA(2).fit(points)
        points = fitted.transform(points)
        names = [f"component {i + 1} ({share:.0%})" for i, share in enumerate(fitted.explained_variance_ratio_)]
    figure = _figure(5.5, 4.5)
    axes = figure.add_subplot()
    groups = _groups(labels, len(points))
    for i, (label, chosen) in enumerate(groups.items()):
        colour = f"C{i}" if len(groups) <= 10 else _palette(i)
        if points.shape[1] == 1:
            axes.hist(points[chosen, 0], bins=40, histtype="step", color=colour, label=label)
        else:
            x, y = points[chosen].T
            axes.scatter(x, y, s=6, alpha=0.6, linewidths=0, color=colour, label=label)
    axes.set_xlabel(names[0])
    axes.set_ylabel("codes" if points.shape[1] == 1 else names[1])
    if points.shape[1] > 1:
        axes.set_aspect("equal", adjustable="datalim")
    if len(groups) > 1:
        legend = axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, markerscale=2.5, fontsize=9)
        for handle in filter(None, legend.legend_handles):
            handle.set_alpha(1)
    return figure


@checked
def learning_curves(history: Mapping[str, Sequence[float]], unit: str = "nats") -> Figure:
    """One panel per term: training solid, validation ("val_" names) dashed.

    Args:
        history: name -> one value per epoch, as Keras' `History.history`.
        unit: of the values.
    """
    terms = [name for name in history if not name.startswith("val_")]
    if not terms:
        raise errors.InputError(f"history must hold the values of a term. Received: {', '.join(history) or 'none'}.")
    columns = min(len(terms), 3)
    rows = math.ceil(len(terms) / columns)
    figure = _figure(3.2 * columns, 2.5 * rows)
    for i, name in enumerate(sorted(terms, key=lambda term: term != "loss")):
        axes = figure.add_subplot(rows, columns, i + 1)
        for key, style, colour, label in (
            (name, "-", TRAINING, "training"),
            (f"val_{name}", "--", VALIDATION, "validation"),
        ):
            if key in history:
                epochs = range(1, len(history[key]) + 1)
                marker = "o" if len(history[key]) == 1 else None
                axes.plot(epochs, history[key], style, color=colour, label=label, marker=marker)
        axes.set_title(name.replace("_", " "), fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        if i % columns == 0:
            axes.set_ylabel(f"{unit} per example" if unit == "nats" else unit)
        if i == 0 and any(key.startswith("val_") for key in history):
            axes.legend(frameon=False, fontsize=9)
    figure.tight_layout()
    return figure


@checked
def components(model: LinearAE, x: np.ndarray | None = None, columns: Count = 8) -> Figure:
    """The components of a linear autoencoder as images ("eigenfaces"): red positive, blue negative.

    Args:
        model: a trained linear autoencoder of images.
        x: data; the components are then sorted by the share of its variance that each explains, which is their title.
        columns: images a row.
    """
    found = model.components(x)
    images = _images("components", found.components)
    shares = None if x is None else found.variances / np.var(np.asarray(x, "float64"), axis=0, ddof=1).sum()
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    figure = _figure(columns * 1.1, rows * 1.3)
    for i, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, i + 1)
        largest = np.abs(image).max() or 1.0
        if image.shape[-1] == 3:
            axes.imshow(0.5 + 0.5 * image / largest, interpolation="nearest")
        else:
            axes.imshow(image[..., 0], interpolation="nearest", cmap="RdBu_r", vmin=-largest, vmax=largest)
        axes.set_axis_off()
        if shares is not None:
            axes.set_title(f"{shares[i]:.1%}", fontsize=9, pad=3)
    figure.tight_layout(pad=0.3)
    return figure


@checked
def network(model: Autoencoder, path: str | Path) -> list[Path]:
    """Draws encoder and decoder to PATH-encoder.png and PATH-decoder.png.

    Raises:
        InputError: pydot or graphviz is not installed.
    """
    paths = []
    for name in ("encoder", "decoder"):
        paths.append(Path(f"{path}-{name}.png"))
        draw = functools.partial(keras.utils.plot_model, getattr(model, name), show_shapes=True, dpi=DPI)
        try:
            files.write(paths[-1], draw)
        except ImportError as error:
            raise errors.InputError(
                "keras.utils.plot_model needs pydot and graphviz: pip install pydot, and the program 'dot' "
                "(apt install graphviz)."
            ) from error
    return paths


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def _white(images: np.ndarray) -> float:
    """The value that is white: 1, or the largest one where the values are whole numbers up to 255 or the like."""
    largest = float(np.fmax.reduce(images, axis=None))
    return largest if largest > 2 else 1.0


def _checked(images: Any, white: float | None = None) -> np.ndarray:
    """Images in [0, 1]: divided by what is white, and clipped."""
    images = _images("images", images)
    return np.clip(images / (white or _white(images)), 0, 1)


def _tile(images: np.ndarray, rows: int, columns: int, gap: int = 1) -> np.ndarray:
    """One white-framed image of many."""
    _, height, width, channels = images.shape
    tiled = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), "float32")
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        tiled[top : top + height, left : left + width] = image
    return tiled


def _show(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _groups(labels: np.ndarray | None, count: int) -> dict[str, np.ndarray]:
    """Name -> indices of each class; all in one where there are no labels or too many classes."""
    classes = np.array([]) if labels is None else np.unique(labels)
    if len(classes) < 2 or len(classes) > 20:
        return {"all": np.arange(count)}
    return {str(label): np.flatnonzero(labels == label) for label in classes}


def _palette(i: int) -> Any:
    from matplotlib import colormaps

    return colormaps["tab20"](i)
