"""How the package gets along with the rest of Python: arrays of other libraries by DLPack, pickling, processes that are forked
and spawned, Ctrl-C at any moment, a server in the background."""

import _thread
import copy
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import anemone
import numpy as np
import onnx
import pytest
from conftest import make_classifier


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    found = tmp_path_factory.mktemp("interplay") / "classifier.onnx"
    onnx.save(make_classifier(), str(found))
    return found


@pytest.fixture
def expected(path, image):
    return anemone.load(path).predict({"image": image})["logits"]


# --- DLPack


class Tensor:
    """What other libraries' tensors are: no __array__, but __dlpack__, which counts how often it is asked."""

    def __init__(self, array):
        self.array, self.asked = array, 0

    def __dlpack__(self, **arguments):
        self.asked += 1
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_tensors_of_other_libraries_are_taken(path, image, expected):
    tensor = Tensor(image)
    model = anemone.load(path)
    np.testing.assert_array_equal(model.predict({"image": tensor})["logits"], expected)
    np.testing.assert_array_equal(anemone.Session(model).predict({"image": Tensor(image.astype(np.float64))})["logits"],
                                  expected)
    assert tensor.asked == 1


def test_contiguous_memory_is_not_copied(path, image):
    model = anemone.load(path)
    assert np.shares_memory(model._arrays({"image": image})["image"], image)
    assert np.shares_memory(model._arrays({"image": Tensor(image)})["image"], image)
    # What is not contiguous is copied, and right.
    turned = np.ascontiguousarray(image.transpose(0, 1, 3, 2)).transpose(0, 1, 3, 2)
    np.testing.assert_array_equal(model.predict({"image": Tensor(turned)})["logits"],
                                  model.predict({"image": image})["logits"])


def test_tensors_of_pytorch(path, image, expected):
    torch = pytest.importorskip("torch", reason="PyTorch is not among the tests' packages")
    model = anemone.load(path)
    tensor = torch.from_numpy(image.copy())
    np.testing.assert_array_equal(model.predict({"image": tensor})["logits"], expected)
    assert model._arrays({"image": tensor})["image"].ctypes.data == tensor.data_ptr()
    with pytest.raises(anemone.Error, match="gradient"):
        model.predict({"image": tensor.clone().requires_grad_()})
    outputs = model.predict({"image": image})
    assert torch.from_dlpack(outputs["logits"]).data_ptr() == outputs["logits"].ctypes.data


def test_what_cannot_be_shared_is_refused(path, image):
    class Elsewhere(Tensor):
        def __dlpack__(self, **_):
            raise BufferError("its memory is on another device")

    with pytest.raises(anemone.Error, match="another device") as raised:
        anemone.load(path).predict({"image": Elsewhere(image)})
    assert raised.value.code == "usage" and "CPU" in raised.value.advice


def test_outputs_are_numpy_arrays_that_live_on(path, image, expected):
    model = anemone.load(path)
    logits = model.predict({"image": image})["logits"]
    del model
    assert isinstance(logits, np.ndarray)
    np.testing.assert_array_equal(np.from_dlpack(logits), expected)


# --- Pickling


def test_pickling_is_refused_with_a_reason(path):
    model = anemone.load(path)
    for thing in (model, anemone.Session(model), anemone.FeatureModel(path)):
        for refuse in (pickle.dumps, copy.copy, copy.deepcopy, lambda value: pickle.dumps({"model": [value]})):
            with pytest.raises(TypeError, match="give the other process the path"):
                refuse(thing)
    with pytest.raises(TypeError):
        pickle.dumps(anemone.State())


# --- Other processes


def predict_file(path, image, queue):
    queue.put(anemone.load(path).predict({"image": image})["logits"])


def inherited(model, session, image, queue):
    """In a forked child: the parent's model and session, a model of its own, and their end."""
    import gc
    outputs = [model.predict({"image": image})["logits"], session.predict({"image": image})["logits"]]
    outputs.append(anemone.load(queue.path).predict({"image": image})["logits"])
    queue.put(outputs)
    del model, session
    gc.collect()
    queue.put("ended")


