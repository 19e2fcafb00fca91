"""The commands on text."""

import json

import numpy as np
import pytest

WORDS = ["anna", "bob", "eve", "hannah", "otto"] * 20


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "words.txt"
    path.write_text("\n".join(WORDS))
    return path


def test_from_a_file_of_words_to_new_ones(command, words):
    small = ("--latent-dim", 2, "--epochs", 1, "--net", "units=8")
    command("train", "sequence_vae", "--data", words, *small, "--out", "run")
    config = json.loads((words.parent / "run" / "config.json").read_text())
    assert config["recipe"]["network"] == "recurrent" and "tokens" in config["data"]["description"]
    assert (words.parent / "run" / "pictures" / "codes.png").is_file()
    assert "perplexity per token" in command("evaluate", "run", "--samples", 5)
    report = json.loads(command("evaluate", "run", "--samples", 5, "--json"))
    assert report["perplexity"] > 1 and report["squared_error"] is None and report["baselines"] == []

    command("sample", "run", "new.txt", "-n", 7)
    assert len((words.parent / "new.txt").read_text().splitlines()) == 7
    command("reconstruct", "run", "pairs.txt", "-n", 3)
    pairs = [line.split("\t") for line in (words.parent / "pairs.txt").read_text().splitlines()]
    assert len(pairs) == 3 and all(original in WORDS for original, _ in pairs)
    command("interpolate", "run", "paths.txt", "-n", 2, "--steps", 4)
    paths = [line.split("\t") for line in (words.parent / "paths.txt").read_text().splitlines()]
    assert [len(path) for path in paths] == [4, 4]
    words.write_text("\n".join(["zoe", *WORDS]))
    assert "has changed since run was trained" in command("evaluate", "run", code=2)
    command("sample", "run", "new.npz", "-n", 2)
    assert np.load(words.parent / "new.npz")["x"].shape == (2, 6)


def test_mistakes_with_text(command, words):
    assert "takes no text" in command("train", "vae", "--data", words, code=2)
    assert "one of the networks" in command("train", "sequence_vae", "--data", words, "--network", "conv", code=2)
    assert "tokens" in command("train", "sequence_vae", "--data", words, "--tokens", "page", code=2)
    assert not (words.parent / "runs").exists()
    command("train", "ae", "--epochs", 1, "--no-pictures", "--out", "run")
    assert "was not trained on text" in command("reconstruct", "run", "new.txt", code=2)
    assert "must end in .npz (arrays) or .png (a picture)." in command("encode", "run", "codes.txt", code=2)
    assert "or .txt (text)" in command("sample", "run", "new.text", code=2)
