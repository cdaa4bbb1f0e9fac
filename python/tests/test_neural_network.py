"""Neural networks that coremltools' builder makes, lifted and run, against NumPy."""

import numpy as np
import pytest

import anemone

coremltools = pytest.importorskip("coremltools")
from coremltools.models import datatypes  # noqa: E402
from coremltools.models.neural_network import NeuralNetworkBuilder  # noqa: E402


def predict(tmp_path, builder, **inputs):
    path = tmp_path / "network.mlmodel"
    coremltools.utils.save_spec(builder.spec, str(path))
    arrays = {name: np.asarray(value, np.float32) for name, value in inputs.items()}
    return anemone.load(path).predict(arrays)


def network(shape, exact=True, outputs=("y",)):
    return NeuralNetworkBuilder([("x", datatypes.Array(*shape))], [(name, None) for name in outputs],
                                disable_rank5_shape_mapping=exact)


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def convolve(x, w):
    """x [C, H, W], w [height, width, C, outputs]; stride 1, no padding."""
    height, width = x.shape[1] - w.shape[0] + 1, x.shape[2] - w.shape[1] + 1
    y = np.zeros((w.shape[3], height, width), np.float32)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            y += np.einsum("chw,co->ohw", x[:, i:i + height, j:j + width], w[i, j])
    return y


def test_a_feature_model_says_what_the_file_holds(tmp_path):
    builder = network((2,))
    builder.add_activation("relu", "RELU", "x", "y")
    path = tmp_path / "network.mlmodel"
    coremltools.utils.save_spec(builder.spec, str(path))
    model = anemone.FeatureModel(path)
    assert model.type == "neuralNetwork"
    np.testing.assert_array_equal(model.predict({"x": np.array([-1.0, 2.0], np.float32)})["y"], [0, 2])


def test_convolution_with_bias_and_relu(tmp_path):
    x, w, b = random(3, 5, 6), random(2, 3, 3, 4), random(4)
    builder = network(x.shape, exact=False)
    builder.add_convolution("conv", 3, 4, 2, 3, 1, 1, "valid", 1, w, b, True, input_name="x", output_name="c")
    builder.add_activation("relu", "RELU", "c", "y")
    y = predict(tmp_path, builder, x=x)["y"]
    assert y.shape == (1, 1, 4, 4, 4)
    np.testing.assert_allclose(y[0, 0], np.maximum(convolve(x, w) + b[:, None, None], 0), atol=1e-5)


@pytest.mark.parametrize("mode, axis, expected", [
    ("sum", "CHW", lambda x: x.sum()), ("avg", "HW", lambda x: x.mean((1, 2))), ("max", "C", lambda x: x.max(0)),
    ("L2", "W", lambda x: np.sqrt((x * x).sum(2))), ("argmax", "H", lambda x: x.argmax(1)),
])
def test_reduce(tmp_path, mode, axis, expected):
    x = random(3, 4, 5)
    builder = network(x.shape, exact=False)
    builder.add_reduce("reduce", "x", "y", axis, mode)
    y = predict(tmp_path, builder, x=x)["y"]
    np.testing.assert_allclose(np.ravel(y), np.ravel(expected(x)), rtol=1e-5)


def test_lstm_of_two_steps(tmp_path):
    hidden, features = 3, 2
    w_x, w_h = [random(hidden, features) + i for i in range(4)], [random(hidden, hidden) - i for i in range(4)]
    bias = [random(hidden) * (i + 1) for i in range(4)]
    x = random(2, 1, features, 1, 1)
    builder = network(x.shape)
    for name in ("h", "c"):
        builder.add_load_constant_nd(name, name, np.zeros((1, 1, hidden, 1, 1)), (1, 1, hidden, 1, 1))
    builder.add_unilstm("lstm", w_h, w_x, bias, hidden, features, ["x", "h", "c"], ["y", "h_out", "c_out"],
                        inner_activation="SIGMOID", forget_bias=True, output_all=True)
    y = predict(tmp_path, builder, x=x)["y"]

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    h, c, steps = np.zeros(hidden), np.zeros(hidden), []
    for step in x[:, 0, :, 0, 0]:
        # The builder has the gates in the order input, forget, output, block input.
        i, f, o, z = (w_x[k] @ step + w_h[k] @ h + bias[k] for k in range(4))
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(z)
        h = sigmoid(o) * np.tanh(c)
        steps.append(h)
    np.testing.assert_allclose(y[:, 0, :, 0, 0], steps, atol=1e-5)


def test_slices_and_strides(tmp_path):
    x = random(4, 6)
    builder = network(x.shape)
    builder.add_slice_static("slice", "x", "y", [-1, 1], [0, 6], [-2, 2], [False, False], [True, False])
    np.testing.assert_array_equal(predict(tmp_path, builder, x=x)["y"], x[-1::-2, 1:6:2])


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_quantized_weights(tmp_path, bits):
    x, w = random(8), random(5, 8)
    builder = network(x.shape)
    builder.add_inner_product("product", w, None, 8, 5, False, "x", "y")
    quantize = coremltools.models.neural_network.quantization_utils._quantize_spec_weights
    builder.spec.CopyFrom(quantize(builder.spec, bits, "_linear_quantization"))
    y = predict(tmp_path, builder, x=x)["y"]
    low, high = w.min(1, keepdims=True), w.max(1, keepdims=True)
    scale = (high - low) / (2 ** bits - 1)
    np.testing.assert_allclose(y, (np.round((w - low) / scale) * scale + low) @ x, atol=1e-4)


def test_branches(tmp_path):
    builder = network((1,))
    layer = builder.add_branch("branch", "x")
    for body, alpha in ((layer.branch.ifBranch, 2.0), (layer.branch.elseBranch, 5.0)):
        NeuralNetworkBuilder(nn_spec=body, disable_rank5_shape_mapping=True).add_fill_static(
            "fill", "y", [2], alpha)
    assert predict(tmp_path, builder, x=[1])["y"].tolist() == [2, 2]
    assert predict(tmp_path, builder, x=[0])["y"].tolist() == [5, 5]


def test_saved_as_a_program(tmp_path):
    x = random(2, 3)
    builder = network(x.shape)
    builder.add_softmax_nd("softmax", "x", "y", axis=-1)
    expected = predict(tmp_path, builder, x=x)["y"]
    package = tmp_path / "network.mlpackage"
    anemone.convert(tmp_path / "network.mlmodel", compute_precision="float32").save(package)
    assert coremltools.utils.load_spec(str(package)).WhichOneof("Type") == "mlProgram"
    np.testing.assert_array_equal(anemone.load(package).predict({"x": x})["y"], expected)


def test_custom_layers_are_refused_by_name(tmp_path):
    builder = network((2,))
    builder.add_custom("mine", ["x"], ["y"])
    with pytest.raises(anemone.Error, match=r"layer 0 'mine' \(custom\)"):
        predict(tmp_path, builder, x=[1, 2])
