"""`create`, `list_models` and `describe`: every model by its name."""

import fnmatch
import inspect
import re
from typing import Any

from keras_ae import errors, models, networks
from keras_ae.checks import Count, Seed, Shape, checked
from keras_ae.distributions import likelihoods

MODELS: dict[str, type[models.Autoencoder]] = {
    "ae": models.AE,
    "beta_vae": models.BetaVAE,
    "conditional_vae": models.ConditionalVAE,
    "contractive_ae": models.ContractiveAE,
    "denoising_ae": models.DenoisingAE,
    "dropout_ae": models.DropoutAE,
    "gaussian_mixture_vae": models.GaussianMixtureVAE,
    "iwae": models.IWAE,
    "kl_sparse_ae": models.KLSparseAE,
    "linear_ae": models.LinearAE,
    "semi_supervised_vae": models.SemiSupervisedVAE,
    "sequence_ae": models.SequenceAE,
    "sequence_vae": models.SequenceVAE,
    "sparse_ae": models.SparseAE,
    "vae": models.VAE,
    "wae_gan": models.WAEGAN,
    "wae_mmd": models.WAEMMD,
    "wae_w2": models.WAEW2,
}
NETWORKS = {
    "dense": networks.dense,
    "conv": networks.conv,
    "resnet": networks.resnet,
    "dcgan": networks.dcgan,
    "recurrent": networks.recurrent,
    "transformer": networks.transformer,
}
WITH_PARAMETERS = ("resnet", "dcgan")  # networks whose decoder yields the likelihood's parameters


@checked
def model_class(name: str) -> type[models.Autoencoder]:
    """The class of a registered name."""
    if name not in MODELS:
        raise errors.unknown("model", name, MODELS)
    return MODELS[name]


@checked
def list_models(pattern: str = "*") -> list[str]:
    """Names of the models that match a shell pattern.

    >>> list_models("wae*")
    ['wae_gan', 'wae_mmd', 'wae_w2']
    """
    return sorted(fnmatch.filter(MODELS, pattern))


def describe(name: str) -> str:
    """What a model is: its class, purpose, equation, arguments, terms and reference.

    >>> print(describe("ae").splitlines()[0])
    ae: keras_ae.models.AE
    """
    found = model_class(name)
    return f"{name}: keras_ae.models.{found.__name__}\n\n{inspect.getdoc(found)}"


def equation(name: str) -> str:
    """What a model minimises: the first indented line of its class's docstring; wide gaps become commas.

    >>> equation("ae")
    'E = L(x, g(f(x))), L = -log p(x | h), h = f(x)'
    """
    line = re.search(r"^ {4}(.*)$", inspect.getdoc(model_class(name)) or "", flags=re.MULTILINE)
    return re.sub(r",? {3,}", ", ", line[1]).replace("  ", " ").strip(" ,") if line else ""


def reference(name: str) -> str:
    """Where a model is from: the first parenthesis with a year in its class's docstring, with the authors if they
    stand before it.

    >>> reference("wae_mmd")
    'Tolstikhin et al., 2018, arXiv:1711.01558, algorithm 2'
    """
    words = " ".join((inspect.getdoc(model_class(name)) or "").split())
    found = re.search(r"([A-Z]\w+ et al\. )?\(([^()]*\b(?:19|20)\d\d\b[^()]*)\)", words)
    return ", ".join(part.strip() for part in found.groups() if part) if found else ""


@checked
def create(
    name: str,
    input_shape: Shape,
    latent_dim: Count,
    network: str | None = None,
    likelihood: str | likelihoods.Likelihood | None = None,
    seed: Seed | None = None,
    network_options: dict[str, Any] | None = None,
    condition_dim: Count | None = None,
    **kwargs: Any,
) -> models.Autoencoder:
    """A model of the zoo with networks of the zoo.

    Args:
        name: one of `list_models()`.
        input_shape: shape of one example, (height, width, channels) for images.
        latent_dim: number of dimensions of the code.
        network: `"dense"`, `"conv"`, `"resnet"` or `"dcgan"`; for sequences `"recurrent"` or `"transformer"`; see
            `keras_ae.networks`. None: the first that fits the model.
        likelihood: p(x|z), a name or an object. None: the model's default.
        seed: integer that fixes the initial weights, the noise and the order of examples.
        network_options: arguments of the network function, such as `{"hidden": (256,)}`.
        condition_dim: of a conditional model: number of classes, or size of the vectors, that it is conditioned on.
        **kwargs: arguments of the model's class; see `describe(name)`.

    Raises:
        InputError: a name is unknown or an argument does not fit.

    Example:
        >>> model = create("vae", input_shape=(28, 28, 1), latent_dim=16, seed=0)
        >>> model.latent_shape
        (16,)
    """
    found = model_class(name)
    if likelihood is not None:
        kwargs["likelihood"] = likelihoods.get(likelihood)
    if found is models.LinearAE:
        if network not in (None, "dense") or network_options or "likelihood" in kwargs:
            raise errors.InputError(f"{name} has networks and squared error of its own: give no network or likelihood.")
        return _call(found, f"model {name!r}", input_shape, latent_dim, seed=seed, **kwargs)
    network = found.network_kinds[0] if network is None else network
    if network not in NETWORKS:
        raise errors.unknown("network", network, NETWORKS)
    if network not in found.network_kinds:
        kinds = ", ".join(map(repr, found.network_kinds))
        raise errors.InputError(f"{name} takes one of the networks {kinds}. Received: network={network!r}.")
    options = dict(network_options or {})
    for key in sorted((set(kwargs) & parameters(NETWORKS[network])) - parameters(found)):
        raise errors.InputError(f"{key} is an argument of the network {network!r}: network_options={{{key!r}: ...}}.")
    for key in {"input_shape", "latent_dim", "seed", "condition_dim"} & set(options):
        raise errors.InputError(f"network_options must not hold {key!r}: give it to create itself.")
    if found.conditional != (condition_dim is not None):
        needs = "needs" if found.conditional else "has no condition: it takes no"
        raise errors.InputError(f"{name} {needs} condition_dim. Received: condition_dim={condition_dim!r}.")
    if found.conditional:
        options["condition_dim"] = condition_dim
    if found.autoregressive:
        options["tokens"] = likelihoods.tokens(kwargs.get("likelihood"))
    if network in WITH_PARAMETERS:
        if "output_layer" in kwargs:
            raise errors.InputError(f"The network {network!r} has an output layer of its own: give no output_layer.")
        options["parameters"] = likelihoods.get(likelihood or "bernoulli").parameters
        kwargs["output_layer"] = "given"
    pair = _call(NETWORKS[network], f"network {network!r}", input_shape, latent_dim, seed=seed, **options)
    return _call(found, f"model {name!r}", *pair, latent_dim, seed=seed, **kwargs)


def _call(function: Any, what: str, *args: Any, **kwargs: Any) -> Any:
    """Calls a function, after checking that it has the arguments that the user named."""
    known = parameters(function)
    for key in kwargs:
        if key not in known:
            raise errors.unknown(f"argument of {what}", key, known)
    return function(*args, **kwargs)


def parameters(function: Any) -> set[str]:
    """Names of the arguments of a function, or of a class and the classes that its `**kwargs` go to."""
    inits = (
        [base.__dict__["__init__"] for base in inspect.getmro(function) if "__init__" in base.__dict__]
        if (inspect.isclass(function))
        else [function]
    )
    names: set[str] = set()
    for init in inits:
        signature = inspect.signature(init).parameters.values()
        names |= {p.name for p in signature if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in signature):
            break
    return names - {"self"}
