"""Work that is killed at every change of its folder, one after the other: the same call goes on, to the same files.

benchmarks/interruptions does it to processes that train.
"""

import itertools
import random

import numpy as np
import pytest

from keras_ae import writing
from keras_ae.data import images
from keras_ae.serving import versions
from keras_ae.training import RunFolder
from keras_ae.zoo import runs
from keras_ae.zoo.presets import folder as presets
from keras_ae.zoo.recipe import Recipe
from tests import changes
from tests.stand_ins import Number, stand_in


@pytest.fixture(autouse=True)
def numbers(monkeypatch):
    stand_in(monkeypatch)


def kills(folder, work, prepare=lambda place: None):
    """Starts the work again and again, each time in a new folder, and kills it one change later each time; gives the
    folders, and first that of work that was not killed."""
    for number in itertools.count():
        place = folder / str(number)
        place.mkdir()
        prepare(place)
        if changes.killed_at(number or 10**6, place, lambda place=place: work(place)) and number:
            assert number > 3
            return
        yield place


@pytest.mark.parametrize(("epochs", "patience", "resume"), [(3, None, False), (4, 1, True)])
def test_the_command_of_a_training_goes_on(tmp_path, epochs, patience, resume):
    recipe = Recipe("ae", epochs=epochs, patience=patience, validation=0.1, hidden=(4,), latent_dim=2)
    generator, expected = random.Random(0), None

    def train(place):
        runs.train(recipe, RunFolder(place), resume)

    for place in kills(tmp_path, train):
        if generator.random() < 0.3:  # and killed once more
            changes.killed_at(generator.randrange(1, 30), place, lambda place=place: train(place))
        train(place)
        found = changes.files(place, "seconds.txt", "run.lock")
        expected = expected or found
        assert found == expected
    assert {"config.json", "history.csv", "model.keras", "snapshots/epoch-00001.npy"} <= set(expected)


OWN = {"index.lock": b"mine", ".git/HEAD": b"ref"}


def save_old(place):
    presets.save(Number(1), place / "preset", metrics={"of the old one": 1})
    for name, content in OWN.items():
        (place / "preset" / name).parent.mkdir(exist_ok=True)
        (place / "preset" / name).write_bytes(content)


@pytest.mark.parametrize("prepare", [lambda place: None, save_old], ids=["new", "replaced"])
def test_a_preset_is_the_old_or_the_new_one(tmp_path, prepare):
    def save(place):
        presets.save(Number(2), place / "preset")

    expected, seen = None, set()
    for place in kills(tmp_path, save, prepare):
        if (place / "preset").exists():
            seen.add(presets.load(place / "preset").value)
        if prepare is save_old:
            assert OWN.items() <= changes.files(place / "preset").items()
        save(place)
        found = changes.files(place)
        expected = expected or found
        assert found == expected
        assert presets.load(place / "preset").value == 2
    assert seen == ({1, 2} if prepare is save_old else {2})
    assert "preset/metrics.json" not in expected and "preset/1/variables" in expected


def test_exports_are_whole(tmp_path):
    def export(place):
        return versions.export(Number(3), place / "served", limit=1)

    for place in kills(tmp_path, export):
        whole = [path for path in place.glob("served/*") if path.name.isdigit()]
        assert export(place).name == str(len(whole) + 1)
        assert set(changes.files(place).values()) == {b"graph", b"3"}
        assert len(changes.files(place)) == 3 * (len(whole) + 1)


def test_files_and_folders_are_whole(tmp_path):
    def write(place):
        writing.write_text(place / "a.txt", "new")
        images.write(place / "pictures", np.zeros((2, 2, 2, 1), "uint8"), 2)

    for place in kills(tmp_path, write, lambda place: (place / "a.txt").write_text("old")):
        assert (place / "a.txt").read_text() in ("old", "new")
        whole = (place / "pictures").exists()
        assert not whole or len(list((place / "pictures").iterdir())) == 2
        writing.write_text(place / "a.txt", "new")
        if not whole:
            write(place)
        assert {path.name for path in place.rglob("*")} == {"a.txt", "pictures", "000000.png", "000001.png"}
