"""Files that are written whole or not at all, and model files."""

import os
from collections.abc import Callable
from pathlib import Path

import keras

from keras_ae import errors
from keras_ae.checks import checked
from keras_ae.models.base import Autoencoder

HOME = "KERAS_AE_HOME"
REPOSITORY = Path(__file__).parents[2] / "saved_models"


def homes() -> list[Path]:
    """Where trained models are looked for: the folder that KERAS_AE_HOME names, then the repository's."""
    return [*([Path(os.environ[HOME])] if os.environ.get(HOME) else []), REPOSITORY]


def write(path: Path, writer: Callable[[Path], object]) -> None:
    """Lets `writer` write a temporary file beside `path`, then renames it: what was there survives any failure.

    The temporary file has the same ending.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        writer(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replaces a text file."""
    write(path, lambda temporary: temporary.write_text(text))


@checked
def save_model(model: keras.Model, path: str | os.PathLike) -> None:
    """Writes a `.keras` file with optimizer and random state; an earlier one survives a full disk or a crash."""
    write(Path(path), model.save)


@checked
def load_model(path: str | os.PathLike) -> Autoencoder:
    """A model from a `.keras` file, with optimizer and random state, in safe mode.

    Raises:
        InputError: there is no such file, it is damaged, or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.InputError(f"There is no model file {path}.")
    try:
        model = keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # Keras raises whatever the damaged part raises
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise errors.InputError(f"{path} is no readable model file: {reason}") from error
    if not isinstance(model, Autoencoder):
        raise errors.InputError(f"{path} holds a {type(model).__name__}, not a model of keras_ae.")
    return model
