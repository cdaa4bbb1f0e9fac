"""Runs ONNX's own node tests through Anemone: convert, predict, compare with the outputs that come with each test.

    python3 tests/oracle/onnx_node_tests.py                      # counts
    python3 tests/oracle/onnx_node_tests.py --write              # docs/onnx-coverage.md anew
    python3 tests/oracle/onnx_node_tests.py --only test_add -v   # tests whose name begins so, each with its result
    python3 tests/oracle/onnx_node_tests.py --float16            # converted to float16, which may not be wrong in silence

Every test runs in two modes. "unaltered": the model as it is. "frozen": the inputs that an ML Program takes only as
constants (axes, shapes, k, pads, weights of some layers ...) are made initializers first, as exporters write them.
A test counts as expressible when all that it needs is in Core ML at all; why another is not stands in the document.
"""

import argparse
import collections
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

import anemone

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "onnx-coverage.md"
TARGET = "iOS18"
MODES = ("unaltered", "frozen")

# The inputs that MIL takes only as constants, by operator and position.
ALL = tuple(range(16))
FROZEN = {
    "AffineGrid": (1,), "BatchNormalization": (), "BlackmanWindow": (0,), "CenterCropPad": (1,), "Col2Im": (1, 2),
    "Compress": (1,), "ConstantOfShape": (0,), "ConvInteger": (1, 2, 3), "ConvTranspose": (1, 2), "CumProd": (1,),
    "CumSum": (1,), "DFT": (1, 2), "DequantizeLinear": (1, 2), "Dropout": (1, 2), "Expand": (1,), "GRU": (1, 2, 3, 4),
    "HammingWindow": (0,), "HannWindow": (0,), "If": (0,), "LSTM": (1, 2, 3, 4, 7), "Loop": (0, 1),
    "MatMulInteger": (2, 3), "MelWeightMatrix": ALL, "NonMaxSuppression": (2, 3, 4), "OneHot": (1, 2), "Pad": (1, 2, 3),
    "QLinearConv": (1, 2, 3, 4, 5, 6, 7, 8), "QLinearMatMul": (1, 2, 4, 5, 6, 7), "QuantizeLinear": (1, 2),
    "RNN": (1, 2, 3, 4), "Range": ALL, "ReduceL1": (1,), "ReduceL2": (1,), "ReduceLogSum": (1,),
    "ReduceLogSumExp": (1,), "ReduceMax": (1,), "ReduceMean": (1,), "ReduceMin": (1,), "ReduceProd": (1,),
    "ReduceSum": (1,), "ReduceSumSquare": (1,), "Reshape": (1,), "Resize": (1, 2, 3), "STFT": (1, 2, 3),
    "Slice": (1, 2, 3, 4), "Split": (1,), "Squeeze": (1,), "Tile": (1,), "TopK": (1,), "Trilu": (1,),
    "Unsqueeze": (1,), "Upsample": (1,),
}

MISSING_TYPES = {
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.STRING: "text", TensorProto.COMPLEX64: "complex numbers", TensorProto.COMPLEX128: "complex numbers",
    TensorProto.UINT32: "unsigned 32-bit integers", TensorProto.UINT64: "unsigned 64-bit integers",
    TensorProto.FLOAT8E4M3FN: "8-bit floats", TensorProto.FLOAT8E4M3FNUZ: "8-bit floats",
    TensorProto.FLOAT8E5M2: "8-bit floats", TensorProto.FLOAT8E5M2FNUZ: "8-bit floats",
    TensorProto.FLOAT8E8M0: "8-bit floats", TensorProto.FLOAT4E2M1: "4-bit numbers", TensorProto.INT4: "4-bit numbers",
    TensorProto.UINT4: "4-bit numbers", TensorProto.INT2: "2-bit numbers", TensorProto.UINT2: "2-bit numbers",
}
RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}


# Operators that Core ML cannot express whatever is constant, and why.
INEXPRESSIBLE = {
    "BitCast": "the bits of a number as another type",
    "ImageDecoder": "decoding of files",
}
# Tests whose expected outputs ONNX Runtime does not give either: Anemone gives what it gives.
DISPUTED = {
    "test_maxunpool_export_with_output_shape": "the positions are those in the output, as MaxPool gives them",
    "test_resize_downsample_scales_cubic_align_corners": "the size of the output before rounding places the samples",
    "test_resize_downsample_scales_linear_align_corners": "the size of the output before rounding places the samples",
}


class Outcome(NamedTuple):
    state: str  # "passed", "refused", "invalid", "disputed", "wrong"
    reason: str


class Result(NamedTuple):
    name: str
    op: str
    outside: str  # why Core ML cannot express the test; "" when it can
    frozen: List[str]  # names of the inputs that the second mode freezes
    outcomes: Dict[str, Outcome]


