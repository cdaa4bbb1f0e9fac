"""A stand-in for coremltools in scripts that convert PyTorch networks: only the import changes.

    import anemone.torch as ct          # was: import coremltools as ct

    model = ct.convert(torch.export.export(module.eval(), (x,)),        # or torch.jit.trace(module, x), or the module
                       inputs=[ct.TensorType(name="x", shape=(1, 3, ct.RangeDim(32, 512, 224), 224))],
                       minimum_deployment_target=ct.target.iOS17, compute_precision=ct.precision.FLOAT16)
    model.author = "me"
    model.save("model.mlpackage")
    model.predict({"x": array})

What it takes: TensorType, ImageType, StateType, RangeDim, EnumeratedShapes, Shape, ClassifierConfig, target, precision,
ComputeUnit, colorlayout. ML Programs only. What has no counterpart here is an anemone.Error, never ignored; defaults are
coremltools' (float16, iOS15). The model runs on Anemone's executor where there is no Core ML. Needs PyTorch; coremltools
is not needed.
"""

import itertools
import json
import os
import tempfile
import types
import warnings
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from . import Model, load
from . import _package_texts, _torch
from ._errors import path_of, usage
from ._torch_types import (ClassifierConfig, ComputeUnit, EnumeratedShapes, ImageType, RangeDim, Shape, StateType,
                           TensorType, colorlayout, precision, target)

__all__ = ["ClassifierConfig", "ComputeUnit", "EnumeratedShapes", "ImageType", "MLModel", "RangeDim", "Shape", "StateType",
           "TensorType", "colorlayout", "convert", "models", "precision", "target"]


class MLModel(Model):
    """A converted or loaded model with coremltools' names for what it says of itself, which save() writes."""

    def __init__(self, model, compute_units: ComputeUnit = ComputeUnit.ALL, **others):
        """`model`: a path, or a Model. Of coremltools' other arguments only skip_model_load is known."""
        for name, value in others.items():
            if name not in ("skip_model_load", "function_name") or (name == "function_name" and value):
                raise usage(f"there is no argument '{name}' here", "MLModel")
        loaded = model if isinstance(model, Model) else load(path_of(model))
        super().__init__(loaded._handle)  # type: ignore[attr-defined]
        self.compute_unit = compute_units
        self._texts: Dict[str, str] = {}
        self.user_defined_metadata: Dict[str, str] = {}
        self.input_description: Dict[str, str] = {}
        self.output_description: Dict[str, str] = {}

    def predict(self, data, state=None, **options):  # type: ignore[override]
        """As Model.predict(); a list of inputs gives a list of outputs."""
        if isinstance(data, (list, tuple)):
            return [super(MLModel, self).predict(each, state, **options) for each in data]
        return super().predict(data, state, **options)

    def save(self, path) -> None:
        """Writes an .mlpackage with the texts that were set."""
        path = path_of(path)
        names = [(self.input_description, self.inputs, "input_description"),
                 (self.output_description, self.outputs, "output_description")]
        for texts, features, place in names:
            unknown = sorted(set(texts) - {each.name for each in features})
            if unknown:
                raise usage(f"there is no feature '{unknown[0]}'", place)
        super().save(path)
        if self._texts or self.user_defined_metadata or self.input_description or self.output_description:
            _package_texts.write(path, self._texts, dict(self.user_defined_metadata), dict(self.input_description),
                                 dict(self.output_description))

    def get_spec(self):
        """The specification as coremltools' protobuf message; needs coremltools."""
        try:
            from coremltools.models.utils import load_spec
        except ImportError:
            raise usage("the specification's classes are coremltools'", "get_spec", "pip install coremltools, or use "
                        "inspect() and structure()") from None
        with tempfile.TemporaryDirectory(prefix="anemone-") as folder:
            path = os.path.join(folder, "model.mlpackage")
            self.save(path)
            return load_spec(path)


def _text(name):
    def read(self) -> str:
        return self._texts.get(name, "")

    def write(self, value: str):
        self._texts[name] = str(value)

    return property(read, write)


for _name in ("short_description", "author", "license", "version"):
    setattr(MLModel, _name, _text(_name))

models = types.SimpleNamespace(MLModel=MLModel)


