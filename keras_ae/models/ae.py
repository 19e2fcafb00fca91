"""The plain autoencoder."""

from typing import Any

import keras

from keras_ae.models.base import Autoencoder
from keras_ae.models.batch import Batch


@keras.saving.register_keras_serializable("keras_ae")
class AE(Autoencoder):
    """Autoencoder: a code of few dimensions from which x is reconstructed (Goodfellow et al., 2016, eq. 14.1).

        E = L(x, g(f(x)))        L = -log p(x | h),  h = f(x)

    With the Normal likelihood, L is the squared error (divided by twice the variance) and a constant; with the
    Bernoulli, the cross-entropy.

    Args:
        encoder, decoder, latent_dim, likelihood, output_layer, code_activation, seed: see `Autoencoder`.

    Terms: reconstruction (nats per example).

    Example:
        >>> import numpy as np
        >>> from keras_ae import networks
        >>> model = AE(*networks.dense((4,), latent_dim=2, hidden=(8,)), latent_dim=2, likelihood="normal")
        >>> model.compile("adam")
        >>> history = model.fit(np.zeros((16, 4), "float32"), verbose=0)
        >>> model.encode(np.zeros((3, 4), "float32")).shape
        (3, 2)
    """

    terms = ("reconstruction",)

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        code = self.code(batch.x, training)
        return {"reconstruction": self.reconstruction(batch, code, training)}