def load_tests():
    """The node tests that the installed onnx makes."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return sorted(load_model_tests(kind="node"), key=lambda case: case.name)


def operator_of(case) -> str:
    """The operator that a test is about. The tests of an expanded function bear its name."""
    ops = [node.op_type for node in case.model.graph.node]
    if len(ops) == 1:
        return ops[0]
    return next((op for op in ops if op not in ("Constant", "Identity", "Cast")), ops[0])


def _attribute_types(nodes):
    for node in nodes:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype", "output_dtype"):
                yield attribute.i
            if attribute.HasField("t"):
                yield attribute.t.data_type
            if attribute.HasField("g"):
                yield from _attribute_types(attribute.g.node)


def outside_of_core_ml(case) -> str:
    """Why Core ML cannot express the test; "" when it can."""
    graph = case.model.graph
    nodes = list(graph.node)
    for node in nodes:
        if node.domain == "ai.onnx.ml":
            return "classical models (ai.onnx.ml)"
        if node.op_type in INEXPRESSIBLE:
            return INEXPRESSIBLE[node.op_type]
        if node.op_type.startswith("Optional"):
            return "optional values"
        values = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.domain == "ai.onnx.preview.training" or values.get("training_mode"):
            return "training"
        if node.op_type in RANDOM:
            return "random numbers"
        if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
            return "training"
    for value in [*graph.input, *graph.output]:
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            return {"sequence_type": "sequences", "optional_type": "optional values"}.get(kind, str(kind))
        if value.type.tensor_type.elem_type in MISSING_TYPES:
            return MISSING_TYPES[value.type.tensor_type.elem_type]
        if len(value.type.tensor_type.shape.dim) > 5:
            return "more than 5 dimensions"
    for kind in _attribute_types(nodes):
        if kind in MISSING_TYPES:
            return MISSING_TYPES[kind]
    for _, outputs in case.data_sets:
        if any(isinstance(one, np.ndarray) and one.size == 0 for one in outputs):
            return "tensors without elements as outputs"
    return ""


def frozen_inputs(case, by_name) -> List[str]:
    """Names of the graph inputs that reach a position of FROZEN, here or in the test that this one is the expansion of."""
    graph = case.model.graph
    names = [value.name for value in graph.input]
    chosen = set()
    for node in graph.node:
        for position in FROZEN.get(node.op_type, ()):
            if position < len(node.input) and node.input[position] in names:
                chosen.add(node.input[position])
    base = by_name.get(case.name.split("_expanded")[0])
    if base is not None and base is not case:
        taken = frozen_inputs(base, by_name)
        chosen.update(name for position, name in enumerate(names)
                      if position < len(base.model.graph.input) and base.model.graph.input[position].name in taken)
    return [name for name in names if name in chosen]


def tensor_of(value, name):
    tensor = onnx.TensorProto()
    tensor.CopyFrom(value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value)))
    tensor.name = name
    return tensor


def freeze(model, inputs, names):
    """A copy of the model with these inputs as initializers."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value, array in zip(model.graph.input, inputs):
        if value.name in names:
            copy.graph.initializer.append(tensor_of(array, value.name))
    kept = [value for value in copy.graph.input if value.name not in names]
    del copy.graph.input[:]
    copy.graph.input.extend(kept)
    return copy


def array_of(value) -> np.ndarray:
    """Types that NumPy does not know come as TensorProto."""
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def difference(wanted, found, case) -> str:
    """What differs; "" when nothing does. An ML Program's border has no int64, bool, double or scalar."""
    wanted = array_of(wanted)
    if found.shape != (wanted.shape or (1,)):
        return f"the shape is {found.shape}, not {wanted.shape}"
    found = found.reshape(wanted.shape)
    if wanted.dtype.kind in "biu":
        same = np.array_equal(found.astype(np.int64), wanted.astype(np.int64))
        return "" if same else "integers differ"
    # Half precision: the expected values were rounded in each step, ours once. And where terms cancel, the expected
    # values are noise of the size of float32's digits.
    rtol = max(case.rtol, 2e-3) if wanted.dtype == np.float16 else case.rtol
    wide = wanted.astype(np.float64)
    finite = np.abs(wide[np.isfinite(wide)])
    atol = max(case.atol, 1e-6 * finite.max(initial=0))
    with np.errstate(all="ignore"):
        close = np.allclose(found.astype(np.float64), wide, rtol=rtol, atol=atol, equal_nan=True)
    return "" if close else "numbers differ"


