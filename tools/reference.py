#!/usr/bin/env python3
"""Prints docs/reference/ from the code: commands and their options, exit codes, chips, the documents that others read,
and the files that people write, with their schemas in docs/schemas/.

    python3 tools/reference.py            writes the pages, with what build/bin/anemone says of itself
    python3 tools/reference.py --check    fails when one of them is not what would be written
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
SCHEMAS = ROOT / "docs" / "schemas"
MADE = "Printed from the code by `python3 tools/reference.py`; do not edit.\n"


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *("| " + " | ".join(cell(value) for value in row) + " |" for row in rows)]


def names_of(option):
    if not option["flags"]:
        return f"`{option['positional']}`"
    value = " VALUE" if option["takes_value"] else ""
    return ", ".join(f"`{flag}{value}`" for flag in option["flags"])


def meaning_of(option):
    text = option["help"] + (" (required)" if option["required"] else "")
    # A path completes as a file: that is for shells.
    values = [value for value in option["values"] if not value.startswith(("<", "-"))]
    return text + (f". One of {', '.join(f'`{value}`' for value in values)}" if values else "")


def options_table(options):
    return table(["option", "meaning"], [(names_of(one), meaning_of(one)) for one in options if "--help" not in one["flags"]])


def example_of(command):
    """The lines of the footer that can be typed."""
    lines = [line.strip().removeprefix("Example:").strip() for line in command["footer"].splitlines()]
    return [line for line in lines if line.startswith("anemone ")]


def commands_page(reference):
    root, *commands = reference["commands"]
    lines = ["# Commands\n", MADE, "The same as `anemone COMMAND --help`. Every command takes these too:\n",
             *options_table(root["options"])]
    for command in commands:
        lines += [f"\n## anemone {' '.join(command['path'])}\n", command["help"][:1].upper() + command["help"][1:] + ".\n"]
        example = example_of(command)
        if example:
            lines += ["```console", *(f"$ {line}" for line in example), "```\n"]
        rest = [one for one in command["options"] if "--help" not in one["flags"]]
        if rest:
            lines += options_table(rest)
    return lines


def codes_page(reference):
    return ["# Exit codes\n", MADE, "What the command ends with; with `--json` the same stands in the document "
            "`anemone.error`, and in Python in `anemone.Error.code` and `.exit_code`. 0 is done, or passed.\n",
            *table(["exit code", "name", "meaning"],
                   [(row["exit_code"], f"`{row['name']}`", row["meaning"]) for row in reference["error_codes"]])]


def chips_page(reference):
    def number(value):
        return "–" if value is None else f"{value:g}" if isinstance(value, float) else value

    rows = [(f"`{chip['name']}`", chip["title"], chip["family"], number(chip["ane_tops"]), number(chip["ane_fp16_tflops"]),
             number(chip["gpu_fp16_tflops"]), number(chip["dram_gbps"]), "yes" if chip["int8_compute"] else "no",
             f"{chip['max_kernel_width']} x {chip['max_kernel_height']}",
             "measured" if chip["rules_measured"] else "read from the compiler") for chip in reference["chips"]]
    return ["# Chips\n", MADE, "What `--chip` takes. The sources of the numbers, and what follows from them, are in "
            "[Placement](../placement.md); what is not published is –.\n",
            *table(["name", "chip", "Neural Engine", "TOPS", "fp16 TFLOPS", "GPU fp16 TFLOPS", "memory GB/s",
                    "int8 at twice the rate", "largest kernel", "rules"], rows)]


def type_of(schema, root):
    """A short word for what a schema allows."""
    if "$ref" in schema:
        return type_of(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(type_of(one, root) for one in schema[key]))
    kind = schema.get("type", "any value")
    return " or ".join(kind) if isinstance(kind, list) else kind


def properties_table(schema, root):
    required = set(schema.get("required", []))
    return table(["key", "value", "meaning"],
                 [(f"`{key}`" + ("" if key in required or not required else " (may be absent)"), type_of(value, root),
                   value.get("description", "")) for key, value in schema.get("properties", {}).items()])


def events_page(_):
    root = json.loads((SCHEMAS / "event.schema.json").read_text(encoding="utf-8"))
    lines = ["# Telemetry events\n", MADE, f"{root['title']} (`--telemetry-log`; [Telemetry](../telemetry.md) says when each "
             f"is written). {root['description']} The schema is "
             "[`docs/schemas/event.schema.json`](../schemas/event.schema.json).\n", "## Of every event\n",
             *properties_table(root, root)]
    for one in root["oneOf"]:
        event = one["properties"]["event"]
        lines += [f"\n## {one['title']}\n", "Of the events " + ", ".join(f"`{name}`" for name in
                                                                       event.get("enum", [event.get("const")])) + ".\n",
                  *properties_table({**one, "properties": {key: value for key, value in one["properties"].items()
                                                           if key != "event"}}, root)]
    return lines


def bounds_of(schema):
    """"at least 0, at most 1" of a number."""
    words = (("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most"))
    return ", ".join(f"{word} {json.dumps(schema[key])}".removesuffix(".0") for key, word in words if key in schema)


def keys_table(schema, root):
    """The keys of an object that holds settings, with their defaults."""
    def row(key, one):
        bounds = bounds_of(one)
        value = type_of(one, root) + (f", {bounds}" if bounds else "")
        return f"`{key}`", value, f"`{json.dumps(one['default'])}`" if "default" in one else ""

    return table(["key", "value", "default"], [row(key, one) for key, one in schema["properties"].items()])


def configurations_page(schemas):
    policy, compression = schemas["gate_policy"], schemas["compression"]
    lines = ["# Configuration files\n", MADE, "The files that people write, each with its JSON Schema (draft 2020-12) for "
             "editors and validators:\n",
             *table(["file", "schema"], [(schemas[name]["title"], f"[`{name}.schema.json`](../schemas/{name}.schema.json)")
                                         for name in schemas]),
             "\nOptions as JSON objects have the keys of [Options](../options.md). An unknown key is an error everywhere.\n",
             f"## {policy['title']}\n", "`anemone gate --policy FILE`; [Gate](../gate.md). " + policy["description"] + "\n",
             "### run\n", *keys_table(policy["properties"]["run"], policy)]
    for key, check in policy["properties"]["checks"]["properties"].items():
        lines += [f"\n### checks.{key}\n", check["description"] + "\n", *keys_table(check, policy)]
    lines += [f"\n## {compression['title']}\n", "`anemone compress --config FILE`; [Compression](../compression.md). "
              + compression["description"]]
    for name, setting in compression["$defs"].items():
        if name.startswith("Op"):
            lines += [f"\n### {name}\n", *keys_table(setting, compression)]
    return lines


PAGES = {"commands.md": commands_page, "exit-codes.md": codes_page, "chips.md": chips_page, "events.md": events_page}


def printed(command):
    """Each printed file with its text."""
    def said(*arguments):
        return json.loads(subprocess.run([command, *arguments], check=True, capture_output=True, text=True).stdout)

    reference, schemas = said("reference"), said("options", "--schemas")
    texts = {FOLDER / name: "\n".join(page(reference)) + "\n" for name, page in PAGES.items()}
    texts[FOLDER / "configurations.md"] = "\n".join(configurations_page(schemas)) + "\n"
    for name, schema in schemas.items():
        texts[SCHEMAS / f"{name}.schema.json"] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--command", default=str(ROOT / "build" / "bin" / "anemone"))
    arguments = parser.parse_args()
    stale = []
    FOLDER.mkdir(exist_ok=True)
    for path, text in printed(arguments.command).items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if arguments.check:
            stale.append(str(path.relative_to(ROOT)))
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"{', '.join(stale)}: not what the code says; run python3 tools/reference.py")


if __name__ == "__main__":
    main()
