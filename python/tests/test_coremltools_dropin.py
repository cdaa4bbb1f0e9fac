"""After anemone.coremltools.install(), coremltools' own Python works where there is no Core ML: the contract of the
binding that it replaces, point by point, on models that coremltools makes."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import warnings

import numpy as np
import pytest

import anemone

ct = pytest.importorskip("coremltools")

import anemone.coremltools  # noqa: E402
from coremltools.converters.mil import Builder as mb  # noqa: E402
from coremltools.converters.mil.mil import types  # noqa: E402


def since(version):
    """What the test asks for came with that coremltools; the rest of the file is for 7 too."""
    return pytest.mark.skipif(int(ct.__version__.split(".")[0]) < version, reason=f"coremltools {version} has it first")


UNITS = [ct.ComputeUnit.ALL, ct.ComputeUnit.CPU_ONLY, ct.ComputeUnit.CPU_AND_GPU, ct.ComputeUnit.CPU_AND_NE]


@pytest.fixture(autouse=True)
def dropin():
    assert anemone.coremltools.install(force=True, threads=1)
    yield
    anemone.coremltools.uninstall()


def convert(program, target=ct.target.iOS17, precision=ct.precision.FLOAT32, **options):
    return ct.convert(program, convert_to="mlprogram", compute_precision=precision,
                      minimum_deployment_target=target, **options)


def doubling(shape=(2, 3), dtype=types.fp32):
    @mb.program(input_specs=[mb.TensorSpec(shape=shape, dtype=dtype)])
    def program(x):
        return mb.add(x=x, y=x, name="y")

    return program


def flexible(dimension):
    symbol = mb.program(input_specs=[mb.TensorSpec(shape=(1, ct.converters.mil.mil.get_new_symbol()))],
                        opset_version=ct.target.iOS17)(lambda x: mb.add(x=x, y=1.0, name="y"))
    shape = ct.EnumeratedShapes([(1, 2), (1, 5)]) if dimension is None else ct.Shape((1, dimension))
    return convert(symbol, inputs=[ct.TensorType(name="x", shape=shape)])


def stateful():
    @mb.program(input_specs=[mb.TensorSpec(shape=(2,), dtype=types.fp16), mb.StateTensorSpec(shape=(2,), dtype=types.fp16)],
                opset_version=ct.target.iOS18)
    def program(x, memory):
        old = mb.read_state(input=memory)
        new = mb.add(x=old, y=x)
        return mb.coreml_update_state(state=memory, value=new, name="y")

    return convert(program, ct.target.iOS18, ct.precision.FLOAT16)


def image_model(color, output_color=None, shape=(1, 3, 4, 6)):
    @mb.program(input_specs=[mb.TensorSpec(shape=shape)], opset_version=ct.target.iOS17)
    def program(x):
        return mb.add(x=x, y=1.0, name="y")

    model = convert(program, inputs=[ct.ImageType(name="x", shape=shape, color_layout=color)])
    if output_color is None:
        return model
    spec = model.get_spec()
    image = spec.description.output[0].type.imageType
    image.colorSpace = type(image).ColorSpace.Value(output_color.name)
    image.height, image.width = shape[2:]
    with tempfile.TemporaryDirectory() as no_weights:
        return ct.models.MLModel(spec, weights_dir=no_weights)


# --- install and uninstall ---------------------------------------------------


def test_install_and_uninstall_leave_no_trace():
    from coremltools.models import model, utils

    assert anemone.coremltools.installed() and utils._is_macos() and utils._macos_version() >= (15, 0)
    assert anemone.coremltools.install(force=True)
    for _ in range(2):
        anemone.coremltools.uninstall()
    assert not anemone.coremltools.installed()
    assert utils._is_macos() == (sys.platform == "darwin")
    if sys.platform != "darwin":
        assert model._MLModelProxy is None and "coremltools.libcoremlpython" not in sys.modules
        with pytest.raises(Exception, match="only supported on macOS"):
            convert(doubling()).predict({"x": np.ones((2, 3))})


def test_many_threads_install_at_once():
    anemone.coremltools.uninstall()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(anemone.coremltools.install(force=True))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8
    assert convert(doubling()).predict({"x": np.ones((2, 3))})["y"][0, 0] == 2


def test_the_rest_of_macos_is_left_alone(monkeypatch):
    anemone.coremltools.uninstall()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not anemone.coremltools.install()
    assert not anemone.coremltools.installed()


@pytest.mark.parametrize("form", ["script", "module"])
def test_a_script_runs_unedited(tmp_path, form):
    model = tmp_path / "m.mlpackage"
    convert(doubling()).save(str(model))
    (tmp_path / "unedited.py").write_text(
        "import sys\nimport numpy as np\nimport coremltools as ct\n"
        "assert __name__ == '__main__'\n"
        "print(ct.models.MLModel(sys.argv[1]).predict({'x': np.ones((2, 3))})['y'].sum())\n")
    what = ["unedited.py"] if form == "script" else ["-m", "unedited"]
    done = subprocess.run([sys.executable, "-m", "anemone.coremltools", "--force", *what, str(model)], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "12.0"


# --- values ------------------------------------------------------------------


@pytest.mark.parametrize("units", UNITS)
def test_arrays_batches_and_units(tmp_path, units):
    path = str(tmp_path / "m.mlpackage")
    convert(doubling()).save(path)
    model = ct.models.MLModel(path, compute_units=units)
    x = np.arange(6, dtype=np.float64).reshape(2, 3)
    np.testing.assert_array_equal(model.predict({"x": x})["y"], 2 * x)
    np.testing.assert_array_equal(model.predict({"x": x.astype(np.float16)})["y"], 2 * x)
    np.testing.assert_array_equal(model.predict({"x": np.asfortranarray(x)})["y"], 2 * x)
    np.testing.assert_array_equal(model.predict({"x": x.tolist()})["y"], 2 * x)
    many = model.predict([{"x": x}, {"x": -x}])
    np.testing.assert_array_equal(many[1]["y"], -2 * x)
    with pytest.raises(KeyError):
        model.predict({"z": x})
    with pytest.raises(RuntimeError, match="takes"):
        model.predict({"x": x.T})


def test_half_precision_outputs_are_float32():
    model = convert(doubling(dtype=types.fp16), precision=ct.precision.FLOAT16)
    assert model.predict({"x": np.ones((2, 3))})["y"].dtype == np.float32


def test_integers_take_floats_and_lose_fractions():
    model = convert(doubling((3,), types.int32))
    answer = model.predict({"x": np.array([1.0, 2.75, -3.75], dtype=np.float32)})["y"]
    assert answer.dtype == np.int32
    np.testing.assert_array_equal(answer, [2, 4, -6])
    for bad in (np.nan, 3e9):
        with pytest.raises(RuntimeError, match="does not fit"):
            model.predict({"x": np.array([1, 2, bad])})


def test_scalars_come_with_one_dimension():
    @mb.program(input_specs=[mb.TensorSpec(shape=(2, 3))])
    def program(x):
        return mb.reduce_sum(x=x, axes=[0, 1], keep_dims=False, name="y")

    answer = convert(program).predict({"x": np.ones((2, 3))})["y"]
    assert answer.shape == (1,) and answer[0] == 6


@pytest.mark.parametrize("labels", [["cat", "dog"], [7, 9]])
def test_classifiers_answer_with_label_and_probabilities(labels):
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 2))])
    def program(x):
        return mb.softmax(x=x, axis=1)

    model = convert(program, classifier_config=ct.ClassifierConfig(labels))
    answer = model.predict({"x": np.array([[0.0, 1.0]])})
    assert answer["classLabel"] == labels[1] and type(answer["classLabel"]) is type(labels[1])
    probabilities = next(value for value in answer.values() if isinstance(value, dict))
    assert set(probabilities) == set(labels)
    assert probabilities[labels[1]] == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-5)


# --- other types of models ---------------------------------------------------


def linear_regressor():
    spec = ct.proto.Model_pb2.Model()
    spec.specificationVersion = 1
    for features, name in ((spec.description.input, "x"), (spec.description.output, "y")):
        feature = features.add()
        feature.name = name
        feature.type.doubleType.MergeFromString(b"")
    spec.glmRegressor.offset.append(0.1)
    spec.glmRegressor.weights.add().value.append(2.0)
    spec.description.predictedFeatureName = "y"
    return spec


def test_models_that_are_not_programs():
    assert ct.models.MLModel(linear_regressor()).predict({"x": 2}) == {"y": 4.1}
    compiled = ct.models.CompiledMLModel(ct.models.utils.compile_model(linear_regressor()))
    assert compiled.predict([{"x": 2}, {"x": 4.0}]) == [{"y": 4.1}, {"y": 8.1}]
    assert type(compiled.predict({"x": 2})["y"]) is float


def test_neural_networks():
    model = ct.convert(doubling(), convert_to="neuralnetwork")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(model.predict({"x": x})["y"], 2 * x)


# --- images ------------------------------------------------------------------


@pytest.mark.parametrize("color", [ct.colorlayout.RGB, ct.colorlayout.BGR])
def test_color_images_in_and_out(color):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (4, 6, 3), dtype=np.uint8)
    answer = image_model(color).predict({"x": image.fromarray(pixels)})["y"]
    channels = pixels if color == ct.colorlayout.RGB else pixels[:, :, ::-1]
    np.testing.assert_array_equal(answer[0], channels.transpose(2, 0, 1) + 1.0)
    picture = image_model(color, color).predict({"x": image.fromarray(pixels)})["y"]
    assert type(picture) is image.Image and picture.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(picture)[:, :, :3], pixels + 1)
    assert (np.asarray(picture)[:, :, 3] == 255).all()


def test_gray_images_in_and_out():
    image = pytest.importorskip("PIL.Image")
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    layout = ct.colorlayout.GRAYSCALE
    picture = image_model(layout, layout, (1, 1, 4, 6)).predict({"x": image.fromarray(pixels)})["y"]
    assert picture.mode == "L"
    np.testing.assert_array_equal(np.asarray(picture), pixels + 1)


def test_half_precision_gray_keeps_fractions():
    image = pytest.importorskip("PIL.Image")
    pixels = np.linspace(0, 225.33, 24, dtype=np.float32).reshape(4, 6)
    layout = ct.colorlayout.GRAYSCALE_FLOAT16
    picture = image_model(layout, layout, (1, 1, 4, 6)).predict({"x": image.fromarray(pixels)})["y"]
    assert picture.mode == "F"
    np.testing.assert_allclose(np.asarray(picture), pixels.astype(np.float16) + 1.0, atol=1e-6)


def test_an_image_of_another_size_is_refused():
    image = pytest.importorskip("PIL.Image")
    with pytest.raises(RuntimeError):
        image_model(ct.colorlayout.RGB).predict({"x": image.new("RGB", (7, 4))})


def flexible_image(shape):
    height, width = ct.converters.mil.mil.get_new_symbol(), ct.converters.mil.mil.get_new_symbol()
    program = mb.program(input_specs=[mb.TensorSpec(shape=(1, 3, height, width))], opset_version=ct.target.iOS17)(
        lambda x: mb.add(x=x, y=1.0, name="y"))
    return convert(program, inputs=[ct.ImageType(name="x", shape=shape)])


def test_flexible_images_take_the_sizes_they_declare():
    image = pytest.importorskip("PIL.Image")
    model = flexible_image(ct.Shape((1, 3, ct.RangeDim(4, 8), ct.RangeDim(6, 9))))
    for size in ((6, 4), (9, 8)):
        assert model.predict({"x": image.new("RGB", size)})["y"].shape == (1, 3, size[1], size[0])
    with pytest.raises(RuntimeError, match=r"width \(10\) is not in allowed range \(6\.\.9\)"):
        model.predict({"x": image.new("RGB", (10, 4))})
    model = flexible_image(ct.EnumeratedShapes([(1, 3, 4, 6), (1, 3, 8, 9)]))
    assert model.predict({"x": image.new("RGB", (9, 8))})["y"].shape == (1, 3, 8, 9)
    with pytest.raises(RuntimeError, match="was not in enumerated set of allowed sizes"):
        model.predict({"x": image.new("RGB", (9, 4))})


# --- flexible and optional inputs --------------------------------------------


def test_ranges_are_enforced():
    model = flexible(ct.RangeDim(3, 5, default=3))
    assert model.predict({"x": np.zeros((1, 5))})["y"].shape == (1, 5)
    for size in (2, 6):
        with pytest.raises(RuntimeError, match=rf"Size \({size}\) of dimension \(1\) is not in allowed range \(3\.\.5\)"):
            model.predict({"x": np.zeros((1, size))})


def test_enumerated_shapes_are_enforced():
    model = flexible(None)
    assert model.predict({"x": np.zeros((1, 5))})["y"].shape == (1, 5)
    with pytest.raises(RuntimeError, match=r"MultiArray Shape \(1 x 3\) was not in enumerated set of allowed shapes"):
        model.predict({"x": np.zeros((1, 3))})


def test_optional_inputs_have_their_default(tmp_path):
    @mb.program(input_specs=[mb.TensorSpec(shape=(2,)), mb.TensorSpec(shape=(2,))], opset_version=ct.target.iOS17)
    def program(x, bias):
        return mb.add(x=x, y=bias, name="y")

    model = convert(program, inputs=[ct.TensorType(name="x", shape=(2,)),
                                     ct.TensorType(name="bias", shape=(2,), default_value=np.full(2, 4, np.float32))])
    np.testing.assert_array_equal(model.predict({"x": np.ones(2)})["y"], [5, 5])
    np.testing.assert_array_equal(model.predict({"x": np.ones(2), "bias": np.zeros(2)})["y"], [1, 1])
    with pytest.raises(RuntimeError, match="'x'"):
        model.predict({"bias": np.zeros(2)})
    model.save(str(tmp_path / "m.mlpackage"))
    own = anemone.load(tmp_path / "m.mlpackage")
    assert [feature.optional for feature in own.inputs] == [False, True]
    np.testing.assert_array_equal(own.predict({"x": np.ones(2)})["y"], [5, 5])


# --- states and functions ----------------------------------------------------


@since(9)
def test_states_are_kept_read_and_written():
    model = stateful()
    state, other = model.make_state(), model.make_state()
    np.testing.assert_array_equal(state.read_state("memory"), [0, 0])
    x = {"x": np.array([1.0, 2.0])}
    model.predict(dict(x), state)
    np.testing.assert_array_equal(model.predict(dict(x), state)["y"], [2, 4])
    np.testing.assert_array_equal(state.read_state("memory"), [2, 4])
    np.testing.assert_array_equal(other.read_state("memory"), [0, 0])
    state.write_state("memory", np.array([10, 1.0001], dtype=np.float32))
    np.testing.assert_array_equal(state.read_state("memory"), np.array([10, 1.0001], np.float16).astype(np.float32))
    np.testing.assert_array_equal(model.predict(dict(x), state)["y"], [11, 3])
    with pytest.raises(RuntimeError, match="no state is given"):
        model.predict(dict(x))
    with pytest.raises(RuntimeError, match="nothing"):
        state.read_state("nothing")
    with pytest.raises(RuntimeError, match="memory"):
        state.write_state("memory", np.zeros(3))
    with pytest.raises(RuntimeError, match="nothing"):
        state.write_state("nothing", np.zeros(2))


@since(8)
def test_functions_of_a_package(tmp_path):
    names = {}
    for index in (1, 2):
        @mb.program(input_specs=[mb.TensorSpec(shape=(2,))], opset_version=ct.target.iOS18)
        def program(x):
            return mb.mul(x=x, y=float(index), name="y")

        names[f"times_{index}"] = str(tmp_path / f"{index}.mlpackage")
        convert(program, ct.target.iOS18).save(names[f"times_{index}"])
    description = ct.utils.MultiFunctionDescriptor()
    for name, path in names.items():
        description.add_function(path, "main", name)
    description.default_function_name = "times_1"
    path = str(tmp_path / "both.mlpackage")
    ct.utils.save_multifunction(description, path)
    for name, factor in (("times_1", 1), ("times_2", 2), (None, 1)):
        model = ct.models.MLModel(path, function_name=name)
        np.testing.assert_array_equal(model.predict({"x": np.array([1.0, 3.0])})["y"], [factor, 3 * factor])


# --- compiled models, assets, hints, durations -------------------------------


def test_compiled_paths_live_with_the_model_and_load_again(tmp_path):
    path = tmp_path / "m.mlpackage"
    convert(doubling()).save(str(path))
    model = ct.models.MLModel(str(path))
    shutil.rmtree(path)
    compiled = model.get_compiled_model_path()
    assert compiled.endswith(".mlmodelc") and os.path.isdir(compiled)
    assert model.get_compiled_model_path() == compiled
    again = ct.models.CompiledMLModel(compiled)
    kept = tmp_path / "kept.mlmodelc"
    shutil.copytree(compiled, kept)
    del model
    assert not os.path.exists(compiled)
    x = {"x": np.ones((2, 3))}
    assert again.predict(dict(x))["y"].sum() == 12
    assert ct.models.CompiledMLModel(str(kept), ct.ComputeUnit.CPU_ONLY).predict(dict(x))["y"].sum() == 12
    assert len(again.predict([dict(x), dict(x)])) == 2


@since(8)
def test_compile_model(tmp_path):
    path = str(tmp_path / "m.mlpackage")
    convert(doubling()).save(path)
    target = str(tmp_path / "there.mlmodelc")
    assert ct.models.utils.compile_model(path, target) == target
    assert ct.models.CompiledMLModel(target).predict({"x": np.ones((2, 3))})["y"].sum() == 12
    with pytest.raises(RuntimeError, match="no model"):
        ct.models.utils.compile_model(str(tmp_path / "none.mlpackage"))


@since(8)
def test_assets_from_path_and_memory():
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 64))])
    def program(x):
        return mb.linear(x=x, weight=np.eye(64, dtype=np.float32)[::-1].copy(), name="y")

    model = convert(program)
    x = np.arange(64, dtype=np.float32)[None]
    asset_type = ct.models.model.MLModelAsset
    with open(os.path.join(model.weights_dir, "weight.bin"), "rb") as file:
        blobs = {"weights/weight.bin": file.read()}
    for asset in (asset_type.from_path(model.get_compiled_model_path()),
                  asset_type.from_memory(model.get_spec().SerializeToString(), blobs)):
        compiled = ct.models.CompiledMLModel.from_asset(asset)
        del asset
        np.testing.assert_array_equal(compiled.predict({"x": x})["y"], x[:, ::-1])


@since(9)
def test_hints_and_durations(tmp_path):
    path = str(tmp_path / "m.mlpackage")
    convert(doubling()).save(path)
    model = ct.models.MLModel(path, optimization_hints={
        "reshapeFrequency": ct.ReshapeFrequency.Infrequent, "allowLowPrecisionAccumulationOnGPU": True,
        "specializationStrategy": ct.SpecializationStrategy.FastPrediction})
    assert model.load_duration_in_nano_seconds > 0
    assert model.last_predict_duration_in_nano_seconds is None
    model.predict({"x": np.ones((2, 3))})
    assert model.last_predict_duration_in_nano_seconds > 0


def test_what_cannot_be_loaded_says_why(tmp_path):
    path = tmp_path / "m.mlpackage"
    convert(doubling()).save(str(path))
    spec = ct.utils.load_spec(str(path))
    spec.mlProgram.functions["main"].block_specializations["CoreML7"].operations[-1].type = "no_such_operator"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        model = ct.models.MLModel(spec, weights_dir=str(path / "Data/com.apple.CoreML/weights"))
    with pytest.raises(RuntimeError, match="no_such_operator"):
        model.predict({"x": np.ones((2, 3))})


# --- structure, plan, devices ------------------------------------------------


@since(8)
def test_structure_and_plan_of_a_program():
    from coremltools.models.compute_device import MLComputeDevice, MLCPUComputeDevice
    from coremltools.models.compute_plan import MLComputePlan, MLModelStructure

    model = convert(doubling())
    compiled = model.get_compiled_model_path()
    function = MLModelStructure.load_from_path(compiled).program.functions["main"]
    assert [value.name for value in function.inputs] == ["x"] and function.block.output_names == ["y"]
    add = next(operation for operation in function.block.operations if operation.operator_name == "add")
    assert [binding.name for binding in add.inputs["x"].bindings] == ["x"]
    with pytest.warns(anemone.coremltools.EstimatedWarning, match="estimated"):
        plan = MLComputePlan.load_from_path(compiled, compute_units=ct.ComputeUnit.CPU_ONLY)
    operations = plan.model_structure.program.functions["main"].block.operations
    for operation in operations:
        usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
        if operation.operator_name == "const":
            assert usage is None
        else:
            assert isinstance(usage.preferred_compute_device, MLCPUComputeDevice)
            assert plan.get_estimated_cost_for_mlprogram_operation(operation).weight == pytest.approx(1)
    assert [type(each) for each in MLComputeDevice.get_all_compute_devices()] == [MLCPUComputeDevice]
    assert ct.models.MLModel.get_available_compute_devices() == MLComputeDevice.get_all_compute_devices()


@since(8)
def test_structure_of_a_network():
    program = doubling()
    model = ct.convert(program, convert_to="neuralnetwork")
    from coremltools.models.compute_plan import MLModelStructure

    layers = MLModelStructure.load_from_path(ct.models.utils.compile_model(model.get_spec())).neuralnetwork.layers
    assert [(layer.type, layer.output_names) for layer in layers] == [("elementwise", ["y"])]


def test_structure_of_a_folder_of_core_mls_compiler(tmp_path):
    """What anemone.Model.structure() says of a program, without a specification beside it."""
    path = str(tmp_path / "m.mlpackage")
    convert(doubling()).save(path)
    structure = anemone.load(path).structure()["functions"]["main"]
    assert structure["inputs"] == ["x"] and structure["outputs"] == ["y"]
    add = structure["operations"][-1]
    assert add["type"] == "add" and add["outputs"] == ["y"] and add["arguments"]["x"] == ["x"]


# --- coremltools' own tools ---------------------------------------------------


def test_async_models_and_benchmarks():
    experimental = pytest.importorskip("coremltools.models.ml_program.experimental.async_wrapper")
    from coremltools.models.ml_program.experimental.perf_utils import MLModelBenchmarker

    model = convert(doubling())

    async def run():
        wrapped = experimental.MLModelAsyncWrapper.from_spec_or_path(
            spec_or_path=model.get_spec(), weights_dir=model.weights_dir)
        await wrapped.load()
        answer = await wrapped.predict({"x": np.ones((2, 3), dtype=np.float32)})
        benchmarker = MLModelBenchmarker(model=model)
        measured = await benchmarker.benchmark_predict(iterations=2)
        return answer, measured

    answer, measured = asyncio.run(run())
    assert answer["y"].sum() == 12
    assert len(measured.samples) == 2 and min(measured.samples) > 0


def test_the_inspector_sees_intermediate_values():
    debugging = pytest.importorskip("coremltools.models.ml_program.experimental.debugging_utils")

    @mb.program(input_specs=[mb.TensorSpec(shape=(2,))], opset_version=ct.target.iOS17)
    def program(x):
        return mb.exp(x=mb.mul(x=x, y=3.0, name="tripled"), name="y")

    inspector = debugging.MLModelInspector(convert(program), compute_units=ct.ComputeUnit.CPU_ONLY)

    async def run():
        seen = {}
        async for name, value in inspector.inspect({"x": np.ones(2, dtype=np.float32)}, output_names=["tripled"]):
            seen[name] = value
        return seen

    np.testing.assert_allclose(asyncio.run(run())["tripled"], [3, 3])


def logarithm_of(difference, target=ct.target.iOS17):
    """log of a difference that is 0 but for what is added to it: infinite in half precision."""
    @mb.program(input_specs=[mb.TensorSpec(shape=(2,))], opset_version=target)
    def program(x):
        zero = mb.sub(x=mb.relu(x=x), y=mb.relu(x=x), name="zero")
        return mb.log(x=mb.add(x=zero, y=np.float32(difference)), name="y")

    return program


def names_of(operations):
    return {operation.outputs[0].name for operation in operations}


def test_the_validator_finds_the_operation_that_overflows():
    debugging = pytest.importorskip("coremltools.models.ml_program.experimental.debugging_utils")
    ones = {"x": np.ones(2, dtype=np.float32)}

    def infinite_in(difference):
        # Before iOS17 epsilon is a half too, and 1e-45 becomes 0.
        model = convert(logarithm_of(difference, ct.target.iOS16), ct.target.iOS16, ct.precision.FLOAT16)
        validator = debugging.MLModelValidator(model)
        return {operation.type for operation in
                asyncio.run(validator.find_failing_ops_with_infinite_output(inputs=ones))}

    assert infinite_in(0.5) == set()
    assert infinite_in(0.0) == {"log"}


def test_the_comparator_finds_where_two_models_part():
    debugging = pytest.importorskip("coremltools.models.ml_program.experimental.debugging_utils")
    one, other = convert(logarithm_of(0.5)), convert(logarithm_of(0.75))
    ones = {"x": np.ones(2, dtype=np.float32)}

    comparator = debugging.MLModelComparator(one, other)
    parted = names_of(asyncio.run(comparator.find_failing_ops(
        inputs=ones, compare_outputs=lambda operation, a, b: np.allclose(a, b))))
    # "zero" is the same in both; the sum is where they part.
    assert parted and "zero" not in parted
