"""A stand-in for TensorFlow Serving's REST predict API, on TensorFlow alone.

python rest.py FOLDER    serves the latest version of every FOLDER/NAME; prints its port
"""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

if __name__ == "__main__":
    sys.modules["keras"] = sys.modules["keras_ae"] = None
import tensorflow as tf


def predict(model, body):
    """The answer to a request in the row form ("instances") or in the column form ("inputs")."""
    signature = model.signatures[body.get("signature_name", "serving_default")]
    specs = signature.structured_input_signature[1]
    (form,) = {"instances", "inputs"} & body.keys()
    values = body[form]
    if form == "instances" and isinstance(values[0], dict):
        values = {name: [row[name] for row in values] for name in values[0]}
    if not isinstance(values, dict):
        (name,) = specs
        values = {name: values}
    found = signature(**{name: tf.constant(value, specs[name].dtype) for name, value in values.items()})
    outputs = {name: value.numpy().tolist() for name, value in found.items()}
    if len(outputs) == 1:
        (outputs,) = outputs.values()
    return {{"instances": "predictions", "inputs": "outputs"}[form]: outputs}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            (name,) = re.fullmatch(r"/v1/models/(\w+):predict", self.path).groups()
            status, answer = 200, predict(self.server.models[name], body)
        except Exception as error:
            status, answer = 400, {"error": f"{type(error).__name__}: {error}"}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 64


if __name__ == "__main__":
    server = Server(("localhost", 0), Handler)
    server.models = {}
    for folder in Path(sys.argv[1]).iterdir():
        latest = max(folder.iterdir(), key=lambda version: int(version.name))
        if (latest / "saved_model.pb").exists():
            server.models[folder.name] = tf.saved_model.load(str(latest))
    print(server.server_port, flush=True)
    server.serve_forever()
