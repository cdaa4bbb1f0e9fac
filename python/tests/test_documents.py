"""The start page and the guides work as written: their commands and Python programs run, in order, in an empty folder.

A block of ```sh is commands for bash, one of ```python a program; ```json before which a sentence names a file in
backquotes is that file. Everything else is prose. The folder holds what a reader is said to have: a model, photographs.
"""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest
from conftest import make_classifier
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from test_fetch import COMMAND

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "docs/start.md", *sorted((ROOT / "docs/guides").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w.]+\.json)`")

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def text_model():
    """Token numbers [1, n] to one score: an embedding, its mean, a matrix."""
    rng = np.random.default_rng(0)
    table = numpy_helper.from_array(rng.standard_normal((100, 8)).astype(np.float32), "table")
    matrix = numpy_helper.from_array(rng.standard_normal((8, 2)).astype(np.float32), "matrix")
    nodes = [helper.make_node("Gather", ["table", "tokens"], ["rows"]),
             helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
             helper.make_node("MatMul", ["mean", "matrix"], ["scores"])]
    graph = helper.make_graph(nodes, "text", [helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "n"])],
                              [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2])], [table, matrix])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def prices(path):
    """A linear regressor as scikit-learn users keep them, written by coremltools."""
    coremltools = pytest.importorskip("coremltools")
    spec = coremltools.proto.Model_pb2.Model(specificationVersion=1)
    for name in ("rooms", "area"):
        spec.description.input.add(name=name).type.doubleType.SetInParent()
    spec.description.output.add(name="price").type.doubleType.SetInParent()
    spec.description.predictedFeatureName = "price"
    regressor = coremltools.proto.Model_pb2.Model(specificationVersion=1)
    regressor.description.input.add(name="features").type.multiArrayType.shape.append(2)
    regressor.description.input[0].type.multiArrayType.dataType = 65600
    regressor.description.output.add(name="price").type.doubleType.SetInParent()
    regressor.description.predictedFeatureName = "price"
    regressor.glmRegressor.weights.add().value.extend([1000.0, 300.0])
    regressor.glmRegressor.offset.append(5000.0)
    vectorizer = coremltools.proto.Model_pb2.Model(specificationVersion=1)
    for name in ("rooms", "area"):
        vectorizer.description.input.add(name=name).type.doubleType.SetInParent()
        vectorizer.featureVectorizer.inputList.add(inputColumn=name, inputDimensions=1)
    vectorizer.description.output.add(name="features").type.multiArrayType.shape.append(2)
    vectorizer.description.output[0].type.multiArrayType.dataType = 65600
    spec.pipelineRegressor.pipeline.models.extend([vectorizer, regressor])
    path.write_bytes(spec.SerializeToString())


@pytest.fixture(scope="module")
def belongings(tmp_path_factory):
    """What a reader is said to have."""
    folder = tmp_path_factory.mktemp("reader")
    onnx.save(make_classifier(), folder / "model.onnx")
    onnx.save(text_model(), folder / "text.onnx")
    (folder / "labels.txt").write_text("".join(f"thing {i}\n" for i in range(10)))
    prices(folder / "prices.mlmodel")
    rng = np.random.default_rng(1)
    (folder / "photos").mkdir()
    rows = ["file,class_index"]
    for i in range(8):
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(folder / f"photos/{i}.png")
        rows.append(f"{i}.png,{i}")
    (folder / "photos/labels.csv").write_text("\n".join(rows) + "\n")
    Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(folder / "cat.jpg")
    (folder / "script.py").write_text(
        "import coremltools as ct\nimport numpy as np\nmodel = ct.models.MLModel('model.mlpackage')\n"
        "print(model.predict({'image': np.zeros((1, 3, 14, 14), np.float32)})['logits'].shape)\n")
    subprocess.run([COMMAND, "convert", "model.onnx", "-o", "model.mlpackage"], cwd=folder, check=True)
    return folder


def blocks(page):
    """Each block with its language, its text, the number of its line and the file that the sentence before it names."""
    text = page.read_text()
    for match in BLOCK.finditer(text):
        before = text[:match.start()].rstrip().split("\n\n")[-1]
        named = FILE.findall(before)
        yield match.group(1), match.group(2), text[:match.start()].count("\n") + 1, named[0] if named else None


def test_each_page_has_something_to_run():
    without = [page.name for page in PAGES if not any(kind in ("sh", "python") for kind, *_ in blocks(page))]
    # What these show is compiled by tests/consumers/run.sh, but for Swift; PyTorch is not among the tests' packages.
    assert without == ["c.md", "cpp.md", "pytorch-model.md", "rust.md", "swift.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page, belongings, tmp_path):
    subprocess.run(["cp", "-r", f"{belongings}/.", tmp_path], check=True)
    environment = {**os.environ, "PATH": f"{COMMAND.parent}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
                   "ANEMONE_CACHE_DIR": str(tmp_path / "cache")}
    for kind, text, _, named in blocks(page):
        if kind == "json" and named:
            (tmp_path / named).write_text(text)
    for kind, text, line, _ in blocks(page):
        command = {"sh": ["bash", "-euo", "pipefail", "-c", text], "python": [sys.executable, "-c", text]}.get(kind)
        if command is None:
            continue
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{page.name}:{line}:\n{text}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def test_included_sources_exist():
    for page in PAGES:
        for name in re.findall(r'^--8<-- "(.+)"$', page.read_text(), re.MULTILINE):
            assert (ROOT / name).is_file(), f"{page.name}: {name}"
