"""Programs that tests run in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

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
