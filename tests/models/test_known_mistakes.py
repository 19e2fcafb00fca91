"""Mistakes of well-known libraries that must be impossible here, in every registered model."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from scipy import stats

import keras_ae
from keras_ae import networks, zoo
from keras_ae.backend import KeyedSeed
from keras_ae.distributions import DiagonalNormal, FullNormal
from keras_ae.evaluation.likelihood import importance
from keras_ae.layers import Sampling
from keras_ae.models import Batch, Variational
from tests.conformance.table import LATENT, SHAPE, TABLE, batch_of, given, make, targets
from tests.models.test_iwae import VALUES, bounds, linear_gaussian


def class_of(row):
    return zoo.model_class(row.split(":")[0])


VARIATIONAL = [row for row in TABLE if issubclass(class_of(row), Variational)]
# A mixture has no closed form; its sampled KL is among the bounds below.
WITH_KL = [row for row in VARIATIONAL if "kl" in class_of(row).terms and not row.startswith("gaussian_mixture_vae")]
STATISTICS = {  # terms that are statistics of the batch, which the model's documentation says
    "beta_vae:free_bits": "penalty",
    "kl_sparse_ae": "sparsity",
    "wae_mmd": "mmd",
    "wae_w2": "wasserstein2",
}


def still(model, monkeypatch):
    """Makes the noise of the loss the same at each call and for each example."""
    if isinstance(model, Variational):

        def sample(q, samples=None):
            shape = ops.shape(q.mean) if samples is None else (samples, *ops.shape(q.mean))
            noise = np.linspace(-1, 1, samples or 1)[:, None, None] + 0.3
            return q.rsample(ops.broadcast_to(ops.cast(noise if samples else noise[0], "float32"), shape))

        monkeypatch.setattr(model, "sampling", sample)
    if hasattr(model, "random_signs"):
        signs = np.array([1, -1, 1], "float32")
        monkeypatch.setattr(model, "random_signs", lambda x: ops.tile(signs[None, None], (1, ops.shape(x)[0], 1)))
    if model.prior is not None:
        draw = type(model.prior).sample
        monkeypatch.setattr(model.prior, "sample", lambda n, seed: draw(model.prior, n, KeyedSeed(0)))
    return model


def record_codes(model, monkeypatch):
    """The list of codes that the decoder is given from now on."""
    codes, explain = [], model.explain

    def recording(code, *args, **kwargs):
        codes.append(code)
        return explain(code, *args, **kwargs)

    monkeypatch.setattr(model, "explain", recording)
    return codes


def of_known_class(model, batch, code):
    """The codes that belong to the batch's conditions, of a model that sums over all classes."""
    if not model.infers_condition:
        return code
    by_class = np.asarray(code).reshape(len(batch.x), model.condition_dim, -1)
    return ops.convert_to_tensor(by_class[np.asarray(batch.condition) == 1])


def terms_of(model, batch, training=False):
    return {name: np.asarray(term, "float64") for name, term in model.objective(batch, training).items()}


def kl_by_hand(q):
    """KL to N(0, I), summed over the code, in float64."""
    mean = np.asarray(q.mean, "float64")
    if isinstance(q, DiagonalNormal):
        log_var = np.asarray(q.log_var, "float64")
        return 0.5 * (mean**2 + np.exp(log_var) - log_var - 1).sum(axis=1)
    covariance = np.asarray(q.scale_tril, "float64") @ np.swapaxes(q.scale_tril, 1, 2)
    trace, (_, log_det) = np.trace(covariance, axis1=1, axis2=2), np.linalg.slogdet(covariance)
    return 0.5 * ((mean**2).sum(axis=1) + trace - log_det - mean.shape[1])


def posterior_of(model, batch):
    return model.posterior(batch.x, condition=batch.condition)


# Importance weights with the wrong sign, and a "bound" that is none


