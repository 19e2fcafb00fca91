"""keras_ae: a Keras 3 model zoo of autoencoders.

    import keras_ae

    train = keras_ae.data.load("digits", "train", binarize="threshold")
    model = keras_ae.create("vae", input_shape=train.shape, latent_dim=8, seed=0)
    model.compile("adam")
    model.fit(train.x, epochs=20)
    keras_ae.export(model, "exported/vae")

What is rarely needed (data, evaluation, plots, serving) is imported when it is first used.
"""

import importlib
from typing import Any

from keras_ae import distributions, divergences, layers, models, networks
from keras_ae.errors import InputError, TrainingDivergedError
from keras_ae.models import AE, VAE, Autoencoder, LinearAE, Variational
from keras_ae.models.files import load_model
from keras_ae.zoo import create, describe, list_models

__version__ = "0.1.0"

_LAZY_MODULES = ("data", "evaluation", "plots", "serving", "training")

__all__ = [
    "AE",
    "VAE",
    "Autoencoder",
    "InputError",
    "LinearAE",
    "TrainingDivergedError",
    "Variational",
    "create",
    "describe",
    "distributions",
    "divergences",
    "export",
    "layers",
    "list_models",
    "load_model",
    "models",
    "networks",
    *_LAZY_MODULES,
]


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"keras_ae.{name}")
    if name == "export":
        return importlib.import_module("keras_ae.serving").export
    raise AttributeError(f"module 'keras_ae' has no attribute {name!r}")
