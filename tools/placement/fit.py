"""Fits the latency model of src/placement/latency_model.cc on published measurements.

Reads networks.csv (the workloads, from networks.py) and measurements.csv (milliseconds with sources), writes
src/placement/latency_model_data.inc (the parameters) and tools/placement/report.md (residuals, cross-validation, intervals). The same
inputs give the same outputs; --check says whether the files are up to date. Needs NumPy and SciPy (requirements.txt).

The model, in milliseconds:
  t = floor + ((compute + traffic)^6 + stream^6)^(1/6)
  compute = conv / e1 + depthwise / e2 + matmul / e3, each over the chip's rate (TFLOP/s)
  traffic = activations / b1 + movement / b2 + reductions / b3, each over the chip's on-chip rate
  stream  = weights over the chip's rate from memory
The three e and three b are shared by all chips; a chip has its rates and its floor, drawn to what its specification says by a prior.
"""

import argparse
import csv
import pathlib
import sys

import numpy as np
from scipy.optimize import least_squares

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parents[1] / "src/placement/latency_model_data.inc"
REPORT = HERE / "report.md"
SHARPNESS = 6.0
SIGMA = 0.12  # of one published number: the same model on the same phone differed by 18 % between two systems
COMPUTE = ["conv_flops", "depthwise_flops", "matmul_flops"]
TRAFFIC = ["activation_bytes", "movement_bytes", "reduction_bytes"]
SHARED = ["conv_efficiency", "depthwise_efficiency", "matmul_efficiency", "activation_factor", "movement_factor", "reduction_factor",
          "stream_efficiency"]
SHARED_PRIOR = np.log([0.6, 0.15, 0.4, 3.0, 3.0, 2.0, 0.8])
SHARED_SPREAD = np.array([0.4, 0.8, 0.4, 1.0, 1.0, 1.0, 0.15])
FLOOR_PRIOR, FLOOR_SPREAD, RATE_SPREAD = np.log(0.12), 0.5, 0.3

# Specification: half-precision TFLOP/s, and GB/s at which weights can come from memory (the measured stream of Macs is far below
# their memory's: M1 51, M4 45 to 60, a chip after M5 130 to 150; phones have their memory's).
SPEC = {
    "a14": (11.0, 34.1), "a15": (15.8, 34.1), "a16": (17.0, 51.2), "a17pro": (17.5, 51.2), "a18pro": (17.5, 60.0),
    "m2max": (15.8, 70.0), "m3max": (18.0, 70.0), "m4pro": (19.0, 70.0), "m5max": (19.27, 130.0),
}
# Chips without published measurements of whole networks: the rates of a sibling with the same engine. Floor: that of the sibling, but M1's is
# the dispatch measured on it (0.19 to 0.23 ms).
SIBLINGS = {
    "a18": ("a18pro", None), "m1": ("a14", 0.21), "m1pro": ("a14", 0.21), "m1max": ("a14", 0.21), "m1ultra": ("a14", 0.21),
    "m2": ("m2max", None), "m2pro": ("m2max", None), "m3": ("m3max", None), "m3pro": ("m3max", None), "m4": ("m4pro", None),
    "m4max": ("m4pro", None), "m5": ("m5max", None),
}


# Rows "check:FORM" are compressed variants, and rows whose source contradicts itself: compared, not fitted. The changes of a form to
# the float16 workload: bits of a weight, and whether activations and products are int8.
FORMS = {"": (16, False), "int8": (8, False), "w8a8": (8, True), "lut1": (1, False), "lut2": (2, False), "lut4": (4, False),
         "lut6": (6, False), "lut8": (8, False)}
INT8_GAIN = 1.85  # as in latency_model.cc
INT8_CHIPS = ("a17pro", "a18", "a18pro", "m4", "m4pro", "m4max", "m5", "m5max")


def read(name):
    with open(HERE / name, newline="") as file:
        return list(csv.DictReader(file))


