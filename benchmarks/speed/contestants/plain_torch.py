"""The architectures of keras_ae in PyTorch; images are (batch, channels, height, width)."""

import math
from typing import Any

import torch
from torch import nn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Encoder(nn.Module):
    """x -> (mean, log-variance)."""

    def __init__(self, features: nn.Module, width: int, latent_dim: int) -> None:
        super().__init__()
        self.features = features
        self.mean, self.log_var = nn.Linear(width, latent_dim), nn.Linear(width, latent_dim)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.features(x)
        return self.mean(features), self.log_var(features)


def networks(case: Any, shape: tuple[int, int, int]) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder, code -> logits; `shape` is (height, width, channels)."""
    encoder, decoder = {"mlp": _mlp, "conv": _conv, "dcgan": _dcgan}[case.network](shape, case.latent_dim)
    return encoder.to(DEVICE), decoder.to(DEVICE)


def _mlp(shape: tuple[int, int, int], latent_dim: int) -> tuple[nn.Module, nn.Module]:
    height, width, channels = shape
    values = math.prod(shape)
    features = nn.Sequential(nn.Flatten(), nn.Linear(values, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU())
    decoder = nn.Sequential(
        nn.Linear(latent_dim, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, values),
        nn.Unflatten(1, (channels, height, width)),
    )  # fmt: skip
    return Encoder(features, 256, latent_dim), decoder


def _conv(shape: tuple[int, int, int], latent_dim: int) -> tuple[nn.Module, nn.Module]:
    height, width, channels = shape
    smallest = (64, height // 4, width // 4)
    features = nn.Sequential(
        nn.Conv2d(channels, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(math.prod(smallest), 256), nn.ReLU(),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(latent_dim, 256), nn.ReLU(), nn.Linear(256, math.prod(smallest)), nn.ReLU(),
        nn.Unflatten(1, smallest), nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), nn.ReLU(),
        nn.ConvTranspose2d(32, 32, 3, 2, 1, 1), nn.ReLU(), nn.Conv2d(32, channels, 1),
    )  # fmt: skip
    return Encoder(features, 256, latent_dim), decoder


def _dcgan(shape: tuple[int, int, int], latent_dim: int) -> tuple[nn.Module, nn.Module]:
    height, width, channels = shape
    smallest = (512, height // 16, width // 16)
    layers: list[nn.Module] = []
    for before, after in ((channels, 64), (64, 128), (128, 256), (256, 512)):
        first = before == channels
        layers.append(nn.Conv2d(before, after, 5, 2, 2, bias=first))
        layers += [nn.LeakyReLU(0.2)] if first else [nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    values: list[nn.Module] = [nn.Linear(latent_dim, math.prod(smallest), bias=False), nn.Unflatten(1, smallest)]
    for before, after in ((512, 256), (256, 128), (128, 64), (64, channels)):
        values += [nn.BatchNorm2d(before), nn.ReLU()]
        values.append(nn.ConvTranspose2d(before, after, 5, 2, 2, 1, bias=after == channels))
    return Encoder(nn.Sequential(*layers, nn.Flatten()), math.prod(smallest), latent_dim), nn.Sequential(*values)


def tensor(images: Any) -> torch.Tensor:
    """(rows, height, width, channels) as (rows, channels, height, width)."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
