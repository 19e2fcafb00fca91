"""What the estimators share."""

from typing import Annotated, Any

import numpy as np

from keras_ae import checks, errors
from keras_ae.models import Autoencoder, Variational

ROWS = 8192  # codes decoded at once


def variational(name: str, model: Any) -> Variational:
    """`model`, or an error where it has no distribution of codes given x."""
    if isinstance(model, Autoencoder) and not isinstance(model, Variational):
        raise errors.InputError(
            f"{name} must be variational, such as VAE: {type(model).__name__} is deterministic, with a reconstruction "
            f"error in place of q(z|x) and log p(x). Received: {name}={model!r}."
        )
    return checks.argument(Variational, name, model)


VariationalModel = Annotated[Variational, variational]


def key_of(*numbers: int) -> int:
    """A key for random numbers, a function of several integers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)
