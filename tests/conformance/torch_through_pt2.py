"""A pytest plug-in: coremltools' own tests of its PyTorch front end, through .pt2 and Anemone.

    PT2_SAMPLE=0.05 python -m pytest -p torch_through_pt2 --pyargs coremltools.converters.mil.frontend.torch.test

Each module that a test hands to TorchBaseTest.run_compare_torch is exported with torch.export, saved, and run with
`anemone run`; the outputs are compared with PyTorch's. A test ends there: what it says of coremltools' own program is
not looked at. Modules that torch.export does not take are skipped, with what it says.

  PT2_SAMPLE   the share of the tests to run, chosen by the hash of their names (1: all)
  ANEMONE      the command (default: build/release/anemone)
  PT2_REPORT   a file that gets one line of JSON for each test

One test of each set of parameters is run: those that differ only in the backend, the compute unit or the front end ask
the same of Anemone.
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import warnings
import zlib

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("ANEMONE", str(ROOT / "build" / "release" / "anemone"))
SAMPLE = float(os.environ.get("PT2_SAMPLE", "1"))
REPORT = os.environ.get("PT2_REPORT", "")
ALIKE = ("backend", "compute_unit", "frontend", "minimum_deployment_target", "converter")
COUNTS = {}


class Passed(Exception):
    """The comparison held; the rest of the test is about coremltools."""


def _tensors(torch, values):
    return [each for each in torch.utils._pytree.tree_flatten(values)[0] if isinstance(each, torch.Tensor)]


def _array(tensor):
    array = tensor.detach().cpu()
    if array.dtype.is_floating_point:
        array = array.float()
    array = array.numpy()
    if array.dtype == np.bool_ or array.dtype.kind in "iu":
        array = array.astype(np.int32)
    return array.reshape(array.shape or (1,))


def _export(torch, model, inputs, dynamic_shapes):
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            return torch.export.export(model, inputs, dynamic_shapes=dynamic_shapes, strict=False)
        except Exception as error:
            pytest.skip(f"not exported: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}")


def _run(torch, program, inputs, folder):
    try:
        torch.export.save(program, folder / "model.pt2")
    except NotImplementedError as error:  # types of results that this PyTorch cannot write
        pytest.skip(f"not saved: {str(error)[:200]}")
    signature = program.graph_signature
    names = [
        spec.arg.name
        for spec in signature.input_specs
        if spec.kind.name == "USER_INPUT" and type(spec.arg).__name__ == "TensorArgument"
    ]
    package = folder / "model.mlpackage"
    made = subprocess.run(
        [COMMAND, "convert", str(folder / "model.pt2"), "-o", str(package), "--minimum-deployment-target", "iOS18"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if made.returncode != 0:
        pytest.fail(f"convert: {made.stderr.strip()}", pytrace=False)
    arguments = [COMMAND, "run", str(package), "--output-dir", str(folder / "out")]
    for name, value in zip(names, _tensors(torch, inputs)):
        np.save(folder / f"{name}.npy", _array(value))
        arguments += ["--input", f"{name}={folder / (name + '.npy')}"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        pytest.fail(f"run: {done.stderr.strip()}", pytrace=False)
    wanted = [
        spec.arg.name
        for spec in signature.output_specs
        if spec.kind.name == "USER_OUTPUT" and type(spec.arg).__name__ == "TensorArgument"
    ]
    taken = set(names)
    outputs = []
    for name in wanted:
        while name in taken:
            name += "_out"
        taken.add(name)
        outputs.append(np.load(folder / "out" / f"{re.sub('[^A-Za-z0-9_]', '_', name)}.npy"))
    return outputs


def _compare(
    torch,
    input_data,
    model,
    expected_results=None,
    atol=1e-4,
    rtol=1e-5,
    input_as_shape=True,
    input_dtype=np.float32,
    rand_range=(-1.0, 1.0),
    torch_export_dynamic_shapes=None,
    **_,
):
    from coremltools.converters.mil.frontend.torch.test import testing_utils

    if input_as_shape:
        input_data = testing_utils.generate_input_data(input_data, rand_range, input_dtype)
    inputs = tuple(input_data) if isinstance(input_data, (list, tuple)) else (input_data,)
    if isinstance(model, torch.jit.ScriptModule):
        pytest.skip("not exported: a TorchScript module")
    model.eval()
    program = _export(torch, model, inputs, torch_export_dynamic_shapes)
    with tempfile.TemporaryDirectory() as name, torch.no_grad():
        copies = torch.utils._pytree.tree_map(lambda each: each.clone() if isinstance(each, torch.Tensor) else each, inputs)
        actual = _run(torch, program, inputs, pathlib.Path(name))
        expected = _tensors(torch, model(*copies))
    halves = (torch.float16, torch.bfloat16)
    half = any(each.dtype in halves for each in _tensors(torch, (inputs, expected, list(model.state_dict().values()))))
    if half:  # PyTorch rounds between the operators, Anemone keeps float32
        atol, rtol = max(atol, 2e-3), max(rtol, 4e-3)
    assert len(actual) == len(expected), f"{len(actual)} outputs, expected {len(expected)}"
    for mine, theirs in zip(actual, expected):
        theirs = _array(theirs)
        assert mine.shape == theirs.shape, f"shape {mine.shape}, expected {theirs.shape}"
        np.testing.assert_allclose(mine, theirs, atol=max(atol, 1e-4), rtol=max(rtol, 1e-4), equal_nan=True)
    raise Passed


def pytest_configure(config):
    import torch
    from coremltools.converters.mil.frontend.torch.test import testing_utils

    def run_compare_torch(input_data, model, *positional, **keywords):
        names = ("expected_results", "atol", "rtol", "input_as_shape", "input_dtype", "backend", "rand_range")
        _compare(torch, input_data, model, **dict(zip(names, positional)), **keywords)

    testing_utils.TorchBaseTest.run_compare_torch = staticmethod(run_compare_torch)


def _key(item):
    """The test and those of its parameters that Anemone's answer depends on."""
    spec = getattr(item, "callspec", None)
    if spec is None:
        return item.nodeid
    rest = sorted((name, str(value)) for name, value in spec.params.items() if name not in ALIKE)
    return f"{item.nodeid.split('[')[0]}{rest}"


def pytest_collection_modifyitems(config, items):
    seen, kept, left = set(), [], []
    for item in items:
        key = _key(item)
        chosen = zlib.crc32(key.encode()) % 10000 < SAMPLE * 10000
        (kept if chosen and key not in seen else left).append(item)
        seen.add(key)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    passed = call.excinfo is not None and call.excinfo.errisinstance(Passed)
    if passed:
        call.excinfo = None
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" and not (report.when == "setup" and report.outcome == "skipped"):
        return
    state = report.outcome
    text = str(report.longrepr)[-400:] if report.longrepr else ""
    if state == "passed" and not passed:
        state = "without comparison"
    file = item.path.name
    COUNTS.setdefault(file, {}).setdefault(state, 0)
    COUNTS[file][state] += 1
    if REPORT:
        with open(REPORT, "a") as lines:
            lines.write(json.dumps({"test": item.nodeid, "state": state, "text": text}) + "\n")


def pytest_terminal_summary(terminalreporter):
    for file, counts in sorted(COUNTS.items()):
        judged = counts.get("passed", 0) + counts.get("failed", 0)
        share = f"{100 * counts.get('passed', 0) / judged:.1f} %" if judged else "-"
        terminalreporter.write_line(f"{file:44} {share:>8}  " + ", ".join(f"{n} {s}" for s, n in sorted(counts.items())))
