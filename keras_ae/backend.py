"""The few things that `keras.ops` lacks, once per backend."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice, takewhile
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_ae import errors

AT_A_TIME = 3  # batches under way: one is copied by one core while others are computed
SEED_DTYPE = {"tensorflow": "int64", "jax": "uint32"}


class KeyedSeed(keras.random.SeedGenerator):
    """A seed for `keras.random` whose state is a tensor instead of a variable.

    Random numbers drawn with it are a function of `key` alone, so they can be part of a compiled function or of an
    exported graph, and the same key gives the same numbers in every process.

    Args:
        key: an integer, or a scalar integer tensor.
        draws: how many draws of the key's sequence are skipped; in a compiled loop, a function of its counter.
    """

    def __init__(self, key: Any, draws: Any = 0) -> None:
        self.key = ops.cast(key, SEED_DTYPE[keras.backend.backend()])
        self.draws = draws

    def next(self, ordered: bool = True) -> Any:
        """The next seed: a vector of the key and the number of draws so far."""
        self.draws += 1
        return ops.stack([self.key, ops.cast(self.draws, self.key.dtype)])


def seed_of(seed: int | None) -> int:
    """Returns `seed`, or draws one from NumPy's global generator, which `keras.utils.set_random_seed` fixes."""
    return int(np.random.randint(2**31)) if seed is None else errors.whole_number("seed", seed, least=0)


@contextlib.contextmanager
def dtype_policy(name: str | None) -> Iterator[None]:
    """Layers made within have this policy; None leaves Keras' own."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def compiled(model: keras.Model, function: Callable, *signature: keras.KerasTensor) -> Callable:
    """`function` of tensors compiled for the backend, reading the current variables of `model` at each call.

    Randomness inside it must come from a `KeyedSeed`: on JAX, changes of variables are dropped.

    Args:
        model: whose variables the function reads.
        function: of as many tensors as `signature` has.
        signature: shape and dtype of each tensor; None for axes whose length varies.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, input_signature=[tf.TensorSpec(t.shape, t.dtype) for t in signature])
    if keras.backend.backend() == "jax":
        import jax

        @jax.jit
        def stateless(values: list, *tensors: Any) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(model.variables, values, strict=True))):
                return function(*tensors)

        return lambda *tensors: stateless([variable.value for variable in model.variables], *tensors)
    return function


def fused(function: Callable) -> Callable:
    """A function of tensors for use inside `compiled` ones, as few kernels: under TensorFlow, XLA compiles it.

    It pays where many cheap operations follow each other on large tensors. Under JAX all of `compiled` is compiled so.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    return function


def in_parallel(function: Callable, items: Iterable, threads: int = AT_A_TIME) -> Iterator[Any]:
    """`map` in threads, in order, with few results in memory. Scopes of the caller's thread, as `keras.device`, do not
    reach the function."""
    items = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(function, item) for item in islice(items, threads)]
        while waiting:
            found = waiting.pop(0).result()
            waiting += [pool.submit(function, item) for item in islice(items, 1)]
            yield found


def over_rows(function: Callable, arrays: Sequence[np.ndarray], batch_size: int) -> Any:
    """A function of float32 tensors applied to the rows of arrays, in batches, `AT_A_TIME` of them under way; an array,
    or whatever structure of arrays the function gives. What a batch gives is copied once, to its place, and let go."""
    found: Any = None
    batches = [slice(start, start + batch_size) for start in range(0, len(arrays[0]), batch_size)]

    def of_batch(rows: slice) -> Any:
        return tree.map_structure(np.asarray, function(*(ops.cast(array[rows], "float32") for array in arrays)))

    parts = in_parallel(of_batch, batches) if len(batches) > 1 else map(of_batch, batches)  # threads take time to start
    for rows, part in zip(batches, parts, strict=True):
        if found is None:
            found = tree.map_structure(lambda a: np.empty((len(arrays[0]), *a.shape[1:]), a.dtype), part)
        for whole, values in zip(tree.flatten(found), tree.flatten(part), strict=True):
            whole[rows] = values
    return found


def log_gamma(x: Any) -> Any:
    """log Gamma(x), of positive tensors."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.math.lgamma(ops.convert_to_tensor(x))
    import jax

    return jax.scipy.special.gammaln(x)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of the backend says that memory ran out."""
    return isinstance(error, MemoryError) or any(
        words in f"{type(error).__name__}: {error}" for words in ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM when")
    )


def prefers_jit() -> str | bool:
    """Keras' `jit_compile` that is fastest by default: XLA costs a small model on a CPU under TensorFlow more in
    compilation and parallelism than it gains."""
    return False if is_tensorflow_on_cpu() else "auto"


def is_tensorflow_on_cpu() -> bool:
    """Whether the backend is TensorFlow, and there is no GPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def uses_onednn() -> bool | None:
    """Whether TensorFlow computes with oneDNN, which rounds otherwise; None on other backends."""
    if keras.backend.backend() != "tensorflow":
        return None
    from tensorflow.python.util import _pywrap_util_port  # nothing public says what was found at import

    return bool(_pywrap_util_port.IsMklEnabled())


