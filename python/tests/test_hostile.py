"""Inputs and moments that once went wrong: each ends with an error that says what to do, and leaves nothing behind."""

import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import anemone

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))
needs_command = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def run(*arguments, timeout=60, **options):
    return subprocess.run([str(COMMAND), *map(str, arguments)], capture_output=True, text=True, timeout=timeout, **options)


def save(path, nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def relu(path):
    return save(path, [helper.make_node("Relu", ["x"], ["y"])], [floats("x", 1, 3)], [floats("y", 1, 3)])


def test_names_that_are_not_utf8_make_a_package_that_can_be_read(tmp_path):
    path = relu(tmp_path / "m.onnx")
    for name in (b"x", b"y"):
        path.write_bytes(relu(path).read_bytes().replace(b"\x01" + name, b"\x01\xff"))
        anemone.convert(path).save(tmp_path / "m.mlpackage")
        model = anemone.load(tmp_path / "m.mlpackage")
        assert model.inspect()["metadata"]["user_defined"]["onnx.name._"] == "\ufffd"
        assert len(anemone.compress(tmp_path / "m.mlpackage").inputs) == 1


@needs_command
def test_a_small_file_cannot_ask_for_gigabytes(tmp_path):
    """Each step has ten times the elements of the one before."""
    nodes = [helper.make_node("Expand", ["c", "s"], ["e0"])]
    nodes += [helper.make_node("Concat", [f"e{i}"] * 10, [f"e{i + 1}"], axis=0) for i in range(8)]
    nodes += [helper.make_node("ReduceSum", ["e8"], ["d"], keepdims=0), helper.make_node("Add", ["x", "d"], ["y"])]
    constants = [numpy_helper.from_array(np.ones(1, np.float32), "c"), numpy_helper.from_array(np.array([1000]), "s")]
    path = save(tmp_path / "m.onnx", nodes, [floats("x", 3)], [floats("y", 3)], constants)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    run("convert", path, "-o", tmp_path / "m.mlpackage")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 1_500_000)  # kB


def test_many_large_constants_are_refused_at_once(tmp_path):
    nodes = [helper.make_node("ConstantOfShape", ["s"], [f"c{i}"]) for i in range(64)]
    nodes.append(helper.make_node("Concat", [f"c{i}" for i in range(64)], ["y"], axis=0))
    shape = numpy_helper.from_array(np.array([1 << 24]), "s")
    path = save(tmp_path / "m.onnx", nodes, [floats("x", 3)], [floats("y", 64 << 24)], [shape])
    start = time.monotonic()
    with pytest.raises(anemone.Error, match="grow beyond the limit"):
        anemone.load(path)
    assert time.monotonic() - start < 10


def test_time_grows_no_faster_than_the_number_of_outputs(tmp_path):
    def seconds(count):
        nodes = [helper.make_node("Relu", ["x"], [f"y{i}"]) for i in range(count)]
        path = save(tmp_path / f"m{count}.onnx", nodes, [floats("x", 1)], [floats(f"y{i}", 1) for i in range(count)])
        start = time.process_time()
        anemone.convert(path)
        return time.process_time() - start

    seconds(100)
    assert seconds(8000) < 20 * max(seconds(1000), 0.02)


