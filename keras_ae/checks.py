"""Arguments checked by their annotations.

    @checked
    def f(steps: Count = 10, span: Positive = 3.0, method: Literal["linear", "spherical"] = "linear") -> None: ...

`f(steps=0)` and `f(method=3)` are then errors that name the argument and what was received, and `steps` reaches `f` as
an int, whatever library's number it was. What is annotated as `Any` is checked by what it is handed to.
"""

import contextlib
import functools
import inspect
import os
import pathlib
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union

import numpy as np

from keras_ae import errors

Count = Annotated[int, "[1, inf)"]
Natural = Annotated[int, "[0, inf)"]
Seed = Annotated[int, f"[0, {errors.LARGEST_SEED}]"]
Positive = Annotated[float, "(0, inf)"]
NotNegative = Annotated[float, "[0, inf)"]
Share = Annotated[float, "[0, 1]"]
Dropout = Annotated[float, "[0, 1)"]

Function = TypeVar("Function", bound=Callable)
WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    os.PathLike: "a path",
}
WORDS |= {np.ndarray: "an array of numbers", types.NoneType: "None", Callable: "a function"}
LISTS, DICTIONARIES = (list, tuple, Sequence, Iterable), (dict, Mapping)


def checked(function: Function) -> Function:
    """The same function, whose arguments are checked and converted first; a default always passes."""
    signature, check = inspect.signature(function), argument
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # Python says what is missing or too much
        for name, value in bound.arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind in plain and value is not parameter.default:
                bound.arguments[name] = check(parameter.annotation, name, value)
        return function(*bound.args, **bound.kwargs)

    # Of the function's own module, where doctest looks for examples, and with the signature that Keras looks for.
    call = types.FunctionType(call.__code__, function.__globals__, function.__name__, None, call.__closure__)
    call.__dict__["__signature__"] = signature
    return typing.cast(Function, functools.update_wrapper(call, function))


def attributes(instance: Any) -> dict[str, Any]:
    """The attributes of an object that are arguments of its constructor, checked and converted: of a dataclass, or of
    an estimator of scikit-learn, which must keep them as they are given."""
    given = {name: (p, getattr(instance, name)) for name, p in inspect.signature(type(instance)).parameters.items()}
    return {n: v if v is p.default else argument(p.annotation, n, v) for n, (p, v) in given.items()}


def argument(kind: Any, name: str, value: Any) -> Any:
    """`value` as an annotation says, or an error that names the argument."""
    origin, parts = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (Any, inspect.Parameter.empty):
        return value
    if origin is Annotated:
        return _annotated(parts[0], parts[1], name, value)
    if origin in (Union, types.UnionType):
        return _one_of(kind, parts, name, value)
    if origin is Literal:
        return choice(name, value, parts)
    if origin in (int, float):
        return _annotated(origin, "(-inf, inf)", name, value)
    if origin is np.ndarray:
        return numbers(name, value)
    if _is_path(origin):
        return pathlib.Path(path(name, value))
    if origin in LISTS and _is_list(origin, value):
        return _items(parts, name, value)
    if origin in DICTIONARIES and isinstance(value, Mapping):
        key, item = parts or (Any, Any)
        return {argument(key, f"a key of {name}", k): argument(item, f"{name}[{k!r}]", v) for k, v in value.items()}
    if origin is bool:
        return errors.yes_or_no(name, value)
    if origin in (*LISTS, *DICTIONARIES) or (inspect.isclass(origin) and not isinstance(value, origin)):
        raise errors.wrong(name, words(kind), value)
    return value


def words(kind: Any) -> str:
    """What an annotation asks for.

    >>> words(Count | Sequence[Count])
    'a whole number of at least 1 or a list (each item a whole number of at least 1)'
    """
    origin, parts = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is Annotated:
        return f"{WORDS[parts[0]]} {errors.within(parts[1])}" if isinstance(parts[1], str) else words(parts[0])
    if origin in (Union, types.UnionType):
        return " or ".join(map(words, parts))
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin in LISTS:
        return f"a list (each item {words(parts[0])})" if parts and parts[0] is not Any else "a list"
    if origin in DICTIONARIES:
        return "a dictionary"
    article = "an" if origin.__name__[0] in "AEIOU" else "a"
    return WORDS.get(origin) or f"{article} {origin.__name__} of {origin.__module__.split('.')[0]}"


