"""Where an export is written; a SavedModel of every model is tested in `conformance/test_files.py`."""

import keras
import pytest

import keras_ae
from keras_ae.serving import formats


@pytest.fixture(scope="module")
def model():
    return keras_ae.create("ae", (4,), 2, network_options={"hidden": (3,)})


def test_a_file_is_not_overwritten(model, tmp_path):
    target = tmp_path / "file"
    target.write_text("precious")
    with pytest.raises(keras_ae.InputError, match=r"file exists and is a file.*another folder"):
        keras_ae.export(model, target)
    assert target.read_text() == "precious"


def test_a_folder_of_other_things_is_left_alone(model, tmp_path):
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(keras_ae.InputError, match=r"something else than numbered versions: notes\.txt"):
        keras_ae.export(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_only_models_of_the_zoo(tmp_path):
    with pytest.raises(keras_ae.InputError, match=r"model must be an Autoencoder of keras_ae.*Sequential"):
        keras_ae.export(keras.Sequential(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing_behind(model, tmp_path, monkeypatch):
    def fail(model, folder, *options):
        folder.mkdir()
        raise OSError("disk full")

    (tmp_path / "1").mkdir()
    monkeypatch.setattr(formats, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        keras_ae.export(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_model_that_was_never_called_or_compiled(model, tmp_path):
    assert model.export(tmp_path / "deep" / "folder") == tmp_path / "deep" / "folder" / "1"
    assert (tmp_path / "deep" / "folder" / "1" / "saved_model.pb").is_file()


def test_the_versions_of_a_folder_have_one_format(model, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    with pytest.raises(keras_ae.InputError, match=r"holds versions in the format saved_model.*another folder"):
        keras_ae.export(model, tmp_path, format="litert")
    assert keras_ae.export(model, tmp_path) == tmp_path / "2"
    assert keras_ae.export(model, tmp_path / "lite", format="litert") == tmp_path / "lite" / "1"
    assert keras_ae.export(model, tmp_path / "lite", format="litert") == tmp_path / "lite" / "2"