def convert(model, source="auto", inputs=None, outputs=None, classifier_config: Optional[ClassifierConfig] = None,
            minimum_deployment_target: Optional[Any] = None, convert_to: Optional[str] = None,
            compute_precision: Optional[precision] = None, skip_model_load: bool = False,
            compute_units: ComputeUnit = ComputeUnit.ALL, package_dir: Optional[str] = None, debug: bool = False,
            pass_pipeline=None, states: Optional[Sequence[StateType]] = None) -> MLModel:
    """Converts a torch.export.ExportedProgram, a traced or scripted module, a torch.nn.Module (exported with zeros of the
    inputs' shapes) or a .pt2 file. Arguments as coremltools.convert has them."""
    _refuse_foreign(source, convert_to, pass_pipeline)
    deployed = _target(minimum_deployment_target)
    half = _is_half(compute_precision)
    described: List[Any] = list(inputs or [])
    program = _program(model, described)
    names = _rename_inputs(program, described)
    _rename_outputs(program, outputs)
    loading: Dict[str, Any] = {"minimum_deployment_target": deployed}
    shapes = {name: _sizes(each.shape) for name, each in zip(names, described) if each.shape is not None}
    if shapes:
        loading["input_shapes"] = shapes
    options: Dict[str, Any] = {"minimum_deployment_target": deployed, "compute_precision": "float16" if half else "float32"}
    images = [(name, each) for name, each in zip(names, described) if isinstance(each, ImageType)]
    if images:
        options.update(_image_options(images))
    loaded = _torch.with_file(program, lambda file: load(file, **loading))
    with tempfile.TemporaryDirectory(prefix="anemone-") as folder:
        if classifier_config is not None:
            options.update(_labels(classifier_config, folder))
        converted = MLModel(loaded.convert(**options), compute_units)
    _check_states(converted, states)
    if package_dir is not None:
        converted.save(package_dir)
    return converted


# ---- arguments


def _refuse_foreign(source, convert_to, pass_pipeline):
    if source not in ("auto", "pytorch"):
        raise usage(f"it is {source!r}", "source", "only networks of PyTorch are converted here")
    if convert_to not in (None, "mlprogram"):
        raise usage(f"it is {convert_to!r}", "convert_to", "only ML Programs are written: leave it out")
    if pass_pipeline is not None:
        raise usage("Anemone has passes of its own", "pass_pipeline", "leave it out; anemone.compress() compresses")


def _target(wanted) -> str:
    name = "iOS15" if wanted is None else getattr(wanted, "name", str(wanted))
    try:
        system = target[name].value
    except KeyError:
        raise usage(f"it is {wanted!r}", "minimum_deployment_target", "use ct.target.iOS15 to iOS18") from None
    if system in ("iOS13", "iOS14"):
        raise usage(f"{name} has no ML Programs", "minimum_deployment_target", "use ct.target.iOS15 or later")
    return "iOS18" if system == "iOS26" else system  # later systems run what iOS18 does


def _is_half(wanted) -> bool:
    if wanted is None:
        return True
    value = getattr(wanted, "value", wanted)
    if value not in ("float16", "float32"):
        raise usage(f"it is {wanted!r}", "compute_precision",
                    "use ct.precision.FLOAT16 or FLOAT32; anemone.convert(..., keep_float32=[...]) chooses operators")
    return value == "float16"


def _sizes(shape) -> List[Any]:
    """As the option input_shapes has them."""
    if isinstance(shape, EnumeratedShapes):
        columns = list(zip(*(each.shape for each in shape.shapes)))
        choices = [sorted(set(column)) for column in columns]
        made = set(itertools.product(*choices))
        if made != {each.shape for each in shape.shapes}:
            warnings.warn(f"the enumerated shapes become all {len(made)} combinations of their sizes", stacklevel=3)
        return [sizes[0] if len(sizes) == 1 else "|".join(map(str, sizes)) + f"={default}"
                for sizes, default in zip(choices, shape.default)]
    return [f"{size.lower_bound}..{size.upper_bound}={size.default}" if isinstance(size, RangeDim) else size
            for size in shape.shape]


