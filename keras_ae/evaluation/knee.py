"""Where a curve over sizes bends, and how sure that is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_ae import errors
from keras_ae.checks import Count, Seed, checked

RESAMPLES = 1000
STRAIGHT = 0.1  # a curve that stays so near to its chord, in the unit square, has no knee
STANDARD_ERRORS = 3  # of a gain that counts: it is the best of several sizes


class Knee(NamedTuple):
    """Where a curve bends.

    Args:
        size: the knee, or None where there is none.
        confidence: the share of the resamples that choose the same size; None where there is no knee.
        shares: size -> share of the resamples that choose it; the rest of them finds no knee.
        advice: one sentence.
    """

    size: int | None
    confidence: float | None
    shares: dict[int, float]
    advice: str


@checked
def find_knee(sizes: Sequence[Count], scores: np.ndarray, seed: Seed = 0) -> Knee:
    """The size after which a score no longer improves in proportion to the logarithm of the size.

    The mean score is scaled to run from 0, at the smallest size, to 1, at its maximum, and log(size) from 0 to 1. The
    knee is the size where the first exceeds the second most, the point of the curve that is farthest from its chord
    (Satopaa et al., 2011, "Finding a 'Kneedle' in a Haystack", sec. III). How sure it is says the bootstrap: 1000 times
    the examples are drawn anew with replacement, and for each size its seeds, and the knee is looked for again. From
    one seed the confidence does not know how much a second training would differ.

    There is no knee where fewer than 3 sizes are given, where the best score exceeds that of the smallest size by less
    than 3 of its standard errors, or where the curve rises above its chord by less than 0.1.

    Args:
        sizes: numbers of dimensions, in ascending order.
        scores: (sizes, seeds, examples), in nats; higher is better.
        seed: integer of the bootstrap.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mean = np.array([-40.0, -30, -20, -19, -18.5])
        >>> find_knee([1, 2, 4, 8, 16], mean[:, None, None] + rng.normal(size=(5, 1, 100))).size
        4
    """
    if scores.ndim != 3 or len(scores) != len(sizes) or 0 in scores.shape:
        raise errors.wrong("scores", f"an array of shape ({len(sizes)}, seeds, examples)", scores)
    sizes_, seeds, examples = scores.shape
    if sizes_ < 3:
        return Knee(None, None, {}, f"No knee: it takes at least 3 sizes, and there are {sizes_}.")
    if not np.isfinite(scores).all():
        return Knee(None, None, {}, "No knee: the score of an example is infinite or not a number.")
    rng, curves = np.random.default_rng(seed), np.empty((RESAMPLES, sizes_))
    for curve in curves:
        weights = np.bincount(rng.integers(examples, size=examples), minlength=examples) / examples
        chosen_seeds = rng.integers(seeds, size=(sizes_, seeds))
        curve[:] = np.take_along_axis(scores @ weights, chosen_seeds, axis=1).mean(axis=1)
    mean = scores.mean(axis=(1, 2))
    knees = _knees(sizes, curves)
    shares = {size: float((knees == i).mean()) for i, size in enumerate(sizes)}

    best = int(mean.argmax())
    gain, error = mean[best] - mean[0], (curves[:, best] - curves[:, 0]).std()
    if gain <= STANDARD_ERRORS * error:
        improves = f"the score improves by {gain:.3g} nats at most, with a standard error of {error:.2g}"
        return Knee(None, None, shares, f"No knee: {improves}, so that {sizes[0]} does as well as more.")
    knee = int(_knees(sizes, mean[None])[0])
    if knee < 0:
        rises = f"up to {sizes[best]} the score rises with log(size) as steeply as at the beginning, or more"
        return Knee(None, None, shares, f"No knee: {rises}; the largest size may be too small, try larger ones.")
    size, confidence = sizes[knee], shares[sizes[knee]]
    best_score = "" if best == knee else f"; {sizes[best]} scores best, by {mean[best] - mean[knee]:.3g} nats"
    advice = f"Choose {size}: {confidence:.0%} of the resamples agree"
    if confidence < 0.9:
        others = [f"{other}: {share:.0%}" for other, share in shares.items() if other != size and share >= 0.05]
        advice += f" ({', '.join([*others, f'no knee: {1 - sum(shares.values()):.0%}'])})"
        advice += "; more validation examples, more seeds or sizes in between would tell"
    return Knee(size, confidence, shares, f"{advice}{best_score}.")


def _knees(sizes: Sequence[int], curves: np.ndarray) -> np.ndarray:
    """The index of each curve's knee, (curves, sizes) -> (curves,); -1 where there is none."""
    x = np.log(np.divide(sizes, sizes[0])) / np.log(sizes[-1] / sizes[0])
    rise = curves - curves[:, :1]
    top = rise.max(axis=1, keepdims=True)
    above_chord = np.divide(rise, top, out=np.zeros_like(rise), where=top > 0) - x
    return np.where(above_chord.max(axis=1) < STRAIGHT, -1, above_chord.argmax(axis=1))
