"""Paths from one code to another, and how long they are in the space of the data."""

from dataclasses import dataclass
from typing import Annotated, Any

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure
from scipy import optimize

from keras_ae import backend, errors, plots
from keras_ae.checks import Count, Seed, checked, examples
from keras_ae.models import Autoencoder, inputs

METHODS = ("linear", "spherical", "geodesic")
SPACES = ("example", "code")
ITERATIONS = 500


@dataclass(frozen=True)
class Interpolation:
    """Paths between n pairs.

    Args:
        codes: (n, steps, *latent), from start to end.
        images: (n, steps, *event), the means E[x | code].
        lengths: (n,) of the decoded paths, see `path_length`.
    """

    codes: np.ndarray
    images: np.ndarray
    lengths: np.ndarray

    def plot(self) -> Figure:
        """One path a row."""
        return plots.image_table(self.images)


@checked
def interpolate(
    model: Autoencoder,
    start: Any,
    end: Any,
    steps: Annotated[int, "[2, inf)"] = 10,
    method: str = "linear",
    space: str = "example",
    condition: Any = None,
) -> Interpolation:
    """What lies between two examples, or two codes: a path of `steps` codes for each pair, and what they decode to.

        linear       z(t) = (1 - t) a + t b                                             t = 0 ... 1
        spherical    z(t) = [sin((1 - t) w) a + sin(t w) b] / sin(w)                    w: angle between a and b
        geodesic     minimises the energy sum_i |g(z_(i+1)) - g(z_i)|^2 over z_1 ... z_(T-1), g(z) = E[x | z]

    The spherical path (Shoemake, 1985, SIGGRAPH; White, 2016, arXiv:1609.04468) turns about the origin and
    keeps the norm of codes that have the same: in many dimensions the linear one passes through norms that N(0, I)
    hardly ever draws. The geodesic (Shao et al., 2018, arXiv:1711.08014; Arvanitidis et al., 2018,
    arXiv:1710.11379) is the path along which the decoded examples change least; it starts at the linear path, goes down
    the energy with L-BFGS, and is the linear path where that is not longer. It knows only its own `steps` points: with
    few of them it may jump over what lies between.

    Args:
        model: a trained autoencoder.
        start, end: n examples each, (n, *event), which are encoded; with `space="code"` n codes each, (n, *latent).
        steps: points of a path, both ends among them; at least 2.
        method: `"linear"`, `"spherical"` or `"geodesic"`.
        space: what `start` and `end` are, `"example"` or `"code"`.
        condition: of each pair, for a conditional model: of both ends and all that lies between.

    Raises:
        InputError: an argument does not fit, or a spherical path is not determined because two codes are opposite.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> path = interpolate(model, [[-1, 0]], [[1, 2]], steps=3, space="code")
        >>> path.codes[0].tolist()
        [[-1.0, 0.0], [0.0, 1.0], [1.0, 2.0]]
        >>> path.images.shape
        (1, 3, 4)
    """
    if method not in METHODS:
        raise errors.unknown("method", method, METHODS)
    if space not in SPACES:
        raise errors.unknown("space", space, SPACES)
    given = (("start", start), ("end", end))
    if space == "example":
        ends = [inputs.check_x(model, values, name, explained=False) for name, values in given]
    else:
        ends = [inputs.as_array(values, name, model.latent_shape) for name, values in given]
    if len(ends[0]) != len(ends[1]):
        raise errors.InputError(f"start has {len(ends[0])} rows, end has {len(ends[1])}: they must be as many.")
    condition = inputs.check_condition(model, condition, len(ends[0]))
    if space == "example":
        ends = [model.encode(x, condition=condition) for x in ends]
    for name, codes in zip(("start", "end"), ends, strict=True):
        inputs.check_finite(codes, name)
    a, b = (codes.reshape(len(codes), 1, -1).astype("float64") for codes in ends)
    paths = (_spherical if method == "spherical" else _linear)(a, b, np.linspace(0, 1, steps)[:, None])
    paths = paths.reshape(len(a), steps, *model.latent_shape).astype("float32")
    if method == "geodesic" and getattr(model, "tokens", None):
        raise errors.InputError("Tokens have no distance, so there is no geodesic. Use method='linear' or 'spherical'.")
    if method == "geodesic":
        rows = [None] * len(paths) if condition is None else condition
        paths = np.stack([_geodesic(model, path, row) for path, row in zip(paths, rows, strict=True)])
    images = _decode(model, paths, condition)
    return Interpolation(paths, images, _lengths(images))