def run(case, model, feeds, folder, differs=difference, **options) -> Outcome:
    """`options` are those of anemone.convert."""
    path = os.path.join(folder, "model.onnx")
    inputs, wanted = feeds
    Path(path).write_bytes(model.SerializeToString())
    try:
        converted = anemone.convert(path, minimum_deployment_target=TARGET, **options)
    except anemone.Error as error:
        state = "refused" if error.code == "unsupported" else "invalid"
        lines = [line.strip() for line in str(error.message).splitlines()]
        return Outcome(state, lines[-1] if len(lines) > 1 else str(error.message))
    names = [value.name for value in model.graph.input]
    originals = [value.name for value in case.model.graph.input]
    by_position = dict(zip(originals, inputs))
    known = {feature.name for feature in converted.inputs}
    metadata = converted.inspect()["metadata"]["user_defined"]
    renamed = {text: key[len("onnx.name."):] for key, text in metadata.items() if key.startswith("onnx.name.")}
    arrays = {}
    for name in names:
        short = renamed.get(name, name)
        if short not in known:
            continue
        array = array_of(by_position[name])
        if array.dtype.kind not in "biu" or array.dtype.name == "bfloat16":
            array = array.astype(np.float32)
        arrays[short] = array.reshape(array.shape or (1,))
    try:
        outputs = converted.predict(arrays)
    except anemone.Error as error:
        return Outcome("invalid", f"predict: {error}")
    for index, (value, expected) in enumerate(zip(model.graph.output, wanted)):
        found = outputs.get(renamed.get(value.name, value.name))
        if found is None:
            return Outcome("wrong", f"output {index} is missing")
        problem = differs(expected, np.asarray(found), case)
        if problem and case.name in DISPUTED:
            return Outcome("disputed", DISPUTED[case.name])
        if problem:
            return Outcome("wrong", f"output {index}: {problem}")
    return Outcome("passed", "")


def half_difference(wanted, found, case) -> str:
    """As difference(), with a hundredth of the output's range for the rounding of half precision."""
    wanted = array_of(wanted)
    if wanted.dtype.kind in "biu":
        # A quantized number may round to the other side, and one of 16 bits has more digits than half.
        if wanted.dtype.itemsize <= 2 and wanted.dtype.kind != "b" and found.shape == wanted.shape:
            away = np.abs(found.astype(np.int64) - wanted.astype(np.int64)).max(initial=0)
            if away <= max(1, 1e-3 * np.abs(wanted.astype(np.int64)).max(initial=0)):
                return ""
        return difference(wanted, found, case)
    if found.shape != (wanted.shape or (1,)):
        return f"the shape is {found.shape}, not {wanted.shape}"
    a, b = wanted.astype(np.float64).reshape(-1), found.astype(np.float64).reshape(-1)
    finite = np.isfinite(a)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or not np.isfinite(b[finite]).all():
        return "NaN or infinity differ"
    a, b = a[finite], b[finite]
    size = max(np.ptp(a), np.abs(a).max()) if a.size else 0
    return "numbers differ" if a.size and np.abs(a - b).max() > 1e-2 * size else ""


def run_float16(only="") -> Dict[str, List[str]]:
    """The frozen tests that pass in float32, converted to float16: names by what became of them. "mended": right, and
    the conversion said what it did; "refused": by the conversion's check; "told": wrong on the test's own inputs, after
    the conversion said that float16 loses; "wrong": wrong without a word."""
    cases = load_tests()
    by_name = {case.name: case for case in cases}
    found: Dict[str, List[str]] = {state: [] for state in ("right", "mended", "unseen", "refused", "told", "wrong")}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            if not case.name.startswith(only) or outside_of_core_ml(case):
                continue
            feeds = case.data_sets[0]
            model = freeze(case.model, feeds[0], frozen_inputs(case, by_name))
            if run(case, model, feeds, folder).state != "passed":
                continue
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                outcome = run(case, model, feeds, folder, half_difference, compute_precision="float16")
            said = any("float16" in str(one.message) for one in caught)
            if outcome.state == "passed":
                state = "mended" if said else "right"
            elif outcome.state == "refused":
                state = "refused"
            else:
                state = "told" if said else "wrong"
            if state == "wrong":
                given = os.path.join(folder, "inputs")
                os.makedirs(given, exist_ok=True)
                taken = {value.name for value in model.graph.input}
                arrays = {value.name: array_of(array) for value, array in zip(case.model.graph.input, feeds[0])
                          if value.name in taken}
                np.savez(os.path.join(given, "inputs.npz"), **arrays)
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    again = run(case, model, feeds, folder, half_difference, compute_precision="float16",
                                check_inputs=given)
                if again.state in ("passed", "refused") or any("float16" in str(one.message) for one in caught):
                    state = "unseen"
            found[state].append(f"{case.name}: {outcome.reason}" if outcome.reason else case.name)
    return found


