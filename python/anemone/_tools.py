"""The tools: what the command does with whole models, as functions that return the document it prints with --json."""

import json
import os
import sys
from typing import Any, Callable, Dict, Optional

from . import _anemone
from ._options import encode, takes

Progress = Optional[Callable[[str, int, int], Any]]


def _run(tool, options: Dict[str, Any], progress: Progress) -> Dict[str, Any]:
    return json.loads(tool(encode(options), progress))


def _paths(value) -> list:
    """One path, or several."""
    several = [value] if isinstance(value, (str, os.PathLike)) else value
    return [os.fspath(path) for path in several]


@takes("gate")
def gate(models=(), *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Judges models against a policy: what `anemone gate --json` prints.

    `models` is one package, a folder of them, an .onnx file or a catalog name, or a list of those. A model that fails
    is not an error: look at "verdict" and "exit_code".

    `progress` is called with the stage and how much of it is done, of how much (0: nothing is counted). Ctrl-C ends the
    call and raises KeyboardInterrupt. Both hold for all tools.
    """
    return _run(_anemone.gate, {"models": _paths(models), **options}, progress)


def matrix(record, *, output="site", policy="") -> Dict[str, Any]:
    """The table of devices and variants of run records, and its page in the folder `output`: `anemone matrix --json`."""
    return _run(_anemone.matrix, {"record": _paths(record), "output": output, "policy": policy}, None)


@takes("lab")
def lab(model, output, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Sweeps compressed variants of a model and searches the smallest within a loss: what `anemone lab --json` prints.

    lab.html, lab.json, lab.sqlite and chosen.json go into the folder `output`. That no variant is within max_drop is
    not an error: "chosen" is None then.
    """
    if options.get("ray"):
        options.setdefault("python", sys.executable)
    return _run(_anemone.lab, {"model": model, "output": output, **options}, progress)


def compare(reference, variant, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Compares the outputs of two models: what `anemone compare --json` prints.

    The options are the command's flags: inputs, seed, samples, per_op, tolerance_linf, tolerance_rmse, min_psnr,
    backend, numerics, threads. Outputs that differ are not an error: look at "passed".
    """
    return _run(_anemone.compare, {"reference": reference, "variant": variant, **options}, progress)


def evaluate(model, images, labels, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Top-1 and top-5 of a classifier over labeled photographs: what `anemone eval --json` prints.

    `images` is a folder, `labels` a CSV file with the columns file and class_index. The options are the command's
    flags: reference, limit, rows, resize, crop, mean, std, interpolation, backend, numerics, function, threads and so on.
    """
    return _run(_anemone.evaluate, {"model": model, "images": images, "labels": labels, **options}, progress)


def bench(model, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Measures latency: what `anemone bench --json` prints.

    The options are the command's flags: iterations, duration, warmup, warmup_time, percentile (a list), against,
    compute_units, export_profile, export_times, input_seed, backend, numerics, function, threads and so on.
    """
    return _run(_anemone.bench, {"model": model, **options}, progress)


def placement(model, reports, **options) -> Dict[str, Any]:
    """What Core ML planned on a real machine beside what we predict: what `anemone placement score --json` prints.

    `reports` is one plan, or several. The options are the command's flags: function, chip, compute_units and those of
    loading.
    """
    return _run(_anemone.placement, {"model": model, "reports": _paths(reports), **options}, None)


def doctor(model="", **options) -> Dict[str, Any]:
    """What this machine can do, and what stands in a model's way on Apple's: what `anemone doctor --json` prints.

    The options are the command's flags: chip, images, samples, no_float16, threads and those of loading.
    """
    return _run(_anemone.doctor, {"model": model, **options}, None)


def compile(model, output, **options) -> Dict[str, Any]:
    """Writes what an app ships, an .mlmodelc, without a Mac: what `anemone compile --json` prints.

    The options are those of loading: weights, seed, input_shapes. "unconfirmed" lists what no public output of Apple's
    compiler shows.
    """
    return _run(_anemone.compile, {"model": os.fspath(model), "output": os.fspath(output), **options}, None)
