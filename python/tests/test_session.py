"""The session from Python: answers, reports, options, threads."""

import concurrent.futures
import json
import pathlib
import threading

import numpy as np
import pytest

import anemone

PACKAGES = pathlib.Path(__file__).parents[2] / "tests/fixtures/packages"

PROGRAM = """func main<ios15>(tensor<fp32, [2, 3]> x) {
  y = relu(x = x);
  z = add(x = x, y = x);
} -> (y, z);
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "model.mil"
    file.write_text(PROGRAM)
    return file


def test_predict_and_report(path):
    session = anemone.Session(path, threads=1)
    x = np.array([[-1, 2, -3], [4, -5, 6]], dtype=np.float32)
    assert session.last_report == {}
    outputs = session.predict({"x": x})
    np.testing.assert_array_equal(outputs["y"], np.maximum(x, 0))
    report = session.last_report
    assert report["backend"] == "cpu" and report["attempts"] == 1
    assert report["fallback_reason"] == "none" and report["observed_unit"] == "cpu"
    assert session.state == "ready" and session.wait_ready(1) == "ready"


def test_run_as_onnxruntime(path):
    session = anemone.Session(path)
    x = np.ones((2, 3), dtype=np.float32)
    y, z = session.run(None, {"x": x})
    (only,) = session.run(["z"], {"x": x})
    np.testing.assert_array_equal(z, 2 * x)
    np.testing.assert_array_equal(only, z)
    np.testing.assert_array_equal(y, x)
    assert [feature.name for feature in session.get_inputs()] == ["x"]
    with pytest.raises(anemone.Error) as error:
        session.run(["w"], {"x": x})
    assert error.value.code == "usage"


def test_threads_and_telemetry(path, tmp_path):
    log = tmp_path / "telemetry.jsonl"
    session = anemone.Session(path, telemetry_log=str(log), max_concurrent_calls=3)
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(200):
            x = rng.standard_normal((2, 3)).astype(np.float32)
            if not np.array_equal(session.predict({"x": x})["y"], np.maximum(x, 0)):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    counts = session.telemetry()
    assert counts["inference"]["succeeded"] == 1600
    assert counts["inferences_observed"]["cpu"] == 1600
    assert not session.should_fall_back_to_cpu()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[0]["event"] == "load"


def test_bad_options_and_inputs(path):
    with pytest.raises(anemone.Error, match="no option 'color'"):
        anemone.Session(path, color="red")
    with pytest.raises(anemone.Error, match="threads"):
        anemone.Session(path, threads="two")
    with pytest.raises(anemone.Error) as error:
        anemone.Session(path, backend="coreml")
    assert error.value.exit_code == 4
    session = anemone.Session(path)
    with pytest.raises(anemone.Error) as error:
        session.predict({"x": np.zeros((3, 2), dtype=np.float32)})
    assert error.value.code == "usage"


def test_stateful_model(tmp_path):
    file = tmp_path / "count.mil"
    file.write_text("""func main<ios18>(tensor<fp32, [1]> x, state<tensor<fp16, [1]>> s) {
  old = read_state(input = s);
  wide = cast(x = old, dtype = "fp32");
  y = add(x = wide, y = x);
  half = cast(x = y, dtype = "fp16");
  write_state(input = s, data = half);
} -> (y);
""")
    session = anemone.Session(file)
    state = anemone.State()
    for expected in (2.0, 4.0):
        assert session.predict({"x": np.array([2], dtype=np.float32)}, state)["y"][0] == expected
    for runner in (session, anemone.load(file), anemone.FeatureModel(file)):
        with pytest.raises(anemone.Error, match="keeps 's' between predictions, and no state is given"):
            runner.predict({"x": np.array([2], dtype=np.float32)})


def test_conversations_at_once_keep_states_of_their_own(tmp_path):
    file = tmp_path / "cache.mil"
    file.write_text("""func main<ios18>(tensor<fp32, [1, 4]> x, tensor<int32, [2]> at, state<tensor<fp16, [8, 4]>> cache) {
  old = read_state(input = cache);
  row = cast(x = x, dtype = "fp16");
  end = add(x = at, y = [1, 4]);
  new = slice_update(x = old, update = row, begin = at, end = end);
  write_state(input = cache, data = new);
  wide = cast(x = new, dtype = "fp32");
  y = reduce_sum(x = wide, axes = [0]);
  last = slice_by_size(x = wide, begin = at, size = [1, 4]);
} -> (y, last);
""")
    model = anemone.load(str(file))

    def talk(speaker):
        state = model.make_state()
        kept = np.zeros((8, 4), np.float32)
        random = np.random.default_rng(speaker)
        for turn in range(40):
            row = random.integers(-8, 8, (1, 4)).astype(np.float32)
            kept[turn % 8] = row
            outputs = model.predict({"x": row, "at": np.array([turn % 8, 0], np.int32)}, state)
            np.testing.assert_array_equal(outputs["y"], kept.sum(0))
            np.testing.assert_array_equal(outputs["last"], row)
            np.testing.assert_array_equal(state.read("cache"), kept)
            with pytest.raises(anemone.Error):  # past the last row; nothing is written
                model.predict({"x": row + 1, "at": np.array([8, 0], np.int32)}, state)
            np.testing.assert_array_equal(state.read("cache"), kept)
        return True

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(talk, range(8)))



@pytest.mark.parametrize("name,label", [("classifier_strings", "label 4"), ("classifier_ints", 104)])
def test_a_classifier_answers_with_names(name, label):
    """As coremltools: the label by name, and a dict of probabilities by label."""
    path = PACKAGES / f"{name}.mlpackage"
    x = np.zeros((1, 12), np.float32)
    x[0, 4] = 5
    model = anemone.load(path)
    assert [feature.dtype for feature in model.outputs] == ["string" if name.endswith("strings") else "int64", "dictionary"]
    for outputs in (model.predict({"x": x}), anemone.Session(path).predict({"x": x})):
        assert outputs["classLabel"] == label and isinstance(outputs["classLabel"], type(label))
        probabilities = outputs["classLabel_probs"]
        assert len(probabilities) == 12 and max(probabilities, key=probabilities.get) == label
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_the_report_says_whether_a_gate_has_passed():
    session = anemone.Session(PACKAGES / "classifier_ints.mlpackage")
    session.predict({"x": np.zeros((1, 12), np.float32)})
    assert session.last_report["experimental"] is False