class Data:
    def __init__(self, rows, networks):
        self.rows = rows
        self.network = np.array([row["network"].split(".")[0] for row in rows])
        self.chip = np.array([row["chip"] for row in rows])
        self.chips = list(SPEC)
        self.index = np.array([self.chips.index(chip) for chip in self.chip])
        self.log_ms = np.log([float(row["ms"]) for row in rows])
        work = [networks[row["network"]] for row in rows]
        self.compute = np.array([[float(w[f]) for f in COMPUTE] for w in work]) / 1e9
        self.traffic = np.array([[float(w[f]) for f in TRAFFIC] for w in work]) / 1e6
        self.weights = np.array([float(w["weight_bytes"]) for w in work]) / 1e6
        for i, row in enumerate(rows):
            bits, int8 = FORMS[row["use"].partition(":")[2]]
            self.weights[i] *= bits / 16
            if int8:
                self.traffic[i, 0] /= 2
                if row["chip"] in INT8_CHIPS:
                    self.compute[i, [0, 2]] /= INT8_GAIN


def predict(p, data):
    n = len(data.chips)
    shared, rate, traffic, floor = np.exp(p[:7]), np.exp(p[7:7 + n]), np.exp(p[7 + n:7 + 2 * n]), np.exp(p[7 + 2 * n:])
    tflops = np.array([SPEC[chip][0] for chip in data.chips])
    stream = np.array([SPEC[chip][1] for chip in data.chips])
    i = data.index
    compute = data.compute @ (1 / shared[:3]) / (tflops * rate)[i]
    moved = data.traffic @ (1 / shared[3:6]) / (np.sqrt(tflops * 11.0) * 3 * traffic)[i]
    weights = data.weights / shared[6] / stream[i]
    return floor[i] + ((compute + moved) ** SHARPNESS + weights ** SHARPNESS) ** (1 / SHARPNESS)


def fit(data, mask):
    n = len(data.chips)

    def residuals(p):
        return np.concatenate([
            (np.log(predict(p, data)) - data.log_ms)[mask] / SIGMA, (p[:7] - SHARED_PRIOR) / SHARED_SPREAD, p[7:7 + 2 * n] / RATE_SPREAD,
            (p[7 + 2 * n:] - FLOOR_PRIOR) / FLOOR_SPREAD])

    start = np.concatenate([SHARED_PRIOR, np.zeros(2 * n), np.full(n, FLOOR_PRIOR)])
    return least_squares(residuals, start, loss="soft_l1").x


def leave_out(data, groups):
    """log(predicted / published) of each row, fitted without the rows of its group."""
    out = np.zeros(len(data.rows))
    for group in sorted(set(groups)):
        held = groups == group
        out[held] = (np.log(predict(fit(data, ~held), data)) - data.log_ms)[held]
    return out


def spread(errors, level=0.9):
    """Half width of an interval in logarithms: the conformal quantile of the absolute errors."""
    ranked = np.sort(np.abs(errors))
    return float(ranked[min(len(ranked) - 1, int(np.ceil((len(ranked) + 1) * level)) - 1)])


def covered(errors, groups):
    """Share inside an interval whose width comes from the other groups only."""
    inside = [abs(error) <= spread(errors[groups != group]) for error, group in zip(errors, groups)]
    return float(np.mean(inside))


def chip_rows(data, p, network_spread, chip_spread):
    n = len(data.chips)
    rows = {}
    for k, chip in enumerate(data.chips):
        tflops, stream = SPEC[chip]
        count = len(set(data.network[data.chip == chip]))
        rows[chip] = [tflops * np.exp(p[7 + k]), np.sqrt(tflops * 11.0) * 3 * np.exp(p[7 + n + k]), stream * np.exp(p[6]),
                      np.exp(p[7 + 2 * n + k]), network_spread if count >= 3 else chip_spread, count]
    for chip, (sibling, floor) in SIBLINGS.items():
        rows[chip] = [*rows[sibling][:3], floor or rows[sibling][3], chip_spread, 0]
    # Weights of an M1 stream at the 51 GB/s that were measured.
    for chip in ("m1", "m1pro", "m1max", "m1ultra"):
        rows[chip][2] = 51.0
    return rows


def emit_data(p, rows):
    lines = ["// Made by tools/placement/fit.py from measurements.csv and networks.csv: do not edit.",
             "// What the columns are: latency_model.cc.",
             "ANEMONE_LATENCY_SHARED(" + ", ".join(f"{value:.4f}" for value in np.exp(p[:6])) + ")"]
    for chip in sorted(rows):
        compute, traffic, stream, floor, log_spread, count = rows[chip]
        lines.append(f'ANEMONE_LATENCY_CHIP("{chip}", {compute:.3f}, {traffic:.2f}, {stream:.1f}, {floor:.4f}, {log_spread:.3f}, {count})')
    return "\n".join(lines) + "\n"


