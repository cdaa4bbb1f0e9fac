"""What the command makes of the catalog models, as hashes: the demo's packages and manifests, and a report of each kind.

    ./dev golden --write              # a change of the outputs is meant: write the list anew
    ./dev golden --against OTHER      # byte for byte what another build of the command makes here

Packages are hashed as they are: they do not depend on the processor or on the number of threads. What was measured does,
within the limits that the tests of the kernels check, so the numbers of the MEASURED keys are blanked, and durations,
dates and versions too; and what learns from measured values, the demo's int8 packages, is left out (LEARNED). With
--against all of it counts as well, since both builds run on the same machine.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = Path(os.environ.get("ANEMONE_COMMAND", ROOT / "build/bin/anemone"))
LIST = ROOT / "tests/fixtures/golden/outputs.sha256"

# Keys whose values differ from run to run, from version to version, or with where the tree lies.
VOLATILE = ("compress_duration_ns", "time_unix_ns", "tool_version", "path")
# Keys of what was measured by running a model: processors differ in the last digits.
MEASURED = ("accuracy_delta_l_inf", "accuracy_delta_rmse", "cosine", "first_drift", "kl_divergence", "kl_softmax", "l_inf",
            "l_inf_relative", "psnr_db", "reference_range", "rmse", "rmse_relative", "snr_db", "top1_agreement",
            "top1_flips_beyond_noise", "top5_agreement", "top5_flips_beyond_noise")

# Packages whose roundings were learned, their manifests, and the page with the figures; the report that has their digests.
LEARNED = re.compile(r"models/report\.html|models/[a-z0-9_]+_int8\.(mlpackage/|manifest\.json)")
WITH_DIGESTS = "reports/demo.json"

MODEL = "models/mobilenetv3_small_fp32.mlpackage"
COMPRESSIONS = {
    "int4": ["--dtype", "int4", "--granularity", "per_block", "--minimum-deployment-target", "iOS18"],
    "uint8": ["--dtype", "uint8", "--mode", "linear_symmetric"],
    "float16": ["--dtype", "float16"],
    "palette": ["--mode", "palettize", "--nbits", "4"],
    "pruned": ["--mode", "prune", "--target-sparsity", "0.5"],
    "joint": ["--mode", "palettize", "--joint", "--target-sparsity", "0.5", "--minimum-deployment-target", "iOS18"],
}


def run(command, folder, *arguments, codes=(0,)):
    done = subprocess.run([str(command), *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode in codes, f"{arguments} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def make(command, folder):
    """Fills the folder: demo's outputs under models/, compressed packages under compressed/, reports under reports/."""
    reports = folder / "reports"
    reports.mkdir()
    (folder / "compressed").mkdir()

    def report(name, *arguments, codes=(0,)):
        (reports / name).write_text(run(command, folder, *arguments, codes=codes), encoding="utf-8")

    report("demo.json", "demo", "--models-dir", "models", "--samples", 1, "--json")
    report("inspect.json", "inspect", MODEL, "--ops", "--weights", "--placement", "--json")
    report("inspect.txt", "inspect", MODEL, "--ops", "--placement", "--chip", "m1,m4,a17pro")
    report("program.mil", "inspect", MODEL, "--text")
    report("compare.json", "compare", MODEL, "models/mobilenetv3_small_int8.mlpackage", "--samples", 1, "--per-op",
           "--tolerance-linf", 100, "--tolerance-rmse", 100, "--json")
    for name, arguments in COMPRESSIONS.items():
        report(f"compress_{name}.json", "compress", MODEL, "-o", f"compressed/{name}.mlpackage", *arguments, "--json")
    record = ROOT / "tests/fixtures/runtime/run.jsonl"
    (folder / "run.jsonl").write_bytes(record.read_bytes())
    for policy in sorted((ROOT / "gates").glob("*.json")):
        report(f"gate_{policy.name}", "gate", "--record", "run.jsonl", "--policy", policy, "--json", codes=(0, 1, 4, 8))
    for package in sorted((ROOT / "tests/fixtures/packages").glob("*.mlpackage")):
        (folder / package.name).symlink_to(package)
        report(f"inspect_{package.stem}.json", "inspect", package.name, "--ops", "--json")


def masked(text, keys):
    """The document with the values of `keys` blanked, and otherwise the same bytes: our JSON has a key on each line."""
    return re.sub(r'^( *"(?:%s)": ).*?(,?)$' % "|".join(keys), r"\1*\2", text, flags=re.M)


def hashes(folder, keep_measured=False):
    """Relative path to SHA-256 of every file that make() left."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or not name.startswith(("models/", "compressed/", "reports/")):
            continue
        if not keep_measured and LEARNED.match(name):
            continue
        data = path.read_bytes()
        if path.suffix == ".json" and ".mlpackage/" not in name:
            blank = VOLATILE if keep_measured else VOLATILE + MEASURED
            if name == WITH_DIGESTS and not keep_measured:
                blank += ("sha256",)
            data = masked(data.decode(), blank).encode()
        found[name] = hashlib.sha256(data).hexdigest()
    return found


def read_list():
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def made_by(command, keep_measured=False):
    with tempfile.TemporaryDirectory() as folder:
        make(Path(command).resolve(), Path(folder))
        return hashes(Path(folder), keep_measured)


def differences(expected, found):
    return [f"{name}: {'not made' if name not in found else 'new' if name not in expected else 'differs'}"
            for name in sorted({**expected, **found}) if expected.get(name) != found.get(name)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write the list of hashes anew")
    what.add_argument("--against", metavar="OTHER", help="another build of the command to compare with")
    parser.add_argument("command", nargs="?", default=str(COMMAND), metavar="COMMAND")
    flags = parser.parse_args()
    if flags.write:
        found = made_by(flags.command)
        LIST.write_text("".join(f"{digest}  {name}\n" for name, digest in found.items()), encoding="utf-8")
        print(f"{LIST.relative_to(ROOT)}: {len(found)} files")
        return 0
    if flags.against:
        expected, found = made_by(flags.against, True), made_by(flags.command, True)
    else:
        expected, found = read_list(), made_by(flags.command)
    for line in differences(expected, found):
        print(line)
    print(f"{len(found)} files, {len(differences(expected, found))} differences")
    return 1 if differences(expected, found) else 0


if __name__ == "__main__":
    sys.exit(main())
