"""Anemone: convert, compress, inspect and run Core ML models on Linux and macOS.

    import anemone
    model = anemone.load("fastvit_t8.mlpackage")      # or .onnx, .pt2, .mlmodel, .mlmodelc, or a catalog name
    outputs = model.predict({"image": x})             # dict of NumPy arrays
    anemone.convert("model.onnx", compute_precision="float16").save("model.mlpackage")
    anemone.convert("model.pt2"); anemone.convert(module, example_inputs=(x,))        # PyTorch
    anemone.gate("model.mlpackage")["verdict"]        # and a function for each of the command's other tools

Every failure raises anemone.Error, which carries code, place and advice. Models may be used from several threads; the
interpreter's lock is released while the library works.
"""

import json
import threading
import warnings
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import _anemone, _torch
from ._errors import Error, by_text, checked, not_pickled, path_of, usage
from ._images import image_of, is_image, pixels
from ._options import by_name, encode, split, takes
from ._feature_model import FeatureModel
from ._tools import (bench, cache_clear, cache_list, cache_verify, catalog, compare, compile, compress_file,
                     convert_file, demo, doctor, evaluate, fetch, gate, inspect, lab, matrix, placement, run,
                     serve, view)

__all__ = ["Error", "Feature", "FeatureModel", "Model", "Session", "State", "bench", "cache_clear", "cache_list",
           "cache_verify", "catalog", "compare", "compile", "compress", "compress_file", "convert", "convert_file",
           "demo", "doctor", "evaluate", "fetch", "gate", "inspect", "lab", "load", "matrix", "placement", "run",
           "serve", "view", "__version__"]

__version__ = _anemone.version()

State = _anemone.State