def run_all(only: str = "", progress=None) -> List[Result]:
    cases = load_tests()
    by_name = {case.name: case for case in cases}
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            if not case.name.startswith(only):
                continue
            outside = outside_of_core_ml(case)
            chosen = [] if outside else frozen_inputs(case, by_name)
            outcomes = {}
            if not outside:
                feeds = case.data_sets[0]
                outcomes["unaltered"] = run(case, case.model, feeds, folder)
                outcomes["frozen"] = outcomes["unaltered"]
                if chosen:
                    outcomes["frozen"] = run(case, freeze(case.model, feeds[0], chosen), feeds, folder)
            results.append(Result(case.name, operator_of(case), outside, chosen, outcomes))
            if progress:
                progress(results[-1])
    return results


def counts(results) -> Dict[str, collections.Counter]:
    table = {}
    for mode in MODES:
        table[mode] = collections.Counter(one.outcomes[mode].state for one in results if not one.outside)
    return table


def document(results) -> str:
    """docs/onnx-coverage.md."""
    inside = [one for one in results if not one.outside]
    lines = [
        "# ONNX coverage", "",
        f"ONNX's own node tests (`onnx` {onnx.__version__}, opset {onnx.defs.onnx_opset_version()}), converted for {TARGET}, run and",
        "compared with the outputs that come with them. This file is written by `tests/oracle/onnx_node_tests.py --write`;",
        "`python/tests/test_onnx_nodes.py` fails when it does not say what the tests do.", "",
        f"Of {len(results)} tests, {len(inside)} can be expressed in Core ML.", "",
        "| mode | passed | share | refused | invalid | disputed | wrong |", "|---|---|---|---|---|---|---|",
    ]
    for mode, states in counts(results).items():
        share = 100 * states["passed"] / max(len(inside), 1)
        lines.append(f"| {mode} | {states['passed']} | {share:.1f} % | {states['refused']} | "
                     f"{states['invalid']} | {states['disputed']} | {states['wrong']} |")
    lines += ["", "*Unaltered*: the model as it is. *Frozen*: inputs that an ML Program takes only as constants (axes, shapes, `k`,",
              "pads, the weights of recurrent layers ...) are initializers, as exporters write them. *Disputed*: the expected outputs are",
              "not those of ONNX Runtime, which Anemone gives. Tolerances are ONNX's, but 2e-3 for half precision, and 1e-6 of the",
              "largest value where terms cancel.", "",
              "## What Core ML does not have", "", "| reason | tests |", "|---|---|"]
    for reason, number in sorted(collections.Counter(one.outside for one in results if one.outside).items()):
        lines.append(f"| {reason} | {number} |")
    for mode in reversed(MODES):
        groups = collections.defaultdict(list)
        for one in inside:
            outcome = one.outcomes[mode]
            if outcome.state == "passed":
                continue
            if mode == "unaltered" and one.outcomes["frozen"] == outcome:
                continue
            groups[(one.op, outcome.state, plain(outcome.reason))].append(one.name)
        title = "Not passed when frozen" if mode == "frozen" else "Passed only when frozen, or refused differently"
        lines += ["", f"## {title}", ""]
        for (op, state, reason), names in sorted(groups.items()):
            lines.append(f"- **{op}**, {state}: {reason}")
            lines.append(f"  {', '.join(name.removeprefix('test_') for name in names)}")
    return "\n".join(lines) + "\n"


def plain(reason: str) -> str:
    """The reason without the node's number and name, so that equal ones group."""
    import re

    text = re.sub(r"^\S+ \(opset \d+\), node \d+ (making '[^']*'|\S*): ", "", reason)
    return text.replace("|", "\\|")


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="tests whose name begins so")
    parser.add_argument("--write", action="store_true", help="write docs/onnx-coverage.md")
    parser.add_argument("--float16", action="store_true", help="convert to float16 instead, and list what is not right")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each test that does not pass")
    options = parser.parse_args(arguments)

    if options.float16:
        found = run_float16(options.only)
        for state, names in found.items():
            print(f"float16 {state}: {len(names)}")
            for name in names if state != "right" else []:
                print(f"  {name}")
        return 1 if found["wrong"] else 0

    def say(one):
        for mode, outcome in one.outcomes.items():
            if outcome.state != "passed":
                print(f"{one.name} [{mode}] {outcome.state}: {outcome.reason}", flush=True)

    results = run_all(options.only, say if options.verbose else None)
    for mode, states in counts(results).items():
        print(mode, dict(states), f"of {sum(states.values())}")
    if options.write:
        DOCUMENT.write_text(document(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
