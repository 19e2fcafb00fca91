"""Text as sequences of tokens."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from keras_ae.checks import Count, checked, numbers
from keras_ae.errors import InputError, unknown

UNKNOWN = "[UNK]"
SPLIT = {"character": re.compile(r".", re.DOTALL), "word": re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")}
JOIN = {"character": "", "word": " "}


@keras.saving.register_keras_serializable("keras_ae")
class Tokenizer:
    """Texts as rows of token numbers, and back. 0 ends a text and fills it up, so that all rows are equally long.

    Args:
        vocabulary: the tokens with the numbers 1, 2, ... If one is "[UNK]", it stands for all that are not in it.
        steps: tokens of the longest text.
        level: `"character"`, or `"word"`: words and punctuation marks.

    Raises:
        InputError: a text is empty or too long, or has a token that is unknown.

    Example:
        >>> tokenizer = Tokenizer.adapt(["ada", "eve"], level="character")
        >>> tokenizer.vocabulary, tokenizer.steps, tokenizer.size
        (('a', 'd', 'e', 'v'), 3, 5)
        >>> tokenizer(["da", "eve"]).tolist()
        [[2, 1, 0], [3, 4, 3]]
        >>> tokenizer.decode([[2, 1, 0], [3, 4, 3]])
        ['da', 'eve']
    """

    @checked
    def __init__(self, vocabulary: Sequence[str], steps: Count, level: str = "character") -> None:
        if level not in SPLIT:
            raise unknown("level", level, SPLIT)
        self.vocabulary = tuple(vocabulary)
        if len({*self.vocabulary}) < len(self.vocabulary) or not self.vocabulary:
            raise InputError(f"vocabulary must hold tokens, each once. Received: {len(self.vocabulary)} tokens.")
        self.steps = steps
        self.level = level
        self._number = {token: number for number, token in enumerate(self.vocabulary, 1)}

    @classmethod
    @checked
    def adapt(
        cls,
        texts: Iterable[str],
        level: str = "character",
        steps: Count | None = None,
        vocabulary_size: Count | None = None,
    ) -> "Tokenizer":
        """A tokenizer for texts like the given ones.

        Args:
            texts: strings.
            level: `"character"` or `"word"`.
            steps: tokens of the longest text; None for that of the given ones.
            vocabulary_size: how many tokens to keep, the most frequent ones; the others become "[UNK]". None for all:
                then a token that these texts do not have is an error.
        """
        if level not in SPLIT:
            raise unknown("level", level, SPLIT)
        most = vocabulary_size
        split = [SPLIT[level].findall(text) for text in _checked(texts)]
        count = Counter(token for tokens in split for token in tokens)
        kept = sorted(count, key=lambda token: (-count[token], token)) if most else sorted(count)
        if most is not None and most < len(kept):
            kept = [UNKNOWN, *kept[:most]]
        return cls(kept, max([1, *map(len, split)]) if steps is None else steps, level)

    @property
    def size(self) -> int:
        """How many token numbers there are, with 0: the `levels` of a Categorical likelihood."""
        return len(self.vocabulary) + 1

    @checked
    def __call__(self, texts: Iterable[str]) -> np.ndarray:
        """Token numbers, (n, steps), in the smallest signed integers that hold them."""
        texts = _checked(texts)
        rows = np.zeros((len(texts), self.steps), np.min_scalar_type(-self.size))
        for i, text in enumerate(texts):
            tokens = SPLIT[self.level].findall(text)
            if not 0 < len(tokens) <= self.steps:
                raise InputError(
                    f"Text {i} has {len(tokens)} tokens, expected 1 to {self.steps}: {text[:60]!r}. Leave it out"
                    + (", cut it, or adapt the tokenizer with larger steps." if tokens else ".")
                )
            rows[i, : len(tokens)] = [self._number.get(token) or self._unknown(token, i, text) for token in tokens]
        return rows

    def _unknown(self, token: str, i: int, text: str) -> int:
        if UNKNOWN not in self._number:
            raise InputError(
                f"Text {i} has the {self.level} {token!r}, which is not in the vocabulary: {text[:60]!r}. Leave the "
                "text out, or adapt the tokenizer to texts with it, or with a vocabulary_size."
            )
        return self._number[UNKNOWN]

    def decode(self, tokens: Any) -> list[str]:
        """The texts of rows of token numbers, each up to its first 0."""
        rows = numbers("tokens", tokens)
        if rows.ndim != 2 or rows.min(initial=0) < 0 or rows.max(initial=0) >= self.size or (rows % 1).any():
            raise InputError(
                f"tokens must be rows of numbers from 0 to {self.size - 1}. Received: shape {rows.shape}"
                + (f", values from {rows.min():g} to {rows.max():g}." if rows.size else ".")
            )
        ends = np.where((rows == 0).any(axis=1), (rows == 0).argmax(axis=1), rows.shape[1])
        words = [[self.vocabulary[int(n) - 1] for n in row[:end]] for row, end in zip(rows, ends, strict=True)]
        return [JOIN[self.level].join(of_row) for of_row in words]

    def get_config(self) -> dict[str, Any]:
        return {"vocabulary": [*self.vocabulary], "steps": self.steps, "level": self.level}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Tokenizer":
        return cls(**config)


def _checked(texts: Any) -> list[str]:
    if isinstance(texts, str):
        raise InputError(f"texts must be several strings. Received one: {texts[:60]!r}. Put it in a list.")
    found = [*texts]
    for i, text in enumerate(found):
        if not isinstance(text, str):
            raise InputError(f"texts must be strings. Received: {type(text).__name__} at index {i}.")
    return found
