"""Bits-back coding with asymmetric numeral systems (BB-ANS; Townsend et al., 2019, arXiv:1901.04866, sec. 2.4)."""

import hashlib
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.special import ndtr, ndtri

from keras_ae import backend, errors
from keras_ae.distributions import StandardNormal, likelihoods
from keras_ae.models import Autoencoder

WORD = 32  # bits


class BitsBack:
    """The stack of bits that a model turns images into, and back.

    A code z is one of 2^b intervals of every dimension, of equal mass under p(z) = N(0, I). Each image x takes

        pop  z ~ q(z|x),    push x ~ p(x|z),    push z ~ p(z)

    and so adds -log2 p(x|z) - log2 p(z) + log2 q(z|x) bits on average: the negative ELBO, in bits. Decoding undoes the
    steps from the last to the first. Images go through the networks in batches of one size, since the results of a
    network may depend on it in the last bit; the first batches hold fewer images, so that few bits are needed to start.

    Args:
        model: a variational model with a diagonal posterior, p(z) = N(0, I) and a discrete likelihood.
        latent_bits: b.
        batch_size: images that go through the networks together.

    Raises:
        InputError: the model has not what this takes.
    """

    def __init__(self, model: Autoencoder, latent_bits: int, batch_size: int) -> None:
        check_model(model)
        self.model = model
        self.batch_size = batch_size
        self.latent_bits = latent_bits
        self.dimensions = math.prod(model.latent_shape)
        bins = 2**latent_bits
        self.edges = ndtri(np.arange(bins + 1) / bins)
        self.centres = ndtri((np.arange(bins) + 0.5) / bins).astype("float32")
        shapes = model.event_shape, model.latent_shape
        event, code = (keras.KerasTensor((None, *shape), "float32") for shape in shapes)
        self._posterior = model.compiled_once("bits_back_posterior", self._mean_and_log_var, event)
        self._level_probabilities = backend.fused(model.likelihood.probabilities)
        self._likelihood = model.compiled_once("bits_back_likelihood", self._probabilities, code)
        self.levels = levels_of(model)

    def _mean_and_log_var(self, x: Any) -> tuple[Any, Any]:
        q = self.model.posterior(x)
        return q.mean, q.log_var

    def _probabilities(self, z: Any) -> Any:
        return self._level_probabilities(self.model.decode_params(z))

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, int]:
        """Images of levels as words of 32 bits, and the reserve that `decode` needs to know."""
        for reserve in range(12):
            stack = entropy_coders().stack.AnsCoder(self.start(reserve))
            if all(self._push(stack, x[block]) for block in self._blocks(len(x), reserve)):
                return stack.get_compressed(), reserve
        raise errors.InputError("The codes need more bits than the images yield. Is this the data of the model?")

    def decode(self, words: np.ndarray, n: int, reserve: int) -> np.ndarray | None:
        """`n` images; None where the words are not those that this model makes of images on this machine."""
        stack = entropy_coders().stack.AnsCoder(words)
        x = np.empty((n, *self.model.event_shape), "uint16")
        for block in reversed([*self._blocks(n, reserve)]):
            x[block] = self._pop(stack, block.stop - block.start)
        return x if np.array_equal(stack.get_compressed(), self.start(reserve)) else None

    def numerics(self) -> str:
        """A hash of what the networks give on this machine: where it differs, other probabilities were coded with."""
        random = np.random.default_rng(0)
        x = random.integers(self.levels, size=(self.batch_size, *self.model.event_shape))
        z = self._of_bins(random.integers(len(self.centres), size=self.batch_size * self.dimensions))
        found = hashlib.sha256()
        for array in (self._posterior_bins(x), self._observation(z)):
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def start(self, reserve: int) -> np.ndarray:
        """The words that a stack starts with: the first code is chosen by them."""
        words = (-(-self.dimensions * self.latent_bits // WORD) + 2) << reserve
        return np.random.default_rng(0).integers(1, 2**WORD, size=words, dtype="uint32")

    def _blocks(self, n: int, reserve: int) -> Iterator[slice]:
        """Which images go together: the more are coded already, the more."""
        done = 0
        while done < n:
            size = min(self.batch_size, max(done >> (reserve + 2), 1), n - done)
            yield slice(done, done + size)
            done += size

    def _push(self, stack: Any, x: np.ndarray) -> bool:
        """Codes images; False if the stack had not enough bits."""
        bins = stack.decode(_categorical(), self._posterior_bins(x))
        if stack.num_words() < 2:
            return False
        stack.encode_reverse(x.astype("int32").ravel(), _categorical(), self._observation(self._of_bins(bins)))
        stack.encode_reverse(bins, _uniform(len(self.centres)))
        return True

    def _pop(self, stack: Any, n: int) -> np.ndarray:
        """The inverse of `_push`."""
        bins = stack.decode(_uniform(len(self.centres)), n * self.dimensions)
        x = stack.decode(_categorical(), self._observation(self._of_bins(bins))).reshape(n, *self.model.event_shape)
        stack.encode_reverse(bins, _categorical(), self._posterior_bins(x))
        return x

    def _of_bins(self, bins: np.ndarray) -> np.ndarray:
        return self.centres[bins].reshape(-1, *self.model.latent_shape)

    def _posterior_bins(self, x: np.ndarray) -> np.ndarray:
        """q(z|x) of every interval: (n * dimensions, intervals)."""
        mean, log_var = (v.astype("float64").reshape(-1, 1) for v in self._batched(self._posterior, x))
        return np.diff(ndtr((self.edges - mean) / np.exp(0.5 * log_var)), axis=1)

    def _observation(self, z: np.ndarray) -> np.ndarray:
        """p(x|z) of every level of every value: (n * values, levels)."""
        (found,) = self._batched(lambda z: [self._likelihood(z)], z)
        return found.reshape(-1, self.levels)

    def _batched(self, function: Any, x: np.ndarray) -> list[np.ndarray]:
        """What a network gives for at most `batch_size` examples, always asked for as many."""
        padded = np.resize(x, (self.batch_size, *x.shape[1:])).astype("float32")
        return [ops.convert_to_numpy(found)[: len(x)] for found in function(ops.convert_to_tensor(padded))]


def check_model(model: Any) -> None:
    """Raises InputError unless a model has what bits-back coding takes."""
    likelihood = getattr(model, "likelihood", None)
    what = (
        (isinstance(model, Autoencoder), "is no model of keras_ae"),
        (hasattr(model, "posterior"), "is deterministic: lossless compression takes a variational model"),
        (not getattr(model, "conditional", False), "is conditional, and the file would have to hold the conditions"),
        (type(getattr(model, "prior", None)) is StandardNormal, "has another p(z) than N(0, I)"),
        (
            not getattr(model, "autoregressive", False),
            "is autoregressive: values must be independent given z",
        ),
        (getattr(model, "lower_head", None) is None, "has a full posterior: compression takes posterior='diagonal'"),
        (
            bool(getattr(likelihood, "discrete", False)) and not getattr(likelihood, "one_hot", False),
            f"has the likelihood {type(likelihood).__name__}: train it with one of whole numbers, 'bernoulli' or "
            f"{', '.join(map(repr, likelihoods.OF_LEVELS))}",
        ),
    )
    for holds, complaint in what:
        if not holds:
            raise errors.InputError(f"{type(model).__name__} cannot compress: it {complaint}.")


def levels_of(model: Autoencoder) -> int:
    """How many levels the values of a model's examples have."""
    return 2 if isinstance(model.likelihood, likelihoods.Bernoulli) else model.likelihood.levels


def _categorical() -> Any:
    return entropy_coders().model.Categorical(perfect=False)


def _uniform(size: int) -> Any:
    return entropy_coders().model.Uniform(size)


def entropy_coders() -> Any:
    """The entropy coders of the package constriction."""
    try:
        import constriction
    except ImportError as error:
        raise errors.InputError("Compression needs a package: pip install 'keras-ae[compress]'.") from error
    return constriction.stream
