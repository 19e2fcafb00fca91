"""M2: what is known of the classes is used, what is not known is summed over."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import keras_ae
from keras_ae import networks
from keras_ae.errors import InputError
from keras_ae.optimizers import Adam
from keras_ae.pipeline import Batches
from tests.conformance.table import quieten

CLASSES = 3


def make(**options):
    model = keras_ae.create(
        "semi_supervised_vae", (6,), 2, condition_dim=CLASSES, network_options={"hidden": (8,)}, seed=0, **options
    )
    quieten(model)
    return model


def objective(model, x, y):
    terms = model.objective(model.pack((ops.convert_to_tensor(x), y)), training=False)
    return {name: ops.convert_to_numpy(value) for name, value in terms.items()}


@pytest.fixture
def x():
    return np.random.default_rng(0).integers(2, size=(5, 6)).astype("float32")


def test_without_a_label_the_bound_sums_over_the_classes(x):
    prior = np.array([0.5, 0.3, 0.2])
    model = make(class_prior=[5, 3, 2])
    q = model.predict_proba(x)
    expected = {"reconstruction": 0.0, "kl": 0.0, "label": (q * (np.log(q) - np.log(prior))).sum(axis=1)}
    for label in range(CLASSES):
        known = objective(model, x, np.full(len(x), label))
        np.testing.assert_allclose(known["label"], -np.log(prior[label]), rtol=1e-6)
        np.testing.assert_allclose(known["classification"], -np.log(q[:, label]), rtol=1e-5)
        for term in ("reconstruction", "kl"):
            expected[term] = expected[term] + q[:, label] * known[term]
    for y in (np.full(len(x), -1), np.full((len(x), 1), -1), np.zeros((len(x), CLASSES), "float32")):
        found = objective(model, x, y)
        for term, value in expected.items():
            np.testing.assert_allclose(found[term], value, rtol=1e-4, err_msg=term)
        np.testing.assert_array_equal(found["classification"], 0)


def test_with_a_label_it_is_the_bound_of_the_conditional_model(x):
    y = np.array([0, 1, 2, 1, 0])
    model = make()
    q = model.posterior(ops.convert_to_tensor(x), condition=ops.one_hot(y, CLASSES))
    mean, log_var = (ops.convert_to_numpy(value).astype("float64") for value in (q.mean, q.log_var))
    p = model.decode(mean, condition=y).astype("float64")
    found = objective(model, x, y)
    expected = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=1)
    np.testing.assert_allclose(found["reconstruction"], expected, rtol=1e-4)
    np.testing.assert_allclose(found["kl"], 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1), rtol=1e-5)


def test_alpha_weighs_the_classifier(x):
    y = np.array([0, -1, 2, -1, 1])
    once, thrice = (objective(make(alpha=alpha), x, y)["classification"] for alpha in (1.0, 3.0))
    np.testing.assert_allclose(thrice, 3 * once, rtol=1e-6)
    np.testing.assert_array_equal(once == 0, y == -1)


def test_a_condition_that_is_not_given_is_the_most_probable(x):
    model = make(classifier=networks.classifier((6,), CLASSES, hidden=(), seed=2))
    y = model.classify(x)
    assert len(set(y)) > 1
    np.testing.assert_array_equal(y, model.predict_proba(x).argmax(axis=1))
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1, rtol=1e-6)
    for method in (model.encode, model.reconstruct):
        np.testing.assert_array_equal(method(x), method(x, condition=y))
        assert not np.allclose(method(x), method(x, condition=(y + 1) % CLASSES))
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.reconstruct(x))


def test_classes_of_samples_are_drawn_from_their_prior():
    model = make(class_prior=[1e-9, 1, 1e-9])
    np.testing.assert_array_equal(model.sample(5, seed=1), model.sample(5, seed=1, condition=1))
    assert not np.allclose(model.sample(5, seed=1), model.sample(5, seed=1, condition=2))


def test_partly_labelled_data_from_arrays_and_tf_data(x):
    y = np.array([0, -1, 2, -1, 1])
    losses = []
    for data in ((x, y), (tf.data.Dataset.from_tensor_slices((x, y)).batch(5),)):
        model = make()
        model.compile("adam")
        losses.append(model.fit(*data, batch_size=5 if len(data) == 2 else None, shuffle=False, verbose=0).history)
    assert losses[0].keys() == {"loss", *model.terms}
    for name, values in losses[0].items():
        assert values == pytest.approx(losses[1][name], rel=1e-5)


def test_few_labels_are_enough():
    train, test = (keras_ae.data.load("digits", split, binarize="threshold") for split in ("train", "test"))
    y = np.full(len(train.y), -1)
    for label in range(10):
        known = np.flatnonzero(train.y == label)[:5]
        y[known] = label
    accuracy = {}
    for name, rows, epochs in (("all", slice(None), 30), ("labelled", y >= 0, 100)):
        model = keras_ae.create(
            "semi_supervised_vae",
            train.shape,
            16,
            condition_dim=10,
            network_options={"hidden": (256,)},
            classifier=networks.classifier(train.shape, 10, hidden=(256,), seed=0),
            alpha=20.0,
            seed=0,
        )
        model.compile(Adam(3e-3), steps_per_execution=30)
        model.fit(train.x[rows], y[rows], epochs=epochs, batch_size=50, verbose=0)
        accuracy[name] = (model.classify(test.x) == test.y).mean()
    assert accuracy["all"] > accuracy["labelled"] + 0.05


def test_an_export_tells_the_classes(tmp_path):
    model = keras_ae.create("semi_supervised_vae", (4,), 2, condition_dim=3, seed=0)
    x = np.random.default_rng(0).random((5, 4)).astype("float32")
    exported = tf.saved_model.load(keras_ae.export(model, tmp_path))
    found = exported.signatures["predict_proba"](x=tf.constant(x))["probabilities"]
    np.testing.assert_allclose(found, model.predict_proba(x), atol=1e-6)


BAD = {
    "no label of a class": ({}, [0, 0, 1, -1, -1], "No example has the label 2, of the 3 classes"),
    "no label": ({}, None, "No example has the label 0, 1, 2"),
    "no such class": ({}, [0, 1, 2, 3, -1], "classes from -1 to 2. Received: values from -1 to 3"),
    "no such class below": ({}, [0, 1, 2, -2, -1], "classes from -1 to 2. Received: values from -2 to 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_labels(case, x):
    options, y, message = BAD[case]
    model = make(**options)
    model.compile("adam")
    y = () if y is None else (np.array(y),)
    for data in ((x, *y), (Batches((x, *y), 5),)):
        with pytest.raises(InputError, match=message):
            model.fit(*data, verbose=0)


@pytest.mark.parametrize("prior", [[0.5, 0.5], [1, 1, 0], [1, 1, -1], [1, 1, np.nan]])
def test_bad_class_prior(prior):
    with pytest.raises(InputError, match=r"class_prior.* must (hold 3 numbers|be a number) above 0"):
        make(class_prior=prior)


def test_a_classifier_that_does_not_fit():
    with pytest.raises(InputError, match=r"x of shape \(6,\) to 3 logits. Received: \[\(6,\), \(4,\)\]"):
        make(classifier=networks.classifier((6,), 4))


def test_likelihoods_need_the_class(x):
    with pytest.raises(InputError, match="needs a condition"):
        keras_ae.evaluation.log_likelihood(make(), x, samples=2)
    found = keras_ae.evaluation.log_likelihood(make(), x, samples=2, condition=1)
    assert found.log_prob.shape == (5,)
