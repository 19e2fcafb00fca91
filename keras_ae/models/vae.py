"""The variational autoencoder."""

from typing import Any, Literal

import keras

from keras_ae import divergences
from keras_ae.checks import checked
from keras_ae.models.base import Variational
from keras_ae.models.batch import Batch

KL = {"analytic": divergences.kl, "sample": divergences.kl_sample}


@keras.saving.register_keras_serializable("keras_ae")
class VAE(Variational):
    """Variational autoencoder (Kingma and Welling, 2014, arXiv:1312.6114, eq. 3; Rezende et al., 2014).

        -ELBO = E_q(z|x)[-log p(x|z)] + KL(q(z|x) || p(z)),    p(z) = N(0, I)

    with one sample of q for the expectation. `loss` is the negative ELBO in nats, comparable with papers.

    Args:
        posterior: `"diagonal"`, q(z|x) = N(m, diag s^2), or `"full"`, N(m, L L^T) with a Cholesky factor L from the
            encoder.
        kl: `"analytic"`, the closed form, or `"sample"`, log q(z|x) - log p(z) at the sample of z, which has the same
            expectation.
        encoder, decoder, latent_dim, likelihood, output_layer, seed: see `Autoencoder`.

    Terms: reconstruction, kl (nats per example).

    Example:
        >>> import numpy as np
        >>> from keras_ae import networks
        >>> model = VAE(*networks.dense((4,), latent_dim=2, hidden=(8,)), latent_dim=2, posterior="full")
        >>> model.compile("adam")
        >>> sorted(model.fit(np.ones((16, 4), "float32"), verbose=0).history)
        ['kl', 'loss', 'reconstruction']
    """

    terms = ("reconstruction", "kl")
    settings = ("kl",)

    @checked
    def __init__(self, *args: Any, kl: Literal["analytic", "sample"] = "analytic", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kl = kl

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        q = self.posterior(batch.x, training)
        z = self.sampling(q)
        return {
            "reconstruction": self.reconstruction(batch, z, training),
            "kl": KL[self.kl](q, self.prior, z),
        }
