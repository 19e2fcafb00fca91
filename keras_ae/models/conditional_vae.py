"""The conditional variational autoencoder."""

from typing import Any

import keras

from keras_ae import backend, divergences
from keras_ae.checks import checked
from keras_ae.distributions import DiagonalNormal, bound
from keras_ae.layers import Head
from keras_ae.models.base import Variational
from keras_ae.models.batch import Batch


@keras.saving.register_keras_serializable("keras_ae")
class ConditionalVAE(Variational):
    """Variational autoencoder of x given y (Sohn et al., 2015, NIPS, eq. 4; Kingma et al., 2014, arXiv:1406.5298).

        -ELBO = E_q(z|x,y)[-log p(x|z,y)] + KL(q(z|x,y) || p(z|y)),    p(z|y) = N(0, I) or learned

    y is the condition: classes from 0 to K - 1, or vectors of K numbers. `fit(x, y)` learns it; `sample(n,
    condition=3)` draws examples of class 3; and since z need not say what y says,
    `decode(encode(x, condition=y), condition=other)` keeps the style of x and changes its class.

    Args:
        encoder, decoder: networks of two inputs, [x, y] and [z, y], with y a vector of K numbers (one-hot for classes):
            those of `keras_ae.networks` with `condition_dim=K`.
        learned_prior: whether p(z|y) is a normal whose mean and variances are a linear function of y.
        posterior, latent_dim, likelihood, output_layer, seed: see `VAE`.

    Terms: reconstruction, kl (nats per example).

    Raises:
        InputError: a condition is missing or is no class.

    Example:
        >>> import numpy as np
        >>> from keras_ae import networks
        >>> model = ConditionalVAE(*networks.dense((4,), 2, hidden=(8,), condition_dim=3), latent_dim=2)
        >>> model.compile("adam")
        >>> history = model.fit(np.ones((9, 4), "float32"), np.arange(9) % 3, verbose=0)
        >>> model.sample(5, condition=1).shape
        (5, 4)
    """

    terms = ("reconstruction", "kl")
    settings = ("learned_prior",)
    conditional = True
    bare_y = "condition"

    @checked
    def __init__(self, *args: Any, learned_prior: bool = False, **kwargs: Any) -> None:
        self.learned_prior = learned_prior
        super().__init__(*args, **kwargs)

    def make_code_heads(self) -> None:
        super().make_code_heads()
        if self.learned_prior:
            self.prior_mean_head = self.prior_head("prior_mean")
            self.prior_log_var_head = self.prior_head("prior_log_var")

    def prior_head(self, name: str) -> Head:
        """A linear layer from the condition to a parameter of p(z|y); zero at first, so that p(z|y) is N(0, I)."""
        layer = Head(self.latent_shape, seed=self.next_seed(), name=name)
        layer.build((None, self.condition_dim))
        layer.kernel.assign(0.0 * layer.kernel)
        return layer

    def prior_given(self, condition: Any) -> Any:
        if not self.learned_prior:
            return self.prior
        return DiagonalNormal(self.prior_mean_head(condition), bound(self.prior_log_var_head(condition)))

    def draw_codes(self, n: Any, seed: Any, condition: Any = None) -> Any:
        noise = backend.normal_noise((n, *self.latent_shape), seed)
        return self.prior_given(condition).rsample(noise) if self.learned_prior else noise

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        q = self.posterior(batch.x, training, batch.condition)
        z = self.sampling(q)
        return {
            "reconstruction": self.reconstruction(batch, z, training),
            "kl": divergences.kl(q, self.prior_given(batch.condition)),
        }
