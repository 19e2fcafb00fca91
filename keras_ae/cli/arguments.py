"""From what stands on the command line to what the package takes."""

import ast
from typing import Any

from keras_ae import errors
from keras_ae.training import RunFolder
from keras_ae.zoo.recipe import Recipe
from keras_ae.zoo.runs import fingerprint


def integers(name: str, text: str | None, separator: str) -> tuple[int, ...] | None:
    """Whole numbers of at least one, such as "512,256" or "64x64".

    >>> integers("image-size", "64x48", "x")
    (64, 48)
    """
    if text is None:
        return None
    parts = text.split(separator)
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise errors.InputError(
            f"--{name} takes whole numbers separated by '{separator}', such as 64{separator}32. Received: {text!r}."
        )
    return tuple(map(int, parts))


def number_or_name(text: str) -> float | str:
    """A number where the text is one.

    >>> number_or_name("0.1"), number_or_name("validation")
    (0.1, 'validation')
    """
    try:
        return float(text)
    except ValueError:
        return text


def assignments(texts: list[str]) -> dict[str, Any]:
    """Python values of NAME=VALUE, in which true, false and none may be small; what is no Python value is a string.

    >>> assignments(["posterior=full", "beta=4", "tied=false"])
    {'posterior': 'full', 'beta': 4, 'tied': False}
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise errors.InputError(f"--set and --net take NAME=VALUE, such as posterior=full. Received: {text!r}.")
        if name in found:
            raise errors.InputError(f"--set and --net take each name once. Received: {name}= twice.")
        try:
            found[name] = ast.literal_eval(value.title() if value.lower() in ("true", "false", "none") else value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            found[name] = value
    return found


def recipe(folder: RunFolder) -> Recipe:
    """The recipe of a run.

    Raises:
        InputError: it is none that this version knows; or its text is another than the model was trained on, so that
            its tokens may have other numbers than the model's.
    """
    settings = folder.config["recipe"]
    try:
        found = Recipe(**settings)
    except (TypeError, ValueError) as error:
        raise errors.InputError(
            f"{folder.path}/config.json holds no recipe that this version knows: {error}"
        ) from error
    if found.data.endswith(".txt") and fingerprint(found.load("train").x) != folder.data_sha256:
        raise errors.InputError(f"The text {found.data!r} has changed since {folder.path} was trained. Bring it back.")
    return found
