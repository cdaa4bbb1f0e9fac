"""Options said once: the keywords, signatures and help come from the tables, and so do the document and the stub."""

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import anemone
from anemone._options import TABLES

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = [(anemone.load, ["load"]), (anemone.convert, ["load", "convert"]), (anemone.compress, ["load", "compress"]),
             (anemone.Model.convert, ["convert"]), (anemone.Model.compress, ["compress"]),
             (anemone.Session.__init__, ["session"]),
             *((getattr(anemone, tool), [tool]) for tool in (
                 "bench", "cache_clear", "cache_list", "cache_verify", "compare", "compress_file", "convert_file", "demo",
                 "doctor", "evaluate", "fetch", "gate", "inspect", "lab", "matrix", "placement", "run"))]
# Parameters of the functions' own.
OWN = {"models", "model", "output", "record", "reference", "variant", "images", "labels", "reports", "name"}


def test_the_document_and_the_stub_are_what_the_tables_say():
    command = ROOT / "build" / "bin" / "anemone"
    if not command.exists():
        pytest.skip("the command is not built")
    done = subprocess.run([sys.executable, ROOT / "tools" / "options.py", "--check"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function,tables", FUNCTIONS, ids=lambda value: getattr(value, "__qualname__", ""))
def test_every_option_is_a_keyword_with_its_default_and_help(function, tables):
    parameters = inspect.signature(function).parameters
    for table in tables:
        for row in TABLES[table]:
            default = parameters[row["name"]].default
            if row["name"] in OWN:
                continue
            if row["name"] != "minimum_deployment_target" or tables == [table]:
                assert (list(default) if isinstance(default, tuple) else default) == row["default"]
            assert f"    {row['name']}: " in function.__doc__


@pytest.fixture(name="model")
def make_model(tmp_path):
    path = tmp_path / "relu.mil"
    path.write_text("func main<ios17>(tensor<fp32, [2, 3]> x) {\n  y = relu(x = x);\n} -> (y);\n")
    return anemone.load(path)


def usage(function, *arguments, **options):
    with pytest.raises(anemone.Error) as caught:
        function(*arguments, **options)
    assert caught.value.code == "usage" and caught.value.exit_code == 2
    return caught.value


def test_unknown_keywords_name_the_nearest(model, tmp_path):
    assert "'mode'" in usage(model.compress, modes="prune").advice
    assert "'seed'" in usage(anemone.load, tmp_path / "relu.mil", sed=1).advice
    assert "'nbits'" in usage(anemone.compress, tmp_path / "relu.mil", nbit=4).advice
    assert "'keep_float32'" in usage(anemone.convert, tmp_path / "relu.mil", keep_float=["a"]).advice
    assert "'fallback'" in usage(anemone.Session, model, falback=False).advice


def test_values_out_of_range_are_all_named(model):
    message = usage(model.compress, nbits=5, percentile=12, dtype="int5", observer=3).message
    for part in ("'nbits' is 5", "'percentile' is 12", "'dtype' is 'int5'", "'observer' must be min_max, percentile"):
        assert part in message
    assert "'compute_precision'" in usage(model.convert, compute_precision="float8").message
    assert "0 to 1024" in usage(anemone.Session, model, threads=2000).message


def test_values_of_numpy_and_paths_are_taken(model, tmp_path):
    model.compress(mode="prune", target_sparsity=np.float32(0.5), weight_threshold=np.int64(8), mean=np.zeros(3), nbits=None)
    samples = tmp_path / "samples"
    assert "samples" in str(pytest.raises(anemone.Error, model.compress, mode="activations", calibration=samples).value)
    usage(model.compress, target_sparsity=float("nan"))
    usage(model.compress, mode=b"prune")
    assert model.compress("prune", target_sparsity=0.5) is not None
    with pytest.raises(TypeError):
        model.compress("prune", mode="prune")


def test_what_only_the_command_had(tmp_path):
    path = tmp_path / "linear.mil"
    path.write_text("func main<ios17>(tensor<fp32, [1, 64]> x) {\n"
                    "  y = linear(x = x, weight = tensor<fp32, [64, 64]>(seed 7));\n} -> (y);\n")
    model = anemone.load(path)
    assert "fp16, [1, 64]" not in model.compress(dtype="float16", storage_only=True).text()
    samples = tmp_path / "samples"
    samples.mkdir()
    for i in range(3):
        np.save(samples / f"{i}.npy", np.random.default_rng(i).standard_normal((1, 64)).astype(np.float32))
    texts = [model.compress(mode="activations", calibration=samples, observer="percentile", percentile=percentile).text()
             for percentile in (60, 100)]
    assert texts[0] != texts[1]
