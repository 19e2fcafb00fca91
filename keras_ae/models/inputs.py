"""Checks of what users pass in, before anything is computed."""

import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_ae import errors
from keras_ae.models.batch import as_vectors, roles
from keras_ae.pipeline import Batches


def is_arrays(x: Any) -> bool:
    """Whether x is an array (of any library), in contrast to a data set or a generator."""
    return isinstance(x, np.ndarray | list | tuple) or (hasattr(x, "__array__") and hasattr(x, "shape"))


def as_array(x: Any, name: str, shape: tuple[int | None, ...], convert: Callable | None = None) -> np.ndarray:
    """x as a NumPy array of numbers of shape (n, *shape) with n >= 1, after `convert(array, name)` if there is one."""
    try:
        array = np.asarray(x)
    except ValueError as error:
        message = f"{name} is no array: its rows differ in shape. Received: {type(x).__name__}."
        raise errors.InputError(message) from error
    if array.dtype.kind not in "fiub":
        raise errors.InputError(f"{name} must hold numbers. Received: an array of dtype {array.dtype}.")
    array = convert(array, name) if convert else array
    if array.shape[1:] != shape or array.ndim == 0:
        hint, variable = "", name.split()[0]
        if (*array.shape[1:], 1) == shape:
            hint = f" Add the channel axis: {variable} = {variable}[..., None]."
        elif array.shape == shape:
            hint = f" For a single example add the batch axis: {variable} = {variable}[None]."
        raise errors.InputError(
            f"{name} must have the shape (n, {', '.join(map(str, shape))}). Received: {array.shape}.{hint}"
        )
    if len(array) == 0:
        raise errors.InputError(f"{name} is empty: it has the shape {array.shape}.")
    return array.astype("float32") if array.dtype.kind == "f" and array.dtype != np.float32 else array


def check_finite(array: np.ndarray, name: str, allow_nan: bool = False) -> None:
    """Raises InputError where a value is infinite, or NaN unless allowed, and says where."""
    if array.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.vdot(array, array)):  # the fastest sum that is finite only where every value is
            return
    bad = np.isinf(array) if allow_nan else ~np.isfinite(array)
    if bad.any():
        first = tuple(map(int, np.argwhere(bad)[0]))
        raise errors.InputError(
            f"{name} has {int(bad.sum())} values that are {'infinite' if allow_nan else 'infinite or not a number'}, "
            f"the first at index {first} ({array[first]}). Replace or drop them."
        )


def check_x(model: Any, x: Any, name: str = "x", explained: bool = True) -> np.ndarray:
    """x as an array that the model can take; `explained` by its likelihood, too, or only seen by its encoder."""
    array = as_array(x, name, model.event_shape, model.as_input)
    check_finite(array, name, model.accepts_missing)
    model.check_events(array, name)
    if explained:
        model.likelihood.check(array, name)
    return array


def check_fit(model: Any, x: Any, y: Any = None, sample_weight: Any = None, name: str = "x") -> tuple:
    """(x,), (x, y) or (x, y, sample_weight) as checked arrays."""
    x = check_x(model, x, name, explained=False)
    y = {key: np.asarray(value) for key, value in y.items()} if isinstance(y, dict) else y
    y = y if y is None or isinstance(y, dict) else np.asarray(y)
    named = roles(y, x, model.bare_y)
    lengths = {**{f"y[{key!r}]" if isinstance(y, dict) else "y": value for key, value in named.items()}}
    if y is not None and not isinstance(y, dict):
        lengths["y"] = y
    target, of = (named["target"], "y") if "target" in named else (x, name)
    check_x(model, target, of)
    if model.conditional:
        check_condition(model, named.get("condition"), len(x), with_x=True, least=-1 if model.infers_condition else 0)
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight)
        lengths["sample_weight"] = sample_weight
        if sample_weight.ndim != 1 or sample_weight.dtype.kind not in "fiub" or not (sample_weight >= 0).all():
            raise errors.InputError(
                f"sample_weight must hold one number of at least 0 per example. Received: shape {sample_weight.shape}, "
                f"dtype {sample_weight.dtype}" + (", with negative values or NaN." if sample_weight.ndim == 1 else ".")
            )
    for what, value in lengths.items():
        if len(value) != len(x):
            raise errors.InputError(f"{what} has {len(value)} examples, {name} has {len(x)}: they must be as many.")
    if sample_weight is not None:
        return x, x if y is None else y, sample_weight
    return (x,) if y is None else (x, y)