def _image_options(images) -> Dict[str, Any]:
    """pixel * scale + bias as (pixel * 1 - mean) / std."""
    told = {(str(each.scale), str(each.bias), each.color_layout) for _, each in images}
    if len(told) != 1:
        raise usage("the images differ in scale, bias or color", "ImageType", "convert() them one after another with anemone")
    one = images[0][1]
    colors = {colorlayout.RGB: "RGB", colorlayout.BGR: "BGR", colorlayout.GRAYSCALE: "GRAY"}
    if one.color_layout not in colors:
        raise usage("images of half precision are not written", "ImageType", "use ct.colorlayout.GRAYSCALE")
    if one.channel_first is False:
        raise usage("channels come first in PyTorch", "ImageType", "leave channel_first out")
    channels = 1 if one.color_layout is colorlayout.GRAYSCALE else 3
    scale = np.broadcast_to(np.asarray(one.scale, np.float64), (channels,))
    bias = np.broadcast_to(np.asarray(0.0 if one.bias is None else one.bias, np.float64), (channels,))
    if not (scale > 0).all():
        raise usage(f"the scale is {one.scale}", "ImageType", "give positive numbers")
    names = {"image_input": [name for name, _ in images], "color": colors[one.color_layout]}
    if (scale == scale[0]).all():
        return {**names, "scale": float(scale[0]), "mean": [float(-each) for each in bias]}
    return {**names, "scale": 1.0, "mean": [float(b) for b in -bias / scale], "std": [float(s) for s in 1 / scale]}


def _labels(config: ClassifierConfig, folder: str) -> Dict[str, Any]:
    if config.predicted_feature_name != "classLabel":
        raise usage(f"the label is called 'classLabel', not {config.predicted_feature_name!r}", "classifier_config")
    options: Dict[str, Any] = {}
    if isinstance(config.class_labels, (str, os.PathLike)):
        options["labels"] = path_of(config.class_labels)
    else:
        options["labels"] = os.path.join(folder, "labels.json")
        with open(options["labels"], "w", encoding="utf-8") as file:
            json.dump([each if isinstance(each, str) else int(each) for each in config.class_labels], file)
    if config.predicted_probabilities_output:
        options["probabilities_output"] = config.predicted_probabilities_output
    return options


# ---- the exported program


def _program(model, described):
    """An exported program of whatever is given."""
    import torch

    for each in described:
        if not isinstance(each, (TensorType, ImageType)):
            raise usage(f"it holds a {type(each).__name__}", "inputs", "use TensorType and ImageType")
        if getattr(each, "default_value", None) is not None:
            raise usage("optional inputs are not written", "TensorType", "leave default_value out")
        if getattr(each, "dtype", None) == np.float16:
            warnings.warn(f"the input {each.name or ''} is declared float32: half precision begins inside", stacklevel=3)
    if isinstance(model, (str, os.PathLike)):
        return torch.export.load(path_of(model))
    if isinstance(model, torch.export.ExportedProgram):
        return model
    if not isinstance(model, torch.nn.Module):
        raise usage(f"it is a {type(model).__name__}", "model", "give a torch.export.ExportedProgram or a module of PyTorch")
    if not described or any(each.shape is None for each in described):
        raise usage("a module needs inputs with shapes", "inputs", "give ct.TensorType(name=..., shape=...) for each")
    examples = tuple(_example(each) for each in described)
    if isinstance(model, torch.jit.ScriptModule):
        return _of_script(model, examples)
    dynamic = tuple(_dynamic(each.shape) for each in described)
    with torch.no_grad():
        return torch.export.export(model.eval(), examples, dynamic_shapes=dynamic if any(dynamic) else None)


def _of_script(model, examples):
    try:
        from torch._export.converter import TS2EPConverter
    except ImportError:
        raise usage("it is a TorchScript module, which this PyTorch does not export", "model",
                    "give torch.export.export(module, inputs)") from None
    return TS2EPConverter(model, examples, {}).convert()


