"""InferenceSession: onnxruntime's way to a model, over anemone.load and Model.predict."""

import math
import os
import tempfile
import threading
import warnings
from collections import OrderedDict
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from .. import Model, load
from .._errors import Error
from . import _header
from ._options import RunOptions, SessionOptions
from ._values import IOBinding, OrtValue
from .capi.onnxruntime_pybind11_state import InvalidArgument, InvalidGraph, NoSuchFile, NotImplemented, RuntimeException
from .capi.onnxruntime_pybind11_state import of_error

# Models for shapes that were met, each with its plan.
_KEPT_MODELS = 16
# Integers that a graph decides by (a sampling rate, a switch) have few elements.
_FEW = 4


class NodeArg(NamedTuple):
    name: str
    shape: List[_header.Dim]
    type: str


class ModelMetadata(NamedTuple):
    producer_name: str
    graph_name: str
    domain: str
    description: str
    graph_description: str
    version: int
    custom_metadata_map: Dict[str, str]


class _Ready(NamedTuple):
    """A model for some shapes, with what its inputs and outputs are called in it."""

    model: Model
    inputs: Dict[str, str]
    outputs: Dict[str, str]


def _header_of_model(model: Model) -> _header.Header:
    """Of a model that is no ONNX file."""
    by_dtype = {dtype: name for name, dtype in _header.ELEMENTS.values() if dtype}

    def info(feature):
        dtype = "float32" if feature.dtype == "image" else feature.dtype
        kind = f"tensor({by_dtype[dtype]})" if dtype in by_dtype else dtype
        return _header.ValueInfo(feature.name, kind, dtype if dtype in by_dtype else "",
                                 [size if size >= 0 else None for size in feature.shape])

    metadata = model.inspect()["metadata"]
    return _header.Header([info(each) for each in model.inputs], [], [info(each) for each in model.outputs], "", "", "",
                          metadata["description"], "", 0, dict(metadata["user_defined"]))


def _providers(providers, provider_options) -> List[str]:
    from . import get_available_providers

    available = get_available_providers()
    if providers is None:
        return available
    names = []
    for each in providers:
        name = each[0] if isinstance(each, tuple) else each
        if not isinstance(name, str):
            raise ValueError("'providers' values must be either strings or (string, dict) tuples.")
        if name not in available:
            warnings.warn(f"Specified provider '{name}' is not in available provider names."
                          f"Available providers: '{', '.join(available)}'", stacklevel=3)
        elif name not in names:
            names.append(name)
    if "CPUExecutionProvider" not in names:
        names.append("CPUExecutionProvider")
    return names


