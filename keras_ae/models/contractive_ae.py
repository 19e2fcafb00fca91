"""The contractive autoencoder."""

from typing import Any, Literal

import keras
from keras import ops

from keras_ae import backend, errors
from keras_ae.checks import Count, checked
from keras_ae.models.base import Autoencoder
from keras_ae.models.batch import Batch
from keras_ae.schedules import Weight

SMALL_CODE = 8  # dimensions up to which "auto" is exact


@keras.saving.register_keras_serializable("keras_ae")
class ContractiveAE(Autoencoder):
    """Contractive autoencoder (Rifai et al., 2011, ICML).

        E = L(x, g(f(x))) + lambda sum_i |grad_x h_i|^2,    h = f(x)

    The sum is |J|_F^2, the squared norm of the encoder's Jacobian J. It is a sum over vectors v of |J^T v|^2: over the
    unit vectors exactly; or as a mean over random v of independent signs, since E[v v^T] = I makes that unbiased
    (Hutchinson, 1990). One v costs one more backward pass through the encoder. The signs of the examples are drawn
    independently in either case, so that examples which share the statistics of a batch normalisation add their
    gradients' squares and do not cancel each other.

    Args:
        penalty: lambda, in nats; a number or a schedule.
        estimator: `"exact"`, `"hutchinson"`, or `"auto"`: exact for codes of at most 8 dimensions.
        probes: random v per example and step of the Hutchinson estimate.
        encoder, decoder, latent_dim, likelihood, output_layer, code_activation, seed: see `Autoencoder`.

    Terms: reconstruction, contraction (lambda included; nats per example). Inference computes no Jacobian.

    Example:
        >>> import numpy as np
        >>> from keras_ae import networks
        >>> model = ContractiveAE(*networks.dense((4,), latent_dim=2, hidden=(8,)), latent_dim=2, penalty=0.1)
        >>> model.compile("adam")
        >>> sorted(model.fit(np.ones((16, 4), "float32"), verbose=0).history)
        ['contraction', 'loss', 'reconstruction']
    """

    terms = ("reconstruction", "contraction")
    settings = ("penalty", "estimator", "probes")
    schedulable = ("penalty",)

    @checked
    def __init__(
        self,
        *args: Any,
        penalty: Weight = 0.1,
        estimator: Literal["auto", "exact", "hutchinson"] = "auto",
        probes: Count = 1,
        **kwargs: Any,
    ) -> None:
        self.penalty, self.estimator, self.probes = penalty, estimator, probes
        super().__init__(*args, **kwargs)

    def make_code_heads(self) -> None:
        super().make_code_heads()
        if len(self.latent_shape) != 1:
            raise errors.InputError(f"ContractiveAE needs an integer latent_dim. Received: {self.latent_dim!r}.")
        small = self.latent_shape[0] <= SMALL_CODE
        self._exact = self.estimator == "exact" or (self.estimator == "auto" and small)
        self.noise = keras.random.SeedGenerator(self.next_seed())

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        probes = self.unit_vectors(batch.x) if self._exact else self.random_signs(batch.x)
        code, pull_back = backend.vjp(self, lambda x: self.code(x, training), batch.x)
        gradients = ops.vectorized_map(pull_back, probes)
        squared_norm = ops.sum(ops.square(gradients), axis=(0, *range(2, ops.ndim(gradients))))
        if not self._exact:
            squared_norm /= self.probes
        return {
            "reconstruction": self.reconstruction(batch, code, training),
            "contraction": self.now(self.penalty) * squared_norm,
        }

    def unit_vectors(self, x: Any) -> Any:
        """The unit vectors of the code with a random sign for each example: (latent_dim, batch, latent_dim)."""
        (dim,) = self.latent_shape
        return self.fair_signs((ops.shape(x)[0], 1)) * ops.eye(dim)[:, None]

    def random_signs(self, x: Any) -> Any:
        """Vectors of independent fair signs: (probes, batch, latent_dim)."""
        return self.fair_signs((self.probes, ops.shape(x)[0], *self.latent_shape))

    def fair_signs(self, shape: Any) -> Any:
        """-1 or 1, each with probability 1/2."""
        return ops.sign(backend.uniform_noise(shape, self.noise) - 0.5 + 1e-9)
