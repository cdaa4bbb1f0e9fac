"""Compression beside coremltools' own: the same weights, compressed by both, read back by coremltools."""

import json

import numpy as np
import onnx
import pytest

import anemone
from conftest import make_classifier

coremltools = pytest.importorskip("coremltools")
import coremltools.optimize.coreml as cto  # noqa: E402


def typed_program(path):
    from coremltools.converters.mil.frontend.milproto.load import load

    spec = coremltools.utils.load_spec(str(path))
    return load(model_spec=spec, specification_version=spec.specificationVersion,
                file_weights_dir=str(path / "Data/com.apple.CoreML/weights"))


def dense_weights(path):
    """Operator and parameter -> (values that it computes with, whether they are compressed)."""
    found = {}
    for op in typed_program(path).functions["main"].operations:
        if op.op_type.startswith("const"):
            continue
        for name, var in op.inputs.items():
            made = getattr(var, "op", None)
            if made is not None and made.op_type.startswith("constexpr_"):
                found[op.op_type, name, len(found)] = (chain_value(made), True)
            elif made is not None and made.op_type == "const" and isinstance(var.val, np.ndarray) and var.val.ndim > 1:
                found[op.op_type, name, len(found)] = (var.val, False)
    return found


def chain_value(op):
    """What a chain of constexpr operators stands for."""
    from coremltools.optimize import _utils

    def value(var):
        if var is None:
            return None
        made = getattr(var, "op", None)
        return chain_value(made) if made is not None and made.op_type.startswith("constexpr_") else var.val

    if op.op_type == "constexpr_blockwise_shift_scale":
        return _utils.dequantize_by_scale_and_zp(value(op.data), value(op.scale), value(op.offset))
    if op.op_type == "constexpr_lut_to_dense" and "shape" not in op.inputs:  # iOS18's; iOS16's has a shape
        return _utils.lut_to_dense(value(op.indices), value(op.lut), value(op.inputs.get("vector_axis")))
    return np.asarray(op.materialized_val_inference())


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compress")
    source = folder / "classifier.onnx"
    onnx.save(make_classifier(channels=32), str(source))
    made = {}
    for target in ("iOS16", "iOS18"):
        for precision in ("float16", "float32"):
            path = folder / f"{target}_{precision}.mlpackage"
            anemone.convert(source, minimum_deployment_target=target, compute_precision=precision).save(path)
            made[target, precision] = path
    return made


LINEAR = [("int8", "linear_symmetric", "per_tensor", "iOS16"), ("int8", "linear_symmetric", "per_channel", "iOS16"),
          ("uint8", "linear", "per_tensor", "iOS16"), ("int8", "linear", "per_channel", "iOS18"),
          ("uint8", "linear_symmetric", "per_channel", "iOS18"), ("int4", "linear_symmetric", "per_channel", "iOS18"),
          ("uint4", "linear", "per_block", "iOS18")]
PALETTE = [({"nbits": 1}, "iOS16"), ({"nbits": 4}, "iOS16"), ({"nbits": 6}, "iOS18"), ({"nbits": 3}, "iOS18"),
           ({"nbits": 4, "mode": "uniform"}, "iOS16"), ({"nbits": 8}, "iOS18"),
           ({"nbits": 2, "granularity": "per_grouped_channel", "group_size": 8}, "iOS18"),
           ({"nbits": 4, "cluster_dim": 2}, "iOS18"), ({"nbits": 4, "enable_per_channel_scale": True}, "iOS18")]
PRUNE = [{"target_sparsity": 0.5}, {"n_m_ratio": [2, 4]}, {"target_sparsity": 0.5, "block_size": 4}]


def both(tmp_path, source, config_type, settings, function):
    """Compresses with the same configuration file and value; (original, ours, theirs)."""
    document = {"config_type": config_type, "global_config": dict(settings, weight_threshold=200)}
    config = tmp_path / "config.json"
    config.write_text(json.dumps(document))
    ours = tmp_path / "ours.mlpackage"
    anemone.load(source).compress(config=config).save(ours)
    theirs = tmp_path / "theirs.mlpackage"
    model = coremltools.models.MLModel(str(source), skip_model_load=True)
    function(model, cto.OptimizationConfig.from_dict(json.loads(config.read_text()))).save(str(theirs))
    return dense_weights(source), dense_weights(ours), dense_weights(theirs)


def pairs(original, ours, theirs):
    """Values of each weight, in the order of the program: original, ours, theirs."""
    assert len(original) == len(ours) == len(theirs)
    rows = [(a[0], b, c) for a, b, c in zip(original.values(), ours.values(), theirs.values())]
    assert [b[1] for _, b, _ in rows] == [c[1] for _, _, c in rows]
    assert any(b[1] for _, b, _ in rows)
    return [(a.astype(np.float64), b[0].astype(np.float64), c[0].astype(np.float64)) for a, b, c in rows]