def emit_checks(checks, p):
    errors = np.log(predict(p, checks)) - checks.log_ms
    lines = ["", "## Not fitted", "",
             "Compressed variants, and a table whose revisions contradict each other. The compression of weights and activations is put into the "
             "float16 workload as a factor.", "",
             f"Median error {100 * float(np.median(np.abs(np.exp(errors) - 1))):.1f} %, {len(errors)} rows.", "",
             "| network | chip | form | published ms | predicted over published |", "|---|---|---|---|---|"]
    lines += [f"| {row['network']} | {row['chip']} | {row['use'].partition(':')[2] or 'float16'} | {row['ms']} | {np.exp(error):.2f} |"
              for row, error in zip(checks.rows, errors)]
    return lines


def emit_report(data, checks, p, networks_out, chips_out, rows):
    fitted = np.log(predict(p, data)) - data.log_ms
    median = lambda errors: 100 * float(np.median(np.abs(np.exp(errors) - 1)))
    lines = ["# Latency model: fit and cross-validation", "",
             "Made by `tools/placement/fit.py`; the sources of the numbers stand in `measurements.csv`.", "",
             f"{len(data.rows)} published latencies, {len(set(data.network))} networks, {len(set(data.chip))} chips.", "",
             "| | median error | within 25 % | inside the 90 % interval |", "|---|---|---|---|"]
    for name, errors, groups in (("fit", fitted, None), ("each network left out in turn", networks_out, data.network),
                                 ("each chip left out in turn", chips_out, data.chip)):
        within = 100 * float(np.mean(np.abs(np.exp(errors) - 1) <= 0.25))
        inside = "" if groups is None else f"{100 * covered(errors, groups):.0f} %"
        lines.append(f"| {name} | {median(errors):.1f} % | {within:.0f} % | {inside} |")
    lines += ["", "The interval of a row comes from the errors of the other networks (or chips) only.",
              "Widths: a factor of " f"{np.exp(spread(networks_out)):.2f} for chips with at least three measured networks, "
              f"{np.exp(spread(chips_out)):.2f} for the others.", "",
              "## Shared parameters", "", "| parameter | value |", "|---|---|"]
    lines += [f"| {name} | {value:.3f} |" for name, value in zip(SHARED, np.exp(p[:7]))]
    lines += ["", "## Chips", "",
              "Networks 0: there are no measurements of whole networks on it; the rates are those of a chip with the same engine.", "",
              "| chip | compute TFLOP/s | traffic | weights GB/s | floor ms | interval factor | networks |", "|---|---|---|---|---|---|---|"]
    for chip in sorted(rows):
        r = rows[chip]
        lines.append(f"| {chip} | {r[0]:.2f} | {r[1]:.1f} | {r[2]:.1f} | {r[3]:.3f} | {np.exp(r[4]):.2f} | {r[5]} |")
    lines += ["", "## Residuals", "", "Predicted over published.", "",
              "| network | chip | published ms | fit | network left out | chip left out |", "|---|---|---|---|---|---|"]
    for row, a, b, c in zip(data.rows, fitted, networks_out, chips_out):
        lines.append(f"| {row['network']} | {row['chip']} | {row['ms']} | {np.exp(a):.2f} | {np.exp(b):.2f} | {np.exp(c):.2f} |")
    return "\n".join(lines + emit_checks(checks, p)) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the parameters are not up to date")
    arguments = parser.parse_args()
    networks = {row["network"]: row for row in read("networks.csv")}
    measurements = read("measurements.csv")
    data = Data([row for row in measurements if row["use"] == "fit"], networks)
    checks = Data([row for row in measurements if row["use"].startswith("check:")], networks)
    p = fit(data, np.ones(len(data.rows), bool))
    networks_out, chips_out = leave_out(data, data.network), leave_out(data, data.chip)
    rows = chip_rows(data, p, spread(networks_out), spread(chips_out))
    text, report = emit_data(p, rows), emit_report(data, checks, p, networks_out, chips_out, rows)
    if arguments.check:
        if DATA.read_text() != text or REPORT.read_text() != report:
            sys.exit("latency_model_data.inc or report.md is not what fit.py makes of the tables: run tools/placement/fit.py")
        return
    DATA.write_text(text)
    REPORT.write_text(report)
    print("\n".join(report.splitlines()[:14]))


if __name__ == "__main__":
    main()
