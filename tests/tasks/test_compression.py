"""Compressed images come back bit for bit, or not at all."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_ae
from keras_ae import evaluation, networks, reading
from keras_ae.distributions import likelihoods
from keras_ae.errors import InputError
from keras_ae.tasks import bits_back, compression, container
from keras_ae.tasks.compression import compress, decompress

LEVELS = 17
LIKELIHOODS = {
    "bernoulli": likelihoods.Bernoulli,
    **likelihoods.OF_LEVELS,
}


def model_of(name, seed=0, **options):
    likelihood = LIKELIHOODS[name]() if name == "bernoulli" else LIKELIHOODS[name](LEVELS)
    return keras_ae.create("vae", (8, 8, 1), latent_dim=4, likelihood=likelihood, seed=seed, **options)


def digits(name, split="test"):
    return keras_ae.data.load("digits", split, levels=name != "bernoulli", **BINARY[name == "bernoulli"]).x


BINARY = {True: {"binarize": "threshold"}, False: {}}


@pytest.fixture(scope="module")
def trained():
    model = model_of("bernoulli")
    model.compile("adam")
    model.fit(digits("bernoulli", "train"), epochs=20, batch_size=64, verbose=0)
    return model


@pytest.fixture(scope="module")
def small_frames():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compression, "FRAME", 100)
        yield


@pytest.fixture(scope="module")
def written(trained, tmp_path_factory, small_frames):
    path = tmp_path_factory.mktemp("compressed") / "digits.bb"
    compress(digits("bernoulli")[:130], trained, path)
    return path


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("n", [0, 1, 33])
def test_every_likelihood_comes_back(name, n, tmp_path):
    model, x = model_of(name), digits(name)[:n]
    found = compress(x, model, tmp_path / "x", batch_size=8)
    back = decompress(tmp_path / "x", model)
    np.testing.assert_array_equal(back, x)
    assert back.dtype == "uint8" and found.images == n and found.size == (tmp_path / "x").stat().st_size


@pytest.mark.parametrize("latent_bits", [1, 7, 16])
def test_noise_comes_back(latent_bits, trained, tmp_path):
    x = np.random.default_rng(0).integers(2, size=(70, 8, 8, 1))
    compress(x, trained, tmp_path / "x", latent_bits)
    np.testing.assert_array_equal(decompress(tmp_path / "x", trained), x)


def test_the_rate_is_the_negative_elbo(trained, tmp_path):
    x = digits("bernoulli", "train")
    found = compress(x, trained, tmp_path / "x")
    coded = 8 * (found.size - found.overhead) / x.size
    bound = -evaluation.elbo(trained, x, samples=16).elbo.mean() / np.log(2) / 64
    assert coded == pytest.approx(bound, rel=0.015)
    assert coded < 0.8 * 8 * len(np.packbits(x.astype(bool))) / x.size


@pytest.mark.parametrize("size", [2, 3, 17, 256])
def test_two_digits_cost_what_the_number_does(size):
    p = np.random.default_rng(0).dirichlet(np.ones(size))
    cumulative, k = np.append(0, p.cumsum()), np.arange(size)
    digits = bits_back.Digits(size)
    high = np.diff(cumulative[digits.edges()])[k // digits.base]
    low = np.diff(cumulative[digits.edges(k // digits.base)])
    np.testing.assert_allclose(low[k, k % digits.base] / low.sum(axis=1), p / high, rtol=1e-9)
    np.testing.assert_allclose(low.sum(axis=1), high, rtol=1e-9)


def test_the_words_that_a_stack_starts_with_are_overhead(trained, tmp_path):
    x = digits("bernoulli")[:5]
    found = compress(x, trained, tmp_path / "x")
    coder = bits_back.BitsBack(trained, latent_bits=8, batch_size=16)
    stack, reserve = coder.encode(x)
    assert found.size - found.overhead == 4 * (len(stack) - len(coder.start(reserve)))


def test_frames_are_of_all_images_in_order(trained, written, tmp_path):
    x, seen = digits("bernoulli")[:130], []
    out = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "uint8", x.shape)
    decompress(written, trained, out, progress=seen.append)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), x)
    assert seen == [100, 30]


def test_a_damaged_file_is_refused(trained, written, tmp_path):
    """40 files: cut off, lengthened, or with one bit or several bytes changed anywhere."""
    good, random = written.read_bytes(), np.random.default_rng(0)
    path = tmp_path / "damaged"
    for number in range(40):
        bad = bytearray(good)
        if number % 4 == 0:
            bad = bad[: random.integers(len(bad))]
        elif number % 4 == 1:
            bad[random.integers(len(bad))] ^= 1 << int(random.integers(8))
        elif number % 4 == 2:
            start = int(random.integers(len(bad) - 8))
            bad[start : start + 8] = random.bytes(8)
        else:
            bad += random.bytes(int(random.integers(1, 9)))
        path.write_bytes(bad)
        with pytest.raises(InputError, match=r"is damaged|is no file of|has version"):
            decompress(path, trained)


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 10**7},
        {"batch_size": 0},
        {"batch_size": True},
        {"latent_bits": 27},
        {"latent_bits": 8.0},
        {"count": 10**9},
        {"count": -1},
        {"count": 129},
        {"frame": 0},
        {"frame": 99},
        {"frame": 10**9},
        {"version": 3},
        {"shape": [8, 8]},
        {"shape": None},
        {"model": None},
        {"numerics": None},
    ],
    ids=str,
)
def test_numbers_of_a_header(change, trained, written, tmp_path):
    """What is out of range is refused before anything is computed."""
    good, start = written.read_bytes(), len(compression.MAGIC) + 4
    end = start + int.from_bytes(good[start - 4 : start], "little")
    header = json.loads(good[start:end])
    (tmp_path / "x").write_bytes(container.begin(compression.MAGIC, {**header, **change}) + good[end + 4 :])
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "x"))):
        decompress(tmp_path / "x", trained)


def test_images_that_would_take_too_much(trained, written, monkeypatch):
    monkeypatch.setattr(reading, "TIMES", 1)
    monkeypatch.setenv("KERAS_AE_MAX_GB", "1e-6")
    with pytest.raises(InputError, match=r"digits.bb' would take .* KERAS_AE_MAX_GB"):
        decompress(written, trained)


def test_another_array_to_decompress_into(trained, written):
    with pytest.raises(InputError, match=r"out must have the shape \(130, 8, 8, 1\).*Received: \(2, 8, 8, 1\)"):
        decompress(written, trained, np.empty((2, 8, 8, 1), "uint8"))


def test_another_model_is_refused(written, trained):
    with pytest.raises(InputError, match="written with another model"):
        decompress(written, model_of("bernoulli", seed=1))
    with pytest.raises(InputError, match=r"holds images of shape \(8, 8, 1\), the model's are \(4,\)"):
        decompress(written, keras_ae.create("vae", (4,), latent_dim=2))


def test_a_loaded_model_is_the_same(written, trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    loaded = keras_ae.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(decompress(written, loaded), digits("bernoulli")[:130])


def test_other_floating_point_is_refused(written, trained, monkeypatch):
    monkeypatch.setattr(compression.BitsBack, "numerics", lambda self: "other")
    with pytest.raises(InputError, match="gives other probabilities"):
        decompress(written, trained)


def test_what_cannot_be_decoded_is_not_written(trained, tmp_path, monkeypatch):
    (tmp_path / "x").write_text("mine")
    calls = iter(range(1000))
    honest = compression.BitsBack._batched

    def unsteady(self, function, *arrays):
        return [found + 1e-4 * next(calls) for found in honest(self, function, *arrays)]

    monkeypatch.setattr(compression.BitsBack, "_batched", unsteady)
    with pytest.raises(InputError, match="Decoding gave other images"):
        compress(digits("bernoulli")[:20], trained, tmp_path / "x")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("ae", {}, "AE cannot compress: it is deterministic"),
        ("vae", {"likelihood": "normal"}, "it has the likelihood Normal: train it with one of whole numbers"),
        ("vae", {"posterior": "full"}, "it has a full posterior"),
        ("conditional_vae", {"condition_dim": 2}, "it is conditional"),
        ("sequence_vae", {}, "it is autoregressive"),
        ("gaussian_mixture_vae", {}, r"has another p\(z\) than N\(0, I\)"),
    ],
)
def test_models_that_cannot_compress(kind, options, message, tmp_path):
    model = keras_ae.create(kind, (4, 1), latent_dim=2, **options)
    with pytest.raises(InputError, match=message):
        compress(np.zeros((1, 4, 1)), model, tmp_path / "x")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((1, 8, 8, 1), 0.5), "must hold 0 and 1 for a Bernoulli likelihood"),
        (np.full((1, 8, 8, 1), np.nan), "must hold 0 and 1"),
        (np.zeros((1, 8, 8)), r"must have the shape \(n, \(8, 8, 1\)\)"),
    ],
)
def test_images_that_the_model_cannot_represent(x, message, trained, tmp_path):
    with pytest.raises(InputError, match=message):
        compress(x, trained, tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_levels_beyond_the_models(tmp_path):
    with pytest.raises(InputError, match="whole numbers from 0 to 16"):
        compress(np.full((1, 8, 8, 1), 17), model_of("beta_binomial"), tmp_path / "x")


def test_without_the_package(trained, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "constriction", None)
    with pytest.raises(InputError, match=r"pip install 'keras-ae\[compress\]'"):
        compress(digits("bernoulli")[:1], trained, tmp_path / "x")


def test_a_convolutional_model(tmp_path):
    parts = networks.conv((8, 8, 1), latent_dim=3, filters=(4,), units=8)
    model = keras_ae.models.VAE(*parts, latent_dim=3, seed=0)
    x = digits("bernoulli")[:9]
    compress(x, model, tmp_path / "x")
    np.testing.assert_array_equal(decompress(tmp_path / "x", model), x)


def test_the_guide_runs(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "compression.md").read_text()
    names: dict = {}
    monkeypatch.chdir(tmp_path)
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(code.replace("epochs=20", "epochs=1"), names)
    np.testing.assert_array_equal(names["back"], names["data"].x)
    assert names["reconstructions"].shape == names["x"].shape


def test_a_stack_that_another_model_empties_does_not_end_as_it_began(trained):
    x = digits("bernoulli")[:20]
    coder, other = (
        bits_back.BitsBack(model, latent_bits=8, batch_size=4) for model in (trained, model_of("bernoulli", 1))
    )
    stack, reserve = coder.encode(x)
    np.testing.assert_array_equal(coder.decode(stack, len(x), reserve), x)
    assert other.decode(stack, len(x), reserve) is None
