"""The contract that every model of the zoo fulfils."""

import inspect
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import keras
import numpy as np
from keras import ops

from keras_ae import errors
from keras_ae.checks import Activation, Count, Seed, checked, one_of
from keras_ae.distributions import DiagonalNormal, FullNormal, StandardNormal, bound, likelihoods
from keras_ae.distributions.normal import log_ratio
from keras_ae.layers import Head, Sampling
from keras_ae.models import datasets, inputs, training
from keras_ae.models.batch import Batch, as_vectors

AT_ONCE, MOST_AT_ONCE = 2**25, 4096  # values of the largest layer, and examples, unless a batch size is given


class Autoencoder(training.Training):
    """Base of all models: an encoder, a decoder, a likelihood, and an objective.

    Args:
        encoder: a `keras.Model` from x, (batch, *event), to features; without an output layer.
        decoder: a `keras.Model` from a code, (batch, *latent), to features; without an output layer.
        latent_dim: dimensions of the code, or a tuple for a grid or a sequence of codes.
        likelihood: the observation model p(x|z): `"bernoulli"`, `"normal"`, `"categorical"`,
            `"discretized_logistic"`, `"discretized_logistic_mixture"`, `"quantized_normal"`, `"beta_binomial"`, or an
            object of `keras_ae.distributions.likelihoods`.
        output_layer: `"dense"`, a linear layer from the decoder's features to the likelihood's parameters; a layer of
            one's own; or `"given"`: the decoder already yields the parameters (no activation).
        code_activation: name or function applied to the code; None for none.
        seed: integer that fixes the initial weights of the layers that the model adds, the noise and the order of
            examples. None draws one.

    Raises:
        InputError: networks, code, likelihood and output do not fit together; the message says what to change.
    """

    terms: tuple[str, ...] = ("reconstruction",)  # names of what `objective` returns; they add up to `loss`
    companions: tuple[str, ...] = ()  # further losses that it returns, which are trained and stay out of `loss`
    accepts_missing = False  # whether x may hold NaN for what was not observed
    conditional = False  # whether encoder and decoder take a condition as their second input
    infers_condition = False  # whether a condition that is not given, or is -1 in training, is inferred from x
    autoregressive = False  # whether the decoder takes the target's earlier steps as its second input
    network_kinds: tuple[str, ...] = (
        "dense",
        "conv",
        "resnet",
        "dcgan",
    )  # of the zoo; the default first
    has_prior = False  # whether codes have a distribution p(z), from which examples are sampled
    bare_y: str | None = None  # what `fit(x, y)` means when y is no dict: "condition", "label", or by its shape

    @checked
    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        latent_dim: int | tuple[int, ...],
        likelihood: str | likelihoods.Likelihood = "bernoulli",
        output_layer: str | keras.layers.Layer = "dense",
        code_activation: Activation = None,
        seed: Seed | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.latent_dim = latent_dim
        self.latent_shape = inputs.latent_shape(latent_dim)
        self.condition_dim = inputs.check_networks(encoder, decoder, self.latent_shape, self)
        self.encoder, self.decoder = self.prepare_networks(encoder, decoder)
        self.event_shape = tuple(encoder.inputs[0].shape[1:])
        self.likelihood = likelihoods.get(likelihood)
        self.code_activation = code_activation
        self.output_layer = output_layer
        self.output_head = self.make_output_head()
        self.make_code_heads()
        self.prior: Any = StandardNormal(self.latent_shape) if self.has_prior else None
        self.finish_building()

    def prepare_networks(self, encoder: keras.Model, decoder: keras.Model) -> tuple[keras.Model, keras.Model]:
        """The networks as the model uses them."""
        return encoder, decoder

    def head(self, shape: tuple[int, ...], activation: Any, name: str) -> Head:
        """A linear layer from the encoder's features."""
        layer = Head(shape, activation, seed=self.next_seed(), name=name)
        layer.build(self.encoder.output_shape)
        return layer

    def make_code_heads(self) -> None:
        """Adds the layers between the encoder's features and the code."""
        self.code_head = self.head(self.latent_shape, self.code_activation, "code")

    def params_shape(self) -> tuple[int, ...]:
        """Shape of the likelihood's parameters of one example, as the decoder and its output layer give them."""
        return self.likelihood.param_shape(self.event_shape)

    def make_output_head(self) -> keras.layers.Layer | None:
        """The layer between the decoder's features and the likelihood's parameters; None where there is none."""
        shape = self.params_shape()
        given = self.output_layer == "given"
        inputs.check_decoder_output(self.decoder, self.event_shape, shape, given, self.likelihood)
        if given:
            return None
        if self.output_layer == "dense":
            layer = Head(shape, seed=self.next_seed(), name="output")
        elif isinstance(self.output_layer, keras.layers.Layer):
            layer = self.output_layer
        else:
            raise errors.InputError(
                f"output_layer must be 'dense', 'given' or a Keras layer. Received: {self.output_layer!r}."
            )
        if not layer.built:
            layer.build(self.decoder.output_shape)
        produced = tuple(layer.compute_output_shape(self.decoder.output_shape)[1:])
        if produced != shape:
            raise errors.InputError(f"output_layer must yield parameters of shape {shape}. Received: {produced}.")
        return layer

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        """The terms of the loss: one value per example for each of `self.terms` (nats, summed over the event axes), or
        a scalar for a statistic of the batch."""
        raise NotImplementedError

    def features(self, x: Any, training: bool = False, condition: Any = None) -> Any:
        """The encoder's features of x."""
        if self.accepts_missing:
            x = ops.where(ops.isnan(x), 0.0, x)
        return self.encoder(self._joined(self.likelihood.encoder_input(x), condition), training=training)

    def code(self, x: Any, training: bool = False, condition: Any = None) -> Any:
        """The code of x, as tensors; `encode` takes whole arrays."""
        return self.code_head(self.features(x, training, condition))

    def decode_params(self, code: Any, training: bool = False, condition: Any = None) -> Any:
        """The likelihood's parameters for a code."""
        features = self.decoder(self._joined(code, condition), training=training)
        return features if self.output_head is None else self.output_head(features)

    def explain(self, code: Any, target: Any, training: bool = False, condition: Any = None) -> Any:
        """The likelihood's parameters for a target given its code; an autoregressive decoder sees the target, too."""
        return self.decode_params(code, training, condition)

    def decode_mean(self, code: Any, condition: Any = None) -> Any:
        """E[x | code]."""
        return self.likelihood.mean(self.decode_params(code, condition=condition))

    def reconstruct_mean(self, x: Any, condition: Any = None) -> Any:
        """E[x | code of x], what calling the model gives."""
        return self.decode_mean(self.code(x, condition=condition), condition)

    def reconstruction(self, batch: Batch, code: Any, training: bool) -> Any:
        """-log p(target | code), in nats per example."""
        params = self.explain(code, batch.target, training, batch.condition)
        return -self.likelihood.log_prob(batch.target, params, batch.mask)

    def score(self, batch: Batch, seed: Any, samples: int) -> Any:
        """How badly the model reconstructs each example, in nats. `Variational` gives the negative ELBO, averaged over
        `samples` draws that are a function of `seed`; a deterministic model has no use for them."""
        return self.reconstruction(batch, self.code(batch.x, condition=batch.condition), training=False)

    def _joined(self, tensor: Any, condition: Any) -> Any:
        """What a network is given: the tensor, for conditional models with the condition."""
        if not self.conditional:
            return tensor
        if condition is None:
            raise errors.InputError(f"{type(self).__name__} needs a condition for each example. Pass condition=...")
        return [tensor, condition]

    def prior_given(self, condition: Any) -> Any:
        """p(z), or p(z | condition) for a model that learns it."""
        return self.prior

    def draw_codes(self, n: Any, seed: Any, condition: Any = None) -> Any:
        """`n` codes of the prior."""
        return self.prior.sample(n, seed)

    def pack(self, data: Any) -> Batch:
        batch = super().pack(data)
        if batch.condition is None or not self.conditional:
            return batch
        return batch._replace(condition=as_vectors(batch.condition, self.condition_dim))

    @checked
    def rows_at_once(self, batch_size: Count | None = None) -> int:
        """How many examples go through the networks together: `batch_size`, or as many as give their largest layer
        `AT_ONCE` values, but not more than `MOST_AT_ONCE`."""
        if batch_size is not None:
            return batch_size
        return max(1, min(AT_ONCE // self.largest_layer(), MOST_AT_ONCE))

    def largest_layer(self) -> int:
        """How many values the largest layer of the networks, or the output, has for one example."""
        layers = [layer for network in (self.encoder, self.decoder) for layer in network.layers]
        outputs = [getattr(layer, "output", None) for layer in layers]
        shapes = [tensor.shape[1:] for tensor in keras.tree.flatten(outputs) if tensor is not None]
        sizes = [math.prod(filter(None, shape)) for shape in shapes]
        return max([math.prod(self.event_shape) * self.likelihood.parameters, *sizes])

    @checked
    def encode(self, x: Any, batch_size: Count | None = None, condition: Any = None) -> np.ndarray:
        """Codes of x, as arrays: (n, *event) -> (n, *latent). x may be a data set, which is read batch by batch."""
        return self._of_examples("code", x, batch_size, condition)

    @checked
    def decode(self, codes: Any, batch_size: Count | None = None, condition: Any = None) -> np.ndarray:
        """The means E[x | code] of codes, as arrays: (n, *latent) -> (n, *event)."""
        codes = inputs.as_array(codes, "codes", self.latent_shape)
        inputs.check_finite(codes, "codes")
        return self.over_batches("decode_mean", codes, batch_size, inputs.check_condition(self, condition, len(codes)))

    @checked
    def reconstruct(self, x: Any, batch_size: Count | None = None, condition: Any = None) -> np.ndarray:
        """Reconstructions of x, as arrays: (n, *event) -> (n, *event). x may be a data set, which is read batch by
        batch."""
        return self._of_examples("reconstruct_mean", x, batch_size, condition)

    def _of_examples(self, method: str, x: Any, batch_size: int | None, condition: Any) -> np.ndarray:
        """A method of x applied to an array, or to every batch of a data set, whose y is then the condition."""
        if not inputs.is_data_set(x):
            x, condition = inputs.check_given(self, x, condition)
            return self.over_batches(method, x, batch_size, condition)
        parts = (datasets.given(self, x, y) for x, y in datasets.batches(x))
        found = [self._of_examples(method, x, batch_size, y if condition is None else condition) for x, y in parts]
        if not found:
            raise errors.InputError("x is an empty data set.")
        return np.concatenate(found)

    @checked
    def sample(
        self,
        n: Count,
        seed: Seed | None = None,
        observation: Annotated[str, one_of("mean", "sample")] = "mean",
        batch_size: Count | None = None,
        condition: Any = None,
    ) -> np.ndarray:
        """`n` new examples: z ~ p(z), then the mean of p(x|z), or a draw of it.

        Args:
            n: how many.
            seed: integer; the same seed gives the same examples. None draws one.
            observation: `"mean"`, E[x|z], what papers show; or `"sample"`, x ~ p(x|z).
            condition: of a conditional model: one for all examples, or one for each.

        Raises:
            InputError: the model has no distribution of codes.
        """
        if not self.has_prior:
            raise errors.InputError(
                f"{type(self).__name__} has no distribution of codes to sample from. Use a model with a prior such as "
                "VAE, or decode codes of your own: model.decode(codes)."
            )
        generator = keras.random.SeedGenerator(seed)
        condition = inputs.check_condition(self, condition, n)
        codes = self.draw_codes(n, generator, condition)
        if observation == "mean":
            return self.over_batches("decode_mean", codes, batch_size, condition)
        return self.observe(codes, generator, batch_size, condition)

    def observe(self, codes: Any, seed: Any, batch_size: int | None = None, condition: Any = None) -> np.ndarray:
        """A draw of p(x|z) for each code."""
        params = self.over_batches("decode_params", codes, batch_size, condition)
        return ops.convert_to_numpy(self.likelihood.sample(ops.convert_to_tensor(params), seed))

    def own_signatures(self) -> dict[str, Callable[[Any], dict[str, Any]]]:
        """What an export of this variant answers beside the others: name -> function of a batch of x."""
        return {}

    def as_input(self, x: np.ndarray, name: str) -> np.ndarray:
        """x in the form that the model takes."""
        return x

    def check_events(self, x: np.ndarray, name: str) -> None:
        """Raises InputError where x is nothing for this model, whatever its likelihood can explain."""

    @checked
    def save_to_preset(self, folder: str | os.PathLike) -> Path:
        """Writes a folder that `keras_ae.from_preset` reads and a hub can hold; see `keras_ae.zoo.presets.folder`."""
        import keras_ae

        return keras_ae.zoo.presets.folder.save(self, folder)

    def saved_parts(self) -> dict[str, keras.layers.Layer]:
        named = {name: getattr(self, name, None) for name in ("encoder", "decoder", "output_layer", *self.settings)}
        return {name: part for name, part in named.items() if isinstance(part, keras.layers.Layer)}

    def get_config(self) -> dict[str, Any]:
        networks = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in ("encoder", "decoder")}
        return {
            **super().get_config(),
            **networks,
            "latent_dim": self.latent_dim,
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "output_layer": keras.saving.serialize_keras_object(self.output_layer),
            "code_activation": keras.saving.serialize_keras_object(self.code_activation),
            **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in self.settings},
        }


