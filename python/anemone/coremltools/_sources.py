"""The files behind a loaded model: compiled folders, and what is kept of a model whose files may go away."""

import os
import shutil
import tempfile
import warnings
import weakref
from typing import Optional

import anemone

from ._settings import StandInWarning

# In a compiled folder that holds a model as it was.
_KEPT = ("source.mlpackage", "source.mlmodel")
# A model that cannot be linked is copied when it is loaded only up to this size.
_SMALL = 16 << 20


def readable(path: str) -> str:
    """What Anemone reads: the model that a compiled folder keeps, or the path itself."""
    path = os.path.expanduser(path)
    stripped = path.rstrip("/") or path
    for name in _KEPT:
        kept = os.path.join(stripped, name)
        if os.path.exists(kept):
            return kept
    return stripped


def _kept_name(path: str) -> str:
    return _KEPT[0] if os.path.isdir(path) else _KEPT[1]


def _size(path: str) -> int:
    if not os.path.isdir(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)


def _place(path: str, target: str, copy_function) -> None:
    if os.path.isdir(path):
        shutil.copytree(path, target, copy_function=copy_function)
    else:
        copy_function(path, target)


def compile_model(path: str) -> str:
    """A new folder with the ending .mlmodelc that loads as the model does, in a new temporary folder of its own. It is
    the caller's to remove. What Anemone's compiler refuses to write is kept in it as it was, with a StandInWarning."""
    path = readable(path)
    if not os.path.exists(path):
        raise RuntimeError(f"there is no model at {path}")
    stem = os.path.splitext(os.path.basename(path))[0]
    folder = os.path.join(tempfile.mkdtemp(prefix="anemone_"), f"{stem}.mlmodelc")
    try:
        anemone.compile(path, folder)
    except anemone.Error as refusal:
        warnings.warn(f"{folder} is a stand-in that only Anemone loads, without model.mil: {refusal}", StandInWarning,
                      stacklevel=3)
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        _place(path, os.path.join(folder, _kept_name(path)), shutil.copy2)
    return folder


class Source:
    """A model's files, and its compiled folder once somebody asks for it; what was made goes away with this object."""

    def __init__(self, path: str):
        self.path = readable(path)
        self._compiled: Optional[str] = None
        if os.path.expanduser(path).rstrip("/").endswith(".mlmodelc"):
            self._compiled = os.path.expanduser(path).rstrip("/")
        self._kept = self.path if self._compiled is not None else self._keep()

    def _keep(self) -> str:
        """A second name of the files, for coremltools deletes temporary ones as soon as they are loaded. Where there
        can be none (another file system), large models are trusted to stay."""
        root = tempfile.mkdtemp(prefix="anemone_")
        target = os.path.join(root, os.path.basename(self.path))
        weakref.finalize(self, shutil.rmtree, root, True)
        for copy_function in (os.link, shutil.copy2):
            try:
                if copy_function is shutil.copy2 and _size(self.path) > _SMALL:
                    break
                _place(self.path, target, copy_function)
                return target
            except (OSError, shutil.Error):
                shutil.rmtree(target, ignore_errors=True)
        return self.path

    def compiled(self) -> str:
        """Lives as long as this object, unless the model was compiled from the beginning."""
        if self._compiled is None:
            self._compiled = compile_model(self._kept)
            weakref.finalize(self, shutil.rmtree, os.path.dirname(self._compiled), True)
        return self._compiled
