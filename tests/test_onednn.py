"""TensorFlow's oneDNN operations: whose choice counts, and what a run folder remembers."""

import json
import os
import platform
import subprocess
import sys

import pytest

from keras_ae import backend, onednn
from keras_ae.cli import common
from keras_ae.training import RunFolder
from keras_ae.zoo import runs
from keras_ae.zoo.recipe import Recipe


@pytest.fixture
def chosen(monkeypatch):
    """A function that tells what the environment says, in a process that has not imported TensorFlow."""
    monkeypatch.delenv(onednn.VARIABLE, raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return lambda: os.environ.get(onednn.VARIABLE)


def test_on_by_default(chosen):
    onednn.prefer()
    assert chosen() == "1"


def test_the_users_choice_counts(chosen, monkeypatch):
    monkeypatch.setenv(onednn.VARIABLE, "0")
    onednn.prefer()
    assert chosen() == "0"


def test_nothing_is_claimed_once_tensorflow_has_decided(chosen, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", pytest)
    onednn.prefer()
    assert chosen() is None


def test_other_processors_are_left_alone(chosen, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    onednn.prefer()
    assert chosen() is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [(None, "1"), ({"onednn": True}, "1"), ({"onednn": False}, "0"), ({"onednn": None}, None), ({}, None)],
)
def test_a_resumed_run_keeps_its_own(config, expected, chosen, tmp_path):
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    common.import_keras(tmp_path)
    assert chosen() == expected


@pytest.mark.parametrize("text", ["{", "[]", '{"onednn": "yes"}'])
def test_a_damaged_run_is_left_to_the_command(text, chosen, tmp_path):
    (tmp_path / "config.json").write_text(text)
    common.import_keras(tmp_path)
    assert chosen() is None


def test_a_run_that_goes_on_with_other_operations_says_so(monkeypatch, tmp_path):
    recipe = Recipe("ae", hidden=(4,), latent_dim=2, epochs=1)
    monkeypatch.setattr(backend, "uses_onednn", lambda: True)
    runs.train(recipe, RunFolder(tmp_path))
    monkeypatch.setattr(backend, "uses_onednn", lambda: False)
    with pytest.warns(UserWarning, match="was started with TF_ENABLE_ONEDNN_OPTS=1, this process computes with 0"):
        runs.train(recipe, RunFolder(tmp_path), resume=True)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="TensorFlow has them on x86 processors alone")
@pytest.mark.parametrize("on", [False, True])
def test_what_tensorflow_found_at_its_import(on):
    program = f"import keras_ae; assert keras_ae.backend.uses_onednn() is {on}"
    environment = {**os.environ, onednn.VARIABLE: str(int(on)), "KERAS_BACKEND": "tensorflow"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
