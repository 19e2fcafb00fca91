"""The encoder of an autoencoder as the start of a classifier."""

from typing import Any, Literal

import keras

from keras_ae import errors
from keras_ae.checks import Activation, Count, Seed, checked
from keras_ae.models import Autoencoder, Variational
from keras_ae.networks import common

PLACES = ("features", "code")


@keras.saving.register_keras_serializable("keras_ae")
class Frozen(keras.layers.Layer):
    """A network that is not trained and always in inference mode.

    `trainable = False` alone would leave its dropout on: Keras hands `training=True` down to nested models.

    Args:
        network: a built `keras.Model`.
    """

    def __init__(self, network: keras.Model, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.trainable = False
        self.built = True

    def call(self, x: Any) -> Any:
        return self.network(x, training=False)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Frozen":
        return cls(**{**config, "network": keras.saving.deserialize_keras_object(config["network"])})


@checked
def classifier(
    model: Autoencoder,
    num_classes: Count,
    freeze: bool = False,
    copy: bool = True,
    on: Literal["features", "code"] = "features",
    activation: Activation = "softmax",
    seed: Seed | None = None,
) -> keras.Model:
    """A classifier that starts from what an autoencoder has learned: its decoder is replaced by a classification layer.

        p(y | x) = softmax(W f(x) + b)        f: the trained encoder

    (Goodfellow et al., 2016, sec. 15.1). It is an ordinary Keras model, to compile with a loss of one's own and to fit.

    Args:
        model: a trained autoencoder; not a conditional one.
        num_classes: units of the classification layer.
        freeze: whether only the classification layer is trained. Batch normalisation and dropout of the encoder are
            then in inference mode.
        copy: whether the encoder is a copy. Without it, the classifier shares the autoencoder's weights, and training
            the one changes the other.
        on: whether the layer sits on the encoder's `"features"` or on the `"code"` (of a variational model the mean of
            q(z|x)).
        activation: of the classification layer; None for logits.
        seed: integer of the classification layer's initial weights.

    Returns:
        A `keras.Model` from x, (batch, *event), to probabilities, (batch, num_classes).

    Raises:
        InputError: an argument does not fit.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("ae", input_shape=(8, 8, 1), latent_dim=3)
        >>> digits = classifier(model, num_classes=10)
        >>> digits.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> digits.output_shape
        (None, 10)
    """
    if not isinstance(model, Autoencoder):
        raise errors.InputError(f"model must be a model of keras_ae. Received: {type(model).__name__}.")
    if model.conditional:
        raise errors.InputError(f"The encoder of {type(model).__name__} needs a condition, which a classifier lacks.")
    if on not in PLACES:
        raise errors.unknown("place for the classification layer (on)", on, PLACES)
    if freeze and not copy:
        raise errors.InputError(
            "freeze=True needs copy=True: freezing shared weights would freeze the autoencoder, too."
        )
    if on == "features" and not model.encoder.weights:
        raise errors.InputError(
            f"The encoder of this {type(model).__name__} learns nothing before the code. Use on='code'."
        )
    x = keras.Input(model.event_shape, name="x")
    values = model.features(x)
    if on == "code":
        values = (model.mean_head if isinstance(model, Variational) else model.code_head)(values)
    encoder = keras.Model(x, values, name="pretrained")
    if copy:
        weights = encoder.get_weights()
        encoder = keras.models.clone_model(encoder)
        encoder.set_weights(weights)
    features = Frozen(encoder, name="pretrained")(x) if freeze else encoder(x)
    layer = keras.layers.Dense(
        num_classes,
        activation,
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        dtype="float32",
        name="classes",
    )
    return keras.Model(x, layer(common.flat(features)), name="classifier")
