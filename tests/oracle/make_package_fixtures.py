"""Writes the small packages under tests/fixtures/packages/ with coremltools: one for each thing that a package can say and
the reader must keep. format/package_test.cc reads them. Run by:

    ./dev oracle make_package_fixtures
"""
import json
import pathlib
import shutil
import sys
import tempfile
import uuid

import coremltools as ct
import numpy as np
from coremltools.converters.mil.mil import Builder as mb
from coremltools.converters.mil.mil import types

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "packages"
TARGETS = {6: ct.target.iOS15, 7: ct.target.iOS16, 8: ct.target.iOS17, 9: ct.target.iOS18}


def convert(program, target, **options):
    return ct.convert(program, convert_to="mlprogram", minimum_deployment_target=target, skip_model_load=True,
                      compute_precision=ct.precision.FLOAT32, **options)


def save(model, name):
    path = OUT / f"{name}.mlpackage"
    shutil.rmtree(path, ignore_errors=True)
    model.save(str(path))
    # Identifiers are random; make them a function of the item's name, so that a second run changes nothing.
    manifest = json.loads((path / "Manifest.json").read_text())
    # An empty folder does not survive git: leave it out, and its entry with it.
    weights = path / "Data" / "com.apple.CoreML" / "weights"
    without_weights = not any(weights.iterdir())
    if without_weights:
        weights.rmdir()
    entries = {}
    for identifier, entry in manifest["itemInfoEntries"].items():
        if without_weights and entry["name"] == "weights":
            continue
        fixed = str(uuid.uuid5(uuid.NAMESPACE_URL, entry["path"]))
        entries[fixed] = entry
        if identifier == manifest["rootModelIdentifier"]:
            manifest["rootModelIdentifier"] = fixed
    manifest["itemInfoEntries"] = dict(sorted(entries.items()))
    (path / "Manifest.json").write_text(json.dumps(manifest, indent=4) + "\n")


def convolution(spec):
    """An image in, an array out; weights in the file; metadata."""
    rng = np.random.default_rng(7)
    weight = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)

    @mb.program(input_specs=[mb.TensorSpec((1, 3, 8, 8))], opset_version=TARGETS[spec])
    def program(image):
        x = mb.conv(x=image, weight=weight, bias=np.zeros(4, np.float32), strides=[2, 2], pad_type="same", name="stem")
        return mb.relu(x=x, name="out")

    model = convert(program, TARGETS[spec], inputs=[
        ct.ImageType("image", shape=(1, 3, 8, 8), scale=1 / 255.0, bias=[0.1, 0.2, 0.3], color_layout=ct.colorlayout.BGR)])
    model.short_description = "A convolution"
    model.author = "Anemone's tests"
    model.license = "none"
    model.version = "1.2"
    model.user_defined_metadata["origin"] = "make_package_fixtures.py"
    model.input_description["image"] = "The picture"
    save(model, f"convolution_spec{spec}")


def flexible():
    """Inputs of several sizes, with defaults, and images of each kind."""
    import torch

    class Net(torch.nn.Module):
        def forward(self, x):
            return torch.relu(x)

    traced = torch.jit.trace(Net().eval(), torch.zeros(1, 3, 8, 8))
    cases = {
        "image_enumerated": ct.ImageType("x", shape=ct.EnumeratedShapes([(1, 3, 8, 8), (1, 3, 16, 12)])),
        "image_range": ct.ImageType("x", shape=(1, 3, ct.RangeDim(8, 32), ct.RangeDim(4, 64, default=8)),
                                    color_layout=ct.colorlayout.RGB),
        "array_enumerated": ct.TensorType("x", shape=ct.EnumeratedShapes([(1, 3, 8, 8), (1, 3, 16, 12)])),
        "array_range": ct.TensorType("x", shape=(1, 3, ct.RangeDim(8, 32), ct.RangeDim(4, 64, default=8))),
        "array_default": ct.TensorType("x", shape=(1, 3, 8, 8), default_value=np.full((1, 3, 8, 8), 0.5, np.float32)),
    }
    for name, given in cases.items():
        save(convert(traced, ct.target.iOS15, inputs=[given]), name)
    gray = ct.ImageType("x", shape=(1, 1, 8, 8), color_layout=ct.colorlayout.GRAYSCALE_FLOAT16)
    traced = torch.jit.trace(Net().eval(), torch.zeros(1, 1, 8, 8))
    save(convert(traced, ct.target.iOS16, inputs=[gray], outputs=[
        ct.ImageType("y", color_layout=ct.colorlayout.GRAYSCALE_FLOAT16)]), "image_gray16")


