"""The conditional VAE: every form of a condition, its prior, and what is done with both."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

import keras_ae
from keras_ae import networks
from keras_ae.errors import InputError
from keras_ae.models import Batch, ConditionalVAE
from tests.conformance.table import same, weights

N, VALUES, LATENT, CLASSES = 15, 6, 2, 3


def create(seed=0, **arguments):
    model = keras_ae.create(
        "conditional_vae", (VALUES,), LATENT, seed=seed, network_options={"hidden": (8,)},
        condition_dim=CLASSES, **arguments
    )  # fmt: skip
    model.compile(keras_ae.optimizers.Adam(0.01), run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def x():
    return (np.random.default_rng(0).random((N, VALUES)) > 0.5).astype("float32")


@pytest.fixture(scope="module")
def y():
    return np.arange(N) % CLASSES


@pytest.fixture(scope="module")
def model():
    return create()


@pytest.fixture(scope="module", params=["diagonal", "full"])
def learned(request):
    """A model whose prior differs from class to class."""
    model, rng = create(learned_prior=True, posterior=request.param), np.random.default_rng(1)
    for head in (model.prior_mean_head, model.prior_log_var_head):
        head.set_weights([rng.normal(size=weight.shape) for weight in head.get_weights()])
    return model


def forms(y):
    """The same conditions in every form."""
    one_hot = np.eye(CLASSES)[y]
    return {
        "classes": y,
        "bytes": y.astype("uint8"),
        "floats": y.astype("float64"),
        "a column": y[:, None],
        "one-hot": one_hot,
        "one-hot bytes": one_hot.astype("uint8"),
        "a list": y.tolist(),
        "a tensor": ops.convert_to_tensor(y),
    }


def test_all_forms_of_a_condition_are_the_same(model, x, y):
    expected = np.asarray(model.posterior(x, condition=np.eye(CLASSES, dtype="float32")[y]).mean)
    for name, condition in forms(y).items():
        code = model.encode(x, condition=condition)
        np.testing.assert_allclose(code, expected, rtol=1e-5, atol=1e-6, err_msg=name)
    assert not np.isclose(model.encode(x, condition=(y + 1) % CLASSES), expected).any()


def test_all_forms_of_a_condition_train_the_same_model(x, y):
    trained = {}
    for name, condition in forms(y).items():
        model = create()
        model.fit(x, condition if name == "classes" else {"condition": condition}, verbose=0)
        trained[name] = weights(model)
        assert same(trained[name], trained["classes"], atol=1e-6), name
    assert not same(weights(create()), trained["classes"], atol=1e-4)


def test_one_condition_stands_for_all_examples(model, x):
    every = np.full(N, 2)
    for one in (2, np.int64(2), [0, 0, 1], np.array([0.0, 0.0, 1.0])):
        np.testing.assert_array_equal(model.encode(x, condition=one), model.encode(x, condition=every))


def test_vectors_that_are_not_one_hot(model, x, rng):
    """The condition is an input like any other: by hand through the first layer."""
    condition = rng.normal(size=(N, CLASSES)).astype("float32")
    kernel, bias = model.encoder.get_weights()
    features = np.maximum(np.concatenate([x, condition], axis=1) @ kernel + bias, 0)
    kernel, bias = model.mean_head.get_weights()
    np.testing.assert_allclose(model.encode(x, condition=condition), features @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_every_way_in_takes_the_condition(model, x, y):
    condition = np.eye(CLASSES, dtype="float32")[y]
    code = model.encode(x, condition=y)
    logits = np.asarray(model.decode_params(code, condition=condition), "float64")
    expected = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(model.decode(code, condition=y), expected, rtol=1e-4)
    np.testing.assert_allclose(model.reconstruct(x, condition=y), expected, rtol=1e-4)
    for given in (y, y[:, None], condition):
        predicted = model.predict({"x": x, "condition": given}, verbose=0)
        np.testing.assert_allclose(predicted, expected, rtol=1e-4)
    both = model.evaluate(x, y, verbose=0), model.evaluate(x, {"condition": y, "target": x}, verbose=0)
    assert both[0][1:] != both[1][1:]  # noise
    assert create().evaluate(x, y, verbose=0) == create().evaluate(x, {"condition": condition, "target": x}, verbose=0)


def test_style_is_kept_and_the_class_changed(model, x, y):
    other = (y + 1) % CLASSES
    style = model.encode(x, condition=y)
    changed = model.decode(style, condition=other)
    assert changed.shape == x.shape
    assert not np.isclose(changed, model.reconstruct(x, condition=y)).any()


@pytest.mark.parametrize(
    "condition, message",
    [
        (None, r"ConditionalVAE needs a condition.*0 to 2.*condition="),
        (np.full(N, CLASSES), r"classes from 0 to 2.*0?3 to 3"),
        (np.full(N, -1), r"classes from 0 to 2.*-1"),
        (np.full(N, 0.5), r"classes from 0 to 2.*0\.5"),
        (CLASSES, "classes from 0 to 2"),
        (np.zeros(N - 1, int), r"15 classes.*\(14,\)"),
        (np.zeros((N, 2)), r"15 vectors, shape \(15, 3\).*\(15, 2\)"),
        (np.zeros((N, CLASSES, 1)), r"\(15, 3, 1\)"),
        (np.full(N, "a"), "dtype <U1"),
        (np.full((N, CLASSES), np.nan), "not a number"),
        (np.full(N, np.nan), "not a number"),
    ],
)
def test_a_condition_that_is_none(model, x, condition, message):
    before = weights(model)
    code = np.zeros((N, LATENT))
    for use in (
        lambda: model.encode(x, condition=condition),
        lambda: model.decode(code, condition=condition),
        lambda: model.reconstruct(x, condition=condition),
        lambda: model.sample(N, condition=condition),
        lambda: keras_ae.evaluation.log_likelihood(model, x, condition=condition),
        lambda: model.fit(x, {"condition": condition} if condition is not None else None, verbose=0),
        lambda: model.evaluate(x, {"condition": condition} if condition is not None else None, verbose=0),
    ):
        with pytest.raises(InputError, match=message):
            use()
    assert same(before, weights(model))


@pytest.mark.parametrize("data", [lambda x: x, lambda x: {"x": x}], ids=["x alone", "a dict without it"])
def test_predict_without_a_condition(model, x, data):
    with pytest.raises(InputError, match="condition"):
        model.predict(data(x), verbose=0)


def test_a_model_without_conditions_takes_none(x, y):
    plain = keras_ae.create("vae", (VALUES,), LATENT, network_options={"hidden": (8,)})
    for use in (plain.encode, plain.reconstruct):
        with pytest.raises(InputError, match="VAE takes no condition"):
            use(x, condition=y)
    with pytest.raises(InputError, match="takes no condition_dim"):
        keras_ae.create("vae", (VALUES,), LATENT, condition_dim=3)
    with pytest.raises(InputError, match="needs condition_dim"):
        keras_ae.create("conditional_vae", (VALUES,), LATENT)


def test_networks_without_a_condition():
    with pytest.raises(InputError, match=r"must have two inputs.*condition"):
        ConditionalVAE(*networks.dense((VALUES,), LATENT, hidden=(8,)), LATENT)
    encoder, _ = networks.dense((VALUES,), LATENT, hidden=(8,), condition_dim=3)
    _, decoder = networks.dense((VALUES,), LATENT, hidden=(8,), condition_dim=4)
    with pytest.raises(InputError, match="conditions of different sizes: 3 and 4"):
        ConditionalVAE(encoder, decoder, LATENT)


# The prior p(z|y)


def prior_by_hand(model, y):
    """Mean and standard deviation of p(z|y), of each example."""
    mean, raw = (
        head.get_weights()[0][y] + head.get_weights()[1] for head in (model.prior_mean_head, model.prior_log_var_head)
    )
    log_var = raw / np.sqrt(1 + (raw / 20) ** 2)  # the bound
    return mean.astype("float64"), np.exp(0.5 * log_var.astype("float64"))


def covariances(q):
    if hasattr(q, "log_var"):
        return [np.diag(np.exp(row)) for row in np.asarray(q.log_var, "float64")]
    return [factor @ factor.T for factor in np.asarray(q.scale_tril, "float64")]


def test_the_kl_to_a_learned_prior_is_that_of_two_gaussians(learned, x, y):
    condition = ops.one_hot(y, CLASSES)
    x = ops.convert_to_tensor(x)
    found = learned.objective(Batch(x, x, condition=condition), training=False)["kl"]
    mean, deviation = prior_by_hand(learned, y)
    q = learned.posterior(x, condition=condition)
    for i, covariance in enumerate(covariances(q)):
        of_q = stats.multivariate_normal(q.mean[i], covariance)
        difference = np.asarray(q.mean[i], "float64") - mean[i]
        cross = np.trace(covariance / deviation[i] ** 2) + (difference**2 / deviation[i] ** 2).sum()
        cross_entropy = 0.5 * (LATENT * np.log(2 * np.pi) + 2 * np.log(deviation[i]).sum() + cross)
        assert float(found[i]) == pytest.approx(cross_entropy - of_q.entropy(), rel=1e-3, abs=1e-4)


def test_log_p_of_a_learned_prior(learned, x, y, rng):
    condition = np.eye(CLASSES, dtype="float32")[y]
    z = rng.normal(size=(4, N, LATENT)).astype("float32")
    mean, deviation = prior_by_hand(learned, y)
    expected = stats.norm(mean, deviation).logpdf(z).sum(axis=2)
    np.testing.assert_allclose(learned.prior_given(condition).log_prob(z), expected, rtol=1e-4, atol=1e-4)
    for k in range(4):
        logits = np.asarray(learned.decode_params(z[k], condition=condition), "float64")
        expected[k] += (x * logits - np.logaddexp(0, logits)).sum(axis=1)
    np.testing.assert_allclose(learned.log_joint(Batch(x, x, condition=condition), z), expected, rtol=1e-4)


def test_log_joint_of_the_fixed_prior(model, x, y, rng):
    """Each sample of an example meets that example's condition."""
    condition = np.eye(CLASSES, dtype="float32")[y]
    z = rng.normal(size=(3, N, LATENT)).astype("float32")
    expected = stats.norm.logpdf(z).sum(axis=2)
    for k, i in np.ndindex(3, N):
        logits = np.asarray(model.decode_params(z[k, i][None], condition=condition[i][None]), "float64")[0]
        expected[k, i] += (x[i] * logits - np.logaddexp(0, logits)).sum()
    np.testing.assert_allclose(model.log_joint(Batch(x, x, condition=condition), z), expected, rtol=1e-4)


