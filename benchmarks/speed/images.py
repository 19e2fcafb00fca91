"""Writes the images of MNIST, black or white, to a file: `python images.py FILE COUNT`."""

import sys

import numpy as np

import keras_ae

if __name__ == "__main__":
    found = keras_ae.data.load("mnist", "train", binarize="threshold")
    np.save(sys.argv[1], np.asarray(found.x[: int(sys.argv[2])], "float32"))
