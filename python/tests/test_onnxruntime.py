"""anemone.onnxruntime beside the real one: the same script, the same values, and the same exceptions."""

import subprocess
import sys
import threading

import numpy as np
import onnx
import pytest
from conftest import make_classifier
from onnx import TensorProto, helper, numpy_helper

import anemone
import anemone.onnxruntime as ours

real = pytest.importorskip("onnxruntime")

FLOAT, INT64, HALF = TensorProto.FLOAT, TensorProto.INT64, TensorProto.FLOAT16


def model_of(nodes, inputs, outputs, initializers=(), **metadata):
    graph = helper.make_graph(nodes, "a graph", [helper.make_tensor_value_info(*each) for each in inputs],
                              [helper.make_tensor_value_info(*each) for each in outputs], list(initializers),
                              doc_string="about the graph")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, **metadata)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def tokens():
    """Token numbers [batch, n] to scores and the best of them, as int64; names that Core ML cannot have."""
    rng = np.random.default_rng(0)
    table = numpy_helper.from_array(rng.standard_normal((50, 8)).astype(np.float32), "table")
    matrix = numpy_helper.from_array(rng.standard_normal((8, 5)).astype(np.float32), "matrix")
    nodes = [helper.make_node("Gather", ["table", "input.ids:0"], ["rows"]),
             helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
             helper.make_node("MatMul", ["mean", "matrix"], ["scores/out"]),
             helper.make_node("ArgMax", ["scores/out"], ["best"], axis=1, keepdims=0)]
    return model_of(nodes, [("input.ids:0", INT64, ["batch", "n"])],
                    [("scores/out", FLOAT, ["batch", 5]), ("best", INT64, ["batch"])], [table, matrix],
                    producer_name="a producer", domain="org.example", doc_string="about the model", model_version=7)


def switched():
    """A graph that decides by the value of an input, as speech detectors do by the sampling rate."""
    def branch(name, factor):
        value = numpy_helper.from_array(np.array(factor, np.float32), f"{name}_factor")
        return helper.make_graph([helper.make_node("Mul", ["x", f"{name}_factor"], [f"{name}_y"])], name, [],
                                 [helper.make_tensor_value_info(f"{name}_y", FLOAT, [1, 4])], [value])

    limit = numpy_helper.from_array(np.array(16000, np.int64), "limit")
    nodes = [helper.make_node("Equal", ["sr", "limit"], ["same"]),
             helper.make_node("If", ["same"], ["y"], then_branch=branch("then", 2.0), else_branch=branch("else", -3.0))]
    return model_of(nodes, [("x", FLOAT, [1, 4]), ("sr", INT64, [])], [("y", FLOAT, [1, 4])], [limit])


def halves():
    return model_of([helper.make_node("Add", ["x", "x"], ["y"])], [("x", HALF, [2, 3])], [("y", HALF, [2, 3])])


CLASSIFIER = make_classifier().SerializeToString()
RNG = np.random.default_rng(1)
CASES = {
    "classifier": (CLASSIFIER, [{"image": RNG.standard_normal((1, 3, 14, 14)).astype(np.float32)}]),
    "tokens": (tokens(), [{"input.ids:0": RNG.integers(0, 50, shape)} for shape in ((1, 1), (1, 7), (3, 4), (2, 2500))]),
    "switched": (switched(), [{"x": RNG.standard_normal((1, 4)).astype(np.float32), "sr": np.array(rate, np.int64)}
                              for rate in (16000, 8000, 16000)]),
    "halves": (halves(), [{"x": RNG.standard_normal((2, 3)).astype(np.float16)}]),
}