def ended(process):
    process.join(timeout=60)
    if process.is_alive():
        process.kill()
        pytest.fail("the child hangs")
    return process.exitcode


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_that_load_for_themselves(path, image, expected, method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    children = [context.Process(target=predict_file, args=(str(path), image, queue)) for _ in range(3)]
    for child in children:
        child.start()
    for _ in children:
        np.testing.assert_array_equal(queue.get(timeout=60), expected)
    assert [ended(child) for child in children] == [0, 0, 0]


class Pipe:
    """As a queue, without the thread that multiprocessing's has."""

    def __init__(self, sender, path):
        self.sender, self.path = sender, path

    def put(self, value):
        self.sender.send(value)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_uses_what_its_parent_loaded(path, image, expected):
    model = anemone.load(path)
    session = anemone.Session(model, threads=4)
    model.predict({"image": image})
    context = multiprocessing.get_context("fork")
    for _ in range(10):
        session.predict({"image": image})  # its workers are awake at the fork
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=inherited, args=(model, session, image, Pipe(sender, str(path))))
        child.start()
        assert receiver.poll(60), "the child hangs"
        for output in receiver.recv():
            np.testing.assert_array_equal(output, expected)
        assert receiver.poll(60) and receiver.recv() == "ended"
        assert ended(child) == 0
    np.testing.assert_array_equal(model.predict({"image": image})["logits"], expected)


def refused(model, session, image, pipe):
    """In a child that was forked while threads were inside calls: an answer or a refusal, never a wait."""
    answers = []
    for call in (model.predict, session.predict):
        try:
            answers.append(call({"image": image})["logits"])
        except anemone.Error as error:
            answers.append(str(error))
    pipe.put(answers)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_during_calls_does_not_wait_for_them(path, image, expected):
    model = anemone.load(path)
    session = anemone.Session(model, threads=2)
    model.predict({"image": image})
    stop = threading.Event()

    def call(thing):
        while not stop.is_set():
            thing.predict({"image": image})

    threads = [threading.Thread(target=call, args=(thing,)) for thing in (model, session) for _ in range(2)]
    for thread in threads:
        thread.start()
    context = multiprocessing.get_context("fork")
    said = []
    try:
        for _ in range(20):
            receiver, sender = context.Pipe(duplex=False)
            child = context.Process(target=refused, args=(model, session, image, Pipe(sender, str(path))))
            child.start()
            assert receiver.poll(60), "the child hangs"
            said += receiver.recv()
            assert ended(child) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for answer in said:
        if isinstance(answer, str):
            assert "forked while another thread was inside a call" in answer and "load the model in the child" in answer
        else:
            np.testing.assert_array_equal(answer, expected)


# --- Ctrl-C


PROGRAM = """
import signal, sys, threading, time, os
signal.signal(signal.SIGINT, signal.default_int_handler)
import anemone, numpy as np
model = sys.argv[1]
print("ready", flush=True)
try:
    while True:
        loaded = anemone.load(model)
        converted = loaded.convert(compute_precision="float16")
        converted.compress(dtype="int8", weight_threshold=1)
        converted.save(sys.argv[2])
        anemone.Session(loaded).predict({"image": np.zeros((1, 3, 14, 14), np.float32)})
        anemone.compare(model, sys.argv[2], samples=1)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    anemone.load(model).predict({"image": np.zeros((1, 3, 14, 14), np.float32)})
    sys.exit(7)
"""


@pytest.mark.parametrize("moment", [0.0, 0.013, 0.05, 0.11, 0.23, 0.47])
def test_ctrl_c_at_any_moment(path, tmp_path, moment):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path), str(tmp_path / "out.mlpackage")],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(moment)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 7 and out == "interrupted\n", errors
    # A package is whole or not there.
    if (tmp_path / "out.mlpackage").exists():
        anemone.load(tmp_path / "out.mlpackage")
    assert [entry for entry in os.listdir(tmp_path) if entry != "out.mlpackage"] == []


# --- The server


def test_serve_until_ctrl_c(path, image, expected):
    stages, answers = [], []

    def ask(url):
        body = json.dumps({"image": image.tolist()}).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{url}/predict", body), timeout=30) as answer:
                answers.append(json.load(answer))
        finally:
            _thread.interrupt_main()

    def progress(stage, done, total):
        stages.append(stage)
        if stage.startswith("serving at "):
            threading.Thread(target=ask, args=(stage.removeprefix("serving at "),)).start()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            anemone.serve(path, address="127.0.0.1:0", progress=progress)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stages[0].startswith("loading ")
    np.testing.assert_allclose(answers[0]["outputs"]["logits"]["data"], expected[0], rtol=1e-6)


def test_serve_ends_with_what_progress_raises(path):
    class Enough(Exception):
        pass

    def progress(stage, done, total):
        if stage.startswith("serving"):
            raise Enough

    with pytest.raises(Enough):
        anemone.serve(path, address="127.0.0.1:0", progress=progress)
    with pytest.raises(anemone.Error, match="HOST:PORT"):
        anemone.serve(path, address="nowhere")
