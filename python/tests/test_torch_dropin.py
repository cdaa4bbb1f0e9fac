"""anemone.torch: scripts for coremltools.convert with the import changed. Values are PyTorch's."""

import numpy as np
import pytest

import anemone

torch = pytest.importorskip("torch")

import anemone.torch as ct  # noqa: E402


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Linear(8, 4)

    def forward(self, picture):
        return self.head(torch.relu(self.conv(picture)).mean((2, 3))).softmax(-1)


class Two(torch.nn.Module):
    def forward(self, a, b):
        return a + b, a * b


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x):
        self.total.add_(x)
        return self.total * 2


def picture(*shape):
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def wanted(module, *arrays):
    with torch.no_grad():
        return module(*(torch.from_numpy(each) for each in arrays)).numpy()


@pytest.mark.parametrize("form", ["module", "exported", "traced"])
def test_forms_of_a_network(form, tmp_path):
    net, x = Net().eval(), picture(1, 3, 16, 12)
    model = net
    if form == "exported":
        model = torch.export.export(net, (torch.from_numpy(x),))
    if form == "traced":
        model = torch.jit.trace(net, torch.from_numpy(x))
    converted = ct.convert(model, inputs=[ct.TensorType(name="image", shape=x.shape)], outputs=[ct.TensorType(name="scores")],
                           minimum_deployment_target=ct.target.iOS17, compute_precision=ct.precision.FLOAT32)
    assert [each.name for each in converted.inputs] == ["image"] and [each.name for each in converted.outputs] == ["scores"]
    np.testing.assert_allclose(converted.predict({"image": x})["scores"], wanted(net, x), atol=1e-6)
    converted.save(tmp_path / "m.mlpackage")
    again = ct.models.MLModel(tmp_path / "m.mlpackage")
    np.testing.assert_allclose(again.predict([{"image": x}])[0]["scores"], wanted(net, x), atol=1e-6)


def test_the_defaults_are_coremltools():
    converted = ct.convert(Net(), inputs=[ct.TensorType(shape=(1, 3, 8, 8))])
    assert "<ios15>" in converted.text() and "fp16" in converted.text()
    x = picture(1, 3, 8, 8)
    np.testing.assert_allclose(list(converted.predict({converted.inputs[0].name: x}).values())[0], wanted(Net().eval(), x), atol=2e-3)


def test_ranges_and_enumerated_shapes():
    net = Net().eval()
    shape = (ct.RangeDim(1, 4), 3, ct.RangeDim(4, 64, default=16), 12)
    converted = ct.convert(net, inputs=[ct.TensorType("x", shape)], compute_precision=ct.precision.FLOAT32)
    assert converted.inputs[0].shape == (1, 3, 16, 12)
    for sizes in ((1, 3, 4, 12), (4, 3, 64, 12), (2, 3, 17, 12)):
        x = picture(*sizes)
        np.testing.assert_allclose(list(converted.predict({"x": x}).values())[0], wanted(net, x), atol=1e-6)
    with pytest.raises(anemone.Error):
        converted.predict({"x": picture(5, 3, 16, 12)})
    shapes = ct.EnumeratedShapes([(1, 3, 8, 12), (1, 3, 16, 12), (1, 3, 32, 12)], default=(1, 3, 16, 12))
    converted = ct.convert(net, inputs=[ct.TensorType("x", shapes)], compute_precision=ct.precision.FLOAT32)
    assert converted.inputs[0].shape == (1, 3, 16, 12)
    x = picture(1, 3, 32, 12)
    np.testing.assert_allclose(list(converted.predict({"x": x}).values())[0], wanted(net, x), atol=1e-6)
    with pytest.raises(anemone.Error):
        converted.predict({"x": picture(1, 3, 9, 12)})
    with pytest.warns(UserWarning, match="all 4 combinations"):
        ct.convert(net, inputs=[ct.TensorType("x", ct.EnumeratedShapes([(1, 3, 8, 8), (1, 3, 16, 16)]))])


@pytest.mark.parametrize("scale,bias", [(1 / 255, [-0.4, -0.5, -0.6]), ([0.01, 0.02, 0.03], [1.0, -2.0, 0.5]), (2.0, None)])
def test_images(scale, bias):
    net, pixels = Net().eval(), np.random.default_rng(4).integers(0, 256, (1, 3, 8, 6)).astype(np.float32)
    converted = ct.convert(net, inputs=[ct.ImageType("picture", (1, 3, 8, 6), scale=scale, bias=bias)],
                           compute_precision=ct.precision.FLOAT32)
    assert converted.inputs[0].dtype == "image" and converted.inputs[0].color == "rgb"
    x = pixels * np.reshape(np.broadcast_to(scale, 3), (1, 3, 1, 1)) + np.reshape(bias or [0, 0, 0], (1, 3, 1, 1))
    found = list(converted.predict({"picture": pixels}).values())[0]
    np.testing.assert_allclose(found, wanted(net, x.astype(np.float32)), atol=1e-5)