def test_brackets_without_end_are_refused_at_once(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("[" * 1_000_000)
    start = time.monotonic()
    with pytest.raises(anemone.Error, match="nests deeper"):
        anemone.convert(relu(tmp_path / "m.onnx")).compress(config=str(path))
    assert time.monotonic() - start < 2


@needs_command
@pytest.mark.parametrize("arguments", [["inspect"], ["inspect", "--json"], ["convert", "--print-config"]])
def test_output_that_cannot_be_written_is_an_error(tmp_path, arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(COMMAND), *arguments, str(relu(tmp_path / "m.onnx"))], stdout=full,
                              stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 3
    assert "cannot write to standard output" in done.stderr


@needs_command
@pytest.mark.parametrize("text", ["not a config ][", '{"threads": "x"}', "zzz=1", "threads=abc"])
def test_a_settings_file_that_makes_no_sense_is_an_error(tmp_path, text):
    settings = tmp_path / "settings.conf"
    settings.write_text(text + "\n")
    done = run("--config-file", settings, "inspect", relu(tmp_path / "m.onnx"))
    assert done.returncode == 2
    assert done.stderr


def slow_model(path):
    """Several seconds of products."""
    weight = numpy_helper.from_array(np.eye(1024, dtype=np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x" if i == 0 else f"h{i - 1}", "w"], [f"h{i}"]) for i in range(400)]
    return save(path, nodes, [floats("x", 1024, 1024)], [floats("h399", 1024, 1024)], [weight])


def test_ctrl_c_ends_a_prediction(tmp_path):
    model = anemone.load(slow_model(tmp_path / "m.onnx"))
    x = np.ones((1024, 1024), np.float32)
    # A run in the background is started with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.7, lambda: os.kill(os.getpid(), signal.SIGINT))
    start = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.predict({"x": x})
    ended = time.monotonic() - start
    signal.signal(signal.SIGINT, before)
    model.predict({"x": x})
    assert ended < (time.monotonic() - start - ended) / 2
    small = anemone.load(relu(tmp_path / "small.onnx"))
    assert small.predict({"x": np.ones((1, 3), np.float32)})["y"].sum() == 3


@needs_command
def test_memory_that_runs_out_is_an_error(tmp_path):
    rows = 6000
    save(tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], [floats("x", 1, rows)],
         [floats("y", 1, rows)], [numpy_helper.from_array(np.ones((rows, rows), np.float32), "w")])

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (260 << 20, 260 << 20))

    done = run("compress", tmp_path / "m.onnx", "-o", tmp_path / "m.mlpackage", preexec_fn=limit)
    assert done.returncode == 3, done.stderr
    assert "memory" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["m.onnx"]


@needs_command
def test_a_weight_file_that_shrinks_is_an_error(tmp_path):
    rows = 3000
    save(tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], [floats("x", 1, rows)],
         [floats("y", 1, rows)], [numpy_helper.from_array(np.ones((rows, rows), np.float32), "w")])
    assert run("convert", tmp_path / "m.onnx", "-o", tmp_path / "m.mlpackage").returncode == 0
    weights = next((tmp_path / "m.mlpackage").rglob("weight.bin"))
    size = weights.stat().st_size
    for delay in (0.01, 0.02, 0.03, 0.05, 0.08):
        os.truncate(weights, size)
        child = subprocess.Popen([str(COMMAND), "compress", str(tmp_path / "m.mlpackage"), "-o", str(tmp_path / "c.mlpackage")],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(delay)
        os.truncate(weights, 4096)
        _, text = child.communicate(timeout=60)
        assert child.returncode in (0, 3), text
        assert not [name for name in os.listdir(tmp_path) if ".tmp-" in name]


@needs_command
def test_errors_name_the_output_and_come_before_the_work(tmp_path):
    source = relu(tmp_path / "m.onnx")
    done = run("convert", source, "-o", tmp_path / "none" / "m.mlpackage")
    assert done.returncode == 3
    assert "there is no folder" in done.stderr and ".tmp-" not in done.stderr
    done = run("compress", tmp_path / "no.onnx", "-o", tmp_path / "m.onnx2")
    assert done.returncode == 2 and "cannot write" in done.stderr
    assert run("convert", source, "-o", tmp_path / ("n" * 241 + ".mlpackage")).returncode == 0

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))

    done = run("convert", source, "-o", tmp_path / "m.mlpackage", preexec_fn=limit)
    assert done.returncode == 3
    assert "m.mlpackage" in done.stderr and ".tmp-" not in done.stderr


def test_what_a_dead_process_left_is_swept(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    old = time.time() - 3 * 86400
    for name in (f".m.mlpackage.tmp-{dead.pid}-0", f".m.mlpackage.tmp-{os.getpid()}-77", f".other.tmp-{dead.pid}-0"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (old, old))
    anemone.convert(relu(tmp_path / "m.onnx")).save(tmp_path / "m.mlpackage")
    assert sorted(name for name in os.listdir(tmp_path) if ".tmp-" in name) == sorted(
        [f".m.mlpackage.tmp-{os.getpid()}-77", f".other.tmp-{dead.pid}-0"])


def test_wrong_types_are_errors_of_ours(tmp_path):
    path = relu(tmp_path / "m.onnx")
    model = anemone.load(path)
    x = np.ones((1, 3), np.float32)
    wrong = [
        lambda: anemone.load(3), lambda: anemone.load(None), lambda: anemone.convert(3.5), lambda: model.save(3),
        lambda: model.predict(None), lambda: model.predict([x]), lambda: model.predict({3: x}),
        lambda: model.predict({"x": "text"}), lambda: model.predict({"x": None}), lambda: model.predict({"x": [[1], [2, 3]]}),
        lambda: model.predict({"x": x.astype(complex)}), lambda: model.predict({"x": x}, state=3),
        lambda: model.placement(3), lambda: anemone.Session(3),
        lambda: anemone.Session(model).predict(3), lambda: anemone.gate(3), lambda: anemone.FeatureModel(3),
        lambda: anemone.State().read(3), lambda: anemone.State().write("a", 3),
        lambda: anemone.load(path, input_shapes="x"),
    ]
    for call in wrong:
        with pytest.raises(anemone.Error) as raised:
            call()
        assert raised.value.code == "usage"


def test_integers_beyond_32_bits_are_refused(tmp_path):
    path = save(tmp_path / "m.onnx", [helper.make_node("Add", ["x", "x"], ["y"])],
                [helper.make_tensor_value_info("x", TensorProto.INT64, [2])],
                [helper.make_tensor_value_info("y", TensorProto.INT64, [2])])
    with pytest.raises(anemone.Error, match="does not fit"):
        anemone.load(path).predict({"x": np.array([1, 1 << 32])})
