"""The sparse autoencoder with a target activation."""

from typing import Annotated, Any

import keras
from keras import ops

from keras_ae import divergences, errors
from keras_ae.checks import activation, checked
from keras_ae.models.base import Autoencoder, by_name
from keras_ae.models.batch import Batch
from keras_ae.schedules import Weight


@keras.saving.register_keras_serializable("keras_ae")
class KLSparseAE(Autoencoder):
    """Sparse autoencoder with a target for the mean activation of each unit (Ng, 2011, CS294A lecture notes, sec. 3).

        E = L(x, g(f(x))) + lambda sum_j KL(rho || rho_j),    rho_j = mean of h_j over the batch

    KL is between Bernoulli variables. The penalty is a statistic of the batch: it depends on which examples share one,
    is noisier in small batches, and is computed per replica under a strategy.

    Args:
        penalty: lambda; a number or a schedule.
        target: rho, the mean activation that is aimed at, in (0, 1).
        code_activation: with values in (0, 1); sigmoid by default.
        encoder, decoder, latent_dim, likelihood, output_layer, seed: see `Autoencoder`.

    Terms: reconstruction, sparsity (lambda included; nats per example).

    Example:
        >>> import numpy as np
        >>> from keras_ae import networks
        >>> model = KLSparseAE(*networks.dense((4,), latent_dim=8, hidden=(8,)), latent_dim=8, target=0.05)
        >>> bool((model.encode(np.ones((3, 4))) > 0).all())
        True
    """

    terms = ("reconstruction", "sparsity")
    settings = ("penalty", "target")
    schedulable = ("penalty",)

    @checked
    def __init__(
        self, *args: Any, penalty: Weight = 1.0, target: Annotated[float, "(0, 1)"] = 0.05, **kwargs: Any
    ) -> None:
        self.penalty, self.target = penalty, target
        kwargs = {"code_activation": "sigmoid", **by_name(args, kwargs)}
        code_activation = activation("code_activation", kwargs["code_activation"])
        activations = ops.convert_to_numpy(keras.activations.get(code_activation)(ops.linspace(-30.0, 30.0, 61)))
        if activations.min() < 0 or activations.max() > 1:
            raise errors.InputError(
                "code_activation must have values in (0, 1), such as 'sigmoid': the mean of a unit is taken for a "
                f"probability. Received: code_activation={code_activation!r}."
            )
        super().__init__(**kwargs)

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        code = self.code(batch.x, training)
        mean_activation = divergences.batch_mean(code, batch.weight)
        return {
            "reconstruction": self.reconstruction(batch, code, training),
            "sparsity": self.now(self.penalty) * ops.sum(divergences.kl_bernoulli(self.target, mean_activation)),
        }
