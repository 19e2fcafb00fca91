"""What every test starts from."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Compiling takes most of XLA's time, here and in the processes that tests start: without expensive optimisations.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

import numpy as np
import pytest

from tests.helpers import trace_quickly

trace_quickly()
os.fsync = lambda descriptor: None  # no power is cut in tests, and each call takes milliseconds


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Lets go of a file's models after its last test: their graphs would fill the memory."""
    if nextitem is None or nextitem.path != item.path:
        for value in vars(getattr(item, "module", pytest)).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
        gc.collect()


@pytest.fixture(scope="session")
def digits():
    """Digits of 8x8, binarised: (train, test)."""
    return _digits(binarize="threshold")


@pytest.fixture(scope="session")
def grey_digits():
    """Digits of 8x8 in grey levels: (train, test)."""
    return _digits()


@pytest.fixture(autouse=True)
def seeded():
    """What a test gives no seed (the layers of a network of its own) is the same in each run."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def _digits(**options):
    from keras_ae.data import load

    return tuple(load("digits", split, **options).x for split in ("train", "test"))
