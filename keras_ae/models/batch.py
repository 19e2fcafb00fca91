"""What an objective is given: one batch with everything that Keras handed to the training step."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_ae import errors

KEYS = ("target", "condition", "label")


class Batch(NamedTuple):
    """One batch.

    Args:
        x: what the encoder sees, (batch, *event).
        target: what is to be reconstructed, (batch, *event); x unless `fit` was given another.
        condition: what a conditional model is conditioned on, or None.
        label: class of each example, -1 where unknown, or None.
        mask: (batch, *event), true where the target was observed; None where nothing may be missing.
        weight: (batch,) weight of each example's terms, or None.
    """

    x: Any
    target: Any
    condition: Any = None
    label: Any = None
    mask: Any = None
    weight: Any = None


def roles(y: Any, x: Any, bare_y: str | None) -> dict[str, Any]:
    """What y means: a dict with some of the keys target, condition and label.

    Args:
        y: what `fit` was given; a dict always says what it means.
        x: the input, for its shape.
        bare_y: what a y that is no dict is for this model (`"condition"`, `"label"`); None for a model that knows
            neither: then a y of x's shape is the target, class labels (integers, one per example) are ignored, so that
            (image, label) data sets just work, and anything else is an error.
    """
    if y is None:
        return {}
    if isinstance(y, dict):
        for key in y:
            if key not in KEYS:
                raise errors.unknown("key of y", key, KEYS)
        return y
    if bare_y:
        return {bare_y: y}
    if isinstance(y, np.ndarray) and y.dtype.kind not in "fiub":
        raise errors.InputError(
            f"y must hold numbers. Received: an array of dtype {y.dtype}. Classes that are words get numbers by "
            "y = np.unique(y, return_inverse=True)[1]."
        )
    shape, expected = tuple(y.shape), tuple(x.shape)
    if len(shape) == len(expected) and shape[1:] == expected[1:]:
        return {"target": y}
    classes = keras.backend.is_int_dtype(y.dtype) or "bool" in str(y.dtype)
    if classes and (len(shape) == 1 or shape[1:] == (1,)):
        return {}
    raise errors.InputError(
        f"y fits nothing that this model knows. Expected: y of the shape of x {expected} (the target), integer class "
        f"labels of shape ({expected[0]},) (ignored), or a dict with the keys {', '.join(KEYS)}. Received: y of shape "
        f"{shape} and dtype {keras.backend.standardize_dtype(y.dtype)}."
    )


def as_vectors(condition: Any, size: int) -> Any:
    """Conditions as vectors: classes (batch,) or (batch, 1) one-hot; vectors (batch, size) as they are."""
    if len(condition.shape) == 2 and condition.shape[1] == size:
        return ops.cast(condition, "float32")
    return ops.one_hot(ops.reshape(ops.cast(condition, "int32"), (-1,)), size, dtype="float32")


def unpacked(data: Any) -> tuple[Any, Any, Any]:
    """x, y and weights of what Keras hands to a step; x may be a dictionary of itself and of what y may hold."""
    x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(x, dict):
        x, y = x["x"], {key: value for key, value in x.items() if key != "x" and value is not None} or y
    return x, y, weight


def pack(data: Any, bare_y: str | None, accepts_missing: bool) -> Batch:
    """What Keras hands to a training step as a `Batch`."""
    x, y, weight = unpacked(data)
    x = ops.cast(x, "float32")
    named = dict(roles(y, x, bare_y))
    target = ops.cast(named.pop("target", x), "float32")
    mask = None
    if accepts_missing:
        mask = ops.logical_not(ops.isnan(target))
        x, target = (ops.where(ops.isnan(values), 0.0, values) for values in (x, target))
    if weight is not None:
        weight = ops.reshape(ops.cast(weight, "float32"), (-1,))
    return Batch(x, target, mask=mask, weight=weight, **named)