def test_codes_are_drawn_from_the_learned_prior(learned):
    n = 30000
    y = np.arange(n) % CLASSES
    condition = np.eye(CLASSES, dtype="float32")[y]
    z = np.asarray(learned.draw_codes(n, keras.random.SeedGenerator(0), condition), "float64")
    mean, deviation = prior_by_hand(learned, np.arange(CLASSES))
    for c in range(CLASSES):
        of_class = z[y == c]
        assert (np.abs(of_class.mean(axis=0) - mean[c]) < 5 * deviation[c] / np.sqrt(len(of_class))).all()
        np.testing.assert_allclose(of_class.std(axis=0), deviation[c], rtol=0.05)


def test_samples_of_one_class_or_of_one_each(model, learned):
    for found in (model, learned):
        one = found.sample(5, seed=0, condition=1)
        assert one.shape == (5, VALUES)
        np.testing.assert_array_equal(one, found.sample(5, seed=0, condition=np.full(5, 1)))
        np.testing.assert_array_equal(one, found.sample(5, seed=0, condition=[0.0, 1.0, 0.0]))
        mixed = found.sample(5, seed=0, condition=[0, 1, 2, 1, 0])
        np.testing.assert_allclose(mixed[[1, 3]], one[[1, 3]], rtol=1e-5)
        assert not np.isclose(mixed[[0, 2, 4]], one[[0, 2, 4]]).all()


