"""One's own arrays, tables and folders of images."""

import io
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_ae.data import load
from keras_ae.errors import InputError


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def both(path: Path, **options):
    return load(path, "train", **options), load(path, "test", **options)


def write_image(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def grey(value: int, height: int = 4, width: int = 6) -> np.ndarray:
    return np.full((height, width), value, np.uint8)


def test_npy_floats_stay_as_they_are_and_splits_are_disjoint(tmp_path, rng):
    x = rng.normal(size=(50, 3)) * 5
    np.save(tmp_path / "x.npy", x)
    train, test = both(tmp_path / "x.npy")
    assert (len(train), len(test)) == (45, 5)
    together = np.concatenate([train.x, test.x])
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(x.astype("float32"), axis=0))
    assert len(np.unique(together[:, 0])) == 50
    np.testing.assert_array_equal(load(tmp_path / "x.npy").x, train.x)
    assert train.x.dtype == np.float32 and train.pixels == "values" and not train.is_discrete
    assert train.range == (train.x.min(), train.x.max())


def test_uint8_images_become_grey_levels_with_a_channel(tmp_path, rng):
    x = rng.integers(0, 256, (20, 5, 4), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    train = load(str(tmp_path / "x.npy"))
    assert train.shape == (5, 4, 1) and train.pixels == "grey" and train.range == (0.0, 1.0)
    order = np.random.default_rng(0).permutation(20)[:18]
    np.testing.assert_allclose(train.x[..., 0], x[order] / np.float32(255), rtol=1e-6)
    levels = load(tmp_path / "x.npy", levels=True)
    np.testing.assert_array_equal(levels.x[..., 0], x[order])
    assert levels.levels == 256 and levels.range == (0.0, 255.0) and levels.x.dtype == np.float32


@pytest.mark.parametrize(
    "x",
    [
        np.eye(6, dtype=bool).reshape(6, 2, 3),
        np.eye(6, dtype=np.uint8).reshape(6, 2, 3),
        np.eye(6, dtype=np.uint8).reshape(6, 2, 3) * 255,
        np.eye(6),
    ],
    ids=["bool", "0-1", "0-255", "float"],
)
def test_binary_data_is_recognised_and_not_changed_by_binarize(tmp_path, x):
    np.save(tmp_path / "x.npy", x)
    for binarize in (None, "fixed", "dynamic"):
        data = load(tmp_path / "x.npy", binarize=binarize)
        assert data.pixels == "binary" and data.is_discrete and data.transform is None
        assert set(np.unique(data.x)) == {0.0, 1.0} and data.x.sum() == len(data)


def test_binary_data_with_gaps_is_binary(tmp_path):
    (tmp_path / "x.csv").write_text("0,1,\n,1,0\n1,,1\n0,0,0\n")
    data = load(tmp_path / "x.csv", "all", binarize="threshold")
    assert data.pixels == "binary" and data.is_discrete and data.range == (0, 1) and np.isnan(data.x).sum() == 3


def test_uint8_table_is_values(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(40, dtype=np.uint8).reshape(10, 4))
    train = load(tmp_path / "x.npy")
    assert train.pixels == "values" and train.x.max() > 30


def test_float_images_in_unit_range_are_grey(tmp_path, rng):
    np.save(tmp_path / "x.npy", rng.random((10, 4, 4, 1)))
    assert load(tmp_path / "x.npy").pixels == "grey"


def test_npz_with_labels(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.arange(20.0).reshape(20, 1), y=np.arange(20)[:, None])
    train, test = both(tmp_path / "d.npz")
    for part in (train, test):
        np.testing.assert_array_equal(part.x[:, 0], part.y)
        assert part.y.dtype == np.int64
    assert sorted([*train.y, *test.y]) == list(range(20))


def test_npz_labels_of_text_and_of_numbers(tmp_path):
    x = np.arange(20.0).reshape(20, 1)
    np.savez(tmp_path / "text.npz", x=x, y=np.array(["cat", "ant"] * 10))
    text = load(tmp_path / "text.npz")
    assert text.label_names == ("ant", "cat") and text.num_classes == 2
    np.testing.assert_array_equal(text.y, 1 - text.x[:, 0] % 2)
    np.savez(tmp_path / "floats.npz", x=x, y=x[:, 0] / 2)
    assert load(tmp_path / "floats.npz").num_classes is None
    assert load(tmp_path / "floats.npz").describe().endswith("labels")


def test_npz_with_splits_of_its_own(tmp_path):
    np.savez(tmp_path / "d.npz", x_train=np.zeros((4, 2)) + 2, y_train=np.arange(4), x_test=np.zeros((3, 2)) + 3)
    train, test = both(tmp_path / "d.npz")
    assert train.x.shape == (4, 2) and (train.x == 2).all() and list(train.y) == [0, 1, 2, 3]
    assert test.x.shape == (3, 2) and (test.x == 3).all() and test.y is None
    with pytest.raises(InputError, match=r"'valid'.*Known: test, train"):
        load(tmp_path / "d.npz", "valid")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((2, 2))}, r"array 'x'.*Received: images"),
        ({"x": np.zeros(5)}, r"Received: x of shape \(5,\)"),
        ({"x": np.zeros((0, 2))}, r"Received: x of shape \(0, 2\)"),
        ({"x": np.array([["a", "b"]])}, "real numbers in x. Received: values of type <U1"),
        ({"x": np.zeros((5, 2)), "y": np.zeros(4)}, r"one label per example. Received: x \(5, 2\), y \(4,\)"),
        ({"x": np.array([[{}, 1]], dtype=object)}, "cannot be read as NumPy arrays of numbers"),
    ],
    ids=["no x", "one axis", "empty", "text", "labels", "objects"],
)
def test_arrays_that_cannot_be_used(tmp_path, arrays, message):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(InputError, match=message):
        load(tmp_path / "d.npz")


