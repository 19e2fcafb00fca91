"""The linear autoencoder, which is principal component analysis."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_ae import networks
from keras_ae.checks import Count, Seed, Shape, checked
from keras_ae.distributions.likelihoods import Normal
from keras_ae.models import inputs
from keras_ae.models.base import Autoencoder
from keras_ae.models.batch import Batch
from keras_ae.models.training import Training


class Components(NamedTuple):
    """Orthonormal components, (latent_dim, *event), and the variances of the data along them, or None."""

    components: np.ndarray
    variances: np.ndarray | None


@keras.saving.register_keras_serializable("keras_ae")
class LinearAE(Autoencoder):
    """Linear autoencoder: one linear layer each way and squared error (Baldi and Hornik, 1989, eq. 1).

        E = |x - (V h + c)|^2,    h = U x + b

    At its minimum the columns of V span the space of the first principal components of x.

    Args:
        input_shape: shape of one example.
        latent_dim: number of dimensions of the code.
        tied: whether V = U^T.
        seed: integer; the same seed gives the same run.

    Terms: squared_error (summed over the values of an example, in the units of x squared).

    Example:
        >>> model = LinearAE((8, 8, 1), latent_dim=3, seed=0)
        >>> model.components().components.shape
        (3, 8, 8, 1)
    """

    terms = ("squared_error",)

    @checked
    def __init__(
        self, input_shape: Shape, latent_dim: Count, tied: bool = False, seed: Seed | None = None, **kwargs: Any
    ) -> None:
        encoder, decoder = networks.dense(input_shape, latent_dim, hidden=())
        self.tied = tied
        super().__init__(encoder, decoder, latent_dim, Normal(), seed=seed, **kwargs)

    def make_output_head(self) -> keras.layers.Layer | None:
        if not self.tied:
            return super().make_output_head()
        self.offset = self.add_weight(shape=self.event_shape, initializer="zeros", name="offset")
        return None

    def decode_params(self, code: Any, training: bool = False, condition: Any = None) -> Any:
        if not self.tied:
            return super().decode_params(code, training)
        flat = ops.matmul(code, ops.transpose(self.code_head.kernel))
        return ops.reshape(flat, (-1, *self.event_shape)) + self.offset

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        return {"squared_error": self.reconstruction(batch, self.code(batch.x, training), training)}

    def reconstruction(self, batch: Batch, code: Any, training: bool) -> Any:
        """The squared error, without the constants of a log-density."""
        error = ops.square(batch.target - self.decode_params(code, training))
        if batch.mask is not None:
            error = ops.where(batch.mask, error, 0.0)
        return ops.sum(error, axis=tuple(range(1, ops.ndim(error))))

    def components(self, x: np.ndarray | None = None) -> Components:
        """Orthonormal components of the decoder's span.

        Args:
            x: data, (n, *event). The components are then sorted by the variance that they explain in it, and the
                variances (unbiased, in the units of x squared) are returned. The weights fix no more than the span, so
                without x the components are just an orthonormal basis of it.
        """
        basis = np.linalg.qr(ops.convert_to_numpy(self.decoder_matrix()).T.astype("float64"))[0].T
        variances = None
        if x is not None:
            x = inputs.check_x(self, x, explained=False)
            flat = x.reshape(len(x), -1).astype("float64")
            covariance = np.atleast_2d(np.cov((flat - flat.mean(0)) @ basis.T, rowvar=False))
            variances, rotation = np.linalg.eigh(covariance)
            variances, basis = variances[::-1], rotation.T[::-1] @ basis
        return Components(basis.reshape(-1, *self.event_shape).astype("float32"), variances)

    def get_config(self) -> dict[str, Any]:
        own = {"input_shape": self.event_shape, "latent_dim": self.latent_dim, "tied": self.tied}
        return {**Training.get_config(self), **own}

    def decoder_matrix(self) -> Any:
        """V^T, of shape (latent_dim, values of an example)."""
        head = self.code_head if self.output_head is None else self.output_head
        return ops.transpose(head.kernel) if self.tied else head.kernel