def test_importance_weights_average_to_the_evidence():
    """E_q[p(x, z) / q(z|x)] = p(x): upside down or with a lost term it would be anything else."""
    model, x, exact, _ = linear_gaussian("iwae", widen=1.5, shift=0.3, samples=3)
    log_w = np.asarray(importance(model, Batch(x, x), 4000, KeyedSeed(0)), "float64")
    for draws in (log_w, bounds(model, x, 4000)):
        ratio = np.exp(draws - exact)
        assert (np.abs(ratio.mean(axis=0) - 1) < 5 * ratio.std(axis=0) / np.sqrt(4000)).all()
        assert (ratio.std(axis=0) > 0.1).all()


BOUNDS = {
    "vae": {},
    "vae:sample": {"kl": "sample"},
    "beta_vae": {"beta": 4.0},
    "beta_vae:capacity": {"beta": 4.0, "capacity": 2.0},
    "beta_vae:small": {"beta": 0.1},
    "conditional_vae": {"condition_dim": 2},
    "conditional_vae:learned": {"condition_dim": 2, "learned_prior": True},
    "gaussian_mixture_vae": {},
    "iwae": {"samples": 1},
    "semi_supervised_vae": {"condition_dim": 2},
}
OF_THE_CLASS = ("label", "classification")  # terms that have nothing to do with x given the class


def test_every_variational_model_is_in_the_table_of_bounds():
    """But `sequence_vae`, whose bound is compared with the sum over all sequences in test_sequences.py."""
    assert {row.split(":")[0] for row in BOUNDS} | {"sequence_vae"} == {row.split(":")[0] for row in VARIATIONAL}


@pytest.mark.parametrize("row", BOUNDS)
def test_the_negative_elbo_is_a_bound_and_as_loose_as_its_posterior_is_wrong(row):
    """E[ELBO] = log p(x) - KL(q(z|x) || p(z|x)), whatever the KL's weight in what is minimised."""
    model, x, exact, gap = linear_gaussian(row.split(":")[0], widen=1.7, shift=0.4, **BOUNDS[row])
    many = tf.constant(np.repeat(x, 10000, axis=0))
    condition = ops.one_hot(np.arange(len(many)) % 2, 2) if model.conditional else None
    terms = terms_of(model, Batch(many, many, condition=condition))
    draws = -sum(terms[name] for name in terms if name not in ("penalty", *OF_THE_CLASS)).reshape(len(x), -1)
    error = draws.std(axis=1) / np.sqrt(10000)
    assert gap > 10 * error.max()
    assert (np.abs(draws.mean(axis=1) - (exact - gap)) < 5 * error).all()
    assert (draws.mean(axis=1) < exact).all()
    score = -np.asarray(model.score(Batch(many, many, condition=condition), KeyedSeed(0), 1)).reshape(len(x), -1)
    assert (np.abs(score.mean(axis=1) - (exact - gap)) < 5 * score.std(axis=1) / np.sqrt(10000)).all()


# A KL that is clamped to a capacity of zero, or averaged over the code


