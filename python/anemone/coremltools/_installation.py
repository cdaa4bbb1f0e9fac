"""Puts the binding in the place of coremltools' native one, and takes it out again."""

import importlib
import sys
import threading
import types
from typing import Any, Dict, Iterator, Tuple

from . import _settings
from ._settings import Settings

_NATIVE = "coremltools.libcoremlpython"
_lock = threading.Lock()
_installed = False
# What the modules of coremltools had under the names below, by module and name.
_originals: Dict[Tuple[str, str], Any] = {}
_native_module: Any = None


def _is_macos() -> bool:
    """In the place of coremltools' own."""
    return True


def _macos_version() -> Tuple[int, int]:
    """In the place of coremltools' own."""
    return _settings.MACOS


def _replacements() -> Dict[str, Any]:
    """By the names under which coremltools' modules import them."""
    from . import _devices, _plan, _proxy

    return {
        "_MLModelProxy": _proxy._MLModelProxy,
        "_MLModelAssetProxy": _proxy._MLModelAssetProxy,
        "_MLComputePlanProxy": _plan._MLComputePlanProxy,
        "_MLCPUComputeDeviceProxy": _devices._MLCPUComputeDeviceProxy,
        "_MLGPUComputeDeviceProxy": _devices._MLGPUComputeDeviceProxy,
        "_MLNeuralEngineComputeDeviceProxy": _devices._MLNeuralEngineComputeDeviceProxy,
        "_IS_MACOS": True,
        "_is_macos": _is_macos,
        "_macos_version": _macos_version,
    }


def _modules() -> Iterator[Tuple[str, Any]]:
    for name, module in list(sys.modules.items()):
        if module is not None and (name == "coremltools" or name.startswith("coremltools.")) and name != _NATIVE:
            yield name, module


def install(force: bool = False, *, backend: str = "auto", threads: int = 0, chip: str = "m4",
            numerics: str = "as_typed") -> bool:
    """Returns whether coremltools now predicts through Anemone: everywhere but on macOS, and there with `force`.

    `backend`, `threads` and `numerics` are those of anemone.Session, `chip` is the one that compute plans are estimated
    for. They hold for models loaded from now on; calling again changes nothing else. Threads may call it at once.
    """
    global _installed, _native_module
    with _lock:
        if sys.platform == "darwin" and not force and not _installed:
            return False
        _settings.use(Settings(backend, threads, chip, numerics))
        if _installed:
            return True
        binding = types.ModuleType(_NATIVE, "Anemone's stand-in for coremltools' native binding.")
        replacements = _replacements()
        for name, value in replacements.items():
            setattr(binding, name, value)
        if sys.platform == "darwin":
            importlib.import_module("coremltools")  # with Core ML, which uninstall() puts back
        _native_module = sys.modules.get(_NATIVE)
        # In place before coremltools is imported, which then finds it and has nothing to warn of.
        sys.modules[_NATIVE] = binding
        try:
            package: Any = importlib.import_module("coremltools")
            # It imports these only when they are asked for.
            for name in ("coremltools.models.model", "coremltools.models._compiled_model"):
                importlib.import_module(name)
        except BaseException:
            _restore_native()
            raise
        package.libcoremlpython = binding
        for module_name, module in _modules():
            for name, value in replacements.items():
                if name not in vars(module):
                    continue
                original = vars(module)[name]
                # A module that was imported just now found the binding: without it, it would have found nothing.
                found = name.endswith("Proxy") and original is value
                _originals[module_name, name] = None if found else original
                setattr(module, name, value)
        _installed = True
        return True


def uninstall() -> None:
    """Puts back what coremltools had. Models that are loaded keep on predicting."""
    global _installed
    with _lock:
        if not _installed:
            return
        replacements = _replacements()
        # A module imported in the meantime took the replacements itself: it gets what the others had.
        defaults = {name: value for (_, name), value in _originals.items()}
        for module_name, module in _modules():
            for name, value in replacements.items():
                if vars(module).get(name) is value:
                    setattr(module, name, _originals.get((module_name, name), defaults.get(name)))
        _originals.clear()
        _restore_native()
        _installed = False


def installed() -> bool:
    """Whether coremltools predicts through Anemone."""
    return _installed


def _restore_native() -> None:
    global _native_module
    package: Any = sys.modules.get("coremltools")
    if _native_module is not None:
        sys.modules[_NATIVE] = _native_module
        if package is not None:
            package.libcoremlpython = _native_module
    else:
        sys.modules.pop(_NATIVE, None)
        if package is not None and "libcoremlpython" in vars(package):
            del package.libcoremlpython
    _native_module = None