def check_class_weight(y: Any) -> None:
    """Keras looks up the weight of each example's class in y: it must hold classes."""
    classes = None if y is None or isinstance(y, dict) else np.asarray(y)
    if classes is None or classes.dtype.kind not in "iub" or classes.ndim > 2:
        received = f"y={y}" if y is None else "y is a dict" if classes is None else f"{classes.dtype} {classes.shape}"
        raise errors.InputError(
            f"class_weight needs the class of each example as y: integers of shape (n,). Received: {received}. "
            "sample_weight weighs examples of any data."
        )


def check_first_batch(model: Any, data: Any, name: str) -> None:
    """Checks what can be checked of a data set without consuming it: its first batch."""
    if hasattr(data, "element_spec"):
        first = next(iter(data.take(1)), None)
    elif isinstance(data, keras.utils.PyDataset):
        first = data[0]
    else:
        return
    if first is None:
        raise errors.InputError(f"{name} is an empty data set.")
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(first)
    check_fit(model, x, y, sample_weight, f"{name} (its first batch)")


def first_examples(data: Any, n: int) -> np.ndarray | None:
    """All x in memory, or those of the first n examples (or a few more) of a data set; None for a generator, which can
    be read once only."""
    if isinstance(data, Batches):
        return data.arrays[0]
    if isinstance(data, keras.utils.PyDataset):
        data = (data[i] for i in range(len(data)))
    elif not hasattr(data, "element_spec"):
        return None
    found: list[np.ndarray] = []
    for batch in data:
        found.append(np.asarray(keras.utils.unpack_x_y_sample_weight(batch)[0]))
        if sum(map(len, found)) >= n:
            break
    return np.concatenate(found)


def check_condition(model: Any, condition: Any, n: int, with_x: bool = False, least: int = 0) -> np.ndarray | None:
    """The conditions of `n` examples as vectors, (n, condition_dim); None for a model without condition, and if the
    model infers what is not given.

    Args:
        model: any model.
        condition: one class, n classes, one vector or n vectors.
        n: number of examples.
        with_x: whether there is an x to infer the condition from.
        least: the least class; -1 where it may be unknown.
    """
    name = type(model).__name__
    if not model.conditional:
        if condition is not None:
            raise errors.InputError(f"{name} takes no condition. Use a conditional model such as ConditionalVAE.")
        return None
    size = model.condition_dim
    if condition is None:
        if with_x and model.infers_condition:
            return None
        raise errors.InputError(
            f"{name} needs a condition for each example: classes from 0 to {size - 1}, or vectors of {size} numbers. "
            "Pass it as y to fit and evaluate, as condition=... to encode, decode, reconstruct and sample."
        )
    array = np.asarray(condition)
    if array.shape in ((), (size,)) and array.shape != (n,):
        array = np.broadcast_to(array, (n, *array.shape))
    vectors = array.shape == (n, size)
    if array.dtype.kind not in "fiub" or (not vectors and array.shape not in ((n,), (n, 1))):
        raise errors.InputError(
            f"The condition must be {n} classes, shape ({n},), or {n} vectors, shape ({n}, {size}). Received: shape "
            f"{array.shape}, dtype {array.dtype}."
        )
    check_finite(array, "The condition")
    if not vectors and (array.min() < least or array.max() >= size or (array != np.round(array)).any()):
        raise errors.InputError(
            f"The condition must hold classes from {least} to {size - 1}. Received: values from {array.min()} to "
            f"{array.max()}."
        )
    return np.asarray(as_vectors(array, size))


