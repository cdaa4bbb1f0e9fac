"""Compares what `anemone compile` makes of packages with what Apple's compiler made of them.

Usage: compiled_pairs.py FOLDER [--command build/bin/anemone]

FOLDER holds pairs: NAME.mlpackage (or NAME.mlmodel) and NAME.mlmodelc; or, as the crate mlmodelc-export keeps them,
input.mlmodel beside expected.mlmodelc or expected-macos.mlmodelc, which was compiled from a file of the name that its
metadata.json gives. Each difference is printed with its place. Equal
means: model.mil byte for byte but for the compiler's two version strings, the weight files byte for byte,
coremldata.bin once its metadata map is sorted, metadata.json once parsed, and analytics byte for byte. The exit status
is the number of pairs that differ.
"""
import argparse
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

VERSIONS = re.compile(rb'(\{"coremlc-(?:component-MIL|version)", ")[^"]*(")')


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """The fields of a protobuf message: number, wire type, bytes or number."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        yield tag >> 3, kind, value


METADATA = USER_DEFINED = 100


def description(data):
    """The fields of a ModelDescription, the entries of its user-defined metadata sorted."""
    rows = []
    for number, kind, value in fields(data):
        if number == METADATA:
            inner = list(fields(value))
            value = ([row for row in inner if row[0] != USER_DEFINED],
                     sorted(row for row in inner if row[0] == USER_DEFINED))
        rows.append((number, kind, value))
    return rows


def core_ml_data(data):
    """coremldata.bin, decoded: type, two versions, description, the rest."""
    kind, at = struct.unpack_from("<I", data)[0], 4
    parts = [("type", kind)]
    for name in ("format version", "specification version"):
        *numbers, size = struct.unpack_from("<4Q", data, at)
        parts.append((name, (numbers, data[at + 32:at + 32 + size])))
        at += 32 + size
    size, = struct.unpack_from("<Q", data, at)
    parts.append(("description", description(data[at + 8:at + 8 + size])))
    parts.append(("parameters", data[at + 8 + size:]))
    return parts


def json_differences(want, got, place=""):
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(want.keys() | got.keys()):
            if key not in want or key not in got:
                yield f"{place}.{key}: only in {'ours' if key in got else 'theirs'}"
            else:
                yield from json_differences(want[key], got[key], f"{place}.{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, (a, b) in enumerate(zip(want, got)):
            yield from json_differences(a, b, f"{place}[{i}]")
    elif want != got:
        yield f"{place}: theirs {want!r}, ours {got!r}"


def text_difference(want, got):
    for i, (a, b) in enumerate(zip(want.split(b"\n"), got.split(b"\n")), 1):
        if a != b:
            at = next((j for j, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            return f"line {i}, column {at + 1}: theirs {a[at:at + 60]!r}, ours {b[at:at + 60]!r}"
    return f"theirs has {len(want)} bytes, ours {len(got)}"


def differences(theirs, ours):
    names = {str(path.relative_to(folder)) for folder in (theirs, ours) for path in folder.rglob("*") if path.is_file()}
    for name in sorted(names):
        if not (theirs / name).exists() or not (ours / name).exists():
            yield f"{name}: only in {'ours' if (ours / name).exists() else 'theirs'}"
            continue
        want, got = (theirs / name).read_bytes(), (ours / name).read_bytes()
        part = Path(name)
        if part.name == "model.mil":
            want, got = VERSIONS.sub(rb"\1\2", want), VERSIONS.sub(rb"\1\2", got)
            if want != got:
                yield f"{name}: {text_difference(want, got)}"
        elif name == "metadata.json":
            yield from (f"{name}: {text}" for text in json_differences(json.loads(want), json.loads(got)))
        elif part.name == "coremldata.bin" and part.parent.name not in ("analytics", "modelNames"):
            for (part, a), (_, b) in zip(core_ml_data(want), core_ml_data(got)):
                if a != b:
                    yield f"{name}: {part}: theirs {a!r}, ours {b!r}"
        elif want != got:
            yield f"{name}: the bytes differ"


def under_its_name(source, theirs, folder):
    """A copy of the source and what lies beside it, under the name that it was compiled by."""
    shutil.copytree(source.parent, folder, ignore=shutil.ignore_patterns("*.mlmodelc"))
    weights = folder / "weights"
    for blob in folder.glob("*.bin"):  # kept beside the model, referred to below it
        weights.mkdir(exist_ok=True)
        blob.rename(weights / blob.name)
    name = json.loads((theirs / "metadata.json").read_text())[0]["generatedClassName"]
    return (folder / "input.mlmodel").rename(folder / f"{name}.mlmodel")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--command", default="build/bin/anemone")
    arguments = parser.parse_args()
    bad = pairs = 0
    for theirs in sorted(arguments.folder.rglob("*.mlmodelc")):
        sources = [theirs.with_suffix(ending) for ending in (".mlpackage", ".mlmodel")]
        if theirs.stem.startswith("expected"):
            sources.append(theirs.parent / "input.mlmodel")
        source = next((path for path in sources if path.exists()), None)
        if source is None:
            continue
        pairs += 1
        with tempfile.TemporaryDirectory() as scratch:
            if source.stem == "input":
                source = under_its_name(source, theirs, Path(scratch) / "source")
            ours = Path(scratch) / theirs.name
            done = subprocess.run([arguments.command, "compile", str(source), "-o", str(ours)], capture_output=True,
                                  text=True)
            found = list(differences(theirs, ours)) if done.returncode == 0 else [done.stderr.strip()]
        name = theirs.name if not theirs.stem.startswith("expected") else theirs.relative_to(arguments.folder)
        print(f"{'differs' if found else 'equal'}  {name}")
        for line in found:
            print(f"    {line}")
        bad += bool(found)
    print(f"{pairs - bad} of {pairs} pairs are equal")
    return bad if pairs else 1


if __name__ == "__main__":
    sys.exit(main())
