"""Makes tests/fixtures/packages/by_<version>.mlpackage with the coremltools that runs it.

One small ML Program with half weights in a weight file: what Python wrote around them, and what C++ left
in their headers, differs from version to version. coremltools 9 also makes one for iOS26. Run it once for each version, each in an
environment of its own:

    python3.8 -m venv v && v/bin/pip install coremltools==5.2 "numpy<1.24" "protobuf<3.21"
    v/bin/python tests/oracle/make_older_packages.py tests/fixtures/packages

Python 3.8 runs coremltools 5, Python 3.10 runs 6 (both with protobuf 3.20), Python 3.11 runs 7 (with
numpy 1), 8 and 9. Expected values are in older_packages.json beside them, computed with NumPy.
"""
import inspect
import json
import pathlib
import shutil
import sys

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb


def weights():
    """Few distinct values, so that half precision holds each."""
    w = (np.arange(4 * 3 * 2 * 2).reshape(4, 3, 2, 2) % 7 - 3) / 4
    b = np.array([0.5, -0.25, 0, 1])
    return w.astype(np.float32), b.astype(np.float32)


def program(**options):
    w, b = weights()

    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3, 4, 4))], **options)
    def prog(x):
        y = mb.conv(x=x, weight=w, bias=b, pad_type="valid", name="conv")
        y = mb.relu(x=y, name="relu")
        y = mb.reshape(x=y, shape=[1, 36], name="flat")
        return mb.linear(x=y, weight=np.eye(5, 36, dtype=np.float32), bias=np.arange(5, dtype=np.float32),
                         name="y")

    return prog


def expected(x):
    w, b = weights()
    out = np.zeros((1, 4, 3, 3))
    for i in range(3):
        for j in range(3):
            out[0, :, i, j] = np.tensordot(w, x[0, :, i:i + 2, j:j + 2], 3) + b
    return np.maximum(out, 0).reshape(1, 36)[:, :5] + np.arange(5)


def save(model, target):
    shutil.rmtree(target, ignore_errors=True)
    model.save(str(target))
    print(target.name, sum(f.stat().st_size for f in target.rglob("*") if f.is_file()), "bytes")


def main():
    folder = pathlib.Path(sys.argv[1])
    options = {"source": "milinternal", "convert_to": "mlprogram"}
    known = inspect.signature(ct.convert).parameters
    if "compute_precision" in known:
        options["compute_precision"] = ct.precision.FLOAT16
    if "skip_model_load" in known:
        options["skip_model_load"] = True
    version = ".".join(ct.__version__.split(".")[:2])
    save(ct.convert(program(), **options), folder / f"by_{version}.mlpackage")
    if hasattr(ct.target, "iOS26"):
        model = ct.convert(program(opset_version=ct.target.iOS26), minimum_deployment_target=ct.target.iOS26, **options)
        save(model, folder / f"by_{version}_ios26.mlpackage")
    x = (np.arange(48).reshape(1, 3, 4, 4) % 5 - 2) / 2
    (folder / "older_packages.json").write_text(
        json.dumps({"x": x.ravel().tolist(), "y": expected(x).ravel().tolist()}) + "\n")


if __name__ == "__main__":
    main()
