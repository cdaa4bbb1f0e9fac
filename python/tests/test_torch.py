"""PyTorch's exported programs: files, and modules and programs in memory where torch is installed."""

from pathlib import Path

import numpy as np
import pytest

import anemone

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "torch"
FORMS = ["small_2_7.pt2", "small_2_15.pt2"]  # files beside each other with pickles, and the archive


def expected(x):
    """What the module of tests/oracle/make_torch_program_fixtures.py computes."""
    weight = np.array([[1, 2], [3, -4], [5, 6]], np.float32)
    y = np.maximum(x @ weight.T + np.array([0.5, -1, 2], np.float32), 0)
    y[:, 0] = 3
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    return y, x @ turned.T


@pytest.mark.parametrize("name", FORMS)
def test_both_forms_give_pytorchs_numbers_at_every_batch(name, tmp_path):
    with pytest.warns(UserWarning, match="flexible"):
        model = anemone.convert(FIXTURES / name)
    model.save(tmp_path / "small.mlpackage")
    loaded = anemone.load(tmp_path / "small.mlpackage")
    for batch in (1, 2, 4):
        x = np.random.default_rng(batch).standard_normal((batch, 2)).astype(np.float32)
        outputs = loaded.predict({"x": x})
        for mine, theirs in zip((outputs[each.name] for each in loaded.outputs), expected(x)):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FORMS)
def test_operators_are_named_after_modules(name):
    model = anemone.load(FIXTURES / name, input_shapes={"x": [2, 2]})
    assert "layer" in model.text()
    assert [each.shape for each in model.outputs] == [(2, 3), (2, 3)]


def test_a_cut_file_is_refused(tmp_path):
    whole = (FIXTURES / FORMS[1]).read_bytes()
    (tmp_path / "cut.pt2").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(anemone.Error) as caught:
        anemone.load(tmp_path / "cut.pt2")
    assert caught.value.code == "invalid_input"


def test_other_files_of_pytorch_are_refused_by_what_they_are():
    weights = FIXTURES.parent / "weights" / "zip.pth"
    if not weights.exists():
        weights = next(iter(sorted((FIXTURES.parent / "weights").glob("*.pt*"))))
    with pytest.raises(anemone.Error) as caught:
        anemone.convert(weights)
    assert "torch.export" in caught.value.advice


def test_example_inputs_are_for_modules_only():
    with pytest.raises(anemone.Error) as caught:
        anemone.convert(FIXTURES / FORMS[0], example_inputs=(1,))
    assert caught.value.code == "usage"


def test_a_module_and_its_exported_program():
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(), torch.nn.GELU())
    x = torch.randn(2, 3)
    model = anemone.convert(module, example_inputs=(x,))
    assert module.training  # as it was
    reference = module.eval()(x).detach().numpy()
    program = torch.export.export(module, (x,))
    for each in (model, anemone.convert(program)):
        (output,) = each.predict({each.inputs[0].name: x.numpy()}).values()
        np.testing.assert_allclose(output, reference, rtol=1e-5, atol=1e-6)


def test_a_module_needs_inputs():
    torch = pytest.importorskip("torch")
    with pytest.raises(anemone.Error, match="needs inputs"):
        anemone.convert(torch.nn.Linear(2, 2))


@pytest.mark.parametrize("name,target,kinds", [
    ("quantized_pt2e_static_per_channel", "iOS17", {"constexpr_affine_dequantize", "quantize", "dequantize"}),
    ("quantized_pt2e_static_per_channel", "iOS18", {"constexpr_blockwise_shift_scale", "quantize", "dequantize"}),
    ("quantized_torchao_int8_dynamic", "iOS16", {"constexpr_affine_dequantize", "reduce_max"}),
    ("quantized_torchao_int4_weights_groups", "iOS18", {"constexpr_blockwise_shift_scale"}),
])
def test_quantized_exports_stay_quantized(name, target, kinds):
    """Made by tests/oracle/torch_quantized.py --fixtures, with PyTorch's own outputs."""
    model = anemone.convert(FIXTURES / f"{name}.pt2", minimum_deployment_target=target)
    text = model.text()
    for kind in kinds:
        assert f"= {kind}(" in text, kind
    given = np.load(FIXTURES / f"{name}.npz")
    found = list(model.predict({model.inputs[0].name: given["x"]}).values())[0]
    assert np.abs(found - given["y"]).max() <= np.ptp(given["y"]) / 255


def test_weights_in_blocks_need_a_target_that_holds_them():
    with pytest.raises(anemone.Error, match="iOS18"):
        anemone.convert(FIXTURES / "quantized_torchao_int4_weights_groups.pt2", minimum_deployment_target="iOS17")
