"""The tools: what the command does with whole models, as functions that return the document it prints with --json."""

import json
import sys
from typing import Any, Callable, Dict, Optional

from . import _anemone
from ._errors import path_of
from ._options import encode, takes

Progress = Optional[Callable[[str, int, int], Any]]


def _run(tool, options: Dict[str, Any], progress: Progress) -> Dict[str, Any]:
    return json.loads(tool(encode(options), progress))


def _paths(value) -> list:
    """One path, or several."""
    several = value if isinstance(value, (list, tuple, set)) else [value]
    return [path_of(path) for path in several]


@takes("gate")
def gate(models=(), *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Judges models against a policy: what `anemone gate --json` prints.

    `models` is one package, a folder of them, an .onnx file or a catalog name, or a list of those. A model that fails
    is not an error: look at "verdict" and "exit_code".

    `progress` is called with the stage and how much of it is done, of how much (0: nothing is counted). Ctrl-C ends the
    call and raises KeyboardInterrupt. Both hold for all tools.
    """
    return _run(_anemone.gate, {"models": _paths(models), **options}, progress)


@takes("matrix")
def matrix(record, **options) -> Dict[str, Any]:
    """The table of devices and variants of run records, and its page in the folder `output`: `anemone matrix --json`."""
    return _run(_anemone.matrix, {"record": _paths(record), **options}, None)


@takes("lab")
def lab(model, output, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Sweeps compressed variants of a model and searches the smallest within a loss: what `anemone lab --json` prints.

    lab.html, lab.json, lab.sqlite and chosen.json go into the folder `output`. That no variant is within max_drop is
    not an error: "chosen" is None then.
    """
    if options.get("ray"):
        options.setdefault("python", sys.executable)
    return _run(_anemone.lab, {"model": model, "output": output, **options}, progress)


@takes("compare")
def compare(reference, variant, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Compares the outputs of two models: what `anemone compare --json` prints.

    Outputs that differ are not an error: look at "passed".
    """
    return _run(_anemone.compare, {"reference": reference, "variant": variant, **options}, progress)


@takes("evaluate")
def evaluate(model, images, labels, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Top-1 and top-5 of a classifier over labeled photographs: what `anemone eval --json` prints."""
    return _run(_anemone.evaluate, {"model": model, "images": images, "labels": labels, **options}, progress)


@takes("bench")
def bench(model, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Measures latency: what `anemone bench --json` prints."""
    return _run(_anemone.bench, {"model": model, **options}, progress)


@takes("placement")
def placement(model, reports, **options) -> Dict[str, Any]:
    """What Core ML planned on a real machine beside what we predict: what `anemone placement score --json` prints.

    `reports` is one plan, or several.
    """
    return _run(_anemone.placement, {"model": model, "reports": _paths(reports), **options}, None)


@takes("doctor")
def doctor(model="", **options) -> Dict[str, Any]:
    """What this machine can do, and what stands in a model's way on Apple's: what `anemone doctor --json` prints."""
    return _run(_anemone.doctor, {"model": model, **options}, None)


@takes("compile")
def compile(model, output="", **options) -> Dict[str, Any]:
    """Writes what an app ships, an .mlmodelc, without a Mac: what `anemone compile --json` prints.

    "unconfirmed" lists what no public output of Apple's compiler shows.
    """
    return _run(_anemone.compile, {"model": model, "output": output, **options}, None)


@takes("inspect")
def inspect(model, **options) -> Dict[str, Any]:
    """What a model holds, and with `placement` where it would run: what `anemone inspect --json` prints."""
    return _run(_anemone.inspect, {"model": model, **options}, None)


@takes("view")
def view(model, output, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Writes the model's graph as one page for a browser; the page's data: what `anemone view --json` prints."""
    return _run(_anemone.view, {"model": model, "output": output, **options}, progress)


@takes("run")
def run(model, **options) -> Dict[str, Any]:
    """One or more inferences through a session: what `anemone run --json` prints. For the outputs as arrays there is
    Session."""
    return _run(_anemone.run, {"model": model, **options}, None)


@takes("serve")
def serve(model, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Serves a model over HTTP until Ctrl-C: `anemone serve`.

    `progress` is told "serving at URL" when requests are answered. What has arrived is answered before KeyboardInterrupt,
    or what else `progress` or a handler of signals raises, comes out of the call.
    """
    return _run(_anemone.serve, {"model": model, **options}, progress)


@takes("convert_file")
def convert_file(model, output="", *, progress: Progress = None, **options) -> Dict[str, Any]:
    """From a model to an ML Program with its manifest beside it: what `anemone convert --json` prints."""
    return _run(_anemone.convert_file, {"model": model, "output": output, **options}, progress)


@takes("compress_file")
def compress_file(model, output, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """From a model to a compressed package with its manifest beside it: what `anemone compress --json` prints."""
    return _run(_anemone.compress_file, {"model": model, "output": output, **options}, progress)


@takes("demo")
def demo(*, progress: Progress = None, **options) -> Dict[str, Any]:
    """The whole job on the catalog models: what `anemone demo --json` prints. Look at "missed"."""
    return _run(_anemone.demo, options, progress)


@takes("fetch")
def fetch(name, *, progress: Progress = None, **options) -> Dict[str, Any]:
    """Downloads a catalog model or a URL into the cache: what `anemone fetch --json` prints."""
    return _run(_anemone.fetch, {"name": name, **options}, progress)


def catalog() -> Dict[str, Any]:
    """The catalog of models: what `anemone fetch --list --json` prints."""
    return json.loads(_anemone.catalog())


@takes("cache_list")
def cache_list(**options) -> Dict[str, Any]:
    """What is kept between processes: what `anemone cache ls --json` prints."""
    return _run(_anemone.cache_list, options, None)


@takes("cache_clear")
def cache_clear(name="", **options) -> Dict[str, Any]:
    """Deletes what is not in use, or the downloads of one model or URL: what `anemone cache clear --json` prints."""
    return _run(_anemone.cache_clear, {"name": name, **options}, None)


@takes("cache_verify")
def cache_verify(*, progress: Progress = None, **options) -> Dict[str, Any]:
    """Reads all downloads again and checks them: what `anemone fetch --verify --json` prints. Look at "problems"."""
    return _run(_anemone.cache_verify, options, progress)
