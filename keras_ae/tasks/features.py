"""The encoder as a feature extractor: what any of its layers, or the code, says of x."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae import backend, errors
from keras_ae.checks import Count, checked
from keras_ae.models import Autoencoder, Variational, inputs
from keras_ae.networks import common

POOLINGS = ("average", "max", "flat")


@checked
def feature_layers(model: Autoencoder) -> dict[str, tuple[int, ...]]:
    """The encoder's layers, in order: name -> shape of the features of one example.

    Example:
        >>> import keras_ae
        >>> list(feature_layers(keras_ae.create("ae", (8, 8, 1), 3, network="conv")).values())
        [(4, 4, 32), (2, 2, 64), (256,), (256,)]
    """
    _check(model)
    return {layer.name: tuple(layer.output.shape[1:]) for layer in _layers(model)}


@checked
def feature_extractor(model: Autoencoder, layer: str | int | None = None, pooling: str | None = None) -> keras.Model:
    """The encoder up to a layer, as an ordinary Keras model that shares the autoencoder's weights.

    Features in the middle of the encoder are wider and often better for another task than the code (Coates, Ng and Lee,
    2011, AISTATS). Called without `training=True`, as `predict` does, the model is deterministic: nothing is corrupted,
    dropped or sampled. `copy.deepcopy` makes one with weights of its own.

    Args:
        model: any trained autoencoder.
        layer: name of a layer of the encoder, or its position in `feature_layers(model)` (-1: the last); None for the
            code (of a variational model the mean of q(z|x)).
        pooling: `"average"` or `"max"` over the axes between the first and the last (which changes nothing of vectors),
            `"flat"` for one vector per example, or None for features as they are.

    Returns:
        A `keras.Model` from x, (batch, *event), to features; of a conditional model from [x, condition], the condition
        as vectors, (batch, condition_dim).

    Raises:
        InputError: there is no such layer or pooling.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", (8, 8, 1), latent_dim=3, network="conv")
        >>> feature_extractor(model).output_shape, feature_extractor(model, layer=0, pooling="max").output_shape
        ((None, 3), (None, 32))
    """
    _check(model)
    if pooling is not None and pooling not in POOLINGS:
        raise errors.unknown("pooling", pooling, POOLINGS)
    x = keras.Input(model.event_shape, name="x")
    condition = keras.Input((model.condition_dim,), name="condition") if model.conditional else None
    encoder = model.encoder
    if layer is None:
        head = model.mean_head if isinstance(model, Variational) else model.code_head
        values = head(model.features(x, condition=condition))
    else:
        values = _up_to(encoder, _find(model, layer))(_encoder_inputs(model, x, condition))
    axes = tuple(range(1, len(values.shape) - 1))
    if pooling == "flat":
        values = common.flat(values)
    elif pooling and axes:
        values = {"average": ops.mean, "max": ops.max}[pooling](values, axis=axes)
    return keras.Model([x, condition] if model.conditional else x, values, name="features")


@checked
def features(
    model: Autoencoder,
    x: Any,
    layer: str | int | None = None,
    pooling: str | None = None,
    batch_size: Count | None = None,
    condition: Any = None,
) -> np.ndarray:
    """The features of x, as arrays: (n, *event) -> (n, ...) in float32.

    Args:
        model, layer, pooling: see `feature_extractor`.
        x: (n, *event).
        batch_size: examples at a time; None for `model.rows_at_once()`.
        condition: of each example, for a conditional model: classes or vectors. A semi-supervised model takes the
            most probable class where none is given.

    Raises:
        InputError: see `feature_extractor`; or x or condition does not fit the model.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("ae", (8, 8, 1), latent_dim=3, network="conv")
        >>> features(model, np.zeros((5, 8, 8, 1)), layer=1, pooling="flat").shape
        (5, 256)
    """
    extractor = feature_extractor(model, layer, pooling)
    x = inputs.check_x(model, x, explained=not model.accepts_noise)
    if condition is None and model.infers_condition:
        condition = model.over_batches("most_probable", x, batch_size)
    arrays = [array for array in (x, inputs.check_condition(model, condition, len(x))) if array is not None]

    def function(*tensors: Any) -> Any:
        return ops.cast(extractor(list(tensors) if model.conditional else tensors[0]), "float32")

    signature = [keras.KerasTensor((None, *array.shape[1:]), "float32") for array in arrays]
    compiled = model.compiled_once(f"features {layer!r} {pooling}", function, *signature)
    return backend.over_rows(compiled, arrays, model.rows_at_once(batch_size))


def _check(model: Any) -> None:
    if not isinstance(model, Autoencoder):
        raise errors.InputError(f"model must be a model of keras_ae. Received: {type(model).__name__}.")


def _layers(model: Autoencoder) -> list[keras.layers.Layer]:
    return [layer for layer in model.encoder.layers if not isinstance(layer, keras.layers.InputLayer)]


def _find(model: Autoencoder, layer: str | int) -> keras.layers.Layer:
    """A layer of the encoder by name or position."""
    layers = _layers(model)
    if isinstance(layer, int) and not isinstance(layer, bool) and -len(layers) <= layer < len(layers):
        return layers[layer]
    by_name = {found.name: found for found in layers}
    if layer not in by_name:
        raise errors.unknown("layer of the encoder (None: the code)", layer, by_name)
    return by_name[layer]


def _up_to(encoder: keras.Model, last: keras.layers.Layer) -> keras.Model:
    """The encoder up to a layer. The layer's own `output` may be of another network, which shares its layers."""
    found = []

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        values = layer(*args, **kwargs)
        if layer is last:
            found.append(values)
        return values

    functional = keras.Model(encoder.inputs, encoder.outputs)
    again = keras.models.clone_model(functional, clone_function=lambda layer: layer, call_function=call)
    return keras.Model(again.inputs, found[0], name="encoder")


def _encoder_inputs(model: Autoencoder, x: Any, condition: Any) -> Any:
    """x as the encoder sees it: NaN, where it may stand for missing values, as 0; levels scaled; with the condition."""
    if model.accepts_missing:
        x = ops.where(ops.isnan(x), 0.0, x)
    x = model.likelihood.encoder_input(x)
    return [x, condition] if model.conditional else x
