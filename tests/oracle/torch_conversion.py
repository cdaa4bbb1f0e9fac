"""The same exported programs through Anemone and through coremltools: operators, time, and values beside PyTorch's.

    python3 tests/oracle/torch_conversion.py                       # a table
    python3 tests/oracle/torch_conversion.py --document FILE
    python3 tests/oracle/torch_conversion.py --only swin_t

The Python has torch 2.7, torchvision, timm and coremltools 9, which takes no newer PyTorch. Each network of clean_networks.py is
exported once. Ours is the whole command, from the .pt2 to the package; theirs is `ct.convert` and `save`, without Python's imports
and without the first conversion of the process, which is thrown away. Both compute in float32 for iOS18; ours is converted to
float16 too, as `--compute-precision float16` does it. ORACLE_ANEMONE names the command (default build/bin/anemone). The exit status
is the number of networks that have more operators than coremltools', are converted less than 20 times as fast, or differ.
"""

import pathlib
import statistics
import sys
import tempfile
import time
from typing import Dict, NamedTuple, Optional

import torch
from clean_networks import NETWORKS, Network, example, prepared
from graph_cleanliness import anemone, census, difference, quiet_parser

REASONS = """Why: coremltools writes the rolls of shifted windows (`swinv2_cr`) as `gather`, which the Neural Engines of A14 and M1 do in
software, ours as `split` and `concat`, two operators. And the more of a network is weights, the less there is to be faster at: ours
reads and writes their bytes as coremltools does, checks the archive's checksums, and puts the SHA-256 of the file and of the package
into the manifest."""
TARGET = "iOS18"
FASTER, LIMITS = 20, {"float32": 1e-4, "float16": 1e-2}
TURNS, THEIR_TURNS = 5, 3


class Row(NamedTuple):
    network: Network
    operators: int
    seconds: float
    differences: Dict[str, float]  # by the precision
    their_operators: Optional[int]  # None: coremltools does not convert it
    their_seconds: Optional[float]
    refusal: str = ""

    @property
    def ratio(self):
        return self.their_seconds / self.seconds if self.their_seconds else None

    @property
    def failed(self):
        theirs = self.their_operators is not None
        return (theirs and (self.operators > self.their_operators or self.ratio < FASTER)
                or any(value > LIMITS[precision] for precision, value in self.differences.items()))


def theirs(program, folder):
    import coremltools as ct

    start = time.perf_counter()
    package = ct.convert(program, minimum_deployment_target=getattr(ct.target, TARGET),
                         compute_precision=ct.precision.FLOAT32, compute_units=ct.ComputeUnit.CPU_ONLY, skip_model_load=True)
    package.save(str(folder / "theirs.mlpackage"))
    return time.perf_counter() - start, census(folder / "theirs.mlpackage").total()


def ours(model, folder, precision="float32"):
    package = folder / f"{precision}.mlpackage"
    start = time.perf_counter()
    anemone("convert", model, "-o", package, "--minimum-deployment-target", TARGET, "--compute-precision", precision)
    return time.perf_counter() - start, package


def measured(network):
    model, values = prepared(network), example(network)
    with torch.no_grad():
        wanted = model(*values.values())
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    arrays = {f"out.{i}": value.numpy() for i, value in enumerate(wanted)}
    arrays.update({"in." + name: value.numpy() for name, value in values.items()})
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = torch.export.export(model, tuple(values.values()))
        torch.export.save(program, folder / "model.pt2")
        # The file's inputs are called as the module's arguments; ours are given by position.
        names = [spec.arg.name for spec in program.graph_signature.input_specs
                 if spec.kind is torch.export.graph_signature.InputKind.USER_INPUT]
        for given, declared in zip(values, names):
            arrays["in." + declared] = arrays.pop("in." + given)
        # In turns, so that both meet the same machine; the least of each.
        seconds, package = zip(*(ours(folder / "model.pt2", folder) for _ in range(TURNS)))
        their_seconds, their_operators, refusal = None, None, ""
        try:
            plain = program.run_decompositions({})
            times = [theirs(plain, folder) for _ in range(THEIR_TURNS)]
            their_seconds, their_operators = min(seconds for seconds, _ in times), times[0][1]
        except Exception as error:  # coremltools' limits are not ours
            refusal = f"{type(error).__name__}: {error}".split("\n")[0][:160]
        again = [ours(folder / "model.pt2", folder)[0] for _ in range(TURNS)]
        half = ours(folder / "model.pt2", folder, "float16")[1]
        differences = {"float32": difference(package[0], arrays, folder), "float16": difference(half, arrays, folder)}
        return Row(network, census(package[0]).total(), min(*seconds, *again), differences, their_operators, their_seconds, refusal)


