"""_MLModelProxy: what coremltools calls where Core ML would be."""

import os
import shutil
import tempfile
import time
import weakref
from typing import Any, Dict, List, Optional

import numpy as np

from anemone import Error

from . import _devices, _executors, _plan, _settings, _sources, _structure


class _MLStateProxy:
    """The states of one conversation with a model, by name."""

    def __init__(self, state):
        self._state = state

    def read_state(self, name: str) -> np.ndarray:
        return self._state.read(name)

    def write_state(self, name: str, value) -> None:
        self._state.write(name, np.ascontiguousarray(value))


class _MLModelAssetProxy:
    """A compiled model; a folder that was made for it goes away with this object."""

    def __init__(self, path: str, temporary: Optional[str] = None):
        self.path = path
        if temporary is not None:
            weakref.finalize(self, shutil.rmtree, temporary, True)


class _MLModelProxy:
    def __init__(self, path, compute_units, function_name="", optimization_hints=None, asset=None):
        begin = time.perf_counter_ns()
        self._asset = asset  # lives as long as this object
        try:
            self._source = _sources.Source(asset.path if asset is not None else path)
            self._executor = _executors.open_executor(self._source.path, compute_units, function_name or "",
                                                      optimization_hints or {})
        except Error:
            raise
        except Exception as problem:
            # coremltools keeps a RuntimeError and raises it when a prediction is asked for.
            raise RuntimeError(f"{type(problem).__name__}: {problem}") from problem
        self._load_ns = time.perf_counter_ns() - begin
        self._predict_ns: Optional[int] = None

    def predict(self, data: Dict[str, Any], state: Optional[_MLStateProxy] = None) -> Dict[str, Any]:
        begin = time.perf_counter_ns()
        outputs = self._executor.predict(data, None if state is None else state._state)
        self._predict_ns = time.perf_counter_ns() - begin
        return outputs

    def batchPredict(self, batch: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
        begin = time.perf_counter_ns()
        outputs = [self._executor.predict(data, None) for data in batch]
        self._predict_ns = time.perf_counter_ns() - begin
        return outputs

    def newState(self) -> _MLStateProxy:
        return _MLStateProxy(self._executor.make_state())

    def get_compiled_model_path(self) -> str:
        return self._source.compiled()

    def get_load_duration_in_nano_seconds(self) -> Optional[int]:
        return self._load_ns

    def get_last_predict_duration_in_nano_seconds(self) -> Optional[int]:
        return self._predict_ns

    @staticmethod
    def compileModel(path: str) -> str:
        return _sources.compile_model(path)

    @staticmethod
    def maximum_supported_specification_version() -> int:
        return _settings.SPECIFICATION_VERSION

    @staticmethod
    def auto_set_specification_version(spec):
        """The version that was written is a valid one: it stays."""
        return spec

    @staticmethod
    def create_model_asset_from_path(path: str):
        from coremltools.models.model import MLModelAsset

        return MLModelAsset(_MLModelAssetProxy(path))

    @staticmethod
    def create_model_asset_from_memory(spec_data: bytes, blob_mapping: Dict[str, bytes]):
        from coremltools.models import utils
        from coremltools.models.model import MLModelAsset
        from coremltools.proto import Model_pb2

        with tempfile.TemporaryDirectory() as folder:
            for name, data in blob_mapping.items():
                with open(os.path.join(folder, os.path.basename(name)), "wb") as blob:
                    blob.write(data)
            if blob_mapping:
                path = utils._create_mlpackage(Model_pb2.Model.FromString(spec_data), folder)
            else:
                path = os.path.join(folder, "model.mlmodel")
                with open(path, "wb") as model:
                    model.write(spec_data)
            try:
                compiled = _sources.compile_model(path)
            finally:
                if blob_mapping:
                    shutil.rmtree(path, ignore_errors=True)
        return MLModelAsset(_MLModelAssetProxy(compiled, os.path.dirname(compiled)))

    @staticmethod
    def get_model_structure(path: str):
        return _structure.structure_of(path)

    @staticmethod
    def get_compute_plan(path: str, compute_units: str):
        return _plan.plan_of(path, compute_units)

    @staticmethod
    def get_all_compute_devices() -> List[Any]:
        return [_devices.device("cpu")]

    get_available_compute_devices = get_all_compute_devices
