"""Run records made by hand, of machines that do not exist: pairs whose calls alternate in blocks, A B B A, on one clock."""

import json
import math
import random
import re

FAILURES = ["compile_error", "load_error", "schema_mismatch", "timeout", "memory_pressure", "runtime_error", "crash",
            "non_finite", "parity_drift", "unknown"]
FALLBACKS = [*FAILURES, "circuit_open", "not_ready", "not_available", "dispatch"]
UNITS = ["unknown", "cpu", "gpu", "ane", "mixed"]
BLOCK = 25


def _header(backend, chip, model, model_hash):
    planned = [["conv_0", "ane"], ["conv_1", "ane"], ["softmax", "cpu"]]
    return {
        "schema": "anemone.run", "schema_version": 1, "type": "header", "time_unix_ns": 1_700_000_000_000_000_000,
        "tool_version": "0.1.0",
        "machine": {"os": "macos", "os_version": "0.0", "os_build": "FICTION", "architecture": "arm64",
                    "hardware_model": None, "chip": chip, "cores": 8, "memory_bytes": 1 << 34,
                    "thermal_state": "nominal", "power_mode": "normal", "qos": None},
        "model": model, "model_hash": model_hash, "threads": 4, "clients": 1, "backend": backend,
        "compute_units": "cpu_only" if backend == "cpu" else "all",
        "planned_units": None if backend == "cpu" else dict(planned),
    }


def _percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, math.ceil(len(sorted_values) * share) - 1)]


def _summary(calls):
    times = sorted(call["duration_ns"] for call in calls)
    zero = dict.fromkeys(FAILURES, 0)

    def by_unit(key):
        return {unit: sum(call[key] == unit for call in calls) for unit in UNITS}

    latency = {f"p{name}_ns": _percentile(times, int(name) / 10 ** len(name))
               for name in ("50", "90", "95", "99", "999")}
    once = {"succeeded": 1, "failed": 0, "p50_ns": 1_000_000}
    return {"type": "summary", "calls": len(calls), "ok": len(calls), "failed": 0, "failures": zero,
            "fallbacks": dict.fromkeys(FALLBACKS, 0), "planned_units": by_unit("planned_unit"),
            "observed_units": by_unit("observed_unit"),
            "latency": {"min_ns": times[0], **latency, "max_ns": times[-1]},
            "compile": {"succeeded": 0, "failed": 0, "p50_ns": None}, "load": once, "first_inference": once,
            "inference": {"succeeded": len(calls), "failed": 0, "p50_ns": times[len(times) // 2]},
            "memory_high_water_bytes": 50_000_000, "circuit_transitions": 0, "events_dropped": 0}


def write_pair(folder, chip, model="net", letter="a", coreml_ms=5.0, cpu_ms=10.0, calls=1000, ended=True):
    """Writes subject and baseline below `folder`; `ended`: with the summary that a process which died does not write."""
    rng = random.Random(11)
    clock, records = 0, {"coreml": [], "cpu": []}
    memory = {"coreml": [], "cpu": []}
    middle = {"coreml": coreml_ms, "cpu": cpu_ms}
    turn = 0
    while len(records["coreml"]) < calls:
        for backend in ("coreml", "cpu") if turn % 2 == 0 else ("cpu", "coreml"):
            for _ in range(BLOCK):
                duration = int(middle[backend] * 1e6 * (1 + 0.02 * rng.gauss(0, 1)))
                records[backend].append({
                    "type": "call", "index": len(records[backend]), "start_ns": clock, "duration_ns": duration, "ok": True,
                    "backend": backend, "planned_unit": "cpu" if backend == "cpu" else "ane",
                    "observed_unit": "cpu" if backend == "cpu" else "unknown", "attempts": 1, "fallback_reason": "none",
                    "circuit_state": None, "failure": None})
                clock += duration + 1000
            memory[backend].append((len(records[backend]), {
                "type": "memory", "time_ns": clock, "calls": len(records[backend]), "resident_bytes": 50_000_000}))
        turn += 1
    folder.mkdir(parents=True, exist_ok=True)
    parity = [{"type": "parity", "output": "y", "inputs": "synthetic", "reference": reference, "precision": "fp16",
               "samples": 4, "non_finite": 0, "l_inf": 1e-3, "rmse": 1e-4, "relative": False}
              for reference in ("cpu", f"{model}_fp32")]
    paths = []
    for backend, lines in records.items():
        out = [_header(backend, chip, model, letter * 64), *(parity if backend == "coreml" else parity[1:])]
        samples = dict(memory[backend])
        for line in lines:
            out.append(line)
            if line["index"] + 1 in samples:
                out.append(samples[line["index"] + 1])
        if ended:
            out.append(_summary(lines))
        path = folder / f"{re.sub('[^a-zA-Z0-9]+', '_', f'{model} {chip}')}.{backend}.run.jsonl"
        path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in out))
        paths.append(path)
    return paths
