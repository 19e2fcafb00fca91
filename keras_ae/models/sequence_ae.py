"""The autoencoder of sequences."""

from typing import Any

import keras

from keras_ae.models.batch import Batch
from keras_ae.models.sequences import Sequences


@keras.saving.register_keras_serializable("keras_ae")
class SequenceAE(Sequences):
    """Autoencoder of sequences: sentences, words, time series (Srivastava et al., 2015, arXiv:1502.04681, sec. 2.2;
    the decoder of Sutskever et al., 2014, arXiv:1409.3215, eq. 1).

        E = -sum_t log p(x_t | x_1, ..., x_{t-1}, h),    h = f(x)

    Args:
        word_dropout: share of the earlier steps that the decoder does not see in training; see `SequenceVAE`.
        tokenizer: see `SequenceVAE`.
        encoder, decoder: `keras_ae.networks.recurrent` or `transformer`, or networks like them.
        latent_dim, likelihood, code_activation, seed: see `Autoencoder`.

    Terms: reconstruction (nats per sequence).

    Example:
        >>> import numpy as np
        >>> from keras_ae import networks
        >>> model = SequenceAE(*networks.recurrent((6, 1), latent_dim=2, units=8), latent_dim=2, likelihood="normal")
        >>> series = np.sin(np.arange(6.0))[None, :, None]
        >>> model.encode(series).shape, model.reconstruct(series).shape
        ((1, 2), (1, 6, 1))
    """

    terms = ("reconstruction",)
    settings = ("word_dropout", "tokenizer")

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        code = self.code(batch.x, training)
        return {"reconstruction": self.reconstruction(batch, code, training)}
