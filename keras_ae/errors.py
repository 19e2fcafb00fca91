"""Errors that say what was wrong, where, what was expected, what was received, and what to do."""

import contextlib
import difflib
import math
import numbers
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

BACKENDS = ("tensorflow", "jax")
LARGEST_SEED = 2**32 - 1  # of a seed generator on JAX
LARGEST = 2**31 - 1  # of what is counted: sizes of tensors are numbers of 32 bits


class InputError(ValueError):
    """The caller passed something that cannot work; the message says what to change.

    A subclass of `ValueError`, so that a script needs no name of ours to catch it; the command line turns it into one
    line and exit code 2.
    """


class TrainingDivergedError(FloatingPointError):
    """A term of the loss, or a weight, became infinite or not a number during training."""


def unknown(kind: str, name: object, known: Iterable[str]) -> InputError:
    """The error for a name that is not in a table, with the names that are close to it.

    >>> print(unknown("model", "vea", ["ae", "vae"]))
    Unknown model: 'vea'. Did you mean 'vae'? Known: ae, vae.
    """
    known = sorted(known)
    close = difflib.get_close_matches(str(name), known, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return InputError(f"Unknown {kind}: {shown(name)}.{hint} Known: {', '.join(known)}.")


def wrong(name: str, wanted: str, value: Any) -> InputError:
    """The error for an argument that is not what is wanted.

    >>> print(wrong("k", "a whole number", "x"))
    k must be a whole number. Received: k='x'.
    """
    return InputError(f"{name} must be {wanted}. Received: {name}={shown(value)}.")


def shown(value: Any) -> str:
    """A value in a message: in full where it is short.

    >>> shown("x"), shown(np.zeros((2, 3)))
    ("'x'", 'ndarray of shape (2, 3) and dtype float64')
    """
    if np.ndim(getattr(value, "shape", 0)):
        dtype = f" and dtype {value.dtype}" if hasattr(value, "dtype") else ""
        return f"{type(value).__name__} of shape {value.shape}{dtype}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{type(value).__name__} {text[:80]}..."


def within(interval: str) -> str:
    """An interval in words.

    >>> within("[1, inf)"), within("(0, inf)"), within("[0, 1)")
    ('of at least 1', 'above 0', 'in [0, 1)')
    """
    low, high = interval[1:-1].split(", ")
    if high != "inf":
        return f"in {interval}"
    return "that is finite" if low == "-inf" else f"of at least {low}" if interval[0] == "[" else f"above {low}"


def reason(error: BaseException) -> str:
    """What an error of a library says, in one line.

    >>> reason(KeyError("x")), reason(ValueError("cut off\\nat byte 3.")), reason(MemoryError())
    ("KeyError: 'x'", 'cut off', 'MemoryError')
    """
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"KeyError: {text}" if isinstance(error, KeyError) else text.rstrip(".")


@contextlib.contextmanager
def about(name: str) -> Iterator[None]:
    """Errors within are about an argument, whose name goes before them.

    >>> with about("examples"):
    ...     raise InputError("x is empty.")
    Traceback (most recent call last):
    keras_ae.errors.InputError: examples: x is empty.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def check_backend() -> None:
    """Raises InputError where `KERAS_BACKEND` names a backend that the package does not run on."""
    name = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if name not in BACKENDS:
        raise unknown("backend (KERAS_BACKEND)", name, BACKENDS)


def whole_number(name: str, value: Any, least: int = 1, most: int = LARGEST) -> int:
    """`value` as an int, or an error that names the argument when it is not a whole number from `least` to `most`.

    >>> whole_number("k", np.int64(3), most=5)
    3
    """
    whole = hasattr(value, "__index__") and not isinstance(value, bool | np.bool_) and np.ndim(value) == 0
    if not whole or not least <= int(value) <= most:
        end = f" and at most {most}" if most != LARGEST or (whole and int(value) > most) else ""
        start = f" of at least {least}" if least > -LARGEST else ""
        raise wrong(name, f"a whole number{start}{end}", value)
    return int(value)


def whole_numbers(**values: Any) -> list[int]:
    """The values as ints, or an error that names the first that is no whole number of at least 1."""
    return [whole_number(name, value) for name, value in values.items()]


def seed(value: Any, name: str = "seed") -> int:
    """`value` as a seed that every random generator takes."""
    return whole_number(name, value, least=0, most=LARGEST_SEED)


def part(name: str, fraction: float, n: int) -> int:
    """How many of `n` examples a fraction selects, or an error that names it where that is none or all.

    >>> part("validation_split", 0.25, 8)
    2
    """
    count = int(n * fraction)
    if not 0 < count < n:
        raise InputError(f"{name}={fraction} selects {count} of {n:,} examples. Choose one that leaves some for both.")
    return count


def number(name: str, value: Any, interval: str, what: str = "a number") -> float:
    """`value` as a Python number, or an error that names the argument when it is not a finite number in `interval`.

    >>> number("rate", np.float32(0.5), "[0, 1)")
    0.5
    >>> number("rate", 1, "[0, 1)")
    Traceback (most recent call last):
    keras_ae.errors.InputError: rate must be a number in [0, 1). Received: rate=1.
    """
    least, most = map(float, interval[1:-1].split(","))
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    found: Any = value if real and -math.inf < value < math.inf else math.nan
    above = found >= least if interval[0] == "[" else found > least
    if not (above and (found <= most if interval[-1] == "]" else found < most)):
        raise wrong(name, f"{what} {within(interval)}", value)
    return int(found) if isinstance(found, numbers.Integral) else float(found)


def yes_or_no(name: str, value: Any) -> bool:
    """`value` as a bool, or an error that names the argument when it is anything but True or False: every text is true.

    >>> yes_or_no("tied", 0)
    False
    """
    if not isinstance(value, bool | int | np.bool_) or value not in (True, False):
        raise wrong(name, "True or False", value)
    return bool(value)
