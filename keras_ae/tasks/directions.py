"""Directions in the space of codes: that of an attribute, and those of the single dimensions."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from keras import ops
from matplotlib.figure import Figure

from keras_ae import errors, plots
from keras_ae.checks import Count, Natural, Positive, checked, examples, of_each
from keras_ae.evaluation import active_units
from keras_ae.models import Autoencoder, Variational, inputs


@checked
def attribute_vector(model: Autoencoder, x: Any, has_attribute: Any, condition: Any = None) -> np.ndarray:
    """The direction of an attribute in code space (Larsen et al., 2016, arXiv:1512.09300; White, 2016,
    arXiv:1609.04468).

        v = mean of f(x) over the examples that have the attribute - mean over those that have not,    f: the encoder

    Args:
        model: a trained autoencoder.
        x: (n, *event).
        has_attribute: (n,) of booleans, such as `labels == 8`.
        condition: of each example, for a conditional model.

    Returns:
        (*latent).

    Raises:
        InputError: no example has the attribute, or all have it.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("ae", input_shape=(4,), latent_dim=2, seed=0)
        >>> x = np.eye(4, dtype="float32")
        >>> vector = attribute_vector(model, x, [True, False, False, False])
        >>> bool(np.allclose(vector, model.encode(x[:1])[0] - model.encode(x[1:]).mean(axis=0)))
        True
    """
    codes = model.encode(x, condition=condition)
    has = of_each("has_attribute", has_attribute, len(codes))
    if has.dtype != bool or has.shape != (len(codes),):
        raise errors.InputError(
            f"has_attribute must hold {len(codes)} booleans, one an example, such as labels == 8. Received: shape "
            f"{has.shape}, dtype {has.dtype}."
        )
    if has.all() or not has.any():
        raise errors.InputError(
            f"{'All' if has.any() else 'None'} of the {len(has)} examples have the attribute: its vector is the "
            "difference between examples with and without it. Pass both kinds."
        )
    return codes[has].mean(axis=0) - codes[~has].mean(axis=0)


@checked
def shift(model: Autoencoder, x: Any, vector: Any, strength: float = 1.0, condition: Any = None) -> np.ndarray:
    """Examples with an attribute added, or taken away: g(f(x) + strength v), encoder f and decoder g.

    Args:
        model: a trained autoencoder.
        x: (n, *event).
        vector: v, (*latent), see `attribute_vector`.
        strength: how much of it; negative to take it away; 0 to reconstruct.
        condition: of each example, for a conditional model.

    Returns:
        (n, *event).

    Raises:
        InputError: the vector has another shape than a code.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("ae", input_shape=(4,), latent_dim=2, seed=0)
        >>> x = np.eye(4, dtype="float32")
        >>> bool(np.allclose(shift(model, x, [1, 0], 0.0), model.reconstruct(x), atol=1e-6))
        True
    """
    vector = examples("vector", vector)
    if vector.shape != model.latent_shape:
        raise errors.wrong("vector", f"an array of the shape of a code, {model.latent_shape}", vector)
    return model.decode(model.encode(x, condition=condition) + strength * vector, condition=condition)


@dataclass(frozen=True)
class Traversal:
    """One code, changed in one dimension at a time.

    Args:
        dimensions: (k,) those with the largest scores, largest first; counted through a code of several axes.
        scores: (k,) of these dimensions.
        score: what it is: `"KL"` (nats) or `"variance"`.
        offsets: (steps,) from the middle, in standard deviations.
        images: (k, steps, *event), the means E[x | code].
    """

    dimensions: np.ndarray
    scores: np.ndarray
    score: str
    offsets: np.ndarray
    images: np.ndarray

    def plot(self) -> Figure:
        """One dimension a row."""
        unit = " nats" if self.score == "KL" else ""
        names = [
            f"$z_{{{j}}}$  {self.score} {value:.2f}{unit}"
            for j, value in zip(self.dimensions, self.scores, strict=True)
        ]
        return plots.image_table(self.images, names, [f"{offset:+.3g}" for offset in self.offsets])


@checked
def traverse(
    model: Autoencoder,
    x: Any,
    example: Natural = 0,
    dimensions: Count = 10,
    steps: Annotated[int, "[2, inf)"] = 9,
    span: Positive = 3.0,
    condition: Any = None,
) -> Traversal:
    """What each dimension of the code does: the code of one example with one of its values replaced at a time.

        z_j = m_j + c s_j, c from -span to span;    the other values are those of the example

    In a variational model m and s are the mean and standard deviation of p(z_j), and dimensions are sorted by
    KL(q(z_j|x) || p(z_j)), averaged over x, so that unused ones come last (the traversals of Higgins et al., 2017,
    ICLR). In a deterministic model m and s are those of the codes of x, and dimensions are sorted by their variance.

    Args:
        model: a trained autoencoder.
        x: (n, *event), at least two examples, over which the dimensions are judged.
        example: index of the one whose code is changed.
        dimensions: how many, at most.
        steps: values for each, at least 2.
        span: how far from the middle, in standard deviations.
        condition: of each example, for a conditional model.

    Raises:
        InputError: an argument does not fit.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> traverse(model, np.eye(4), steps=5).images.shape
        (2, 5, 4)
    """
    codes = model.encode(x, condition=condition)
    if len(codes) < 2:
        raise errors.InputError(f"x must hold at least 2 examples, to judge dimensions by. Received: {len(codes)}.")
    example = errors.whole_number("example", example, least=0, most=len(codes) - 1)
    condition = inputs.check_condition(model, condition, len(codes))
    given = None if condition is None else condition[example]
    flat = codes.reshape(len(codes), -1)
    if isinstance(model, Variational):
        scores = active_units(model, x, condition).kl
        middle, deviation = _prior_moments(model, given)
    else:
        scores, middle, deviation = flat.var(axis=0), flat.mean(axis=0), flat.std(axis=0)
    order = np.argsort(-scores, kind="stable")[:dimensions]
    offsets = np.linspace(-span, span, steps)
    changed = np.tile(flat[example], (len(order), steps, 1))
    for row, j in zip(changed, order, strict=True):
        row[:, j] = middle[j] + offsets * deviation[j]
    images = model.decode(changed.reshape(-1, *model.latent_shape), condition=given)
    score = "KL" if isinstance(model, Variational) else "variance"
    return Traversal(order, scores[order], score, offsets, images.reshape(len(order), steps, *model.event_shape))


def _prior_moments(model: Variational, condition: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each dimension under p(z), or p(z | condition) where that is learned."""
    prior = model.prior_given(None if condition is None else condition[None])
    if not hasattr(prior, "variance"):
        dim = int(np.prod(model.latent_shape))
        return np.zeros(dim), np.ones(dim)
    mean, deviation = (ops.convert_to_numpy(values).ravel() for values in (prior.mean, ops.sqrt(prior.variance())))
    return mean, deviation
