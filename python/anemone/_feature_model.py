"""FeatureModel: a Core ML model of any type, on Python's numbers, texts, dicts, lists, NumPy arrays and images."""

import json
from typing import Any, Dict, Optional

import numpy as np

from . import _anemone
from ._errors import Error, by_text, not_pickled, path_of
from ._options import encode, takes

State = _anemone.State


class FeatureModel:
    """A Core ML model of any type: trees, linear models, pipelines and the other types that are not programs, and ML
    Programs and neural networks too.

        model = anemone.FeatureModel("prices.mlmodel")
        model.predict({"rooms": 3, "town": "Bergen"})       # {"price": 412000.0}

    May be used from several threads; the interpreter's lock is released while the library works.
    """

    __reduce_ex__ = not_pickled

    @takes("load")
    def __init__(self, path, **options):
        """`path`: an .mlmodel or .mlpackage, or what load() takes."""
        self._handle = _anemone.FeatureModel.load(path_of(path), encode(options))
        self._inspected = json.loads(self._handle.inspect_json())
        self._inputs = {feature["name"]: feature for feature in self._inspected["inputs"]}
        self._outputs = {feature["name"]: feature for feature in self._inspected["outputs"]}

    @property
    def type(self) -> str:
        """The specification's name: "treeEnsembleClassifier", "pipeline", "mlProgram"."""
        return self._handle.type()

    @property
    def input_description(self) -> Dict[str, Dict[str, Any]]:
        """Of each input by name: "kind" ("array", "image", "int64", "double", "string", "dictionary", "sequence"),
        "optional", and what its kind has ("dtype", "shape", "width", "height")."""
        return self._inputs

    @property
    def output_description(self) -> Dict[str, Dict[str, Any]]:
        """Of each output by name, as input_description."""
        return self._outputs

    def inspect(self) -> Dict[str, Any]:
        """What `anemone inspect --json` prints, as a dict: type, features, metadata and parameters."""
        return json.loads(self._handle.inspect_json())

    def predict(self, inputs: Dict[str, Any], state: Optional[Any] = None) -> Dict[str, Any]:
        """Runs the model. Numbers and texts come back as Python's, dictionaries as dicts, sequences as lists, arrays as
        NumPy arrays (half precision as float32), images as PIL images. Optional inputs may be left out."""
        given = {name: self._value(name, value) for name, value in by_text(inputs).items()}
        outputs = self._handle.predict(given, state)
        return {name: _from_image(value, self._outputs[name]) if isinstance(value, _anemone.Image) else value
                for name, value in outputs.items()}

    def _value(self, name: str, value: Any) -> Any:
        feature = self._inputs.get(name, {"kind": "unknown"})
        kind = feature["kind"]
        if kind == "image":
            return _to_image(name, value, feature)
        if kind == "array" or (kind in ("int64", "double") and isinstance(value, (np.generic, np.ndarray))):
            array = np.asarray(value)
            if array.dtype == object or array.dtype.kind in "US":
                raise Error(f"it takes numbers, not {value!r}", "usage", 2, f"input '{name}'", "")
            return array if array.ndim == 0 else np.ascontiguousarray(array)
        if isinstance(value, np.generic):
            return value.item()
        if kind == "dictionary" and isinstance(value, dict):
            return {_plain(key): float(number) for key, number in value.items()}
        if kind == "sequence" and not isinstance(value, str):
            return [_plain(element) for element in value]
        return value


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _to_image(name: str, value: Any, feature: Dict[str, Any]) -> "_anemone.Image":
    """A PIL image in its own size, or an array of pixels [height, width, 3] or [height, width]."""
    if hasattr(value, "convert"):
        if feature["half"]:
            array = np.asarray(value if value.mode == "F" else value.convert("F"), dtype=np.float32)
        else:
            array = np.asarray(value.convert("L" if feature["channels"] == 1 else "RGB"), dtype=np.uint8)
    else:
        array = np.asarray(value)
    if array.ndim not in (2, 3):
        raise Error(f"pixels have the shape (height, width) or (height, width, 3), not {array.shape}", "usage", 2,
                    f"input '{name}'", "give a PIL image")
    return _anemone.Image(np.ascontiguousarray(array))


def _from_image(image: "_anemone.Image", feature: Dict[str, Any]) -> Any:
    """A PIL image, as coremltools gives it; the array of pixels where Pillow is not installed."""
    pixels = image.pixels()
    try:
        from PIL import Image
    except ImportError:
        return pixels
    return Image.fromarray(pixels, mode="F" if feature["half"] else None)
