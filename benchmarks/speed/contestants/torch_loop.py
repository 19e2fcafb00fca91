"""A loop in PyTorch over batches gathered by shuffled rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from contestants.plain_torch import DEVICE, networks, tensor

if DEVICE == "cuda":
    torch.set_float32_matmul_precision("high")  # TF32, as JAX by default


def _crossentropy(x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=(1, 2, 3))


def _vae(encoder: nn.Module, decoder: nn.Module, x: torch.Tensor, options: dict) -> torch.Tensor:
    mean, log_var = encoder(x)
    logits = decoder(mean + torch.exp(0.5 * log_var) * torch.randn_like(mean))
    kl = -0.5 * torch.sum(1 + log_var - mean.square() - log_var.exp(), dim=1)
    return (_crossentropy(x, logits) + kl).mean()


def _iwae(encoder: nn.Module, decoder: nn.Module, x: torch.Tensor, options: dict) -> torch.Tensor:
    mean, log_var = encoder(x)
    samples = options["samples"]
    noise = torch.randn(samples, *mean.shape, device=x.device)
    z = mean + torch.exp(0.5 * log_var) * noise
    logits = decoder(z.flatten(0, 1))
    log_likelihood = -_crossentropy(x.expand(samples, *x.shape).flatten(0, 1), logits).unflatten(0, (samples, -1))
    # log p(z) - log q(z|x); their constants cancel
    log_ratio = 0.5 * torch.sum(noise.square() + log_var - z.square(), dim=2)
    return -torch.logsumexp(log_likelihood + log_ratio, dim=0).mean() + np.log(samples)


def train(images: np.ndarray, case: Any, epochs: int, clock: Any) -> int:
    torch.manual_seed(0)
    encoder, decoder = networks(case, images.shape[1:])
    step = (_wae_gan if case.model == "wae_gan" else _plain)(encoder, decoder, case)
    data = tensor(images).to(DEVICE)
    if case.settings.get("capturable"):
        step = _captured(step, data[: case.batch_size])
    for _ in range(epochs):
        clock.epoch_begins()
        order = torch.randperm(len(data), device=DEVICE)
        losses = []
        for start in range(0, len(data), case.batch_size):
            losses.append(step(data[order[start : start + case.batch_size]]))
            clock.call_ends()
        clock.epoch_ends(float(torch.stack(losses).mean()))
    return sum(p.numel() for part in (encoder, decoder) for p in part.parameters())


def _plain(encoder: nn.Module, decoder: nn.Module, case: Any) -> Callable:
    settings = {**case.settings}
    objective = {"vae": _vae, "iwae": _iwae}[case.model]
    if settings.pop("compiled", False):
        objective = torch.compile(objective)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3, **settings)

    def step(x: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        loss = objective(encoder, decoder, x, case.options)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def _captured(step: Callable, example: torch.Tensor) -> Callable:
    """A step as one CUDA graph; a smaller batch takes the step itself."""
    given, stream = example.clone(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(given)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(given)

    def replay(x: torch.Tensor) -> torch.Tensor:
        if len(x) != len(given):
            return step(x)
        given.copy_(x)
        graph.replay()
        return loss.clone()

    return replay


def _wae_gan(encoder: nn.Module, decoder: nn.Module, case: Any) -> Callable:
    encoder.log_var = None  # its code is a point
    encoder.forward = lambda x: encoder.mean(encoder.features(x))
    critic = nn.Sequential(
        nn.Linear(case.latent_dim, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1)
    )
    both = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(both, lr=1e-3, betas=(0.5, 0.999))
    of_critic = torch.optim.Adam(critic.parameters(), lr=5e-4, betas=(0.5, 0.999))

    def step(x: torch.Tensor) -> torch.Tensor:
        code = encoder(x)
        critic.requires_grad_(False)
        loss = (_crossentropy(x, decoder(code)) + functional.softplus(-critic(code)[:, 0])).mean()
        optimizer.zero_grad()
        loss.backward()
        critic.requires_grad_(True)
        of_draws, of_codes = critic(torch.randn_like(code)), critic(code.detach())
        of_critic.zero_grad()
        (functional.softplus(-of_draws) + functional.softplus(of_codes)).mean().backward()
        optimizer.step()
        of_critic.step()
        return loss.detach()

    return step


def uses(images: np.ndarray, case: Any) -> dict[str, Callable]:
    encoder, decoder = networks(case, images.shape[1:])
    data = tensor(images)

    def batches(function: Callable, values: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([function(part.to(DEVICE)).cpu() for part in values.split(case.batch_size)]).numpy()

    return {
        "encode": lambda: batches(lambda x: encoder(x)[0], data),
        "one by one": lambda: batches(lambda x: encoder(x)[0], data),
        "reconstruct": lambda: batches(lambda x: torch.sigmoid(decoder(encoder(x)[0])), data),
        "sample": lambda: batches(lambda z: torch.sigmoid(decoder(z)), torch.randn(len(images), case.latent_dim)),
    }