def check_networks(encoder: Any, decoder: Any, latent_shape: tuple[int, ...], model: Any) -> int:
    """Raises InputError unless encoder and decoder are built, have the right inputs and one output, and fit the code.

    Args:
        encoder, decoder: what the user gave.
        latent_shape: the shape of a code.
        model: says whether it is conditional or autoregressive.

    Returns:
        The size of the condition; 0 for a model without one.
    """
    for role, network in (("encoder", encoder), ("decoder", decoder)):
        if not isinstance(network, keras.Model):
            raise errors.InputError(f"The {role} must be a keras.Model. Received: {type(network).__name__}.")
        if not network.built or not hasattr(network, "output_shape"):
            raise errors.InputError(
                f"The {role} has no shapes yet. Begin it with keras.Input(shape), so that it is built at once."
            )
        if isinstance(network.output_shape, list | dict) or _is_nested(network.output_shape):
            raise errors.InputError(
                f"The {role} has several outputs: {network.output_shape}. Give it one output, the features: the model "
                "adds the layers of mean, log-variance and sampling itself."
            )
        shapes = [tuple(tensor.shape) for tensor in network.inputs]
        if model.conditional and (len(shapes) != 2 or len(shapes[1]) != 2):
            raise errors.InputError(
                f"The {role} of a conditional model must have two inputs, the second a vector, the condition: "
                f"keras.Model([{'x' if role == 'encoder' else 'z'}, condition], features). Received: {shapes}. The "
                "networks of the zoo have it with condition_dim=..."
            )
        if role == "decoder" and model.autoregressive:
            if shapes[1:] != [tuple(encoder.inputs[0].shape)] or network.output_shape[1:2] != shapes[1][1:2]:
                raise errors.InputError(
                    f"The decoder of {type(model).__name__} must have two inputs, the code and the sequence so far, of "
                    f"the shape of x, and give features of each step. Received: {shapes} -> {network.output_shape}. "
                    "keras_ae.networks.recurrent and transformer make such networks."
                )
        elif not model.conditional and len(shapes) != 1:
            raise errors.InputError(f"The {role} must have one input. Received: {shapes}.")
        if None in shapes[0][1:]:
            raise errors.InputError(f"The {role}'s input must have a fixed shape. Received: {shapes[0]}.")
    if tuple(decoder.inputs[0].shape[1:]) != latent_shape:
        raise errors.InputError(
            f"The decoder takes codes of shape {tuple(decoder.inputs[0].shape[1:])}, but latent_dim gives "
            f"{latent_shape}. Make them equal."
        )
    if not model.conditional:
        return 0
    sizes = [network.inputs[1].shape[1] for network in (encoder, decoder)]
    if sizes[0] != sizes[1]:
        raise errors.InputError(f"Encoder and decoder take conditions of different sizes: {sizes[0]} and {sizes[1]}.")
    return sizes[0]


def check_nothing_shared(parts: dict[str, keras.layers.Layer]) -> None:
    """Raises InputError where two parts have weights in common and one of them is a network: a network is saved for
    itself, with all its layers, so that a file of both could not be loaded."""
    for (name, part), (other_name, other) in itertools.combinations(parts.items(), 2):
        if not isinstance(part, keras.Model) and not isinstance(other, keras.Model):
            continue
        of_part = {id(variable) for variable in part.variables}
        if shared := [variable.path for variable in other.variables if id(variable) in of_part]:
            raise errors.InputError(
                f"{name} and {other_name} share layers ({', '.join(shared)}): such a model could be trained and saved, "
                "but not loaded or copied. Give each layers of its own, and set_weights where both shall start alike; "
                "LinearAE(tied=True) is a model whose decoder has the encoder's weights."
            )
    for part in parts.values():
        if isinstance(part, keras.Model):
            check_nothing_shared({layer.name: layer for layer in part.layers})


def _is_nested(shape: Any) -> bool:
    return any(isinstance(axis, tuple | list) for axis in shape)


def check_decoder_output(decoder: Any, event_shape: tuple[int, ...], param_shape: tuple[int, ...], given: bool) -> None:
    """Raises InputError where the decoder's output is not what `output_layer` says it is."""
    output_shape = tuple(decoder.output_shape[1:])
    if given and output_shape != param_shape:
        raise errors.InputError(
            f"With output_layer='given' the decoder must yield the likelihood's parameters, of shape {param_shape}. "
            f"Received: a decoder with output {output_shape}."
        )
    activation = getattr(decoder.layers[-1], "activation", keras.activations.linear)
    squashes = activation in (keras.activations.sigmoid, keras.activations.tanh, keras.activations.softmax)
    if squashes and (given or output_shape in (event_shape, param_shape)):
        raise errors.InputError(
            f"The decoder ends in an output of the shape {output_shape} of x with the activation "
            f"'{activation.__name__}', but the likelihood has an output layer of its own. Remove the decoder's last "
            "layer, or remove its activation and pass output_layer='given'."
        )


def latent_shape(latent_dim: Any) -> tuple[int, ...]:
    """The shape of a code: (latent_dim,) for an integer; a tuple stands for a grid or a sequence of codes."""
    if isinstance(latent_dim, tuple | list):
        return tuple(errors.whole_number(f"latent_dim[{i}]", size) for i, size in enumerate(latent_dim))
    return (errors.whole_number("latent_dim", latent_dim),)
