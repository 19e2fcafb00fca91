"""The commands on presets."""

import json

import numpy as np
import pytest

import keras_ae
from keras_ae.zoo import presets
from keras_ae.zoo.presets import training
from tests.zoo.test_presets import TINY


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings of "tiny" alone, in a folder of work."""
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "tiny.json").write_text(json.dumps(TINY))
    monkeypatch.setattr(presets, "SETTINGS", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_from_the_list_to_the_check(command, settings, tmp_path, monkeypatch):
    assert command("zoo", "list") == "tiny                      A tiny one\n"
    assert json.loads(command("zoo", "show", "tiny"))["recipe"]["epochs"] == 2
    assert "keras-ae zoo train tiny" in command("zoo", "check", "tiny", "--folder", tmp_path, code=2)
    assert "tiny: model.keras" in command("zoo", "train", "tiny", "--out", tmp_path)
    expected = training.figures(json.loads((tmp_path / "tiny" / "metrics.json").read_text()))
    (settings / "tiny.json").write_text(json.dumps(TINY | {"expected": expected}))
    assert command("zoo", "check", "--folder", tmp_path).count(" ok\n") == len(expected) == 3
    model = keras_ae.from_preset("tiny", tmp_path)
    model.output_head.bias.assign_add(np.ones(model.output_head.bias.shape))
    model.save_to_preset(tmp_path / "other" / "tiny")
    command("zoo", "check", "tiny", "--folder", tmp_path / "other", code=1)
    monkeypatch.setenv("KERAS_AE_HOME", str(tmp_path))
    assert "holds no preset 'tiny'" in command("zoo", "check", "tiny", "--folder", settings, code=2)


def test_names_that_are_not_there(command, settings):
    assert "Did you mean 'tiny'" in command("zoo", "show", "tinny", code=2)
    assert "Did you mean 'tiny'" in command("zoo", "train", "tinny", code=2)
