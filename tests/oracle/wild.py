"""Opens and runs Core ML files that other people made, and compares them with their twins.

    python3 tests/oracle/wild.py [--downloads FOLDER] [--only WORD] [--document docs/files-in-the-wild.md]

The Python has what tools/oracle/requirements.txt lists, and Anemone as a user installs it. The packages that ship the
files (tests/oracle/wild_files.py) are brought by the ordinary clients, pip and cargo, into FOLDER. The second class of
files is made here by converters of others (tests/oracle/wild_made.py, wild_jax.py), from models trained on seeded data.
Each file is opened, run on its declared shapes with seeded inputs, saved and opened again where it is a program, and
compared with its twin: the same network as ONNX, the source of a compiled folder, or what was converted. Prints a table, and
writes the document on request. The exit status is the number of files that do not end as the list says.
"""
import argparse
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import numpy as np

import wild_files
import wild_jax
import wild_made


def bring_wheel(name, version, folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, f"{name}=={version}"],
                   check=True)
    for path in folder.iterdir():
        if path.suffix == ".whl":
            zipfile.ZipFile(path).extractall(folder)
        elif path.name.endswith(".tar.gz"):
            tarfile.open(path).extractall(folder, filter="data")


def bring_crate(name, version, folder):
    (folder / "src").mkdir()
    (folder / "src/lib.rs").write_text("")
    (folder / "Cargo.toml").write_text('[package]\nname = "holder"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n'
                                       f'{name} = {{version = "={version}", default-features = false}}\n')
    subprocess.run(["cargo", "vendor", "-q", "vendor"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (folder / "vendor" / name).rename(folder / name)


def bring(package, downloads):
    """The folder with the package's files, downloaded once."""
    kind, name, version = package
    folder = downloads / kind / f"{name}-{version}"
    done = folder / ".done"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        {"pypi": bring_wheel, "crate": bring_crate}[kind](name, version, folder)
        done.touch()
    return folder if kind == "pypi" else folder / name


def random_inputs(model, seed, chosen):
    """A value for each input that must be given; `chosen` gives some of them."""
    random = np.random.default_rng(seed)
    values = {}
    for name, feature in model.input_description.items():
        if name in chosen:
            values[name] = chosen[name](random)
        elif feature["optional"]:
            continue
        elif feature["kind"] == "image":
            shape = (feature["height"], feature["width"]) + ((3,) if feature["channels"] == 3 else ())
            values[name] = random.integers(0, 256, shape).astype(np.uint8)
        elif feature["kind"] == "double":
            values[name] = float(random.standard_normal())
        elif feature["kind"] == "int64":
            values[name] = int(random.integers(0, 10))
        elif feature["kind"] == "array" and feature["dtype"].startswith("int"):
            values[name] = random.integers(0, 2, feature["shape"]).astype(np.int32)
        elif feature["kind"] == "array":
            values[name] = random.standard_normal(feature["shape"]).astype(np.float32)
        else:
            raise ValueError(f"{name}: no random value is a {feature['kind']}")
    return values


def numbers(value):
    return np.asarray(value, dtype=np.float64)


def distance(ours, theirs):
    """The largest difference of two outputs, as a part of the larger one's extent; 0 or 1 for what is no number."""
    if isinstance(ours, dict):
        if set(map(str, ours)) != set(map(str, theirs)):
            return float("inf")
        theirs = {str(key): value for key, value in theirs.items()}
        return max(distance(value, theirs[str(key)]) for key, value in ours.items())
    if isinstance(ours, (str, bytes)) or isinstance(theirs, (str, bytes)):
        return 0.0 if str(ours) == str(theirs) else float("inf")
    ours, theirs = numbers(ours).reshape(-1), numbers(theirs).reshape(-1)
    if ours.shape != theirs.shape or not np.isfinite(ours).all():
        return float("inf")
    return float(np.abs(ours - theirs).max(initial=0) / max(1.0, np.abs(theirs).max(initial=0)))


class OnnxTwin:
    def __init__(self, path, arguments=lambda given: given):
        import onnxruntime
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.arguments = arguments

    def predict(self, inputs):
        given = self.arguments(inputs)
        names = [each.name for each in self.session.get_inputs()]
        if set(names) != set(given):
            given = dict(zip(names, given.values()))
        outputs = self.session.run(None, given)
        return dict(zip([each.name for each in self.session.get_outputs()], outputs))


def twin_of(file, folder):
    """What answers like the file, or None."""
    if file.twin is None:
        return None
    if callable(file.twin):
        return file.twin(folder)
    if file.twin.endswith(".onnx"):
        return OnnxTwin(folder / file.twin)
    import anemone
    return anemone.FeatureModel(folder / file.twin)


def compare(ours, theirs):
    """The largest distance; outputs that have other names in the other file are paired with the nearest. A twin that
    knows fewer of the outputs answers for those."""
    if set(theirs) <= set(ours):
        return max(distance(ours[name], value) for name, value in theirs.items())
    if not set(ours) <= set(theirs):
        if len(ours) != len(theirs):
            raise ValueError(f"the twin gives {sorted(theirs)}, not {sorted(ours)}")
        left = list(theirs.values())
        total = 0.0
        for value in ours.values():  # the one that is nearest
            distances = [distance(value, other) for other in left]
            total = max(total, min(distances))
            left.pop(int(np.argmin(distances)))
        return total
    return max(distance(value, theirs[name]) for name, value in ours.items())


def answers(path, model, inputs, stateful):
    """The outputs for each of the inputs, one after the other; states are kept from call to call."""
    import anemone
    if not stateful:
        return [model.predict(values) for values in inputs]
    program = anemone.load(path)
    state = program.make_state()
    return [program.predict(values, state) for values in inputs]


def save_again(path, model, inputs, outputs, stateful, folder):
    """A program written as a package answers with the same bits."""
    import anemone
    if model.type != "mlProgram" and "neuralNetwork" not in model.type:
        return
    program = anemone.load(path)
    target = folder / "again.mlpackage"
    subprocess.run(["rm", "-rf", str(target)], check=True)
    program.save(target)
    for first, again in zip(outputs, answers(target, anemone.FeatureModel(target), inputs, stateful)):
        for name, value in first.items():
            if not isinstance(value, (dict, str)) and not np.array_equal(numbers(value), numbers(again[name]), equal_nan=True):
                raise AssertionError(f"output {name} differs once the model is saved and opened again")


def judge(file, folder, scratch):
    """(outcome, detail): "agrees", "runs", "refused", "differs"."""
    import anemone
    path = folder / file.path
    if file.prepare is not None:
        file.prepare(folder)
    try:
        model = anemone.FeatureModel(path)
        inputs = [random_inputs(model, seed, file.inputs) for seed in range(file.samples)]
        outputs = answers(path, model, inputs, file.stateful)
    except anemone.Error as error:
        return "refused", str(error).replace(f"{path}: ", "")
    save_again(path, model, inputs, outputs, file.stateful, scratch)
    twin = twin_of(file, folder)
    if twin is None:
        return "runs", ""
    worst = max([compare(ours, twin.predict(values)) for values, ours in zip(inputs, outputs)])
    return ("agrees" if worst <= file.tolerance else "differs"), f"{worst:.1e}"


def write_document(path, rows):
    def count(outcome, among=rows):
        return sum(row[2] == outcome for row in among)

    lines = ["# Core ML files in the wild", "",
             "Files that other people made, as they ship them, opened and run here and compared with their twins. Printed by",
             "`python3 tests/oracle/wild.py --document docs/files-in-the-wild.md`; do not edit.", ""]
    titles = {"shipped": "Files that packages ship", "made": "Files that other people's converters make"}
    intro = {"shipped": "Each is in a package of a public registry, with the version that is named.",
             "made": "Made on the spot by a converter of others from a model with seeded data or weights; the twin is that model."}
    for group, title in titles.items():
        among = [row for row in rows if row[0].group == group]
        ran = count("agrees", among) + count("runs", among)
        whole = [row for row in among if not row[0].incomplete]
        good = count("agrees", whole) + count("runs", whole)
        lines += [f"## {title}", "", intro[group], "",
                  f"{len(among)} tried: {ran} run, {count('agrees', among)} agree with a twin, {count('differs', among)} differ, "
                  f"{count('refused', among)} are refused. Of the {len(whole)} whose parts are all there, {good} run"
                  f" ({100 * good / max(1, len(whole)):.0f} %).", "",
                  "| file | type | twin | outcome |", "|---|---|---|---|"]
        for file, kind, outcome, detail in among:
            twin = file.twin_name or ""
            text = {"agrees": f"agrees, largest relative difference {detail} (limit {file.tolerance:.0e})",
                    "runs": "runs", "differs": f"differs by {detail}"}.get(outcome, f"refused: {detail}")
            if file.note:
                text += f" ({file.note})"
            lines.append(f"| {file.name} | {kind} | {twin} | {text.replace('|', '/')} |")
        lines.append("")
    pathlib.Path(path).write_text("\n".join(lines).rstrip() + "\n")


def type_of(path):
    import anemone
    try:
        return anemone.FeatureModel(path).type
    except anemone.Error:
        return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--downloads", type=pathlib.Path, default=pathlib.Path("build/wild"))
    parser.add_argument("--only", default="")
    parser.add_argument("--document")
    options = parser.parse_args()
    made = options.downloads / "made"
    scratch = options.downloads / "scratch"
    for folder in (made, scratch):
        folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for file in wild_files.FILES + wild_made.files() + wild_jax.files():
        if options.only not in file.name:
            continue
        if file.make is not None:
            try:
                file.make(made)
            except Exception as error:  # whatever the converter raises: there is no file to try
                print(f"{file.name:64} not made: {type(error).__name__}: {str(error).splitlines()[0][:100]}", flush=True)
                continue
        folder = made if file.package is None else bring(file.package, options.downloads.resolve())
        outcome, detail = judge(file, folder, scratch)
        rows.append((file, type_of(folder / file.path), outcome, detail))
        print(f"{file.name:64} {outcome:8} {detail}", flush=True)
    if options.document:
        write_document(options.document, rows)
    wrong = sum((outcome == "refused") != file.refused or outcome == "differs" for file, _, outcome, _ in rows)
    print(f"{len(rows)} tried, {wrong} end otherwise than the list says")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