@pytest.mark.parametrize("precision", ["float16", "float32"])
@pytest.mark.parametrize("dtype,mode,granularity,target", LINEAR)
def test_linear_is_the_same_to_the_bit(tmp_path, packages, dtype, mode, granularity, target, precision):
    settings = {"mode": mode, "dtype": dtype, "granularity": granularity, "block_size": 8}
    result = both(tmp_path, packages[target, precision], "OpLinearQuantizerConfig", settings,
                  cto.linear_quantize_weights)
    for _, ours, theirs in pairs(*result):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("precision", ["float16", "float32"])
@pytest.mark.parametrize("settings,target", PALETTE)
def test_tables_are_never_worse(tmp_path, packages, settings, target, precision):
    if settings.get("mode") != "uniform":
        pytest.importorskip("sklearn")
    result = both(tmp_path, packages[target, precision], "OpPalettizerConfig", settings, cto.palettize_weights)
    for original, ours, theirs in pairs(*result):
        assert ((ours - original) ** 2).sum() <= ((theirs - original) ** 2).sum() * (1 + 1e-6) + 1e-12


@pytest.mark.parametrize("settings", PRUNE)
def test_pruning_is_the_same(tmp_path, packages, settings):
    result = both(tmp_path, packages["iOS18", "float32"], "OpMagnitudePrunerConfig", settings, cto.prune_weights)
    for _, ours, theirs in pairs(*result):
        assert np.array_equal(ours, theirs)


STEPS = {"sparse": {"mode": "prune", "target_sparsity": 0.6}, "palette": {"mode": "palettize", "nbits": 4},
         "int8": {"mode": "linear_symmetric", "granularity": "per_tensor"}}


@pytest.mark.parametrize("first,second", [("sparse", "palette"), ("sparse", "int8"), ("palette", "int8"),
                                          ("int8", "palette"), ("int8", "sparse"), ("palette", "sparse")])
def test_joint_forms_pass_the_loader_and_run(tmp_path, packages, first, second):
    model = anemone.load(packages["iOS18", "float16"])
    once = model.compress(**STEPS[first], weight_threshold=200)
    twice = once.compress(**STEPS[second], weight_threshold=200, joint=True)
    path = tmp_path / "joint.mlpackage"
    twice.save(path)
    operators = {operation.op_type for operation in typed_program(path).functions["main"].operations}
    assert sum(operator.startswith("constexpr_") for operator in operators) >= 2
    feed = {model.inputs[0].name: np.random.default_rng(0).standard_normal(model.inputs[0].shape).astype(np.float32)}
    want, got = model.predict(feed), anemone.load(path).predict(feed)
    assert all(np.isfinite(value).all() for value in got.values())
    assert any(not np.array_equal(want[name], got[name]) for name in want)


def test_activations_pass_the_loader(tmp_path, packages):
    model = anemone.load(packages["iOS18", "float16"])
    samples = tmp_path / "samples"
    samples.mkdir()
    rng = np.random.default_rng(0)
    for index in range(4):
        np.save(samples / f"{index}.npy", rng.standard_normal(model.inputs[0].shape).astype(np.float32))
    path = tmp_path / "w8a8.mlpackage"
    model.compress(mode="activations", calibration=samples, weight_threshold=200).save(path)
    operators = [operation.op_type for operation in typed_program(path).functions["main"].operations]
    assert operators.count("quantize") == operators.count("dequantize") >= 1
    anemone.load(path).predict({model.inputs[0].name: np.load(samples / "0.npy")})


def test_calibration_inputs_that_do_not_fit(tmp_path, packages):
    model = anemone.load(packages["iOS18", "float16"])
    folder = tmp_path / "samples"
    with pytest.raises(anemone.Error):
        model.compress(mode="activations", calibration=folder)
    folder.mkdir()
    with pytest.raises(anemone.Error, match="no calibration inputs"):
        model.compress(mode="activations", calibration=folder)
    np.save(folder / "a.npy", np.zeros((1, 2, 3), np.float32))
    with pytest.raises(anemone.Error, match="shape"):
        model.compress(mode="activations", calibration=folder)
    (folder / "a.npy").write_bytes(b"no array")
    with pytest.raises(anemone.Error, match="a.npy"):
        model.compress(mode="activations", calibration=folder)
    (folder / "a.npy").rename(folder / "a.jpg")
    with pytest.raises(anemone.Error, match="a.jpg"):
        model.compress(mode="activations", calibration=folder)
    with pytest.raises(anemone.Error, match="calibration"):
        model.compress(mode="activations")


@pytest.mark.parametrize("nbits", [5, 7])
def test_widths_that_do_not_exist(packages, nbits):
    with pytest.raises(anemone.Error) as caught:
        anemone.load(packages["iOS18", "float16"]).compress(mode="palettize", nbits=nbits)
    assert caught.value.code == "usage" and caught.value.advice
