"""Writes text tests of operators (tests/unit/ops/README.md) with expected values from NumPy and PyTorch."""
import pathlib
import textwrap

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[3]
NAMES = {"float32": "fp32", "float16": "fp16", "bool": "bool"}


def values(*shape, seed=0, low=-2.0, high=2.0):
    """Random float32 numbers of two decimals."""
    rng = np.random.default_rng(seed + 1000)
    return np.round(rng.uniform(low, high, shape), 2).astype(np.float32)


def text_type(array, dtype=None):
    name = dtype or NAMES.get(str(array.dtype), str(array.dtype))
    return f"tensor<{name}, [{', '.join(map(str, array.shape))}]>"


def literal(array, dtype=None):
    """tensor<fp32, [2]>([1, 2])"""
    array = np.asarray(array)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if array.dtype == np.int64:
        array = array.astype(np.int32)

    def one(v):
        if array.dtype == bool:
            return "true" if v else "false"
        if array.dtype.kind != "f":
            return str(int(v))
        return str(v).removesuffix(".0")  # the shortest text that reads back

    flat = [one(v) for v in array.ravel()]
    body = f"([{', '.join(flat)}])" if array.shape else f"({flat[0]})"
    return text_type(array, dtype) + body


def listed(numbers):
    return "[" + ", ".join(str(n) for n in numbers) + "]"


class Cases:
    """The cases of one file."""

    def __init__(self, family, source):
        self.family = family
        self.parts = []
        self.head = f"// Text tests of {family}. Expected values: {source}."

    def add(self, name, body, inputs=(), expect=(), types=(), error=None, opset="ios15", tolerance=None, note=None):
        """`inputs`: {name: array}, or {name: text type} for cases that infer only. `body`: the statements."""
        inputs, expect, types = dict(inputs), dict(expect), dict(types)
        lines = [f"// {line}" for line in textwrap.wrap(note or "", 96)]
        lines.append(f"// case: {name}")

        def directive(text):
            lines.extend(textwrap.wrap("// " + text, 100, subsequent_indent="//   ", break_long_words=False,
                                       break_on_hyphens=False))

        parameters = []
        for key, value in inputs.items():
            if isinstance(value, str):
                parameters.append(f"{value} {key}")
                continue
            array, dtype = value if isinstance(value, tuple) else (np.asarray(value), None)
            parameters.append(f"{text_type(array, dtype)} {key}")
            directive(f"input: {key} = {literal(array, dtype)}")
        for key, value in expect.items():
            array, dtype = value if isinstance(value, tuple) else (np.asarray(value), None)
            directive(f"expect: {key} = {literal(array, dtype)}")
        for key, value in types.items():
            directive(f"type: {key} = {value}")
        if error:
            directive(f"error: {error}")
        if tolerance:
            directive(f"tolerance: {tolerance}")
        results = list(expect) + [key for key in types if key not in expect] or ["y"]
        header = f"func main<{opset}>({', '.join(parameters)}) {{"
        lines.extend(textwrap.wrap(header, 100, subsequent_indent="               ", break_long_words=False))
        for statement in body if isinstance(body, list) else [body]:
            lines.extend(textwrap.wrap(statement, 100, initial_indent="  ", subsequent_indent="      ",
                                       break_long_words=False, break_on_hyphens=False))
        lines.append(f"}} -> ({', '.join(results)});")
        self.parts.append("\n".join(lines) + "\n")

    def infer(self, name, body, inputs, types, opset="ios15"):
        self.add(name, body, inputs, types=types, opset=opset)

    def reject(self, name, body, inputs, error, opset="ios15"):
        self.add(name, body, inputs, error=error, opset=opset)

    def write(self):
        path = ROOT / "src" / "ops" / self.family / f"{self.family}.mil"
        path.write_text(self.head + "\n\n" + "// -----\n".join(self.parts))
        print(path.relative_to(ROOT), len(self.parts), "cases")
