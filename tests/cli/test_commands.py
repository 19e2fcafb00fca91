"""The commands, as a user types them."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from keras_ae.cli import main
from keras_ae.training import RunFolder

SMALL = ["--hidden", "16", "--latent-dim", "2", "--epochs", "2", "--binarize", "threshold"]


@pytest.fixture(scope="module")
def vae_run(tmp_path_factory):
    """A small trained run with pictures."""
    folder = tmp_path_factory.mktemp("runs") / "vae"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exit_:
        patch.setattr(sys, "argv", ["keras-ae", "train", "vae", *SMALL, "--validation", "0.1", "--out", str(folder)])
        main()
    assert exit_.value.code == 0
    return folder


def test_list_and_describe(command):
    assert {"ae", "linear_ae", "vae"} <= {line.split()[0] for line in command("list").splitlines()}
    assert command("list", "va*").split()[0] == "vae"
    assert "KL(q(z|x) || p(z))" in command("describe", "vae")


def test_a_run_holds_what_is_needed_to_repeat_it(vae_run):
    folder = RunFolder(vae_run)
    assert folder.config["recipe"]["latent_dim"] == 2
    assert {"keras", "numpy", "python"} <= set(folder.config["versions"])
    history = folder.history()
    assert [row["epoch"] for row in history] == [1, 2]
    assert history[1]["loss"] < history[0]["loss"]
    assert history[1]["val_loss"] == pytest.approx(history[1]["val_kl"] + history[1]["val_reconstruction"], rel=1e-4)
    pictures = {path.stem for path in folder.pictures.iterdir()}
    assert {"codes", "learning-curves", "manifold", "reconstructions", "samples"} <= pictures


def test_evaluate(command, vae_run):
    report = json.loads(command("evaluate", vae_run, "--samples", "20", "--json"))
    assert report["terms"]["loss"] == pytest.approx(report["terms"]["kl"] + report["terms"]["reconstruction"], rel=1e-4)
    assert -report["terms"]["loss"] <= report["bound"]  # 20 samples are tighter than one
    assert report["bits_per_dimension"] == pytest.approx(-report["bound"] / 64 / np.log(2))
    assert [row["name"] for row in report["baselines"]] == ["PCA, 2 dimensions", "independent Bernoulli"]
    table = command("evaluate", vae_run, "--samples", "20")
    assert f"{report['bound']:.2f}" in table and f"{report['squared_error']:.3f}" in table
    parts = report["mutual_information"] + report["total_correlation"] + report["dimension_wise_kl"]
    assert parts == pytest.approx(report["rate"], rel=1e-4)
    assert f"active units: {report['active_units']} of 2" in table and f"rate {report['rate']:.3f} = " in table


@pytest.mark.slow
def test_evaluate_by_annealing_with_the_gap(command, vae_run):
    options = ["--method", "ais", "--samples", "4", "--steps", "20", "--limit", "12", "--gap", "8"]
    report = json.loads(command("evaluate", vae_run, *options, "--json"))
    assert report["estimator"] == "ais, K=4, 20 temperatures" and report["examples"] == 12
    gap = report["gap"]
    assert gap["examples"] == 8 and gap["total"] == pytest.approx(gap["approximation"] + gap["amortisation"])
    assert "inference gap of 8 examples" in command("evaluate", vae_run, *options)
    assert "Unknown method: 'aiss'" in command("evaluate", vae_run, "--method", "aiss", code=2)


def test_evaluate_with_probes(command, vae_run, tmp_path):
    report = json.loads(command("evaluate", vae_run, "--samples", "5", "--probe", "--limit", "200", "--json"))
    assert [(row["kind"], row["labels"]) for row in report["probes"]] == [
        (kind, count) for kind in ("linear", "knn") for count in (100, 1000, 1437)
    ]
    assert all(0.1 < row["score"] < 1 for row in report["probes"])
    assert "linear probe, 100 labels: accuracy" in command("evaluate", vae_run, "--samples", "5", "--probe")
    assert "28x28x1" in command("evaluate", vae_run, "--samples", "5", "--quality", code=2)


def test_latent_dim(command, tmp_path):
    options = ["--sizes", "1,2,3", "--epochs", "1", "--binarize", "threshold", "--samples", "5", "--out", tmp_path]
    table = command("latent-dim", "vae", *options)
    assert "size" in table and str(tmp_path / "choice.png") in table
    again = json.loads(command("latent-dim", "vae", *options, "--json"))
    assert again == json.loads((tmp_path / "choice.json").read_text())
    assert [row["size"] for row in again["rows"]] == [1, 2, 3]
    with Image.open(tmp_path / "choice.png") as picture:
        assert picture.size[0] > 300
    assert "epochs_each" in command("latent-dim", "vae", *[*options[:3], "2", *options[4:]], code=2)
    assert "validation is empty" in command("latent-dim", "vae", "--validation", "0", "--out", tmp_path / "x", code=2)


def test_arrays_and_pictures(command, vae_run, tmp_path):
    model = RunFolder(vae_run).load_model()
    command("sample", vae_run, tmp_path / "samples.npz", "-n", "5", "--seed", "3")
    np.testing.assert_allclose(np.load(tmp_path / "samples.npz")["x"], model.sample(5, seed=3), atol=1e-6)
    command("reconstruct", vae_run, tmp_path / "both.npz", "-n", "7")
    both = np.load(tmp_path / "both.npz")
    np.testing.assert_allclose(both["reconstruction"], model.reconstruct(both["x"]), atol=1e-6)
    command("encode", vae_run, tmp_path / "codes.npz")
    codes = np.load(tmp_path / "codes.npz")
    assert codes["code"].shape == (360, 2) and codes["label"].shape == (360,)
    for name, extra in {"sample": (), "reconstruct": (), "encode": ()}.items():
        command(name, vae_run, tmp_path / f"{name}.png", *extra)
        assert np.asarray(Image.open(tmp_path / f"{name}.png")).std() > 0


def test_export_takes_the_next_version(command, vae_run, tmp_path):
    for version in ("1", "2"):
        assert command("export", vae_run, tmp_path / "out").strip() == str(tmp_path / "out" / version)
        assert (tmp_path / "out" / version / "saved_model.pb").is_file()


def test_a_conditional_model(command, tmp_path):
    """Its conditions are the labels of the data."""
    folder = tmp_path / "run"
    options = (*SMALL, "--validation", "0.1", "--set", "learned_prior=True")
    command("train", "conditional_vae", *options, "--out", folder)
    assert {"codes", "reconstructions", "samples"} <= {path.stem for path in (folder / "pictures").iterdir()}
    assert json.loads(command("evaluate", folder, "--samples", "5", "--json"))["bound"] < 0
    for name, arguments in (
        ("sample", ("-n", 12)),
        ("sample", ("--condition", 3)),
        ("reconstruct", ()),
        ("encode", ()),
    ):
        command(name, folder, tmp_path / f"{name}.npz", *arguments)
    assert "classes from 0 to 9" in command("sample", folder, tmp_path / "no.npz", "--condition", 10, code=2)


def test_a_weight_that_changes(command, tmp_path):
    beta = "beta=linear(0, 1, steps=20)"
    command("train", "beta_vae", *SMALL, "--set", beta, "--no-pictures", "--out", tmp_path / "run")
    assert RunFolder(tmp_path / "run").load_model().beta.steps == 20
    assert "takes no condition" in command("sample", tmp_path / "run", tmp_path / "x.npz", "--condition", 1, code=2)


def test_plot_draws_anew(command, vae_run):
    (vae_run / "pictures" / "samples.png").unlink()
    assert "samples.png" in command("plot", vae_run)
    assert (vae_run / "pictures" / "samples.png").is_file()


def write_table(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3)).astype("float32") * 5
    np.savetxt(tmp_path / "table.csv", x, delimiter=",", header="a,b,c", comments="")
    return tmp_path / "table.csv"


def write_images(tmp_path):
    (tmp_path / "images").mkdir()
    for i in range(20):
        pixels = np.random.default_rng(i).integers(0, 256, (10, 12, 3), dtype="uint8")
        Image.fromarray(pixels).save(tmp_path / "images" / f"{i}.png")
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("make", "options", "quantity"),
    [
        (write_table, ["--likelihood", "normal-learned"], "log-density"),
        (write_images, ["--image-size", "9x7", "--network", "conv"], "cross-entropy"),
    ],
)
def test_data_of_ones_own(command, tmp_path, make, options, quantity):
    data = make(tmp_path)
    out = tmp_path / "run"
    command("train", "vae", "--data", data, "--latent-dim", 2, "--epochs", 1, "--out", out, *options)
    report = json.loads(command("evaluate", out, "--samples", "5", "--json"))
    assert report["quantity"] == quantity and report["bits_per_dimension"] is None


@pytest.mark.parametrize(
    ("options", "quantity"), [(["--levels"], "log-probability"), (["--binarize", "dynamic"], "log-probability")]
)
def test_what_pixels_become(command, tmp_path, options, quantity):
    out = tmp_path / "run"
    base = ["train", "vae", "--hidden", "8", "--latent-dim", 2, "--epochs", 1, "--no-pictures", "--out", out]
    command(*base, *options)
    assert json.loads(command("evaluate", out, "--samples", "5", "--json"))["quantity"] == quantity


@pytest.mark.parametrize("model", ["ae", "linear_ae"])
def test_deterministic_models_have_no_bound(command, tmp_path, model):
    out = tmp_path / "run"
    hidden = ["--hidden", "8"] if model == "ae" else []
    command("train", model, "--latent-dim", 4, "--epochs", 1, "--out", out, *hidden)
    report = json.loads(command("evaluate", out, "--json"))
    assert report["bound"] is None and report["squared_error"] > 0
    assert "has no distribution of codes" in command("sample", out, tmp_path / "x.png", code=2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "vea"], "Did you mean 'vae'"),
        (["train"], "Missing argument"),
        (["train", "vae", "--data", "digist"], "digits"),
        (["train", "vae", "--latent-dim", "0"], "latent_dim must be a whole number of at least 1"),
        (["train", "vae", "--epochs", "0"], "epochs"),
        (["train", "vae", "--seed", "-1"], "seed must be a whole number"),
        (["train", "vae", "--learning-rate", "nan"], "learning_rate must be a number"),
        (["train", "vae", "--validation", "1e-6"], "validation=1e-06 selects 0 of 1,437 examples"),
        (["train", "vae", "--validation", "0.1", "--patience", "-1"], "patience must be"),
        (["train", "vae", "--likelihood", "binomial"], "Unknown likelihood"),
        (["train", "vae", "--network", "desne"], "'dense'"),
        (["train", "vae", "--set", "posterior"], "NAME=VALUE"),
        (["train", "vae", "--set", "betta=4"], "Unknown argument in options: 'betta'"),
        (["train", "vae", "--hidden", "12,x"], "--hidden takes whole numbers"),
        (["train", "vae", "--likelihood", "categorical"], "--levels"),
        (["train", "vae", "--network", "dcgan"], "at least 16x16"),
        (["train", "vae", "--validation", "1.5"], "validation"),
        (["evaluate", "nowhere"], "nowhere is no run folder"),
        *(
            ([*words.split(), option, value], f"Invalid value for '{option}'")
            for words, option, value in (
                ("evaluate nowhere", "--limit", "-5"),
                ("evaluate nowhere", "--limit", "0"),
                ("evaluate nowhere", "--gap", "-1"),
                ("evaluate nowhere", "--samples", "0"),
                ("evaluate nowhere", "--steps", "-2"),
                ("evaluate nowhere", "--seed", "-1"),
                ("sample nowhere x.npz", "-n", "-1"),
                ("sample nowhere x.npz", "--seed", "-1"),
                ("reconstruct nowhere x.npz", "-n", "-3"),
                ("project nowhere x", "-n", "0"),
            )
        ),
        (["sample", "nowhere", "x.gif"], ".npz"),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(command, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    message = command(*arguments, code=2)
    assert words in message
    assert message.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_our_own_failures_are_exit_code_1(command, monkeypatch, vae_run):
    monkeypatch.setattr(RunFolder, "load_model", lambda self: 1 / 0)
    assert "internal error: ZeroDivisionError" in command("export", vae_run, "x", code=1)
    monkeypatch.setattr(sys, "argv", ["keras-ae", "--debug", "export", str(vae_run), "x"])
    with pytest.raises(ZeroDivisionError):
        main()