def by_name(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `Autoencoder` as keyword arguments, for a variant that has another default for one of them."""
    found = inspect.signature(Autoencoder).bind_partial(*args, **kwargs).arguments
    return {**found.pop("kwargs", {}), **found}


class Variational(Autoencoder):
    """Base of the models with a posterior q(z|x) that is sampled and a prior p(z).

    Args:
        posterior: `"diagonal"` or `"full"` covariance of the normal q(z|x).
        Others: see `Autoencoder`.
    """

    has_prior = True
    terms: tuple[str, ...] = ("reconstruction", "kl")

    @checked
    def __init__(self, *args: Any, posterior: Literal["diagonal", "full"] = "diagonal", **kwargs: Any) -> None:
        self._posterior_name = posterior
        super().__init__(*args, **kwargs)

    def make_code_heads(self) -> None:
        self.mean_head = self.head(self.latent_shape, self.code_activation, "z_mean")
        self.log_var_head = self.head(self.latent_shape, None, "z_log_var")
        self.lower_head = None
        if self._posterior_name == "full":
            if len(self.latent_shape) != 1:
                raise errors.InputError(f"posterior='full' needs an integer latent_dim. Received: {self.latent_dim!r}.")
            below_diagonal = self.latent_shape[0] * (self.latent_shape[0] - 1) // 2
            self.lower_head = self.head((below_diagonal,), None, "z_lower") if below_diagonal else None
        self.sampling = Sampling(seed=self.next_seed(), name="sampling")

    def posterior(self, x: Any, training: bool = False, condition: Any = None) -> DiagonalNormal | FullNormal:
        """q(z|x), as a distribution of tensors."""
        features = self.features(x, training, condition)
        mean, log_var = self.mean_head(features), bound(self.log_var_head(features))
        if self.lower_head is None:
            return DiagonalNormal(mean, log_var)
        return FullNormal.from_parameters(mean, log_var, self.lower_head(features))

    def code(self, x: Any, training: bool = False, condition: Any = None) -> Any:
        """The mean of q(z|x)."""
        return self.posterior(x, training, condition).mean

    def propose(self, batch: Batch, samples: int, seed: keras.random.SeedGenerator) -> tuple[Any, Any]:
        """`samples` codes of q(z|x) for each example and their log q: (samples, batch, *latent), (samples, batch)."""
        q = self.posterior(batch.x, condition=batch.condition)
        z = q.rsample(keras.random.normal((samples, *ops.shape(q.mean)), dtype="float32", seed=seed))
        return z, q.log_prob(z)

    def log_joint(self, batch: Batch, z: Any, training: bool = False) -> Any:
        """log p(target, z) in nats: (samples, batch, *latent) -> (samples, batch)."""
        return self.log_conditional(batch, z, training) + self.prior_given(batch.condition).log_prob(z)

    def log_conditional(self, batch: Batch, z: Any, training: bool = False) -> Any:
        """log p(target | z) in nats: (samples, batch, *latent) -> (samples, batch)."""
        samples, examples = ops.shape(z)[0], ops.shape(z)[1]
        condition = None if batch.condition is None else ops.tile(batch.condition, (samples, 1))
        params = self.explain(ops.reshape(z, (-1, *self.latent_shape)), batch.target, training, condition)
        params = ops.reshape(params, (samples, examples, *self.likelihood.param_shape(self.event_shape)))
        return self.likelihood.log_prob(batch.target, params, batch.mask)

    def propose_from_prior(self, batch: Batch, samples: int, seed: Any) -> Any:
        """`samples` codes of p(z) (of p(z | condition) where that is learned) for each example:
        (samples, batch, *latent)."""
        examples = ops.shape(batch.x)[0]
        condition = None if batch.condition is None else ops.tile(batch.condition, (samples, 1))
        codes = self.draw_codes(samples * examples, seed, condition)
        return ops.reshape(codes, (samples, examples, *self.latent_shape))

    def score(self, batch: Batch, seed: Any, samples: int) -> Any:
        z, log_q = self.propose(batch, samples, seed)
        return -ops.mean(log_ratio(self.log_joint(batch, z), log_q), axis=0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "posterior": self._posterior_name}