class Feature(NamedTuple):
    """One input, output or state. `dtype` is NumPy's name, "image", or of a classifier's outputs "string" or "int64"
    (the label) and "dictionary" (the probabilities). `shape` is the default one of a feature whose shape may change; a
    dimension of any size is -1. `color` says what the channels of an image are: "rgb", "bgr", "gray", "gray_float16"."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    color: str = ""
    optional: bool = False


def _offers_dlpack(value) -> bool:
    """Whether it is an array of another library (PyTorch, JAX, CuPy ...), which shares its memory by DLPack. NumPy's own
    are taken as they are."""
    return hasattr(value, "__dlpack__") and not isinstance(value, (np.ndarray, np.generic))


def _state(state):
    return state if state is None else checked(state, State, "state", "what make_state() returns")


class Model:
    """A loaded model. Make one with load(), convert() or compress()."""

    __reduce_ex__ = not_pickled

    def __init__(self, handle):
        self._handle = handle
        self._image_inputs = {each.name: each.color for each in self.inputs if each.dtype == "image"}

    @property
    def inputs(self) -> List[Feature]:
        return [Feature(*fields) for fields in self._handle.inputs()]

    @property
    def outputs(self) -> List[Feature]:
        return [Feature(*fields) for fields in self._handle.outputs()]

    @property
    def states(self) -> List[Feature]:
        """What a stateful model keeps between predictions."""
        return [Feature(*fields) for fields in self._handle.states()]

    def predict(self, inputs: Dict[str, Any], state: Optional["State"] = None, *,
                images: bool = False) -> Dict[str, Any]:
        """Runs the model. `inputs` holds arrays by name, NumPy's or what shares its memory by DLPack (a tensor of PyTorch):
        such memory is read where it is when it is contiguous. An image input also takes a PIL image. Optional inputs may
        be left out.

        Half-precision outputs come as float32. A classifier's label is its name (or integer), and its probabilities
        are a dict by label. With `images`, image outputs come as PIL images.
        """
        outputs = self._handle.predict(self._arrays(inputs), _state(state))
        return self._with_images(outputs) if images else outputs

    def _arrays(self, inputs: Dict[str, Any]) -> Dict[str, np.ndarray]:
        arrays = {}
        for name, value in by_text(inputs).items():
            if name in self._image_inputs and is_image(value):
                value = pixels(value, self._image_inputs[name])
            try:
                array = np.from_dlpack(value) if _offers_dlpack(value) else np.asarray(value)
            except (BufferError, RuntimeError, TypeError, ValueError) as problem:
                raise usage(f"it is not an array: {problem}", f"input {name}",
                            "give an array in the memory of the CPU, without gradients") from None
            if array.dtype.kind not in "biuf":
                raise usage(f"an array of {array.dtype} is not a tensor of numbers", f"input {name}",
                            "use float32, float16, int32, int16, int8, uint8, uint16 or bool")
            arrays[name] = array if array.ndim == 0 else np.ascontiguousarray(array)
        return arrays

    def _with_images(self, outputs: Dict[str, Any]) -> Dict[str, Any]:
        for feature in self.outputs:
            if feature.dtype == "image" and feature.name in outputs:
                outputs[feature.name] = image_of(feature.name, outputs[feature.name], feature.color)
        return outputs

    def make_state(self) -> "State":
        """A fresh state for a stateful model, to be passed to each predict(): all zero. Its values are read and written
        by name."""
        return self._handle.make_state()

    @takes("convert")
    def convert(self, *positional, **options) -> "Model":
        """A copy made an ML Program for a target. A warning tells what float16 needs or loses."""
        handle = self._handle.convert(encode(by_name("convert", positional, options)))
        for note in handle.notes():
            warnings.warn(note, stacklevel=3)
        return Model(handle)

    @takes("compress")
    def compress(self, *positional, **options) -> "Model":
        """A compressed copy. A warning tells what float16 needs or loses."""
        handle = self._handle.compress(encode(by_name("compress", positional, options)))
        known = self._handle.notes()
        for note in handle.notes():
            if note not in known:
                warnings.warn(note, stacklevel=3)
        return Model(handle)

    def save(self, path) -> None:
        """Writes an .mlpackage; an existing one is replaced as a whole or left as it was."""
        self._handle.save(path_of(path))

    def inspect(self, operators: bool = False, weights: bool = False) -> Dict[str, Any]:
        """What `anemone inspect --json` prints, as a dict."""
        return json.loads(self._handle.inspect_json(bool(operators), bool(weights)))

    def placement(self, chip: str = "m4", compute_units: str = "all") -> Dict[str, Any]:
        """Where each operator would run on a chip, and why: what `anemone inspect --placement --json` says of one chip.
        An estimate, made without the chip."""
        checked(chip, str, "chip", "text")
        checked(compute_units, str, "compute_units", "text")
        return json.loads(self._handle.placement_json(chip, compute_units))[0]

    def structure(self) -> Dict[str, Any]:
        """The functions of the program, their operations, and the names that these are bound to."""
        return json.loads(self._handle.structure_json())

    def text(self) -> str:
        """The program as MIL text."""
        return self._handle.text()


@takes("load")
def load(path, **options) -> Model:
    """Loads an .onnx, .pt2, .mlpackage, .mlmodel or .mlmodelc, or a catalog model by name."""
    handle = _anemone.Model.load(path_of(path), encode(options))
    for note in handle.notes():
        warnings.warn(f"{path_of(path)}: {note}", stacklevel=2)
    return Model(handle)


@takes("load", "convert")
def convert(path, example_inputs=None, dynamic_shapes=None, **options) -> Model:
    """Loads a model and makes it an ML Program; call save() on the result.

    `path` may also be a torch.nn.Module, which torch.export exports with `example_inputs` (a tuple of tensors, or a dict
    of keyword arguments) and `dynamic_shapes`, or a torch.export.ExportedProgram.
    """
    loading, converting = split(options, "load", "convert")
    if _torch.is_torch(path):
        program = _torch.export(path, example_inputs, dynamic_shapes)
        loaded = _torch.with_file(program, lambda file: load(file, **loading))
        return loaded.convert(**converting)
    if example_inputs is not None or dynamic_shapes is not None:
        raise usage("only a module of PyTorch is exported", "example_inputs", "leave it out for a file")
    return load(path, **loading).convert(**converting)


@takes("load", "compress")
def compress(path, **options) -> Model:
    """Loads a model and compresses it; call save() on the result."""
    loading, compressing = split(options, "load", "compress")
    return load(path, **loading).compress(**compressing)


class Session:
    """A model that serves: any number of threads may call it at once, a backend that fails is replaced by the next one
    for the same call, and what happened is counted.

        session = anemone.Session("model.mlpackage", fallback=True)
        outputs = session.predict({"image": x})
        session.last_report["backend"]                     # who answered this thread's last call
    """

    __reduce_ex__ = not_pickled

    @takes("session")
    def __init__(self, model, *, load_options: Optional[Dict[str, Any]] = None, **options):
        """`model`: a Model, or what load() takes, loaded with `load_options`."""
        self._model = model if isinstance(model, Model) else load(model, **(load_options or {}))
        self._handle = _anemone.Session.open(self._model._handle, encode(options))
        self._last = threading.local()

    def predict(self, inputs: Dict[str, Any], state: Optional["State"] = None, *,
                images: bool = False) -> Dict[str, Any]:
        """As Model.predict()."""
        outputs, self._last.report = self._handle.predict(self._model._arrays(inputs), _state(state))
        return self._model._with_images(outputs) if images else outputs

    def make_state(self) -> "State":
        """As Model.make_state()."""
        return self._model.make_state()

    def run(self, output_names: Optional[Sequence[str]], feeds: Dict[str, Any]) -> List[np.ndarray]:
        """As onnxruntime's: the named outputs in that order, or all of them in the model's order."""
        outputs = self.predict(feeds)
        names = output_names if output_names is not None else [feature.name for feature in self._model.outputs]
        missing = [name for name in names if name not in outputs]
        if missing:
            raise Error(f"there is no output {', '.join(missing)}", "usage", 2, "", f"there are {', '.join(outputs)}")
        return [outputs[name] for name in names]

    def get_inputs(self) -> List[Feature]:
        return self._model.inputs

    def get_outputs(self) -> List[Feature]:
        return self._model.outputs

    def get_states(self) -> List[Feature]:
        return self._model.states

    @property
    def last_report(self) -> Dict[str, Any]:
        """Who answered this thread's last call: backend, attempts, fallback_reason, circuit_state and so on."""
        return getattr(self._last, "report", {})

    @property
    def state(self) -> str:
        """"loading", "compiling", "warming", "ready" or "failed"."""
        return self._handle.state()

    def wait_ready(self, timeout_s: float = 600) -> str:
        return self._handle.wait_ready(int(timeout_s * 1000))

    def telemetry(self) -> Dict[str, Any]:
        """The counts so far (schema anemone.telemetry)."""
        return json.loads(self._handle.telemetry_json())

    def should_fall_back_to_cpu(self) -> bool:
        return self._handle.should_fall_back_to_cpu()
