"""What the README and the pages of the models say is what the repository does."""

import functools
import inspect
import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import keras_ae
from tests.helpers import quick

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = ROOT / "docs" / "models"
SECTIONS = [
    "Generative process",
    "Inference",
    "Objective",
    "From symbols to code",
    "Example",
    "When to use it, and when not",
    "Reference",
]
every_model = pytest.mark.parametrize("name", keras_ae.list_models())


def test_the_results_are_those_of_the_recorded_run():
    script = runpy.run_path(str(ROOT / "benchmarks" / "readme.py"))
    block = README.split(script["START"])[1].split(script["END"])[0].strip()
    assert block == script["render"](json.loads(script["RESULTS"].read_text()))
    for name in script["PICTURES"]:
        assert (script["IMAGES"] / f"{name}.png").is_file()


def test_the_snippets_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second, pretrained, serving = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names: dict = {}
    exec(first.replace("epochs=20", "epochs=1"), names)
    assert names["new"].shape == (16, 8, 8, 1)
    exec(second, names)
    assert isinstance(names["model"], keras_ae.VAE)
    exec(pretrained, pretrained_names := {"keras_ae": keras_ae})
    assert pretrained_names["model"].latent_dim == 16
    names["images"] = np.zeros((2, 8, 8, 1), "float32")
    exec(serving, names)
    assert names["code"].shape == (2, 8)


@pytest.mark.slow
def test_the_guide_to_the_evaluation_runs():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "evaluation.md").read_text(), flags=re.DOTALL)
    names: dict = {}
    exec(code.replace("epochs=20", "epochs=2").replace("steps=100", "steps=5"), names)
    assert names["probes"][1].score > names["probes"][0].score > 0.2 and 0 < names["quality"].precision <= 1
    assert names["units"].number > 0 and names["gap"].total.shape == (len(names["test"]),)


def test_every_model_is_in_the_table():
    for name in keras_ae.list_models():
        assert f"| [`{name}`](docs/models/{name}.md) |" in README


def test_the_tables_of_models_are_those_of_the_registry():
    for path, text in runpy.run_path(str(ROOT / "docs" / "table.py"))["render"]().items():
        assert path.read_text() == text, "python docs/table.py"


def test_the_links_between_the_pages_lead_somewhere():
    for page in PAGES.glob("*.md"):
        for link in re.findall(r"\]\(([^)]*)\)", page.read_text()):
            assert (PAGES / link).is_file() or link.startswith("http"), f"{page.name}: {link}"


@every_model
def test_a_page_has_all_sections(name):
    title, *sections = re.findall(r"^#+ (.*)$", without_code(page_of(name)), flags=re.MULTILINE)
    assert title.startswith(f"`{name}`: ")
    assert sections == SECTIONS


@pytest.mark.parametrize(
    "name", quick(keras_ae.list_models(), "ae", "conditional_vae", "contractive_ae", "vae", "wae_gan")
)
def test_the_example_of_a_page_runs_and_its_symbols_exist(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", page_of(name), flags=re.DOTALL)
    names: dict = {}
    shorter = re.sub(r"pretraining=\d+", "pretraining=1", example)
    exec(re.sub(r"epochs=\d+", f"epochs={1 + (shorter != example)}", shorter), names)
    model = names["model"]
    assert type(model) is keras_ae.zoo.registry.MODELS[name]

    functions = keras_ae.create, keras_ae.networks.dense, model.compile, *(base.__init__ for base in type(model).mro())
    arguments = {argument for function in functions for argument in inspect.signature(function).parameters}
    table = page_of(name).split("## From symbols to code")[1].split("## Example")[0]
    for row in re.findall(r"^\| .*$", table, flags=re.MULTILINE)[1:]:
        attributes = re.findall(r"`(model|keras_ae)\.([\w.]+)", row)
        keywords = re.findall(r"`(\w+)=", row)
        assert attributes or keywords, row
        assert set(keywords) <= arguments, row
        for owner, path in attributes:
            functools.reduce(getattr, path.split("."), {"model": model, "keras_ae": keras_ae}[owner])


def page_of(name):
    """The text of a model's page."""
    return (PAGES / f"{name}.md").read_text()


def without_code(page):
    """A page without its blocks of code, in which # begins a comment."""
    return re.sub(r"```.*?```", "", page, flags=re.DOTALL)