def _example(described):
    """Zeros of a shape in which no open dimension is 1: PyTorch takes that size for fixed."""
    import torch

    shape = described.shape
    if isinstance(shape, EnumeratedShapes):
        sizes = [max(column) for column in zip(*(each.shape for each in shape.shapes))]
    else:
        sizes = [min(max(size.default, 2), size.upper_bound) if isinstance(size, RangeDim) else size for size in shape.shape]
    dtype = getattr(described, "dtype", None)
    kinds = {"bool": torch.bool, "int8": torch.int8, "uint8": torch.uint8, "int32": torch.int64, "int64": torch.int64}
    return torch.zeros(sizes, dtype=kinds.get(dtype.name if dtype is not None else "", torch.float32))


def _dynamic(shape):
    import torch

    if isinstance(shape, EnumeratedShapes):
        open_dims = [d for d, column in enumerate(zip(*(each.shape for each in shape.shapes))) if len(set(column)) > 1]
    else:
        open_dims = [d for d, size in enumerate(shape.shape) if isinstance(size, RangeDim)]
    return dict.fromkeys(open_dims, torch.export.Dim.AUTO) or None


def _user_inputs(program):
    kinds = type(program.graph_signature.input_specs[0].kind) if program.graph_signature.input_specs else None
    return [spec for spec in program.graph_signature.input_specs if kinds and spec.kind == kinds.USER_INPUT]


def _rename_inputs(program, described) -> List[str]:
    """The names of the described inputs in the program, which gets those that they ask for."""
    specs = [spec for spec in _user_inputs(program) if hasattr(spec.arg, "name") and not hasattr(spec.arg, "value")]
    if described and len(described) != len(specs):
        raise usage(f"{len(described)} inputs are described, but the network has {len(specs)}", "inputs")
    by_name = {spec.arg.name: spec for spec in specs}
    if described and all(each.name in by_name for each in described):
        return [each.name for each in described]
    for spec, each in zip(specs, described):
        if each.name:
            spec.arg.name = _renamed(program, spec.arg.name, each.name)
    return [spec.arg.name for spec, _ in zip(specs, described)]


def _rename_outputs(program, outputs):
    if outputs is None:
        return
    kinds = type(program.graph_signature.output_specs[0].kind)
    specs = [spec for spec in program.graph_signature.output_specs if spec.kind == kinds.USER_OUTPUT]
    if len(outputs) != len(specs):
        raise usage(f"{len(outputs)} outputs are described, but the network has {len(specs)}", "outputs")
    for spec, each in zip(specs, outputs):
        if isinstance(each, ImageType):
            raise usage("image outputs are not written", "outputs", "use TensorType")
        if each.shape is not None:
            raise usage("the shapes of outputs follow from the inputs", "outputs", "leave shape out")
        if each.dtype is not None and each.dtype != np.float32:
            warnings.warn(f"the output {each.name or ''} keeps its own type", stacklevel=3)
        if each.name:
            spec.arg.name = _renamed(program, spec.arg.name, each.name)


def _plain(name: str) -> str:
    """What a Core ML name may not hold becomes '_', as in coremltools."""
    return "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in name)


def _renamed(program, old: str, new: str) -> str:
    """Gives the node of that name a new one, which is returned as it is written."""
    node = next(each for each in program.graph.nodes if each.name == old)
    if old == new:
        return old
    taken = next((each for each in program.graph.nodes if each.name == new and each is not node), None)
    if taken is not None:
        taken.name = next(f"{new}_{i}" for i in itertools.count(1)
                          if all(each.name != f"{new}_{i}" for each in program.graph.nodes))
        for spec in [*program.graph_signature.input_specs, *program.graph_signature.output_specs]:
            if getattr(spec.arg, "name", None) == new:
                spec.arg.name = taken.name
    name = _plain(new)
    if name != new:
        warnings.warn(f"'{new}' is called '{name}'", stacklevel=4)
    node.name = name
    for spec in [*program.graph_signature.input_specs, *program.graph_signature.output_specs]:
        if getattr(spec.arg, "name", None) == old:
            spec.arg.name = name
    return name


def _check_states(converted: Model, states):
    """Buffers that the network changes become states by themselves; what is described must be one."""
    changed = [each.name for each in converted.states]
    for each in states or []:
        if each.name is not None and _plain(each.name) not in map(_plain, changed):
            raise usage(f"the network changes no buffer '{each.name}'", "states",
                        f"it changes {', '.join(changed) or 'none'}")
