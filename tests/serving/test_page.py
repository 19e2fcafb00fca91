"""What docs/serving.md says is true: its programs run, and its requests get its answers."""

import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf import text_format

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
THREADS = 16


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


EXPORT, GRPC, *PROGRAMS = blocks("python")
BODIES = [json.loads(block) for block in blocks("json")]
REQUESTS = list(zip(BODIES[::2], BODIES[1::2], strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page's exports are."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(EXPORT, names := {})
    return folder, names["model"]


@pytest.fixture(scope="module")
def post(folder):
    """A function that sends a body to a server without Keras and returns its answer."""
    program = [sys.executable, Path(__file__).with_name("rest.py"), folder[0] / "exported"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as server:
        port = int(server.stdout.readline())

        def post(body, name="vae"):
            url = f"http://localhost:{port}/v1/models/{name}:predict"
            with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=60) as answer:
                return json.load(answer)

        yield post
        server.terminate()


def name_of_model(body):
    return "cvae" if "condition" in json.dumps(body) else "vae"


@pytest.mark.parametrize(("body", "expected"), REQUESTS, ids=lambda body: body.get("signature_name", ""))
def test_a_request_gets_the_answer_on_the_page(post, body, expected):
    found = post(body, name_of_model(body))
    assert found.keys() == expected.keys()
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], atol=6e-5)


def test_the_page_asks_every_signature_of_both_models():
    asked = {body.get("signature_name", "serving_default") for body, _ in REQUESTS}
    assert asked == {"serving_default", "reconstruct", "encode", "decode", "score", "sample"}
    assert {name_of_model(body) for body, _ in REQUESTS} == {"vae", "cvae"}


def test_the_answers_are_those_of_keras(post, folder):
    model = folder[1]
    x = np.random.default_rng(0).integers(2, size=(5, 4)).astype("float32")
    rows = {"instances": x.tolist()}
    np.testing.assert_allclose(post(rows)["predictions"], model.reconstruct(x), atol=1e-5)
    codes = post({"signature_name": "encode", **rows})["predictions"]
    np.testing.assert_allclose(codes, model.encode(x), atol=1e-5)
    decoded = post({"signature_name": "decode", "inputs": {"code": codes}})["outputs"]
    np.testing.assert_allclose(decoded, model.reconstruct(x), atol=1e-5)


def test_the_row_form_cannot_hold_a_seed(post):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        post({"signature_name": "score", "instances": [{"x": [0, 1, 1, 0], "seed": 1}]})


def test_many_threads_get_the_answers_of_one(post):
    x = np.random.default_rng(0).integers(2, size=(THREADS, 3, 4)).tolist()
    bodies = [{"signature_name": "score", "inputs": {"x": batch, "seed": 1}} for batch in x[: THREADS // 2]]
    bodies += [{"instances": batch} for batch in x[THREADS // 2 :]]
    one = [post(body) for body in bodies]
    start = threading.Barrier(THREADS)

    def ask(body):
        start.wait()
        return [post(body) for _ in range(5)]

    with ThreadPoolExecutor(THREADS) as pool:
        for found, expected in zip(pool.map(ask, bodies), one, strict=True):
            assert found == [expected] * 5


def test_the_programs_run(folder, monkeypatch):
    folder, model = folder
    monkeypatch.chdir(folder)
    expected = model.encode(np.array([[0, 1, 1, 0]], "float32"))
    for program in PROGRAMS:
        exec(program, names := {})
        np.testing.assert_allclose(names["code"], expected, atol=1e-5)
    assert len(PROGRAMS) == 3


def test_the_grpc_program_runs(folder):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    folder, model = folder
    served = tf.saved_model.load(str(folder / "exported" / "vae" / "1"))

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            assert request.model_spec.name == "vae"
            inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
            found = served.signatures[request.model_spec.signature_name](**inputs)
            return predict_pb2.PredictResponse(
                outputs={name: tf.make_tensor_proto(value.numpy()) for name, value in found.items()}
            )

    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
        port = server.add_insecure_port("localhost:0")
        server.start()
        exec(GRPC.replace("localhost:8500", f"localhost:{port}"), names := {})
        server.stop(None).wait()
    np.testing.assert_allclose(names["code"], model.encode(np.array([[0, 1, 1, 0]], "float32")), atol=1e-5)


def test_the_configurations_are_readable():
    from tensorflow_serving.config import model_server_config_pb2

    for text in blocks("proto"):
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config
        assert config[0].base_path == "/models/" + config[0].name
    assert len(blocks("proto")) == 2


def test_a_version_has_a_warmup_request_for_each_signature(folder):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    version = folder[0] / "exported" / "vae" / "1"
    served = tf.saved_model.load(str(version))
    file = version / "assets.extra" / "tf_serving_warmup_requests"
    asked = []
    for record in tf.data.TFRecordDataset(str(file)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        asked.append(request.model_spec.signature_name)
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        (output,) = served.signatures[asked[-1]](**inputs).values()
        assert output.shape[0] == 1 and np.isfinite(output).all()
    assert sorted(asked) == sorted(served.signatures)
