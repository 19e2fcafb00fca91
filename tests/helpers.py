"""Programs that tests run in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = """
import importlib.abc, importlib.machinery, sys

class Blocked(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    # TensorFlow looks whether Keras is there: it may look, but not import.
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            return importlib.machinery.ModuleSpec(name, self, origin="/blocked/" + name)

    def create_module(self, spec):
        raise ImportError(spec.name + " is blocked")

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Blocked())
"""
ROOT = Path(__file__).parent.parent


def trace_quickly():
    """What a small model costs is the making of its graph. Optimising it takes longer than running it; many steps a
    call take twice as long to trace as one, so tests that are about them ask for them. Bits depend on both: a process
    that is compared bit for bit calls this, too."""
    import tensorflow as tf

    from keras_ae.models import training

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    training.STEPS_PER_EXECUTION = 1


def quick(names, *quick_ones):
    """Values of a parameter; a test of those that are not named here is slow."""
    return [name if name in quick_ones else pytest.param(name, marks=pytest.mark.slow) for name in names]


def run(program, *arguments, block=(), **environment):
    """Runs a program, without the modules that are to be blocked."""
    program = (BLOCK.replace("{names}", repr(tuple(block))) if block else "") + program
    result = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout
