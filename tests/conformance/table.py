"""One row for every registered model: a small instance, and what it is exempt from.

A row's name is a registered name, or such a name with ":" and a variation of its arguments. `EXEMPT` names a test and
the reason; a test that passes in spite of its exemption fails, so that none outlives its reason.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from keras import ops

import keras_ae
from keras_ae.distributions.likelihoods import Normal
from keras_ae.models import Variational

SHAPE = (8, 8, 1)
LATENT = 3


@dataclass(frozen=True)
class Row:
    """A small instance of a registered model.

    Args:
        arguments: of `keras_ae.create`, beside the shapes and the seed.
        exempt: name of a test of the suite -> why the model need not pass it.
    """

    arguments: dict[str, Any] = field(default_factory=dict)
    exempt: dict[str, str] = field(default_factory=dict)


SMALL: dict[str, Any] = {"network_options": {"hidden": (32,)}}
TABLE: dict[str, Row] = {
    "ae": Row(SMALL),
    "linear_ae": Row(),
    "vae": Row(SMALL),
    "vae:full": Row({**SMALL, "posterior": "full", "likelihood": lambda: Normal(0.1)}),
}


def make(row: str, seed: int = 0, **compiling: Any) -> keras_ae.models.Autoencoder:
    """The compiled small instance of a row."""
    model = keras_ae.create(row.split(":")[0], SHAPE, LATENT, seed=seed, **_fresh(TABLE[row].arguments))
    model.compile(**{"optimizer": "adam", **compiling})
    return model


def make_quiet(row: str, **compiling: Any) -> keras_ae.models.Autoencoder:
    """The same with a posterior so narrow that its samples are its mean, to check numbers that noise would hide."""
    model = make(row, **compiling)
    quieten(model)
    return model


def quieten(model: keras_ae.models.Autoencoder) -> None:
    """Sets the posterior's variance to its lower bound, for every x."""
    if isinstance(model, Variational):
        for head in filter(None, (model.log_var_head, model.lower_head)):
            head.kernel.assign(ops.zeros_like(head.kernel))
        model.log_var_head.bias.assign(ops.full_like(model.log_var_head.bias, -1e9))


def weights(model: keras_ae.models.Autoencoder) -> list[np.ndarray]:
    """Copies of all weights, in float64."""
    return [ops.convert_to_numpy(weight).astype("float64") for weight in model.weights]


def same(first: list[np.ndarray], second: list[np.ndarray], **tolerance: float) -> bool:
    """Whether two lists of weights are equal, exactly unless a tolerance is given."""
    tolerance = {"rtol": 0.0, "atol": 0.0, **tolerance}
    return len(first) == len(second) and all(np.allclose(a, b, **tolerance) for a, b in zip(first, second, strict=True))


def rows(test: Callable) -> Callable:
    """Runs a test for every row; the exempt ones must fail."""
    name = test.__name__
    marked = [
        pytest.param(row, marks=pytest.mark.xfail(reason=entry.exempt[name], strict=True))
        if name in entry.exempt
        else row
        for row, entry in TABLE.items()
    ]
    return pytest.mark.parametrize("row", marked)(test)


def _fresh(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments of which callables are called, so that no two models share a layer."""
    return {name: value() if callable(value) else value for name, value in arguments.items()}
