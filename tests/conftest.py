"""What every test starts from."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.models import training

# What a small model costs is the making of its graph. Optimising it takes longer than running it; many steps a call
# take twice as long to trace as one, so tests that are about them ask for them.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
training.STEPS_PER_EXECUTION = 1


@pytest.fixture(scope="session")
def digits():
    """Digits of 8x8, binarised: (train, test)."""
    return _digits(binarize="threshold")


@pytest.fixture(scope="session")
def grey_digits():
    """Digits of 8x8 in grey levels: (train, test)."""
    return _digits()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def _digits(**options):
    from keras_ae.data import load

    return tuple(load("digits", split, **options).x for split in ("train", "test"))
