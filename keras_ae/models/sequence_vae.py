"""The variational autoencoder of sequences."""

from typing import Any

import keras

from keras_ae import divergences
from keras_ae.checks import checked
from keras_ae.models.base import Variational
from keras_ae.models.batch import Batch
from keras_ae.models.sequences import Sequences
from keras_ae.schedules import Weight


@keras.saving.register_keras_serializable("keras_ae")
class SequenceVAE(Sequences, Variational):
    """Variational autoencoder of sequences: sentences, words, time series (Bowman et al., 2016, arXiv:1511.06349).

        E_q(z|x)[-sum_t log p(x_t | x_1, ..., x_{t-1}, z)] + beta KL(q(z|x) || p(z)),    p(z) = N(0, I)

    A decoder that sees the steps before can do without z, and then q(z|x) collapses to p(z). What helps is a beta that
    rises from 0 (their sec. 3.1), `schedules.Linear(0.0, 1.0, steps=2000)`, and hiding earlier steps from the decoder
    (their sec. 3.2), `word_dropout`.

    With a Categorical likelihood x holds tokens, numbered from 1, and 0, which ends a sequence and fills it up: the
    first 0 counts, the others do not. With another likelihood x holds numbers, NaN where there is none. Padding changes
    no number. `reconstruct`, `decode` and `sample` take the most probable token, or the mean, given the steps before;
    `sample(observation="sample")` draws it.

    Args:
        beta: weight of the KL divergence; a number or a schedule.
        word_dropout: share of the earlier tokens, or numbers, that the decoder does not see in training. 1: it never
            sees them, not in inference either.
        tokenizer: the `keras_ae.data.Tokenizer` that x comes from, to be saved with the model.
        encoder, decoder: `keras_ae.networks.recurrent` or `transformer`, or networks like them.
        posterior, latent_dim, likelihood, output_layer, seed: see `VAE`.

    Terms: reconstruction, kl, penalty = (beta - 1) KL (nats per sequence). So reconstruction + kl is the negative ELBO.

    Raises:
        InputError: a sequence is empty, longer than the model's, or has a token that the likelihood does not know.

    Example:
        >>> from keras_ae import data, networks
        >>> from keras_ae.distributions import likelihoods
        >>> tokenizer = data.Tokenizer.adapt(["ada", "eve", "otto"])
        >>> pair = networks.recurrent((tokenizer.steps,), 2, tokens=tokenizer.size, units=8)
        >>> likelihood = likelihoods.Categorical(tokenizer.size)
        >>> model = SequenceVAE(*pair, latent_dim=2, likelihood=likelihood, tokenizer=tokenizer)
        >>> model.encode(tokenizer(["otto", "ada"])).shape
        (2, 2)
    """

    terms = ("reconstruction", "kl", "penalty")
    settings = ("beta", "word_dropout", "tokenizer")
    schedulable = ("beta",)

    @checked
    def __init__(self, *args: Any, beta: Weight = 1.0, **kwargs: Any) -> None:
        self.beta = beta
        super().__init__(*args, **kwargs)

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        q = self.posterior(batch.x, training)
        z = self.sampling(q)
        kl = divergences.kl(q, self.prior)
        return {
            "reconstruction": self.reconstruction(batch, z, training),
            "kl": kl,
            "penalty": (self.now(self.beta) - 1.0) * kl,
        }
