"""What the estimators share."""

from typing import Any

import numpy as np

from keras_ae import errors
from keras_ae.models import Variational

ROWS = 8192  # codes decoded at once


def check_variational(model: Any, what: str) -> None:
    """Raises InputError for a model without a distribution of codes given x."""
    if not isinstance(model, Variational):
        raise errors.InputError(
            f"{type(model).__name__} is deterministic: it has a reconstruction error and no {what}. Use a variational "
            "model such as VAE."
        )


def key_of(*numbers: int) -> int:
    """A key for random numbers, a function of several integers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)
