"""Runs that are killed, stopped, in use, damaged or out of disk."""

import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from keras_ae.errors import InputError, TrainingDivergedError
from keras_ae.models import files
from keras_ae.training import Best, RunFolder
from keras_ae.zoo import runs
from keras_ae.zoo.recipe import Recipe

RECIPE = {"model": "vae", "latent_dim": 2, "hidden": [8], "binarize": "threshold", "options": {}}


def train(path, epochs, resume=False, **settings):
    return runs.train(Recipe(**{**RECIPE, **settings, "epochs": epochs}), RunFolder(path), resume)


def start(path, epochs):
    """The command line in a process of its own."""
    arguments = ["train", "vae", "--latent-dim", "2", "--hidden", "8", "--binarize", "threshold"]
    program = "from tests.helpers import trace_quickly; trace_quickly(); import sys; sys.argv[0] = 'keras-ae'; "
    program += "from keras_ae.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments, "--epochs", str(epochs), "--out", str(path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def wait_for_epochs(folder, epochs, process):
    deadline = time.monotonic() + 120
    while max(folder.checkpoints(), default=0) < epochs:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.02)


def assert_equal_models(first, second):
    pairs = zip(first.variables + first.optimizer.variables, second.variables + second.optimizer.variables, strict=True)
    for a, b in pairs:
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_a_killed_run_resumes_to_the_same_bits(tmp_path):
    folder = RunFolder(tmp_path / "killed")
    process = start(folder.path, epochs=100_000)
    wait_for_epochs(folder, 2, process)
    process.kill()  # -9: nothing can be cleaned up
    process.wait()
    process.stderr.close()
    epochs = max(folder.checkpoints()) + 2
    resumed = train(folder.path, epochs, resume=True)
    straight = train(tmp_path / "straight", epochs)
    assert_equal_models(resumed, straight)
    assert folder.history() == RunFolder(tmp_path / "straight").history()


def test_ctrl_c_says_how_to_resume(tmp_path):
    folder = RunFolder(tmp_path / "run")
    process = start(folder.path, epochs=100_000)
    wait_for_epochs(folder, 1, process)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    last = message.strip().splitlines()[-1]
    assert "Continue with: keras-ae train vae" in last and last.endswith("--resume")
    assert folder.load_checkpoint()[1] >= 1


def test_dynamic_binarisation_resumes_to_the_same_bits(tmp_path):
    train(tmp_path / "a", 1, binarize="dynamic")
    resumed = train(tmp_path / "a", 3, resume=True, binarize="dynamic")
    assert_equal_models(resumed, train(tmp_path / "b", 3, binarize="dynamic"))


def test_a_folder_in_use_is_refused(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.locked(), pytest.raises(InputError, match=f"in use by process {os.getpid()}"):
        train(folder.path, 1)


def test_other_settings_and_other_data_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(20, dtype="float32"))
    data = str(tmp_path / "x.npy")
    train(tmp_path / "run", 1, data=data, binarize=None)
    with pytest.raises(InputError, match="latent_dim: 2 in the folder, 3 now"):
        train(tmp_path / "run", 2, resume=True, data=data, binarize=None, latent_dim=3)
    np.save(tmp_path / "x.npy", 1 - np.eye(20, dtype="float32"))
    with pytest.raises(InputError, match="has changed"):
        train(tmp_path / "run", 2, resume=True, data=data, binarize=None)


