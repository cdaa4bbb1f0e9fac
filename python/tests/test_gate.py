"""The gate from the command line: inputs of every kind, a process that dies, the reports' forms, the matrix."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from run_records import write_pair

ROOT = Path(__file__).parents[2]
COMMAND = Path(os.environ.get("ANEMONE_COMMAND", ROOT / "build/bin/anemone"))
MEDIA = ROOT / "tests/fixtures/media"

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")

# Names that break a careless report.
HOSTILE = "we|ird <b>&'*_`[x](y)"


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """No certificate of a test reaches the sessions of this machine, and what a killed gate leaves goes with ours."""
    monkeypatch.setenv("ANEMONE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()


def heed_signals():
    """A process of the background starts with some ignored, and the command leaves it at that."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


def start(*arguments, **options):
    return subprocess.Popen([str(COMMAND), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, preexec_fn=heed_signals, **options)


def run(*arguments, code=0):
    process = start(*arguments)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == code, out + errors
    return out


def gate(*arguments, code=0):
    """The JSON report."""
    return json.loads(run("gate", *arguments, "--json", code=code))


def check_of(report, name, model=0):
    return next(check for check in report["models"][model]["checks"] if check["name"] == name)


def write_policy(path, run_settings=None, **checks):
    policy = {"schema": "anemone.gate_policy", "schema_version": 1, "name": "test", "subject": {"backend": "cpu"},
              "run": {"inferences": 50, "min_duration_s": 0, "max_duration_s": 60, "warmup_s": 0, "warmup_calls": 2,
                      "warmup_cap_s": 0, **(run_settings or {})},
              "checks": checks}
    path.write_text(json.dumps(policy))
    return path


@pytest.fixture
def package(classifier, tmp_path):
    """A float16 package, and beside it the original that it is compared with."""
    for name, precision in [("net_fp16", "float16"), ("net_fp32", "float32")]:
        run("convert", classifier, "-o", tmp_path / f"{name}.mlpackage", "--compute-precision", precision)
    return tmp_path / "net_fp16.mlpackage"


@pytest.fixture
def real_inputs(tmp_path):
    return write_policy(tmp_path / "real.json", parity={"real_inputs": True})


def real_rows(report):
    return [line for line in check_of(report, "parity")["evidence"] if "real input" in line]


def compare(package, policy, *flags):
    reference = package.parent / "net_fp32.mlpackage"
    report = gate(package, "--policy", policy, "--reference", reference, *flags)
    assert check_of(report, "parity")["verdict"] == "PASS"
    return real_rows(report)


def test_without_real_inputs_nothing_is_decided(package, real_inputs):
    report = gate(package, "--policy", real_inputs, "--reference", package.parent / "net_fp32.mlpackage", code=8)
    assert check_of(report, "parity")["verdict"] == "INCONCLUSIVE"


def test_photographs_of_every_kind(package, real_inputs, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shutil.copy(MEDIA / "rgb.jpg", pictures / "a.JPEG")
    shutil.copy(MEDIA / "progressive.jpg", pictures / "b.jpg")
    shutil.copy(MEDIA / "rgba8.png", pictures / "c.PNG")
    shutil.copy(MEDIA / "gray8.png", pictures / "d.png")
    (pictures / "notes.txt").write_text("no picture")
    rows = compare(package, real_inputs, "--images", pictures)
    assert len(rows) == 2 and all("4 real inputs" in row for row in rows), rows
    rows = compare(package, real_inputs, "--images", pictures, "--limit", 2)
    assert all("2 real inputs" in row for row in rows), rows


def test_arrays_of_every_kind(package, real_inputs, tmp_path, image):
    arrays, archives = tmp_path / "arrays", tmp_path / "archives"
    arrays.mkdir()
    archives.mkdir()
    for index in range(3):
        np.save(arrays / f"{index}.npy", image + index)
        np.savez(archives / f"{index}.npz", image=image - index)
    np.save(tmp_path / "one.npy", image)
    assert all("3 real inputs" in row for row in compare(package, real_inputs, "--images", arrays))
    assert all("3 real inputs" in row for row in compare(package, real_inputs, "--images", archives))
    assert all("1 real input:" in row
               for row in compare(package, real_inputs, "--inputs", f"image={tmp_path / 'one.npy'}"))
    assert compare(package, real_inputs, "--inputs", archives / "1.npz")
    rows = compare(package, real_inputs, "--inputs", archives / "1.npz", "--images", arrays)
    assert all("4 real inputs" in row for row in rows), rows


def test_inputs_that_do_not_fit_are_named(package, real_inputs, tmp_path, image):
    def error(*flags, code):
        process = start("gate", package, "--policy", real_inputs, *flags)
        _, text = process.communicate(timeout=100)
        assert process.returncode == code, text
        return text

    empty = tmp_path / "empty"
    empty.mkdir()
    assert "empty" in error("--images", empty, code=3)
    assert "no_such" in error("--images", tmp_path / "no_such", code=3)
    np.savez(tmp_path / "other.npz", picture=image)
    assert "picture" in error("--inputs", tmp_path / "other.npz", code=2)
    np.save(empty / "wide.npy", np.zeros((1, 3, 14, 15), np.float32))
    assert "wide.npy" in error("--images", empty, code=3)
    (empty / "wide.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff")
    assert "wide.npy" in error("--images", empty, code=3)


def children(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def calls_in(record):
    return record.read_bytes().count(b'"type":"call"') if record.exists() else 0


def gate_in_progress(package, policy, folder):
    """A gate among its measured calls, and the process that makes them."""
    process = start("gate", package, "--policy", policy, "-o", folder, "--json")
    deadline = time.monotonic() + 60
    while calls_in(folder / package.stem / "subject.run.jsonl") < 100:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    (child,) = children(process.pid)
    return process, child


long_run = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the process below /proc")


@long_run
@pytest.mark.parametrize("killer, words", [(signal.SIGSEGV, "signal 11 (Segmentation fault)"),
                                           (signal.SIGKILL, "signal 9 (Killed)")])
def test_a_crash_is_counted_and_does_not_end_the_gate(package, tmp_path, killer, words):
    policy = write_policy(tmp_path / "long.json", {"inferences": 10_000_000, "max_duration_s": 1000},
                          inferences={"min_count": 50}, telemetry={"required": False})
    process, child = gate_in_progress(package, policy, tmp_path / "out")
    os.kill(child, killer)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 5, errors
    check = check_of(json.loads(out), "inferences")
    assert check["verdict"] == "FAIL" and check["failure_class"] == "crash"
    assert re.match(r"\d+ inferences, 1 crash, 0 failures", check["value"])
    assert any(words in line and "while measuring" in line for line in check["evidence"]), check
    assert calls_in(tmp_path / "out" / package.stem / "subject.run.jsonl") >= 100
    # The record is evidence by itself.
    again = gate("--record", tmp_path / "out" / package.stem / "subject.run.jsonl", "--policy", policy, code=5)
    assert check_of(again, "inferences")["value"] == check["value"]


@long_run
def test_a_hang_is_a_timeout(package, tmp_path):
    policy = write_policy(tmp_path / "long.json",
                          {"inferences": 10_000_000, "max_duration_s": 1000, "max_silence_s": 2},
                          inferences={"min_count": 50})
    process, child = gate_in_progress(package, policy, tmp_path / "out")
    os.kill(child, signal.SIGSTOP)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 6, errors
    assert any("gave no sign of life" in line for line in check_of(json.loads(out), "inferences")["evidence"])


def ended(process):
    status = Path(f"/proc/{process}/status")
    try:
        return "Z (zombie)" in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@long_run
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_ends_the_gate_finds_nothing_left(package, tmp_path, told):
    policy = write_policy(tmp_path / "long.json", {"inferences": 10_000_000, "max_duration_s": 1000},
                          inferences={"min_count": 50})
    process, child = gate_in_progress(package, policy, tmp_path / "out")
    assert any((tmp_path / "temporary").iterdir())
    process.send_signal(told)
    process.communicate(timeout=60)
    assert process.returncode == -told
    assert not any((tmp_path / "temporary").iterdir())
    deadline = time.monotonic() + 5  # killed it is; the system may take a moment
    while not ended(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended(child)


@long_run
def test_the_calls_end_with_the_gate(package, tmp_path):
    policy = write_policy(tmp_path / "long.json", {"inferences": 10_000_000, "max_duration_s": 1000},
                          inferences={"min_count": 50})
    process, child = gate_in_progress(package, policy, tmp_path / "out")
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while not ended(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ended(child), "the process of the calls outlived the gate"


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Two fictional machines, one of them with a model that died: PASS, FAIL of two kinds."""
    folder = tmp_path_factory.mktemp("records")
    return [*write_pair(folder, "Fictional One"), *write_pair(folder, "Fictional One", model="tiny", letter="b"),
            *write_pair(folder, "Fictional Two", coreml_ms=9),
            *write_pair(folder, "Fictional Two", model="tiny", letter="b", ended=False),
            *write_pair(folder, f"Fictional {HOSTILE}", model=HOSTILE.replace("/", ""), letter="c")]


def test_records_are_judged_anywhere(records):
    report = gate("--record", *records, code=1)
    verdicts = [model["verdict"] for model in report["models"]]
    assert verdicts == ["PASS", "PASS", "FAIL", "FAIL", "PASS"]
    assert [d["failure_class"] for d in report["models"][2]["diagnoses"]] == ["latency"]
    assert [d["failure_class"] for d in report["models"][3]["diagnoses"]] == ["crash"]
    assert report["models"][3]["exit_code"] == 5


def reports(folder, records, package):
    """Every verdict that there is, as JUnit and as Markdown."""
    policy = write_policy(folder / "cpu.json", inferences={"min_count": 50}, parity={}, memory={"min_calls": 10000},
                          fallback_proof={}, logs={})
    written = []
    for name, arguments in [("records", ["--record", *records]), ("live", [package, "--policy", policy])]:
        junit, markdown = folder / f"{name}.xml", folder / f"{name}.md"
        process = start("gate", *arguments, "--junit", junit, "--markdown", markdown)
        process.communicate(timeout=300)
        written.append((junit, markdown))
    return written


def test_junit_follows_its_schema(records, package, tmp_path):
    xmlschema = pytest.importorskip("xmlschema")
    schema = xmlschema.XMLSchema(str(ROOT / "tests/fixtures/gate/junit.xsd"))
    kinds = set()
    for junit, _ in reports(tmp_path, records, package):
        schema.validate(str(junit))
        root = schema.to_dict(str(junit))
        for suite in root["testsuite"]:
            cases = suite["testcase"]
            assert suite["@tests"] == len(cases)
            assert suite["@failures"] == sum("failure" in case for case in cases)
            assert suite["@skipped"] == sum("skipped" in case for case in cases)
            kinds |= {kind for case in cases for kind in ("failure", "skipped", "system-out") if kind in case}
        assert root["@tests"] == sum(suite["@tests"] for suite in root["testsuite"])
        assert root["@failures"] == sum(suite["@failures"] for suite in root["testsuite"])
    assert kinds == {"failure", "skipped", "system-out"}


def table_cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_markdown_is_tables_that_a_pull_request_shows(records, package, tmp_path):
    for _, markdown in reports(tmp_path, records, package):
        lines = markdown.read_text().splitlines()
        assert lines[0].startswith("## Gate ")
        heads = [i for i, line in enumerate(lines) if re.fullmatch(r"\|(-+\|)+", line)]
        assert len(heads) >= 2
        for head in heads:
            columns = len(table_cells(lines[head]))
            assert len(table_cells(lines[head - 1])) == columns
            # GitHub reads a table only after an empty line.
            assert lines[head - 2] == ""
            row = head + 1
            while row < len(lines) and lines[row].startswith("|"):
                assert len(table_cells(lines[row])) == columns, lines[row]
                row += 1
            assert row > head + 1
        text = "\n".join(lines)
        assert text.count("<details") == text.count("</details>") > 0
        assert text.count("<summary>") == text.count("</summary>")
        # Nothing of a name is read as HTML or as a link; a summary is HTML, where Markdown is not read.
        markdown_lines = [line for line in lines if "<summary>" not in line]
        assert "<b>" not in text and "[x](y)" not in "\n".join(markdown_lines).replace("\\[x](y)", "")


def test_the_text_keeps_to_its_columns(records):
    for line in run("gate", "--record", *records, code=1).splitlines():
        longest = max(map(len, line.split()), default=0)
        # Paths and commands stay whole.
        assert len(line) <= 100 or longest > 60 or line.startswith("    -> "), line


@pytest.fixture(scope="module")
def site(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("site")
    run("matrix", *records, "-o", folder)
    return folder


def test_matrix_tables(site):
    rows = list(csv.DictReader((site / "table.csv").open()))
    assert [row["verdict"] for row in rows] == ["PASS", "PASS", "FAIL", "FAIL", "PASS"]
    assert rows[2]["decided_by"] == "latency" and rows[3]["decided_by"] == "inferences"
    assert 0.45 < float(rows[0]["p99_ratio"]) < 0.55
    document = json.loads((site / "table.json").read_text())
    assert [row["device"] for row in document["rows"]] == [row["device"] for row in rows]