def on_accelerator() -> bool:
    """Whether JAX is the backend and computes on a GPU or TPU, one device of it."""
    if keras.backend.backend() != "jax" or keras.distribution.distribution() is not None:
        return False
    import jax

    return jax.default_backend() != "cpu"


def fits_on_accelerator(x: np.ndarray) -> bool:
    """Whether an array takes less than a quarter of an accelerator's memory."""
    if not on_accelerator():
        return False
    import jax

    return 4 * x.nbytes < (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", 0)


def scanned(step: Callable) -> Callable:
    """Many steps as one call of JAX, since on an accelerator a call takes more time than a step of a small model.

    Args:
        step: a compiled function (state, batch) -> (logs, state).

    Returns:
        A function (state, batches) -> (state, a list of the last step's logs, the batches that are left): a last one of
        another shape; all, where more than that differ.
    """
    import jax

    @partial(jax.jit, donate_argnums=0)
    def several(state: Any, batches: list) -> Any:
        def body(state: Any, batch: Any) -> Any:
            logs, state = step(state, batch)
            return state, logs

        stacked = tree.map_structure(lambda *arrays: jax.numpy.stack(arrays), *batches)
        state, logs = jax.lax.scan(body, state, stacked)
        return state, [tree.map_structure(lambda values: values[-1], logs)]

    def together(state: Any, batches: list) -> tuple[Any, list, list]:
        shapes = [[array.shape for array in tree.flatten(batch)] for batch in batches]
        alike = sum(1 for _ in takewhile(lambda shape: shape == shapes[0], shapes))
        if not 1 < alike >= len(batches) - 1:
            return state, [], batches
        return (*several(state, batches[:alike]), batches[alike:])

    return together


def replicas() -> int:
    """Number of devices that TensorFlow's current strategy trains on; 1 without a strategy and on other backends."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def is_under_strategy(model: keras.Model) -> bool:
    """Whether a model was made under a TensorFlow strategy."""
    return getattr(model, "_distribute_strategy", None) is not None


class _OfReplica(keras.random.SeedGenerator):
    """The draws of a seed generator, offset by the number of the replica."""

    def __init__(self, seed: keras.random.SeedGenerator) -> None:
        self.seed = seed

    def next(self, ordered: bool = True) -> Any:
        import tensorflow as tf

        key, draw = ops.unstack(self.seed.next(ordered))
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return ops.stack([key + ops.cast(replica, key.dtype), draw])


def of_replica(seed: keras.random.SeedGenerator) -> keras.random.SeedGenerator:
    """`seed` for `keras.random`, such that every replica of a TensorFlow strategy draws noise of its own.

    Keras gives each replica the same state of a seed generator, so without the replica's number all of them would
    draw the same noise.
    """
    return _OfReplica(seed) if replicas() > 1 else seed


def normal_noise(shape: Any, seed: keras.random.SeedGenerator) -> Any:
    """Standard normal noise in float32, different on every replica."""
    return keras.random.normal(shape, dtype="float32", seed=of_replica(seed))


def uniform_noise(shape: Any, seed: keras.random.SeedGenerator) -> Any:
    """Uniform noise on [0, 1) in float32, different on every replica."""
    return keras.random.uniform(shape, dtype="float32", seed=of_replica(seed))


def vjp(model: keras.Model, function: Callable, x: Any) -> tuple[Any, Callable]:
    """`function(x)`, and the vector-Jacobian product at x: v, of the shape of `function(x)`, to J^T v.

    Both can be differentiated once more with respect to the model's weights.

    Args:
        model: whose layers the function calls; what they change (random state, batch statistics) is changed once.
        function: of one tensor.
        x: where.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = function(x)
        return y, lambda v: tape.gradient(y, x, output_gradients=v)

    import jax

    before = [(variable, variable.value) for variable in model.variables]

    def stateless(x: Any) -> tuple[Any, list]:
        with keras.StatelessScope(state_mapping=before) as scope:
            y = function(x)
        return y, [scope.get_current_value(variable) for variable, _ in before]

    y, pull, after = jax.vjp(stateless, x, has_aux=True)
    for (variable, old), new in zip(before, after, strict=True):
        if new is not old:
            variable.assign(new)
    return y, lambda v: pull(v)[0]


@contextlib.contextmanager
def silent_retracing() -> Iterator[None]:
    """Without TensorFlow's warnings of retracing, where each of many fits compiles a model of its own."""
    logger = logging.getLogger("tensorflow")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
