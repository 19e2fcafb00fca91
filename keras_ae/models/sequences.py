"""What the models of sequences share: a decoder that goes from step to step."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae import errors
from keras_ae.checks import Share, checked
from keras_ae.data.tokenizer import Tokenizer
from keras_ae.distributions import likelihoods
from keras_ae.layers import MaskingNoise
from keras_ae.models.base import Autoencoder
from keras_ae.models.batch import Batch, pack


class Sequences(Autoencoder):
    """Base, beside `Autoencoder` or `Variational`, of the models with an autoregressive decoder.

        log p(x|z) = sum_t log p(x_t | x_1, ..., x_{t-1}, z)

    Sequences have at most as many steps as the encoder's input; shorter ones are padded, and padding changes no number.
    With a Categorical likelihood x holds a token, 1 to levels - 1, for each step, and 0, which ends a sequence, from
    there on; the first 0 counts, so that the model learns where sequences end. With another likelihood x holds
    numbers, and NaN for what was not observed, at the end or elsewhere.

    Args:
        word_dropout: share of the earlier tokens, or numbers, that the decoder does not see in training, which forces
            it to use the code. 1: it never sees them, so that the steps are independent given the code.
        tokenizer: the `keras_ae.data.Tokenizer` of x, to be saved with the model.
        Others: see `Autoencoder`.
    """

    autoregressive = True
    accepts_missing = True
    network_kinds = ("recurrent", "transformer")

    @checked
    def __init__(
        self, *args: Any, word_dropout: Share = 0.0, tokenizer: Tokenizer | None = None, **kwargs: Any
    ) -> None:
        self.word_dropout, self.tokenizer = word_dropout, tokenizer
        super().__init__(*args, **kwargs)
        if tokenizer is not None and (tokenizer.size, (tokenizer.steps,)) != (self.tokens, self.event_shape):
            raise errors.InputError(
                f"The tokenizer gives {tokenizer.steps} tokens of {tokenizer.size}, the model takes x of shape "
                f"{self.event_shape} with {self.tokens} tokens. Build the model for the tokenizer's `steps` and `size`."
            )

    @property
    def tokens(self) -> int | None:
        """How many tokens there are, with 0; None where x holds numbers."""
        return likelihoods.tokens(self.likelihood)

    def params_shape(self) -> tuple[int, ...]:
        """Parameters of each step, so that the output layer mixes no steps."""
        steps = self.event_shape[0]
        return steps, math.prod(self.likelihood.param_shape(self.event_shape)) // steps

    def make_code_heads(self) -> None:
        super().make_code_heads()
        self.dropped_words = MaskingNoise(self.word_dropout, seed=self.next_seed(), name="word_dropout")

    def padded(self, x: Any) -> Any:
        """x with padding up to the model's number of steps, an array or a tensor."""
        of_numpy = isinstance(x, np.ndarray)
        if x.shape[1:2] == self.event_shape[:1] or x.shape[2:] != self.event_shape[1:]:
            return x
        missing = self.event_shape[0] - (x.shape[1] if of_numpy else ops.shape(x)[1])
        value = 0 if self.tokens else np.nan
        pad = np.pad if of_numpy else ops.pad
        return pad(x, [(0, 0), (0, missing), *[(0, 0)] * (len(x.shape) - 2)], constant_values=value)

    def pack(self, data: Any) -> Batch:
        batch = pack(data, self.bare_y, accepts_missing=False)
        x, target = self.padded(batch.x), self.padded(batch.target)
        if self.tokens:
            ended = ops.pad(target[:, :-1] == 0, [(0, 0), (1, 0)])
            return batch._replace(x=x, target=target, mask=ops.logical_not(ended))
        missing = ops.isnan(target)
        return batch._replace(x=x, target=ops.where(missing, 0.0, target), mask=ops.logical_not(missing))

    def features(self, x: Any, training: bool = False, condition: Any = None) -> Any:
        return self.encoder(x, training=training)

    def explain(self, code: Any, target: Any, training: bool = False, condition: Any = None) -> Any:
        """The parameters of every step given the code and the target's earlier steps."""
        steps, *others = [(0, 0)] * len(self.event_shape)
        previous = ops.pad(target[:, :-1], [steps, (1, 0), *others])
        unseen = self.word_dropout == 1
        previous = ops.zeros_like(previous) if unseen else self.dropped_words(previous, training=training)
        copies = ops.shape(code)[0] // ops.shape(previous)[0]
        previous = ops.tile(previous, (copies, *[1] * len(self.event_shape)))
        features = self.decoder([code, previous], training=training)
        params = features if self.output_head is None else self.output_head(features)
        return ops.reshape(params, (-1, *self.likelihood.param_shape(self.event_shape)))

    def decode_params(self, code: Any, training: bool = False, condition: Any = None) -> Any:
        """The parameters of every step given the code and the most probable earlier steps."""
        return self.explain(code, self.decode_mean(code), training)

    def decode_mean(self, code: Any, condition: Any = None) -> Any:
        """The sequence of a code, step by step: the most probable token, or the mean, given the steps before."""
        which = ops.reshape(ops.arange(self.event_shape[0]), (1, -1, *[1] * (len(self.event_shape) - 1)))

        def step(t: Any, x: Any) -> Any:
            return ops.where(which == t, self.expected(self.explain(code, x)), x)

        x = ops.zeros((ops.shape(code)[0], *self.event_shape))
        return self.until_end(ops.fori_loop(0, self.event_shape[0], step, x))

    def expected(self, params: Any) -> Any:
        """The most probable token, or the mean, of every step."""
        if not self.tokens:
            return self.likelihood.mean(params)
        return ops.cast(ops.argmax(self.likelihood.probabilities(params), axis=-1), "float32")

    def until_end(self, x: Any) -> Any:
        """x with nothing after its first 0, if it holds tokens."""
        return x * ops.cumprod(ops.cast(x != 0, x.dtype), axis=1) if self.tokens else x

    def observe(self, codes: Any, seed: Any, batch_size: int | None = None, condition: Any = None) -> np.ndarray:
        """A draw of p(x|z) for each code, step by step."""
        kinds = [keras.KerasTensor((None, *shape), "float32") for shape in (self.latent_shape, self.event_shape)]
        explain = self.compiled_once("explain", self.explain, *kinds)
        codes, drawn = ops.convert_to_numpy(codes), []
        rows = self.rows_at_once(batch_size)
        for start in range(0, len(codes), rows):
            code = ops.convert_to_tensor(codes[start : start + rows])
            x = np.zeros((len(code), *self.event_shape), "float32")
            for t in range(self.event_shape[0]):
                params = explain(code, ops.convert_to_tensor(x))
                x[:, t] = ops.convert_to_numpy(self.likelihood.sample(params, seed))[:, t]
            drawn.append(ops.convert_to_numpy(self.until_end(ops.convert_to_tensor(x))))
        return np.concatenate(drawn)

    def as_input(self, x: np.ndarray, name: str) -> np.ndarray:
        if x.ndim > 1 and x.shape[1] > self.event_shape[0]:
            raise errors.InputError(
                f"{name} has sequences of {x.shape[1]} steps, the model takes {self.event_shape[0]} at most. Cut them, "
                f"or build the model for longer ones. Received: {x.shape}."
            )
        return self.padded(x) if x.ndim > 1 else x

    def check_events(self, x: np.ndarray, name: str) -> None:
        if self.tokens:
            if np.isnan(x).any():
                raise errors.InputError(f"{name} must hold tokens, whole numbers. Received: (nan), a missing value.")
            empty, gap = x[:, 0] == 0, (x[:, :-1] == 0) & (x[:, 1:] != 0)
            if gap.any():
                row, step = map(int, np.argwhere(gap)[0])
                raise errors.InputError(
                    f"{name}[{row}] has a token after a 0, at step {step + 1}. 0 ends a sequence: number tokens from 1."
                )
        else:
            empty = np.isnan(x).reshape(len(x), -1).all(axis=1) if x.dtype.kind == "f" else np.zeros(len(x), bool)
        if empty.any():
            raise errors.InputError(
                f"{name} has {int(empty.sum())} empty sequences, the first at index {int(empty.argmax())}. Drop them: "
                f"{name} = {name}[...]."
            )
