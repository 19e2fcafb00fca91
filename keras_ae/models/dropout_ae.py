"""The autoencoder with dropout."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_ae import errors, networks
from keras_ae.checks import Dropout, checked
from keras_ae.models.base import Autoencoder
from keras_ae.models.batch import Batch


@keras.saving.register_keras_serializable("keras_ae")
class DropoutAE(Autoencoder):
    """Autoencoder with dropout at the hidden layers, in training only (Srivastava et al., 2014, JMLR 15, sec. 4).

        E = E_r[L(x, g(f(x; r); r))]        r_i ~ Bernoulli(1 - rate) / (1 - rate) multiplies hidden unit i

    The hidden layers are those of encoder and decoder that end in a nonlinearity; the code is none.

    Args:
        rate: share of the units that is dropped, for all hidden layers; or one for each, those of the encoder first.
        encoder, decoder, latent_dim, likelihood, output_layer, code_activation, seed: see `Autoencoder`.

    Terms: reconstruction (nats per example).

    Example:
        >>> model = DropoutAE(*networks.dense((4,), latent_dim=2, hidden=(8,)), latent_dim=2, rate=(0.5, 0.1))
        >>> [layer.rate for net in (model.encoder, model.decoder) for layer in net.layers if hasattr(layer, "rate")]
        [0.5, 0.1]
    """

    terms = ("reconstruction",)
    settings = ("rate",)

    @checked
    def __init__(self, *args: Any, rate: Dropout | Sequence[Dropout] = 0.2, **kwargs: Any) -> None:
        self.rate: Any = rate
        super().__init__(*args, **kwargs)

    def prepare_networks(self, encoder: keras.Model, decoder: keras.Model) -> tuple[keras.Model, keras.Model]:
        self._without_dropout = {
            name: keras.saving.serialize_keras_object(network)
            for name, network in (("encoder", encoder), ("decoder", decoder))
        }
        counts = [len(networks.hidden_layers(network)) for network in (encoder, decoder)]
        rates = self.rate if isinstance(self.rate, tuple) else (self.rate,) * sum(counts)
        if sum(counts) == 0 or len(rates) != sum(counts):
            raise errors.InputError(
                f"rate needs a number for each hidden layer: the encoder has {counts[0]}, the decoder {counts[1]}. "
                f"Received: {len(rates)} rates."
            )
        seeds = (np.random.SeedSequence((self.seed, 1)).generate_state(len(rates)) >> 1).tolist()
        return (
            networks.with_dropout(encoder, rates[: counts[0]], seeds[: counts[0]]),
            networks.with_dropout(decoder, rates[counts[0] :], seeds[counts[0] :]),
        )

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        code = self.code(batch.x, training)
        return {"reconstruction": self.reconstruction(batch, code, training)}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._without_dropout}
