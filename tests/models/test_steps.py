"""As many steps as were asked for, whatever one call of the compiled step takes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_ae
from keras_ae.errors import InputError
from keras_ae.models import steps, training
from keras_ae.models.steps import are_counted, limit, sees_batches

X = np.random.default_rng(0).normal(size=(96, 6)).astype("float32")
DATA = tf.data.Dataset.from_tensor_slices(X).batch(8)  # 12 batches


@pytest.fixture(scope="module")
def model():
    found = keras_ae.create("ae", (6,), 2, likelihood="normal", network_options={"hidden": (4,)}, seed=0)
    found.compile("adam")
    return found


@pytest.fixture(autouse=True)
def many(monkeypatch):
    """As users have it; elsewhere tests make one step a call."""
    monkeypatch.setattr(training, "STEPS_PER_EXECUTION", 32)


def taken(model, *args, **options):
    """Steps that a fit takes."""
    before = int(model.step)
    model.fit(*args, verbose=0, **options)
    return int(model.step) - before


class Sequence(keras.utils.PyDataset):
    """The batches of DATA."""

    def __len__(self):
        return 12

    def __getitem__(self, i):
        return (X[8 * i : 8 * i + 8],)


def endless():
    while True:
        yield (X[:8],)


@pytest.mark.parametrize(
    "data, options, expected",
    [
        (lambda: X, {"batch_size": 8}, 12),
        (lambda: X, {"batch_size": 8, "steps_per_epoch": 5}, 5),
        (lambda: DATA, {}, 12),
        (lambda: DATA, {"steps_per_epoch": 5}, 5),
        (lambda: DATA.repeat(), {"steps_per_epoch": 40}, 40),
        (lambda: DATA.filter(lambda x: True), {}, 12),  # of an unknown number of batches
        (Sequence, {}, 12),
        (Sequence, {"steps_per_epoch": 5}, 5),
        (endless, {"steps_per_epoch": 35}, 35),
    ],
)
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_steps_of_training(model, data, options, expected):
    assert taken(model, data(), **options) == expected


def test_an_epoch_goes_on_where_the_last_one_ended(model, monkeypatch):
    seen = []
    monkeypatch.setattr(model, "train_step", lambda data: {"loss": tf.reduce_sum(data)})
    model.make_train_function(force=True)

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(logs["loss"])

    model.fit(DATA, steps_per_epoch=5, epochs=2, verbose=0, callbacks=[Look()])
    monkeypatch.undo()
    model.make_train_function(force=True)
    np.testing.assert_allclose(seen, X.reshape(12, -1).sum(axis=1)[:10], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("data, options", [(lambda: DATA.repeat(), {}), (Sequence, {}), (endless, {})])
def test_steps_of_evaluation_and_prediction(model, data, options):
    model.evaluate(data(), steps=3, verbose=0)
    assert float(model.term_means.count) == 24
    assert len(model.predict(data(), steps=3, verbose=0)) == 24


def test_steps_of_validation(model):
    count = []

    def batches():
        while True:
            count.append(1)
            yield (X[:8],)

    model.fit(X, validation_data=batches(), validation_steps=3, verbose=0)
    assert float(model.term_means.count) == 24
    assert len(count) <= 3 + 4  # some are read ahead


class Batches(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, set(logs)))

    def on_epoch_begin(self, epoch, logs=None):
        self.seen = []


def test_callbacks_at_batches_see_every_batch(model):
    callback = Batches()
    taken(model, X, batch_size=8, callbacks=callback)
    names = {"loss", "reconstruction"}
    assert callback.seen == [seen for batch in range(12) for seen in (batch, (batch, names))]


def test_steps_per_execution_of_the_user(model):
    """Then the last call of an epoch takes those that are left, and callbacks see the last batch of each call."""
    model.compile("adam", steps_per_execution=5)
    callback = Batches()
    assert taken(model, X, batch_size=8, callbacks=[callback], epochs=2) == 24
    assert [seen[0] for seen in callback.seen[1::2]] == [4, 9, 11]
    model.compile("adam")
    with pytest.raises(InputError, match="steps_per_execution must be"):
        model.compile("adam", steps_per_execution=0)


def test_the_bar_ends_where_the_epoch_does(model, capsys):
    model.fit(X, batch_size=8, validation_data=DATA, verbose=1)
    model.evaluate(DATA, verbose=1)
    output = capsys.readouterr().out
    assert output.count("12/12") >= 2 and "32/" not in output


def test_a_number_of_steps_that_is_not_known_is_learned(model):
    assert limit(DATA, None) == 12 and limit(DATA, 5) == 5 and limit(DATA.repeat(), 40) == 40
    assert limit(DATA.repeat(), None) is limit(endless(), None) is None
    assert are_counted(DATA, None) and are_counted(DATA.repeat(), 40) and are_counted(Sequence(), 40)
    assert not are_counted(DATA, 5) and not are_counted(endless(), None)


@pytest.mark.parametrize(
    "callback, expected",
    [
        (keras.callbacks.EarlyStopping(), False),
        (keras.callbacks.ModelCheckpoint("x.keras"), False),
        (keras.callbacks.ModelCheckpoint("x.keras", save_freq=100), True),
        (keras.callbacks.TerminateOnNaN(), False),
        (keras.callbacks.LambdaCallback(on_epoch_end=print), False),
        (keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None), True),
        (Batches(), True),
        (keras.callbacks.CallbackList([Batches()]), True),
    ],
)
def test_who_looks_at_batches(callback, expected):
    assert sees_batches(callback) == expected


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_the_loss_is_that_of_all_batches_of_an_unknown_number(model):
    """Keras counts one batch too many there."""
    known = model.evaluate(DATA, verbose=0)
    assert model.evaluate(DATA.filter(lambda x: True), verbose=0) == pytest.approx(known, rel=1e-6)


def test_callbacks_in_a_list_of_keras(model):
    callback = Batches()
    taken(model, X, batch_size=48, callbacks=keras.callbacks.CallbackList([callback]))
    assert len(callback.seen) == 4
    assert steps.flat(None) == [] and steps.flat(callback) == [callback]
