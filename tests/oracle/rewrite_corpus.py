"""Campaign: every package under a folder is read and re-written by us, and coremltools must find the same model in both.

For each package it compares the specification field by field (constants by value, wherever they are stored) and, when
coremltools' own front end turns the original back into a program, that it does so with ours and gives the same program.

    ./dev oracle rewrite_corpus FOLDER

Prints one line per difference and a summary; exit 1 when there is any difference."""
import argparse
import collections
import concurrent.futures
import contextlib
import io
import itertools
import pathlib
import re
import subprocess
import sys
import tempfile


def blob_bytes(path, offset):
    """The data of the blob whose header is at `offset`: (dtype code, unused bits, bytes)."""
    data = path.read_bytes()
    word = lambda at, size: int.from_bytes(data[offset + at:offset + at + size], "little")
    assert word(0, 4) == 0xDEADBEEF, "no blob header"
    start, size = word(16, 8), word(8, 8)
    assert start + size <= len(data), "blob outside the file"
    return word(4, 4), word(24, 8), data[start:start + size]


class Canonical:
    """A specification as nested Python values: constants resolved, the names of values inside nested blocks numbered (two
    blocks may use one name in the file; in ours each has its own)."""

    def __init__(self, spec, model_folder):
        self.folder = model_folder
        self.spec = spec
        self.scopes = []
        self.count = 0

    def define(self, name):
        if len(self.scopes) <= 1:  # of the function itself
            return name
        self.count += 1
        self.scopes[-1][name] = f"inner#{self.count}"
        return self.scopes[-1][name]

    def use(self, name):
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return name

    def value(self, v):
        kind = v.type.SerializeToString(deterministic=True)
        if v.WhichOneof("value") == "blobFileValue":
            name = v.blobFileValue.fileName.replace("@model_path/", "")
            return ("blob", kind, blob_bytes(self.folder / name, v.blobFileValue.offset))
        imm = v.immediateValue
        which = imm.WhichOneof("value")
        if which == "tensor":
            return ("tensor", kind, imm.tensor.SerializeToString(deterministic=True))
        if which == "list":
            return ("list", kind, [self.value(x) for x in imm.list.values])
        if which == "tuple":
            return ("tuple", kind, [self.value(x) for x in imm.tuple.values])
        if which == "dictionary":
            return ("dict", kind, [(self.value(p.key), self.value(p.value)) for p in imm.dictionary.values])
        return ("none", kind)

    def named(self, values):
        return [(self.define(v.name), v.type.SerializeToString(deterministic=True)) for v in values]

    def block(self, b):
        self.scopes.append({})
        done = (self.named(b.inputs), [self.operation(o) for o in b.operations], [self.use(x) for x in b.outputs])
        self.scopes.pop()
        return done

    def operation(self, o):
        inputs = {k: [("name", self.use(x.name)) if x.WhichOneof("binding") == "name" else ("value", self.value(x.value))
                      for x in a.arguments] for k, a in o.inputs.items()}
        blocks = [self.block(b) for b in o.blocks]
        attributes = {k: self.value(v) for k, v in o.attributes.items()}
        if len(self.scopes) > 1:
            attributes.pop("name")  # follows the value's
        return (o.type, inputs, blocks, self.named(o.outputs), attributes)

    def model(self):
        program = self.spec.mlProgram
        functions = {}
        for name, f in program.functions.items():
            functions[name] = (self.named(f.inputs), f.opset, {k: self.block(b) for k, b in f.block_specializations.items()},
                               {k: self.value(v) for k, v in f.attributes.items()})
        return {"version": program.version, "functions": functions,
                "attributes": {k: self.value(v) for k, v in program.attributes.items()},
                "spec": self.spec.specificationVersion,
                "description": self.spec.description.SerializeToString(deterministic=True)}


def first_difference(a, b, place="model"):
    if type(a) is not type(b):
        return f"{place}: {type(a).__name__} became {type(b).__name__}"
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return f"{place}: keys {sorted(a.keys() ^ b.keys())}"
        pairs = [(k, a[k], b[k]) for k in a]
    elif isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return f"{place}: {len(a)} entries became {len(b)}"
        pairs = [(i, x, y) for i, (x, y) in enumerate(zip(a, b))]
    else:
        return None if a == b else f"{place}: {a!r:.120} became {b!r:.120}"
    for key, x, y in pairs:
        found = first_difference(x, y, f"{place}/{key}")
        if found:
            return found
    return None


def program_text(spec, folder):
    """The program that coremltools' front end makes of the specification, as text; or the error it raises."""
    from coremltools.converters.mil.frontend.milproto.load import load
    try:
        program = load(spec, spec.specificationVersion, str(folder / "weights"))
    except Exception as error:  # whatever it raises must be the same for both
        return f"error: {type(error).__name__}: {error!s:.60}"
    text = "\n".join(function.to_str(name) for name, function in sorted(program.functions.items()))
    # Names are compared in the specification; here they are counters of the process for whatever stood in place.
    text = re.sub(r', name="[^"]*"| at 0x\w+', "", text)
    numbered, counter = {}, itertools.count()

    def number(match):
        defines = match.group(2) is not None
        if defines or match.group(1) not in numbered:
            numbered[match.group(1)] = f"#{next(counter)}"
        return numbered[match.group(1)] + (match.group(2) or "")

    return re.sub(r"(%\w+|\b(?:is|block)\d+\b)(: )?", number, text)


def compare(pair):
    original, ours = pair
    quiet = io.StringIO()
    with contextlib.redirect_stderr(quiet), contextlib.redirect_stdout(quiet):
        import coremltools as ct
        result = []
        models, texts = [], []
        for package in (original, ours):
            spec = ct.utils.load_spec(package)
            folder = pathlib.Path(package) / "Data" / "com.apple.CoreML"
            models.append(Canonical(spec, folder).model())
            texts.append(program_text(spec, folder))
        difference = first_difference(*models)
        if difference:
            result.append(difference)
        if texts[0] != texts[1]:
            lines = [f"{x!r:.150} became {y!r:.150}" for x, y in zip(texts[0].split("\n"), texts[1].split("\n")) if x != y]
            result.append("program: " + (lines[0] if lines else "other length"))
    return original, result, texts[0].startswith("error: ") and texts[0] or "loaded"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tool", default="build/release/anemone_oracle_rewrite_packages")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--check", action="store_true",
                        help="also verify each program, and that its text form parses back to it")
    args = parser.parse_args()
    packages = sorted(p for p in args.folder.rglob("*.mlpackage"))[:args.limit]
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        pairs = [(str(p), f"{scratch}/{i}.mlpackage") for i, p in enumerate(packages)]
        done = subprocess.run([args.tool] + ["--check"] * args.check, input="".join(f"{a}\t{b}\n" for a, b in pairs), text=True, check=True,
                              stdout=subprocess.PIPE).stdout.splitlines()
        written = []
        for pair, line in zip(pairs, done, strict=True):
            if line.startswith("ok\t"):
                written.append(pair)
            else:
                failures += 1
                print(line)
        outcomes = collections.Counter()
        with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
            for package, differences, outcome in pool.map(compare, written, chunksize=20):
                outcomes[outcome] += 1
                failures += bool(differences)
                for difference in differences:
                    print(f"{package}: {difference}")
    print(f"{len(packages)} packages, {len(written)} re-written, {failures} with differences")
    print("coremltools' front end on the originals: " + ", ".join(f"{v} {k}" for k, v in outcomes.most_common()))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
