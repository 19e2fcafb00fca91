"""The Wasserstein autoencoder with a closed-form distance of normals."""

from typing import Any

import keras

from keras_ae import divergences
from keras_ae.checks import checked
from keras_ae.models.base import Autoencoder
from keras_ae.models.batch import Batch
from keras_ae.schedules import Weight


@keras.saving.register_keras_serializable("keras_ae")
class WAEW2(Autoencoder):
    """Wasserstein autoencoder whose codes are moved towards N(0, I) by their first two moments.

        E = L(x, g(f(x))) + lambda W2^2(N(m, S), N(0, I)) = L(x, g(f(x))) + lambda (|m|^2 + tr(S + I - 2 S^(1/2)))

    with m and S the mean and the covariance of the batch's codes: the objective of Tolstikhin et al. (2018,
    arXiv:1711.01558, eq. 4) with the closed-form distance between normals (Givens and Shortt, 1984). The penalty is a
    statistic of the batch, computed per replica under a strategy: S of few examples is too small, so batches should be
    larger than the code.

    Args:
        penalty: lambda; a number or a schedule.
        encoder, decoder, latent_dim, likelihood, output_layer, code_activation, seed: see `Autoencoder`.

    Terms: reconstruction (nats per example), wasserstein2 (lambda included).

    Example:
        >>> from keras_ae import networks
        >>> model = WAEW2(*networks.dense((4,), latent_dim=2, hidden=(8,)), latent_dim=2, likelihood="normal")
        >>> model.sample(3, seed=0).shape
        (3, 4)
    """

    terms = ("reconstruction", "wasserstein2")
    settings = ("penalty",)
    schedulable = ("penalty",)
    has_prior = True

    @checked
    def __init__(self, *args: Any, penalty: Weight = 1.0, **kwargs: Any) -> None:
        self.penalty = penalty
        super().__init__(*args, **kwargs)

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        code = self.code(batch.x, training)
        distance = divergences.wasserstein2_codes(code, batch.weight)
        return {
            "reconstruction": self.reconstruction(batch, code, training),
            "wasserstein2": self.now(self.penalty) * distance,
        }
