"""The figures of `anemone compare`, held against NumPy's on the same outputs."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import make_classifier, make_network

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def run(*arguments):
    done = subprocess.run([str(COMMAND), *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def softmax(rows):
    powers = np.exp(rows - rows.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def figures(reference, variant):
    a, b = reference.astype(np.float64), variant.astype(np.float64)
    error = b - a
    span = a.max() - a.min()
    rmse = np.sqrt(np.mean(error**2))
    rows_a, rows_b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
    is_distribution = bool((rows_a >= 0).all() and np.allclose(rows_a.sum(-1), 1, atol=1e-3))
    p = rows_a if is_distribution else softmax(rows_a)
    q = np.maximum(rows_b, 1e-12) if is_distribution else softmax(rows_b)
    kl = np.mean(np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / q), 0), -1))
    best = rows_a.argmax(-1)
    ranks = np.argsort(-rows_b, axis=-1, kind="stable")
    return {
        "l_inf": np.abs(error).max(), "rmse": rmse, "reference_range": span, "l_inf_relative": np.abs(error).max() / span,
        "rmse_relative": rmse / span, "psnr_db": 20 * np.log10(span / rmse),
        "snr_db": 10 * np.log10(np.sum(a**2) / np.sum(error**2)),
        "cosine": np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b), "kl_softmax": kl,
        "kl_divergence": kl if is_distribution else None,
        "top1_agreement": np.mean(ranks[:, 0] == best), "top5_agreement": np.mean((ranks[:, :5] == best[:, None]).any(-1)),
    }


@pytest.mark.parametrize("make", [make_classifier, make_network])
@pytest.mark.parametrize("nbits", [2, 6])
def test_every_figure_is_numpys(make, nbits, tmp_path):
    onnx.save(make(), str(tmp_path / "model.onnx"))
    np.save(tmp_path / "x.npy", np.random.default_rng(3).standard_normal((1, 3, 14, 14)).astype(np.float32))
    base, variant = tmp_path / "base.mlpackage", tmp_path / "variant.mlpackage"
    run("convert", tmp_path / "model.onnx", "-o", base)
    run("compress", base, "-o", variant, "--mode", "palettize", "--nbits", nbits, "--weight-threshold", 100)
    for name, package in (("a", base), ("b", variant)):
        run("run", package, "--input", f"image={tmp_path}/x.npy", "--output-dir", tmp_path / name)
    document = json.loads(run("compare", base, variant, "--input", f"image={tmp_path}/x.npy", "--tolerance-linf", 1e9, "--tolerance-rmse", 1e9, "--json"))
    assert document["outputs"]
    for output in document["outputs"]:
        want = figures(np.load(tmp_path / "a" / f"{output['output']}.npy"),
                       np.load(tmp_path / "b" / f"{output['output']}.npy"))
        for key, value in want.items():
            assert output[key] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)), key
        assert output["non_finite"] == 0
