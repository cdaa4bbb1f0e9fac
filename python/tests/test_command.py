"""The command: outputs, JSON documents and exit codes."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import make_classifier

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def run(*arguments, code=0):
    done = subprocess.run([str(COMMAND), *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done


def run_json(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


@pytest.fixture
def package(classifier, tmp_path):
    path = tmp_path / "classifier.mlpackage"
    run("convert", classifier, "-o", path)
    return path


def test_convert_says_what_it_wrote(classifier, tmp_path):
    path = tmp_path / "half.mlpackage"
    document = run_json("convert", classifier, "-o", path, "--compute-precision", "float16",
                        "--minimum-deployment-target", "macOS13")
    assert document["schema"] == "anemone.convert"
    assert document["minimum_deployment_target"] == "iOS16"
    assert document["size_bytes"] == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def test_run_equals_onnxruntime(classifier, package, image, tmp_path):
    np.save(tmp_path / "image.npy", image)
    document = run_json("run", package, "--input", f"image={tmp_path}/image.npy", "--output-dir", tmp_path / "out")
    assert document["backend"] == "cpu"
    session = onnxruntime.InferenceSession(str(classifier), providers=["CPUExecutionProvider"])
    for output, want in zip(session.get_outputs(), session.run(None, {"image": image})):
        got = np.load(tmp_path / "out" / f"{output.name}.npy")
        assert np.abs(got - want).max() <= 1e-4 * (want.max() - want.min())


def test_run_names_the_class(tmp_path):
    fixture = Path(__file__).parents[2] / "tests/fixtures/packages/classifier_strings.mlpackage"
    x = np.zeros((1, 12), np.float32)
    x[0, 6] = 4
    np.save(tmp_path / "x.npy", x)
    outputs = run_json("run", fixture, "--input", f"x={tmp_path / 'x.npy'}", "--specialization-strategy",
                       "fast_prediction")["outputs"]
    assert [output["label"] for output in outputs] == ["label 6", "label 6"]
    assert "choose default" in run("run", fixture, "--random-inputs", "--specialization-strategy", "x", code=2).stderr


def test_compare_passes_and_fails(classifier, package, tmp_path):
    document = run_json("compare", classifier, package, "--samples", "2")
    assert document["passed"] and {row["output"] for row in document["outputs"]} == {"logits", "probabilities"}
    half = tmp_path / "half.mlpackage"
    run("convert", classifier, "-o", half, "--compute-precision", "float16")
    assert run_json("compare", classifier, half)["passed"]
    # A tolerance that half precision cannot meet: exit code 1, and the operator that drifts first.
    document = run("compare", classifier, half, "--tolerance-linf", "1e-9", "--json", code=1)
    parsed = json.loads(document.stdout)
    assert parsed["passed"] is False
    assert parsed["first_drift"]
    rows = run_json("compare", classifier, half, "--per-op")["operators"]
    assert len(rows) >= 8 and all(row["l_inf_relative"] < 0.05 for row in rows)


def test_compress_makes_the_package_smaller(tmp_path):
    from conftest import make_classifier

    source = tmp_path / "wide.onnx"
    onnx.save(make_classifier(channels=64), str(source))
    run("convert", source, "-o", tmp_path / "wide.mlpackage")
    document = run_json("compress", tmp_path / "wide.mlpackage", "-o", tmp_path / "int8.mlpackage")
    assert document["weight_bytes_after"] < 0.4 * document["weight_bytes_before"]
    # Every tensor is accounted for: compressed, or skipped with a reason.
    for tensor in document["tensors"]:
        assert tensor["skipped"] or tensor["bytes_after"] < tensor["bytes_before"]


def test_inspect(package):
    document = run_json("inspect", package, "--ops", "--weights")
    assert document["inputs"][0]["shape"] == [1, 3, 14, 14]
    assert sum(document["operator_counts"].values()) == document["operations"] == len(document["operators"])
    assert sum(weight["bytes"] for weight in document["weights"]) == document["weight_bytes"]
    # 2 x multiply-accumulates of the convolutions and linear layers by hand.
    assert document["flops"] >= 2 * (7 * 7 * 8 * 27 + 7 * 7 * 8 * 9 + 64 * 72 + 640)
    assert "func main<ios17>" in run("inspect", package, "--text").stdout


def test_bench_reports_percentiles_and_a_trace(package, tmp_path):
    document = run_json("bench", package, "--iterations", "20", "--warmup", "2", "--percentile", "50,99",
                        "--against", "reference", "--export-profile", tmp_path / "trace.json",
                        "--export-times", tmp_path / "run.jsonl")
    ours, reference = document["results"]
    assert ours["backend"] == "cpu" and reference["backend"] == "reference"
    assert 0 < ours["min_ns"] <= ours["p50_ns"] <= ours["p99_ns"] <= ours["max_ns"]
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    assert spans and all(event["dur"] >= 0 for event in spans)
    # One record for each side, the other's beside the model's.
    calls = 0
    for name in ("run.jsonl", "run.against.jsonl"):
        lines = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert lines[0]["schema"] == "anemone.run"
        calls += sum("duration_ns" in line for line in lines)
    assert calls == 40


@pytest.mark.parametrize("arguments, code, words", [
    (["nonsense"], 2, ""),
    (["convert"], 2, "MODEL"),
    (["convert", "{classifier}", "-o", "x.mlpackage", "--minimum-deployment-target", "iOS9"], 2, "iOS9"),
    (["convert", "{classifier}", "-o", "x.txt"], 2, "x.txt"),
    (["inspect", "nothing.onnx"], 3, "nothing.onnx"),
    (["inspect", "nonsense"], 3, "catalog"),
    (["run", "{classifier}"], 2, "image"),
    (["run", "{classifier}", "--random-inputs", "--backend", "coreml"], 4, "Core ML"),
    (["run", "{classifier}", "--random-inputs", "--backend", "abacus"], 2, "abacus"),
    (["convert", "resnet50", "-o", "x.mlpackage"], None, "--weights"),
])
def test_exit_codes(classifier, tmp_path, arguments, code, words):
    arguments = [argument.replace("{classifier}", str(classifier)) for argument in arguments]
    done = subprocess.run([str(COMMAND), *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == code if code is not None else done.returncode in (2, 3), done.stderr
    assert words in done.stderr + done.stdout
    assert not list(tmp_path.glob("x.*"))


def test_errors_are_documents_with_json(tmp_path):
    broken = tmp_path / "broken.mlpackage"
    broken.mkdir()
    document = run_json("inspect", broken, code=3)
    assert document["schema"] == "anemone.error"
    assert document["exit_code"] == 3
    assert "broken.mlpackage" in document["place"] + document["message"]


def test_settings_by_environment_and_file(package, tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text("threads=3\n")
    environment = {**os.environ, "ANEMONE_NUM_THREADS": "2"}

    def threads(*arguments, env=None):
        done = subprocess.run([str(COMMAND), *map(str, arguments), "bench", str(package), "--iterations", "1", "--json"],
                              capture_output=True, text=True, env=env or os.environ, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["threads"]

    assert threads("--config-file", settings) == 3
    assert threads("--config-file", settings, env=environment) == 2
    assert threads("--threads", 1, "--config-file", settings, env=environment) == 1


def test_messages_as_json_lines_in_a_file(package, tmp_path):
    log = tmp_path / "log.jsonl"
    run("convert", package, "-o", tmp_path / "again.mlpackage", "--log-format", "json", "--log-file", log)
    run("inspect", tmp_path / "nothing.onnx", "--log-format", "json", "--log-file", log, code=3)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["level"] for line in lines] == ["info", "error"]
    assert "nothing.onnx" in lines[1]["message"]


def test_names_in_files_do_not_command_the_terminal(tmp_path):
    model = make_classifier()
    model.graph.node[0].name = "\x1b]0;title\x07\u009b2J\u00e9"
    model.graph.node[0].op_type = "Bad\x1b[2Jop"
    onnx.save(model, tmp_path / "m.onnx")
    done = subprocess.run([COMMAND, "convert", tmp_path / "m.onnx", "-o", tmp_path / "m.mlpackage"], capture_output=True,
                          encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 3
    assert "Bad\\x1b[2Jop" in done.stderr and "\\x1b]0;title\\x07\\x9b2J\u00e9" in done.stderr
    assert all(c in "\n\t" or c.isprintable() for c in done.stderr)


@pytest.mark.parametrize("zero, values, code", [(128, [118, 138], 0), (128, [1, 255], 0), (0, [200, 255], 3)])
def test_sums_of_integers_are_exact_or_refused(zero, values, code, tmp_path):
    """float32 holds integers up to 2^24: what the weights can sum up to decides, less their zero point."""
    random = np.random.default_rng(0)
    weights = random.choice(values, (4, 48, 3, 3)).astype(np.uint8)
    nodes = [onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
             onnx.helper.make_node("ConvInteger", ["q", "w", "zero", "w_zero"], ["sum"]),
             onnx.helper.make_node("Cast", ["sum"], ["y"], to=onnx.TensorProto.FLOAT)]
    graph = onnx.helper.make_graph(
        nodes, "g", [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 48, 5, 5])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4, 3, 3])],
        [onnx.numpy_helper.from_array(weights, "w"), onnx.numpy_helper.from_array(np.uint8(zero), "w_zero")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 12)])
    model.ir_version = 7
    onnx.save(model, tmp_path / "m.onnx")
    done = run("convert", tmp_path / "m.onnx", "-o", tmp_path / "m.mlpackage", code=code)
    if code:
        assert "432 products of integers" in done.stderr
        return
    x = random.standard_normal((1, 48, 5, 5)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    run("run", tmp_path / "m.mlpackage", "--input", f"x={tmp_path / 'x.npy'}", "--output-dir", tmp_path / "out")
    wanted = onnxruntime.InferenceSession(str(tmp_path / "m.onnx")).run(None, {"x": x})[0]
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "y.npy"), wanted)
