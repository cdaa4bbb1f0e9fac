"""docs/performance.md from the document of bench/peers.py.

    python bench/performance_page.py FILE.json > docs/performance.md
"""

import json
import sys
from pathlib import Path

KINDS = {
    "float32": "float32: the .onnx file as it is",
    "int8": "int8: weights and activations of 8 bits, each peer's own quantization, the same calibration inputs",
    "float16": "Anemone's float16 package beside its float32 one",
    "bfloat16": "bfloat16: products of rounded numbers, summed in float32 (`numerics=bfloat16`), beside OpenVINO's bf16",
    "load and first inference": "Load and first inference of the .onnx file, in a fresh process",
    "memory": "Memory added by loading and running, views of files not counted",
}


def cell(row, label):
    if "values" in row:
        return f"{row['values'][label]:.0f}" if label in row["values"] else "-"
    if label not in row["times"]:
        return "-"
    time = row["times"][label]
    return f"{time['min_ms']:.2f} / {time['median_ms']:.2f}"


def table(rows):
    labels = []
    for row in rows:
        labels += [label for label in row.get("values", row.get("times", {})) if label not in labels]
    lines = ["| network | batch | threads | " + " | ".join(labels) + " | ratio | goal | met |",
             "|---|---|---|" + "---|" * (len(labels) + 3)]
    for row in rows:
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else "-"
        met = {True: "yes", False: "**no**"}.get(row.get("goals_met"), "-")
        lines.append(f"| {row['network']} | {row['batch']} | {row['threads']} | "
                     + " | ".join(cell(row, label) for label in labels) + f" | {ratio} | {row.get('goal', '-')} | {met} |")
    return lines


def page(document):
    machine = document["machine"]
    versions = ", ".join(f"{name} {version}" if version else f"{name}: not installed"
                         for name, version in document["versions"].items())
    judged = [row for row in document["rows"] if "goals_met" in row]
    met = sum(row["goals_met"] for row in judged)
    lines = ["# Performance", "",
             "Written by `bench/peers.py --write`: Anemone beside its peers, interleaved in one run on one machine. Times are",
             "least / median in ms. A ratio is the fastest peer's time through ours; above 1, Anemone is faster.", "",
             f"Machine: {machine['processor']}, {machine['cores']} cores, {', '.join(machine['instruction_sets'])};"
             f" load before the run {machine['load_before']:.1f}. {document['date']}.",
             f"Versions: {versions}.", "",
             f"{met} of {len(judged)} goals met.", ""]
    for kind, title in KINDS.items():
        rows = [row for row in document["rows"] if row["kind"] == kind]
        if rows:
            lines += [f"## {title}", "", *table(rows), ""]
    if document["problems"]:
        lines += ["## Not measured", "", *(f"- {problem}" for problem in document["problems"]), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page(json.loads(Path(sys.argv[1]).read_text())))
