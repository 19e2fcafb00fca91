"""Columns of a table on one scale."""

from typing import Any

import numpy as np

from keras_ae import errors

LARGEST = 1e300  # whose asinh is about 691


class Columns:
    """Robust scaling that outliers cannot upset, with logarithmic tails.

        u = asinh((x - median) / scale)        scale = interquartile range / 1.349

    The scale of a normal column is its standard deviation. Where the interquartile range is 0 (most values are equal),
    it is the standard deviation, too; in a constant column it is 1. Missing values (NaN) become 0, the median.

    Example:
        >>> Columns().fit(np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])).transform(np.array([[1.0, np.nan]]))
        array([[0., 0.]], dtype=float32)
    """

    def fit(self, x: np.ndarray) -> "Columns":
        """Finds medians and scales of (n, columns)."""
        x = np.where(np.isnan(x).all(axis=0), 0.0, x)  # nothing is known of a column without values
        low, self.median, high = np.nanpercentile(x, (25, 50, 75), axis=0)
        scale = np.where(high > low, (high - low) / 1.349, np.nanstd(x, axis=0))
        self.scale = np.where(scale > 0, scale, 1.0)
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        """u of (n, columns), in float32."""
        with np.errstate(over="ignore"):
            u = np.clip((x - self.median) / self.scale, -LARGEST, LARGEST)
        return np.nan_to_num(np.arcsinh(u)).astype("float32")


def check_table(x: Any) -> None:
    """Raises InputError where a table has columns of text, with their names; numbers written as text are text."""
    if hasattr(x, "columns"):
        names = [name for name in x.columns if x[name].dtype.kind not in "fiub"]
    else:
        array = x if isinstance(x, np.ndarray) else np.asarray(x, dtype=object)
        if array.ndim != 2 or array.dtype.kind not in "OSU":
            return
        names = [i for i in range(array.shape[1]) if any(isinstance(value, str) for value in array[:, i])]
    if names:
        raise errors.InputError(
            f"X has columns that hold no numbers: {', '.join(map(repr, names))}. Drop them, or encode them first, for "
            "instance with sklearn.preprocessing.OneHotEncoder."
        )
