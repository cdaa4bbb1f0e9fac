# %% [markdown]
# # Bytes against loss
#
# The lab makes compressed variants of a model, runs each on the same inputs, and compares with the model as it is. A
# variant is worth keeping when no other is both smaller and better: those lie on the Pareto front.

# %%
import argparse
import tempfile

import anemone
import matplotlib

matplotlib.use("Agg")  # writes files, needs no screen
import matplotlib.pyplot as plt  # noqa: E402


# %%
def pareto_front(variants):
    """Of (name, bytes, loss) those that none beats in both, from the smallest to the best."""
    front = []
    for variant in sorted(variants, key=lambda each: each[1:]):
        if not front or variant[2] < front[-1][2]:
            front.append(variant)
    return front


def plot(variants, front, path):
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    axes.scatter([size / 1e6 for _, size, _ in variants], [loss for *_, loss in variants], color="0.6", label="variants")
    axes.step([size / 1e6 for _, size, _ in front], [loss for *_, loss in front], where="post", color="C0")
    axes.scatter([size / 1e6 for _, size, _ in front], [loss for *_, loss in front], color="C0", label="Pareto front")
    for name, size, loss in front:
        axes.annotate(name, (size / 1e6, loss), xytext=(3, 5), textcoords="offset points", fontsize=8, rotation=40)
    axes.set_yscale("symlog", linthresh=1e-4)  # the model as it is has the loss 0
    axes.margins(0.1, 0.15)
    axes.set(xlabel="size of the package in MB", ylabel="loss (0: as the model)", title="Compressed variants, measured here")
    axes.legend()
    figure.savefig(path, dpi=150)


# %%
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("picture")
    parser.add_argument("--samples", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = anemone.lab(arguments.model, folder, samples=arguments.samples, sensitivity_samples=2, refinements=0)
    done = [variant for variant in report["variants"] if variant["state"] == "done"]
    variants = [(each["name"], each["result"]["package_bytes"], each["result"]["loss"]) for each in done]
    front = pareto_front(variants)
    for name, size, loss in front:
        print(f"{name}: {size} bytes, loss {loss:.3g}")
    plot(variants, front, arguments.picture)


if __name__ == "__main__":
    main()
