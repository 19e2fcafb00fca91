"""The importance-weighted autoencoder."""

import math
from typing import Any

import keras
from keras import ops

from keras_ae import backend
from keras_ae.checks import Count, checked
from keras_ae.distributions.normal import LOWEST, log_ratio
from keras_ae.models.base import Variational
from keras_ae.models.batch import Batch


@keras.saving.register_keras_serializable("keras_ae")
class IWAE(Variational):
    """Importance-weighted autoencoder (Burda et al., 2016, arXiv:1509.00519, eq. 8).

        -L_K = -E[log 1/K sum_k w_k],    w_k = p(x, z_k) / q(z_k|x),  z_k ~ q(z|x)

    L_K is a lower bound on log p(x), the ELBO for K = 1, and not decreasing in K.

    The encoder's gradient grows noisier relative to its size with K. Its doubly reparameterised form (Tucker et al.,
    2019, arXiv:1810.04152, eq. 8) has the same expectation and does not:

        sum_k v_k^2 dlog w_k/dz_k dz_k/dphi,    v_k = w_k / sum_j w_j

    Args:
        samples: K.
        doubly_reparameterized: whether the encoder gets that gradient. It costs a second backward pass.
        posterior: `"diagonal"` or `"full"`; see `VAE`.
        encoder, decoder, latent_dim, likelihood, output_layer, seed: see `Autoencoder`.

    Terms: negative_bound, -L_K (nats per example).

    Example:
        >>> import numpy as np
        >>> from keras_ae import networks
        >>> model = IWAE(*networks.dense((4,), latent_dim=2, hidden=(8,)), latent_dim=2, samples=3)
        >>> model.compile("adam")
        >>> sorted(model.fit(np.ones((16, 4), "float32"), verbose=0).history)
        ['loss', 'negative_bound']
    """

    terms = ("negative_bound",)
    settings = ("samples", "doubly_reparameterized")

    @checked
    def __init__(self, *args: Any, samples: Count = 5, doubly_reparameterized: bool = False, **kwargs: Any) -> None:
        self.samples = samples
        self.doubly_reparameterized = doubly_reparameterized
        super().__init__(*args, **kwargs)

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        q = self.posterior(batch.x, training)
        z = self.sampling(q, samples=self.samples)
        if not self.doubly_reparameterized:
            return {"negative_bound": -_log_mean_exp(log_ratio(self.log_joint(batch, z, training), q.log_prob(z)))}

        fixed_q = type(q)(*map(ops.stop_gradient, q))
        log_w, pull_back = backend.vjp(
            self, lambda z: log_ratio(self.log_joint(batch, z, training), fixed_q.log_prob(z)), ops.stop_gradient(z)
        )
        finite = ops.maximum(log_w, LOWEST)
        share = ops.stop_gradient(ops.exp(finite - ops.logsumexp(finite, axis=0)))
        gradient = ops.stop_gradient(pull_back(ops.square(share)))
        gradient = ops.where(ops.isfinite(gradient), gradient, 0.0)  # beside a loss that is infinite
        path = gradient * (z - ops.stop_gradient(z))  # zero, with the encoder's gradient
        axes = (0, *range(2, ops.ndim(z)))
        return {"negative_bound": -_log_mean_exp(log_w) - ops.sum(path, axis=axes)}


def _log_mean_exp(log_w: Any) -> Any:
    """log 1/K sum_k exp(log_w_k) over the first axis."""
    return ops.logsumexp(log_w, axis=0) - math.log(log_w.shape[0])
