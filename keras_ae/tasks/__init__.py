"""What a trained autoencoder is used for."""

from keras_ae.tasks.classifier import classifier
from keras_ae.tasks.directions import Traversal, attribute_vector, shift, traverse
from keras_ae.tasks.features import feature_extractor, feature_layers, features
from keras_ae.tasks.interpolation import Interpolation, interpolate, path_length, prior_codes
from keras_ae.tasks.latent import Neighbours, Prototypes, nearest_neighbours, prototypes
from keras_ae.tasks.projector import write_projector
from keras_ae.tasks.transformer import AutoencoderTransformer

__all__ = [
    "AutoencoderTransformer",
    "Interpolation",
    "Neighbours",
    "Prototypes",
    "Traversal",
    "attribute_vector",
    "classifier",
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
