"""The variational autoencoder with a mixture of normals as prior."""

from typing import Any, Literal

import keras
import numpy as np
from scipy.special import entr
from sklearn.mixture import GaussianMixture

from keras_ae import divergences, errors
from keras_ae.backend import KeyedSeed
from keras_ae.checks import Count, Natural, checked
from keras_ae.distributions import DiagonalNormal, FullNormal, NormalMixture, bound
from keras_ae.models import inputs
from keras_ae.models.base import Variational
from keras_ae.models.batch import Batch

EXAMPLES = 20_000  # so many codes fix a mixture of some dozens of components
STARTS = 5  # of expectation maximisation
DRAWS = 5000  # of the mixture, that say which components overlap


@keras.saving.register_keras_serializable("keras_ae")
class GaussianMixtureVAE(Variational):
    """Variational autoencoder whose codes come in clusters (VaDE: Jiang et al., 2017, arXiv:1611.05148, sec. 3).

        -ELBO = E_q(z|x)[-log p(x|z) + log q(z|x) - log p(z)],    p(z) = sum_c pi_c N(z; m_c, S_c)

    pi, m and S are learned. The sum over c is exact, where VaDE bounds it with a q(c|x): p(c|z), the responsibility of
    component c for a code, needs no network. The first epochs are those of a plain VAE with p(z) = N(0, I); then the
    mixture is fitted to the codes by expectation maximisation, and all is trained together. A cluster is a component,
    or several that overlap: `merged`.

    Args:
        clusters: how many there are.
        components: K, of the mixture; None for as many as clusters. Some more find clusters of any shape.
        covariance: of each component, `"diagonal"` (VaDE) or `"full"`: clusters may be long in any direction.
        pretraining: epochs, of all calls of `fit` together, after which the mixture is fitted; 0 leaves it to you:
            `find_clusters(x)`. Where a callback ends a call before, as early stopping does, it is fitted then.
        posterior, encoder, decoder, latent_dim, likelihood, output_layer, seed: see `VAE`.

    Terms: reconstruction, kl (log q(z|x) - log p(z) at the sample of z; nats per example).

    Raises:
        InputError: full covariances of codes that are not vectors, pretraining with a generator, fewer examples than
            components, fewer components than clusters, or no clusters found yet.

    Example:
        >>> from keras_ae import networks
        >>> model = GaussianMixtureVAE(*networks.dense((4,), 2, hidden=(8,)), latent_dim=2, clusters=3, pretraining=1)
        >>> model.compile("adam")
        >>> history = model.fit(np.random.default_rng(0).random((60, 4)), epochs=2, verbose=0)
        >>> model.cluster(np.ones((5, 4))).shape, model.cluster_probabilities(np.ones((5, 4))).shape
        ((5,), (5, 3))
    """

    terms = ("reconstruction", "kl")
    settings = ("clusters", "components", "covariance", "pretraining")

    @checked
    def __init__(
        self,
        *args: Any,
        clusters: Count = 10,
        components: Count | None = None,
        covariance: Literal["diagonal", "full"] = "diagonal",
        pretraining: Natural = 10,
        **kwargs: Any,
    ) -> None:
        self.clusters = clusters
        components = self.clusters if components is None else components
        self.components = errors.whole_number("components", components, least=self.clusters)
        self.covariance, self.pretraining = covariance, pretraining
        self.epochs_trained = 0  # until the mixture was found
        self._examples: np.ndarray | None = None  # to find it with, while `fit` runs
        super().__init__(*args, **kwargs)
        self.prior = None  # p(z) changes with the weights: `prior_given`

    def make_code_heads(self) -> None:
        super().make_code_heads()
        shape = (self.components, *self.latent_shape)
        plain = {"initializer": "zeros", "dtype": "float32", "autocast": False}
        self.logits = self.add_weight(shape=(self.components,), name="logits", **plain)
        self.means = self.add_weight(shape=shape, name="means", **plain)
        self.log_vars = self.add_weight(shape=shape, name="log_vars", **plain)
        self.lower = None
        if self.covariance == "full":
            if len(self.latent_shape) != 1:
                raise errors.InputError(
                    f"covariance='full' needs an integer latent_dim. Received: {self.latent_dim!r}."
                )
            below = self.latent_shape[0] * (self.latent_shape[0] - 1) // 2
            self.lower = self.add_weight(shape=(self.components, below), name="lower", **plain) if below else None
        self.found = self.add_weight(shape=(), trainable=False, name="found", **plain)

    def prior_given(self, condition: Any) -> NormalMixture:
        """p(z); N(0, I) as long as there are no clusters."""
        logits, means, log_vars = (self.found * w for w in (self.logits, self.means, bound(self.log_vars)))
        if self.lower is None:
            return NormalMixture(logits, DiagonalNormal(means, log_vars))
        return NormalMixture(logits, FullNormal.from_parameters(means, log_vars, self.found * self.lower))

    def draw_codes(self, n: Any, seed: Any, condition: Any = None) -> Any:
        return self.prior_given(condition).sample(n, seed)

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        q = self.posterior(batch.x, training)
        z = self.sampling(q)
        return {
            "reconstruction": self.reconstruction(batch, z, training),
            "kl": divergences.kl(q, self.prior_given(None), z),
        }

    def find_clusters(self, x: Any) -> None:
        """Fits the mixture to codes of x, one draw of q(z|x) each, by expectation maximisation."""
        x = inputs.check_x(self, x)
        rng = np.random.default_rng(self.seed)
        q = self.over_batches("posterior", x[rng.permutation(len(x))[:EXAMPLES]])
        z = np.asarray(q.rsample(rng.normal(size=q.mean.shape).astype("float32"))).reshape(len(q.mean), -1)
        if len(z) < self.components:
            raise errors.InputError(f"{self.components} components need as many examples at least. Received: {len(z)}.")
        kind, random_state = "diag" if self.lower is None else "full", self.seed % 2**32
        mixture = GaussianMixture(self.components, covariance_type=kind, n_init=STARTS, random_state=random_state)
        mixture.fit(np.asarray(z, "float64"))
        shape = (self.components, *self.latent_shape)
        self.logits.assign(np.log(mixture.weights_))
        self.means.assign(mixture.means_.reshape(shape))
        variances = mixture.covariances_
        if self.lower is not None:
            factors = np.linalg.cholesky(mixture.covariances_)
            variances = np.square(np.diagonal(factors, axis1=1, axis2=2))
            self.lower.assign(factors[:, *np.tril_indices(z.shape[1], -1)])
        self.log_vars.assign(np.log(variances).reshape(shape))
        self.found.assign(1.0)

    def own_callbacks(self, data: Any) -> list[keras.callbacks.Callback]:
        if not self.pretraining or float(self.found):
            return []
        self._examples = inputs.first_examples(data, EXAMPLES)
        if self._examples is None:
            raise errors.InputError(
                "After its pretraining the mixture is fitted to codes, but a generator gives its examples once only. "
                "Use arrays, a tf.data.Dataset or a PyDataset, or pretraining=0 and model.find_clusters(x)."
            )
        return [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self._count_epoch())]

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Trains the model; arguments and return value are those of `Autoencoder.fit`."""
        try:
            history = super().fit(*args, **kwargs)
            self._end_pretraining(self.stop_training)  # also where early stopping brought back weights from before
        finally:
            self._examples = None
        return history

    def _count_epoch(self) -> None:
        self.epochs_trained += not float(self.found)
        self._end_pretraining()

    def _end_pretraining(self, stopped: bool = False) -> None:
        """Fits the mixture where it is time and was not done."""
        due = stopped or self.epochs_trained >= self.pretraining
        if due and self._examples is not None and not float(self.found):
            self.find_clusters(self._examples)

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        store["epochs_trained"] = np.array(self.epochs_trained)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(store)
        if "epochs_trained" in store:  # not in files of version 0.1.0
            self.epochs_trained = int(np.asarray(store["epochs_trained"]))

    def clusters_of_components(self) -> np.ndarray:
        """1 where a component (row) belongs to a cluster (column), 0 elsewhere."""
        prior = self.prior_given(None)
        return merged(np.asarray(prior.posterior(prior.sample(DRAWS, KeyedSeed(0)))), self.clusters)

    def responsibilities(self, x: Any) -> Any:
        """p(c|z) of the components at the mean of q(z|x), as tensors: (batch, K)."""
        return self.prior_given(None).posterior(self.code(x))

    def own_signatures(self) -> dict[str, Any]:
        if not float(self.found):
            return {}
        clusters = self.clusters_of_components().astype("float32")
        return {"cluster_probabilities": lambda x: {"probabilities": self.responsibilities(x) @ clusters}}

    @checked
    def cluster_probabilities(self, x: Any, batch_size: Count | None = None) -> np.ndarray:
        """The probability of each cluster at the mean of q(z|x), as arrays: (n, *event) -> (n, clusters)."""
        if not float(self.found):
            rest = self.pretraining - self.epochs_trained
            train = f"Train for {rest} more epochs, or call" if rest > 0 else "Call"
            raise errors.InputError(
                f"There are no clusters yet: `fit` finds them after {self.pretraining} epochs (pretraining), and this "
                f"model was trained for {self.epochs_trained}. {train} model.find_clusters(x)."
            )
        x = inputs.check_x(self, x, explained=False)
        return self.over_batches("responsibilities", x, batch_size) @ self.clusters_of_components().astype("float32")

    @checked
    def cluster(self, x: Any, batch_size: Count | None = None) -> np.ndarray:
        """The most probable cluster of each example: (n, *event) -> (n,)."""
        return self.cluster_probabilities(x, batch_size).argmax(axis=1)


def merged(posterior: np.ndarray, clusters: int) -> np.ndarray:
    """Components of a mixture that overlap most, merged pair by pair until `clusters` are left (Baudry et al., 2010, J.
    Comput. Graph. Stat. 19:332, sec. 3):

        argmax_ij  sum_n [h(p_ni) + h(p_nj) - h(p_ni + p_nj)] / sum_n [p_ni + p_nj],    h(p) = -p log p

    is the pair whose merging makes the clusters of its draws most certain. They do not divide by how many draws it has;
    then large components attract each other.

    Args:
        posterior: p_ni, the probability of component i given draw n: (n, components).
        clusters: how many are wanted.

    Returns:
        1 where a component (row) is part of a cluster (column), 0 elsewhere.
    """
    p, parts = posterior.astype("float64"), np.eye(posterior.shape[1])
    while p.shape[1] > clusters:
        entropies, sizes = entr(p).sum(axis=0), p.sum(axis=0)
        together = np.stack([entr(p + column[:, None]).sum(axis=0) for column in p.T])
        gains = (np.add.outer(entropies, entropies) - together) / (np.add.outer(sizes, sizes) + 1e-9)
        np.fill_diagonal(gains, -np.inf)
        i, j = np.unravel_index(gains.argmax(), gains.shape)
        for columns in (p, parts):
            columns[:, j] += columns[:, i]
        p, parts = (np.delete(columns, i, axis=1) for columns in (p, parts))
    return parts