def same(ours_made, reals):
    assert len(ours_made) == len(reals)
    for mine, its in zip(ours_made, reals):
        assert mine.dtype == its.dtype and mine.shape == its.shape
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_session_says_and_gives_what_the_real_one_does(name):
    model, feeds = CASES[name]
    mine = ours.InferenceSession(model, providers=["CPUExecutionProvider"])
    its = real.InferenceSession(model, providers=["CPUExecutionProvider"])
    for which in ("get_inputs", "get_outputs", "get_overridable_initializers"):
        assert [(each.name, each.shape, each.type) for each in getattr(mine, which)()] == [
            (each.name, each.shape, each.type) for each in getattr(its, which)()]
    for key in ("producer_name", "graph_name", "domain", "description", "graph_description", "version",
                "custom_metadata_map"):
        assert getattr(mine.get_modelmeta(), key) == getattr(its.get_modelmeta(), key), key
    assert mine.get_providers() == its.get_providers() == ["CPUExecutionProvider"]
    for feed in feeds:
        same(mine.run(None, feed), its.run(None, feed))
    last = its.get_outputs()[-1].name
    same(mine.run([last], feeds[0]), its.run([last], feeds[0]))


def test_a_file_and_its_kinds(tmp_path):
    path = tmp_path / "classifier.onnx"
    path.write_bytes(CLASSIFIER)
    feed = CASES["classifier"][1][0]
    options = ours.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ours.GraphOptimizationLevel.ORT_ENABLE_ALL
    wanted = ours.InferenceSession(path, options).run(None, feed)
    anemone.convert(path).save(tmp_path / "classifier.mlpackage")
    package = ours.InferenceSession(str(tmp_path / "classifier.mlpackage"))
    assert [(each.name, each.shape, each.type) for each in package.get_inputs()] == [
        ("image", [1, 3, 14, 14], "tensor(float)")]
    same(package.run(["logits", "probabilities"], feed), wanted)


WRONG = {
    "an input is missing": lambda ort, session: session.run(None, {}),
    "an input is unknown": lambda ort, session: session.run(None, {**CASES["classifier"][1][0], "z": np.zeros(1)}),
    "an output is unknown": lambda ort, session: session.run(["nothing"], CASES["classifier"][1][0]),
    "a dtype is another": lambda ort, session: session.run(None, {"image": np.zeros((1, 3, 14, 14))}),
    "a rank is another": lambda ort, session: session.run(None, {"image": np.zeros((3, 14, 14), np.float32)}),
    "a size is another": lambda ort, session: session.run(None, {"image": np.zeros((1, 3, 15, 14), np.float32)}),
    "there is no such file": lambda ort, session: ort.InferenceSession("nothing.onnx"),
    "it is no model": lambda ort, session: ort.InferenceSession(b"nonsense that is no protocol buffer"),
    "an option is misspelled": lambda ort, session: setattr(ort.SessionOptions(), "intra_op_threads", 1),
}


@pytest.mark.parametrize("what", WRONG)
def test_failures_have_the_same_names(what):
    names = []
    for ort in (ours, real):
        session = ort.InferenceSession(CLASSIFIER, providers=["CPUExecutionProvider"])
        with pytest.raises(Exception) as raised:
            WRONG[what](ort, session)
        names.append(type(raised.value).__name__)
    assert names[0] == names[1]


def test_free_dimensions_are_fixed_by_name():
    options = ours.SessionOptions()
    options.add_free_dimension_override_by_name("n", 7)
    session = ours.InferenceSession(tokens(), options)
    session.run(None, {"input.ids:0": np.zeros((2, 7), np.int64)})
    with pytest.raises(ours.capi.onnxruntime_pybind11_state.InvalidArgument, match="Got: 6 Expected: 7"):
        session.run(None, {"input.ids:0": np.zeros((2, 6), np.int64)})


def bound(ort):
    """A script that binds what goes in and where it comes out."""
    session = ort.InferenceSession(CLASSIFIER, providers=["CPUExecutionProvider"])
    image = CASES["classifier"][1][0]["image"].copy()  # which update_inplace changes
    probabilities = np.zeros((1, 10), np.float32)
    binding = session.io_binding()
    binding.bind_cpu_input("image", image)
    binding.bind_output("logits")
    binding.bind_output("probabilities", "cpu", 0, np.float32, probabilities.shape, probabilities.ctypes.data)
    session.run_with_iobinding(binding)
    logits = binding.copy_outputs_to_cpu()[0]
    value = ort.OrtValue.ortvalue_from_numpy(image)
    assert (value.shape(), value.data_type(), value.device_name(), value.is_tensor()) == (
        [1, 3, 14, 14], "tensor(float)", "cpu", True)
    again = session.run_with_ort_values(["logits"], {"image": value})[0].numpy()
    value.update_inplace(image * 2)
    doubled = session.run_with_ort_values(["logits"], {"image": value})[0].numpy()
    return [logits, probabilities, again, doubled]


