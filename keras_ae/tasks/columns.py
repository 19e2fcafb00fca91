"""Columns of a table on one scale."""

from typing import Annotated, Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from keras_ae import checks, errors

LARGEST = 1e300  # whose asinh is about 691


def _random_state(name: str, value: Any) -> Any:
    """`value`, or an error where scikit-learn makes no random numbers of it."""
    try:
        check_random_state("no number" if isinstance(value, bool) else value)
    except ValueError as error:
        raise errors.wrong(name, "None, a whole number or a RandomState of NumPy", value) from error
    return value


RandomState = Annotated[Any, _random_state]


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


def _has_text(rows: Any) -> bool:
    """Whether a list of rows holds text beside numbers."""
    lengths = {len(row) if isinstance(row, list | tuple) else None for row in rows}
    return len(lengths) == 1 and lengths != {None} and any(isinstance(value, str) for row in rows for value in row)


def validated(estimator: Any, x: Any, **options: Any) -> np.ndarray:
    """x in float64, as scikit-learn's `validate_data` gives it; columns of text are named in an error, numbers written
    as text are text, and what is masked becomes NaN."""
    given = x
    if not (hasattr(x, "columns") or (isinstance(x, np.ndarray) and x.dtype.kind == "O")):
        x = np.asarray(x, dtype=object) if isinstance(x, list | tuple) and _has_text(x) else checks.array("X", x)
    if isinstance(x, np.ndarray) and x.dtype.kind in "OSUmM" and x.ndim == 2:
        values = ((i, x[:, i]) for i in range(x.shape[1]))
        text = {i: column[0] for i, column in values if x.dtype.kind != "O" or any(isinstance(v, str) for v in column)}
    else:
        text = {name: x[name].dtype for name in getattr(x, "columns", ()) if x[name].dtype.kind not in "fiub"}
    if text:
        raise errors.InputError(
            f"X has columns that hold no numbers: {', '.join(f'{name!r} ({value})' for name, value in text.items())}. "
            "Drop them, or encode them first, for instance with sklearn.preprocessing.OneHotEncoder. "
            f"Received: X={errors.shown(given)}."
        )
    try:
        return validate_data(estimator, x, dtype=np.float64, **options)
    except (TypeError, ValueError) as error:
        if isinstance(error, TypeError) and isinstance(given, np.ndarray):
            raise  # scikit-learn's own, of a value in an array of objects
        raise errors.InputError(f"X does not fit. {error} Received: X={errors.shown(given)}.") from error
