"""Model files, and where trained models are looked for."""

import os
import zipfile
from pathlib import Path
from typing import Any

import keras

from keras_ae import errors
from keras_ae.checks import checked
from keras_ae.models import claims
from keras_ae.models.base import Autoencoder
from keras_ae.writing import write, write_text

__all__ = ["HOME", "REPOSITORY", "homes", "load_model", "write", "write_text"]

HOME = "KERAS_AE_HOME"
REPOSITORY = Path(__file__).parents[2] / "saved_models"
LONGEST_REASON = 500  # characters of what Keras says


def homes() -> list[Path]:
    """Where trained models are looked for: the folder that KERAS_AE_HOME names, then the repository's."""
    return [*([Path(os.environ[HOME])] if os.environ.get(HOME) else []), REPOSITORY]


@checked
def load_model(
    path: str | os.PathLike, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True
) -> Autoencoder:
    """Loads a model from a `.keras` file, with optimizer and random state.

    Args:
        path: of the file.
        custom_objects: name -> class or function of layers of your own that are not registered with
            `keras.saving.register_keras_serializable`.
        safe_mode: whether code in the file is refused. With False a file can run anything on this machine (`Lambda`
            layers are stored as code): only for files that you trust as you trust a program.

    Raises:
        InputError: there is no such file, it is damaged, or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.InputError(f"There is no model file {path}.")
    if path.suffix != ".keras":
        raise errors.InputError(f"A model file ends in .keras. Received: {path}. Write one with model.save(path).")
    if not zipfile.is_zipfile(path):
        raise errors.InputError(f"{path} is no readable model file: it was cut off, or is none at all. Get it again.")
    try:
        with claims.bounded(path):
            model = keras.saving.load_model(path, custom_objects, safe_mode=safe_mode)
    except Exception as error:  # Keras raises whatever the damaged part raises
        raise errors.InputError(f"{path} is no readable model file: {_reason(error)}") from error
    if not isinstance(model, Autoencoder):
        raise errors.InputError(f"{path} holds a {type(model).__name__}, not a model of keras_ae.")
    return model


def _reason(error: Exception) -> str:
    """What Keras says of the innermost object that failed, without configurations that fill a screen."""
    text = str(error).rpartition("Exception encountered: ")[2].partition(" Full object config: ")[0]
    return " ".join(text.split())[:LONGEST_REASON] or type(error).__name__
