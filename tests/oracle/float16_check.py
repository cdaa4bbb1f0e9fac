"""What a conversion to float16 does to networks that half precision breaks; writes docs/float16.md.

    python3 tests/oracle/float16_check.py                  # a line for each network
    python3 tests/oracle/float16_check.py --write          # docs/float16.md anew
    python3 tests/oracle/float16_check.py --only magika

Needs numpy, onnx, onnxruntime, torch, timm, torchvision, pillow, and for the networks with published weights the
packages magika and rapidocr-onnxruntime, of which only the .onnx files are read. Networks that cannot be made are named
as not measured. Every figure is measured against ONNX Runtime on inputs that the conversion has not seen.
"""

import argparse
import importlib.util
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional

import numpy as np

import anemone

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "float16.md"
LIMIT, SHARE = 1e-2, 0.05
SAMPLES = 6


class Network(NamedTuple):
    name: str
    source: str  # where it comes from
    make: Callable[[Path], Path]
    shapes: dict
    inputs: Callable[[np.random.Generator], dict]
    inputs_are: str


class Row(NamedTuple):
    network: Network
    plain: Optional[float]  # difference by its range; None: NaN or infinite
    mended: Optional[float]
    share: float
    operators: int
    casts: int
    rescaled: int
    seconds: float
    line: str
    peer: Optional[float]  # what ONNX Runtime's own float16 gives for rows that are not within the limits


def packaged(package: str, file: str) -> Path:
    """A file of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {package} is not installed")
    return Path(spec.origin).parent / file


def exported(model, size: int, path: Path) -> Path:
    import torch

    model.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.zeros(1, 3, size, size),), str(path), opset_version=17, dynamo=False,
                          input_names=["image"], output_names=["logits"])
    return path


def of_timm(name: str, size: int):
    def make(folder: Path) -> Path:
        import timm
        import torch

        torch.manual_seed(0)
        return exported(timm.create_model(name, pretrained=False), size, folder / f"{name}.onnx")

    return make


def of_torchvision(name: str, size: int, **options):
    def make(folder: Path) -> Path:
        import torch
        import torchvision

        torch.manual_seed(0)
        return exported(getattr(torchvision.models, name)(weights=None, **options), size, folder / f"{name}.onnx")

    return make


def quantized_to_16_bits(folder: Path) -> Path:
    """MobileNetV2 with activations of 16 bits, as onnxruntime.quantization writes it."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            random = np.random.default_rng(0)
            self.left = [random.standard_normal((1, 3, 224, 224)).astype(np.float32) for _ in range(8)]

        def get_next(self):
            return {"image": self.left.pop()} if self.left else None

    source = of_torchvision("mobilenet_v2", 224)(folder)
    prepared, path = folder / "prepared.onnx", folder / "mobilenet_v2_int16.onnx"
    quant_pre_process(str(source), str(prepared))
    quantize_static(str(prepared), str(path), Reader(), quant_format=QuantFormat.QDQ,
                    activation_type=QuantType.QInt16, weight_type=QuantType.QInt8)
    return path


def normal(name: str, *shape: int):
    return lambda random: {name: random.standard_normal(shape).astype(np.float32)}


def file_bytes(random):
    """As Magika reads files: bytes of a text or of anything, and 256 where the file ends."""
    data = np.full((1, 2048), 256, np.int32)
    length = int(random.integers(64, 2048))
    low, high = ((32, 127) if random.integers(2) else (0, 256))
    data[0, :length] = random.integers(low, high, length)
    return {"bytes": data}


