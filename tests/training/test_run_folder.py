"""Run folders that are read while they change, in use, or altered."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import keras_ae
from keras_ae.errors import InputError
from keras_ae.models import files
from keras_ae.training import RunFolder
from keras_ae.zoo import runs
from keras_ae.zoo.recipe import Recipe

SETTINGS = {"model": "ae", "hidden": (4,), "latent_dim": 2, "epochs": 1}
BEST = {"validation": 0.2, "patience": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A run of one epoch."""
    path = tmp_path_factory.mktemp("runs") / "base"
    runs.train(Recipe(**SETTINGS, **BEST), RunFolder(path))
    return path


@pytest.fixture
def run(base, tmp_path):
    """A copy that a test may spoil."""
    subprocess.run(["cp", "-r", base, tmp_path / "run"], check=True)
    return tmp_path / "run"


def go_on(path, epochs=2, **settings):
    """Trains a further epoch, if nothing is wrong."""
    trained = []

    class Watch(keras_ae.models.monitoring.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            trained.append(epoch)

    try:
        runs.train(Recipe(**{**SETTINGS, **BEST, **settings, "epochs": epochs}), RunFolder(path), True, 0, [Watch()])
    finally:
        assert not trained, "an epoch was trained first"


CONFIG = {"recipe": Recipe(**SETTINGS, **BEST).as_json()}


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("history.csv", lambda text: text.replace(b",", b";"), "could not convert"),
        ("history.csv", lambda text: text.replace(b"\n1,", b"\n1.0,"), "'1.0'"),
        ("history.csv", lambda text: text.replace(b"\n1,", b"\n3,"), "column epoch"),
        ("history.csv", lambda text: text.replace(b"epoch", b"Epoch"), "column epoch"),
        ("history.csv", lambda text: text + b"2,3\n", "damaged"),
        ("history.csv", lambda text: text + b"2,3,3,3,3,3,3,3\n", "damaged"),
        ("history.csv", lambda text: text.splitlines()[0], "no row for epoch 1"),
        ("history.csv", lambda text: b"\xff\xfe", "damaged"),
        ("history.csv", lambda text: None, "no row for epoch 1"),
        ("seconds.txt", lambda text: b"1,5", "damaged"),
        ("snapshots/epoch-00001.npy", lambda text: text[:40], "damaged"),
        ("config.json", lambda text: b"[]", "no recipe"),
        ("config.json", lambda text: b"[" * 100_000, "damaged"),
        ("config.json", lambda text: b'{"recipe": []}', "no recipe"),
        ("config.json", lambda text: json.dumps(CONFIG).encode(), "no SHA-256"),
        ("config.json", lambda text: json.dumps({**CONFIG, "data": [1]}).encode(), "no SHA-256"),
    ],
)
def test_an_altered_file_is_named(run, name, spoil, words):
    spoilt(run / name, spoil)
    folder = RunFolder(run)
    with pytest.raises(InputError, match=words) as caught:
        assert folder.data_sha256
        folder.check(1)
    assert name.rpartition("/")[2] in str(caught.value)


def spoilt(file, spoil):
    content = spoil(file.read_bytes())
    file.unlink()
    if content is not None:
        file.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("history.csv", lambda text: text.replace(b",", b";"), r"history\.csv is damaged"),
        ("config.json", lambda text: None, r"holds .*, but no config\.json"),
        (
            "checkpoint-00001.keras",
            lambda text: text[: len(text) // 2],
            r"checkpoint-00001\.keras .*cut off.* remove it",
        ),
        ("best.keras", lambda text: None, r"no model file .*best\.keras"),
    ],
)
def test_an_altered_file_is_found_before_an_epoch_is_trained(run, name, spoil, words):
    spoilt(run / name, spoil)
    checkpoints = sorted(path.name for path in run.glob("checkpoint*"))
    with pytest.raises(InputError, match=words):
        go_on(run)
    assert sorted(path.name for path in run.glob("checkpoint*")) == checkpoints


