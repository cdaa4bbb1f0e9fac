import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from page import BROWSER


def make_classifier(channels=8, opset=17, seed=0):
    """A small convolutional classifier as PyTorch's exporter writes them."""
    rng = np.random.default_rng(seed)

    def constant(name, *shape, scale=1.0):
        return numpy_helper.from_array((rng.standard_normal(shape) * scale).astype(np.float32), name)

    initializers = [
        constant("w1", channels, 3, 3, 3, scale=0.3), constant("b1", channels, scale=0.1),
        constant("w2", channels, 1, 3, 3, scale=0.3),
        numpy_helper.from_array(rng.uniform(0.5, 1.5, channels).astype(np.float32), "bn_scale"),
        constant("bn_bias", channels, scale=0.1), constant("bn_mean", channels, scale=0.1),
        numpy_helper.from_array(rng.uniform(0.5, 1.5, channels).astype(np.float32), "bn_var"),
        constant("w3", 64, channels * 9, scale=0.1), constant("w4", 10, 64, scale=0.2), constant("b4", 10, scale=0.1),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=channels),
        helper.make_node("BatchNormalization", ["c2", "bn_scale", "bn_bias", "bn_mean", "bn_var"], ["n2"]),
        helper.make_node("Add", ["n2", "r1"], ["a2"]),
        helper.make_node("HardSwish" if opset >= 14 else "Relu", ["a2"], ["h2"]),
        helper.make_node("MaxPool", ["h2"], ["p2"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("Flatten", ["p2"], ["f2"]),
        helper.make_node("Gemm", ["f2", "w3"], ["g3"], transB=1),
        helper.make_node("Sigmoid", ["g3"], ["s3"]),
        helper.make_node("Gemm", ["s3", "w4", "b4"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes, "classifier",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 14, 14])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10]),
         helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, 10])],
        initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def make_network(seed=0):
    """A classifier with several weights above the threshold of compression, their tails heavy as those of real ones."""
    rng = np.random.default_rng(seed)

    def weight(name, *shape):
        scale = (2 / np.prod(shape[1:])) ** 0.5
        return numpy_helper.from_array((rng.standard_t(4, shape) * scale).astype(np.float32), name)

    initializers = [weight("w1", 32, 3, 3, 3), weight("w2", 48, 32, 3, 3), weight("w3", 48, 48, 3, 3),
                    weight("w4", 96, 48, 1, 1), weight("w5", 100, 96)]
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Conv", ["r2", "w3"], ["c3"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c3", "r2"], ["a3"]),
        helper.make_node("Relu", ["a3"], ["r3"]),
        helper.make_node("Conv", ["r3", "w4"], ["c4"], kernel_shape=[1, 1]),
        helper.make_node("Relu", ["c4"], ["r4"]),
        helper.make_node("GlobalAveragePool", ["r4"], ["p4"]),
        helper.make_node("Flatten", ["p4"], ["f4"]),
        helper.make_node("Gemm", ["f4", "w5"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes, "network", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 14, 14])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 100])], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


@pytest.fixture
def classifier(tmp_path):
    path = tmp_path / "classifier.onnx"
    onnx.save(make_classifier(), str(path))
    return path


@pytest.fixture
def image():
    return np.random.default_rng(1).standard_normal((1, 3, 14, 14)).astype(np.float32)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as api:
        opened = api.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()
