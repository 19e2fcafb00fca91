"""Writes the images of MNIST, black or white, as bytes: `python images.py FILE`."""

import sys
from pathlib import Path

import numpy as np

import keras_ae

if __name__ == "__main__":
    Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
    np.save(sys.argv[1], keras_ae.data.load("mnist", "train", binarize="threshold").x.astype("uint8"))
