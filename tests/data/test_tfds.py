"""Sets of TensorFlow Datasets, and their cache. Nothing here downloads."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from keras_ae.data import cache, load, tfds
from keras_ae.data.dataset import Raw
from keras_ae.errors import InputError


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_AE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def prepare(tmp_path):
    """Function that writes what looks like a prepared set, and returns its folder."""

    def write(name: str = "toys", version: str = "1.0.0") -> Path:
        folder = tmp_path / "sets" / name / version
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").write_text("{}")
        return folder

    return write


@pytest.fixture
def decode(monkeypatch):
    """Replaces the decoding by TFDS; the list holds the calls."""
    calls: list[tuple] = []

    def fake(name: str, folder: Path, split: str) -> Raw:
        calls.append((name, folder.name, split))
        x = np.arange(24, dtype=np.uint8).reshape(6, 2, 2, 1) * 10
        return Raw(x, np.arange(6) % 2, ("ball", "doll"), top=255)

    monkeypatch.setattr(tfds, "_decode", fake)
    return calls


def test_second_load_comes_from_the_cache(tmp_path, prepare, decode, cache_folder):
    prepare()
    first = load("toys", data_dir=tmp_path / "sets")
    second = load("toys", data_dir=tmp_path / "sets")
    assert decode == [("toys", "1.0.0", "train")]
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(first.y, second.y)
    assert second.label_names == ("ball", "doll") and second.x.max() == np.float32(230 / 255)
    assert [path.suffix for path in cache_folder.iterdir()] == [".npz"]

    load("toys", "test", data_dir=tmp_path / "sets")
    assert decode[1:] == [("toys", "1.0.0", "test")]


def test_set_without_labels_in_the_cache(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for _ in range(2):
        raw = cache.cached(source, "train", lambda: Raw(np.zeros((2, 3), np.uint8), top=255))
        assert raw.y is None and raw.label_names == () and raw.top == 255 and raw.x.shape == (2, 3)


def test_changed_source_is_read_again(tmp_path, prepare, decode):
    folder = prepare()
    load("toys", data_dir=tmp_path / "sets")
    (folder / "more.tfrecord").write_text("new")
    load("toys", data_dir=tmp_path / "sets")
    assert len(decode) == 2


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: b"junk", lambda content: content[:-200]])
def test_corrupt_cache_is_rebuilt(tmp_path, prepare, decode, cache_folder, damage):
    prepare()
    expected = load("toys", data_dir=tmp_path / "sets").x
    (path,) = cache_folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        np.testing.assert_array_equal(load("toys", data_dir=tmp_path / "sets").x, expected)
    assert len(decode) == 2


def test_flipped_bit_in_the_cache_is_noticed(tmp_path, prepare, decode, cache_folder):
    prepare()
    expected = load("toys", data_dir=tmp_path / "sets").x
    (path,) = cache_folder.iterdir()
    content = path.read_bytes()
    pixels = bytes(range(0, 240, 10))
    assert pixels in content
    path.write_bytes(content.replace(pixels, pixels[::-1]))
    np.testing.assert_array_equal(load("toys", data_dir=tmp_path / "sets").x, expected)
    assert len(decode) == 2


def test_the_cache_gives_no_other_data(tmp_path, prepare, decode, cache_folder):
    """Its file rewritten without the labels, with other pixels, or put in the place of another set's."""
    prepare()
    load("toys", data_dir=tmp_path / "sets")
    (path,) = cache_folder.iterdir()
    arrays = dict(np.load(path))
    without = {name: array for name, array in arrays.items() if name != "y"}
    for wrong in (without, {**arrays, "x": arrays["x"] + 1}, {**arrays, "sha256": np.array("0")}, {"x": arrays["x"]}):
        np.savez(path, **wrong)
        assert load("toys", data_dir=tmp_path / "sets").y.tolist() == [0, 1, 0, 1, 0, 1]
    prepare("games")
    before = len(decode)
    load("games", data_dir=tmp_path / "sets")
    (other,) = set(cache_folder.iterdir()) - {path}
    other.write_bytes(path.read_bytes())
    load("games", data_dir=tmp_path / "sets")
    assert before == 5 and len(decode) == 7


def test_folder_of_the_cache_that_cannot_be_made(tmp_path, prepare, decode, cache_folder):
    prepare()
    cache_folder.write_text("a file, where the folder should be")
    for _ in range(2):
        assert len(load("toys", data_dir=tmp_path / "sets")) == 6
    assert len(decode) == 2


def test_full_disk_leaves_nothing_behind(tmp_path, prepare, decode, cache_folder, monkeypatch):
    prepare()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert len(load("toys", data_dir=tmp_path / "sets")) == 6
    assert list(cache_folder.iterdir()) == []


def test_versions_and_configurations(tmp_path, prepare, decode, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "sets"))
    for version in ("2.0.0", "10.0.0", "11.0.0.incompleteABC"):
        prepare(version=version)
    prepare("toys/red", "3.0.0")
    for name in ("toys", "toys:2.0.0", "toys/red"):
        load(name)
    assert [folder for _, folder, _ in decode] == ["10.0.0", "2.0.0", "3.0.0"]
    assert tfds.prepared("toys:9.9.9", tmp_path / "sets") is None