def shape(name: str, value: Any) -> tuple[int, ...]:
    """The sizes of the axes of an example; a number stands for one axis."""
    return argument(tuple[Count, ...], name, (value,) if hasattr(value, "__index__") and np.ndim(value) == 0 else value)


def choice(name: str, value: Any, known: Iterable[str]) -> str:
    """`value`, or an error with the names that are known."""
    if not isinstance(value, str) or value not in known:
        raise errors.unknown(name.replace("_", " "), value, known)
    return value


def one_of(*known: str) -> Callable[[str, Any], str]:
    """The check of an argument that is one of some names."""
    return functools.partial(choice, known=known)


def path(name: str, value: Any) -> str | os.PathLike:
    """`value`, or an error where it cannot be the name of a file."""
    if not isinstance(value, str | os.PathLike) or "\0" in str(value) or not str(value):
        raise errors.wrong(name, "a path", value)
    return value


def array(name: str, value: Any) -> np.ndarray:
    """`value` as an array of any type; NaN stands for what is masked in a masked array, or missing in a table. A memory
    map stays one."""
    if is_odd(value):
        ragged = hasattr(value, "row_splits")
        advice = (
            f"Pad its rows to one length: {name}.to_tensor()."
            if ragged
            else f"Make it dense: {name}.toarray(), or tf.sparse.to_dense({name})."
        )
        raise errors.InputError(f"{errors.wrong(name, 'a dense array, not a sparse one', value)} {advice}")
    if hasattr(value, "columns") and hasattr(value, "to_numpy"):
        return table(name, value)
    if np.ma.is_masked(value):
        return value.astype("float64").filled(np.nan)
    try:
        return value if isinstance(value, np.memmap) else np.asarray(value)
    except (TypeError, ValueError) as error:
        raise errors.InputError(
            f"{name} is no array: its rows differ in shape. Received: {name}={errors.shown(value)}. Sequences are "
            "padded at their end, with 0 for tokens and NaN for numbers."
        ) from error


def table(name: str, value: Any) -> np.ndarray:
    """The numbers of a DataFrame, with NaN for what is missing; columns of text are named in an error."""
    columns = zip(value.columns, value.dtypes, strict=True)
    text = [f"{column!r} ({dtype})" for column, dtype in columns if dtype.kind not in "fiub"]
    if text:
        raise errors.InputError(
            f"{name} has columns that hold no numbers: {', '.join(text)}. Drop them, or encode them first, for "
            "instance with pandas.get_dummies."
        )
    return value.to_numpy(dtype="float64", na_value=np.nan)


def numbers(name: str, value: Any) -> np.ndarray:
    """`value` as an array of real numbers."""
    found = array(name, value)
    if found.dtype.kind not in "fiub":
        raise errors.wrong(name, f"an array of real numbers, not of dtype {found.dtype}", value)
    return found


def tensor(name: str, value: Any) -> Any:
    """`value` as it is where it is a tensor of real numbers, else as an array in float32."""
    if is_odd(value):
        raise errors.wrong(name, "dense", value)
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        return numbers(name, value).astype("float32")
    if any(kind in str(value.dtype) for kind in ("float", "int", "bool")):
        return value
    raise errors.wrong(name, "a tensor of real numbers", value)


def rows(name: str, value: Any) -> Any:
    """`value` as a tensor whose first axis is that of the examples."""
    value = tensor(name, value)
    if len(value.shape) == 0:
        raise errors.wrong(name, "a tensor with an axis for the examples", value)
    return value


def size(name: str, value: Any) -> Any:
    """`value` as it is where it is a tensor, else as a whole number of at least 0."""
    is_tensor = hasattr(value, "dtype") and not isinstance(value, np.ndarray | np.generic)
    return value if is_tensor else errors.whole_number(name, value, least=0)


