"""Words of a language, letter by letter.

A variational autoencoder of sequences is trained on the words of a list. A decoder that sees the letters before can do
without the code: then KL(q(z|x) || p(z)) falls to 0 and no dimension of the code is active. Two remedies are applied
(Bowman et al., 2016, arXiv:1511.06349, sec. 3): a weight of the KL divergence that rises from 0 to 1, and word dropout,
which hides letters from the decoder in training. The baseline are n-gram models of letters with Witten-Bell smoothing.

    python examples/words.py

The default list is that of a Debian package (apt install wamerican); --words takes any file with one word a line.
"""

import math
from collections import Counter, defaultdict
from pathlib import Path

import keras
import numpy as np
from common import Page, options

import keras_ae
from keras_ae import evaluation, plots, schedules, tasks
from keras_ae.distributions.likelihoods import Categorical

LONGEST = 12


def read(path, n):
    """Words of lower-case letters of a file, in a random order; the last tenth is for the test."""
    if not Path(path).is_file():
        raise SystemExit(f"There is no file {path}. Install a word list (apt install wamerican), or give --words FILE.")
    lines = Path(path).read_text(encoding="utf-8").split()
    words = sorted({word for word in lines if word.isalpha() and word.islower() and 2 < len(word) <= LONGEST})
    words = [words[i] for i in np.random.default_rng(0).permutation(len(words))[:n]]
    return words[: -len(words) // 10], words[-len(words) // 10 :]


class NGrams:
    """p(letter | the n - 1 letters before), each order interpolated with the one below (Witten and Bell, 1991)."""

    def __init__(self, words, n, letters):
        self.n, self.letters = n, letters
        self.after = defaultdict(Counter)
        for word in words:
            for context, letter in self.pairs(word):
                for start in range(len(context) + 1):
                    self.after[context[start:]][letter] += 1

    def pairs(self, word):
        """Each letter of a word, and its end, with what is before."""
        text = "^" * (self.n - 1) + word + "$"
        return [(text[i - self.n + 1 : i], text[i]) for i in range(self.n - 1, len(text))]

    def probability(self, context, letter):
        below = self.probability(context[1:], letter) if context else 1 / self.letters
        seen = self.after[context]
        return (seen[letter] + len(seen) * below) / (seen.total() + len(seen)) if seen else below

    def perplexity(self, words):
        nats = [-math.log(self.probability(*pair)) for word in words for pair in self.pairs(word)]
        return math.exp(sum(nats) / len(nats))


def train(tokenizer, x, latent_dim, epochs, warm_up, word_dropout, network="recurrent", units=256):
    """A trained model, and its KL divergence after each epoch."""
    steps = -(-len(x) // 128) * epochs
    model = keras_ae.create(
        "sequence_vae",
        (tokenizer.steps,),
        latent_dim,
        network=network,
        network_options={"units": units},
        likelihood=Categorical(tokenizer.size),
        tokenizer=tokenizer,
        beta=schedules.Linear(0.0, 1.0, steps=steps // 2) if warm_up else 1.0,
        word_dropout=word_dropout,
        seed=0,
    )
    model.compile(keras_ae.optimizers.Adam(keras.optimizers.schedules.CosineDecay(4e-3, steps)))
    return model, model.fit(x, epochs=epochs, batch_size=128, verbose=0).history["kl"]


def main():
    arguments = options(__doc__, words="/usr/share/dict/words", n=30000, epochs=20, latent_dim=16, samples=100)
    page = Page(arguments.out, __doc__)
    words, test = read(arguments.words, arguments.n)
    tokenizer = keras_ae.data.Tokenizer.adapt(words + test)
    x, x_test = tokenizer(words), tokenizer(test)
    page.text(
        f"{len(words)} words to train on, {len(test)} others to judge by; {tokenizer.size - 1} letters. Every letter "
        "and the end of a word count. Perplexities of the autoencoders are upper bounds, from "
        f"{arguments.samples} importance samples a word."
    )
    page.table(
        ["model", "perplexity per letter"],
        [[f"{n}-gram", NGrams(words, n, tokenizer.size).perplexity(test)] for n in range(1, 7)],
    )
    remedies = {
        "none": {"warm_up": False, "word_dropout": 0.0},
        "both": {"warm_up": True, "word_dropout": 0.2},
        "both, transformer": {"warm_up": True, "word_dropout": 0.2, "network": "transformer", "units": 64},
    }
    rows, curves = [], {}
    for name, how in remedies.items():
        model, curves[name] = train(tokenizer, x, arguments.latent_dim, arguments.epochs, **how)
        units, bound = evaluation.active_units(model, x_test), evaluation.elbo(model, x_test)
        same = (model.reconstruct(x_test) == x_test).all(axis=1).mean()
        found = evaluation.perplexity(model, x_test, samples=arguments.samples)
        rows.append([name, float(bound.rate.mean()), units.number, found.perplexity, f"{same:.1%}"])
        if name == "both":
            shown = model
    header = ["remedy", "KL, nats a word", f"active units of {arguments.latent_dim}", "perplexity per letter"]
    page.table([*header, "words reconstructed"], rows)
    page.picture("kl", plots.learning_curves(curves), "The KL divergence in training, by remedy:")

    page.text("New words, from codes drawn from p(z), with both remedies:")
    page.text(", ".join(tokenizer.decode(shown.sample(40, seed=0))))
    page.text("From the reconstruction of a word to that of another:")
    start, end = x_test[:6], x_test[6:12]
    paths = tasks.interpolate(shown, start, end, steps=7).images
    page.table(["from", *[""] * 5, "to"], [tokenizer.decode(path) for path in paths])
    page.write()


if __name__ == "__main__":
    main()