def page(width: int, height: int):
    """A page with lines of text, normalized as PP-OCR does it."""

    def make(random):
        from PIL import Image, ImageDraw, ImageFont

        image = Image.new("RGB", (width, height), "white")
        draw = ImageDraw.Draw(image)
        size = min(24, height * 2 // 3)
        for top in range(4, height - size, size * 2):
            text = "".join(chr(random.integers(97, 123)) if random.integers(6) else " " for _ in range(width // size * 2))
            draw.text((int(random.integers(4, 20)), top), text, fill="black", font=ImageFont.load_default(size))
        pixels = np.asarray(image).astype(np.float32).transpose(2, 0, 1)[None]
        return {"x": (pixels / 255 - 0.5) / 0.5}

    return make


RANDOM = "random weights, seed 0"
IMAGE = normal("image", 1, 3, 224, 224)
OCR = "rapidocr_onnxruntime"
NETWORKS = [
    Network("Magika", "magika 1.0.3", lambda _: packaged("magika", "models/standard_v3_3/model.onnx"),
            {"bytes": [1, 2048]}, file_bytes, "random files"),
    Network("MobileNetV2, int16 QDQ", f"torchvision, {RANDOM}; onnxruntime.quantization", quantized_to_16_bits, {}, IMAGE,
            "normal"),
    Network("MobileNetV2", f"torchvision, {RANDOM}", of_torchvision("mobilenet_v2", 224), {}, IMAGE, "normal"),
    Network("PP-OCRv4 detection", "rapidocr-onnxruntime 1.4.4",
            lambda _: packaged(OCR, "models/ch_PP-OCRv4_det_infer.onnx"), {"x": [1, 3, 320, 320]}, page(320, 320),
            "pages of text"),
    Network("PP-OCRv4 detection", "rapidocr-onnxruntime 1.4.4",
            lambda _: packaged(OCR, "models/ch_PP-OCRv4_det_infer.onnx"), {"x": [1, 3, 320, 320]},
            normal("x", 1, 3, 320, 320), "normal"),
    Network("PP-OCRv4 recognition", "rapidocr-onnxruntime 1.4.4",
            lambda _: packaged(OCR, "models/ch_PP-OCRv4_rec_infer.onnx"), {"x": [1, 3, 48, 320]}, page(320, 48),
            "lines of text"),
    Network("PP-OCRv4 recognition", "rapidocr-onnxruntime 1.4.4",
            lambda _: packaged(OCR, "models/ch_PP-OCRv4_rec_infer.onnx"), {"x": [1, 3, 48, 320]},
            normal("x", 1, 3, 48, 320), "normal"),
    Network("PP-OCRv2 direction", "rapidocr-onnxruntime 1.4.4",
            lambda _: packaged(OCR, "models/ch_ppocr_mobile_v2.0_cls_infer.onnx"), {"x": [1, 3, 48, 192]}, page(192, 48),
            "lines of text"),
    Network("RepViT M0.9", f"timm, {RANDOM}", of_timm("repvit_m0_9", 224), {}, IMAGE, "normal"),
    Network("MobileOne S0", f"timm, {RANDOM}", of_timm("mobileone_s0", 224), {}, IMAGE, "normal"),
    Network("Inception v3", f"timm, {RANDOM}", of_timm("inception_v3", 299), {}, normal("image", 1, 3, 299, 299), "normal"),
    Network("Inception v3", f"torchvision, {RANDOM}",
            of_torchvision("inception_v3", 299, init_weights=True, aux_logits=True, transform_input=False), {},
            normal("image", 1, 3, 299, 299), "normal"),
]


def difference(wanted: List[List[np.ndarray]], package: Path, feeds: List[dict]) -> Optional[float]:
    """The largest difference of a float output divided by its range; None when a value is NaN or infinite."""
    model = anemone.load(package)
    return relative(wanted, [list(model.predict(feed).values()) for feed in feeds])


def relative(wanted: List[List[np.ndarray]], found: List[List[np.ndarray]]) -> Optional[float]:
    worst = 0.0
    for index in range(len(wanted[0])):
        a = np.stack([one[index] for one in wanted]).astype(np.float64)
        b = np.stack([one[index] for one in found]).astype(np.float64).reshape(a.shape)
        if not np.isfinite(b).all():
            return None
        worst = max(worst, float(np.abs(a - b).max() / max(a.max() - a.min(), 1e-30)))
    return worst


def runtime_float16(network: Network, source: Path, feeds: List[dict], wanted: List[List[np.ndarray]]) -> float:
    """The difference of ONNX Runtime's own conversion to float16, run by it without optimizations."""
    import onnx
    import onnxruntime
    from onnxruntime.tools.onnx_model_utils import make_input_shape_fixed
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.load(str(source))
    for name, shape in network.shapes.items():
        make_input_shape_fixed(model.graph, name, shape)
    half = convert_float_to_float16(onnx.shape_inference.infer_shapes(model), keep_io_types=True, op_block_list=[])
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(half.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return relative(wanted, [session.run(None, feed) for feed in feeds])


def measure(network: Network) -> Row:
    import onnxruntime

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = network.make(folder)
        random = np.random.default_rng(2024)
        feeds = [network.inputs(random) for _ in range(SAMPLES)]
        session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
        wanted = [session.run(None, feed) for feed in feeds]
        options = {"compute_precision": "float16", "input_shapes": network.shapes}
        anemone.convert_file(source, output=folder / "plain.mlpackage", keep_float32=["none"], **options)
        start = time.perf_counter()
        document = anemone.convert_file(source, output=folder / "mended.mlpackage", **options)
        seconds = time.perf_counter() - start
        told = document["float16"]
        lines = [note for note in document["notes"] if note.startswith("float16")]
        row = Row(network, difference(wanted, folder / "plain.mlpackage", feeds),
                  difference(wanted, folder / "mended.mlpackage", feeds), told["float32_share"],
                  len(told["keep_float32"]), told["casts_added"], told["rescaled_operators"], seconds,
                  lines[0] if lines else "", None)
        return row if verdict(row) == "yes" else row._replace(peer=runtime_float16(network, source, feeds, wanted))


def figure(value: Optional[float]) -> str:
    return "NaN" if value is None else f"{value:.1e}"


def verdict(row: Row) -> str:
    if row.mended is None or row.mended > LIMIT:
        return "no"
    return "yes" if row.share <= SHARE else "above 5 %"


def document(rows: List[Row], missing: List[str]) -> str:
    lines = [
        "# Float16", "",
        "A conversion to float16 (`--compute-precision float16`) runs the float32 and the float16 program on a few inputs and",
        "compares them. By default (`--keep-float32 auto`) it mends what breaks: results that leave half's range, or sink below",
        "it, are scaled by powers of two, where the weights on both sides take the factor up and no digit of the float32 results",
        "changes; roundings to 16 bits, which half does not hold, become their saturation; and the few operators that still",
        "overflow or lose the result stay in float32. One line tells what was done and what it costs. NaN or infinity where",
        "float32 has numbers, and one answer for all inputs where float32 tells them apart, are not written: that is an error.", "",
        "Exponentials and products of the program's inputs (softmax, exp, reduce_prod ... of what a caller gives, which no random",
        "input tests) stay in float32 too; in a network these work on results, so that it costs next to nothing.", "",
        "| `--keep-float32` | chooses | checks |", "|---|---|---|",
        "| `auto`, or nothing | yes | yes: the error is refused, a difference above 1e-2 of the range is told |",
        "| a pattern (or several) | no: what matches by type or name | yes |",
        "| `auto` and patterns | yes, besides what matches | yes |",
        "| `none` | no | no: the program is written as it is |", "",
        "The inputs are four random ones (normal and uniform numbers, whole pixels for images, indices over the whole table), or",
        "those of `--check-inputs FOLDER`. Without it a model is not run when its weights take more than 512 MB or one run more",
        "than 50 GFLOP, or when it does not run here; the line says so, and only what interval arithmetic proves to be lost is kept.",
        "Nothing depends on time or threads: the same model gives the same package.", "",
        "## Measured", "",
        f"Against ONNX Runtime on {SAMPLES} inputs that the conversion did not see; differences are the largest of any output, divided",
        "by its range. Printed by `tests/oracle/float16_check.py --write`. Core ML's own float16 arithmetic, on Apple's hardware, was",
        "NOT MEASURED: sums are float32 here, results are rounded.", "",
        "| network | weights | inputs | float16 as it is | mended | arithmetic in float32 | operators kept | casts | scaled | within "
        "1e-2 at 5 % |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(f"| {row.network.name} | {row.network.source} | {row.network.inputs_are} | {figure(row.plain)} | "
                     f"{figure(row.mended)} | {100 * row.share:.2g} % | {row.operators} | {row.casts} | {row.rescaled} | "
                     f"{verdict(row)} |")
    told = {f"{row.network.name} ({row.network.source})": row.line for row in rows if row.line}
    lines += ["", "What the conversions said:", ""]
    lines += [f"- {name}: {line}" for name, line in told.items()]
    failing = [row for row in rows if verdict(row) != "yes"]
    if failing:
        lines += ["", "## Why not", ""]
        for row in failing:
            lines.append(f"- {row.network.name} on {row.network.inputs_are} inputs: {reason(row)}")
    for name in missing:
        lines.append(f"- {name}: NOT MEASURED")
    return "\n".join(lines) + "\n"


def reason(row: Row) -> str:
    if row.mended is None:
        return "float16 gives NaN on inputs that the check did not see."
    if row.share > SHARE:
        return "what has to stay in float32 is more than 5 % of the arithmetic."
    return ("no short list exists. Tested were the operators that add most of the error, worst first, and stretches of the "
            "network by what each adds alone; the line above tells the least arithmetic that was within the limit. The error is "
            "spread over all operators, and the last one, a sigmoid or softmax of large numbers, enlarges it. ONNX Runtime's own "
            f"float16 (onnxruntime.transformers.float16, everything in float16) is off by {figure(row.peer)}.")


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="networks whose name holds this text")
    parser.add_argument("--write", action="store_true", help="write docs/float16.md")
    options = parser.parse_args(arguments)
    rows, missing = [], []
    for network in NETWORKS:
        if options.only.lower() not in network.name.lower():
            continue
        try:
            row = measure(network)
        except (ImportError, FileNotFoundError, anemone.Error) as problem:
            print(f"{network.name}: NOT MEASURED: {problem}", flush=True)
            missing.append(f"{network.name} ({network.source})")
            continue
        rows.append(row)
        print(f"{network.name} ({network.inputs_are}): {figure(row.plain)} -> {figure(row.mended)}, "
              f"{100 * row.share:.2g} % in float32, {row.seconds:.1f} s\n  {row.line}", flush=True)
    if options.write:
        DOCUMENT.write_text(document(rows, missing), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
