"""Checks of what users pass in, before anything is computed."""

import itertools
import types
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_ae import checks, errors
from keras_ae.checks import is_odd
from keras_ae.distributions.likelihoods import Normal
from keras_ae.models.batch import as_vectors, roles
from keras_ae.pipeline import Batches, on_disk, parts

RESHAPING = tuple(
    getattr(keras.layers, name)
    for name in ("Reshape", "Flatten", "Permute", "Identity", "Cropping1D", "Cropping2D", "Cropping3D", "ZeroPadding2D")
)


def is_arrays(x: Any) -> bool:
    """Whether x is an array (of any library), in contrast to a data set or a generator."""
    return isinstance(x, np.ndarray | list | tuple) or (hasattr(x, "__array__") and hasattr(x, "shape")) or is_odd(x)


def is_data_set(x: Any) -> bool:
    """Whether x gives batches: a `tf.data.Dataset`, a `PyDataset` or a generator."""
    return hasattr(x, "element_spec") or isinstance(x, keras.utils.PyDataset | types.GeneratorType)


def is_concrete(x: Any) -> bool:
    """Whether x holds values, in contrast to a tensor of a function that is being compiled."""
    if isinstance(x, keras.KerasTensor):
        return False
    if not keras.ops.is_tensor(x):
        return True
    try:
        np.asarray(x)
    except Exception:  # each backend has an error of its own
        return False
    return True


def dictionary(name: str, x: dict) -> str:
    """What is wrong with a dictionary in place of an array."""
    return (
        f"{name} is a dictionary with the keys {', '.join(map(repr, x))}, where an array is expected: name one of them."
    )


def numbers(x: Any, name: str) -> np.ndarray:
    """x as a NumPy array of numbers, with NaN for what is masked in a masked array or missing in a table."""
    if isinstance(x, dict):
        raise errors.InputError(dictionary(name, x))
    if is_data_set(x):
        kind = type(x).__name__
        raise errors.InputError(f"{name} must be an array. Received: {kind}. Give its examples as one array.")
    return checks.numbers(name, x)


def even(x: Any, name: str) -> np.ndarray:
    """x as a NumPy array, with its mask if it has one; an error where its rows differ in shape."""
    return x if isinstance(x, np.ma.MaskedArray) else checks.array(name, x)


def as_array(x: Any, name: str, shape: tuple[int | None, ...], convert: Callable | None = None) -> np.ndarray:
    """x as a NumPy array of numbers of shape (n, *shape) with n >= 1, after `convert(array, name)` if there is one."""
    array = numbers(x, name)
    array = convert(array, name) if convert else array
    if array.shape[1:] != shape or array.ndim == 0:
        hint, variable = "", name.split()[0]
        if (*array.shape[1:], 1) == shape:
            hint = f" Add the channel axis: {variable} = {variable}[..., None]."
        elif array.shape == shape:
            hint = (
                f" For a single example add the batch axis: {variable} = {variable}[None]; examples of a data set are "
                "batched: data.batch(32)."
            )
        elif array.shape[1:] == (*shape[-1:], *shape[:-1]):
            hint = f" The channels are the last axis: {variable} = np.moveaxis({variable}, 1, -1)."
        raise errors.InputError(
            f"{name} must have the shape (n, {', '.join(map(str, shape))}). Received: {array.shape}.{hint}"
        )
    if len(array) == 0:
        raise errors.InputError(f"{name} is empty: it has the shape {array.shape}.")
    return array if on_disk(array) else as_float32(array)


def as_float32(array: np.ndarray) -> np.ndarray:
    """Floating-point numbers of another size as float32; other numbers as they are."""
    return array.astype("float32") if array.dtype.kind == "f" and array.dtype != np.float32 else array


def check_finite(array: np.ndarray, name: str, allow_nan: bool = False, start: int = 0) -> None:
    """Raises InputError where a value is infinite, or NaN unless allowed, and says where; `start` is the index of the
    first row."""
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
            f"the first at index {(first[0] + start, *first[1:])} ({array[first]}). Replace or drop them."
        )


def check_x(model: Any, x: Any, name: str = "x", explained: bool = True) -> np.ndarray:
    """x as an array that the model can take; `explained` by its likelihood, too, or only seen by its encoder."""
    array = as_array(x, name, model.event_shape, model.as_input)
    if np.ma.is_masked(x) and not model.accepts_missing:
        raise errors.InputError(
            f"{name} has {np.ma.count_masked(x)} masked values, and {type(model).__name__} takes no missing ones. Fill "
            "them, x.filled(...), or drop their rows; a DenoisingAE takes them."
        )
    for start, part in parts(array):
        part = as_float32(part)
        check_finite(part, name, model.accepts_missing, start)
        model.check_events(part, name)
        if explained:
            model.likelihood.check(part, name)
    return array


