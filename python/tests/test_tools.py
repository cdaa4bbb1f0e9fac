"""The tools as Python functions: the same documents as the command prints with --json, progress, Ctrl-C, errors."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import anemone
import numpy as np
import pytest
from run_records import write_pair

ROOT = Path(__file__).parents[2]
COMMAND = Path(os.environ.get("ANEMONE_COMMAND", ROOT / "build/bin/anemone"))
MEDIA = ROOT / "tests/fixtures/media"

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")

# What two runs of the same cannot agree on.
OF_THE_RUN = {"time_unix_ns", "duration_ns", "unix_ns", "certificate"}


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("ANEMONE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("ANEMONE_HELPER", str(COMMAND))


def command(*arguments, code=0):
    done = subprocess.run([str(COMMAND), *map(str, arguments), "--json"], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def lasting(value):
    """A document without what belongs to one run of it."""
    if isinstance(value, dict):
        return {key: lasting(item) for key, item in value.items() if key not in OF_THE_RUN}
    return [lasting(item) for item in value] if isinstance(value, list) else value


def shape_of(value):
    """The keys of a document, with the numbers left out."""
    if isinstance(value, dict):
        return {key: shape_of(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape_of(item) for item in value]
    return value if isinstance(value, (str, bool)) else None


@pytest.fixture
def half(classifier, tmp_path):
    path = tmp_path / "half.mlpackage"
    anemone.convert(classifier, compute_precision="float16").save(path)
    return path


def test_compare(classifier, half):
    got = anemone.compare(classifier, half, per_op=True, samples=2)
    assert got == command("compare", classifier, half, "--per-op", "--samples", 2)
    assert got["passed"] and len(got["operators"]) >= 8


def test_outputs_that_differ_are_no_error(classifier, half):
    got = anemone.compare(classifier, half, tolerance_linf=1e-9)
    assert got == command("compare", classifier, half, "--tolerance-linf", "1e-9", code=1)
    assert not got["passed"] and got["first_drift"]


def test_gate_on_records(tmp_path):
    records = [str(path) for path in write_pair(tmp_path, "Fictional One")]
    got = anemone.gate(record=records)
    flags = [flag for path in records for flag in ("--record", path)]
    assert lasting(got) == lasting(command("gate", *flags, code=got["exit_code"]))
    table = anemone.matrix(records, output=tmp_path / "python")
    assert lasting(table) == lasting(command("matrix", *records, "-o", tmp_path / "command"))
    assert (tmp_path / "python/table.csv").read_text() == (tmp_path / "command/table.csv").read_text()


def test_gate_on_a_model(classifier, tmp_path):
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({
        "schema": "anemone.gate_policy", "schema_version": 1, "name": "test", "subject": {"backend": "cpu"},
        "run": {"inferences": 20, "min_duration_s": 0, "warmup_s": 0, "warmup_calls": 2, "warmup_cap_s": 0},
        "checks": {"parity": {}}}))
    stages = []
    got = anemone.gate(classifier, policy=policy, output=tmp_path / "report",
                       progress=lambda stage, done, total: stages.append(stage))
    assert got["verdict"] == "PASS" and got["exit_code"] == 0
    want = command("gate", classifier, "--policy", policy, "-o", tmp_path / "other")
    assert shape_of(lasting(got)) == json.loads(
        json.dumps(shape_of(lasting(want))).replace(str(tmp_path / "other"), str(tmp_path / "report")))
    assert json.loads((tmp_path / "report/gate.json").read_text()) == got
    assert any("comparing with the reference" in stage for stage in stages)


def test_lab(classifier, tmp_path):
    options = {"max_drop": 50, "samples": 4, "sensitivity_samples": 2, "refinements": 1}
    flags = [text for key, value in options.items() for text in ("--" + key.replace("_", "-"), value)]
    counts = []
    got = anemone.lab(classifier, tmp_path / "python", **options,
                      progress=lambda stage, done, total: counts.append((done, total)))
    assert got == command("lab", classifier, "-o", tmp_path / "command", *flags)
    for name in ("lab.json", "lab.html", "chosen.json"):
        assert (tmp_path / "python" / name).read_bytes() == (tmp_path / "command" / name).read_bytes(), name
    assert any(0 < done <= total for done, total in counts)


def test_a_second_lab_in_a_folder_is_refused(classifier, tmp_path):
    anemone.lab(classifier, tmp_path / "lab", samples=1, fidelity=False)
    with pytest.raises(anemone.Error) as error:
        anemone.lab(classifier, tmp_path / "lab", samples=1, fidelity=False)
    assert error.value.code == "usage" and error.value.place == str(tmp_path / "lab")
    assert anemone.lab(classifier, tmp_path / "lab", samples=1, fidelity=False, resume=True)["variants"]


def test_evaluate(classifier, half, tmp_path):
    labels = tmp_path / "labels.csv"
    with open(labels, "w", newline="") as file:
        csv.writer(file).writerows([("file", "class_index"), ("rgb.jpg", 3), ("progressive.jpg", 1)])
    options = {"resize": 16, "crop": 14, "std": [0.5, 0.5, 0.5]}
    got = anemone.evaluate(half, MEDIA, labels, reference=classifier, rows=True, **options)
    want = command("eval", half, "--images", MEDIA, "--labels", labels, "--reference", classifier, "--rows",
                   "--resize", 16, "--crop", 14, "--std", "0.5,0.5,0.5")
    assert lasting(got) == lasting(want)
    assert got["images"] == 2 and got["duration_ns"] > 0


def test_bench(classifier, tmp_path):
    got = anemone.bench(classifier, iterations=20, percentile=[50, 95], against="reference",
                        export_times=tmp_path / "run.jsonl")
    want = command("bench", classifier, "--iterations", 20, "--percentile", "50,95", "--against", "reference")
    assert list(got) == list(want) and got["numerics"] == want["numerics"]
    for mine, its in zip(got["results"], want["results"]):
        assert list(mine) == list(its)
        for key in ("label", "backend", "model_hash", "iterations", "failed", "warmup_iterations"):
            assert mine[key] == its[key], key
        assert mine["min_ns"] <= mine["p50_ns"] <= mine["p95_ns"] <= mine["max_ns"]
    assert (tmp_path / "run.jsonl").exists() and (tmp_path / "run.against.jsonl").exists()


def test_placement(half, tmp_path):
    operators = command("inspect", half, "--ops")["operators"]
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({
        "schema": "anemone.compute_plan", "schema_version": 1, "chip": "m1", "compute_units": "cpu_and_ne",
        "operations": [{"name": row["name"], "type": row["type"], "preferred": "ane", "supported": ["ane", "cpu"],
                        "cost": 1 / len(operators)} for row in operators]}))
    got = anemone.placement(half, plan)
    assert got == command("placement", "score", half, plan)
    assert got["all"]["operations"] > 0


def test_inspect(classifier, half):
    assert anemone.inspect(classifier, operators=True, weights=True) == command("inspect", classifier, "--ops", "--weights")
    got = anemone.inspect(half, placement=True, chip="m1")
    assert got == command("inspect", half, "--placement", "--chip", "m1")
    assert [chip["chip"] for chip in got["placement"]] == ["m1"]


def test_run(classifier):
    got = anemone.run(classifier, random_inputs=True, input_seed=3, iterations=2)
    its = command("run", classifier, "--random-inputs", "--input-seed", 3, "--iterations", 2)
    assert got["outputs"] == its["outputs"] and shape_of(got) == shape_of(its)


def test_files_with_manifests(classifier, tmp_path):
    mine, its = tmp_path / "mine", tmp_path / "its"
    for folder in (mine, its):
        folder.mkdir()
    got = anemone.convert_file(classifier, mine / "a.mlpackage", compute_precision="float16")
    assert shape_of(got).keys() == command("convert", classifier, "-o", its / "a.mlpackage", "--compute-precision",
                                           "float16").keys()
    got = anemone.compress_file(mine / "a.mlpackage", mine / "b.mlpackage", weight_threshold=0)
    document = command("compress", its / "a.mlpackage", "-o", its / "b.mlpackage", "--weight-threshold", 0)
    assert got["tensors"] == document["tensors"] and got["configuration"] == document["configuration"]
    for name in ("a.manifest.json", "b.manifest.json"):
        assert lasting(json.loads((mine / name).read_text())) == lasting(json.loads((its / name).read_text()))


def test_cache(tmp_path):
    cache = tmp_path / "cache"
    file, = anemone.fetch("mobilenetv3_small", weights="seeded", seed=5, cache_dir=cache)["files"]
    again, = command("fetch", "mobilenetv3_small", "--weights", "seeded", "--seed", 5, "--cache-dir", cache)["files"]
    assert file["sha256"] == again["sha256"]
    got = anemone.cache_list(cache_dir=cache)
    assert got == command("cache", "ls", "--cache-dir", cache) and len(got["downloads"]) == 1
    assert anemone.cache_verify(cache_dir=cache) == command("fetch", "--verify", "--cache-dir", cache)
    assert anemone.cache_clear(cache_dir=cache)["downloads_freed_bytes"] >= file["size_bytes"]
    assert anemone.cache_list(cache_dir=cache)["downloads"] == []
    assert anemone.catalog() == command("fetch", "--list")


@pytest.mark.parametrize(("options", "words"), [
    ({"iterations": "ten"}, "iterations"), ({"iteratons": 10}, "iteratons"), ({"threads": -1}, "threads"),
    ({"percentile": [0]}, "'percentile' is 0"), ({"mean": [1]}, "mean")])
def test_wrong_options_are_named(classifier, options, words):
    with pytest.raises(anemone.Error) as error:
        anemone.bench(classifier, **options)
    assert error.value.code == "usage" and words in str(error.value)


def test_other_threads_run_meanwhile(classifier):
    ticks = []
    done = threading.Event()

    def tick():
        while not done.wait(0.01):
            ticks.append(None)

    thread = threading.Thread(target=tick)
    thread.start()
    anemone.bench(classifier, duration=0.5, iterations=1)
    done.set()
    thread.join()
    assert len(ticks) > 5


def test_what_progress_raises_ends_the_call(classifier):
    def stop(stage, done, total):
        raise ValueError(f"at {stage}")

    with pytest.raises(ValueError, match="at loading"):
        anemone.bench(classifier, duration=600, iterations=1, progress=stop)


def test_ctrl_c_ends_the_call(classifier):
    script = ("import anemone, sys\n"
              "def tell(stage, done, total):\n"
              "    print(stage, flush=True)\n"
              "try:\n"
              "    anemone.bench(sys.argv[1], duration=600, iterations=1, progress=tell)\n"
              "except KeyboardInterrupt:\n"
              "    sys.exit(17)\n")
    process = subprocess.Popen([sys.executable, "-c", script, str(classifier)], stdout=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert any("measuring" in line for line in iter(process.stdout.readline, ""))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 17


def test_arrays_as_inputs(classifier, half, image, tmp_path):
    np.save(tmp_path / "image.npy", image)
    got = anemone.compare(classifier, half, inputs=[str(tmp_path / "image.npy")])
    assert got["inputs"] == "given files" and got["passed"]
