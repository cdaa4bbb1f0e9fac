#!/usr/bin/env python3
"""The lab, measured: a sweep of 40 variants of ResNet-50, and the search on a network with real weights.

  bench/lab.py sweep MODEL [--jobs 2] [--kill]      time of 40 variants; sizes compared with Apple's published ones
  bench/lab.py search MODEL --images DIR --labels CSV   mixes compared with uniform palettes of their size, chosen on one half of
                                                    the photographs and judged on the other

Prints one JSON document. --kill ends the sweep with SIGKILL at three places and resumes it; the time is of all parts.
"""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = os.environ.get("ANEMONE_COMMAND", str(Path(__file__).parents[1] / "build/bin/anemone"))

# Apple's table for ResNet-50 (coremltools' guide, "opt-resnet"), in MiB. What coremltools.optimize.coreml 9.0 itself makes of our ResNet-50:
# 12.28 with 4 bits, 12.39 with 4 bits in groups of 8.
APPLE_MIB = {"base": 48.8, "palette 6": 18.6, "palette 4": 12.5, "palette 4 group 8": 13.1}


def palette(nbits, group=None, **more):
    config = {"config_type": "OpPalettizerConfig", "mode": "kmeans", "nbits": nbits, **more}
    if group:
        config |= {"granularity": "per_grouped_channel", "group_size": group}
    return config


def linear(dtype, mode="linear_symmetric", granularity="per_channel", block=None):
    config = {"config_type": "OpLinearQuantizerConfig", "mode": mode, "dtype": dtype, "granularity": granularity}
    return config | ({"block_size": block} if block else {})


def prune(**how):
    return {"config_type": "OpMagnitudePrunerConfig", **how}


def forty_variants():
    settings = {"base": None}
    for nbits in (8, 6, 4, 3, 2, 1):
        settings[f"palette {nbits}"] = palette(nbits)
    for nbits in (6, 4, 3, 2):
        for group in (4, 8, 16, 32):
            settings[f"palette {nbits} group {group}"] = palette(nbits, group)
    for mode in ("linear_symmetric", "linear"):
        for granularity in ("per_tensor", "per_channel"):
            settings[f"int8 {mode} {granularity}"] = linear("int8", mode, granularity)
        for block in (16, 32, 64):
            settings[f"int4 {mode} block {block}"] = linear("int4", mode, "per_block", block)
    settings["uint8"] = linear("uint8", "linear")
    for sparsity in (0.3, 0.5, 0.7, 0.9):
        settings[f"sparse {sparsity}"] = prune(target_sparsity=sparsity)
    settings["sparse 2:4"] = prune(n_m_ratio=[2, 4])
    settings["palette 4 scaled"] = palette(4, enable_per_channel_scale=True)
    variants = [{"name": name, "configuration": None if config is None else
                 {"config_type": config["config_type"], "global_config": config}} for name, config in settings.items()]
    assert len(variants) == 40, len(variants)
    return variants


def run(*arguments, kill_after=None):
    child = subprocess.Popen([COMMAND, "lab", *map(str, arguments), "-q"], stderr=subprocess.PIPE, text=True)
    try:
        _, errors = child.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.communicate()
        return False
    if child.returncode not in (0, 1):
        sys.exit(errors)
    return True


def sweep(flags):
    with tempfile.TemporaryDirectory() as root:
        config = Path(root) / "variants.json"
        config.write_text(json.dumps({"variants": forty_variants()}))
        out = Path(root) / "lab"
        arguments = [flags.model, "-o", out, "--config", config, "--jobs", flags.jobs, "--samples", flags.samples,
                     "--minimum-deployment-target", "iOS18", "--no-fidelity"]
        started = time.monotonic()
        kills = 0
        for delay in ([10, 20, 15] if flags.kill else []):
            kills += not run(*arguments, *(["--resume"] if (out / "lab.sqlite").exists() else []), kill_after=delay)
        run(*arguments, *(["--resume"] if kills else []))
        seconds = time.monotonic() - started
        lab = json.loads((out / "lab.json").read_text())
    sizes = {variant["name"]: variant["result"]["package_bytes"] for variant in lab["variants"] if variant["result"]}
    apple = {name: {"ours_mib": sizes[name] / 2**20, "apple_mib": want,
                    "difference_pct": 100 * (sizes[name] / 2**20 / want - 1)} for name, want in APPLE_MIB.items()}
    return {"variants": len(lab["variants"]), "failed": [v["name"] for v in lab["variants"] if not v["result"]],
            "kills": kills, "jobs": flags.jobs, "samples": lab["samples"], "duration_s": seconds, "sizes": apple}


def search(flags):
    with tempfile.TemporaryDirectory() as root:
        root = Path(root)
        with open(flags.labels, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        halves = []
        for half in (0, 1):
            halves.append(root / f"half{half}.csv")
            with open(halves[-1], "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows[half::2])
        # Searched on one half, a quarter of which is only for calibration; judged on the other.
        common = ["--images", flags.images, "--jobs", flags.jobs, "--minimum-deployment-target", flags.target,
                  "--no-fidelity"]
        started = time.monotonic()
        run(flags.model, "-o", root / "search", *common, "--labels", halves[0], "--max-drop", flags.max_drop)
        seconds = time.monotonic() - started
        lab = json.loads((root / "search/lab.json").read_text())
        targets = [f"mix of the size of palette {n}{end}" for n in (4, 6) for end in ("", ", bias corrected")]
        wanted = [v for v in lab["variants"] if v["result"] and
                  (v["chosen"] or v["name"] in ("base", "palette 4", "palette 6", "palette 8", *targets))]
        names = root / "names.json"
        names.write_text(json.dumps({"variants": [{"name": v["name"], "configuration": v["configuration"]}
                                                  for v in wanted]}))
        run(flags.model, "-o", root / "judge", *common, "--labels", halves[1], "--config", names,
            "--calibration", root / "search/calibration.txt")
        judged = {v["name"]: v["result"] for v in json.loads((root / "judge/lab.json").read_text())["variants"]}
    table = [{"name": v["name"], "chosen": v["chosen"], "package_bytes": v["result"]["package_bytes"],
              "searched_on": f"{v['result']['top1']}/{v['result']['samples']}",
              "held_out": f"{judged[v['name']]['top1']}/{judged[v['name']]['samples']}",
              "held_out_loss": judged[v["name"]]["loss"]} for v in wanted]
    return {"max_drop_pct": flags.max_drop, "target": flags.target, "samples": lab["samples"],
            "calibration": lab["calibration"], "duration_s": seconds, "variants": table}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    for name in ("sweep", "search"):
        command = commands.add_parser(name)
        command.add_argument("model")
        command.add_argument("--jobs", type=int, default=2)
    commands.choices["sweep"].add_argument("--samples", type=int, default=8)
    commands.choices["sweep"].add_argument("--kill", action="store_true")
    commands.choices["search"].add_argument("--images", required=True)
    commands.choices["search"].add_argument("--labels", required=True)
    commands.choices["search"].add_argument("--max-drop", type=float, default=1)
    commands.choices["search"].add_argument("--target", default="iOS17")
    flags = parser.parse_args()
    result = {"schema": "anemone.bench.lab", "schema_version": 1, "what": flags.what, "model": Path(flags.model).name}
    result |= sweep(flags) if flags.what == "sweep" else search(flags)
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