@pytest.mark.parametrize("name", ["d.npy", "d.npz"])
@pytest.mark.parametrize("content", [b"", b"not an array", b"PK\x03\x04 half a zip"])
def test_damaged_array_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}' cannot be read"):
        load(tmp_path / name)


def test_paths_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"no file or folder '.*missing.npy'"):
        load(tmp_path / "missing.npy")
    (tmp_path / "x.parquet").write_text("")
    with pytest.raises(InputError, match=r"type '.parquet'.*Expected: .npy, .npz, .csv"):
        load(tmp_path / "x.parquet")
    np.save(tmp_path / "x.npy", np.zeros((1, 2)))
    with pytest.raises(InputError, match="too few for a split 'test'"):
        load(tmp_path / "x.npy", "test")
    with pytest.raises(InputError, match=r"split of .*'validation'.*Known: all, test, train"):
        load(tmp_path / "x.npy", "validation")
    monkeypatch.chdir(tmp_path)
    assert len(load("x.npy")) == 1  # a name without a folder


@pytest.mark.parametrize("header", ["", "a,b,c\n", '"a","b","c"\n'])
def test_csv(tmp_path, header):
    (tmp_path / "t.csv").write_text(header + "".join(f"{i},{i + 0.5},-{i}e1\n" for i in range(10)) + "\n")
    train, test = both(tmp_path / "t.csv")
    assert (len(train), len(test), train.shape) == (9, 1, (3,))
    rows = np.concatenate([train.x, test.x])
    rows = rows[rows[:, 0].argsort()]
    np.testing.assert_array_equal(rows, [[i, i + 0.5, -10 * i] for i in range(10)])


def test_csv_missing_values(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffa,b\n1,\nnan,3\n , 5\n", encoding="utf-8")
    x = load(tmp_path / "t.csv").x
    assert sorted(x[:, 1][~np.isnan(x[:, 1])]) == [3, 5] and np.isnan(x[:, 0]).sum() == 2
    data = load(tmp_path / "t.csv")
    assert data.range == (1.0, 5.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3,cat\n", r"row 2, column 2: expected a number or an empty cell. Received: 'cat'"),
        ("a,b\n1,2\nx,4\n", "row 3, column 1.*Received: 'x'"),
        ("1,cat\n", "row 1, column 2"),
        ("a,b\n1,2\n3\n", "row 3: expected 2 columns as in the first row. Received: 1"),
        ("a,b\n1,2,3\n", "row 2: expected 2 columns"),
        ("a,b\n", "no rows of numbers"),
        ("", "no rows of numbers"),
        ("1;2\n", "no rows of numbers"),
    ],
)
def test_csv_errors(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        load(tmp_path / "t.csv")


def test_csv_that_is_not_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"1,2\n\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as a table"):
        load(tmp_path / "t.csv")


def test_folder_of_images(tmp_path):
    for i in range(10):
        write_image(tmp_path / f"{i}.png", grey(20 * i))
    write_image(tmp_path / "._0.png", grey(0, 9, 9))  # hidden
    (tmp_path / "notes.txt").write_text("not an image")
    train, test = both(tmp_path)
    assert train.shape == (4, 6, 1) and train.y is None and len(test) == 1 and train.pixels == "grey"
    values = np.concatenate([train.x, test.x])[:, 0, 0, 0]
    np.testing.assert_allclose(np.sort(values), 20 * np.arange(10) / 255, rtol=1e-6)


