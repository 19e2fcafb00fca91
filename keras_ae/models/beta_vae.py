"""The variational autoencoder with a weighted KL divergence."""

from typing import Any

import keras
from keras import ops

from keras_ae import divergences, errors
from keras_ae.checks import checked
from keras_ae.models.base import Variational
from keras_ae.models.batch import Batch
from keras_ae.schedules import Weight


@keras.saving.register_keras_serializable("keras_ae")
class BetaVAE(Variational):
    """Variational autoencoder with a weighted KL divergence (Higgins et al., 2017, ICLR, eq. 4).

        E_q(z|x)[-log p(x|z)] + beta R,    R = KL(q(z|x) || p(z))

    R can be made to leave the code room instead: with `capacity` C, R = |KL - C| (Burgess et al., 2018,
    arXiv:1804.03599); with `free_bits` f, R = sum_j max(f, mean over the batch of KL_j) over the dimensions j of
    the code (Kingma et al., 2016, arXiv:1606.04934, eq. 15), which is a statistic of the batch.

    A beta that rises from 0 is the cure for posterior collapse: `schedules.Linear(0.0, 1.0, steps=5000)`, or
    `schedules.Cyclical`.

    Args:
        beta: weight of R; 1 gives the VAE. A number or a schedule.
        capacity: C in nats, a number or a schedule; None for none.
        free_bits: f in nats per dimension; None for none. Needs `posterior="diagonal"`.
        posterior: `"diagonal"` or `"full"`; see `VAE`.
        encoder, decoder, latent_dim, likelihood, output_layer, seed: see `Autoencoder`.

    Terms: reconstruction, kl, penalty = beta R - KL (nats per example). So reconstruction + kl is the negative ELBO,
    comparable with other models, whatever is minimised.

    Example:
        >>> import numpy as np
        >>> from keras_ae import networks, schedules
        >>> warm_up = schedules.Linear(0.0, 4.0, steps=100)
        >>> model = BetaVAE(*networks.dense((4,), latent_dim=2, hidden=(8,)), latent_dim=2, beta=warm_up)
        >>> model.compile("adam")
        >>> sorted(model.fit(np.ones((16, 4), "float32"), verbose=0).history)
        ['kl', 'loss', 'penalty', 'reconstruction']
    """

    terms = ("reconstruction", "kl", "penalty")
    settings = ("beta", "capacity", "free_bits")
    schedulable = ("beta", "capacity", "free_bits")

    @checked
    def __init__(
        self,
        *args: Any,
        beta: Weight = 4.0,
        capacity: Weight | None = None,
        free_bits: Weight | None = None,
        **kwargs: Any,
    ) -> None:
        self.beta, self.capacity, self.free_bits = beta, capacity, free_bits
        if capacity is not None and free_bits is not None:
            raise errors.InputError("capacity and free_bits exclude each other: both leave the code room. Give one.")
        if free_bits is not None and kwargs.get("posterior", "diagonal") != "diagonal":
            raise errors.InputError("free_bits needs posterior='diagonal': other posteriors have no KL by dimension.")
        super().__init__(*args, **kwargs)

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        q = self.posterior(batch.x, training)
        z = self.sampling(q)
        kl = divergences.kl(q, self.prior)
        if self.capacity is not None:
            regulariser = ops.abs(kl - self.now(self.capacity))
        elif self.free_bits is not None:
            of_dimension = divergences.batch_mean(divergences.kl_by_dimension(q), batch.weight)
            regulariser = ops.sum(ops.maximum(of_dimension, self.now(self.free_bits)))
        else:
            regulariser = kl
        return {
            "reconstruction": self.reconstruction(batch, z, training),
            "kl": kl,
            "penalty": self.now(self.beta) * regulariser - kl,
        }
