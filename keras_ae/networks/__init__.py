"""Functions that return an (encoder, decoder) pair of plain Keras models, without output layers; and the perceptrons
that some models have beside them."""

from keras_ae.networks.conv import conv
from keras_ae.networks.dcgan import dcgan
from keras_ae.networks.dense import dense
from keras_ae.networks.dropout import hidden_layers, with_dropout
from keras_ae.networks.perceptrons import classifier, critic
from keras_ae.networks.resnet import resnet
from keras_ae.networks.sequences import recurrent, transformer

__all__ = [
    "classifier",
    "conv",
    "critic",
    "dcgan",
    "dense",
    "hidden_layers",
    "recurrent",
    "resnet",
    "transformer",
    "with_dropout",
]
