"""What a trained autoencoder is used for."""

from typing import Any

from keras_ae.tasks.anomaly import AnomalyDetector
from keras_ae.tasks.classifier import classifier
from keras_ae.tasks.compression import Compressed, compress, decompress
from keras_ae.tasks.directions import Traversal, attribute_vector, shift, traverse
from keras_ae.tasks.features import feature_extractor, feature_layers, features
from keras_ae.tasks.interpolation import Interpolation, interpolate, path_length, prior_codes
from keras_ae.tasks.latent import Neighbours, Prototypes, nearest_neighbours, prototypes
from keras_ae.tasks.lossy import compress_codes, decompress_codes
from keras_ae.tasks.projector import write_projector
from keras_ae.tasks.transformer import AutoencoderTransformer

__all__ = [
    "AnomalyDetector",
    "AutoencoderTransformer",
    "Compressed",
    "Interpolation",
    "Neighbours",
    "Prototypes",
    "PyODDetector",
    "Traversal",
    "attribute_vector",
    "classifier",
    "compress",
    "compress_codes",
    "decompress",
    "decompress_codes",
    "feature_extractor",
    "feature_layers",
    "features",
    "interpolate",
    "nearest_neighbours",
    "path_length",
    "prior_codes",
    "prototypes",
    "shift",
    "traverse",
    "write_projector",
]


def __getattr__(name: str) -> Any:
    """`PyODDetector` when it is asked for: it needs PyOD, an optional package."""
    if name != "PyODDetector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from keras_ae.tasks.pyod import PyODDetector

    return PyODDetector