def cells(row):
    bold = "**" if row.failed else ""
    compared = row.their_operators is not None
    return [f"{bold}{row.network.name}{bold}", row.network.source, row.their_operators if compared else "refused", row.operators,
            f"{row.their_seconds:.2f}" if compared else "–", f"{row.seconds:.3f}", f"{row.ratio:.0f}" if compared else "–",
            *(f"{value:.1e}" for value in row.differences.values())]


HEAD = ["network", "from", "operators, coremltools", "Anemone", "seconds, coremltools", "Anemone", "times as fast",
        "difference, float32", "float16"]


def document(rows):
    import coremltools
    import timm
    import torchvision

    ratios = [row.ratio for row in rows if row.ratio]
    refused = [row for row in rows if row.their_operators is None]
    compared = len(rows) - len(refused)
    return "\n".join([
        "# Conversion of PyTorch's exported programs", "",
        f"{len(rows)} PyTorch networks with seeded weights, exported once by `torch.export`, and converted from the same program by",
        f"`anemone convert` and by coremltools, for {TARGET} in float32. Operators are those of the main function, constants not counted.",
        "Seconds are the least of several turns: of the whole command, from file to package, and of `ct.convert` and `save` in a Python",
        "that has imported everything and converted before. Differences are those of our outputs to PyTorch's, relative to the range of",
        f"the output; {LIMITS['float32']:g} and {LIMITS['float16']:g} are allowed. A network in bold has more operators, another value, or is converted less than",
        f"{FASTER} times as fast. The two are measured in turns, whatever else the machine does: their ratio says more than the seconds.", "",
        REASONS, "",
        f"Median: {statistics.median(ratios):.0f} times as fast; least {min(ratios):.0f}. Ours has fewer operators in "
        f"{sum(row.operators < row.their_operators for row in rows if row.ratio)} of {compared}, as many in "
        f"{sum(row.operators == row.their_operators for row in rows if row.ratio)}. coremltools refuses {len(refused)}.", "",
        f"Written by `tests/oracle/torch_conversion.py --document` with torch {torch.__version__.split('+')[0]}, torchvision "
        f"{torchvision.__version__.split('+')[0]}, timm {timm.__version__}, coremltools {coremltools.__version__}.", "",
        "| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD),
        *("| " + " | ".join(map(str, cells(row))) + " |" for row in rows),
        *(["", "What coremltools says of what it refuses:", ""] if refused else []),
        *(f"- `{row.network.name}`: {row.refusal}" for row in refused), ""])


def main():
    options = quiet_parser(__doc__).parse_args()
    rows, failures = [], 0
    with tempfile.TemporaryDirectory() as folder:
        first = torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),))
        theirs(first.run_decompositions({}), pathlib.Path(folder))
    for network in NETWORKS:
        if options.only and not network.name.startswith(tuple(options.only)):
            continue
        try:
            rows.append(measured(network))
        except Exception as error:
            failures += 1
            print(f"{network.name}: {type(error).__name__}: {str(error)[:300]}")
            continue
        print("  ".join(f"{cell!s:>10}" for cell in cells(rows[-1])))
    if options.document:
        options.document.write_text(document(rows))
    return failures + sum(row.failed for row in rows)


if __name__ == "__main__":
    sys.exit(main())
