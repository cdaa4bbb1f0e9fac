"""Loads a model and predicts, with values as Core ML takes and gives them."""

from typing import Any, Dict, Optional

import numpy as np

import anemone
from anemone._images import is_image

from . import _settings

_UNITS = {"ALL": "all", "CPU_ONLY": "cpu_only", "CPU_AND_GPU": "cpu_and_gpu", "CPU_AND_NE": "cpu_and_ne"}
_RESHAPING = {"Frequent": "frequent", "Infrequent": "infrequent"}
_STRATEGIES = {"Default": "default", "FastPrediction": "fast_prediction"}


def _installed() -> Dict[str, Any]:
    """What install() was told of each executor."""
    settings = _settings.current
    return {"threads": settings.threads, "backend": settings.backend, "numerics": settings.numerics}


def open_executor(path: str, compute_units: str, function: str, hints: Dict[str, str]):
    """Raises anemone.Error, a RuntimeError, for a model that cannot be loaded."""
    try:
        return ProgramExecutor(path, compute_units, function, hints)
    except anemone.Error as refusal:
        if refusal.code != "unsupported":
            raise
    # A tree, a pipeline and so on; of a program that is not supported this says the same again.
    return FeatureExecutor(path)


class ProgramExecutor:
    """A model that Anemone runs as a program."""

    def __init__(self, path: str, compute_units: str, function: str, hints: Dict[str, str]):
        options: Dict[str, Any] = {
            "function": function, "warm_up": False, "compute_units": _UNITS[compute_units],
            "reshape_frequency": _RESHAPING[hints.get("reshapeFrequency", "Frequent")],
            "specialization_strategy": _STRATEGIES[hints.get("specializationStrategy", "Default")]}
        self._session = anemone.Session(path, load_options={"function": function}, **options, **_installed())
        self._inputs = {feature.name: feature for feature in self._session.get_inputs()}
        self._outputs = {feature.name: feature for feature in self._session.get_outputs()}
        self._images = any(feature.dtype == "image" for feature in self._outputs.values())
        self._states = [feature.name for feature in self._session.get_states()]

    def predict(self, data: Dict[str, Any], state: Optional[anemone.State]) -> Dict[str, Any]:
        if self._states and state is None:
            raise anemone.Error(f"the model keeps the states {', '.join(self._states)}, and no state is given", "usage",
                                2, "", "predict(..., state=model.make_state())")
        inputs = {name: _input(value, self._inputs.get(name)) for name, value in data.items()}
        try:
            outputs = self._session.predict(inputs, state, images=self._images)
        except anemone.Error as refusal:
            if refusal.code == "usage":
                raise
            # Core ML's own words in front, because scripts look for them.
            raise anemone.Error(f"Error computing NN outputs: {refusal.message}", refusal.code, refusal.exit_code,
                                refusal.place, refusal.advice) from None
        return {name: _output(value, self._outputs.get(name)) for name, value in outputs.items()}

    def make_state(self) -> anemone.State:
        return self._session.make_state()


class FeatureExecutor:
    """A model that is not a program: numbers, texts, dictionaries, lists, arrays and images by name."""

    def __init__(self, path: str):
        self._model = anemone.FeatureModel(path, **_installed())
        self._inputs = {name: _feature_of(name, what) for name, what in self._model.input_description.items()}
        self._outputs = {name: _feature_of(name, what) for name, what in self._model.output_description.items()}

    def predict(self, data: Dict[str, Any], state: Optional[anemone.State]) -> Dict[str, Any]:
        inputs = {}
        for name, value in data.items():
            feature = self._inputs.get(name)
            inputs[name] = _input(value, feature) if feature is not None else value
        outputs = self._model.predict(inputs, state)
        return {name: _output(value, self._outputs.get(name)) for name, value in outputs.items()}

    def make_state(self) -> anemone.State:
        return anemone.State()


def _feature_of(name: str, described: Dict[str, Any]) -> Optional[anemone.Feature]:
    """Of an array; None for what has no elements to convert."""
    if described["kind"] != "array":
        return None
    dtype = {"fp16": "float16", "fp32": "float32", "fp64": "float64"}.get(described["dtype"], described["dtype"])
    return anemone.Feature(name, dtype, tuple(described["shape"]))


def _input(value: Any, feature: Optional[anemone.Feature]) -> Any:
    """A value as the feature's dtype. Core ML takes floats for integers, and cuts their fractions off."""
    if feature is None or (feature.dtype == "image" and is_image(value)):
        return value
    array = np.asarray(value)
    if array.dtype.kind == "f" and feature.dtype in ("int32", "int8"):
        limits = np.iinfo(feature.dtype)
        whole = np.trunc(array)
        if not ((whole >= limits.min) & (whole <= limits.max)).all():
            raise anemone.Error(f"a value does not fit into {feature.dtype}", "usage", 2, f"input '{feature.name}'", "")
        array = whole.astype(feature.dtype)
    return array


def _output(value: Any, feature: Optional[anemone.Feature]) -> Any:
    """As the native binding hands them over: colors with an alpha channel, scalars with one dimension."""
    if is_image(value):
        return value.convert("RGBA") if value.mode == "RGB" else value
    if not isinstance(value, np.ndarray):
        return value
    if feature is not None and feature.dtype == "float64":
        value = value.astype(np.float64)
    return value.reshape(1) if value.ndim == 0 else value
