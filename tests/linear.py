"""A linear Gaussian model whose log p(x) and p(z|x) are known."""

import numpy as np
from scipy import stats

import keras_ae
from keras_ae.distributions.likelihoods import Normal

VARIANCE = 0.5


def linear_vae(latent_dim, widen=1.0, shift=0.0, values=12, n=30, variance=VARIANCE, name="vae", **arguments):
    """A linear Gaussian model, n examples of it and their exact log p(x).

    p(x|z) = N(W z + b, s2 I), so p(x) = N(b, W W^T + s2 I) and p(z|x) = N(M W^T (x - b) / s2, M) with
    M = (I + W^T W / s2)^-1. q(z|x) has that mean plus `shift` and `widen` times that covariance.
    """
    rng = np.random.default_rng(latent_dim)
    w, b = rng.normal(size=(values, latent_dim)) / np.sqrt(latent_dim), rng.normal(size=values)
    options = {"network_options": {"hidden": ()}, "posterior": "full", "likelihood": Normal(variance), **arguments}
    model = keras_ae.create(name, (values,), latent_dim, seed=0, **options)
    model.compile("adam")
    covariance = np.linalg.inv(np.eye(latent_dim) + w.T @ w / variance)
    to_mean = covariance @ w.T / variance
    factor = np.linalg.cholesky(widen * covariance)
    log_var = 2 * np.log(np.diag(factor))
    log_var = log_var / np.sqrt(1 - (log_var / 20) ** 2)  # undoes the bound
    lower = factor[np.tril_indices(latent_dim, -1)]
    for head, kernel, bias in (
        (model.output_head, w.T, b),
        (model.mean_head, to_mean.T, shift - to_mean @ b),
        (model.log_var_head, np.zeros((values, latent_dim)), log_var),
        (model.lower_head, np.zeros((values, len(lower))), lower),
    ):
        of_condition = head.kernel.shape[0] - len(kernel)  # its weights, where the model has one, are zero
        head.kernel.assign(np.pad(kernel, ((0, of_condition), (0, 0))))
        head.bias.assign(bias)
    exact = stats.multivariate_normal(b, w @ w.T + variance * np.eye(values))
    x = exact.rvs(size=n, random_state=1).reshape(n, values).astype("float32")
    return model, x, exact.logpdf(x)
