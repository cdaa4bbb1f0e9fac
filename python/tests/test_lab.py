"""The lab: sweeps that are killed and resumed, search, bad input, the report in a browser, Ray."""

import importlib.util
import json
import os
import resource
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import make_network

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))
RUNNER = Path(__file__).parents[1] / "anemone/ray_runner.py"

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def lab(*arguments, code=0, **options):
    done = subprocess.run([str(COMMAND), "lab", *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          check=False, **options)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("lab") / "classifier.onnx"
    onnx.save(make_network(), str(path))
    return path


@pytest.fixture(scope="module")
def finished(model, tmp_path_factory):
    """A lab with a search, done once for the tests that only look at it."""
    folder = tmp_path_factory.mktemp("lab") / "finished"
    lab(model, "-o", folder, "--max-drop", 20, "--samples", 16, "--jobs", 2, "--minimum-deployment-target", "iOS18")
    return folder


def document(folder):
    return json.loads((folder / "lab.json").read_text())


def test_search_beats_uniform_palettes_at_their_size(finished):
    found = document(finished)
    by_name = {variant["name"]: variant["result"] for variant in found["variants"] if variant["result"]}
    mixes = [result for name, result in by_name.items() if name.startswith("mix")]
    for form in ("palette 4", "palette 6"):
        uniform = by_name[form]
        # Two sizes may have one mix; it is listed once, under the first name.
        fitting = [mix for mix in mixes if 0.8 * uniform["weight_bytes"] <= mix["weight_bytes"] <= uniform["weight_bytes"]]
        assert min(mix["loss"] for mix in fitting) < uniform["loss"], form
    chosen = [variant for variant in found["variants"] if variant["chosen"]]
    assert len(chosen) == 1 and chosen[0]["verdict"] == "within" and chosen[0]["drop_pct"] <= 20


def test_the_chosen_configuration_is_what_compress_accepts(finished, tmp_path):
    out = tmp_path / "chosen.mlpackage"
    done = subprocess.run([str(COMMAND), "compress", str(finished / "base.mlpackage"), "-o", str(out), "--config",
                           str(finished / "chosen.json"), "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = document(finished)
    chosen = next(variant for variant in found["variants"] if variant["chosen"])
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    assert size == chosen["result"]["package_bytes"]
    assert json.loads(done.stdout)["weight_bytes_after"] == chosen["result"]["weight_bytes"]


def test_what_is_learned_from_is_not_judged(model, tmp_path):
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    random = np.random.default_rng(0)
    for index in range(12):
        np.save(inputs / f"{index:02}.npy", random.normal(size=(1, 3, 14, 14)).astype(np.float32))
    folder = tmp_path / "out"
    target = ["--minimum-deployment-target", "iOS18"]
    lab(model, "-o", folder, "--images", inputs, "--max-drop", 30, *target)
    found = document(folder)
    assert found["samples"].startswith("9 of 12") and found["calibration"].startswith("3 of 12")
    learned = (folder / "calibration.txt").read_text().splitlines()
    assert [Path(name).name for name in learned] == ["02.npy", "06.npy", "10.npy"]
    names = {variant["name"] for variant in found["variants"]}
    assert {"palette 4 by inputs", "int4 block 32 gptq", "int4 block 32 adaround"} <= names
    # The same data, by hand: the same bytes.
    by_inputs = next(v for v in found["variants"] if v["name"] == "int4 block 32 adaround")
    (tmp_path / "form.json").write_text(json.dumps(by_inputs["configuration"]))
    out = tmp_path / "form.mlpackage"
    done = subprocess.run([str(COMMAND), "compress", str(folder / "base.mlpackage"), "-o", str(out), "--config",
                           str(tmp_path / "form.json"), "--calibration", str(folder / "calibration.txt"), "--json"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = {tensor["name"]: tensor for tensor in json.loads(done.stdout)["tensors"] if tensor["form"]}
    measured = {tensor["name"]: tensor for tensor in by_inputs["result"]["tensors"] if tensor["form"]}
    assert made.keys() == measured.keys() and any("adaround" in tensor["form"] for tensor in made.values())
    for name, tensor in made.items():
        assert tensor["rms_error"] == pytest.approx(measured[name]["rms_error"], rel=1e-6), name
    # With another folder to learn from, all samples judge.
    lab(model, "-o", tmp_path / "other", "--images", inputs, "--calibration", folder / "calibration.txt", "--max-drop",
        30, *target)
    assert document(tmp_path / "other")["samples"].startswith("12 ")


def test_the_database_answers_a_person(finished):
    with sqlite3.connect(finished / "lab.sqlite") as db:
        rows = db.execute("select name, state, package_bytes, loss from summary").fetchall()
        assert {name for name, *_ in rows} >= {"base", "int8", "palette 4"}
        assert all(state == "done" for _, state, *_ in rows)
        assert db.execute("select count(*) from sensitivity").fetchone()[0] > 10
        assert db.execute("pragma journal_mode").fetchone()[0] == "wal"


def test_killed_at_any_moment_and_resumed_it_ends_the_same(model, finished, tmp_path):
    flags = [model, "--max-drop", 20, "--samples", 16, "--minimum-deployment-target", "iOS18"]
    want = (finished / "lab.json").read_text()
    folder = tmp_path / "killed"
    begin = time.monotonic()
    lab(*flags, "-o", tmp_path / "whole")
    whole = time.monotonic() - begin
    kills = 0
    for attempt in range(200):
        resume = ["--resume"] if (folder / "lab.sqlite").exists() else []
        child = subprocess.Popen([str(COMMAND), "lab", *map(str, flags), "-o", str(folder), *resume],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            # Later each time, so that the kills fall on reading, sweeping, walking, searching, writing.
            child.wait(timeout=whole * (0.1 + 0.1 * attempt))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
            continue
        assert child.returncode == 0, child.stderr.read()
        break
    assert kills >= 2
    assert (folder / "lab.json").read_text() == want
    lab(*flags, "-o", folder, "--resume", "--jobs", 3)
    assert (folder / "lab.json").read_text() == want


def test_a_lab_is_not_overwritten(model, finished):
    done = lab(model, "-o", finished, code=2)
    assert "--resume" in done.stderr


# ---- bad input: an error with its place, nothing written ----

def expect_nothing(folder):
    assert not folder.exists() or not any(folder.iterdir())


def test_an_empty_folder_of_images(model, tmp_path):
    (tmp_path / "empty").mkdir()
    done = lab(model, "-o", tmp_path / "out", "--images", tmp_path / "empty", code=3)
    assert "has no .png, .jpg or .npy files" in done.stderr
    expect_nothing(tmp_path / "out")


def test_arrays_of_the_wrong_shape(model, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((1, 3, 14, 15), np.float32))
    done = lab(model, "-o", tmp_path / "out", "--images", tmp_path, code=3)
    assert "a.npy" in done.stderr and "[1, 3, 14, 15]" in done.stderr and "[1, 3, 14, 14]" in done.stderr
    expect_nothing(tmp_path / "out")


def test_arrays_that_are_no_numbers(model, tmp_path):
    np.save(tmp_path / "a.npy", np.full((1, 3, 14, 14), np.nan, np.float32))
    for flag in ("--images", "--calibration"):
        done = lab(model, "-o", tmp_path / "out", flag, tmp_path, "--max-drop", 1, code=3)
        assert "a.npy" in done.stderr and "NaN" in done.stderr
        expect_nothing(tmp_path / "out")


def test_labels_that_the_model_does_not_have(model, tmp_path):
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 14, 14, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(14 * (1 + 3 * 14)))),
              (b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks))
    (tmp_path / "labels.csv").write_text("file,class_index\na.png,100\n")
    done = lab(model, "-o", tmp_path / "out", "--images", tmp_path, "--labels", tmp_path / "labels.csv", code=3)
    assert "a.png" in done.stderr and "100 classes" in done.stderr
    expect_nothing(tmp_path / "out")


def test_a_corrupt_image(model, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    (images / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is not a picture")
    (images / "labels.csv").write_text("file,class_index\nbroken.jpg,1\n")
    done = lab(model, "-o", tmp_path / "out", "--images", images, "--labels", images / "labels.csv", code=3)
    assert "broken.jpg" in done.stderr
    expect_nothing(tmp_path / "out")


def test_a_target_that_lacks_the_form(model, tmp_path):
    config = {"variants": [{"name": "int4", "configuration": {"global_config": {
        "config_type": "OpLinearQuantizerConfig", "mode": "linear_symmetric", "dtype": "int4"},
        "config_type": "OpLinearQuantizerConfig"}}]}
    (tmp_path / "list.json").write_text(json.dumps(config))
    out = tmp_path / "out"
    lab(model, "-o", out, "--config", tmp_path / "list.json", "--minimum-deployment-target", "iOS16")
    (variant,) = document(out)["variants"]
    assert variant["state"] == "failed" and variant["error_code"] == "unsupported"
    assert "ios18" in variant["error"].lower()
    done = lab(model, "-o", tmp_path / "old", "--max-drop", 1, "--minimum-deployment-target", "iOS15", code=3)
    assert "iOS16" in done.stderr
    expect_nothing(tmp_path / "old")


def test_compress_takes_a_package_to_another_target(finished, tmp_path):
    def compress(source, out, target, *flags, code=0):
        done = subprocess.run([str(COMMAND), "compress", str(source), "-o", str(tmp_path / out), "--mode", "linear_symmetric",
                               "--minimum-deployment-target", target, *flags], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stderr

    package = finished / "base.mlpackage"  # for iOS18
    errors = compress(package, "none.mlpackage", "iOS16", "--dtype", "int4", code=3)
    assert "ios18" in errors and list(tmp_path.iterdir()) == []
    errors = compress(package, "none.mlpackage", "iOS15", code=3)
    assert "ios16" in errors and list(tmp_path.iterdir()) == []
    compress(package, "old.mlpackage", "iOS16")
    # And back: the forms that the older target lacks are possible again.
    compress(tmp_path / "old.mlpackage", "both.mlpackage", "iOS18")
    coremltools = pytest.importorskip("coremltools")
    versions = [coremltools.utils.load_spec(str(tmp_path / name)).specificationVersion
                for name in ("old.mlpackage", "both.mlpackage")]
    assert versions == [7, 9]


def test_a_full_disk(model, tmp_path):
    """Files may not grow beyond 100 kB: as on a disk without room, writing fails half way."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    out = tmp_path / "out"
    done = lab(model, "-o", out, code=3, preexec_fn=limit)
    assert str(out) in done.stderr
    # Everything there is complete: no half report, no temporary files, a readable database.
    assert {file.name for file in out.iterdir()} <= {"lab.sqlite", "lab.sqlite-wal", "lab.sqlite-shm", "lab.json"}
    with sqlite3.connect(out / "lab.sqlite") as db:
        assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
    lab(model, "-o", out, "--resume")
    lab(model, "-o", tmp_path / "other")
    assert document(out) == document(tmp_path / "other")


def test_a_file_that_is_no_database(model, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/lab.sqlite").write_bytes(b"no database at all" * 100)
    done = lab(model, "-o", tmp_path / "out", "--resume", code=3)
    assert "not a lab database" in done.stderr


# ---- the doctor ----

def doctor(*arguments):
    done = subprocess.run([str(COMMAND), "doctor", *map(str, arguments), "--json"], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["model"]


def test_the_doctor_judges_what_would_be_converted(model, finished):
    found = doctor(model, "--chip", "m1")
    assert found["placement_of"].startswith("its conversion to float16")
    assert found["chips"][0]["ane_supported_pct"] > 90  # as float32 it would be none
    assert found["float16"]["passed"] and found["float16"]["dominant"]
    assert doctor(finished / "base.mlpackage", "--chip", "m1")["placement_of"] == "the model as it is"


def test_the_doctor_knows_what_drifts_on_the_neural_engine(model):
    (drift,) = doctor("mobilenetv3_small", "--weights", "seeded", "--no-float16", "--chip", "m1")["known_drifts"]
    assert drift["operator"] == "conv_head" and "hard-swish" in drift["reason"] and "#2625" in drift["source"]
    assert "--keep-float32 'conv_head'" in drift["rewrite"]
    assert doctor(model, "--chip", "m1")["known_drifts"] == []


def test_the_doctor_finds_what_overflows(tmp_path):
    network = make_network()
    weights = {tensor.name: tensor for tensor in network.graph.initializer}
    for name, factor in (("w2", 3e5), ("w3", 1 / 3e5)):
        values = onnx.numpy_helper.to_array(weights[name]) * np.float32(factor)
        weights[name].CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), name))
    onnx.save(network, str(tmp_path / "large.onnx"))
    found = doctor(tmp_path / "large.onnx", "--chip", "m1")["float16"]
    assert not found["passed"] and found["first_overflow"]
    first = next(operator for operator in found["operators"] if operator["name"] == found["first_overflow"])
    assert first["largest"] > 65504 and first["type"] == "conv"
    assert found["keep_float32"] and found["keep_float32_passed"]
    assert len(found["keep_float32"]) < len(found["operators"])


# ---- Ray ----

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None,
                               reason="ray is not installed; pip install 'anemone[ray]'")


def with_ray(**more):
    return dict(os.environ, ANEMONE_PYTHON=sys.executable, ANEMONE_RAY_RUNNER=str(RUNNER), **more)


def rows(folder):
    """All of the database but for when and how fast."""
    with sqlite3.connect(folder / "lab.sqlite") as db:
        return [db.execute(query).fetchall() for query in (
            "select key, configuration, state, error_code, error from job order by key",
            "select * from result order by key", "select * from variant order by subject, name")]


@needs_ray
@pytest.mark.parametrize("address", ["local", "auto"])
def test_the_same_results_on_ray(model, tmp_path, address):
    here, there, scratch = tmp_path / "here", tmp_path / "there", Path(tempfile.mkdtemp(prefix="t"))
    lab(model, "-o", here)
    lab(model, "-o", there, "--ray", address, env=with_ray(TMPDIR=str(scratch)))
    assert (there / "lab.json").read_text() == (here / "lab.json").read_text()
    assert rows(here) == rows(there)
    assert list(scratch.iterdir()) == []
    scratch.rmdir()


@needs_ray
def test_no_cluster_at_the_address(model, tmp_path):
    done = lab(model, "-o", tmp_path / "out", "--ray", "127.0.0.1:1", code=4, env=with_ray())
    assert "--ray 127.0.0.1:1" in done.stderr and "ray start" in done.stderr and "Traceback" not in done.stderr


def load_runner():
    spec = importlib.util.spec_from_file_location("ray_runner", RUNNER)
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    return runner


WORKER = """
import json, os, pathlib, sys
for line in sys.stdin:
    job = json.loads(line)
    mark = pathlib.Path(sys.argv[1]) / job["name"]
    tries = len(mark.read_text()) if mark.exists() else 0
    mark.write_text("x" * (tries + 1))
    if job["name"] == "unlucky" and tries == 0 or job["name"] == "deadly":
        os.kill(os.getpid(), 9)
    if job["name"] == "refused":
        sys.exit("no such folder")
    print(json.dumps({"name": job["name"], "key": "k " + job["name"]}), flush=True)
"""


def run_worker(tmp_path, *names):
    (tmp_path / "worker.py").write_text(WORKER)
    command = [sys.executable, str(tmp_path / "worker.py"), str(tmp_path)]
    jobs = [{"name": name, "key": "k " + name, "configuration": {}} for name in names]
    done = []
    try:
        for outcome in load_runner().run_jobs(command, 1, jobs):
            done.append(outcome["name"])
    except RuntimeError as error:
        return done, str(error)
    return done, None


def test_a_worker_that_is_killed_goes_on(tmp_path):
    assert run_worker(tmp_path, "a", "unlucky", "b") == (["a", "unlucky", "b"], None)
    # Killed again and again: what was done before is kept, the error names the job.
    done, error = run_worker(tmp_path, "c", "deadly", "d")
    assert done == ["c"] and "'deadly'" in error and "-9" in error
    done, error = run_worker(tmp_path, "refused")
    assert done == [] and "no such folder" in error and (tmp_path / "refused").read_text() == "x"


def test_a_worker_of_another_model_is_found_out(tmp_path):
    (tmp_path / "worker.py").write_text("import sys\nfor line in sys.stdin: print('{\"key\": \"other\"}', flush=True)\n")
    jobs = [{"name": "a", "key": "k", "configuration": {}}]
    with pytest.raises(RuntimeError, match="another model"):
        list(load_runner().run_jobs([sys.executable, str(tmp_path / "worker.py")], 1, jobs))


def test_without_ray_it_says_what_to_install(model, tmp_path):
    (tmp_path / "ray.py").write_text("raise ImportError('no module named ray')\n")
    environment = dict(os.environ, ANEMONE_PYTHON=sys.executable, ANEMONE_RAY_RUNNER=str(RUNNER),
                       PYTHONPATH=str(tmp_path))
    done = lab(model, "-o", tmp_path / "out", "--ray", "local", code=4, env=environment)
    assert "anemone[ray]" in done.stderr