def test_a_classifier():
    config = ct.ClassifierConfig(["cat", "dog", "cow", "hen"])
    converted = ct.convert(Net(), inputs=[ct.ImageType("picture", (1, 3, 8, 6))], classifier_config=config)
    answer = converted.predict({"picture": np.full((1, 3, 8, 6), 100, np.float32)})
    assert answer["classLabel"] in config.class_labels
    with pytest.raises(anemone.Error, match="classLabel"):
        ct.convert(Net(), inputs=[ct.TensorType("x", (1, 3, 8, 6))], classifier_config=ct.ClassifierConfig(["a"] * 4, "name"))


def test_states():
    converted = ct.convert(Counter(), inputs=[ct.TensorType("x", (3,))], minimum_deployment_target=ct.target.iOS18,
                           states=[ct.StateType(ct.TensorType(shape=(3,), dtype=np.float16), name="total")])
    state = converted.make_state()
    for round in (1, 2):
        found = list(converted.predict({"x": np.float32([1, 2, 3])}, state).values())[0]
        np.testing.assert_allclose(found, np.float32([2, 4, 6]) * round)
    with pytest.raises(anemone.Error, match="changes no buffer 'other'"):
        ct.convert(Counter(), inputs=[ct.TensorType("x", (3,))], minimum_deployment_target=ct.target.iOS18,
                   states=[ct.StateType(ct.TensorType(shape=(3,)), name="other")])


def test_names_of_several_inputs_and_outputs():
    a, b = picture(2, 3), picture(2, 3)[::-1].copy()
    # Names that the graph has for something else, crossed.
    converted = ct.convert(Two(), inputs=[ct.TensorType("b", (2, 3)), ct.TensorType("add", (2, 3))],
                           outputs=[ct.TensorType("mul"), ct.TensorType("a")], compute_precision=ct.precision.FLOAT32)
    found = converted.predict({"b": a, "add": b})
    np.testing.assert_allclose(found["mul"], a + b)
    np.testing.assert_allclose(found["a"], a * b)


def test_texts_are_written(tmp_path):
    converted = ct.convert(Net(), inputs=[ct.TensorType("x", (1, 3, 8, 6))])
    converted.author, converted.short_description, converted.license, converted.version = "A", "Schätzt", "MIT", "1.2"
    converted.user_defined_metadata["key"] = "value"
    converted.input_description["x"] = "a picture"
    path = tmp_path / "m.mlpackage"
    converted.save(path)
    metadata = anemone.load(path).inspect()["metadata"]
    assert metadata["author"] == "A" and metadata["user_defined"]["key"] == "value"
    coremltools = pytest.importorskip("coremltools")
    spec = coremltools.models.utils.load_spec(str(path))
    told = spec.description.metadata
    assert (told.author, told.shortDescription, told.license, told.versionString) == ("A", "Schätzt", "MIT", "1.2")
    assert spec.description.input[0].shortDescription == "a picture" and spec.WhichOneof("Type") == "mlProgram"
    converted.output_description["z"] = "none"
    with pytest.raises(anemone.Error, match="no feature 'z'"):
        converted.save(path)


@pytest.mark.parametrize("arguments,error", [
    ({"convert_to": "neuralnetwork"}, "only ML Programs"), ({"source": "tensorflow"}, "only networks of PyTorch"),
    ({"minimum_deployment_target": ct.target.iOS14}, "no ML Programs"), ({"pass_pipeline": object()}, "passes of its own"),
    ({"compute_precision": "float8"}, "float8"), ({"inputs": None}, "needs inputs"),
    ({"inputs": [ct.TensorType("x", (1, 3, 8, 6))] * 2}, ""), ({"outputs": [ct.ImageType("y")]}, "image outputs"),
    ({"inputs": [ct.TensorType("x", (1, 3, 8, 6), default_value=np.zeros((1, 3, 8, 6), np.float32))]}, "optional"),
])
def test_what_has_no_counterpart_is_refused(arguments, error):
    given = {"inputs": [ct.TensorType("x", (1, 3, 8, 6))], **arguments}
    with pytest.raises((anemone.Error, TypeError), match=error):
        ct.convert(Net(), **given)


def test_types_check_what_they_are_given():
    for make in (lambda: ct.RangeDim(1, -1), lambda: ct.RangeDim(4, 2), lambda: ct.EnumeratedShapes([(1, 2)]),
                 lambda: ct.EnumeratedShapes([(1, 2), (1, 2, 3)]), lambda: ct.TensorType("x", (1, 0)),
                 lambda: ct.TensorType("x", (1,), dtype=np.complex64), lambda: ct.ImageType("x", color_layout="CMYK"),
                 lambda: ct.StateType(ct.TensorType("x", (1,)))):
        with pytest.raises(anemone.Error):
            make()
    assert ct.TensorType("x", (1,), dtype=torch.float16).dtype == np.float16
