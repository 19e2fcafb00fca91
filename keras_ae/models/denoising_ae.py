"""The denoising autoencoder."""

from typing import Any

import keras

from keras_ae import errors
from keras_ae.layers import MaskingNoise, NormalNoise, SaltAndPepperNoise
from keras_ae.models.base import Autoencoder
from keras_ae.models.batch import Batch

CORRUPTIONS = {
    "gaussian": lambda seed: NormalNoise(0.3, seed=seed),
    "masking": lambda seed: MaskingNoise(0.3, seed=seed),
    "salt_and_pepper": lambda seed: SaltAndPepperNoise(0.3, seed=seed),
}


@keras.saving.register_keras_serializable("keras_ae")
class DenoisingAE(Autoencoder):
    """Denoising autoencoder (Vincent et al., 2008, ICML, eq. 5; 2010, JMLR 11).

        E = E_c(x~ | x)[L(x, g(f(x~)))]        x~: x corrupted, anew at each step

    Corruption is a layer that is active in training only, as Keras' noise layers are: `evaluate` and inference see x as
    it is. For another corruption, or to judge on corrupted data, pass pairs: `fit(noisy, clean)`,
    `evaluate(noisy, clean)`.

    Values may be missing: NaN in x is seen by the encoder as 0, which is what masking noise does to it; NaN in the
    target does not count. `reconstruct` fills in what is missing.

    Args:
        corruption: `"gaussian"` (standard deviation 0.3), `"masking"`, `"salt_and_pepper"` (both of 0.3 of the values),
            or a Keras layer: `keras_ae.layers.NormalNoise`, `MaskingNoise`, `SaltAndPepperNoise`, one of Keras or
            one's own, with noise in training only.
        encoder, decoder, latent_dim, likelihood, output_layer, code_activation, seed: see `Autoencoder`.

    Terms: reconstruction (of the clean x; nats per example).

    Example:
        >>> import numpy as np
        >>> from keras_ae import networks
        >>> model = DenoisingAE(*networks.dense((4,), latent_dim=2, hidden=(8,)), latent_dim=2, corruption="masking")
        >>> model.reconstruct(np.array([[1.0, np.nan, 0.0, 1.0]])).shape
        (1, 4)
    """

    terms = ("reconstruction",)
    settings = ("corruption",)
    accepts_missing = True
    accepts_noise = True

    def __init__(self, *args: Any, corruption: str | keras.layers.Layer = "masking", **kwargs: Any) -> None:
        if isinstance(corruption, str) and corruption not in CORRUPTIONS:
            raise errors.unknown("corruption", corruption, CORRUPTIONS)
        if not isinstance(corruption, str | keras.layers.Layer):
            raise errors.InputError(f"corruption must be a name or a Keras layer. Received: {corruption!r}.")
        self._wanted = corruption
        super().__init__(*args, **kwargs)

    def make_code_heads(self) -> None:
        super().make_code_heads()
        wanted = self._wanted
        self.corruption = CORRUPTIONS[wanted](self.next_seed()) if isinstance(wanted, str) else wanted

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        code = self.code(self.corruption(batch.x, training=training), training)
        return {"reconstruction": self.reconstruction(batch, code, training)}
