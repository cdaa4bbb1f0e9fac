"""Packages of ours, read by coremltools on Linux, for every deployment target."""

import numpy as np
import onnx
import pytest

import anemone
from conftest import make_classifier

coremltools = pytest.importorskip("coremltools")

SPEC_VERSIONS = {"iOS15": 6, "iOS16": 7, "iOS17": 8, "iOS18": 9}


def load_as_typed_program(path):
    """Turns the package back into coremltools' own typed program, which checks every operator's types."""
    from coremltools.converters.mil.frontend.milproto.load import load as load_proto

    spec = coremltools.utils.load_spec(str(path))
    return load_proto(model_spec=spec, specification_version=spec.specificationVersion,
                      file_weights_dir=str(path / "Data/com.apple.CoreML/weights"))


@pytest.mark.parametrize("target", list(SPEC_VERSIONS))
@pytest.mark.parametrize("variant", ["float32", "float16", "int8"])
def test_coremltools_reads_our_packages(tmp_path, target, variant):
    if variant == "int8" and target == "iOS15":
        pytest.skip("iOS15 has no compressed weights; test_int8_needs_ios16 covers it")
    source = tmp_path / "classifier.onnx"
    onnx.save(make_classifier(channels=32), str(source))
    precision = "float16" if variant != "float32" else "float32"
    model = anemone.convert(source, minimum_deployment_target=target, compute_precision=precision)
    if variant == "int8":
        model = model.compress(dtype="int8")
    path = tmp_path / "classifier.mlpackage"
    model.save(path)

    spec = coremltools.utils.load_spec(str(path))
    assert spec.specificationVersion == SPEC_VERSIONS[target]
    assert [feature.name for feature in spec.description.input] == ["image"]
    assert [feature.name for feature in spec.description.output] == ["logits", "probabilities"]
    program = load_as_typed_program(path)
    function = program.functions["main"]
    operators = [operation.op_type for operation in function.operations]
    assert "conv" in operators
    # Weights arrive unchanged: the first convolution's are the ONNX file's.
    if variant == "float32":
        weights = onnx.numpy_helper.to_array(
            next(item for item in onnx.load(str(source)).graph.initializer if item.name == "w1"))
        conv = next(operation for operation in function.operations if operation.op_type == "conv")
        assert np.array_equal(conv.weight.val, weights)
    if variant == "int8":
        assert any(operator.startswith("constexpr_") for operator in operators)


def test_int8_needs_ios16(tmp_path):
    source = tmp_path / "classifier.onnx"
    onnx.save(make_classifier(channels=32), str(source))
    model = anemone.convert(source, minimum_deployment_target="iOS15")
    raised = tmp_path / "raised.mlpackage"
    model.compress(dtype="int8").save(raised)
    assert coremltools.models.MLModel(str(raised), skip_model_load=True).get_spec().specificationVersion == 7
    with pytest.raises(anemone.Error) as caught:
        model.compress(dtype="int8", minimum_deployment_target="iOS15")
    assert caught.value.code == "unsupported"
    assert "iOS16" in str(caught.value) or "ios16" in str(caught.value)


def test_the_same_input_gives_the_same_bytes(tmp_path):
    source = tmp_path / "classifier.onnx"
    onnx.save(make_classifier(), str(source))
    contents = []
    for name in ("a", "b"):
        path = tmp_path / name / "model.mlpackage"
        path.parent.mkdir()
        anemone.convert(source).save(path)
        contents.append({str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()})
    assert contents[0] == contents[1]
    assert len(contents[0]) >= 3
