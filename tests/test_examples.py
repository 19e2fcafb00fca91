"""The examples, each on a small budget, as a user runs them."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import quick

EXAMPLES = Path(__file__).parent.parent / "examples"
PAGES = Path(__file__).parent.parent / "docs" / "examples"
TINY = {  # example -> its arguments
    "conditional_generation": "--data digits --epochs 1",
    "contraction": "--data digits --epochs 1",
    "denoising": "--data digits --epochs 1",
    "faces": "--epochs 1 --steps 20",
    "features": "--data digits --epochs 1 --seeds 1",
    "functional_sampling": "--epochs 1",
    "hinton": "--data digits --epochs 1",
    "identity_task": "--epochs 1 --seeds 1",
    "missing_inputs": "--data digits --epochs 1",
    "per_example_inference": "--epochs 1 --steps 2 --test-steps 3 --samples 5",
    "pca_and_deep": "--data digits --epochs 1",
    "pretraining": "--data digits --epochs 1 --seeds 1 --steps 10",
    "semi_supervised": "--preset vae_digits --labels 50 --epochs 1",
    "sparsity": "--data digits --epochs 1",
    "time_series": "--data series.csv --length 8 --epochs 1 --seeds 1",
    "wae_vs_vae": "--data digits --epochs 1",
    "words": "--words words.txt --epochs 1 --samples 2",
}
NO_PAGE = {"common", "demo", "serve_with_tensorflow"}
OF_GRAPHVIZ = {"encoder.png"}  # drawn where the program dot is installed


def pictures(page):
    """Names of the pictures that a page shows."""
    return re.findall(r"!\[.*?\]\((.*?)\)", page)


def test_every_example_is_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(TINY) | NO_PAGE


@pytest.mark.parametrize("name", quick(TINY, "denoising", "hinton", "identity_task", "semi_supervised"))
def test_an_example_writes_its_page(name, tmp_path, monkeypatch):
    """The page has a title, a table and the pictures that it shows, the same as the one in docs."""
    monkeypatch.chdir(tmp_path)
    Path("words.txt").write_text("\n".join(f"{a}{b}{c}" for a in "abcde" for b in "aeiou" for c in "lmnrst"))
    Path("series.csv").write_text("".join(f"{i % 7},{i % 5},{int(60 < i < 65)}\n" for i in range(100)))
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLES / f"{name}.py"), *TINY[name].split(), "--out", str(tmp_path)])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    page, full = (tmp_path / "README.md").read_text(), (PAGES / name / "README.md").read_text()
    assert page.splitlines()[0] == full.splitlines()[0]
    assert "| --- |" in page and "nan" not in page.lower().split("`")[0]
    assert {*pictures(page), *OF_GRAPHVIZ} >= set(pictures(full))
    assert all((tmp_path / picture).is_file() for picture in pictures(page))
    assert all((PAGES / name / picture).is_file() for picture in pictures(full))


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
