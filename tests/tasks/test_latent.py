"""Looking around in code space, on models whose geometry is known."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import keras_ae
from keras_ae import tasks
from keras_ae.distributions.likelihoods import Normal
from keras_ae.errors import InputError


def decoding(function, latent_dim=2, values=3):
    """An autoencoder whose decoder is a function of the code, (batch, latent_dim) -> (batch, values)."""
    x, z = keras.Input((values,)), keras.Input((latent_dim,))
    encoder, decoder = keras.Model(x, keras.layers.Dense(4)(x)), keras.Model(z, function(z))
    return keras_ae.AE(encoder, decoder, latent_dim, likelihood=Normal(), output_layer="given", seed=0)


@pytest.fixture(scope="module")
def sphere():
    """Codes are angles, (longitude, latitude); the decoder puts them on the unit sphere."""

    def point(z):
        longitude, latitude = z[:, :1], z[:, 1:]
        flat = ops.cos(latitude)
        return ops.concatenate([flat * ops.cos(longitude), flat * ops.sin(longitude), ops.sin(latitude)], axis=1)

    return decoding(point)


@pytest.fixture(scope="module")
def linear():
    """A linear autoencoder of three values and two dimensions."""
    return keras_ae.create("linear_ae", (3,), 2, seed=0)


@pytest.fixture(scope="module")
def vae():
    return keras_ae.create("vae", (4, 4, 1), 3, seed=0, network_options={"hidden": (8,)})


@pytest.fixture(scope="module")
def conditional():
    options = {"condition_dim": 2, "network_options": {"hidden": (8,)}, "learned_prior": True}
    return keras_ae.create("conditional_vae", (4,), 2, seed=0, **options)


@pytest.fixture
def x(rng):
    return rng.integers(0, 2, (12, 4, 4, 1)).astype("float32")


def test_a_linear_path_has_equal_steps(vae, rng):
    a, b = rng.normal(size=(2, 4, 3))
    path = tasks.interpolate(vae, a, b, 5, space="code")
    np.testing.assert_allclose(path.codes, np.linspace(a, b, 5, axis=1), atol=1e-6)
    np.testing.assert_allclose(path.images[:, 2], vae.decode((a + b) / 2), atol=1e-6)


def test_a_spherical_path_keeps_the_norm_and_turns_evenly(vae, rng):
    a, b = rng.normal(size=(2, 4, 3))
    a, b = (2 * values / np.linalg.norm(values, axis=1, keepdims=True) for values in (a, b))
    codes = tasks.interpolate(vae, a, b, 6, "spherical", space="code").codes.astype("float64")
    np.testing.assert_allclose(np.linalg.norm(codes, axis=-1), 2, rtol=1e-5)
    cosines = (codes[:, 1:] * codes[:, :-1]).sum(axis=-1) / 4
    expected = np.cos(np.arccos((a * b).sum(axis=1) / 4) / 5)
    np.testing.assert_allclose(cosines, np.repeat(expected[:, None], 5, axis=1), rtol=1e-5)


def test_a_spherical_path_between_codes_of_one_direction_is_linear(vae):
    a, b = np.array([[1.0, 2, 2], [0, 0, 0]]), np.array([[2.0, 4, 4], [3, 0, 0]])
    path = tasks.interpolate(vae, a, b, 3, "spherical", space="code")
    np.testing.assert_allclose(path.codes, np.linspace(a, b, 3, axis=1), atol=1e-6)


def test_the_geodesic_of_a_linear_decoder_is_straight(linear, rng):
    a, b = rng.normal(size=(2, 3, 2))
    path = tasks.interpolate(linear, a, b, 6, "geodesic", space="code")
    np.testing.assert_allclose(path.codes, np.linspace(a, b, 6, axis=1), atol=1e-3)
    np.testing.assert_allclose(path.lengths, np.linalg.norm(linear.decode(a) - linear.decode(b), axis=1), rtol=1e-5)


def test_the_geodesic_of_a_sphere_is_a_great_circle(sphere):
    a, b = [[0.0, 0.8], [-0.5, 0.2]], [[2.0, 0.8], [1.0, 0.9]]
    ends = sphere.decode(a), sphere.decode(b)
    angle = np.arccos((ends[0] * ends[1]).sum(axis=1, dtype="float64"))
    chords = 2 * 20 * np.sin(angle / 40)  # 20 chords of a circle of radius 1
    path = tasks.interpolate(sphere, a, b, 21, "geodesic", space="code")
    np.testing.assert_allclose(path.lengths, chords, rtol=1e-4)
    normal = np.cross(*ends)  # all points lie in one plane with the centre
    np.testing.assert_allclose(np.einsum("npd,nd->np", path.images, normal), 0, atol=3e-3)
    straight = tasks.interpolate(sphere, a, b, 21, space="code")
    assert (straight.lengths > path.lengths + 0.005).all()
    np.testing.assert_allclose(tasks.path_length(sphere, path.codes), path.lengths, rtol=1e-6)


def test_the_length_of_a_circle_of_latitude(sphere):
    codes = np.stack([np.linspace(0, np.pi, 200), np.full(200, 1.0)], axis=-1)
    assert tasks.path_length(sphere, codes[None])[0] == pytest.approx(np.pi * np.cos(1), rel=1e-4)


def test_a_geodesic_is_never_longer_than_the_straight_line(vae, x):
    straight, geodesic = (tasks.interpolate(vae, x[:6], x[6:], 7, method) for method in ("linear", "geodesic"))
    assert (geodesic.lengths <= straight.lengths).all()
    np.testing.assert_array_equal(geodesic.codes[:, [0, -1]], straight.codes[:, [0, -1]])
    np.testing.assert_allclose(geodesic.images[:, 0], vae.reconstruct(x[:6]), atol=1e-6)


def test_conditions_go_through_the_encoder_and_the_decoder(conditional, rng):
    x, y = rng.integers(0, 2, (6, 4)).astype("float32"), np.array([0, 1, 0, 1, 1, 0])
    for method in ("linear", "geodesic"):
        path = tasks.interpolate(conditional, x[:2], x[2:4], 3, method, condition=y[:2])
        np.testing.assert_allclose(path.codes[:, 0], conditional.encode(x[:2], condition=y[:2]), atol=1e-6)
        middle = conditional.decode(path.codes[:, 1], condition=y[:2])
        np.testing.assert_allclose(path.images[:, 1], middle, atol=1e-6)
    vector = tasks.attribute_vector(conditional, x, y == 1, condition=y)
    codes = conditional.encode(x, condition=y)
    np.testing.assert_allclose(vector, codes[y == 1].mean(axis=0) - codes[y == 0].mean(axis=0), atol=1e-6)
    moved = conditional.decode(codes - 2 * vector, condition=y)
    np.testing.assert_allclose(tasks.shift(conditional, x, vector, -2, condition=y), moved, atol=1e-6)
    found = tasks.prototypes(conditional, x, y, condition=y)
    np.testing.assert_allclose(found.images, conditional.decode(found.codes, condition=[0, 1]), atol=1e-6)
    found = tasks.nearest_neighbours(conditional, x, x, 1, condition=y, examples_condition=1 - y)
    assert found.distances.max() > 1e-3
    assert tasks.prior_codes(conditional, 2, condition=y[:2]).shape == (2, 2)


def test_a_learned_prior_gives_the_range_of_a_traversal(conditional, rng):
    x, y = rng.integers(0, 2, (6, 4)).astype("float32"), np.array([0, 1, 0, 1, 1, 0])
    for layer, bias in ((conditional.prior_mean_head, 5.0), (conditional.prior_log_var_head, np.log(4.0))):
        layer.bias.assign(np.full(2, bias))
    found = tasks.traverse(conditional, x, example=1, steps=3, span=1, condition=y)
    code = conditional.encode(x, condition=y)[1]
    for j, images in zip(found.dimensions, found.images, strict=True):
        codes = np.tile(code, (3, 1))
        codes[:, j] = [3, 5, 7]
        np.testing.assert_allclose(images, conditional.decode(codes, condition=1), atol=1e-3)  # log_var is bounded


def test_an_attribute_vector_is_the_difference_of_means(vae, x):
    has = np.arange(12) % 3 == 0
    codes = vae.encode(x)
    vector = tasks.attribute_vector(vae, x, has)
    np.testing.assert_allclose(vector, codes[has].mean(axis=0) - codes[~has].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(tasks.shift(vae, x, vector, 0.0), vae.reconstruct(x), atol=1e-6)
    np.testing.assert_allclose(tasks.shift(vae, x, vector, 2.0), vae.decode(codes + 2 * vector), atol=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_neighbours_are_the_nearest_codes(vae, rng, metric):
    examples = rng.integers(0, 2, (40, 4, 4, 1)).astype("float32")
    codes = vae.encode(examples).astype("float64")
    if metric == "cosine":
        codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    distances = np.linalg.norm(codes[:5, None] - codes[None], axis=-1)
    found = tasks.nearest_neighbours(vae, examples[:5], examples, 4, metric)
    np.testing.assert_array_equal(found.indices, np.argsort(distances, axis=1)[:, :4])
    expected = np.sort(distances, axis=1)[:, :4]
    np.testing.assert_allclose(found.distances, expected**2 / 2 if metric == "cosine" else expected, atol=1e-5)


def test_a_traversal_changes_one_dimension_and_sorts_by_kl(vae, x):
    found = tasks.traverse(vae, x, example=3, dimensions=2, steps=3, span=2)
    kl = keras_ae.evaluation.active_units(vae, x).kl
    np.testing.assert_array_equal(found.dimensions, np.argsort(-kl)[:2])
    np.testing.assert_allclose(found.scores, np.sort(kl)[::-1][:2])
    codes = np.tile(vae.encode(x)[3], (3, 1))
    codes[:, found.dimensions[1]] = [-2, 0, 2]
    np.testing.assert_allclose(found.images[1], vae.decode(codes), atol=1e-6)


def test_a_traversal_of_a_deterministic_model_follows_its_codes(linear, rng):
    x = rng.normal(size=(20, 3)).astype("float32")
    found = tasks.traverse(linear, x, steps=3, span=1)
    codes = linear.encode(x)
    order = np.argsort(-codes.var(axis=0))
    assert found.score == "variance" and found.dimensions.tolist() == order.tolist()
    changed = np.tile(codes[0], (3, 1))
    changed[:, order[0]] = codes[:, order[0]].mean() + np.array([-1, 0, 1]) * codes[:, order[0]].std()
    np.testing.assert_allclose(found.images[0], linear.decode(changed), atol=1e-5)


def test_prototypes_are_means_and_medoids(vae, rng):
    x, y = rng.integers(0, 2, (30, 4, 4, 1)).astype("float32"), np.repeat([4, 1, 9], 10)
    found, codes = tasks.prototypes(vae, x, y), vae.encode(x).astype("float64")
    assert found.classes.tolist() == [1, 4, 9]
    for label, code, image, medoid in zip(found.classes, found.codes, found.images, found.medoids, strict=True):
        members = np.flatnonzero(y == label)
        np.testing.assert_allclose(code, codes[members].mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(image, vae.decode(code[None])[0], atol=1e-6)
        sums = [sum(np.linalg.norm(codes[i] - codes[j]) for j in members) for i in members]
        assert medoid == members[np.argmin(sums)]
    np.testing.assert_array_equal(found.examples, x[found.medoids])


def test_every_result_is_drawn(vae, x):
    drawn = [
        tasks.interpolate(vae, x[:2], x[2:4], 3).plot(),
        tasks.nearest_neighbours(vae, x[:2], x, 2).plot(x[:2], x),
        tasks.traverse(vae, x, dimensions=2, steps=3).plot(),
        tasks.prototypes(vae, x, np.arange(12) % 3).plot(["a", "b", "c"]),
    ]
    shapes = [[axes.get_images()[0].get_array().shape[:2] for axes in figure.axes] for figure in drawn]
    assert shapes == [[(4, 14)] * 2] * 4
    labels = [[text.get_text() for axes in figure.axes for text in axes.texts] for figure in drawn]
    assert labels[0] == [] and labels[1] == ["query", "1", "2"]
    assert labels[2][0].endswith("nats") and labels[2][1:4] == ["-3", "+0", "+3"]
    assert labels[3] == ["decoded mean", "a", "b", "c", "medoid"]
    pixels = drawn[1].axes[0].get_images()[0].get_array()
    np.testing.assert_array_equal(pixels[:, :4], x[0, ..., 0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, x: tasks.interpolate(m, x[:2], x[2:4], steps=1), "steps must be a whole number of at least 2"),
        (lambda m, x: tasks.interpolate(m, x[:2], x[2:5]), "2 rows, end has 3"),
        (lambda m, x: tasks.interpolate(m, x[0], x[1]), "start must have the shape"),
        (lambda m, x: tasks.interpolate(m, x[:2], x[:2], method="geodetic"), "'geodesic'"),
        (lambda m, x: tasks.interpolate(m, x[:2], x[:2], space="codes"), "'code'"),
        (lambda m, x: tasks.interpolate(m, x[:2], x[:2], space="code"), "start must have the shape"),
        (lambda m, x: tasks.interpolate(m, x[:2], x[:2], condition=1), "takes no condition"),
        (lambda m, x: tasks.interpolate(m, [[np.nan] * 3], [[0] * 3], space="code"), "not a number"),
        (
            lambda m, x: tasks.interpolate(m, [[0, 0, 1], [1, 0, 0]], [[0, 0, 1], [-2, 0, 0]], 3, "spherical", "code"),
            "Pair 1 are opposite",
        ),
        (lambda m, x: tasks.path_length(m, np.zeros((5, 3))), r"\(n, steps, 3\)"),
        (lambda m, x: tasks.path_length(m, np.zeros((5, 1, 3))), "at least 2 steps"),
        (lambda m, x: tasks.attribute_vector(m, x, np.full(12, False)), "None of the 12"),
        (lambda m, x: tasks.attribute_vector(m, x, np.full(12, True)), "All of the 12"),
        (lambda m, x: tasks.attribute_vector(m, x, np.arange(12) % 2), "12 booleans"),
        (lambda m, x: tasks.shift(m, x, np.zeros(4)), "vector"),
        (lambda m, x: tasks.nearest_neighbours(m, x[:2], x, 13), "k must be at most"),
        (lambda m, x: tasks.nearest_neighbours(m, x[:2], x, 2, "euclidian"), "metric"),
        (lambda m, x: tasks.traverse(m, x, example=12), "example must be .* at most 11"),
        (lambda m, x: tasks.traverse(m, x, steps=1), "steps"),
        (lambda m, x: tasks.traverse(m, x, span=0), "span must be a number"),
        (lambda m, x: tasks.traverse(m, x[:1]), "at least 2 examples"),
        (lambda m, x: tasks.prototypes(m, x, [1, 2]), r"labels must be an array of shape \(12,\)"),
        (lambda m, x: tasks.prior_codes(m, 0), "n must be"),
    ],
)
def test_mistakes(vae, x, call, words):
    with pytest.raises(InputError, match=words):
        call(vae, x)


def test_only_a_prior_is_drawn_from(linear, vae):
    with pytest.raises(InputError, match="no distribution of codes"):
        tasks.prior_codes(linear, 2)
    drawn = tasks.prior_codes(vae, 4000, seed=1)
    np.testing.assert_array_equal(drawn[:9], tasks.prior_codes(vae, 4000, seed=1)[:9])
    np.testing.assert_allclose([drawn.mean(), drawn.std()], [0, 1], atol=0.03)


def test_the_guide_runs(tmp_path, monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "latent.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(code.replace("epochs=20", "epochs=1"), names)
    assert names["path"].images.shape == (4, 10, 8, 8, 1) and (tmp_path / "paths.png").is_file()
    assert names["with_attribute"].shape == (4, 8, 8, 1) and names["found"].indices.shape == (5, 8)
    for image in re.findall(r"!\[.*?\]\((.*?)\)", page.read_text()):
        assert (page.parent / image).stat().st_size < 150_000