def test_damaged_files_are_named(tmp_path):
    folder = RunFolder(tmp_path / "run")
    train(folder.path, 1)
    folder.model_file.write_bytes(b"not a model")
    with pytest.raises(InputError, match=r"model\.keras is no readable model file"):
        folder.load_model()
    (folder.path / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        _ = folder.config


def test_a_model_of_somebody_else_is_refused(tmp_path):
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(InputError, match="holds a Sequential"):
        files.load_model(tmp_path / "other.keras")


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    model = train(folder.path, 1)
    before = folder.checkpoints()[1].read_bytes()

    def fill_disk(model, path, **options):
        path.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", fill_disk)
    with pytest.raises(OSError, match=r"No space left on device.*checkpoint-00002\.keras"):
        folder.save_checkpoint(model, 2)
    assert list(folder.checkpoints()) == [1]
    assert folder.checkpoints()[1].read_bytes() == before
    assert not list(folder.path.glob(".*"))


def test_divergence_names_epoch_and_term_and_keeps_no_broken_checkpoint(tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"epoch 1: .*(kl|reconstruction).* no longer finite"):
        train(tmp_path / "run", 3, learning_rate=1e30)
    assert RunFolder(tmp_path / "run").checkpoints() == {}


@pytest.fixture(scope="module")
def best_run(tmp_path_factory):
    """A training at a rate so high that its validation loss soon stops falling."""
    path = tmp_path_factory.mktemp("best")
    settings = {"model": "ae", "validation": 0.2, "patience": 3, "learning_rate": 0.2, "schedule": "cosine"}
    return path, settings, train(path, 40, **settings)


def test_the_model_is_that_of_the_best_epoch(best_run):
    path, settings, model = best_run
    losses = [row["val_loss"] for row in RunFolder(path).history()]
    best = losses.index(min(losses))
    assert len(losses) == best + 4 < 40
    x = Recipe(**{**RECIPE, **settings, "epochs": 40}).load("train").x
    assert model.evaluate(x[len(x) - len(x) // 5 :], verbose=0)[0] == pytest.approx(min(losses), rel=1e-5)


@pytest.mark.slow
def test_a_stopped_run_of_best_epochs_ends_like_one_that_was_not(best_run, tmp_path):
    path, settings, straight = best_run

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    recipe = Recipe(**{**RECIPE, **settings, "epochs": 40})
    with pytest.raises(KeyboardInterrupt):
        runs.train(recipe, RunFolder(tmp_path / "run"), callbacks=[Stop()])
    resumed = runs.train(recipe, RunFolder(tmp_path / "run"), resume=True)
    assert_equal_models(resumed, straight)
    assert RunFolder(tmp_path / "run").history() == RunFolder(path).history()
    again = runs.train(recipe, RunFolder(tmp_path / "run"), resume=True)  # it is over: nothing is trained
    assert_equal_models(again, straight)
    assert len(RunFolder(tmp_path / "run").history()) == len(RunFolder(path).history())
    with pytest.raises(InputError, match="epochs: 40 in the folder, 50 now"):
        train(tmp_path / "run", 50, resume=True, **settings)


def test_epochs_of_a_pretraining_are_not_compared(tmp_path, monkeypatch):
    """They have another loss; the model of the last of them is kept until there are others."""
    folder, saved = RunFolder(tmp_path), []
    monkeypatch.setattr(keras.Model, "save", lambda model, path: saved.append(len(folder.history()) + 1))
    best = Best(folder, patience=2, pretraining=2)
    best.set_model(keras.Model())
    best.model.stop_training = False
    for epoch, loss in enumerate((1.0, 2.0, 9.0, 8.0, 8.5, 8.6)):
        assert not best.is_over(epoch) and not best.model.stop_training
        best.on_epoch_end(epoch, {"val_loss": loss})
        folder.write_history([*folder.history(), {"epoch": epoch + 1, "val_loss": loss}])
    assert saved == [1, 2, 3, 4] and best.model.stop_training and best.is_over(epoch + 1)


def test_the_cosine_ends_at_zero(tmp_path):
    model = train(tmp_path, 3, schedule="cosine", validation=0.1)
    assert float(model.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)
    half = train(tmp_path / "half", 2, schedule="constant")
    assert float(half.optimizer.learning_rate) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"schedule": "cosin"}, "'cosin'.*'cosine'"),
        ({"patience": 2}, "patience needs a validation loss"),
        ({"patience": 0, "validation": 0.1}, "patience must be"),
        ({"validation": 1.5}, "validation must be"),
        ({"validation": 0.0005}, "validation=0.0005 selects 0 of 1,437 examples"),
        ({"validation": "validaton"}, "validaton"),
        ({"network_options": {"activaton": "tanh"}}, "activaton"),
        ({"precision": "bfloat16"}, "'bfloat16'.*'mixed_bfloat16'"),
    ],
)
def test_settings_that_cannot_be(settings, words, tmp_path):
    with pytest.raises(InputError, match=words):
        train(tmp_path / "run", 1, **settings)
    assert not (tmp_path / "run").exists()


def test_what_is_monitored_may_be_a_sum_of_terms(tmp_path):
    """With beta = 0 the loss is the reconstruction alone; it falls while the divergence rises."""
    settings = {"model": "beta_vae", "options": {"beta": 0.0}, "validation": 0.2, "patience": 4, "learning_rate": 0.02}
    model = train(tmp_path / "run", 4, monitor=("reconstruction", "kl"), **settings)
    history = RunFolder(tmp_path / "run").history()
    sums = [row["val_reconstruction"] + row["val_kl"] for row in history]
    assert sums.index(min(sums)) != int(np.argmin([row["val_loss"] for row in history]))
    steps_an_epoch = int(RunFolder(tmp_path / "run").load_checkpoint()[0].step) // len(history)
    assert int(model.step) == steps_an_epoch * (1 + sums.index(min(sums)))
    with pytest.raises(InputError, match=r"term to monitor: 'lost'.*'loss'"):
        train(tmp_path / "other", 1, monitor=("lost",), **settings)
