"""ONNX and LiteRT files answer like the Keras model, in batches of any size."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

import keras_ae
from tests.helpers import quick, run

SHAPE = 8, 8, 1
MODELS = {
    "dense": {"name": "vae", "network_options": {"hidden": (8,)}},
    "conv": {"name": "vae", "network": "conv"},
    "conditional": {"name": "conditional_vae", "network_options": {"hidden": (8,)}, "condition_dim": 3},
    "missing": {"name": "denoising_ae", "network_options": {"hidden": (8,)}},
}


def answer_of_onnx(folder, part, inputs):
    (answer,) = onnxruntime.InferenceSession(folder / f"{part}.onnx").run(None, inputs)
    return answer


def answer_of_litert(folder, part, inputs):
    (answer,) = Interpreter(str(folder / "model.tflite")).get_signature_runner(part)(**inputs).values()
    return answer


ANSWERS = {"onnx": answer_of_onnx, "litert": answer_of_litert}


@pytest.mark.parametrize("row", quick(MODELS, "conditional", "conv"))
@pytest.mark.parametrize("format", ANSWERS)
def test_a_file_answers_like_keras(format, row, tmp_path):
    model = keras_ae.create(input_shape=SHAPE, latent_dim=2, seed=0, **MODELS[row])
    folder = keras_ae.export(model, tmp_path, format=format)
    rng = np.random.default_rng(0)
    for size in (3, 1, 5):
        x, code = rng.random((size, *SHAPE), "float32"), rng.normal(size=(size, 2)).astype("float32")
        given = {"condition": np.eye(3, dtype="float32")[rng.integers(3, size=size)]} if model.conditional else {}
        if row == "missing":
            x[:, 0] = np.nan
        for part, inputs, expected in (
            ("encode", {"x": x}, model.encode(x, **given)),
            ("decode", {"code": code}, model.decode(code, **given)),
            ("reconstruct", {"x": x}, model.reconstruct(x, **given)),
        ):
            found = ANSWERS[format](folder, part, {**inputs, **given})
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def model():
    return keras_ae.create("ae", (4,), 2, network_options={"hidden": (3,)}, seed=0)


def test_an_onnx_session_serves_many_threads(model, tmp_path):
    session = onnxruntime.InferenceSession(model.export(tmp_path, format="onnx") / "encode.onnx")
    x = np.random.default_rng(0).random((16, 50, 4), "float32")
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda batch: session.run(["code"], {"x": batch})[0], x))
    np.testing.assert_array_equal(found, [session.run(["code"], {"x": batch})[0] for batch in x])


@pytest.mark.slow
def test_an_export_to_litert_needs_tensorflow_alone(model, tmp_path):
    model.save(tmp_path / "model.keras")
    program = (
        "import sys, keras_ae; print(keras_ae.export(keras_ae.load_model(sys.argv[1]), sys.argv[2], format='litert'))"
    )
    block = ("ai_edge_litert", "onnx", "onnxruntime", "tf2onnx", "tensorflow_serving")
    assert run(program, tmp_path / "model.keras", tmp_path / "out", block=block).strip() == str(tmp_path / "out" / "1")


@pytest.mark.parametrize("options", [{"format": "onnx"}, {"warmup": True}])
def test_a_missing_package_is_named_with_its_extra(options, model, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(keras_ae.InputError, match=r"package (tf2onnx.*\[onnx\]|tensorflow_serving.*\[serving\])"):
        keras_ae.export(model, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_unknown_formats_and_warmup_of_files(model, tmp_path):
    with pytest.raises(keras_ae.InputError, match=r"Unknown format.*'tflite'.*litert"):
        keras_ae.export(model, tmp_path, format="tflite")
    with pytest.raises(keras_ae.InputError, match=r"warmup is for format='saved_model'.*'onnx'"):
        keras_ae.export(model, tmp_path, format="onnx", warmup=True)


def test_mixed_precision_is_refused(tmp_path):
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="mixed_bfloat16")])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    with pytest.raises(keras_ae.InputError, match=r"onnx needs networks that compute in float32.*bfloat16"):
        keras_ae.export(keras_ae.AE(encoder, decoder, latent_dim=2), tmp_path, format="onnx")


@pytest.mark.parametrize("format", ANSWERS)
def test_an_operation_that_a_format_lacks(format, tmp_path):
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, keras.ops.erfinv)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model = keras_ae.AE(encoder, decoder, latent_dim=2, likelihood="normal")
    with pytest.raises(
        keras_ae.InputError, match=rf"This AE cannot be written as {format}: .* Use the format saved_model"
    ):
        keras_ae.export(model, tmp_path / "out", format=format)
    assert not list((tmp_path / "out").iterdir())
