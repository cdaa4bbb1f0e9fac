"""ONNX Runtime's interface, for scripts that know that one: the model is converted to Core ML's form in memory and runs on
Anemone's executor (on a Mac on Core ML, when the CoreMLExecutionProvider is asked for).

    import anemone.onnxruntime as ort
    session = ort.InferenceSession("model.onnx")        # or bytes; or an .mlpackage, .mlmodel, .mlmodelc, .pt2
    outputs = session.run(None, {"image": x})           # what onnxruntime gives, with its names, dtypes and shapes

A package that imports onnxruntime itself runs unedited: python -m anemone.onnxruntime SCRIPT ARGUMENT..., or after
anemone.onnxruntime.install(). Open dimensions take any size. What cannot be done here is refused by its name, with one
of onnxruntime's own exceptions (capi.onnxruntime_pybind11_state).
"""

import sys
from typing import List

from ._installation import install, installed, uninstall
from ._options import ExecutionMode, ExecutionOrder, GraphOptimizationLevel, RunOptions, SessionOptions
from ._session import InferenceSession, ModelMetadata, NodeArg
from ._values import IOBinding, OrtDevice, OrtValue
from . import capi

__all__ = ["ExecutionMode", "ExecutionOrder", "GraphOptimizationLevel", "IOBinding", "InferenceSession", "ModelMetadata",
           "NodeArg", "OrtDevice", "OrtValue", "RunOptions", "SessionOptions", "capi", "disable_telemetry_events",
           "enable_telemetry_events", "get_all_providers", "get_available_providers", "get_build_info", "get_device",
           "get_version_string", "install", "installed", "set_default_logger_severity", "set_default_logger_verbosity",
           "set_seed", "uninstall"]

# The release whose interface this follows, for scripts that ask.
__version__ = "1.32.0"

_NOT_HERE = {
    "AdapterFormat": "LoRA adapters are not supported",
    "LoraAdapter": "LoRA adapters are not supported",
    "ModelCompiler": "use anemone.compile() for what an app ships",
    "OrtArenaCfg": "the executor plans its memory itself",
    "OrtMemoryInfo": "arrays are in the computer's memory",
    "SparseTensor": "sparse tensors are not supported",
    "register_execution_provider_library": "there are no other providers to register",
    "create_and_register_allocator": "the executor plans its memory itself",
}


def __getattr__(name: str):
    if name in _NOT_HERE:
        raise AttributeError(f"anemone.onnxruntime has no {name}: {_NOT_HERE[name]}")
    raise AttributeError(f"module 'anemone.onnxruntime' has no attribute '{name}'")


def get_available_providers() -> List[str]:
    """In the order in which they are preferred."""
    return ["CoreMLExecutionProvider", "CPUExecutionProvider"] if sys.platform == "darwin" else ["CPUExecutionProvider"]


def get_all_providers() -> List[str]:
    return ["CoreMLExecutionProvider", "CPUExecutionProvider"]


def get_device() -> str:
    return "CPU"


def get_version_string() -> str:
    return __version__


def get_build_info() -> str:
    from .. import __version__ as version

    return f"Anemone {version}, with the interface of ONNX Runtime {__version__}"


def set_default_logger_severity(severity: int) -> None:
    """Has no effect: the library never prints."""


def set_default_logger_verbosity(verbosity: int) -> None:
    """Has no effect: the library never prints."""


def set_seed(seed: int) -> None:
    """Has no effect: nothing here is random but the operators that make random numbers, which are refused."""


def enable_telemetry_events() -> None:
    """Has no effect: nothing is sent anywhere."""


def disable_telemetry_events() -> None:
    """Has no effect: nothing is sent anywhere."""
