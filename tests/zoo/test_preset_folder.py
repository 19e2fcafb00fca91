"""What saving a preset may replace, and presets that change while they are saved or read."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from keras_ae.errors import InputError
from keras_ae.models import files
from keras_ae.serving import versions
from keras_ae.zoo.presets import folder as presets
from tests import changes
from tests.stand_ins import Number, export, load, stand_in


@pytest.fixture(autouse=True)
def numbers(monkeypatch):
    stand_in(monkeypatch)


INDEX = {"format": 1, "name": "p", "files": {"model.keras": "0", "../outside": "0"}}


@pytest.mark.parametrize(
    "index",
    [
        '{"title": "my site"}',
        "[]",
        "{",
        '{"format": 1, "files": {}}',
        '{"format": 1, "files": ["model.keras"]}',
        '{"format": 2, "files": {"model.keras": "0"}}',
        json.dumps(INDEX),
        json.dumps(INDEX).replace("../outside", "/outside"),
        None,
    ],
)
def test_a_folder_of_other_things_is_left_alone(tmp_path, index):
    folder = tmp_path / "website"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / "thesis.tex").write_text("years of work")
    (tmp_path / "outside").write_text("mine")
    if index is not None:
        (folder / "index.json").write_text(index)
    before = changes.files(tmp_path)
    with pytest.raises(InputError, match=r"website exists and is no preset's folder"):
        presets.save(Number(), folder)
    assert changes.files(tmp_path) == before


def test_only_what_the_index_lists_is_replaced(tmp_path):
    folder = presets.save(Number(1), tmp_path / "mine", metrics={"a": 1})
    own = {".git/HEAD": b"ref", "thesis.tex": b"years of work"}
    for name, content in own.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    presets.save(Number(2), folder)
    found = changes.files(folder)
    assert own.items() <= found.items() and "metrics.json" not in found
    assert presets.load(folder).value == 2
    for name in ("metrics.json", "1/notes.txt"):
        (folder / name).write_text("mine")
        with pytest.raises(InputError, match=rf"files that its preset did not write.*{name}.*Move them away"):
            presets.save(Number(3), folder, metrics={"a": 1})
        assert (folder / "model.keras").read_text() == "2" and (folder / name).read_text() == "mine"
        (folder / name).unlink()
    assert not [path.name for path in tmp_path.iterdir() if path.name != "mine"]


def test_an_empty_folder_and_a_file(tmp_path):
    (tmp_path / "empty").mkdir()
    assert presets.load(presets.save(Number(4), tmp_path / "empty")).value == 4
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file exists and is no preset's folder"):
        presets.save(Number(), tmp_path / "file")


@pytest.mark.parametrize("there", [False, True])
def test_presets_saved_at_the_same_time_are_whole(tmp_path, monkeypatch, there):
    if there:
        presets.save(Number(9), tmp_path / "mine")
    barrier = threading.Barrier(4)

    def late(model, folder):
        barrier.wait()  # all have seen what was there before
        return export(model, folder / "1")

    monkeypatch.setattr(presets.serving, "export", late)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda value: presets.save(Number(value), tmp_path / "mine"), range(4)))
    found = presets.load(tmp_path / "mine").value
    assert (tmp_path / "mine" / "1" / "variables").read_text() == str(found) in "0123"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert not list((tmp_path / "mine").glob(".*"))


def test_a_preset_that_is_replaced_while_it_is_read(tmp_path, monkeypatch):
    folder, asked = presets.save(Number(1), tmp_path / "mine"), []

    def slow_load(path, **options):
        asked.append(path)
        if len(asked) == 1:
            presets.save(Number(2), folder)
            raise InputError("half of each")
        return load(path)

    monkeypatch.setattr(files, "load_model", slow_load)
    assert presets.load(folder).value == 2 and len(asked) == 2


def test_exports_at_the_same_time_are_whole(tmp_path, monkeypatch):
    barrier = threading.Barrier(4)

    def late(model, folder, *_):
        barrier.wait()
        return export(model, folder)

    monkeypatch.setattr(versions.formats, "write", late)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda value: versions.export(Number(value), tmp_path, limit=1), range(4)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "3", "4"]
    assert [(path / "variables").read_text() for path in found] == ["0", "1", "2", "3"]
