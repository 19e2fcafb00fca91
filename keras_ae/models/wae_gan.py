"""The Wasserstein autoencoder with an adversarial penalty."""

from typing import Any

import keras
from keras import ops

from keras_ae import errors, networks
from keras_ae.checks import checked
from keras_ae.models.base import Autoencoder
from keras_ae.models.batch import Batch
from keras_ae.models.training import Optimizer
from keras_ae.optimizers import Adam
from keras_ae.schedules import Weight


@keras.saving.register_keras_serializable("keras_ae")
class _ByOwner(keras.optimizers.OptimizerMap):
    """Gives the critic's variables one optimizer and all others the default, by identity: names need not be unique."""

    of_critic: frozenset[int] = frozenset()

    def __call__(self, variable: Any) -> Any:
        return self["critic"] if id(variable) in self.of_critic else self.default_optimizer


@keras.saving.register_keras_serializable("keras_ae")
class WAEGAN(Autoencoder):
    """Wasserstein autoencoder, WAE-GAN (Tolstikhin et al., 2018, arXiv:1711.01558, algorithm 1).

        E  = L(x, g(f(x))) - lambda log D(f(x))                              encoder f and decoder g
        E' = -log D(z) - log(1 - D(f(x))),    z ~ p(z) = N(0, I)             critic D, D = sigmoid(logit)

    Both are minimised in each step, the critic's loss with respect to the critic alone, the other with respect to the
    networks alone. The critic sees draws of the prior and codes in calls of their own, so batch normalisation in it
    cannot tell it from which of the two an example came.

    Args:
        penalty: lambda; a number or a schedule.
        critic: a `keras.Model` from codes to one logit; None for `keras_ae.networks.critic`.
        encoder, decoder, latent_dim, likelihood, output_layer, code_activation, seed: see `Autoencoder`.

    Terms: reconstruction, adversarial (lambda included; nats per example). The critic's own loss, E', is trained and
    tracked as `critic`, and is no part of `loss`; log 4 = 1.386 means that it cannot tell.

    Example:
        >>> import numpy as np
        >>> model = WAEGAN(*networks.dense((4,), latent_dim=2, hidden=(8,)), latent_dim=2, likelihood="normal")
        >>> model.compile("adam", critic_optimizer=keras.optimizers.SGD(0.01))
        >>> sorted(model.fit(np.ones((16, 4), "float32"), verbose=0).history)
        ['adversarial', 'critic', 'loss', 'reconstruction']
    """

    terms = ("reconstruction", "adversarial")
    companions = ("critic",)
    settings = ("penalty", "critic")
    schedulable = ("penalty",)
    has_prior = True

    @checked
    def __init__(self, *args: Any, penalty: Weight = 1.0, critic: keras.Model | None = None, **kwargs: Any) -> None:
        self.penalty = penalty
        self._given_critic = [critic]  # in a list that Keras does not look into: it becomes a layer below
        super().__init__(*args, **kwargs)

    def make_code_heads(self) -> None:
        super().make_code_heads()
        seed = self.next_seed()
        self.noise = keras.random.SeedGenerator(self.next_seed())
        self.critic = self._given_critic.pop() or networks.critic(self.latent_shape, seed=seed)
        if not isinstance(self.critic, keras.Model) or not self.critic.built:
            raise errors.InputError(
                f"critic must be a built keras.Model from codes of shape {self.latent_shape} to one logit, or None. "
                f"Received: {self.critic!r}."
            )
        shapes = self.critic.input_shape[1:], self.critic.output_shape[1:]
        if shapes != (self.latent_shape, (1,)):
            raise errors.InputError(
                f"The critic must map codes of shape {self.latent_shape} to one logit, shape (1,). Received: a model "
                f"from {shapes[0]} to {shapes[1]}."
            )

    @checked
    def compile(
        self, optimizer: Optimizer = "adam", *args: Any, critic_optimizer: Optimizer = "adam", **kwargs: Any
    ) -> None:
        """Configures the training.

        Args:
            optimizer: of encoder and decoder, a name or a Keras optimizer. `"adam"` has the settings of Tolstikhin et
                al. (2018): a rate of 1e-3 and beta_1 = 0.5, since momentum makes the two players circle.
            critic_optimizer: of the critic; `"adam"` likewise, with a rate of 5e-4.
            Others: see `Autoencoder.compile`.
        """
        both = [
            Adam(rate, beta_1=0.5) if given == "adam" else keras.optimizers.get(given)
            for given, rate in ((optimizer, 1e-3), (critic_optimizer, 5e-4))
        ]
        by_owner = _ByOwner(both[0], {"critic": both[1]})
        by_owner.of_critic = frozenset(id(variable) for variable in self.critic.trainable_variables)
        super().compile(keras.optimizers.MultiOptimizer(by_owner), *args, **kwargs)
        of_user = zip(("optimizer", "critic_optimizer"), both, strict=True)
        self._unresolved |= {name: keras.saving.serialize_keras_object(o) for name, o in of_user}

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        code = self.code(batch.x, training)
        draws = self.prior.sample(ops.shape(code)[0], self.noise)
        of_draws = self.critic(draws, training=training)[:, 0]
        of_codes = self.critic(ops.stop_gradient(code), training=training)[:, 0]
        return {
            "reconstruction": self.reconstruction(batch, code, training),
            "adversarial": self.now(self.penalty) * ops.softplus(-self.fixed_critic(code, training)),
            "critic": ops.softplus(-of_draws) + ops.softplus(of_codes),
        }

    def fixed_critic(self, code: Any, training: bool) -> Any:
        """The critic's logits, differentiable in the code alone."""
        weights = [ops.stop_gradient(variable.value) for variable in self.critic.trainable_variables]
        state = [variable.value for variable in self.critic.non_trainable_variables]
        logits, _ = self.critic.stateless_call(weights, state, code, training=training)
        return logits[:, 0]