@checked
def prior_codes(model: Autoencoder, n: Count, seed: Seed = 0, condition: Any = None) -> np.ndarray:
    """`n` codes drawn from p(z), such as ends for `interpolate(..., space="code")`.

    Args:
        model: a model with a prior.
        n: how many.
        seed: integer.
        condition: of each code, for a conditional model.

    Returns:
        (n, *latent).

    Raises:
        InputError: the model has no distribution of codes.

    Example:
        >>> import keras_ae
        >>> prior_codes(keras_ae.create("vae", input_shape=(4,), latent_dim=2), 3).shape
        (3, 2)
    """
    if not model.has_prior:
        raise errors.InputError(
            f"{type(model).__name__} has no distribution of codes to draw from. Use a model with a prior such as VAE, "
            "or the codes of examples: model.encode(x)."
        )
    condition = inputs.check_condition(model, condition, n)
    return ops.convert_to_numpy(model.draw_codes(n, keras.random.SeedGenerator(seed), condition))


@checked
def path_length(model: Autoencoder, codes: Any, condition: Any = None) -> np.ndarray:
    """How long paths of codes are once decoded: sum_i |g(z_(i+1)) - g(z_i)|, g(z) = E[x | z], in the units of x.

    With many points a path, it is the length of the curve in the metric J^T J of the decoder's Jacobian J (Arvanitidis
    et al., 2018, arXiv:1710.11379), without the part of the decoder's variance.

    Args:
        model: a trained autoencoder.
        codes: (n, steps, *latent), n paths.
        condition: of each path, for a conditional model.

    Returns:
        (n,) lengths.

    Raises:
        InputError: the shape is another.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("ae", input_shape=(4,), latent_dim=2, seed=0)
        >>> path_length(model, np.zeros((1, 5, 2))).tolist()
        [0.0]
    """
    codes = examples("codes", codes)
    if codes.ndim < 2 or codes.shape[1] < 2 or codes.shape[2:] != model.latent_shape:
        raise errors.InputError(
            f"codes must have the shape (n, steps, {', '.join(map(str, model.latent_shape))}) with at least 2 steps. "
            f"Received: {codes.shape}."
        )
    return _lengths(_decode(model, codes, inputs.check_condition(model, condition, len(codes))))


def _linear(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    return (1 - t) * a + t * b


def _spherical(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(n, 1, dim) twice and (steps, 1) -> (n, steps, dim); linear where the codes have one direction, or none."""
    norms = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = np.clip((a * b).sum(axis=-1, keepdims=True) / np.where(norms > 0, norms, 1), -1, 1)
    angle = np.where(norms > 0, np.arccos(cosine), 0)
    if (angle > np.pi - 1e-6).any():
        raise errors.InputError(
            f"Pair {int(angle.argmax())} are opposite codes: no spherical path between them is shorter than another. "
            "Use method='linear', or other ends. Codes of one dimension have no angles."
        )
    sine = np.where(angle > 1e-6, np.sin(angle), 1)
    turned = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / sine
    return np.where(angle > 1e-6, turned, _linear(a, b, t))


def _geodesic(model: Autoencoder, line: np.ndarray, condition: np.ndarray | None) -> np.ndarray:
    """The path of least energy between the ends of `line`, (steps, *latent)."""

    def energy_and_gradient(path: Any, condition: Any = None) -> tuple[Any, Any]:
        def energy(path: Any) -> Any:
            images = model.decode_mean(path, condition)
            return ops.sum(ops.square(images[1:] - images[:-1]))

        value, pull = backend.vjp(model, energy, path)
        return value, pull(ops.ones_like(value))

    conditions = [] if condition is None else [np.tile(condition, (len(line), 1))]
    signature = [keras.KerasTensor((None, *array.shape[1:]), "float32") for array in (line, *conditions)]
    compiled = model.compiled_once("energy", energy_and_gradient, *signature)

    def path_of(inner: np.ndarray) -> np.ndarray:
        return np.concatenate([line[:1], inner.reshape(-1, *model.latent_shape), line[-1:]]).astype("float32")

    def function(inner: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = compiled(
            *(ops.convert_to_tensor(array, "float32") for array in (path_of(inner), *conditions))
        )
        return float(value), ops.convert_to_numpy(gradient)[1:-1].astype("float64").ravel()

    if len(line) == 2:
        return line
    inner = line[1:-1].astype("float64").ravel()
    found = path_of(optimize.minimize(function, inner, jac=True, options={"maxiter": ITERATIONS}, method="L-BFGS-B").x)
    lengths = path_length(model, np.stack([line, found]), None if condition is None else np.stack([condition] * 2))
    return found if lengths[1] < lengths[0] else line


def _decode(model: Autoencoder, paths: np.ndarray, condition: np.ndarray | None) -> np.ndarray:
    """(n, steps, *latent) -> (n, steps, *event)."""
    condition = None if condition is None else np.repeat(condition, paths.shape[1], axis=0)
    images = model.decode(paths.reshape(-1, *model.latent_shape), condition=condition)
    return images.reshape(*paths.shape[:2], *model.event_shape)


def _lengths(images: np.ndarray) -> np.ndarray:
    """(n, steps, *event) -> (n,)."""
    differences = np.diff(images.astype("float64"), axis=1)
    return np.linalg.norm(differences.reshape(*differences.shape[:2], -1), axis=-1).sum(axis=1)
