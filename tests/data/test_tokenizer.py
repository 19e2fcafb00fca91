"""Text as tokens, and back."""

import keras
import numpy as np
import pytest

from keras_ae import InputError, data
from keras_ae.data import Tokenizer

TEXTS = ["The cat sat.", "The dog didn't sit."]


def test_characters_come_back():
    tokenizer = Tokenizer.adapt(TEXTS)
    tokens = tokenizer(TEXTS)
    assert tokens.shape == (2, 19) and tokenizer.size == len({*"".join(TEXTS)}) + 1
    assert tokens[0, 12:].tolist() == [0] * 7 and (tokens[0, :12] > 0).all()
    assert tokenizer.decode(tokens) == TEXTS
    assert tokenizer.decode(tokens.astype("float32")) == TEXTS


def test_words_and_their_marks():
    tokenizer = Tokenizer.adapt(TEXTS, level="word")
    assert set(tokenizer.vocabulary) == {"The", "cat", "sat", "dog", "didn't", "sit", "."}
    assert tokenizer.steps == 5
    assert tokenizer.decode(tokenizer(TEXTS)) == ["The cat sat .", "The dog didn't sit ."]


def test_rare_words_are_unknown():
    tokenizer = Tokenizer.adapt(TEXTS, level="word", vocabulary_size=2)
    assert tokenizer.vocabulary == ("[UNK]", ".", "The")
    assert tokenizer.decode(tokenizer(["The bird."])) == ["The [UNK] ."]


def test_it_is_saved_as_its_configuration():
    tokenizer = Tokenizer.adapt(TEXTS, level="word", steps=9)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(tokenizer))
    assert again.get_config() == tokenizer.get_config() and again.steps == 9


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["cab", "abd"], "Text 1 has the character 'd', which is not in the vocabulary: 'abd'"),
        (["abcabc"], "Text 0 has 6 tokens, expected 1 to 3"),
        (["a", ""], "Text 1 has 0 tokens"),
        ("abc", "texts must be a list"),
        ([1], r"texts\[0\] must be text. Received: texts\[0\]=1"),
    ],
)
def test_texts_that_it_cannot_take(texts, message):
    with pytest.raises(InputError, match=message):
        Tokenizer.adapt(["abc"])(texts)


def test_arguments_that_it_cannot_take():
    with pytest.raises(InputError, match="level"):
        Tokenizer.adapt(["a"], level="sentence")
    with pytest.raises(InputError, match="vocabulary must"):
        Tokenizer("aa", 3)
    with pytest.raises(InputError, match="vocabulary must"):
        Tokenizer.adapt([])
    for tokens in ([[4]], [[-1]], [[0.5]], [1, 2]):
        with pytest.raises(InputError, match="rows of numbers from 0 to 3"):
            Tokenizer("abc", 3).decode(tokens)


def test_a_file_of_lines(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("".join(f"{word}\n\n" for word in ["ada", "bob", " eve "] * 10), encoding="utf-8")
    train, test = (data.load(path, split) for split in ("train", "test"))
    assert (len(train), len(test), train.shape, train.pixels, train.levels) == (27, 3, (3,), "tokens", 7)
    assert {*train.tokenizer.decode(train.x)} | {*test.tokenizer.decode(test.x)} == {"ada", "bob", "eve"}
    assert train.tokenizer.vocabulary == test.tokenizer.vocabulary and np.array_equal(train.x, np.round(train.x))
    assert "tokens" in train.describe() and train.is_discrete
    with pytest.raises(InputError, match="for images"):
        data.load(path, binarize="fixed")
    path.write_text(" \n")
    with pytest.raises(InputError, match="has no text"):
        data.load(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="cannot be read as UTF-8 text"):
        data.load(path)
