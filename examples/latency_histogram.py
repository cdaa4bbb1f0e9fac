# %% [markdown]
# # How long single inferences take
#
# A mean hides what users notice: the slow ones. This measures every inference by itself, through a session, and draws
# the whole distribution with its percentiles.

# %%
import argparse

import anemone
import matplotlib
import numpy as np

matplotlib.use("Agg")  # writes files, needs no screen
import matplotlib.pyplot as plt  # noqa: E402


# %%
def durations_ms(model, threads, iterations):
    """The session's own clock, around the inference alone."""
    session = anemone.Session(model, threads=threads)
    rng = np.random.default_rng(0)
    inputs = {each.name: rng.standard_normal(each.shape).astype(np.float32) for each in session.get_inputs()}
    durations = []
    for _ in range(iterations):
        session.predict(inputs)
        durations.append(session.last_report["duration_ns"] * 1e-6)
    return np.array(durations)


def plot(measured, path):
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    every = np.concatenate(list(measured.values()))
    bins = np.geomspace(every.min(), every.max() * 1.001, 60)
    for color, (label, durations) in enumerate(measured.items()):
        axes.hist(durations, bins=bins, alpha=0.5, color=f"C{color}", label=label)
        for percentile, style in ((50, "-"), (99, ":")):
            axes.axvline(np.percentile(durations, percentile), color=f"C{color}", linestyle=style)
    axes.set(xscale="log", xlabel="milliseconds (lines: median, dotted: 99th percentile)", ylabel="inferences",
             title="Latency of single inferences, measured here")
    axes.legend()
    figure.savefig(path, dpi=150)


# %%
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("picture")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--iterations", type=int, default=300)
    arguments = parser.parse_args()
    model = anemone.load(arguments.model)
    measured = {}
    for threads in arguments.threads:
        durations = measured[f"{threads} thread{'s' if threads > 1 else ''}"] = durations_ms(model, threads, arguments.iterations)
        print(f"{threads} threads: median {np.median(durations):.3f} ms, 99 % {np.percentile(durations, 99):.3f} ms")
    plot(measured, arguments.picture)


if __name__ == "__main__":
    main()
