"""p-values of scores, from held-out data."""

import math
from typing import Any

import numpy as np

from keras_ae import errors
from keras_ae.checks import Dropout, checked


def p_values(calibration: Any, scores: Any) -> np.ndarray:
    """Conformal p-values (Vovk et al., 2005; Bates et al., 2023, Annals of Statistics 51, eq. 3).

        p(x) = (1 + #{i: s_i <= s(x)}) / (m + 1)        s_1 .. s_m: scores of held-out normal examples

    For a normal x, exchangeable with the held-out ones, P(p(x) <= a) <= a for every a. The probability is over x and
    the held-out examples together: one set of them may give more or less.

    Args:
        calibration: (m,) scores of held-out examples that the score function has not seen; higher is more normal.
        scores: (n,).

    Returns:
        (n,) values in [1 / (m + 1), 1].

    Example:
        >>> p_values([0.1, 0.2, 0.3], [0.0, 0.25, 1.0])
        array([0.25, 0.75, 1.  ])
    """
    for name, values in (("calibration", calibration), ("scores", scores)):
        if np.isnan(values).any():
            raise errors.InputError(f"{name} must not hold NaN, which has no rank among other scores.")
    calibration = np.sort(calibration)
    return (1 + np.searchsorted(calibration, scores, side="right")) / (len(calibration) + 1)


@checked
def threshold(calibration: Any, level: Dropout) -> float:
    """The score t with s(x) < t exactly where `p_values(calibration, s(x)) <= level`; -inf where there is none, because
    `level` < 1 / (m + 1).

    >>> threshold([0.1, 0.2, 0.3], 0.5), threshold([0.1, 0.2, 0.3], 0.2)
    (0.2, -inf)
    """
    rank = math.floor(level * (len(calibration) + 1) + 1e-9)
    return float(np.sort(calibration)[rank - 1]) if rank else -math.inf
