#!/usr/bin/env python3
"""Sums up what coremltools' own tests said of the drop-in: python3 tests/conformance/summary.py REPORT...
[--output docs/conformance.md]

REPORT is what coreml_on_linux.py wrote. A test reached a prediction when it asked for one, or when it failed because
the model could not be loaded; it is right when it passed. Each failure is listed with the reason that
tests/conformance/reasons.json gives for it: a list of {"test", "why", "evidence", "beyond", "reason"}, where `test` is
searched for in the test's name and `why`, if given, in its error (regular expressions; the first entry that matches
counts), and all of `evidence`, if given, was found by evidence.py when the test failed. `beyond`: no runtime can pass
the test. A failure without a reason is shown as unexplained, with its error.
"""
import argparse
import collections
import json
import re
import sys
from pathlib import Path

FOLDERS = ("converters/mil/mil/ops/tests", "converters/mil/mil/tests", "converters/mil/mil/passes/tests",
           "test/ml_program", "test/neural_network", "test/pipeline", "test/sklearn_tests", "test/xgboost_tests",
           "test/api", "test/blob", "test/modelpackage")
# A test of an ML Program in float32: upstream runs those only on request.
FLOAT32 = re.compile(r"backend='mlprogram', precision='fp32'|\('mlprogram', 'fp32'\)|mlprogram-fp32")
REASONS = Path(__file__).with_name("reasons.json")


def folder_of(test):
    path = test.partition("::")[0].removeprefix("coremltools/")
    return next((folder for folder in FOLDERS if path.startswith(folder + "/")), path.rpartition("/")[0])


def reached(row):
    return row["predict"] > 0 or (bool(row["load_fail"]) and row["outcome"] == "failed")


def read(paths):
    """(by folder and whether of float32 programs, how many tests were collected; by folder, the samples; rows of the
    tests that ran)."""
    collected, samples, rows = collections.Counter(), {}, []
    for line in (line for path in paths for line in Path(path).read_text().splitlines()):
        row = json.loads(line)
        if "collected" in row:
            for file, count in row["collected"].items():
                collected[folder_of(file), row["float32"]] += count
                samples[folder_of(file)] = row["sample"]
        elif "outcome" in row:
            rows.append(row)
    return collected, samples, rows


def entry_of(row, reasons):
    for entry in reasons:
        if (re.search(entry["test"], row["id"]) and re.search(entry.get("why", ""), row.get("why", ""))
                and set(entry.get("evidence", [])) <= set(row.get("evidence", []))):
            return entry
    return {}


def short(text, limit=160):
    """One line for a table; of a path, which is another one each time, only the end."""
    text = re.sub(r"(?<![\w.])/[\w./-]*/", "", text)
    text = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= limit else text[:limit - 3] + "..."


def table(collected, samples, rows, reasons, float32):
    rows = [row for row in rows if bool(FLOAT32.search(row["id"])) == float32]
    if not rows:
        return ["None was run."]
    lines = ["| folder | sample | collected | run | reached a prediction | right | failed | failed before a prediction | "
             "expected to fail |", "|---|---|---|---|---|---|---|---|---|"]
    groups = collections.defaultdict(list)
    for row in rows:
        groups[folder_of(row["id"])].append(row)
    totals = [0] * 7
    for folder in sorted(groups, key=lambda name: (FOLDERS.index(name) if name in FOLDERS else len(FOLDERS), name)):
        group = groups[folder]
        judged = [row for row in group if row["outcome"] != "xfailed"]
        asked = [row for row in judged if reached(row)]
        right = sum(row["outcome"] == "passed" for row in asked)
        counts = [collected[folder, float32], len(group), len(asked), right,
                  sum(row["outcome"] == "failed" for row in asked),
                  sum(row["outcome"] == "failed" and not reached(row) for row in judged), len(group) - len(judged)]
        totals = [total + count for total, count in zip(totals, counts)]
        lines.append(f"| `{folder}` | {samples.get(folder, '')} | " + " | ".join(f"{count:,}" for count in counts) + " |")
    lines.append("| all | | " + " | ".join(f"{total:,}" for total in totals) + " |")
    return lines + shares(rows, reasons) if totals[2] else lines


def share(rows, what):
    right = sum(row["outcome"] == "passed" for row in rows)
    return [f"- {what}: {right:,} of {len(rows):,}, {100 * right / len(rows):.2f} %"] if rows else []


def shares(rows, reasons):
    asked = [row for row in rows if row["outcome"] != "xfailed" and reached(row)]
    possible = [row for row in asked if row["outcome"] == "passed" or not entry_of(row, reasons).get("beyond")]
    return ["", "Right of the tests that reached a prediction:", "", *share(asked, "all"),
            *share(possible, "without those that no runtime can pass, as computed for each of them (see the reasons)")]


def failures(rows, reasons):
    """By reason, the unexplained ones first."""
    groups = collections.defaultdict(list)
    for row in rows:
        if row["outcome"] == "failed":
            groups[entry_of(row, reasons).get("reason")].append(row)
    lines = []
    for reason in sorted(groups, key=lambda text: (text is not None, -len(groups[text]))):
        group = groups[reason]
        lines += ["", f"### {reason or 'Unexplained'} ({len(group)})", ""]
        by_function = collections.defaultdict(list)
        for row in group:
            by_function[row["id"].partition("[")[0].removeprefix("coremltools/")].append(row)
        for function, same in sorted(by_function.items()):
            count = f" ({len(same)} parameter sets)" if len(same) > 1 else ""
            lines.append(f"- `{function}`{count}: {short(same[0].get('why', ''))}")
    return lines or ["", "There is none."]


def document(collected, samples, rows, reasons):
    return "\n".join([
        "# Conformance", "",
        "coremltools' own tests with its native binding replaced by `anemone.coremltools`, on Linux, for both back ends.",
        "Printed by `./dev conformance` (tests/conformance/summary.py); do not edit.", "",
        "A sample below 1 is that share of the tests; from 1 on, that many parameter sets of each test function and back "
        "end; 0 is all. It is chosen by a hash of the test's name. Tests that upstream expects to fail (xfail) are not "
        "judged; skipped tests reach no prediction.", "",
        "## The tests that upstream runs", "", *table(collected, samples, rows, reasons, False), "",
        "## ML Programs in float32", "",
        "What `INCLUDE_MIL_FP32_UNIT_TESTS=1` adds. Upstream does not run these by default, and some of them hold results "
        "in half precision to the tolerance of float32.", "", *table(collected, samples, rows, reasons, True), "",
        "## Failures", *failures(rows, reasons)]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+")
    parser.add_argument("--output", help="the Markdown file; without it, the document is printed")
    arguments = parser.parse_args()
    collected, samples, rows = read(arguments.reports)
    reasons = json.loads(REASONS.read_text())
    text = document(collected, samples, rows, reasons)
    if arguments.output:
        Path(arguments.output).write_text(text)
        print("\n".join(table(collected, samples, rows, reasons, False) + table(collected, samples, rows, reasons, True)))
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
