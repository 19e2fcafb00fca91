"""Functions that return an (encoder, decoder) pair of plain Keras models, without output layers."""

from keras_ae.networks.conv import conv
from keras_ae.networks.dcgan import dcgan
from keras_ae.networks.dense import dense

__all__ = ["conv", "dcgan", "dense"]
