"""What an export answers."""

from typing import Any

import keras

from keras_ae import backend
from keras_ae.checks import checked
from keras_ae.models.base import Autoencoder

SCORE_DRAWS = 16


@checked
def endpoints(model: Autoencoder) -> dict[str, tuple[Any, list[keras.InputSpec]]]:
    """Name -> (function, signature) of everything that an export answers.

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
    return found
