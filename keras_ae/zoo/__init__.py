"""The models by name."""

from keras_ae.zoo import presets
from keras_ae.zoo.registry import create, describe, list_models, model_class

__all__ = ["create", "describe", "list_models", "model_class", "presets"]