def test_a_checkpoint_of_another_model_is_named(run, tmp_path):
    other = keras_ae.create("ae", (8, 8, 1), 3, network_options={"hidden": (4,)})
    other.save(run / "checkpoint-00001.keras")
    with pytest.raises(InputError, match=r"checkpoint-00001\.keras holds another model"):
        go_on(run)
    broken = RunFolder(run).load_model()
    broken.trainable_variables[0].assign(np.full(broken.trainable_variables[0].shape, np.nan))
    keras_ae.models.training.keras.Model.save(broken, run / "checkpoint-00001.keras")
    with pytest.raises(InputError, match=r"checkpoint-00001\.keras holds a model whose weights are not finite"):
        go_on(run)


def test_what_is_no_checkpoint_is_left_out(run):
    for name in ("checkpoint-00001 (copy).keras", "checkpoint-x.keras", "checkpoint-1.keras", "checkpoint-00009.txt"):
        (run / name).touch()
    (run / "snapshots" / "epoch-00001 (copy).npy").touch()
    folder = RunFolder(run)
    assert list(folder.checkpoints()) == [1] and list(folder.snapshots()) == [0, 1]
    assert folder.load_checkpoint()[1] == 1


def test_the_same_command_again_trains_nothing(run):
    before = (run / "history.csv").read_bytes()
    for resume in (False, True):
        model = runs.train(Recipe(**SETTINGS, **BEST), RunFolder(run), resume)
        assert int(model.step) == int(files.load_model(run / "best.keras").step)
    assert (run / "history.csv").read_bytes() == before
    with pytest.raises(InputError, match=r"epochs: 1 in the folder, 2 now.*--resume"):
        runs.train(Recipe(**{**SETTINGS, **BEST, "epochs": 2}), RunFolder(run))


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_other_things_is_left_alone(tmp_path, resume):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"holds thesis\.tex, but no config\.json of a run"):
        runs.train(Recipe(**SETTINGS), RunFolder(tmp_path), resume)
    with pytest.raises(InputError, match=r"thesis\.tex is a file"):
        runs.train(Recipe(**SETTINGS), RunFolder(tmp_path / "thesis.tex"), resume)


def test_more_epochs_than_asked(run):
    folder = RunFolder(run)
    (run / "checkpoint-00001.keras").rename(run / "checkpoint-00002.keras")
    folder.write_history([{**folder.history()[0], "epoch": epoch} for epoch in (1, 2)])
    with pytest.raises(InputError, match="has 2 epochs, more than epochs=1"):
        runs.train(Recipe(**SETTINGS, **BEST), folder, resume=True)


def test_a_checkpoint_that_is_replaced_while_it_is_read(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.start({"recipe": {}})
    names = iter(["checkpoint-00001.keras", "checkpoint-00002.keras"])
    (tmp_path / next(names)).touch()
    asked = []

    def load(path):
        asked.append(path.name)
        if len(asked) == 1:
            (tmp_path / next(names)).touch()
            path.unlink()
            raise InputError("there is no such file")
        return "model"

    monkeypatch.setattr(files, "load_model", load)
    assert folder.load_model() == "model"
    assert asked == ["checkpoint-00001.keras", "checkpoint-00002.keras"]


def test_a_folder_is_held_by_one_thread_or_process(tmp_path):
    refused = []

    def hold():
        with pytest.raises(InputError, match="in use by process"), RunFolder(tmp_path / "run").locked():
            raise AssertionError
        refused.append(True)

    with RunFolder(tmp_path / "run").locked():
        thread = threading.Thread(target=hold)
        thread.start()
        thread.join()
        program = "import filelock, sys; filelock.FileLock(sys.argv[1], blocking=False).acquire()"
        other = subprocess.run([sys.executable, "-c", program, tmp_path / "run" / "run.lock"], capture_output=True)
    assert refused and b"Timeout" in other.stderr
    with RunFolder(tmp_path / "run").locked():
        pass


def test_no_module_is_of_one_system_alone():
    folder = Path(keras_ae.__file__).parent
    found = [
        f"{path.relative_to(folder)}: {line}"
        for path in folder.rglob("*.py")
        for line in path.read_text().splitlines()
        if re.match(r"\s*(import|from) (fcntl|grp|msvcrt|posix|pwd|resource|termios|winreg)\b", line)
    ]
    assert not found
