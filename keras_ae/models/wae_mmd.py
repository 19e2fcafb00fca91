"""The Wasserstein autoencoder with a maximum mean discrepancy."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops

from keras_ae import divergences, errors
from keras_ae.checks import Positive, checked
from keras_ae.models.base import Autoencoder
from keras_ae.models.batch import Batch
from keras_ae.schedules import Weight


@keras.saving.register_keras_serializable("keras_ae")
class WAEMMD(Autoencoder):
    """Wasserstein autoencoder, WAE-MMD (Tolstikhin et al., 2018, arXiv:1711.01558, algorithm 2).

        E = L(x, g(f(x))) + lambda MMD^2(q(z), p(z)),    p(z) = N(0, I)

    The codes of a batch are compared with as many draws of the prior. The penalty is an unbiased statistic of the
    batch: it can be negative, is zero for a single example, and is computed per replica under a strategy.

    Args:
        penalty: lambda; a number or a schedule.
        kernel: `"imq"`, the inverse multiquadratic kernel, or `"rbf"`; see `divergences.mmd`.
        scales: the kernel is summed over these scales.
        encoder, decoder, latent_dim, likelihood, output_layer, code_activation, seed: see `Autoencoder`.

    Terms: reconstruction (nats per example), mmd (lambda included).

    Example:
        >>> from keras_ae import networks
        >>> model = WAEMMD(*networks.dense((4,), latent_dim=2, hidden=(8,)), latent_dim=2, likelihood="normal")
        >>> model.sample(3, seed=0).shape
        (3, 4)
    """

    terms = ("reconstruction", "mmd")
    settings = ("penalty", "kernel", "scales")
    schedulable = ("penalty",)
    has_prior = True

    @checked
    def __init__(
        self,
        *args: Any,
        penalty: Weight = 10.0,
        kernel: Literal["imq", "rbf"] = "imq",
        scales: Sequence[Positive] = divergences.SCALES,
        **kwargs: Any,
    ) -> None:
        self.penalty, self.kernel, self.scales = penalty, kernel, tuple(scales)
        if not self.scales:
            raise errors.wrong("scales", "positive numbers, at least one", scales)
        super().__init__(*args, **kwargs)

    def make_code_heads(self) -> None:
        super().make_code_heads()
        self.noise = keras.random.SeedGenerator(self.next_seed())

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        code = self.code(batch.x, training)
        draws = self.prior.sample(ops.shape(code)[0], self.noise)
        mmd = divergences.mmd(code, draws, self.kernel, self.scales, batch.weight)
        return {"reconstruction": self.reconstruction(batch, code, training), "mmd": self.now(self.penalty) * mmd}
