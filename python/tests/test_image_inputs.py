"""Image inputs and labels given at conversion: against Pillow with ONNX Runtime, and against what coremltools writes."""

import json
import warnings

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import anemone

Image = pytest.importorskip("PIL.Image")
runtime = pytest.importorskip("onnxruntime")

SIZE, CLASSES = 12, 5
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
LABELS = ["ant", "bee", "cat", "dog", "emu"]


def weights(channels, seed=0):
    random = np.random.default_rng(seed)
    return {"w": random.standard_normal((6, channels, 3, 3)).astype(np.float32),
            "b": random.standard_normal(6).astype(np.float32),
            "v": random.standard_normal((6, CLASSES)).astype(np.float32)}


def network(path, channels=3, pads=1, last=False):
    """conv, relu, mean, a matrix, softmax; `last`: the channels come last, as TensorFlow has them."""
    shape = [1, SIZE, SIZE, channels] if last else [1, channels, SIZE, SIZE]
    nodes = [helper.make_node("Transpose", ["image"], ["first"], perm=[0, 3, 1, 2])] if last else []
    nodes += [
        helper.make_node("Conv", ["first" if last else "image", "w", "b"], ["c"], pads=[pads] * 4),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("ReduceMean", ["r"], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["m", "v"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes, "network", [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in weights(channels).items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def picture(mode="RGB", seed=3):
    random = np.random.default_rng(seed)
    shape = (SIZE, SIZE) if mode == "L" else (SIZE, SIZE, 3)
    return Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8), mode)


def expected(path, pixels, last=False):
    """ONNX Runtime's probabilities of [channels, height, width] pixels that were normalized by NumPy."""
    batch = pixels[None].astype(np.float32)
    if last:
        batch = batch.transpose(0, 2, 3, 1)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": np.ascontiguousarray(batch)})[0][0]


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("pads", [0, 1])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("color", ["RGB", "BGR"])
def test_a_photograph_gives_what_onnx_runtime_gives(tmp_path, labels, pads, last, color):
    source = network(tmp_path / "net.onnx", pads=pads, last=last)
    model = anemone.convert(source, image_input="image", scale=1 / 255, mean=list(MEAN), std=list(STD), color=color,
                            labels=labels)
    model.save(tmp_path / "net.mlpackage")
    photo = picture()
    pixels = np.asarray(photo).astype(np.float64).transpose(2, 0, 1)
    if color == "BGR":
        pixels = pixels[::-1]
    normal = (pixels / 255 - MEAN[:, None, None]) / STD[:, None, None]
    wanted = expected(source, normal, last)
    found = anemone.load(tmp_path / "net.mlpackage").predict({"image": photo})
    assert found["classLabel"] == LABELS[int(wanted.argmax())]
    assert list(found["classLabel_probs"]) == LABELS
    np.testing.assert_allclose(list(found["classLabel_probs"].values()), wanted, atol=2e-6)
    # Without padding the convolution takes all of it in; with padding the mean stays in front.
    operators = [op["type"] for op in model.inspect(operators=True)["operators"]]
    assert "mul" not in operators and "real_div" not in operators
    assert ("sub" in operators) == (pads == 1), operators


def test_gray_pictures_and_plain_pixels(tmp_path):
    source = network(tmp_path / "net.onnx", channels=1)
    photo = picture("L")
    pixels = np.asarray(photo).astype(np.float64)[None]
    plain = anemone.convert(source, image_input="image", color="GRAY")
    np.testing.assert_allclose(plain.predict({"image": photo})["probabilities"][0], expected(source, pixels), atol=1e-5)
    scaled = anemone.convert(source, image_input="image", color="GRAY", scale=1, mean=[127.5], std=[64])
    np.testing.assert_allclose(scaled.predict({"image": photo})["probabilities"][0],
                               expected(source, (pixels - 127.5) / 64), atol=2e-6)


def test_the_command_takes_a_photograph_and_names_its_class(tmp_path, labels, capfd):
    source = network(tmp_path / "net.onnx")
    package = tmp_path / "net.mlpackage"
    anemone.convert_file(source, output=package, image_input="image", scale=1 / 255, labels=labels)
    photo = picture()
    photo.save(tmp_path / "photo.png")
    wanted = expected(source, np.asarray(photo).transpose(2, 0, 1) / 255)
    outputs = {one["name"]: one
               for one in anemone.run(package, inputs=[f"image={tmp_path / 'photo.png'}"])["outputs"]}
    assert outputs["classLabel"]["label"] == LABELS[int(wanted.argmax())]
    assert outputs["classLabel_probs"]["label"] == LABELS[int(wanted.argmax())]


def test_what_is_doubtful_is_said(tmp_path, labels):
    source = network(tmp_path / "net.onnx")
    with pytest.raises(anemone.Error, match="says nothing without the scale"):
        anemone.convert(source, image_input="image", mean=[0.5])
    with pytest.raises(anemone.Error, match="5 labels for the output 'image'|no output 'image'"):
        anemone.convert(source, labels=labels, probabilities_output="image")
    labels.write_text("\n".join(["ant"] + LABELS[:4]) + "\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        anemone.convert(source, labels=labels)
    assert any("'ant' stands for several classes" in str(one.message) for one in caught)


@pytest.mark.parametrize("integers", [False, True])
def test_coremltools_writes_the_same_interface(tmp_path, labels, integers):
    coremltools = pytest.importorskip("coremltools")
    from coremltools.converters.mil import Builder as mb

    names = [10, 20, 30, 40, 50] if integers else LABELS
    if integers:
        labels = tmp_path / "labels.json"
        labels.write_text(json.dumps(names))
    values = weights(3)

    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3, SIZE, SIZE))])
    def program(image):
        x = mb.conv(x=image, weight=values["w"], bias=values["b"], pad_type="custom", pad=[1, 1, 1, 1])
        x = mb.reduce_mean(x=mb.relu(x=x), axes=[2, 3], keep_dims=False)
        return mb.softmax(x=mb.matmul(x=x, y=values["v"]), axis=1, name="probabilities")

    theirs = coremltools.convert(
        program, convert_to="mlprogram", minimum_deployment_target=coremltools.target.iOS16,
        compute_precision=coremltools.precision.FLOAT32, skip_model_load=True,
        inputs=[coremltools.ImageType("image", shape=(1, 3, SIZE, SIZE), scale=1 / 64, bias=[-1, -2, -3],
                                      color_layout=coremltools.colorlayout.BGR)],
        classifier_config=coremltools.ClassifierConfig(names))
    theirs.save(str(tmp_path / "theirs.mlpackage"))
    # coremltools' pixel * scale + bias is ours with the mean -bias, of scaled pixels.
    ours = anemone.convert(network(tmp_path / "net.onnx"), minimum_deployment_target="iOS16", image_input="image",
                           scale=1 / 64, mean=[1, 2, 3], color="BGR", labels=labels)
    ours.save(tmp_path / "ours.mlpackage")
    specs = [coremltools.utils.load_spec(str(tmp_path / f"{who}.mlpackage")).description for who in ("ours", "theirs")]
    interfaces = [{"input": spec.input, "output": spec.output, "label": spec.predictedFeatureName,
                   "probabilities": spec.predictedProbabilitiesName} for spec in specs]
    assert str(interfaces[0]) == str(interfaces[1])
    photo = picture(seed=5)
    answers = [anemone.load(tmp_path / f"{who}.mlpackage").predict({"image": photo}) for who in ("ours", "theirs")]
    assert answers[0]["classLabel"] == answers[1]["classLabel"]
    np.testing.assert_allclose(list(answers[0]["classLabel_probs"].values()),
                               list(answers[1]["classLabel_probs"].values()), atol=1e-6)
