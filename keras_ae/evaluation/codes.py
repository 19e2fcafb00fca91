"""Which dimensions of the code a variational model uses."""

import warnings
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_ae import errors
from keras_ae.checks import Dropout, Natural, NotNegative, checked
from keras_ae.evaluation.common import VariationalModel
from keras_ae.models import inputs

THRESHOLD = 0.01
ADVICE = (
    "Warm up the weight of the KL term (beta_vae with beta=keras_ae.schedules.Linear(0, 1, steps=...)), grant free "
    "bits (beta_vae with free_bits=0.1), give the likelihood a smaller or a learned variance where it is Normal, or "
    "choose fewer dimensions or a weaker decoder."
)


@dataclass(frozen=True)
class ActiveUnits:
    """What each dimension of the code does, over a data set.

    Args:
        variance: (dim,) variance over x of the posterior mean.
        kl: (dim,) mean over x of KL(q(z_j|x) || p(z_j)), in nats; of a mixture, to the normal of its mean and variance.
        active: (dim,) whether `variance` exceeds the threshold.
    """

    variance: np.ndarray
    kl: np.ndarray
    active: np.ndarray

    @property
    def number(self) -> int:
        """Number of active units."""
        return int(self.active.sum())


@checked
def active_units(
    model: VariationalModel, x: Any, condition: Any = None, threshold: NotNegative = THRESHOLD
) -> ActiveUnits:
    """Which units are active: Var_x(E_q(z_j|x)[z_j]) > 0.01 (Burda et al., 2016, arXiv:1509.00519, sec. 4.2).

    A unit whose posterior is the prior whatever x is carries nothing: its variance and its KL are zero. If that holds
    for all units, the posterior has collapsed. Codes of more than one axis are counted value by value.

    Args:
        model: a variational model.
        x: (n, *event), at least two examples.
        condition: of each example, for a conditional model.
        threshold: of the variance.

    Raises:
        InputError: the model is deterministic, or there are fewer than two examples.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> active_units(model, np.ones((3, 4))).number
        0
    """
    x = inputs.check_x(model, x)
    if len(x) < 2:
        raise errors.InputError(f"A variance over examples needs at least 2 of them. Received: {len(x)}.")
    condition = inputs.check_condition(model, condition, len(x))
    q = model.over_batches("posterior", x, condition=condition)
    p = model.prior_given(condition)
    mean, variance = _vectors(q)
    prior_mean, prior_variance = _vectors(p) if hasattr(p, "variance") else (0.0, 1.0)
    ratio = variance / prior_variance
    kl = 0.5 * (np.square(mean - prior_mean) / prior_variance + ratio - np.log(ratio) - 1).mean(axis=0)
    spread = mean.var(axis=0)
    return ActiveUnits(spread, kl, spread > threshold)


def _vectors(q: Any) -> tuple[Any, Any]:
    """Means and variances of a distribution, (n, dim) each; n is 1 for one that is the same for all."""
    mean, variance = (np.asarray(value, "float64") for value in (q.mean, q.variance()))
    mean, variance = (value.reshape(len(value), -1) for value in (mean, variance))
    return mean, variance


class CollapseMonitor(keras.callbacks.Callback):
    """Counts active units after each epoch, as `active_units` in the logs, and warns where the posterior collapses.

    Args:
        x: (n, *event), a few hundred examples.
        condition: of each example, for a conditional model.
        patience: epochs before the first warning; a warm-up needs its time. There is at most one warning a training.
        share: it warns where no more than this share of the units is active.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> model.compile("adam")
        >>> x = np.random.default_rng(0).integers(0, 2, (64, 4)).astype("float32")
        >>> history = model.fit(x, callbacks=[CollapseMonitor(x, patience=9)], verbose=0)
        >>> len(history.history["active_units"])
        1
    """

    @checked
    def __init__(
        self, x: np.ndarray, condition: np.ndarray | None = None, patience: Natural = 5, share: Dropout = 0.0
    ) -> None:
        super().__init__()
        self.x, self.condition = x, condition
        self.patience, self.share = patience, share

    def on_train_begin(self, logs: dict | None = None) -> None:
        active_units(self.model, self.x, self.condition)  # its mistakes show before anything is trained
        self._warned = False

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        found = active_units(self.model, self.x, self.condition)
        if logs is not None:
            logs["active_units"] = found.number
        if epoch + 1 >= self.patience and found.number <= self.share * len(found.active) and not self._warned:
            self._warned = True
            warnings.warn(
                f"Posterior collapse: after epoch {epoch + 1}, {found.number} of {len(found.active)} units are active "
                f"(KL {found.kl.sum():.2g} nats). {ADVICE}",
                UserWarning,
                stacklevel=2,
            )
