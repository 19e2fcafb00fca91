"""Errors that say what was wrong, where, what was expected, what was received, and what to do."""

import difflib
import os
from collections.abc import Iterable
from typing import Any

BACKENDS = ("tensorflow", "jax")


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
    return InputError(f"Unknown {kind}: {name!r}.{hint} Known: {', '.join(known)}.")


def check_backend() -> None:
    """Raises InputError where `KERAS_BACKEND` names a backend that the package does not run on."""
    name = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if name not in BACKENDS:
        raise unknown("backend (KERAS_BACKEND)", name, BACKENDS)


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int, or an error that names the argument when it is not a whole number of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < least:
        raise InputError(f"{name} must be a whole number of at least {least}. Received: {name}={value!r}.")
    return int(value)


def yes_or_no(name: str, value: Any) -> bool:
    """`value` as a bool, or an error that names the argument when it is anything but True or False: every text is true.

    >>> yes_or_no("tied", 0)
    False
    """
    if not hasattr(value, "__bool__") or value not in (True, False):
        raise InputError(f"{name} must be True or False. Received: {name}={value!r}.")
    return bool(value)
