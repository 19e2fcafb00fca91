"""What a trained autoencoder is used for."""

from keras_ae.tasks.classifier import classifier

__all__ = ["classifier"]
