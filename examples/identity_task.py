"""Identity through a bottleneck: the N-M-N encoder problem.

N patterns, each with a single one among zeros, must come back out of a network that has only M sigmoid units in
between (Ackley, Hinton and Sejnowski, 1985, Cognitive Science 9, 147-169; Rumelhart, Hinton and Williams, 1986,
Parallel Distributed Processing, vol. 1, ch. 8): one layer to the code, one softmax layer back. M = log2 N units are
enough for a binary code, which nobody has told the network; fewer are enough when it uses the values between 0 and 1.

    python examples/identity_task.py
    python examples/identity_task.py --seeds 20
"""

import keras
import numpy as np
from common import Page, options
from matplotlib.figure import Figure

import keras_ae
from keras_ae.distributions.likelihoods import Categorical

TASKS = [(4, 2), (8, 2), (8, 3), (16, 4)]  # N patterns, M units
EVERY = 20  # epochs between two looks at whether all patterns come back


def train(n, m, seed, epochs):
    """The code, whether all patterns come back at each look, and the loss at the end."""
    patterns = np.eye(n, dtype="float32")
    model = keras_ae.create(
        "ae",
        input_shape=(n,),
        latent_dim=m,
        likelihood=Categorical(levels=n, one_hot=True),
        code_activation="sigmoid",
        network_options={"hidden": ()},
        seed=seed,
    )
    model.compile(keras.optimizers.Adam(0.1))
    right = []

    def look(epoch, logs):
        right.append(bool(np.all(np.argmax(model(patterns), axis=1) == np.arange(n))))

    history = model.fit(
        np.tile(patterns, (EVERY, 1)),  # each batch is all patterns
        batch_size=n,
        shuffle=False,
        epochs=max(epochs // EVERY, 1),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)],
        verbose=0,
    )
    return np.asarray(model.code(patterns)), right, history.history["loss"][-1]


def words(code):
    """The code rounded to binary words, such as '101'."""
    return ["".join(str(int(value)) for value in row) for row in np.round(code)]


def distinct(code):
    """Whether the rounded codes of all patterns differ."""
    return len(set(words(code))) == len(code)


def draw(codes):
    """Codes of two units as points, those of more as a picture with one row a pattern."""
    figure = Figure(figsize=(3.1 * len(codes), 3.2), layout="constrained")
    for axes, ((n, m), code) in zip(figure.subplots(1, len(codes)), codes.items(), strict=True):
        axes.set_title(f"{n}-{m}-{n}")
        if m == 2:
            axes.scatter(*code.T, s=180, color="#9ecae1")
            for i, (x, y) in enumerate(code):
                axes.text(x, y, i + 1, ha="center", va="center", fontsize=9)
            axes.set(xlabel="unit 1", ylabel="unit 2", xlim=(-0.1, 1.1), ylim=(-0.1, 1.1), aspect="equal")
        else:
            picture = axes.imshow(code, cmap="gray", vmin=0, vmax=1, aspect="auto")
            axes.set(xlabel="unit", ylabel="pattern")
            axes.set_xticks(range(m), range(1, m + 1))
            axes.set_yticks(range(n), range(1, n + 1), fontsize=8)
    figure.colorbar(picture, ax=axes, label="value of the code")
    return figure


def summary(n, m, runs):
    """The row of an N-M-N network in the table."""
    epochs = [EVERY * (right.index(True) + 1) for _, right, _ in runs if right[-1]]
    binary = sum(distinct(code) for code, _, _ in runs)
    return [
        f"{n}-{m}-{n}",
        f"{len(epochs)} of {len(runs)}",
        f"{np.median(epochs):.0f} ({min(epochs)} to {max(epochs)})" if epochs else "-",
        float(np.mean([loss for _, _, loss in runs])),
        float(np.log(n)),
        f"{binary} of {len(runs)}" if 2**m >= n else f"no: {2**m} words for {n} patterns",
    ]


def main():
    arguments = options(__doc__, epochs=1000, seeds=10)
    page = Page(arguments.out, __doc__)
    page.text(
        f"Seeds 0 to {arguments.seeds - 1}, {arguments.epochs} epochs each; an epoch is one step of Adam (rate 0.1) on "
        f"all patterns. A seed has succeeded when the largest output is the right one for all N patterns at the end; "
        f"that is looked at every {EVERY} epochs."
    )
    results = {(n, m): [train(n, m, seed, arguments.epochs) for seed in range(arguments.seeds)] for n, m in TASKS}
    page.table(
        ["network", "succeeded", "epochs until all right", "loss (nats)", "loss of guessing", "rounded codes differ"],
        [summary(n, m, runs) for (n, m), runs in results.items()],
    )
    enough = [run for (n, m), runs in results.items() if 2**m >= n for run in runs]
    graded = sum(right[-1] and not distinct(code) for code, right, _ in enough)
    page.text(
        f"Nothing in the loss asks for a binary code: where M = log2 N, {graded} of {len(enough)} runs succeeded with "
        "a code that gives two patterns the same word when it is rounded; values between 0 and 1 tell those apart."
    )
    code = results[8, 3][0][0]
    page.text(f"The code of 8-3-8 from seed 0; rounded, it has {len(set(words(code)))} different words:")
    page.table(
        ["pattern", "unit 1", "unit 2", "unit 3", "rounded"],
        [[f"{1 << (7 - i):08b}", *map(float, code[i]), word] for i, word in enumerate(words(code))],
    )
    codes = {task: runs[0][0] for task, runs in results.items()}
    page.picture("codes", draw(codes), "The codes from seed 0; the numbers are those of the patterns:")
    page.write()


if __name__ == "__main__":
    main()
