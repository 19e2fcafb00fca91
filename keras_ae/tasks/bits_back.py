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
RESERVES = 12  # how often the words that a stack starts with are doubled, at most
TINY = 1e-30  # of tables whose probabilities are all 0 otherwise
Tables = Callable[[np.ndarray | None], np.ndarray]  # of the low digit given the high one; with None of the high one


class Digits:
    """Whole numbers k below `size` as two digits, whose tables of probabilities are short.

        k = base high + low,    p(k) = p(high) p(low | high),    base = sqrt(size), rounded up

    Args:
        size: how many numbers there are.
        base: `size` for one digit alone.
    """

    def __init__(self, size: int, base: int | None = None) -> None:
        self.size, self.base = size, base or math.isqrt(size - 1) + 1
        self.two = self.base < size

    def edges(self, high: Any = None) -> Any:
        """The numbers between which a digit lies: base apart, or (..., base + 1) of the ones that begin with `high`."""
        if high is None:
            return np.minimum(np.arange(0, self.size + self.base, self.base), self.size)
        return (high[..., None] * self.base + np.arange(self.base + 1)).clip(max=self.size)

    def push(self, stack: Any, k: np.ndarray, tables: Tables) -> None:
        """Codes numbers, (n,)."""
        high, low = np.divmod(k.astype("int32"), self.base)
        stack.encode_reverse(low, _categorical(), tables(high))
        if self.two:
            stack.encode_reverse(high, _categorical(), tables(None))

    def pop(self, stack: Any, n: int, tables: Tables) -> np.ndarray:
        """The inverse of `push`."""
        high = stack.decode(_categorical(), tables(None)) if self.two else np.zeros(n, "int32")
        return self.base * high + stack.decode(_categorical(), tables(high))


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
        self.code = Digits(bins)
        # Two digits where sums over levels are cheap.
        self.value = Digits(self.levels, None if isinstance(model.likelihood, Quantized) else self.levels)
        shapes = model.event_shape, model.latent_shape, (None,), (None,)
        event, code, params, high = (keras.KerasTensor((None, *shape), "float32") for shape in shapes)
        self._posterior = model.compiled_once("bits_back_posterior", self._mean_and_log_var, event)
        self._first_table, self._second_table = backend.fused(self._first), backend.fused(self._second)
        self._params_and_table = model.compiled_once("bits_back_first", self._decode, code)
        self._low_table = model.compiled_once("bits_back_second", lambda *at: [self._second_table(*at)], params, high)

    def _mean_and_log_var(self, x: Any) -> tuple[Any, Any]:
        q = self.model.posterior(x)
        return q.mean, q.log_var

    def _decode(self, z: Any) -> tuple[Any, Any]:
        """Parameters of p(x|z), and the table of the first digit of every value."""
        params = self.model.decode_params(z)
        params = ops.reshape(params, (ops.shape(params)[0], -1))
        return params, self._first_table(params)

    def _first(self, params: Any) -> Any:
        if not self.value.two:
            return self.model.likelihood.probabilities(params)
        return self.model.likelihood.masses(params, self.value.edges().astype("float32")) + TINY

    def _second(self, params: Any, high: Any) -> Any:
        edges = ops.expand_dims(high * self.value.base, -1) + np.arange(self.value.base + 1, dtype="float32")
        return self.model.likelihood.masses(params, ops.minimum(edges, self.value.size)) + TINY

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, int]:
        """Images of levels as words of 32 bits, and the reserve that `decode` needs to know."""
        for reserve in range(RESERVES):
            stack = entropy_coders().stack.AnsCoder(self.start(reserve))
            if all(self._push(stack, x[block]) for block in self._blocks(len(x), reserve)):
                return stack.get_compressed(), reserve
        raise errors.InputError("The codes need more bits than the images yield. Is this the data of the model?")

    def decode(self, words: np.ndarray, n: int, reserve: int) -> np.ndarray | None:
        """`n` images; None where the words are not those that this model makes of images on this machine."""
        if len(words) and words[-1] == 0:  # no stack ends so
            return None
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
        for digits, k, tables in ((self.code, bins, self._of_code(x)), (self.value, x.ravel(), self._of_value(bins))):
            for high in (None, k // digits.base):
                found.update(np.ascontiguousarray(tables(high)).tobytes())
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
        bins = self.code.pop(stack, len(x) * self.dimensions, self._of_code(x))
        if stack.num_words() < 2:
            return False
        self.value.push(stack, x.ravel(), self._of_value(bins))
        stack.encode_reverse(bins, _uniform(self.code.size))
        return True

    def _pop(self, stack: Any, n: int) -> np.ndarray:
        """The inverse of `_push`."""
        bins = stack.decode(_uniform(self.code.size), n * self.dimensions)
        x = self.value.pop(stack, n * math.prod(self.model.event_shape), self._of_value(bins))
        x = x.reshape(n, *self.model.event_shape)
        self.code.push(stack, bins, self._of_code(x))
        return x

    def _of_code(self, x: np.ndarray) -> Tables:
        """q(z|x) of the intervals of all dimensions of the codes of images."""
        mean, log_var = (v.astype("float64").reshape(-1, 1) for v in self._batched(self._posterior, x))
        scale = np.exp(0.5 * log_var)
        return lambda high: np.diff(ndtr((self.edges[self.code.edges(high)] - mean) / scale), axis=-1) + TINY

    def _of_value(self, bins: np.ndarray) -> Tables:
        """p(x|z) of the levels of all values of images, of the intervals of their codes."""
        z = self.centres[bins].reshape(-1, *self.model.latent_shape)
        params, first = self._batched(self._params_and_table, z)

        def tables(high: np.ndarray | None) -> np.ndarray:
            table = first
            if high is not None and self.value.two:
                (table,) = self._batched(self._low_table, params, high.reshape(len(z), -1))
            return table.reshape(-1, table.shape[-1])

        return tables

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
