"""Sequences: what a decoder may see, padding, decoding and bad input."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import keras_ae
from keras_ae import InputError, data, networks, schedules, tasks
from keras_ae.distributions import likelihoods
from keras_ae.evaluation import elbo, evaluate, inference_gap, log_likelihood, perplexity

TOKENS, STEPS = 4, 3
NETWORKS = pytest.mark.parametrize("network", ["recurrent", "transformer"])
NAN = np.nan


def of_tokens(network="recurrent", name="sequence_vae", steps=STEPS, seed=0, **options):
    """A model of tokens with large weights, so that its probabilities are far from equal."""
    model = keras_ae.create(
        name,
        (steps,),
        2,
        network=network,
        network_options={"units": 8},
        likelihood=likelihoods.Categorical(TOKENS),
        seed=seed,
        **options,
    )
    model.output_head.kernel.assign(3 * model.output_head.kernel)
    model.compile("adam")
    return model


def of_numbers(network="recurrent", name="sequence_vae", shape=(5, 2), seed=0, **options):
    return keras_ae.create(
        name, shape, 2, network=network, network_options={"units": 8}, likelihood="normal", seed=seed, **options
    )


def all_sequences():
    """Every sequence of the tokens 1, 2, ... that ends after at most `STEPS`; the empty one, too."""
    texts = itertools.chain(*(itertools.product(range(1, TOKENS), repeat=length) for length in range(STEPS + 1)))
    return np.array([[*text, *[0] * (STEPS - len(text))] for text in texts], "float32")


def probabilities(model, z):
    """p(x | z) of all sequences."""
    batch = model.pack((ops.convert_to_tensor(all_sequences()),))
    return np.exp(model.log_conditional(batch, ops.tile(ops.reshape(z, (1, 1, 2)), (1, len(batch.x), 1))))[0]


@NETWORKS
def test_the_probabilities_of_all_sequences_add_up_to_one(network):
    model = of_tokens(network)
    first, second = (probabilities(model, ops.array(z)) for z in ([0.5, -1.0], [3.0, 3.0]))
    assert first.sum() == pytest.approx(1, abs=1e-5) and second.sum() == pytest.approx(1, abs=1e-5)
    assert np.abs(first - second).max() > 0.01  # it depends on z


@NETWORKS
@pytest.mark.parametrize("word_dropout", [0.0, 1.0])
def test_a_step_depends_on_the_steps_before_it_alone(network, word_dropout):
    model = of_numbers(network, word_dropout=word_dropout)
    x = np.random.default_rng(0).normal(size=(1, 5, 2)).astype("float32")
    params = np.asarray(model.explain(ops.ones((1, 2)), ops.array(x)))
    for step in range(5):
        changed = x.copy()
        changed[:, step] += 1
        difference = np.abs(np.asarray(model.explain(ops.ones((1, 2)), ops.array(changed))) - params).max(axis=(0, 2))
        assert (difference[: step + 1] < 1e-6).all()
        assert (difference[step + 1 :] > 1e-6).all() == (word_dropout == 0.0 or step == 4)


@NETWORKS
def test_padding_changes_no_number(network):
    """A longer model with the same weights, and shorter arrays, give the same."""
    short, long = of_tokens(network, steps=5), of_tokens(network, steps=9)
    for source, target in zip(short.weights, long.weights, strict=True):
        value = np.asarray(source)
        if value.shape != target.shape:  # vectors of positions: further ones do not matter
            value = np.concatenate([value, np.full((4, value.shape[1]), 7.0)])
        target.assign(value)
    x = np.array([[1, 2, 3, 0], [3, 0, 0, 0]])
    np.testing.assert_allclose(short.encode(x), long.encode(x), atol=1e-5)
    np.testing.assert_allclose(short.encode(x), short.encode(np.pad(x, [(0, 0), (0, 1)])), atol=1e-6)
    scores = [np.asarray(m.score(m.pack((ops.array(x),)), keras.random.SeedGenerator(0), 4)) for m in (short, long)]
    np.testing.assert_allclose(*scores, rtol=1e-5)


@NETWORKS
def test_missing_numbers_do_not_count(network):
    model = of_numbers(network)
    x = np.random.default_rng(0).normal(size=(2, 5, 2)).astype("float32")
    x[0, 3:], x[1, 2, 0] = NAN, NAN
    batch = model.pack((ops.array(x),))
    whole = model.pack((ops.array(np.nan_to_num(x, nan=0.0)),))
    code = ops.ones((2, 2))
    of_each = -np.asarray(model.likelihood.event_log_prob(whole.target, model.explain(code, whole.target)))
    expected = np.where(np.isnan(x), 0.0, of_each).sum(axis=(1, 2))
    np.testing.assert_allclose(model.reconstruction(batch, code, training=False), expected, rtol=1e-5)
    np.testing.assert_allclose(model.encode(x[:1]), model.encode(x[:1, :3]), atol=1e-5)
    assert np.isfinite(model.reconstruct(x)).all()


@NETWORKS
def test_decoding_takes_the_most_probable_token_of_each_step(network):
    model = of_tokens(network, steps=6)
    codes = np.random.default_rng(0).normal(size=(20, 2)).astype("float32") * 3
    x = np.zeros((20, 6), "float32")
    for step in range(6):
        params = np.asarray(model.explain(ops.array(codes), ops.array(x)))
        x[:, step] = params.reshape(20, 6, TOKENS)[:, step].argmax(axis=1)
    ended = np.cumsum(x == 0, axis=1) > 0
    decoded = model.decode(codes)
    np.testing.assert_array_equal(decoded, np.where(ended, 0, x))
    assert ended.any() and not ended.all()
    np.testing.assert_array_equal(model.reconstruct(decoded[decoded[:, 0] > 0]).shape[1:], (6,))


def test_numbers_are_decoded_from_their_means():
    model = of_numbers()
    codes = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    x = model.decode(codes)
    np.testing.assert_allclose(model.explain(ops.array(codes), ops.array(x)), x, atol=1e-5)
    np.testing.assert_allclose(model.decode_params(ops.array(codes)), x, atol=1e-5)


def test_draws_have_the_probabilities_of_the_model():
    model = of_tokens()
    z = np.array([0.5, -1.0], "float32")
    n = 4000
    drawn = model.observe(np.tile(z, (n, 1)), keras.random.SeedGenerator(0), batch_size=1500)
    known = {tuple(text): i for i, text in enumerate(all_sequences().tolist())}
    frequencies = np.bincount([known[tuple(text)] for text in drawn.tolist()], minlength=len(known)) / n
    expected = probabilities(model, ops.array(z))
    assert (np.abs(frequencies - expected) < 5 * np.sqrt(expected * (1 - expected) / n) + 1e-4).all()
    sampled = model.sample(50, seed=1, observation="sample")
    assert sampled.shape == (50, STEPS) and len(np.unique(sampled, axis=0)) > 3
    np.testing.assert_array_equal(sampled, model.sample(50, seed=1, observation="sample"))


def test_word_dropout_hides_the_earlier_steps_in_training_only():
    model = of_numbers(word_dropout=0.5)
    x, code = ops.ones((1, 5, 2)), ops.ones((1, 2))
    seen, again, hidden = (np.asarray(model.explain(code, x, training=training)) for training in (False, False, True))
    np.testing.assert_array_equal(seen, again)
    assert np.abs(seen - hidden).max() > 1e-3
    np.testing.assert_array_equal(seen[:, 0], hidden[:, 0])  # before the first there is nothing to hide


def test_beta_weighs_the_divergence():
    model = of_tokens(beta=schedules.Linear(0.0, 1.0, steps=4))
    terms = model.evaluate(np.array([[1, 2, 0]]), return_dict=True, verbose=0)
    assert terms["kl"] > 0 and terms["penalty"] == pytest.approx(-terms["kl"])
    model.step.assign(4)
    assert model.evaluate(np.array([[1, 2, 0]]), return_dict=True, verbose=0)["penalty"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["sequence_ae", "sequence_vae"])
def test_batches_of_any_length_train(name):
    model = of_tokens(name=name, steps=6)
    texts = [[1, 2], [3], [1, 2, 3, 1, 2, 3], [2, 2, 2], [1, 1, 1, 1], [3, 1]]
    one_by_one = tf.data.Dataset.from_generator(lambda: iter(texts), output_signature=tf.TensorSpec((None,), "int32"))
    batches = one_by_one.apply(tf.data.experimental.assert_cardinality(6)).padded_batch(2)
    assert [batch.shape[1] for batch in batches] == [2, 6, 4]
    padded = np.array([[*text, *[0] * (6 - len(text))] for text in texts])
    streamed, gathered = (
        model.evaluate(x, batch_size=size, verbose=0, return_dict=True) for x, size in ((batches, None), (padded, 2))
    )
    assert streamed.keys() == gathered.keys()
    if name == "sequence_ae":
        assert streamed == pytest.approx(gathered, rel=1e-5)
    assert np.isfinite(model.fit(batches, epochs=2, shuffle=False, verbose=0).history["loss"]).all()


@pytest.mark.slow
def test_a_model_learns_its_words_and_keeps_its_tokenizer(tmp_path):
    words = ["anna", "bob", "eve"]
    tokenizer = data.Tokenizer.adapt(words)
    model = keras_ae.create(
        "sequence_vae",
        (tokenizer.steps,),
        2,
        network_options={"units": 32},
        likelihood=likelihoods.Categorical(tokenizer.size),
        tokenizer=tokenizer,
        beta=schedules.Linear(0.0, 1.0, steps=400),
        seed=0,
    )
    model.compile(keras_ae.optimizers.Adam(1e-2))
    x = tokenizer(words * 40)
    model.fit(x, epochs=40, verbose=0)
    model.save(tmp_path / "words.keras")
    loaded = keras_ae.load_model(tmp_path / "words.keras")
    assert loaded.tokenizer.decode(loaded.reconstruct(tokenizer(words))) == words
    assert {*loaded.tokenizer.decode(loaded.sample(20, seed=0))} <= {*words}
    found = perplexity(loaded, x[:3], samples=500)
    assert found.tokens == 12  # four letters, three and their ends
    expected = np.exp(-log_likelihood(loaded, x[:3], samples=500).log_prob.sum() / 12)
    assert found.perplexity == pytest.approx(expected)
    assert np.exp(3 * np.log(3) / 12) - 0.02 < found.perplexity < 1.6


def test_perplexity_is_of_tokens_and_of_a_variational_model():
    with pytest.raises(InputError, match="deterministic"):
        perplexity(of_tokens(name="sequence_ae"), np.array([[1, 2, 3]]))
    with pytest.raises(InputError, match="Perplexity is of tokens"):
        perplexity(of_numbers(), np.zeros((1, 5, 2)))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1, 2, 3], [0, 0, 0]], "1 empty sequences, the first at index 1"),
        ([[1, 2, 3, 1]], "sequences of 4 steps, the model takes 3 at most"),
        ([[1, 0, 2]], r"x\[0\] has a token after a 0, at step 2"),
        ([[1, 2, 4]], "4"),
        ([[1, 2, 2.5]], "whole"),
        (["ab"], "numbers"),
        ([[1, 2], [1]], "rows differ"),
    ],
)
def test_sequences_that_a_model_cannot_take(x, message):
    model = of_tokens()
    for use in (model.fit, model.encode, model.reconstruct):
        with pytest.raises(InputError, match=message):
            use(x)


def test_numbers_that_a_model_cannot_take():
    model = of_numbers()
    empty = np.zeros((3, 5, 2))
    empty[1] = NAN
    with pytest.raises(InputError, match="1 empty sequences, the first at index 1"):
        model.encode(empty)
    with pytest.raises(InputError, match="6 steps, the model takes 5"):
        model.encode(np.zeros((3, 6, 2)))


def test_networks_and_tokenizers_that_do_not_fit():
    encoder, decoder = networks.dense((5,), 2, hidden=(4,))
    with pytest.raises(InputError, match="two inputs, the code and the sequence so far"):
        keras_ae.SequenceVAE(encoder, decoder, 2)
    with pytest.raises(InputError, match="takes one of the networks 'recurrent', 'transformer'"):
        keras_ae.create("sequence_vae", (5,), 2, network="dense")
    with pytest.raises(InputError, match="takes one of the networks 'dense', 'conv', 'resnet', 'dcgan'"):
        keras_ae.create("vae", (5,), 2, network="recurrent")
    with pytest.raises(InputError, match=r"gives 2 tokens of 3, the model takes x of shape \(3,\) with 4"):
        of_tokens(tokenizer=data.Tokenizer(["a", "b"], steps=2))
    with pytest.raises(InputError, match=r"\(steps, channels\) for numbers. Received: input_shape=\(5,\), tokens=None"):
        keras_ae.create("sequence_vae", (5,), 2, likelihood="normal")
    with pytest.raises(InputError, match="units must be a multiple of heads"):
        networks.transformer((5, 1), 2, units=6)
    with pytest.raises(InputError, match="word_dropout"):
        of_tokens(word_dropout=2.0)


@pytest.mark.slow
def test_estimators_of_the_likelihood_agree():
    model, x = of_tokens(), np.array([[1, 2, 0], [3, 3, 3], [2, 0, 0]])
    exact = log_likelihood(model, x, "prior", samples=20_000, seed=1).log_prob
    np.testing.assert_allclose(log_likelihood(model, x, samples=5000, seed=0).log_prob, exact, atol=0.05)
    assert (elbo(model, x, samples=200).elbo < exact + 0.05).all()
    assert inference_gap(model, x, steps=30, samples=100).amortisation.shape == (3,)


@pytest.mark.slow
def test_uses_of_a_model_of_series():
    model = of_numbers(shape=(6, 2))
    model.compile("adam")
    x = np.random.default_rng(0).normal(size=(60, 6, 2)).astype("float32")
    x[::2, 4:] = NAN
    for criterion in ("combined", "elbo"):
        detector = tasks.AnomalyDetector(model, criterion).fit(x)
        far = detector.score_samples(np.where(np.isnan(x[:2]), NAN, 9.0))
        assert (far < detector.score_samples(x).min()).all()
    report = evaluate(model, x, x, samples=5)
    assert np.isfinite(report.squared_error) and report.perplexity is None and report.baselines == []
    assert tasks.interpolate(model, x[:2], x[2:4], steps=3, method="geodesic").images.shape == (2, 3, 6, 2)
    assert tasks.features(model, x).shape == (60, 2)


def test_uses_that_sequences_do_not_have():
    words = np.array([[1, 2, 0], [3, 3, 3]])
    with pytest.raises(InputError, match="Tokens have no distance"):
        tasks.interpolate(of_tokens(), words[:1], words[1:], steps=4, method="geodesic")
    with pytest.raises(InputError, match="sequence_vae is for sequences: train one yourself"):
        tasks.AnomalyDetector("sequence_vae").fit(np.zeros((20, 6, 2)))
    series = np.full((9, 4), NAN)
    with pytest.raises(InputError, match="which only tables may have"):
        tasks.AnomalyDetector(keras_ae.create("vae", (4,), 2)).fit(series)