def test_subfolders_become_labels(tmp_path):
    for i in range(6):
        write_image(tmp_path / ("owl" if i % 2 else "ape") / f"{i}.png", grey(200 if i % 2 else 100))
    train, test = both(tmp_path)
    assert train.label_names == ("ape", "owl") and train.num_classes == 2
    for part in (train, test):
        np.testing.assert_array_equal(part.y, part.x[:, 0, 0, 0] > 0.5)


def test_images_are_resized_and_mixed_with_colour(tmp_path):
    write_image(tmp_path / "a.png", grey(100, 8, 8))
    write_image(tmp_path / "b.png", np.full((5, 7, 3), (10, 20, 30), np.uint8))
    with pytest.raises(InputError, match=r"a.png \(8, 8\), b.png \(5, 7\). Pass image_size"):
        load(tmp_path)
    data = load(tmp_path, image_size=(3, 2), levels=True)
    assert data.shape == (3, 2, 3)
    assert {tuple(pixel) for pixel in data.x.reshape(-1, 3)} == {(100, 100, 100), (10, 20, 30)}


def test_photographs_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    Image.fromarray(grey(7)).save(tmp_path / "a.jpg", exif=exif)
    assert load(tmp_path).shape == (6, 4, 1)


def test_folder_errors(tmp_path):
    with pytest.raises(InputError, match=r"has no images\. Expected files: \.bmp"):
        load(tmp_path)
    write_image(tmp_path / "a.png", grey(1))
    for wrong in (3, (3,), (3, 0), (3, 2.5), "ab"):
        with pytest.raises(InputError, match=r"image_size(\[1\])? must be"):
            load(tmp_path, image_size=wrong)
    write_image(tmp_path / "in" / "b.png", grey(1))
    with pytest.raises(InputError, match=r"Received: 'a.png' in the folder, and 'in/b.png'"):
        load(tmp_path)


def test_unreadable_image_is_named(tmp_path):
    write_image(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8))
    whole = (tmp_path / "a.png").read_bytes()
    for content in (b"nonsense", whole[:300]):
        (tmp_path / "b.png").write_bytes(content)
        with pytest.raises(InputError, match=re.escape(str(tmp_path / "b.png")) + "' cannot be read"):
            load(tmp_path)


def test_sixteen_bit_image_is_refused(tmp_path):
    write_image(tmp_path / "deep.png", np.full((4, 4), 40000, np.uint16))
    with pytest.raises(InputError, match=r"deep.png' must have 8 bits per channel. Received: mode 'I;16'"):
        load(tmp_path)


def test_image_size_is_only_for_folders(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 2)))
    for name in (tmp_path / "x.npy", "digits"):
        with pytest.raises(InputError, match="image_size is for a folder of images"):
            load(name, image_size=(8, 8))


def test_no_image_starts_a_program(tmp_path, monkeypatch):
    """Pillow hands PostScript to the program gs, whatever a file is called."""
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/mark\nexit 1\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n%%EOF\n")
    with pytest.raises(InputError, match="its format is none of BMP, GIF, JPEG"):
        load(tmp_path)
    assert not (tmp_path / "mark").exists()


@pytest.fixture
def little_memory(monkeypatch):
    """A file may take 10 kB, or a hundred times its size."""
    monkeypatch.setenv("KERAS_AE_MAX_GB", "1e-5")


def test_an_image_that_would_take_too_much(tmp_path, little_memory, monkeypatch):
    write_image(tmp_path / "a.png", grey(0, 400, 400))
    with pytest.raises(InputError, match=r"a.png' would take .* GiB of memory; .* set .* KERAS_AE_MAX_GB"):
        load(tmp_path, image_size=(8, 8))
    monkeypatch.setenv("KERAS_AE_MAX_GB", "0.01")
    assert load(tmp_path, image_size=(8, 8)).shape == (8, 8, 1)
    for wrong in ("-1", "much", "inf", "nan", "0"):
        monkeypatch.setenv("KERAS_AE_MAX_GB", wrong)
        with pytest.raises(InputError, match=f"KERAS_AE_MAX_GB must be a positive number of GiB. Received: '{wrong}'"):
            load(tmp_path)


