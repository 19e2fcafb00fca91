"""The examples, each on a small budget, as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_demonstration_ends_with_what_it_made(tmp_path):
    result = subprocess.run(
        [sys.executable, EXAMPLES / "demo.py", "--epochs", "2"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs" / "demo-digits"
    assert (run / "exported" / "1" / "saved_model.pb").is_file()
    assert {"codes.png", "reconstructions.png", "samples.png"} <= set(os.listdir(run / "pictures"))
    assert "PCA, 8 dimensions" in result.stdout and "largest difference to the Keras model" in result.stdout
    assert result.stdout.split("Try next")[1].count("keras-ae ") == 3
    again = subprocess.run(
        [sys.executable, EXAMPLES / "serve_with_tensorflow.py", run / "exported" / "1", tmp_path / "missing.npz"],
        capture_output=True,
        text=True,
    )
    assert again.returncode == 1 and "there is no" in again.stderr