def check_given(model: Any, x: Any, condition: Any = None, name: str = "x") -> tuple[np.ndarray, np.ndarray | None]:
    """x and conditions of examples that are encoded, as arrays."""
    x = check_x(model, x, name, explained=not model.accepts_noise)
    return x, check_condition(model, condition, len(x), with_x=True)


def check_call(model: Any, x: Any) -> Any:
    """What a model is called with, checked; a tensor stays the same tensor, so that gradients reach it."""
    values, y = apart(model, x, None, "x")
    if not is_concrete(values):
        return x
    condition = (y or {}).get("condition")
    array, _ = check_given(model, values, condition)
    if keras.ops.is_tensor(values):
        return x
    return array if condition is None else {"x": array, "condition": condition}


def check_fit(model: Any, x: Any, y: Any = None, sample_weight: Any = None, name: str = "x") -> tuple:
    """(x,), (x, y) or (x, y, sample_weight) as checked arrays; (x, y) as a dictionary is taken apart."""
    x, y = apart(model, x, y, name)
    x = check_x(model, x, name, explained=False)
    if isinstance(y, dict):
        y = {key: even(value, f"y[{key!r}]") for key, value in y.items()}
    elif y is not None:
        y = even(y, "y")
    named = dict(roles(y, x, model.bare_y))
    lengths = {**{f"y[{key!r}]" if isinstance(y, dict) else "y": value for key, value in named.items()}}
    if y is not None and not isinstance(y, dict):
        lengths["y"] = y
    if "target" in named:
        target = check_x(model, named["target"], "y")
        y = {**y, "target": target} if isinstance(y, dict) else target
    else:
        check_explained(model, x, name)
    if model.conditional:
        check_condition(model, named.get("condition"), len(x), with_x=True, least=-1 if model.infers_condition else 0)
    if sample_weight is not None:
        sample_weight = even(sample_weight, "sample_weight")
        lengths["sample_weight"] = sample_weight
        if sample_weight.ndim != 1 or sample_weight.dtype.kind not in "fiub" or not (sample_weight >= 0).all():
            raise errors.InputError(
                f"sample_weight must hold one number of at least 0 per example. Received: shape {sample_weight.shape}, "
                f"dtype {sample_weight.dtype}" + (", with negative values or NaN." if sample_weight.ndim == 1 else ".")
            )
    for what, value in lengths.items():
        if len(value) != len(x):
            raise errors.InputError(f"{what} has {len(value)} examples, {name} has {len(x)}: they must be as many.")
    if "target" in named and not model.accepts_noise:
        model.accepts_noise = not is_explained(model, x)
    if sample_weight is not None:
        return x, x if y is None else y, sample_weight
    return (x,) if y is None else (x, y)


def check_explained(model: Any, x: np.ndarray, name: str) -> None:
    """Raises InputError where the likelihood cannot explain x."""
    for _, part in parts(x):
        model.likelihood.check(as_float32(part), name)


def is_explained(model: Any, x: np.ndarray) -> bool:
    """Whether the likelihood can explain x."""
    try:
        check_explained(model, x, "x")
    except errors.InputError:
        return False
    return True


def apart(model: Any, x: Any, y: Any, name: str) -> tuple[Any, Any]:
    """x and y of what holds both: a dictionary {"x": ..., "condition": ..., "target": ...}, or a list [x, condition],
    as Keras takes two inputs."""
    if isinstance(x, list | tuple) and model.conditional and len(x) == 2 and _rank(x[0]) == len(model.event_shape) + 1:
        return x[0], {"condition": x[1]} if y is None else {"condition": x[1], "target": y}
    if not isinstance(x, dict):
        return x, y
    if "x" not in x or y is not None:
        raise errors.InputError(dictionary(name, x))
    return x["x"], {key: value for key, value in x.items() if key != "x"} or None


def _rank(x: Any) -> int:
    return len(x.shape) if hasattr(x, "shape") else np.ndim(x)


