# %% [markdown]
# # Where each operator would run
#
# Core ML gives each operator to the Neural Engine, the GPU or the CPU. Anemone predicts which, chip by chip, and why,
# without an Apple machine (an estimate: docs/placement.md says how well it agrees with plans of real ones).

# %%
import argparse
from collections import Counter

import anemone
import matplotlib

matplotlib.use("Agg")  # writes files, needs no screen
import matplotlib.pyplot as plt  # noqa: E402

COLORS = {"ane": "#0072b2", "gpu": "#e69f00", "cpu": "#999999", "unknown": "#ffffff"}


# %%
def placements(model, chips):
    """For each chip the (operator, unit) pairs, in the order of the program."""
    found = {}
    for chip in chips:
        report = model.placement(chip=chip)
        found[chip] = [(op["name"], op["preferred"] or "unknown") for op in report["ops"]]
    return found


def plot(found, path):
    figure, axes = plt.subplots(figsize=(10, 1.5 + 0.5 * len(found)), layout="constrained")
    for row, operators in enumerate(found.values()):
        for column, (_, unit) in enumerate(operators):
            axes.barh(row, 1, left=column, height=0.8, color=COLORS[unit], edgecolor="none")
    axes.margins(0)
    axes.set(yticks=range(len(found)), yticklabels=list(found), xlabel="operators, in the order of the program",
             title="Preferred compute units, estimated")
    axes.invert_yaxis()
    figure.legend([plt.Rectangle((0, 0), 1, 1, facecolor=color, edgecolor="0.5") for color in COLORS.values()], COLORS,
                  ncols=4, loc="outside lower center")
    figure.savefig(path, dpi=150)


# %%
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("picture")
    parser.add_argument("--chip", nargs="+", default=["m1", "m4"])
    arguments = parser.parse_args()
    found = placements(anemone.load(arguments.model), arguments.chip)
    for chip, operators in found.items():
        counts = Counter(unit for _, unit in operators)
        print(f"{chip}: " + ", ".join(f"{count} on {unit}" for unit, count in counts.most_common()))
    plot(found, arguments.picture)


if __name__ == "__main__":
    main()
