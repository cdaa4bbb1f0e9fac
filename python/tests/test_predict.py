"""The Python package against ONNX Runtime."""

import threading

import numpy as np
import onnxruntime
import pytest

import anemone


def run_onnxruntime(path, inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs)))


def relative_linf(got, want):
    span = float(want.max() - want.min())
    return float(np.abs(got - want).max()) / (span or 1.0)


def test_onnx_outputs_equal_onnxruntime(classifier, image):
    want = run_onnxruntime(classifier, {"image": image})
    got = anemone.load(classifier).predict({"image": image})
    assert set(got) == set(want)
    for name in want:
        assert got[name].shape == want[name].shape
        assert got[name].dtype == np.float32
        assert relative_linf(got[name], want[name]) <= 1e-4


def test_features(classifier):
    model = anemone.load(classifier)
    assert model.inputs == [anemone.Feature("image", "float32", (1, 3, 14, 14))]
    assert [feature.name for feature in model.outputs] == ["logits", "probabilities"]


@pytest.mark.parametrize("target", ["iOS15", "iOS16", "iOS17", "iOS18"])
def test_saved_package_gives_the_same_outputs(classifier, image, tmp_path, target):
    want = run_onnxruntime(classifier, {"image": image})
    path = tmp_path / "classifier.mlpackage"
    anemone.convert(classifier, minimum_deployment_target=target).save(path)
    got = anemone.load(path).predict({"image": image})
    for name in want:
        assert relative_linf(got[name], want[name]) <= 1e-4


def test_float16_stays_within_its_limits(classifier, image, tmp_path):
    want = run_onnxruntime(classifier, {"image": image})
    path = tmp_path / "half.mlpackage"
    anemone.convert(classifier, compute_precision="float16").save(path)
    got = anemone.load(path).predict({"image": image})
    assert np.abs(got["probabilities"] - want["probabilities"]).max() <= 1e-2
    assert relative_linf(got["logits"], want["logits"]) <= 1e-2
    # It computed in half precision, so it cannot be equal to the last bit.
    assert np.abs(got["logits"] - want["logits"]).max() > 0


def test_int8_is_smaller_and_close(image, tmp_path):
    import onnx
    from conftest import make_classifier

    source = tmp_path / "wide.onnx"
    onnx.save(make_classifier(channels=64), str(source))
    want = run_onnxruntime(source, {"image": image})
    model = anemone.convert(source)
    small = model.compress(dtype="int8")
    assert small.inspect()["weight_bytes"] < 0.4 * model.inspect()["weight_bytes"]
    got = small.predict({"image": image})
    assert np.abs(got["probabilities"] - want["probabilities"]).max() <= 5e-2


def test_predictions_from_many_threads_agree(classifier, image):
    model = anemone.load(classifier)
    want = model.predict({"image": image})["logits"]
    results, errors = [], []

    def work():
        try:
            for _ in range(10):
                results.append(model.predict({"image": image})["logits"])
        except Exception as error:  # noqa: BLE001 (a thread must not lose it)
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(results) == 40
    assert all(np.array_equal(result, want) for result in results)


def test_inputs_of_other_dtypes(classifier, image):
    model = anemone.load(classifier)
    want = model.predict({"image": image})["logits"]
    assert np.array_equal(model.predict({"image": image.astype(np.float64)})["logits"], want)
    assert np.array_equal(model.predict({"image": np.asfortranarray(image)})["logits"], want)


@pytest.mark.parametrize("inputs, words", [
    ({}, "not given"),
    ({"image": np.zeros((1, 3, 15, 14), np.float32)}, "[1, 3, 15, 14]"),
    ({"picture": np.zeros((1, 3, 14, 14), np.float32)}, "no input 'picture'"),
])
def test_wrong_inputs_are_the_callers_mistake(classifier, inputs, words):
    with pytest.raises(anemone.Error) as caught:
        anemone.load(classifier).predict(inputs)
    assert caught.value.code == "usage"
    assert caught.value.exit_code == 2
    assert words in str(caught.value)


def test_errors_carry_place_and_advice(tmp_path):
    with pytest.raises(anemone.Error) as caught:
        anemone.load(tmp_path / "nothing.onnx")
    assert caught.value.code == "not_found"
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x07\x12\xff\xff\xff\xff\x0f not a model")
    with pytest.raises(anemone.Error) as caught:
        anemone.load(broken)
    assert caught.value.code == "invalid_input"
    assert "broken.onnx" in str(caught.value)


def test_unsupported_nodes_are_listed_at_once(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    nodes = [helper.make_node("RandomUniformLike", ["x"], ["a"], name="first"), helper.make_node("Bernoulli", ["x"], ["b"], name="second")]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 2])],
                              [helper.make_tensor_value_info("a", TensorProto.FLOAT, [2, 2]),
                               helper.make_tensor_value_info("b", TensorProto.FLOAT, [2, 2])])
    path = tmp_path / "unsupported.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    with pytest.raises(anemone.Error) as caught:
        anemone.load(path)
    assert caught.value.code == "unsupported"
    assert caught.value.exit_code == 3
    for word in ("RandomUniformLike", "Bernoulli", "first", "second"):
        assert word in str(caught.value)
