"""ONNX's own node tests with open dimensions: no converter may take the default of one for its size.

    python3 tests/oracle/flexible_nodes.py                       # counts, and each test that does not end well
    python3 tests/oracle/flexible_nodes.py --only test_reshape   # tests whose name begins so

Of every test that Core ML can express, the dimensions of the inputs are made open (all of them, only the first, or only
the last), with a default that is not the size of the test's data. Then it is converted and run on that data. A node may be
refused; what is converted must give the outputs that come with the test. The exit status is the number of tests that give
something else, or that are converted and do not run.
"""

import argparse
import collections
import sys
import tempfile
import warnings
from typing import Dict, List, Optional

import onnx

import onnx_node_tests as node_tests

MODES = ("every", "first", "last")


def open_model(model, mode: str):
    """A copy whose inputs have unnamed dimensions there, and the shapes to give; None when there is no such dimension."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    shapes: Dict[str, List] = {}
    any_open = False
    for value in copy.graph.input:
        dims = value.type.tensor_type.shape.dim
        sizes = [dim.dim_value for dim in dims]
        if 0 in sizes:
            return None
        chosen = {"every": range(len(sizes)), "first": range(min(1, len(sizes))),
                  "last": range(max(0, len(sizes) - 1), len(sizes))}[mode]
        shapes[value.name] = list(sizes)
        for d in chosen:
            any_open = True
            size = sizes[d]
            dims[d].Clear()
            # The default differs from the data in every dimension.
            shapes[value.name][d] = f"1..{size + 3}={size + 1}"
    # What the file declares of the outputs was true of one size.
    del copy.graph.value_info[:]
    for value in copy.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()
    return (copy, shapes) if any_open else None


def run_all(only: str = "", progress: Optional[callable] = None):
    cases = node_tests.load_tests()
    by_name = {case.name: case for case in cases}
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            if not case.name.startswith(only) or node_tests.outside_of_core_ml(case):
                continue
            feeds = case.data_sets[0]
            model = node_tests.freeze(case.model, feeds[0], node_tests.frozen_inputs(case, by_name))
            for mode in MODES:
                opened = open_model(model, mode)
                if opened is None:
                    continue
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # of what ranges cost
                        outcome = node_tests.run(case, opened[0], feeds, folder, input_shapes=opened[1])
                except Exception as error:  # whatever escapes is a defect
                    outcome = node_tests.Outcome("wrong", f"{type(error).__name__}: {error}")
                results.append((case.name, mode, outcome))
                if progress:
                    progress(results[-1])
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="tests whose name begins so")
    parser.add_argument("-v", action="store_true", dest="verbose", help="print each test with its result")
    options = parser.parse_args()
    bad = 0

    def tell(result):
        nonlocal bad
        name, mode, outcome = result
        does_not_run = outcome.state == "invalid" and outcome.reason.startswith("predict:")
        bad += outcome.state == "wrong" or does_not_run
        if options.verbose or outcome.state == "wrong" or does_not_run:
            print(f"{name} ({mode}): {outcome.state} {outcome.reason}", flush=True)

    results = run_all(options.only, tell)
    for mode in MODES:
        counted = collections.Counter(outcome.state for _, one, outcome in results if one == mode)
        print(f"{mode}: {dict(sorted(counted.items()))}")
    return min(bad, 255)


if __name__ == "__main__":
    sys.exit(main())