@pytest.mark.parametrize("row", WITH_KL)
def test_the_kl_is_not_clamped(row, digits):
    """It is positive, and its gradient is the closed form: that in the mean is the mean."""
    model = make(row)
    batch = batch_of(model, digits[0][:10])
    with tf.GradientTape() as tape:
        kl = model.objective(batch, training=True)["kl"]
    gradient = tape.gradient(kl, model.mean_head.bias.value)
    assert (np.asarray(kl) > 1e-3).all()
    np.testing.assert_allclose(gradient, ops.sum(posterior_of(model, batch).mean, axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("capacity, sign", [(None, 1), (0.0, 1), (50.0, -1)])
def test_a_capacity_pulls_the_kl_towards_it(capacity, sign, digits):
    """beta |KL - C|: of C = 0 it is beta KL; below C it pushes the KL up."""
    model = keras_ae.create("beta_vae", SHAPE, LATENT, seed=0, beta=3.0, capacity=capacity)
    batch = batch_of(model, digits[0][:10])
    with tf.GradientTape() as tape:
        terms = model.objective(batch, training=True)
        regulariser = terms["kl"] + terms["penalty"]
    q = posterior_of(model, batch)
    np.testing.assert_allclose(regulariser, 3 * np.abs(kl_by_hand(q) - (capacity or 0)), rtol=1e-4)
    gradient = tape.gradient(regulariser, model.mean_head.bias.value)
    np.testing.assert_allclose(gradient, 3 * sign * ops.sum(q.mean, axis=0), rtol=1e-4, atol=1e-5)


def test_free_bits_leave_a_dimension_alone_below_and_not_above(digits):
    """sum_j max(f, mean KL_j): the reported KL stays the true one."""
    model = keras_ae.create("beta_vae", SHAPE, LATENT, seed=0, beta=1.0, free_bits=0.5)
    model.mean_head.bias.assign([0.0, 2.0, 0.0])
    batch = batch_of(model, digits[0][:10])
    with tf.GradientTape() as tape:
        terms = model.objective(batch, training=True)
        loss = ops.mean(terms["kl"] + terms["penalty"])
    q = posterior_of(model, batch)
    one_by_one = [DiagonalNormal(q.mean[:, j : j + 1], q.log_var[:, j : j + 1]) for j in range(LATENT)]
    by_dimension = [kl_by_hand(one).mean() for one in one_by_one]
    assert by_dimension[0] < 0.5 < by_dimension[1]
    np.testing.assert_allclose(loss, np.maximum(by_dimension, 0.5).sum(), rtol=1e-4)
    np.testing.assert_allclose(terms["kl"], kl_by_hand(q), rtol=1e-4)
    gradient = tape.gradient(loss, model.mean_head.bias.value).numpy()
    assert (gradient != 0).tolist() == [kl > 0.5 for kl in by_dimension]


@pytest.mark.parametrize("row", WITH_KL)
def test_kl_and_reconstruction_are_sums_over_code_and_pixels(row, digits, monkeypatch):
    model = make(row)
    batch = batch_of(model, digits[0][:10])
    codes = record_codes(model, monkeypatch)
    terms = terms_of(model, batch)
    np.testing.assert_allclose(terms["kl"], kl_by_hand(posterior_of(model, batch)), rtol=1e-4)
    code = of_known_class(model, batch, codes[0])
    params = np.asarray(model.explain(code, batch.target, condition=batch.condition), "float64")
    if row == "vae:full":  # N(params, 0.1)
        log_prob = stats.norm(params, np.sqrt(0.1)).logpdf(batch.x)
    else:
        log_prob = np.asarray(batch.x) * params - np.logaddexp(0, params)
    np.testing.assert_allclose(terms["reconstruction"], -log_prob.sum(axis=(1, 2, 3)), rtol=1e-4)


@pytest.mark.parametrize("row", [row for row in WITH_KL if "full" not in row])
def test_a_code_that_is_there_twice_has_twice_the_kl(row, digits):
    arguments = {key: value() if callable(value) else value for key, value in TABLE[row].arguments.items()}
    once, twice = make(row), keras_ae.create(row.split(":")[0], SHAPE, 2 * LATENT, seed=0, **arguments)
    twice.encoder.set_weights(once.encoder.get_weights())
    for head in ("mean_head", "log_var_head"):
        kernel, bias = getattr(once, head).get_weights()
        getattr(twice, head).set_weights([np.tile(kernel, 2), np.tile(bias, 2)])
    batch = batch_of(once, digits[0][:10])
    np.testing.assert_allclose(terms_of(twice, batch)["kl"], 2 * terms_of(once, batch)["kl"], rtol=1e-4)


# A sampling layer that forgets epsilon


@pytest.mark.parametrize("samples", [None, 3])
def test_samples_of_the_layer_have_the_variance_of_the_posterior(samples):
    log_var = np.tile(np.array([[-3.0, 0.0, 2.0]], "float32"), (20000, 1))
    z = np.asarray(Sampling(seed=0)([np.ones_like(log_var), log_var], samples=samples), "float64")
    assert z.shape == (*([samples] if samples else []), 20000, 3)
    np.testing.assert_allclose(z.var(axis=-2), np.broadcast_to(np.exp(log_var[0]), (*z.shape[:-2], 3)), rtol=0.06)
    if samples:
        assert np.abs(np.corrcoef(z[..., 0])[np.triu_indices(3, 1)]).max() < 5 / np.sqrt(20000)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("row", VARIATIONAL)
def test_samples_of_every_model_have_the_variance_of_the_posterior(row, training, digits, monkeypatch):
    """What the decoder is given in the objective, for one x many times."""
    model = make(row)
    model.log_var_head.bias.assign([-3.0, 0.0, 1.0])
    batch = batch_of(model, np.repeat(digits[0][:1], 8000, axis=0))
    codes = record_codes(model, monkeypatch)
    model.objective(batch, training)
    z = np.concatenate([of_known_class(model, batch, code) for code in codes]).astype("float64")
    q = posterior_of(model, batch_of(model, digits[0][:1]))
    variance = np.asarray(q.variance()[0], "float64")
    np.testing.assert_allclose(z.var(axis=0), variance, rtol=0.1)
    assert (np.abs(z.mean(axis=0) - q.mean[0]) < 5 * np.sqrt(variance / len(z))).all()
    if isinstance(q, FullNormal):
        covariance = np.asarray(q.scale_tril[0]) @ np.transpose(q.scale_tril[0])
        np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.1 * variance.max())


# A penalty that depends on the batch size by accident


@pytest.mark.parametrize("row", TABLE)
def test_a_term_is_that_of_each_example_or_documented_as_a_statistic(row, digits, monkeypatch):
    model = still(make(row), monkeypatch)
    x = np.concatenate([digits[0][:10], np.ones((2, *SHAPE), "float32")])
    parts = [terms_of(model, batch_of(model, part)) for part in (x[:1], x[1:6], x[6:])]
    whole = terms_of(model, batch_of(model, x))
    for name in model.terms:
        if STATISTICS.get(row) == name:
            assert "statistic of the batch" in " ".join(type(model).__doc__.split())
            assert whole[name].mean() != pytest.approx(np.mean([part[name].mean() for part in parts]), rel=1e-4)
        else:
            assert whole[name].shape == (12,)
            one_by_one = np.concatenate([part[name] for part in parts])
            np.testing.assert_allclose(whole[name], one_by_one, rtol=1e-4, atol=1e-5)


# Losses that ignore sample_weight


@pytest.mark.parametrize("row", TABLE)
def test_what_an_example_of_weight_zero_holds_does_not_matter(row, digits):
    """Neither to a term, statistics and companions included, nor to a gradient, for the same noise."""
    model = make(row)
    state = [(variable, variable.numpy()) for variable in model.variables]

    def losses_and_gradients(x, weight):
        for variable, value in state:
            variable.assign(value)
        with tf.GradientTape() as tape:
            model(batch_of(model, x)._replace(weight=weight), training=True)
            losses = list(model.losses)
            total = sum(losses)
        gradients = tape.gradient(total, [weight.value for weight in model.trainable_weights])
        return np.array(losses), gradients

    weight = np.array([1, 0, 3, 2, 0, 1, 1, 2], "float32")
    x = digits[0][:8]
    other = np.where(weight[:, None, None, None] == 0, 1 - x, x)
    losses, gradients = losses_and_gradients(x, weight)
    again, same_gradients = losses_and_gradients(other, weight)
    np.testing.assert_allclose(losses, again, rtol=1e-4, atol=1e-6)
    for first, second in zip(gradients, same_gradients, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(losses_and_gradients(x, 2 * weight)[0], 2 * losses, rtol=1e-4)
    unweighted, _ = losses_and_gradients(x, None)
    changed, _ = losses_and_gradients(other, None)
    assert not np.isclose(losses, unweighted, rtol=1e-4).any()
    assert not np.isclose(changed, unweighted, rtol=1e-4).all()
    np.testing.assert_allclose(losses_and_gradients(x, np.ones(8, "float32"))[0], unweighted, rtol=1e-4, atol=1e-6)


# Noise left on at inference


def with_dropout(row):
    """The row's model with dropout in both networks."""
    arguments = {key: value() if callable(value) else value for key, value in TABLE[row].arguments.items()}
    options = {**arguments.pop("network_options"), "condition_dim": arguments.pop("condition_dim", None)}
    pair = networks.dense(SHAPE, LATENT, seed=0, **options)
    pair = [networks.with_dropout(network, [0.5], [i]) for i, network in enumerate(pair)]
    if row == "wae_gan":
        critic = [layers.Dense(8, "relu"), layers.Dropout(0.5), layers.Dense(1)]
        arguments["critic"] = keras.Sequential([keras.Input((LATENT,)), *critic])
    model = class_of(row)(*pair, LATENT, seed=0, **arguments)
    model.compile("adam", run_eagerly=True)
    return model


# A linear model has no layers to drop out, another network changes nothing in the model; what models of sequences hide
# in training is tested in test_sequences.py.
WITH_DROPOUT = [row for row in TABLE if row not in ("linear_ae", "vae:resnet") and not class_of(row).autoregressive]


@pytest.mark.parametrize("row", WITH_DROPOUT)
def test_noise_is_off_at_inference_and_on_in_training(row, digits, monkeypatch):
    """Dropout, corruption and whatever else: two calls agree, but for draws that the loss is defined by."""
    model = still(with_dropout(row), monkeypatch)
    x = digits[1][:10]
    condition, y = given(model, x), targets(model, x)
    everything = {"x": x, **condition} if model.conditional else x
    for infer in (
        lambda: model.encode(x, **condition),
        lambda: model.reconstruct(x, **condition),
        lambda: model.predict(everything, verbose=0),
        lambda: list(model.evaluate(x, y, verbose=0, return_dict=True).values()),
    ):
        np.testing.assert_array_equal(infer(), infer())
    np.testing.assert_allclose(model.predict(everything, verbose=0), model.reconstruct(x, **condition), rtol=1e-5)
    batch = batch_of(model, x)
    codes = [np.asarray(model.code(batch.x, training, batch.condition)) for training in (False, True, True)]
    np.testing.assert_allclose(codes[0], model.encode(x, **condition), rtol=1e-5, atol=1e-6)
    assert not np.isclose(codes[1], codes[2]).all() and not np.isclose(codes[0], codes[1]).all()
    first, second = (terms_of(model, batch, training=True) for _ in range(2))
    for name in (model.terms[0], *model.companions):
        assert not np.isclose(first[name], second[name]).all(), name


def test_corruption_is_off_in_evaluation_without_any_dropout(digits):
    """The same for the noise of the model alone."""
    for row in ("denoising_ae", "dropout_ae"):
        model = make(row, run_eagerly=True)
        x = digits[1][:10]
        assert model.evaluate(x, verbose=0) == model.evaluate(x, verbose=0)
        first, second = (terms_of(model, batch_of(model, x), training=True) for _ in range(2))
        assert not np.isclose(first["reconstruction"], second["reconstruction"]).any()


# Batch normalisation of the critic that leaks between codes and draws


def test_batch_normalisation_of_the_critic_does_not_tell_codes_from_draws(rng, monkeypatch):
    """Its logits of the codes do not depend on the draws, nor the other way round: a change of the draws changes the
    critic's loss by the same, whatever the codes."""
    normalised = [layers.Dense(6), layers.BatchNormalization(), layers.ReLU(), layers.Dense(1)]
    critic = keras.Sequential([keras.Input((LATENT,)), *normalised])
    model = keras_ae.create("wae_gan", (VALUES,), LATENT, seed=0, likelihood="normal", critic=critic)
    xs = rng.normal(size=(2, 8, VALUES)).astype("float32")
    draws = 2 * rng.normal(size=(2, 8, LATENT)).astype("float32")
    found = {}
    for i, j in np.ndindex(2, 2):
        monkeypatch.setattr(model.prior, "sample", lambda n, seed, j=j: ops.convert_to_tensor(draws[j]))
        found[i, j] = terms_of(model, Batch(xs[i], xs[i]), training=True)
    changes = [found[i, 1]["critic"] - found[i, 0]["critic"] for i in range(2)]
    np.testing.assert_allclose(changes[0], changes[1], rtol=1e-4, atol=1e-5)
    assert np.abs(changes[0]).min() > 1e-4
    for i in range(2):
        np.testing.assert_allclose(found[i, 0]["adversarial"], found[i, 1]["adversarial"], rtol=1e-5)
    assert not np.isclose(found[0, 0]["adversarial"], found[1, 0]["adversarial"]).all()
