"""A recipe's settings reach what they are for."""

import json

import pytest

from keras_ae.errors import InputError
from keras_ae.training import RunFolder
from keras_ae.zoo import recipe as recipes
from keras_ae.zoo.recipe import Recipe


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_options_of_the_optimizer(schedule):
    recipe = Recipe("ae", hidden=(4,), latent_dim=2, schedule=schedule, optimizer_options={"beta_1": 0.5})
    optimizer = recipe.build(recipe.load("train")).optimizer
    assert optimizer.beta_1 == 0.5
    assert float(optimizer.learning_rate) == pytest.approx(recipe.learning_rate)


def test_a_run_older_than_a_setting_goes_on(tmp_path):
    settings = {"model": "ae", "hidden": (4,), "latent_dim": 2, "epochs": 1}
    folder = RunFolder(tmp_path)
    recipes.train(Recipe(**settings), folder)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["recipe"]["optimizer_options"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    recipes.train(Recipe(**settings), RunFolder(tmp_path), resume=True)
    with pytest.raises(InputError, match=r"optimizer_options: .* in the folder, .*0\.5.* now"):
        recipes.train(Recipe(**settings, optimizer_options={"beta_1": 0.5}), RunFolder(tmp_path), resume=True)
