"""One row for every registered model: a small instance, and what it is exempt from.

A row's name is a registered name, or such a name with ":" and a variation of its arguments. `EXEMPT` names a test and
the reason; a test that passes in spite of its exemption fails, so that none outlives its reason.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from keras import ops

import keras_ae
from keras_ae import networks, schedules
from keras_ae.distributions.likelihoods import Normal
from keras_ae.models import Batch, Variational

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


CONDITIONS = 3
MANY_STEPS = 32  # a call of the compiled step, as users have by default
RECURRENT: dict[str, Any] = {"network_options": {"units": 48}}  # rows of pixels as steps
ATTENTION: dict[str, Any] = {"network": "transformer", "network_options": {"units": 32, "blocks": 1}}
SMALL: dict[str, Any] = {"network_options": {"hidden": (32,)}}
STATISTIC = {"test_the_loss_does_not_depend_on_the_batch_size": "its penalty is a statistic of the batch"}
NOISY = {
    "test_the_loss_does_not_depend_on_the_batch_size": "its loss is sampled, in evaluation too",
    "test_weights_of_zero_leave_examples_out": "its loss is sampled, in evaluation too",
}
BOUND = {"test_the_target_is_what_is_explained": "its loss has no term of the reconstruction alone"}
TEACHER = {"test_the_target_is_what_is_explained": "its decoder sees the target, too"}
LATER = {"test_every_trainable_weight_gets_a_gradient": "its mixture is trained once it is found"}
TABLE: dict[str, Row] = {
    "ae": Row(SMALL),
    "beta_vae": Row({**SMALL, "beta": lambda: schedules.Linear(0.5, 1.0, steps=3)}),
    "beta_vae:capacity": Row({**SMALL, "beta": 2.0, "capacity": lambda: schedules.Linear(0.0, 5.0, steps=9)}),
    "beta_vae:free_bits": Row({**SMALL, "beta": 1.0, "free_bits": 0.5}, STATISTIC),
    "conditional_vae": Row({**SMALL, "condition_dim": CONDITIONS}),
    "conditional_vae:learned": Row({**SMALL, "condition_dim": CONDITIONS, "learned_prior": True}),
    "contractive_ae": Row({**SMALL, "penalty": 0.01}),
    "contractive_ae:hutchinson": Row({**SMALL, "penalty": 0.01, "estimator": "hutchinson"}, NOISY),
    "denoising_ae": Row(SMALL),
    "dropout_ae": Row(SMALL),
    "gaussian_mixture_vae": Row({**SMALL, "clusters": 3, "pretraining": 2}, NOISY | LATER),
    "gaussian_mixture_vae:full": Row(
        {**SMALL, "clusters": 3, "components": 4, "pretraining": 2, "covariance": "full"}, NOISY | LATER
    ),
    "iwae": Row(SMALL, NOISY | BOUND),
    "iwae:doubly_reparameterized": Row({**SMALL, "samples": 3, "doubly_reparameterized": True}, NOISY | BOUND),
    "kl_sparse_ae": Row({**SMALL, "penalty": 0.1}, STATISTIC),
    "linear_ae": Row(),
    "semi_supervised_vae": Row({**SMALL, "condition_dim": CONDITIONS}),
    "sequence_ae": Row({**ATTENTION, "word_dropout": 0.2}, TEACHER),
    "sequence_vae": Row(
        {**RECURRENT, "word_dropout": 0.2, "beta": lambda: schedules.Linear(0.5, 1.0, steps=3)}, TEACHER
    ),
    "sparse_ae": Row({**SMALL, "penalty": 0.01, "max_norm": 3.0}),
    "vae": Row(SMALL),
    "vae:full": Row({**SMALL, "posterior": "full", "likelihood": lambda: Normal(0.1)}),
    "vae:resnet": Row({"network": "resnet", "network_options": {"filters": (4, 8), "units": 32}}),
    "wae_gan": Row({**SMALL, "critic": lambda: networks.critic(LATENT, hidden=(8,), seed=0)}),
    "wae_mmd": Row(SMALL, NOISY),
    "wae_w2": Row(SMALL, STATISTIC),
}

MODELS = [row for row in TABLE if ":" not in row]
PATHS = ["ae", "conditional_vae", "contractive_ae", "iwae", "semi_supervised_vae", "sequence_vae", "vae"]
PATHS += ["wae_gan", "wae_w2"]
# One of each kind of objective and of random state; the others use nothing on JAX that these do not.
QUICK_ON_JAX = ["contractive_ae", "contractive_ae:hutchinson", "iwae:doubly_reparameterized", "semi_supervised_vae"]
QUICK_ON_JAX += ["sequence_vae", "vae", "vae:full", "wae_gan"]
SLOW_ON_JAX = [*(row for row in MODELS if row not in QUICK_ON_JAX), "gaussian_mixture_vae:full", "vae:resnet"]
RESUMED_ON_JAX = ["denoising_ae", "sequence_vae", "vae", "wae_gan"]  # each keeps other random state


def classes(x: Any) -> np.ndarray:
    """A class for each example, a function of its values."""
    return np.round(np.asarray(x, "float64").reshape(len(x), -1).sum(axis=1)).astype("int64") % CONDITIONS


def targets(model: keras_ae.models.Autoencoder, x: Any, target: Any = None) -> Any:
    """y for `fit` and `evaluate`: the target if there is one, with the condition if the model needs one."""
    if not model.conditional:
        return target
    return classes(x) if target is None else {"target": target, "condition": classes(x)}


def given(model: keras_ae.models.Autoencoder, x: Any) -> dict[str, Any]:
    """The further arguments of `encode`, `reconstruct` and the like."""
    return {"condition": classes(x)} if model.conditional else {}


def batch_of(model: keras_ae.models.Autoencoder, x: Any) -> Batch:
    """What an objective is given."""
    return model.pack((ops.convert_to_tensor(x), targets(model, x)))


def make(row: str, seed: int = 0, **compiling: Any) -> keras_ae.models.Autoencoder:
    """The compiled small instance of a row."""
    model = keras_ae.create(row.split(":")[0], SHAPE, LATENT, seed=seed, **_fresh(TABLE[row].arguments))
    model.compile(**{"optimizer": "adam", **compiling})
    return model


def make_eager(row: str, **compiling: Any) -> keras_ae.models.Autoencoder:
    """The same without graphs, which take longer to make than to run a few steps. Recurrent networks need them."""
    return make(row, **{"run_eagerly": row != "sequence_vae", **compiling})


def make_quiet(row: str, **compiling: Any) -> keras_ae.models.Autoencoder:
    """The same with a posterior so narrow that its samples are its mean, to check numbers that noise would hide."""
    model = make_eager(row, **compiling)
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
    return _parametrized(test, TABLE)


def models(test: Callable) -> Callable:
    """Runs a test for every registered model, without the variations of its arguments, which do not matter to it."""
    return _parametrized(test, MODELS)


def paths_and_slow_others(test: Callable) -> Callable:
    """Runs a test for every registered model; it is slow for one whose training step is like that of another."""
    return _parametrized(test, MODELS, slow=[row for row in MODELS if row not in PATHS])


def paths(test: Callable) -> Callable:
    """Runs a test for one model of each kind of training step, where the objective does not matter to it.

    The graph of a recurrent network takes long to make: it is a slow test.
    """
    return _parametrized(test, PATHS, slow=["sequence_vae"])


def on_jax(test: Callable) -> Callable:
    """Runs a test for every registered model and for what takes a path of its own on JAX."""
    return _parametrized(test, QUICK_ON_JAX + SLOW_ON_JAX, slow=SLOW_ON_JAX)


def _parametrized(test: Callable, names: Iterable[str], slow: Iterable[str] = ()) -> Callable:
    name = test.__name__

    def marked(row: str) -> Any:
        marks = [pytest.mark.slow] if row in slow else []
        if name in TABLE[row].exempt:
            marks.append(pytest.mark.xfail(reason=TABLE[row].exempt[name], strict=True))
        return pytest.param(row, marks=marks)

    return pytest.mark.parametrize("row", [marked(row) for row in names])(test)


def _fresh(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments of which callables are called, so that no two models share a layer."""
    return {name: value() if callable(value) else value for name, value in arguments.items()}
