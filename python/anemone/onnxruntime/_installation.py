"""Puts this package in the place of onnxruntime, for packages that import that one."""

import importlib
import sys
from typing import Any, Dict

_OURS, _NAME = "anemone.onnxruntime", "onnxruntime"
_MODULES = ("", ".capi", ".capi.onnxruntime_pybind11_state", ".capi._pybind_state")
_put_aside: Dict[str, Any] = {}
_installed = False


def _present() -> Dict[str, Any]:
    return {name: module for name, module in sys.modules.items() if name == _NAME or name.startswith(_NAME + ".")}


def install() -> None:
    """From now on, `import onnxruntime` gives this package. What has imported the real one already keeps it."""
    global _installed
    if _installed:
        return
    modules = {_NAME + ending: importlib.import_module(_OURS + ending) for ending in _MODULES}
    _put_aside.update(_present())
    for name in _put_aside:
        del sys.modules[name]
    sys.modules.update(modules)
    _installed = True


def uninstall() -> None:
    """From now on, `import onnxruntime` gives what it gave before."""
    global _installed
    if not _installed:
        return
    for name in _present():
        del sys.modules[name]
    sys.modules.update(_put_aside)
    _put_aside.clear()
    _installed = False


def installed() -> bool:
    """Whether `import onnxruntime` gives this package."""
    return _installed
