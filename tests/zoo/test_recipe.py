"""A recipe's settings reach what they are for."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

from keras_ae import evaluation
from keras_ae.errors import InputError
from keras_ae.evaluation.baselines import independent
from keras_ae.training import RunFolder
from keras_ae.zoo import runs
from keras_ae.zoo.recipe import Recipe
from keras_ae.zoo.registry import create


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_options_of_the_optimizer(schedule):
    recipe = Recipe("ae", hidden=(4,), latent_dim=2, schedule=schedule, optimizer_options={"beta_1": 0.5})
    optimizer = recipe.build(recipe.load("train")).optimizer
    assert optimizer.beta_1 == 0.5
    assert float(optimizer.learning_rate) == pytest.approx(recipe.learning_rate)


@pytest.mark.parametrize("name", ["normal-0.05", "normal-1e-3", "normal-2"])
def test_the_variance_of_a_normal_likelihood(name):
    recipe = Recipe("vae", hidden=(4,), latent_dim=2, likelihood=name)
    assert recipe.build(recipe.load("train")).likelihood.variance == float(name[len("normal-") :])


@pytest.mark.parametrize(("name", "message"), [("normal-x", "Unknown likelihood"), ("normal-0", "variance must be")])
def test_no_such_variance(name, message):
    with pytest.raises(InputError, match=message):
        recipe = Recipe("vae", hidden=(4,), latent_dim=2, likelihood=name)
        recipe.build(recipe.load("train"))


def test_precision_is_that_of_the_layers(tmp_path):
    """A trained model keeps it in its file, and its log p(x) is that of its weights in float32, nearly."""
    settings = {"network": "resnet", "network_options": {"filters": (8, 16), "units": 32}, "latent_dim": 4}
    recipe = Recipe("vae", **settings, binarize="threshold", epochs=20, learning_rate=5e-3, precision="mixed_bfloat16")
    model = runs.train(recipe, RunFolder(tmp_path / "run"))
    assert keras.config.dtype_policy().name == "float32"
    again = RunFolder(tmp_path / "run").load_model()
    exact = Recipe("vae", **settings, binarize="threshold").build(recipe.load("train"))
    assert [m.encoder.layers[1].compute_dtype for m in (model, again, exact)] == ["bfloat16", "bfloat16", "float32"]
    exact.set_weights(again.get_weights())
    x = recipe.load("test").x[:100]
    half, full = (evaluation.log_likelihood(m, x, samples=200, seed=0).log_prob for m in (again, exact))
    assert full.mean() > independent(recipe.load("train").x, x, model.likelihood)["log_prob"] + 3
    assert not np.array_equal(half, full)
    np.testing.assert_allclose(half, full, atol=0.3)
    np.testing.assert_allclose(half.mean(), full.mean(), atol=0.03)


def test_a_run_older_than_a_setting_goes_on(tmp_path):
    settings = {"model": "ae", "hidden": (4,), "latent_dim": 2, "epochs": 1}
    folder = RunFolder(tmp_path)
    runs.train(Recipe(**settings), folder)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["recipe"]["optimizer_options"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    runs.train(Recipe(**settings), RunFolder(tmp_path), resume=True)
    with pytest.raises(InputError, match=r"optimizer_options: .* in the folder, .*0\.5.* now"):
        runs.train(Recipe(**settings, optimizer_options={"beta_1": 0.5}), RunFolder(tmp_path), resume=True)


def test_a_training_starts_from_pretrained_weights(tmp_path):
    settings = {"hidden": (4,), "latent_dim": 2, "epochs": 1}
    vae = runs.train(Recipe("vae", **settings), RunFolder(tmp_path / "vae"))
    frozen = {**settings, "learning_rate": 1e-30, "pretrained": str(tmp_path / "vae"), "seed": 1}
    iwae = runs.train(Recipe("iwae", **frozen), RunFolder(tmp_path / "iwae"))
    for found, expected in zip(iwae.trainable_variables, vae.trainable_variables, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert int(iwae.step) == int(vae.step) == int(iwae.optimizer.iterations)  # schedules start anew


def test_a_resumed_training_needs_no_pretrained_weights(tmp_path):
    runs.train(Recipe("vae", hidden=(4,), latent_dim=2, epochs=1), RunFolder(tmp_path / "vae"))
    recipe = Recipe("vae", hidden=(4,), latent_dim=2, epochs=1, pretrained=str(tmp_path / "vae"))
    first = runs.train(recipe, RunFolder(tmp_path / "more"))
    shutil.rmtree(tmp_path / "vae")
    more = runs.train(dataclasses.replace(recipe, epochs=2), RunFolder(tmp_path / "more"), resume=True)
    assert int(more.optimizer.iterations) == 2 * int(first.optimizer.iterations)


@pytest.mark.parametrize("other", [{"hidden": (5,)}, {"latent_dim": 3}, {"model": "ae"}])
def test_pretrained_weights_that_do_not_fit(other, tmp_path):
    settings = {"model": "vae", "hidden": (4,), "latent_dim": 2, "epochs": 1}
    runs.train(Recipe(**settings), RunFolder(tmp_path / "vae"))
    recipe = Recipe(**{**settings, **other}, pretrained=str(tmp_path / "vae"))
    with pytest.raises(InputError, match=r"pretrained='.*vae' does not fit: its VAE has weights of other shapes"):
        runs.train(recipe, RunFolder(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_pretrained_weights_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match=r"vae_nist.*vae_mnist"):
        runs.train(Recipe("vae", pretrained="vae_nist"), RunFolder(tmp_path / "new"))


def test_few_labels_are_given(tmp_path):
    settings = {"model": "semi_supervised_vae", "hidden": (4,), "latent_dim": 2, "epochs": 1}
    y = Recipe(**settings, labels=25).load("train").y
    classes, counts = np.unique(y, return_counts=True)
    assert classes.tolist() == [-1, *range(10)] and counts[1:].tolist() == 5 * [3] + 5 * [2]
    assert (Recipe(**settings, labels=25).load("test").y >= 0).all()
    model = runs.train(Recipe(**settings, labels=25), RunFolder(tmp_path))
    assert model.classify(np.zeros((1, 8, 8, 1))).shape == (1,)
    with pytest.raises(InputError, match="labels are for a model that does with few, which vae is not"):
        Recipe("vae", labels=25)
    with pytest.raises(InputError, match=r"9 labels \(count\) leave a class without one: there are 10"):
        runs.train(Recipe(**settings, labels=9), RunFolder(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match=r"5000 examples \(count\) are 500 of each class, but class 0 has"):
        Recipe(**settings, labels=5000).load("train")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"options": {"likelihood": "normal"}}, r"options must not hold 'likelihood': use .*--likelihood"),
        ({"options": {"latent_dim": 3}}, "--latent-dim"),
        ({"options": {"seed": 1}}, "--seed"),
        ({"options": {"name": "x"}}, "options must not hold 'name': the recipe sets it"),
        ({"options": {"network": "conv"}}, "--network"),
        ({"options": {"condition_dim": 3}}, "'condition_dim': the recipe sets it"),
        ({"network_options": {"seed": 1}}, "network_options must not hold 'seed'"),
        ({"network_options": {"hidden": (3,)}, "hidden": (4,)}, "network_options must not hold 'hidden'"),
        ({"optimizer_options": {"learning_rate": 1.0}}, "optimizer_options must not hold 'learning_rate'"),
        ({"model": "linear_ae", "likelihood": "bernoulli"}, "linear_ae .*takes no likelihood"),
        ({"levels": "no"}, "levels must be True or False"),
    ],
)
def test_settings_that_would_be_ignored_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        Recipe(**{"model": "vae", **settings})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("linear_ae", {"tied": "false"}),
        ("conditional_vae", {"learned_prior": "false", "condition_dim": 2}),
        ("iwae", {"doubly_reparameterized": 2}),
    ],
)
def test_a_text_is_no_yes_or_no(name, options):
    with pytest.raises(InputError, match=f"{next(iter(options))} must be True or False"):
        create(name, (4,), 2, **options)


def test_an_output_layer_that_would_be_ignored_is_refused():
    with pytest.raises(InputError, match="'resnet' has an output layer of its own"):
        create("vae", (8, 8, 1), 2, network="resnet", output_layer="dense")
    with pytest.raises(InputError, match="tokens and vocabulary_size are for text"):
        Recipe("vae", vocabulary_size=9).load("train")
