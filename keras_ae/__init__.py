"""keras_ae: a Keras 3 model zoo of autoencoders.

    import keras_ae

    train = keras_ae.data.load("digits", "train", binarize="threshold")
    model = keras_ae.create("vae", input_shape=train.shape, latent_dim=8, seed=0)
    model.compile("adam")
    model.fit(train.x, epochs=20)
    keras_ae.export(model, "exported/vae")

The classes are imported at once, so that Keras finds them when it loads a model; the rest when it is first used. Where
TensorFlow is not imported yet, its oneDNN operations are turned on unless TF_ENABLE_ONEDNN_OPTS says otherwise.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_MODELS = (
    *("AE", "BetaVAE", "ConditionalVAE", "ContractiveAE", "DenoisingAE", "DropoutAE", "GaussianMixtureVAE"),
    *("IWAE", "KLSparseAE", "LinearAE", "SemiSupervisedVAE", "SequenceAE", "SequenceVAE"),
    *("SparseAE", "VAE", "WAEGAN", "WAEMMD", "WAEW2", "Autoencoder", "Variational"),
)
_HOME = {
    **dict.fromkeys(_MODELS, "keras_ae.models"),
    **dict.fromkeys(("create", "describe", "list_models"), "keras_ae.zoo"),
    **dict.fromkeys(("from_preset", "list_presets", "upload_preset"), "keras_ae.zoo.presets"),
    **dict.fromkeys(("InputError", "TrainingDivergedError"), "keras_ae.errors"),
    "export": "keras_ae.serving",
    "load_model": "keras_ae.models.files",
}
_MODULES = (
    *("data", "distributions", "divergences", "evaluation", "layers", "models", "networks", "plots", "serving"),
    *("schedules", "tasks", "training", "zoo"),
)

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"keras_ae.{name}")
    raise AttributeError(f"module 'keras_ae' has no attribute {name!r}")


if Path(sys.argv[0]).name != "keras-ae":  # the command line answers --help and mistakes without loading a backend
    from keras_ae import errors, onednn

    errors.check_backend()
    onednn.prefer()
    importlib.import_module("keras_ae.models")
