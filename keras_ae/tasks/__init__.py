"""What a trained autoencoder is used for."""

from keras_ae.tasks.classifier import classifier
from keras_ae.tasks.directions import Traversal, attribute_vector, shift, traverse
from keras_ae.tasks.interpolation import Interpolation, interpolate, path_length, prior_codes
from keras_ae.tasks.latent import Neighbours, Prototypes, nearest_neighbours, prototypes
from keras_ae.tasks.projector import write_projector

__all__ = [
    "Interpolation",
    "Neighbours",
    "Prototypes",
    "Traversal",
    "attribute_vector",
    "classifier",
    "feature_extractor",
    "feature_layers",
    "interpolate",
    "nearest_neighbours",
    "path_length",
    "prior_codes",
    "prototypes",
    "shift",
    "traverse",
    "write_projector",
]
