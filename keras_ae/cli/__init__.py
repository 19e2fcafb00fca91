"""The command line: `keras-ae`."""

from keras_ae.cli.app import main

__all__ = ["main"]
