"""The types of coremltools that a script describes its inputs, outputs and options with, as anemone.torch understands
them: plain values, checked when they are made."""

import enum
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ._errors import usage


class precision(enum.Enum):  # noqa: N801: coremltools' name
    FLOAT32 = "float32"
    FLOAT16 = "float16"


class ComputeUnit(enum.Enum):
    ALL = "all"
    CPU_AND_GPU = "cpu_and_gpu"
    CPU_ONLY = "cpu_only"
    CPU_AND_NE = "cpu_and_ne"


class colorlayout(enum.Enum):  # noqa: N801: coremltools' name
    RGB = "RGB"
    BGR = "BGR"
    GRAYSCALE = "G"
    GRAYSCALE_FLOAT16 = "G_FLOAT16"


# Systems by the op set that they brought; newer ones run what iOS18 does.
_SYSTEMS = {
    "iOS13": "macOS10_15 watchOS6 tvOS13",
    "iOS14": "macOS10_16 macOS11 watchOS7 tvOS14",
    "iOS15": "macOS12 watchOS8 tvOS15",
    "iOS16": "macOS13 watchOS9 tvOS16",
    "iOS17": "macOS14 watchOS10 tvOS17",
    "iOS18": "macOS15 watchOS11 tvOS18",
    "iOS26": "macOS26 watchOS26 tvOS26",
}
target: Any = enum.Enum("target", [  # type: ignore[misc]
    (name, system) for system, others in _SYSTEMS.items()
    for name in (system, *others.split())])


class RangeDim:
    """A dimension whose size may be anything from lower_bound to upper_bound."""

    def __init__(self, lower_bound: int = 1, upper_bound: int = -1, default: Optional[int] = None,
                 symbol: Optional[str] = None):
        self.lower_bound, self.upper_bound, self.symbol = int(lower_bound), int(upper_bound), symbol
        self.default = self.lower_bound if default is None else int(default)
        if self.upper_bound == -1:
            raise usage("an ML Program needs an upper bound", "RangeDim", "give upper_bound")
        if not 1 <= self.lower_bound <= self.default <= self.upper_bound:
            raise usage(f"the range {self.lower_bound} to {self.upper_bound} with default {self.default} is empty or "
                        "does not hold its default", "RangeDim")

    def __repr__(self):
        return f"RangeDim(lower_bound={self.lower_bound}, upper_bound={self.upper_bound}, default={self.default})"


Dimension = Union[int, RangeDim]


class Shape:
    def __init__(self, shape: Sequence[Dimension], default: Optional[Sequence[int]] = None):
        if not isinstance(shape, (list, tuple)):
            raise usage(f"it is {shape!r}, not a list of sizes", "shape")
        for size in shape:
            if not isinstance(size, (int, np.integer, RangeDim)) or (not isinstance(size, RangeDim) and size < 1):
                raise usage(f"a dimension is {size!r}", "shape", "give a positive size, or a RangeDim")
        self.shape: Tuple[Dimension, ...] = tuple(
            size if isinstance(size, RangeDim) else int(size) for size in shape)
        sizes = [size.default if isinstance(size, RangeDim) else size for size in self.shape]
        self.default = tuple(int(size) for size in default) if default is not None else tuple(sizes)


class EnumeratedShapes:
    """The shapes that an input may have, and none between."""

    def __init__(self, shapes: Sequence[Any], default: Optional[Sequence[int]] = None):
        if not isinstance(shapes, (list, tuple)) or len(shapes) < 2:
            raise usage("it needs two shapes or more", "EnumeratedShapes")
        self.shapes: List[Shape] = [each if isinstance(each, Shape) else Shape(each) for each in shapes]
        sizes = [each.shape for each in self.shapes]
        if len({len(each) for each in sizes}) != 1:
            raise usage("the shapes differ in rank", "EnumeratedShapes")
        if any(isinstance(size, RangeDim) for each in sizes for size in each):
            raise usage("a shape in it has a RangeDim", "EnumeratedShapes", "list the sizes")
        self.default = tuple(default) if default is not None else self.shapes[0].default
        if self.default not in sizes:
            raise usage(f"the default {self.default} is not one of the shapes", "EnumeratedShapes")


class _Described:
    """A named value with a shape."""

    def __init__(self, name, shape):
        if name is not None and not isinstance(name, str):
            raise usage(f"its name is {name!r}", type(self).__name__)
        self.name: Optional[str] = name
        self.shape: Union[None, Shape, EnumeratedShapes] = (
            shape if shape is None or isinstance(shape, (Shape, EnumeratedShapes)) else Shape(shape))


class TensorType(_Described):
    def __init__(self, name=None, shape=None, dtype=None, default_value=None):
        super().__init__(name, shape)
        self.dtype = None if dtype is None else _dtype(dtype)
        self.default_value = default_value


class ImageType(_Described):
    """Pixels from 0 to 255, of which the network gets pixel * scale + bias."""

    def __init__(self, name=None, shape=None, scale=1.0, bias=None, color_layout=colorlayout.RGB, channel_first=None,
                 grayscale_use_uint8=False):
        super().__init__(name, shape)
        layouts = {each.value: each for each in colorlayout}
        layout = getattr(color_layout, "value", color_layout)
        if layout not in layouts:
            raise usage(f"color_layout is {color_layout!r}", "ImageType", "use ct.colorlayout.RGB, BGR or GRAYSCALE")
        self.color_layout = layouts[layout]
        self.scale, self.bias, self.channel_first = scale, bias, channel_first
        self.grayscale_use_uint8 = grayscale_use_uint8


class StateType:
    """A buffer of the module that predictions change, by its name there."""

    def __init__(self, wrapped_type: TensorType, name: Optional[str] = None):
        if not isinstance(wrapped_type, TensorType):
            raise usage(f"it wraps a {type(wrapped_type).__name__}", "StateType", "wrap a TensorType")
        if wrapped_type.name is not None or wrapped_type.default_value is not None:
            raise usage("the TensorType in it has a name or a default", "StateType", "name the StateType")
        self.wrapped_type, self.name = wrapped_type, name


class ClassifierConfig(NamedTuple):
    class_labels: Any  # a list of texts or integers, or a file with one on each line
    predicted_feature_name: str = "classLabel"
    predicted_probabilities_output: Optional[str] = None


def _dtype(value) -> np.dtype:
    """NumPy's, from its own types, Python's, PyTorch's or MIL's."""
    text = getattr(value, "__name__", None) or str(value)
    mil = {"fp16": "float16", "fp32": "float32", "fp64": "float64", "double": "float64", "half": "float16"}
    text = text.replace("torch.", "")
    try:
        found = np.dtype(mil.get(text, value if not text.startswith(("int", "float", "bool", "uint")) else text))
    except TypeError:
        found = None
    if found is None or found.name not in ("float16", "float32", "float64", "int32", "int64", "int8", "uint8", "bool"):
        raise usage(f"dtype is {value!r}", "TensorType", "use np.float32, np.float16, np.int32 or bool")
    return found