class InferenceSession:
    """A model that is ready to run; any number of threads may run it at once.

    `path_or_bytes`: an ONNX file or its bytes, or any other file that anemone.load takes. A model with open dimensions
    takes any size; where the conversion needs to know a size, it is made once for each size that is met, and the last 16
    are kept.
    """

    def __init__(self, path_or_bytes: Union[str, bytes, "os.PathLike[str]"], sess_options: Optional[SessionOptions] = None,
                 providers: Optional[Sequence[Any]] = None, provider_options: Optional[Sequence[Dict[Any, Any]]] = None,
                 **kwargs: Any):
        self._options = sess_options if sess_options is not None else SessionOptions()
        self._options._check()
        self._provider_names = _providers(providers, provider_options)
        self._temporary: Optional[tempfile.TemporaryDirectory] = None
        self._lock = threading.Lock()
        self._by_shapes: "OrderedDict[Any, _Ready]" = OrderedDict()
        self._any_size: Optional[_Ready] = None
        self._problem: Optional[Exception] = None
        self._path = self._path_of(path_or_bytes)
        self._onnx = self._temporary is not None or self._path.endswith(".onnx")
        if self._onnx:
            self._header = (_header.read_header(path_or_bytes, "bytes") if isinstance(path_or_bytes, bytes)
                            else _header.read_header_of_file(self._path))
            self._check_kinds()
        self._open()

    def _path_of(self, path_or_bytes) -> str:
        if isinstance(path_or_bytes, bytes):
            self._temporary = tempfile.TemporaryDirectory(prefix="anemone-ort-")
            path = os.path.join(self._temporary.name, "model.onnx")
            with open(path, "wb") as file:
                file.write(path_or_bytes)
            return path
        if not isinstance(path_or_bytes, (str, os.PathLike)):
            raise TypeError(f"Unable to load from type '{type(path_or_bytes)}'")
        path = os.fspath(path_or_bytes)
        if not os.path.exists(path):
            raise NoSuchFile.of(f"Load model from {path} failed:Load model {path} failed. File doesn't exist")
        if path.endswith(".ort"):
            raise NotImplemented.of(f"Load model from {path}: the ORT format is not read; give the .onnx file")
        return path

    def _check_kinds(self) -> None:
        """Refuses what is no tensor of numbers, by name."""
        for what, infos in (("input", self._header.inputs), ("output", self._header.outputs)):
            for info in infos:
                if not info.dtype:
                    raise NotImplemented.of(f"the {what} '{info.name}' is {info.type}; only tensors of numbers are supported")

    # --- Models for the shapes that are met.

    def _load(self, shapes: Mapping[str, Any], values: Mapping[str, Any]) -> _Ready:
        options: Dict[str, Any] = {}
        if self._options.intra_op_num_threads:
            options["threads"] = int(self._options.intra_op_num_threads)
        if "CoreMLExecutionProvider" in self._provider_names[:1]:
            options["backend"] = "coreml"
        if shapes:
            options["input_shapes"] = dict(shapes)
        if values:
            options["input_value"] = [f"{name}={value}" for name, value in values.items()]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # notes for a conversion, of which none is kept here
            try:
                model = load(self._path, **options)
            except Error as error:
                raise of_error(error, loading=True) from error
        names = model.inspect()["metadata"]["user_defined"] if self._onnx else {}

        def by_original(features):
            return {names.get(f"onnx.name.{each.name}", each.name): each.name for each in features}

        return _Ready(model, by_original(model.inputs), by_original(model.outputs))

    def _size_of(self, dim: _header.Dim) -> _header.Dim:
        return self._options._free_dimensions.get(dim, dim) if isinstance(dim, str) else dim

    def _open(self) -> None:
        if not self._onnx:
            self._any_size = self._load({}, {})
            self._header = _header_of_model(self._any_size.model)
            return
        shapes = {}
        for info in self._header.inputs:
            sizes = [self._size_of(dim) for dim in info.shape or []]
            if info.shape is not None and any(not isinstance(size, int) for size in sizes):
                shapes[info.name] = [size if isinstance(size, int) else "?" for size in sizes]
        known = all(info.shape is not None for info in self._header.inputs)
        try:
            self._any_size = self._load(shapes, {}) if known else None
        except (InvalidGraph, NotImplemented, InvalidArgument) as problem:
            # What the sizes or the values of small inputs decide is known when it is run.
            self._problem = problem
            if not shapes and not self._switches(None):
                raise

    def _switches(self, feeds: Optional[Mapping[str, np.ndarray]]) -> List[str]:
        """The inputs that are few integers: with feeds, by what was fed; else by what is declared."""
        found = []
        for info in self._header.inputs:
            if np.dtype(info.dtype).kind not in "iub":
                continue
            shape: Sequence[_header.Dim] = feeds[info.name].shape if feeds is not None else info.shape or []
            sizes = [size for size in shape if isinstance(size, int)]
            if len(sizes) == len(shape) and math.prod(sizes) <= _FEW:
                found.append(info.name)
        return found

    def _for(self, feeds: Mapping[str, np.ndarray]) -> _Ready:
        """The model that is made for these shapes, and if need be for the values of the small integer inputs."""
        shapes = {name: list(array.shape) for name, array in feeds.items() if array.ndim}
        switches = self._switches(feeds)
        key = (tuple((name, array.shape) for name, array in sorted(feeds.items())),
               tuple((name, feeds[name].tobytes()) for name in switches))
        with self._lock:
            if key in self._by_shapes:
                self._by_shapes.move_to_end(key)
                return self._by_shapes[key]
            try:
                ready = self._load(shapes, {})
            except (InvalidGraph, NotImplemented, InvalidArgument):
                if not switches:
                    raise
                texts = {name: str(feeds[name].tolist()).replace(" ", "") for name in switches}
                ready = self._load({name: shape for name, shape in shapes.items() if name not in switches}, texts)
            self._by_shapes[key] = ready
            while len(self._by_shapes) > _KEPT_MODELS:
                self._by_shapes.popitem(last=False)
            return ready

    # --- What a script asks.

    def get_inputs(self) -> List[NodeArg]:
        return [NodeArg(info.name, list(info.shape or []), info.type) for info in self._header.inputs]

    def get_outputs(self) -> List[NodeArg]:
        return [NodeArg(info.name, list(info.shape or []), info.type) for info in self._header.outputs]

    def get_overridable_initializers(self) -> List[NodeArg]:
        return [NodeArg(info.name, list(info.shape or []), info.type) for info in self._header.overridable]

    def get_modelmeta(self) -> ModelMetadata:
        header = self._header
        return ModelMetadata(header.producer_name, header.graph_name, header.domain, header.description,
                             header.graph_description, header.version, dict(header.custom))

    def get_session_options(self) -> SessionOptions:
        return self._options

    def get_providers(self) -> List[str]:
        return list(self._provider_names)

    def get_provider_options(self) -> Dict[str, Dict[str, str]]:
        return {name: {} for name in self._provider_names}

    def set_providers(self, providers=None, provider_options=None) -> None:
        self._provider_names = _providers(providers, provider_options)
        self._by_shapes.clear()
        self._open()

    def disable_fallback(self) -> None:
        """Has no effect: nothing falls back to another provider here."""

    def enable_fallback(self) -> None:
        """Has no effect: nothing falls back to another provider here."""

    def end_profiling(self) -> str:
        raise NotImplemented.of("end_profiling: use `anemone bench MODEL --export-profile trace.json`")

    # --- Running.

    def run(self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, Any],
            run_options: Optional[RunOptions] = None) -> List[np.ndarray]:
        """The named outputs in that order, or all of them in the model's order."""
        if run_options is not None and run_options.terminate:
            raise RuntimeException.of("Exiting due to terminate flag being set to true.")
        feeds = self._feeds(input_feed)
        declared = {info.name: info for info in self._header.outputs}
        names = list(output_names) if output_names else list(declared)
        for name in names:
            if name not in declared:
                raise InvalidArgument.of(f"Invalid output name:{name}")
        outputs = self._predict(feeds)
        return [self._as_declared(outputs[name], declared[name]) for name in names]

    def _feeds(self, input_feed: Mapping[str, Any]) -> Dict[str, np.ndarray]:
        wanted = {info.name: info for info in self._header.inputs}
        missing = [name for name in wanted if name not in input_feed]
        if missing:
            raise ValueError(f"Required inputs ({missing}) are missing from input feed ({list(input_feed)}).")
        feeds = {}
        for name, value in input_feed.items():
            if name not in wanted:
                if name in [info.name for info in self._header.overridable]:
                    raise NotImplemented.of(f"the input '{name}' has a value in the model, which cannot be replaced")
                raise InvalidArgument.of(f"Invalid Feed Input Name:{name}")
            info = wanted[name]
            array = value._array if isinstance(value, OrtValue) else np.asarray(value)
            if info.dtype and array.dtype != np.dtype(info.dtype):
                if not isinstance(value, (list, tuple, int, float, bool)):
                    raise InvalidArgument.of(f"Unexpected input data type. Actual: (tensor({array.dtype})) , expected: "
                                             f"({info.type}): input '{name}'")
                array = array.astype(info.dtype)
            self._check_shape(info, array)
            feeds[name] = array
        return feeds

    def _check_shape(self, info: _header.ValueInfo, array: np.ndarray) -> None:
        if info.shape is None or not self._onnx:
            return
        if array.ndim != len(info.shape):
            raise InvalidArgument.of(f"Invalid rank for input: {info.name} Got: {array.ndim} Expected: {len(info.shape)} "
                                     "Please fix either the inputs/outputs or the model.")
        wrong = [f" index: {at} Got: {got} Expected: {size}" for at, (got, dim) in enumerate(zip(array.shape, info.shape))
                 for size in [self._size_of(dim)] if isinstance(size, int) and got != size]
        if wrong:
            raise InvalidArgument.of(f"Got invalid dimensions for input: {info.name} for the following indices\n"
                                     + "\n".join(wrong) + "\n Please fix either the inputs/outputs or the model.")

    def _predict(self, feeds: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        ready = self._any_size
        if ready is not None:
            try:
                return self._predict_with(ready, feeds)
            except InvalidArgument:
                if not self._onnx or all(isinstance(dim, int) for info in self._header.inputs for dim in info.shape or []):
                    raise
        # A size beyond the range of the model for any size, or one that the conversion must know.
        try:
            return self._predict_with(self._for(feeds), feeds)
        except (InvalidGraph, NotImplemented) as problem:
            raise problem from self._problem

    @staticmethod
    def _predict_with(ready: _Ready, feeds: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        # A scalar is a vector of one element in the converted model.
        inputs = {ready.inputs[name]: array.reshape(1) if array.ndim == 0 else array
                  for name, array in feeds.items() if name in ready.inputs}
        try:
            outputs = ready.model.predict(inputs)
        except Error as error:
            raise of_error(error, loading=False) from error
        return {name: outputs[inner] for name, inner in ready.outputs.items()}

    @staticmethod
    def _as_declared(value: Any, info: _header.ValueInfo) -> Any:
        """In the dtype and rank that the model declares: in the converted one, int64 is int32, and a scalar a vector."""
        if not isinstance(value, np.ndarray) or not info.dtype:
            return value
        if info.shape == [] and value.size == 1:
            value = value.reshape(())
        return value.astype(info.dtype, copy=False)

    def run_async(self, output_names, input_feed, callback: Callable, user_data, run_options=None) -> None:
        """Calls callback(results, user_data, error) from a thread of its own; `error` is empty when all went well."""

        def work():
            try:
                results, problem = self.run(output_names, input_feed, run_options), ""
            except Exception as error:  # noqa: BLE001 - the callback is told of any
                results, problem = [], str(error)
            callback(results, user_data, problem)

        threading.Thread(target=work, daemon=True).start()

    def run_with_ort_values(self, output_names, input_dict_ort_values: Mapping[str, OrtValue],
                            run_options=None) -> List[OrtValue]:
        return [OrtValue(np.asarray(array)) for array in self.run(output_names, input_dict_ort_values, run_options)]

    def io_binding(self) -> IOBinding:
        return IOBinding(self)

    def run_with_iobinding(self, iobinding: IOBinding, run_options=None) -> None:
        if iobinding._session is not self:
            raise ValueError("IOBinding must be used with the session that created it.")
        iobinding._run(run_options)

    def __reduce__(self) -> Tuple[Any, ...]:
        raise TypeError("an InferenceSession is not pickled; make one in each process, from the model's file")
