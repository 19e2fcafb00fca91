"""Bits-back coding with asymmetric numeral systems (BB-ANS; Townsend et al., 2019, arXiv:1901.04866, sec. 2.4)."""

import hashlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.special import ndtr, ndtri

from keras_ae import backend, errors
from keras_ae.distributions import StandardNormal, likelihoods
from keras_ae.distributions.levels import Quantized
from keras_ae.models import Autoencoder

WORD = 32  # bits
Masses = Callable[[np.ndarray], np.ndarray]  # edges: P(edges[..., i] <= k < edges[..., i + 1]), (..., edges - 1)


class Digits:
    """Whole numbers k below `size` as two digits, whose tables of probabilities are short.

        k = base high + low,    p(k) = p(high) p(low | high),    base = sqrt(size), rounded up

    Args:
        size: how many numbers there are.
        base: `size` for one digit alone.
    """

    def __init__(self, size: int, base: int | None = None) -> None:
        self.size, self.base = size, base or math.isqrt(size - 1) + 1

    def high(self) -> np.ndarray:
        """The edges between high digits, base apart."""
        return np.minimum(np.arange(0, self.size + self.base, self.base), self.size)

    def low(self, high: Any) -> np.ndarray:
        """The edges between the numbers that begin with a high digit: (..., base + 1)."""
        return np.minimum(np.asarray(high)[..., None] * self.base + np.arange(self.base + 1), self.size)

    def push(self, stack: Any, k: np.ndarray, masses: Masses) -> None:
        """Codes numbers, (n,), of the distributions `masses`."""
        high, low = np.divmod(k.astype("int32"), self.base)
        stack.encode_reverse(low, _categorical(), masses(self.low(high)))
        if self.base < self.size:
            stack.encode_reverse(high, _categorical(), masses(self.high()))

    def pop(self, stack: Any, masses: Masses) -> np.ndarray:
        """The inverse of `push`."""
        high = stack.decode(_categorical(), masses(self.high())) if self.base < self.size else np.zeros(1, "int32")
        return self.base * high + stack.decode(_categorical(), masses(self.low(high)))


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
        self.levels, bins = levels_of(model), 2**latent_bits
        self.edges = ndtri(np.arange(bins + 1) / bins)
        self.centres = ndtri((np.arange(bins) + 0.5) / bins).astype("float32")
        shapes = model.event_shape, model.latent_shape
        event, code = (keras.KerasTensor((None, *shape), "float32") for shape in shapes)
        self.code = Digits(bins)
        event, code, params, edges = (
            keras.KerasTensor(shape, "float32")
            for shape in ((None, *model.event_shape), (None, *model.latent_shape), (None, None), (None, None, None))
        )
        self._posterior = model.compiled_once("bits_back_posterior", self._mean_and_log_var, event)
        self._params = model.compiled_once("bits_back_params", self._flat_params, code)
        # Short tables where sums of levels are cheap, and otherwise one of all levels.
        if isinstance(model.likelihood, Quantized):
            self.value, masses = Digits(self.levels), backend.fused(model.likelihood.masses)
            self._masses = model.compiled_once("bits_back_masses", lambda *tensors: [masses(*tensors)], params, edges)
        else:
            self.value, table = Digits(self.levels, self.levels), backend.fused(model.likelihood.probabilities)
            self._table = model.compiled_once("bits_back_table", lambda params: [table(params)], params)

    def _mean_and_log_var(self, x: Any) -> tuple[Any, Any]:
        q = self.model.posterior(x)
        return q.mean, q.log_var

    def _flat_params(self, z: Any) -> list[Any]:
        params = self.model.decode_params(z)
        return [ops.reshape(params, (ops.shape(params)[0], -1))]

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
        bins = random.integers(self.code.size, size=self.batch_size * self.dimensions)
        x = random.integers(self.levels, size=(self.batch_size, *self.model.event_shape))
        found = hashlib.sha256()
        for digits, k, masses in ((self.code, bins, self._of_code(x)), (self.value, x.ravel(), self._of_value(bins))):
            for edges in (digits.high(), digits.low(k // digits.base)):
                found.update(np.ascontiguousarray(masses(edges)).tobytes())
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
        bins = self.code.pop(stack, self._of_code(x))
        if stack.num_words() < 2:
            return False
        self.value.push(stack, x.ravel(), self._of_value(bins))
        stack.encode_reverse(bins, _uniform(self.code.size))
        return True

    def _pop(self, stack: Any, n: int) -> np.ndarray:
        """The inverse of `_push`."""
        bins = stack.decode(_uniform(self.code.size), n * self.dimensions)
        x = self.value.pop(stack, self._of_value(bins)).reshape(n, *self.model.event_shape)
        self.code.push(stack, bins, self._of_code(x))
        return x

    def _of_code(self, x: np.ndarray) -> Masses:
        """q(z|x) of the intervals of all dimensions of the codes of images."""
        mean, log_var = (v.astype("float64").reshape(-1, 1) for v in self._batched(self._posterior, x))
        return lambda edges: np.diff(ndtr((self.edges[edges] - mean) / np.exp(0.5 * log_var)), axis=-1) + 1e-200

    def _of_value(self, bins: np.ndarray) -> Masses:
        """p(x|z) of the levels of all values of images, of the intervals of their codes."""
        z = self.centres[bins].reshape(-1, *self.model.latent_shape)
        (params,) = self._batched(self._params, z)
        if self.value.base == self.value.size:
            (table,) = self._batched(self._table, params)
            return lambda edges: table.reshape(-1, self.levels)
        values = params.shape[1] // self.model.likelihood.parameters

        def masses(edges: np.ndarray) -> np.ndarray:
            every = np.broadcast_to(edges, (len(z) * values, edges.shape[-1])).reshape(len(z), values, -1)
            (found,) = self._batched(self._masses, params, every)
            return found.reshape(-1, found.shape[-1]) + 1e-30

        return masses

    def _batched(self, function: Callable, *arrays: np.ndarray) -> list[np.ndarray]:
        """What a function of tensors gives for at most `batch_size` examples, always asked for as many."""
        padded = [np.resize(a, (self.batch_size, *a.shape[1:])).astype("float32") for a in arrays]
        results = function(*map(ops.convert_to_tensor, padded))
        return [ops.convert_to_numpy(found)[: len(arrays[0])] for found in results]


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
