"""MLModelStructure of a compiled model: from its specification where the folder keeps one, else from the program that
Anemone reads."""

import json
import os
from typing import Any, Dict, List

import anemone

from . import _sources

# What Core ML's compiler calls the layers of a specification; layers that are not here keep their name.
_COMPILED_LAYERS = {
    "add": "elementwise", "addBroadcastable": "elementwise", "multiply": "elementwise",
    "multiplyBroadcastable": "elementwise", "subtractBroadcastable": "elementwise", "innerProduct": "inner_product",
    "pooling": "pool", "reshapeStatic": "reshape", "softmaxND": "softmax_nd",
}


def structure_of(path: str):
    """coremltools' MLModelStructure of what is at `path`."""
    source = _sources.readable(path)
    layers = os.path.join(source, "model.espresso.net")
    if source.endswith(".mlmodelc"):
        return _compiled_network(layers) if os.path.exists(layers) else _of_program(anemone.load(source).structure())
    from coremltools.models.utils import load_spec

    return _of_specification(load_spec(source))


def _of_specification(spec):
    from coremltools.models import compute_plan as ct

    kind = spec.WhichOneof("Type")
    if kind == "mlProgram":
        return _of_program({"functions": {name: _block(function.block_specializations[function.opset], function.inputs)
                                          for name, function in spec.mlProgram.functions.items()}})
    if kind in ("neuralNetwork", "neuralNetworkClassifier", "neuralNetworkRegressor"):
        layers = []
        for layer in getattr(spec, kind).layers:
            name = layer.WhichOneof("layer")
            layers.append(ct.MLModelStructureNeuralNetworkLayer(
                layer.name, _COMPILED_LAYERS.get(name, name), list(layer.input), list(layer.output), None))
        return ct.MLModelStructure(ct.MLModelStructureNeuralNetwork(layers), None, None)
    if kind in ("pipeline", "pipelineClassifier", "pipelineRegressor"):
        pipeline = spec.pipeline if kind == "pipeline" else getattr(spec, kind).pipeline
        names = list(pipeline.names) or [f"model{index}" for index in range(len(pipeline.models))]
        models = tuple((name, _of_specification(model)) for name, model in zip(names, pipeline.models))
        return ct.MLModelStructure(None, None, ct.MLModelStructurePipeline(models))
    return ct.MLModelStructure(None, None, None)


def _block(block, inputs=None) -> Dict[str, Any]:
    """A block of a specification as anemone.Model.structure() has it. A value that is bound in place has no name."""
    operations = []
    for operation in block.operations:
        arguments = {parameter: [binding.name or None for binding in argument.arguments]
                     for parameter, argument in operation.inputs.items()}
        operations.append({"type": operation.type, "arguments": arguments,
                           "outputs": [output.name for output in operation.outputs],
                           "blocks": [_block(inner) for inner in operation.blocks]})
    named = block.inputs if inputs is None else inputs
    return {"inputs": [value.name for value in named], "operations": operations, "outputs": list(block.outputs)}


def _of_program(structure: Dict[str, Any]):
    from coremltools.models import compute_plan as ct

    functions = {name: ct.MLModelStructureProgramFunction(_values(function["inputs"]), _program_block(function))
                 for name, function in structure["functions"].items()}
    return ct.MLModelStructure(None, ct.MLModelStructureProgram(functions), None)


def _values(names: List[str]) -> List[Any]:
    from coremltools.models import compute_plan as ct

    return [ct.MLModelStructureProgramNamedValueType(name, ct.MLModelStructureProgramValueType()) for name in names]


def _program_block(block: Dict[str, Any]):
    from coremltools.models import compute_plan as ct

    def binding(name):
        return ct.MLModelStructureProgramBinding(name, None if name else ct.MLModelStructureProgramValue())

    operations = []
    for operation in block["operations"]:
        arguments = {parameter: ct.MLModelStructureProgramArgument([binding(name) for name in names])
                     for parameter, names in operation["arguments"].items()}
        # coremltools names operators without their op set.
        kind = operation["type"].split(".")[-1]
        operations.append(ct.MLModelStructureProgramOperation(
            arguments, kind, _values(operation["outputs"]), [_program_block(each) for each in operation["blocks"]], None))
    return ct.MLModelStructureProgramBlock(_values(block["inputs"]), operations, list(block["outputs"]))


def _compiled_network(path: str):
    """The layers of a network that Core ML's compiler wrote."""
    from coremltools.models import compute_plan as ct

    with open(path, "rb") as file:
        text = file.read()
    try:
        layers = json.loads(text)["layers"]
    except (ValueError, KeyError, UnicodeDecodeError):
        raise anemone.Error("the layers are not JSON text", "unsupported", 3, path, "") from None

    def names(layer, key):
        return [name for name in layer.get(key, "").split(",") if name]

    return ct.MLModelStructure(ct.MLModelStructureNeuralNetwork([
        ct.MLModelStructureNeuralNetworkLayer(layer["name"], layer["type"], names(layer, "bottom"), names(layer, "top"),
                                              None) for layer in layers]), None, None)
