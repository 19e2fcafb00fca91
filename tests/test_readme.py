"""What the README says is what the repository does."""

import json
import re
import runpy
from pathlib import Path

import numpy as np

import keras_ae

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_results_are_those_of_the_recorded_run():
    script = runpy.run_path(str(ROOT / "benchmarks" / "readme.py"))
    block = README.split(script["START"])[1].split(script["END"])[0].strip()
    assert block == script["render"](json.loads(script["RESULTS"].read_text()))
    for name in script["PICTURES"]:
        assert (script["IMAGES"] / f"{name}.png").is_file()


def test_the_snippets_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second, serving = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names: dict = {}
    exec(first.replace("epochs=20", "epochs=1"), names)
    assert names["new"].shape == (16, 8, 8, 1)
    exec(second, names)
    assert isinstance(names["model"], keras_ae.VAE)
    names["images"] = np.zeros((2, 8, 8, 1), "float32")
    exec(serving, names)
    assert names["code"].shape == (2, 8)


def test_every_model_is_in_the_table():
    for name in keras_ae.list_models():
        assert f"| `{name}` |" in README