def is_odd(value: Any) -> bool:
    """Whether a value is a sparse or ragged array, of any library."""
    return any(hasattr(value, name) for name in ("tocsr", "dense_shape", "row_splits"))


def examples(name: str, value: Any) -> np.ndarray:
    """`value` as an array (n, ...) of finite numbers with n >= 1."""
    found = numbers(name, value)
    if found.ndim == 0 or len(found) == 0 or not np.isfinite(found).all():
        raise errors.wrong(name, "an array (n, ...) of finite numbers, n at least 1", value)
    return found


def labels(name: str, value: Any) -> np.ndarray:
    """`value` as an array (n,) of numbers or texts with n >= 1."""
    found = array(name, value)
    if found.dtype.kind == "O" and all(isinstance(item, str) for item in found.flat):
        found = found.astype(str)
    finite = found.dtype.kind in "iubU" or (found.dtype.kind == "f" and np.isfinite(found).all())
    if found.ndim != 1 or not len(found) or not finite:
        raise errors.wrong(name, "an array (n,) of numbers or texts, n at least 1", value)
    return found


def of_each(name: str, value: Any, n: int) -> np.ndarray:
    """`value` as an array (n,), of any type."""
    found = array(name, value)
    if found.shape != (n,):
        raise errors.wrong(name, f"an array of shape ({n},)", value)
    return found


def _annotated(kind: Any, rule: Any, name: str, value: Any) -> Any:
    if callable(rule):
        return rule(name, value)
    if kind is float:
        return errors.number(name, value, rule)
    ends = (end.replace("inf", str(errors.LARGEST)) for end in rule[1:-1].split(", "))
    return errors.whole_number(name, value, *map(int, ends))


def _one_of(kind: Any, parts: tuple, name: str, value: Any) -> Any:
    others = [part for part in parts if part is not types.NoneType]
    if value is None and len(others) < len(parts):
        return value
    if any(_is_path(part) for part in others):
        return path(name, value)
    if len(others) == 1:
        return argument(others[0], name, value)
    for part in others:
        with contextlib.suppress(errors.InputError):
            return argument(part, name, value)
    raise errors.wrong(name, words(kind), value)


def _is_path(kind: Any) -> bool:
    kind = typing.get_origin(kind) or kind
    return inspect.isclass(kind) and issubclass(kind, os.PathLike)


def _is_list(origin: Any, value: Any) -> bool:
    """Whether a value has items in an order, and is no text."""
    kinds = (Iterable,) if origin is Iterable else (Sequence, np.ndarray)
    rank = value.ndim if isinstance(value, np.ndarray) else 1
    return isinstance(value, kinds) and not isinstance(value, str | bytes | Mapping | set) and rank == 1


def _items(parts: tuple, name: str, value: Any) -> Any:
    """The items of a list, each as its annotation says."""
    items = list(value)
    if not parts:
        return items
    kinds = [parts[0]] * len(items) if len(parts) == 1 or parts[1] is ... else parts
    if len(kinds) != len(items):
        raise errors.wrong(name, f"a list of {len(kinds)} items", value)
    return tuple(argument(kind, f"{name}[{i}]", item) for i, (kind, item) in enumerate(zip(kinds, items, strict=True)))


def activation(name: str, value: Any) -> Any:
    """`value`, or an error where Keras knows no such activation."""
    import keras

    try:
        keras.activations.get(value)
    except Exception as error:  # whatever a value of some type makes Keras raise
        raise errors.wrong(name, "an activation of Keras: a name, a function or None", value) from error
    return value


Shape = Annotated[Sequence[int], shape]
ImageSize = Annotated[Sequence[int], functools.partial(argument, tuple[Count, Count])]
Activation = Annotated[Any, activation]
Tensor = Annotated[Any, tensor]
Labels = Annotated[np.ndarray, labels]
Examples = Annotated[np.ndarray, examples]
Rows = Annotated[Any, rows]
Size = Annotated[Any, size]
