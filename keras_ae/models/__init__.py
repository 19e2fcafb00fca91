"""The contract of a model and one file per variant."""

from keras_ae.models.ae import AE
from keras_ae.models.base import Autoencoder, Variational
from keras_ae.models.batch import Batch
from keras_ae.models.linear_ae import LinearAE
from keras_ae.models.vae import VAE

__all__ = ["AE", "VAE", "Autoencoder", "Batch", "LinearAE", "Variational"]