def test_unknown_set_names_close_ones(tmp_path):
    with pytest.raises(InputError, match=r"'fashion_mnits'\. Did you mean 'fashion_mnist'"):
        load("fashion_mnits", data_dir=tmp_path)


def test_remote_folder_is_refused():
    with pytest.raises(InputError, match=r"folder of this computer. Received: 'gs://sets'"):
        load("mnist", data_dir="gs://sets")


def test_failed_download_says_what_to_do(tmp_path, monkeypatch):
    import tensorflow_datasets

    asked = []

    def offline(self, *, download_dir):
        asked.append(download_dir)
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tensorflow_datasets.core.DatasetBuilder, "download_and_prepare", offline)
    for name in ("mnist", "fashion_mnist"):
        with pytest.raises(InputError, match=r"TFDS_DATA_DIR.*'digits'.*ConnectionError: no route to host"):
            load(name, data_dir=tmp_path)
    assert asked == [tmp_path / "downloads" / "mnist", tmp_path / "downloads" / "fashion_mnist"]


def test_one_of_two_processes_prepares_a_set(tmp_path, monkeypatch):
    import tensorflow_datasets

    prepared = []

    def prepare(self, *, download_dir):
        prepared.append(self.name)
        time.sleep(0.05)
        (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
        (tmp_path / "mnist" / "3.0.1" / "dataset_info.json").touch()

    monkeypatch.setattr(tensorflow_datasets.core.DatasetBuilder, "download_and_prepare", prepare)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: tfds._prepare("mnist", tmp_path), range(2)))
    assert [path.name for path in found] == ["3.0.1", "3.0.1"] and prepared == ["mnist"]


@pytest.mark.parametrize("key", ["pythonClassName", "python_class_name", "type"])
def test_a_set_of_strangers_imports_no_module(tmp_path, prepare, monkeypatch, key):
    (tmp_path / "stranger.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    features = {"featuresDict": {"features": {"image": {key: "stranger.Image"}}}}
    (prepare() / "features.json").write_text(json.dumps(features))
    with pytest.raises(InputError, match=r"has the class 'stranger\.Image', whose module would be imported"):
        load("toys", data_dir=tmp_path / "sets")


@pytest.mark.parametrize("content", ["{", "[1]", "{}"])
def test_a_damaged_set_is_named(tmp_path, prepare, content):
    (prepare() / "features.json").write_text(content)
    with pytest.raises(InputError, match=r"1.0.0' cannot be read as the data set 'toys'"):
        load("toys", data_dir=tmp_path / "sets")


# Real sets. None is ever downloaded.


def need(name: str) -> None:
    root = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    if tfds.prepared(name, root) is None:
        reason = f"{name} is not prepared in {root}; set TFDS_DATA_DIR to a folder where it is"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def test_mnist():
    need("mnist")
    data = load("mnist", "test")
    assert (len(data), data.shape, data.num_classes, data.pixels) == (10000, (28, 28, 1), 10, "grey")
    assert np.bincount(data.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.x.mean() == pytest.approx(0.1325, abs=1e-4)

    part = load("mnist", "test[:100]", binarize="fixed")
    np.testing.assert_array_equal(part.x, load("mnist", "test", binarize="fixed").x[:100])
    np.testing.assert_array_equal(load("mnist", "test[:100]", levels=True).x, np.round(data.x[:100] * 255))


@pytest.mark.parametrize("split", ["validation", "train[oops]", "test+"])
def test_unknown_split(split):
    need("mnist")
    with pytest.raises(InputError, match=r"no split .*It has: test, train; parts of one"):
        load("mnist", split)


def test_empty_split():
    need("mnist")
    with pytest.raises(InputError, match="has no examples"):
        load("mnist", "test[:0]")


def test_binarized_mnist():
    need("binarized_mnist")
    data = load("binarized_mnist", "validation")
    assert data.x.shape == (10000, 28, 28, 1) and data.y is None and data.pixels == "binary" and data.is_discrete
    assert set(np.unique(data.x)) == {0.0, 1.0}


def test_fashion_mnist():
    need("fashion_mnist")
    data = load("fashion_mnist", "test[:50]")
    assert data.x.shape == (50, 28, 28, 1) and data.label_names[0] == "T-shirt/top"


def test_cached_mnist_is_ready_within_three_seconds_and_without_tensorflow():
    need("mnist")
    load("mnist")
    script = """if True:
        import json, sys, time
        from keras_ae.data import load
        start = time.perf_counter()
        data = load("mnist")
        seconds = time.perf_counter() - start
        print(json.dumps([len(data), seconds, "tensorflow" in sys.modules]))
    """
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    output = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    size, seconds, has_tensorflow = json.loads(output.stdout)
    assert size == 60000 and not has_tensorflow
    assert seconds < 3
