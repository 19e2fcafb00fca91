"""What an export answers."""

from collections.abc import Callable
from typing import Any

import keras

from keras_ae import backend
from keras_ae.checks import Count, checked
from keras_ae.distributions import likelihoods
from keras_ae.models.base import Autoencoder

SCORE_DRAWS = 16
VALUES = 2**27  # of the largest layer, for one request: 512 MiB


def default_limit(model: Autoencoder) -> int:
    """How many rows a request may have: as many as give the largest layer `VALUES` values.

    >>> import keras_ae
    >>> default_limit(keras_ae.create("ae", input_shape=(28, 28, 1), latent_dim=2))
    171196
    """
    return max(1, VALUES // model.largest_layer())


@checked
def endpoints(model: Autoencoder, limit: Count | None = None) -> dict[str, tuple[Any, list[keras.InputSpec]]]:
    """Name -> (function, signature) of everything that an export answers.

    Args:
        model: any model of the zoo.
        limit: most rows of a request, and most examples of `sample`; a 16th of it for `score`, which draws 16 codes
            for each row. More are an error. None for no limit.

    >>> import keras_ae
    >>> sorted(endpoints(keras_ae.create("ae", input_shape=(4,), latent_dim=2)))
    ['decode', 'encode', 'reconstruct', 'score', 'serving_default']
    """

    def spec(name: str, shape: tuple, dtype: str = "float32") -> keras.InputSpec:
        return keras.InputSpec(shape=shape, dtype=dtype, name=name)

    x = spec("x", (None, *model.event_shape))
    code = spec("code", (None, *model.latent_shape))
    seed, n = spec("seed", (), "int32"), spec("n", (), "int32")
    given = [spec("condition", (None, model.condition_dim))] if model.conditional else []
    with_x = [] if model.infers_condition else given

    def reconstruct(x: Any, *condition: Any) -> dict[str, Any]:
        return {"reconstruction": model.reconstruct_mean(x, *condition)}

    def encode(x: Any, condition: Any = None) -> dict[str, Any]:
        return {"code": model.code(x, condition=condition)}

    def decode(code: Any, *condition: Any) -> dict[str, Any]:
        return {"reconstruction": model.decode_mean(code, *condition)}

    def score(x: Any, seed: Any, condition: Any = None) -> dict[str, Any]:
        batch = model.pack((x,))._replace(condition=condition)
        return {"score": model.score(batch, backend.KeyedSeed(seed), SCORE_DRAWS)}

    def sample(n: Any, seed: Any, *condition: Any) -> dict[str, Any]:
        return {"x": model.decode_mean(model.draw_codes(n, backend.KeyedSeed(seed), *condition), *condition)}

    found = {
        "serving_default": (reconstruct, [x, *with_x]),
        "reconstruct": (reconstruct, [x, *with_x]),
        "encode": (encode, [x, *with_x]),
        "decode": (decode, [code, *given]),
        "score": (score, [x, seed, *with_x]),
    }
    found |= {name: (function, [x]) for name, function in model.own_signatures().items()}
    if model.has_prior:
        found["sample"] = (sample, [n, seed, *given])
    if limit is None:
        return found
    return {name: (_guarded(model, name, *parts, limit), parts[1]) for name, parts in found.items()}


def _guarded(model: Autoencoder, name: str, function: Callable, specs: list[keras.InputSpec], limit: int) -> Callable:
    """A function of tensors that computes nothing of a request with too many rows, or with values that mean nothing
    where looking at them costs nothing: codes, conditions, and the x of `score`. The error goes to the client, where a
    server would run out of memory and end, or answer with a number that means nothing."""
    import tensorflow as tf

    most = max(1, limit // SCORE_DRAWS) if name == "score" else limit

    def guarded(*tensors: Any) -> Any:
        rows = tf.shape(tensors[0])[0] if len(tensors[0].shape) else tensors[0]  # of `sample`, n
        checks = [
            (rows <= most, f"{name}: at most {most} rows in one request, ask for fewer at a time. Received:", rows)
        ]
        for spec, tensor in zip(specs, tensors, strict=True):
            if spec.name in ("code", "condition"):
                checks.append((tf.math.is_finite(tensor), f"{name}: {spec.name} has values that are not finite", ""))
            if spec.name == "x" and name == "score":
                checks.append((_explained(model, tensor), f"{name}: x has values that the model cannot explain", ""))
        asserts = [tf.raw_ops.Assert(condition=tf.reduce_all(fine), data=[text, got]) for fine, text, got in checks]
        with tf.control_dependencies(asserts):
            return function(*map(tf.identity, tensors))

    return guarded


def _explained(model: Autoencoder, x: Any) -> Any:
    """Whether each value of a tensor is one that the model's likelihood can explain, or may be missing."""
    import tensorflow as tf

    levels = getattr(model.likelihood, "levels", None)
    if levels is not None and not getattr(model.likelihood, "one_hot", False):
        fine = (x >= 0) & (x <= levels - 1)
    elif levels is not None or isinstance(model.likelihood, likelihoods.Bernoulli):
        fine = (x >= 0) & (x <= 1)
    else:
        fine = tf.math.is_finite(x)
    return fine | tf.math.is_nan(x) if model.accepts_missing else fine