def test_binding_gives_the_same():
    same(bound(ours), bound(real))


def test_any_number_of_threads_run_one_session():
    model, feeds = CASES["tokens"]
    session = ours.InferenceSession(model)
    wanted = [session.run(None, feed) for feed in feeds]
    problems = []

    def work():
        try:
            for feed, want in zip(feeds, wanted):
                same(session.run(None, feed), want)
        except Exception as error:  # noqa: BLE001 - told below
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    done = threading.Event()
    answers = []
    session.run_async(None, feeds[0], lambda results, data, error: (answers.append((results, data, error)), done.set()), 5)
    assert done.wait(30)
    same(answers[0][0], wanted[0])
    assert answers[0][1:] == (5, "")


def strings():
    return model_of([helper.make_node("Identity", ["x"], ["y"])], [("x", TensorProto.STRING, [1])],
                    [("y", TensorProto.STRING, [1])])


REFUSED = {
    "profiling": (lambda: ours.InferenceSession(CLASSIFIER, with_option("enable_profiling", True)), "enable_profiling"),
    "an optimized file": (lambda: ours.InferenceSession(CLASSIFIER, with_option("optimized_model_filepath", "x.onnx")),
                          "optimized_model_filepath"),
    "custom operators": (lambda: ours.SessionOptions().register_custom_ops_library("ops.so"), "register_custom_ops_library"),
    "strings": (lambda: ours.InferenceSession(strings()), r"input 'x' is tensor\(string\)"),
    "another device": (lambda: ours.OrtValue.ortvalue_from_numpy(np.zeros(1), "cuda", 0), "cuda"),
    "an adapter": (lambda: ours.RunOptions().add_active_adapter(None), "add_active_adapter"),
}


def with_option(name, value):
    options = ours.SessionOptions()
    setattr(options, name, value)
    return options


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_here_is_refused_by_name(what):
    ask, name = REFUSED[what]
    with pytest.raises(ours.capi.onnxruntime_pybind11_state.NotImplemented, match=name):
        ask()


def test_names_that_are_not_here_say_so():
    with pytest.raises(AttributeError, match="ModelCompiler: use anemone.compile"):
        ours.ModelCompiler  # noqa: B018 - it is asked for
    assert not hasattr(ours, "SparseTensor")


def test_an_unknown_provider_is_a_warning():
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        session = ours.InferenceSession(CLASSIFIER, providers=["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_an_unedited_script_runs(tmp_path):
    (tmp_path / "model.onnx").write_bytes(CLASSIFIER)
    (tmp_path / "script.py").write_text(
        "import sys\nimport numpy as np\nimport onnxruntime as ort\n"
        "from onnxruntime.capi.onnxruntime_pybind11_state import NoSuchFile\n"
        "session = ort.InferenceSession('model.onnx')\n"
        "print(session.run(['logits'], {'image': np.ones((1, 3, 14, 14), np.float32)})[0].argmax(), sys.argv[1:])\n"
        "try:\n    ort.InferenceSession('nothing.onnx')\nexcept NoSuchFile:\n    print('refused')\n"
        "print(ort.get_build_info().split(',')[0])\n")
    done = subprocess.run([sys.executable, "-m", "anemone.onnxruntime", "script.py", "word"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith("['word']") and lines[1:] == ["refused", f"Anemone {anemone.__version__}"]


def test_it_takes_the_place_and_gives_it_back():
    ours.install()
    try:
        import onnxruntime

        assert ours.installed() and onnxruntime is ours
    finally:
        ours.uninstall()
    import onnxruntime

    assert onnxruntime is real
