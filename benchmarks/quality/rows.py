"""What is trained: one row of the table each, as arguments of `keras_ae.zoo.recipe.Recipe`.

`published` is what papers report for such a model on such data, log p(x) in nats with their estimator; `after` names
the row whose model this one goes on from.
"""

from typing import Any

STATIC: dict[str, Any] = {"data": "binarized_mnist", "validation": "validation"}
DYNAMIC: dict[str, Any] = {"data": "mnist", "binarize": "dynamic", "validation": 1 / 6}
# Two hidden layers of 200 tanh units and 50 latent dimensions (Burda et al., 2016, arXiv:1509.00519, sec. 5).
STANDARD: dict[str, Any] = {
    "latent_dim": 50,
    "hidden": [200, 200],
    "network_options": {"activation": "tanh", "input_dropout": 0.1},
    "batch_size": 250,
    "learning_rate": 3e-3,
    "schedule": "cosine",
}
# A VAE whose KL term comes in over the first 200 of 1,000 epochs, so that it uses more dimensions (Sonderby et al.,
# 2016, arXiv:1602.02282, sec. 2.3). Its loss changes meaning on the way: the best epoch is that of the best validation
# ELBO.
WARM: dict[str, Any] = {
    "model": "beta_vae",
    "options": {"beta": "linear(0, 1, steps=40000)"},
    "monitor": ["reconstruction", "kl"],
    "epochs": 1000,
}
# Goes on where the VAE of the row vae-static ended: most of the way is the same.
FROM_VAE: dict[str, Any] = {"pretrained": "vae_binarized_mnist"}
# Minutes on a GPU, hours on two cores.
IWAE50: dict[str, Any] = {"model": "iwae", **STATIC, **STANDARD, **FROM_VAE, "learning_rate": 1e-3}
# Warmed up as WARM, in half precision, for processors with matrix units.
RESNET: dict[str, Any] = {
    **WARM,
    "options": {"beta": "linear(0, 1, steps=8000)"},
    "epochs": 80,
    "latent_dim": 50,
    "network": "resnet",
    "network_options": {"filters": [32, 64], "input_dropout": 0.1},
    "batch_size": 100,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "precision": "mixed_bfloat16",
}
# Small and quick enough for several seeds.
CONV: dict[str, Any] = {
    "model": "vae",
    "epochs": 40,
    "latent_dim": 32,
    "network": "conv",
    "network_options": {"filters": [32, 64], "units": 256},
    "batch_size": 100,
    "learning_rate": 1e-3,
    "schedule": "cosine",
}
BURDA = "Burda et al., 2016"
PYTHAE = "Pythae, Chadebec et al., 2022"

ROWS: dict[str, dict[str, Any]] = {
    "vae-static": {
        "recipe": {**WARM, **STATIC, **STANDARD},
        "published": f"-88.71 ({BURDA}), -89.78 ({PYTHAE})",
    },
    "iwae5-static": {
        "recipe": {
            "model": "iwae",
            "epochs": 100,
            "options": {"samples": 5},
            **STATIC,
            **STANDARD,
            **FROM_VAE,
            "learning_rate": 1e-3,
        },
        "after": "vae-static",
        "published": "",
    },
    "iwae50-static": {
        "recipe": {**IWAE50, "epochs": 200, "options": {"samples": 50}},
        "after": "vae-static",
        "published": f"-87.10 ({BURDA}), -86.82 ({PYTHAE})",
    },
    "iwae50-dreg-static": {
        "recipe": {**IWAE50, "epochs": 250, "options": {"samples": 50, "doubly_reparameterized": True}},
        "after": "vae-static",
        "published": f"-87.10 ({BURDA}), -86.82 ({PYTHAE})",
    },
    "conv-static": {"recipe": {**CONV, **STATIC}, "published": ""},
    "resnet-static": {"recipe": {**RESNET, **STATIC}, "published": ""},
    "resnet-iwae3-static": {
        "recipe": {
            **RESNET,
            **STATIC,
            "model": "iwae",
            "options": {"samples": 3},
            "monitor": ["loss"],
            "epochs": 50,
            "pretrained": "runs/quality/resnet-static-0-80",
        },
        "after": "resnet-static",
        "published": "",
    },
    # New binary pixels in every epoch are noise enough: no dropout, here and in vae-dynamic-long.
    "resnet-dynamic": {
        "recipe": {
            **RESNET,
            **DYNAMIC,
            "model": "vae",
            "options": {},
            "network_options": {"filters": [32, 64]},
            "epochs": 60,
            "pretrained": "runs/quality/resnet-static-0-80",
        },
        "after": "resnet-static",
        "published": "",
    },
    "vae-dynamic": {
        "recipe": {"model": "vae", "epochs": 300, **DYNAMIC, **STANDARD, **FROM_VAE},
        "after": "vae-static",
        "published": f"-86.76 ({BURDA})",
    },
    "vae-dynamic-long": {
        "recipe": {
            "model": "vae",
            "epochs": 450,
            **DYNAMIC,
            **STANDARD,
            "network_options": {"activation": "tanh"},
            "learning_rate": 1e-3,
            "pretrained": "runs/quality/vae-dynamic-0-300",
        },
        "after": "vae-dynamic",
        "published": f"-86.76 ({BURDA})",
    },
}