def classifier(name, labels):
    @mb.program(input_specs=[mb.TensorSpec((1, 12))], opset_version=ct.target.iOS15)
    def program(x):
        return mb.softmax(x=x, axis=-1, name="probabilities")

    save(convert(program, ct.target.iOS15, classifier_config=ct.ClassifierConfig(labels)), name)


def compressed(spec):
    """constexpr_ operations: attributes before iOS18, inputs since."""
    rng = np.random.default_rng(3)
    weight = rng.standard_normal((16, 32)).astype(np.float32)

    @mb.program(input_specs=[mb.TensorSpec((1, 32))], opset_version=TARGETS[spec])
    def program(x):
        return mb.linear(x=x, weight=weight, name="out")

    model = convert(program, TARGETS[spec])
    import coremltools.optimize.coreml as cto
    if spec == 9:
        config = cto.OpLinearQuantizerConfig(dtype="int4", granularity="per_block", block_size=8, weight_threshold=0)
        save(cto.linear_quantize_weights(model, cto.OptimizationConfig(global_config=config)), "int4_spec9")
    config = cto.OpPalettizerConfig(mode="uniform", nbits=2, weight_threshold=0)
    save(cto.palettize_weights(model, cto.OptimizationConfig(global_config=config)), f"palettized_spec{spec}")


def while_loop():
    """Two sibling blocks that use the same names."""

    def body(a, b):
        return mb.add(x=a, y=b), b

    def condition(a, b):
        return mb.less(x=mb.reduce_mean(x=a, axes=[0], keep_dims=False), y=mb.reduce_mean(x=b, axes=[0], keep_dims=False))

    @mb.program(input_specs=[mb.TensorSpec((1,)), mb.TensorSpec((1,))], opset_version=ct.target.iOS15)
    def program(a, b):
        return mb.while_loop(_cond=condition, _body=body, loop_vars=(a, b))

    save(convert(program, ct.target.iOS15), "while_loop")


def state():
    @mb.program(input_specs=[mb.TensorSpec((2, 3), dtype=types.fp16), mb.StateTensorSpec((2, 3), dtype=types.fp16)],
                opset_version=ct.target.iOS18)
    def program(x, memory):
        total = mb.add(x=mb.read_state(input=memory), y=x)
        mb.coreml_update_state(state=memory, value=total)
        return mb.mul(x=total, y=np.float16(2), name="out")

    model = ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS18, skip_model_load=True)
    save(model, "state")


def multi_function():
    def program(scale):
        @mb.program(input_specs=[mb.TensorSpec((1, 16))], opset_version=ct.target.iOS18)
        def made(x):
            y = mb.mul(x=x, y=np.arange(16, dtype=np.float32).reshape(1, 16))
            return mb.mul(x=y, y=np.float32(scale), name="out")

        return made

    with tempfile.TemporaryDirectory() as folder:
        description = ct.utils.MultiFunctionDescriptor()
        for name, scale in (("twice", 2), ("thrice", 3)):
            path = f"{folder}/{name}.mlpackage"
            convert(program(scale), ct.target.iOS18).save(path)
            description.add_function(path, src_function_name="main", target_function_name=name)
        description.default_function_name = "thrice"
        ct.utils.save_multifunction(description, f"{folder}/both.mlpackage")
        save(ct.models.MLModel(f"{folder}/both.mlpackage", skip_model_load=True), "multi_function")


def main():
    for spec in TARGETS:
        convolution(spec)
    flexible()
    classifier("classifier_strings", [f"label {i}" for i in range(12)])
    classifier("classifier_ints", list(range(100, 112)))
    compressed(7)
    compressed(9)
    while_loop()
    state()
    multi_function()


if __name__ == "__main__":
    sys.exit(main())