def check_class_weight(y: Any) -> None:
    """Keras looks up the weight of each example's class in y: it must hold classes."""
    classes = None if y is None or isinstance(y, dict) else np.asarray(y)
    if classes is None or classes.dtype.kind not in "iub" or classes.ndim > 2:
        received = f"y={y}" if y is None else "y is a dict" if classes is None else f"{classes.dtype} {classes.shape}"
        raise errors.InputError(
            f"class_weight needs the class of each example as y: integers of shape (n,). Received: {received}. "
            "sample_weight weighs examples of any data."
        )


def first_examples(data: Any, n: int) -> np.ndarray | None:
    """All x in memory, or those of the first n examples (or a few more) of a data set; None for a generator, which can
    be read once only."""
    if isinstance(data, Batches):
        return data.arrays[0]
    if isinstance(data, keras.utils.PyDataset):
        batches = itertools.count() if data.num_batches is None else range(data.num_batches)
        data = map(data.__getitem__, batches)
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
            raise errors.InputError(
                f"{name} takes no condition. Use a conditional model such as ConditionalVAE. Received: "
                f"condition={condition!r}."
            )
        return None
    size = model.condition_dim
    if condition is None:
        if with_x and model.infers_condition:
            return None
        raise errors.InputError(
            f"{name} needs a condition for each example: classes from 0 to {size - 1}, or vectors of {size} numbers. "
            "Pass it as y to fit and evaluate, as condition=... to encode, decode, reconstruct and sample."
        )
    array = even(condition, "condition")
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
        if not network.built or not hasattr(network, "output_shape"):
            raise errors.InputError(
                f"The {role} has no input and output of known shapes. Begin it with keras.Input(shape); or, of a "
                f"subclass of keras.Model, make x = keras.Input(shape) and pass keras.Model(x, {role}(x))."
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


def check_decoder_output(
    decoder: Any, event_shape: tuple[int, ...], param_shape: tuple[int, ...], given: bool, likelihood: Any
) -> None:
    """Raises InputError where the decoder's output is not what `output_layer` says it is."""
    output_shape = tuple(decoder.output_shape[1:])
    if given and output_shape != param_shape:
        raise errors.InputError(
            f"With output_layer='given' the decoder must yield the likelihood's parameters, of shape {param_shape}. "
            f"Received: a decoder with output {output_shape}."
        )
    if not given and output_shape not in (event_shape, param_shape):
        return
    activation = getattr(decoder.layers[-1], "activation", keras.activations.linear)
    squashes = activation in (keras.activations.sigmoid, keras.activations.tanh, keras.activations.softmax)
    how = f"with the activation '{activation.__name__}'" if squashes else squashed(decoder, likelihood) if given else ""
    if how:
        raise errors.InputError(
            f"The decoder ends in an output of the shape {output_shape} of x {how}, but the likelihood has an output "
            "layer of its own. Remove the decoder's last layer, or remove its activation and pass output_layer='given'."
        )


def squashed(decoder: Any, likelihood: Any) -> str:
    """How a decoder bounds its output, as codes of all sizes show it; "" where it does not. The mean of a normal is a
    value of x itself and may well be bounded."""
    last = _before_reshaping(decoder)
    if isinstance(likelihood, Normal) or (hasattr(last, "kernel") and last.activation is keras.activations.linear):
        return ""
    codes = [np.random.default_rng(0).normal(0, 100, (64, *tensor.shape[1:])) for tensor in decoder.inputs]
    codes = [keras.ops.cast(values, "float32") for values in codes]
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(decoder(codes if len(codes) > 1 else codes[0]), "float32"))
    low, high = outputs.min(), outputs.max()
    if low == high:  # weights of zero, which tell nothing
        return ""
    if low >= 0:
        return f"whose values are never negative (here from {low:.3g} to {high:.3g})"
    return "whose values lie in [-1, 1]" if 0.99 < max(-low, high) <= 1 else ""


def _before_reshaping(network: Any) -> Any:
    """The last layer of a network that does more than to reshape or to cut."""
    tensor = network.outputs[0]
    while True:
        layer, node, _ = tensor._keras_history
        if not isinstance(layer, RESHAPING):
            return layer
        tensor = layer._inbound_nodes[node].input_tensors[0]


def latent_shape(latent_dim: Any) -> tuple[int, ...]:
    """The shape of a code: (latent_dim,) for an integer; a tuple stands for a grid or a sequence of codes."""
    if isinstance(latent_dim, tuple | list):
        return tuple(errors.whole_number(f"latent_dim[{i}]", size) for i, size in enumerate(latent_dim))
    return (errors.whole_number("latent_dim", latent_dim),)