def test_the_limit_is_not_pillows(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    write_image(tmp_path / "a.png", grey(0))
    assert load(tmp_path).shape == (4, 6, 1) and Image.MAX_IMAGE_PIXELS == 1


def test_a_large_photograph_is_decoded_smaller(tmp_path, monkeypatch):
    """As small as it will be made anyway; where it may not be, or cannot, it is refused."""
    left_white = np.zeros((400, 800), np.uint8)
    left_white[:, :400] = 255
    write_image(tmp_path / "a.jpg", left_white)
    whole = load(tmp_path, image_size=(2, 4)).x
    monkeypatch.setenv("KERAS_AE_MAX_GB", "1e-5")
    np.testing.assert_allclose(load(tmp_path, image_size=(2, 4)).x, whole, atol=0.05)
    with pytest.raises(InputError, match="KERAS_AE_MAX_GB"):
        load(tmp_path)
    Image.fromarray(left_white).save(tmp_path / "a.jpg", progressive=True)
    with pytest.raises(InputError, match="KERAS_AE_MAX_GB"):
        load(tmp_path, image_size=(2, 4))


def test_many_images_that_would_take_too_much_together(tmp_path, little_memory):
    for i in range(300):
        write_image(tmp_path / f"{i}.png", grey(0, 64, 1))
    assert load(tmp_path).shape == (64, 1, 1)
    with pytest.raises(InputError, match=f"{tmp_path}' would take"):
        load(tmp_path, image_size=(64, 300))


def test_text_that_would_take_too_much(tmp_path, little_memory):
    """All rows are as long as the longest."""
    (tmp_path / "t.txt").write_text("a" * 500 + "\nb" * 500)
    with pytest.raises(InputError, match=r"t.txt' would take"):
        load(tmp_path / "t.txt")
    (tmp_path / "t.txt").write_text("a" * 30 + "\nb" * 30)
    assert load(tmp_path / "t.txt", "all").x.shape == (31, 30)


def npz(path: Path, compression: int = zipfile.ZIP_DEFLATED, **arrays: np.ndarray | bytes) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, array in arrays.items():
            np.save(content := io.BytesIO(), array) if isinstance(array, np.ndarray) else None
            archive.writestr(f"{name}.npy", content.getvalue() if isinstance(array, np.ndarray) else array)


def test_of_an_npz_file_only_what_is_asked_for_is_read(tmp_path, little_memory):
    x, zeros = np.eye(9), np.zeros((400, 400))
    npz(tmp_path / "d.npz", x=x, y=np.arange(9), junk=zeros, pickled=b"no array")
    assert load(tmp_path / "d.npz", "all").x.tolist() == x.tolist()
    npz(tmp_path / "d.npz", x_train=x, x_test=zeros)
    assert load(tmp_path / "d.npz").x.shape == (9, 9)
    with pytest.raises(InputError, match=r"d.npz' would take"):
        load(tmp_path / "d.npz", "test")


def header(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header("(1000000, 1000000)"), r"claims float32 \(1000000, 1000000\), which is not what the file holds"),
        (header("(-1, -4)") + bytes(16), r"shape \(-1, -4\)"),
        (header("(True, 4)") + bytes(16), r"shape \(True, 4\)"),
        (header("(1, 4)") + bytes(17), "not what the file holds"),
        (header("(4,)", "|O") + bytes(32), "Python objects, which are never read"),
        (header("(4,)")[:30], "EOF"),
        (b"abc", "EOF"),
        (b"\x93NUMPY\3\0" + bytes(20), r"version \(3, 0\)"),
    ],
)
def test_headers_of_arrays(tmp_path, content, message):
    npz(tmp_path / "x.npz", x=content)
    (tmp_path / "x.npy").write_bytes(content)
    for name in ("x.npz", "x.npy"):
        with pytest.raises(InputError, match=rf"{name}' cannot be read as NumPy arrays of numbers: .*{message}"):
            load(tmp_path / name)


def test_zips_that_numpy_does_not_write(tmp_path):
    npz(tmp_path / "x.npz", zipfile.ZIP_LZMA, x=np.eye(3))
    with pytest.raises(InputError, match=r"x.npz' cannot be read .* NumPy does not compress in this way"):
        load(tmp_path / "x.npz")
    npz(tmp_path / "x.npz", zipfile.ZIP_STORED, x=np.eye(3), y=np.arange(3))
    good = (tmp_path / "x.npz").read_bytes()
    encrypted, place = bytearray(good), good.index(b"PK\1\2")
    encrypted[6] |= 1
    encrypted[place + 8] |= 1
    renamed = good[:place] + good[place:].replace(b"y.npy", b"z.npy")
    for content, message in ((encrypted, "encrypted"), (renamed, "differ")):
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(InputError, match=rf"x.npz' cannot be read .*{message}"):
            load(tmp_path / "x.npz")