def test_it_learns_what_the_condition_says():
    """x is a pattern of its class and nothing else: samples of a class show it, and the prior learns to tell them."""
    patterns = np.eye(CLASSES, VALUES, dtype="float32")
    y = np.arange(90) % CLASSES
    model = create(learned_prior=True)
    before = weights(model.prior_mean_head)
    model.compile(keras_ae.optimizers.Adam(0.05))
    model.fit(patterns[y], y, epochs=25, batch_size=45, verbose=0)
    for c in range(CLASSES):
        assert model.sample(20, seed=0, condition=c).mean(axis=0).argmax() == c
    assert not same(before, weights(model.prior_mean_head), atol=1e-3)


def test_the_likelihood_is_that_given_the_condition(model, x, y):
    """Against the average of p(x|z, y) over many codes of the prior."""
    found = keras_ae.evaluation.log_likelihood(model, x, samples=1024, condition=y)
    z = np.random.default_rng(0).normal(size=(20000, LATENT)).astype("float32")
    for i in (0, 4):
        condition = np.repeat(np.eye(CLASSES, dtype="float32")[[y[i]]], len(z), axis=0)
        logits = np.asarray(model.decode_params(z, condition=condition), "float64")
        p = np.exp((x[i] * logits - np.logaddexp(0, logits)).sum(axis=1))
        error = np.hypot(p.std() / np.sqrt(len(z)) / p.mean(), found.standard_error[i])
        assert abs(found.log_prob[i] - np.log(p.mean())) < 5 * error
    other = keras_ae.evaluation.log_likelihood(model, x, samples=128, condition=(y + 1) % CLASSES)
    assert not np.isclose(found.log_prob, other.log_prob, atol=1e-3).all()
