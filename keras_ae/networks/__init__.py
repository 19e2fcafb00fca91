"""Functions that return an (encoder, decoder) pair of plain Keras models, without output layers; and the critic."""

from keras_ae.networks.conv import conv
from keras_ae.networks.critic import critic
from keras_ae.networks.dcgan import dcgan
from keras_ae.networks.dense import dense
from keras_ae.networks.dropout import hidden_layers, with_dropout

__all__ = ["conv", "critic", "dcgan", "dense", "hidden_layers", "with_dropout"]
