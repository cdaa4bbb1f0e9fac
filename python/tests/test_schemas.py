"""The published JSON Schemas against what the C++ writers write.

tests/fixtures/runtime/ holds lines that the C++ unit tests compare byte for byte with the writers' output."""
import copy
import json
from pathlib import Path

import onnx
import pytest
from conftest import make_network
from jsonschema import Draft202012Validator

import anemone

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "runtime"


def validator(name):
    schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def lines(name):
    return [json.loads(line) for line in (FIXTURES / name).read_text().splitlines()]


EVENT = validator("event")
RUN = validator("run")
EVENTS = lines("events.jsonl")
RUN_LINES = lines("run.jsonl")


@pytest.mark.parametrize("line", EVENTS, ids=lambda line: line["event"])
def test_every_event_is_valid(line):
    EVENT.validate(line)


@pytest.mark.parametrize("line", RUN_LINES, ids=lambda line: line["type"])
def test_every_run_line_is_valid(line):
    RUN.validate(line)


def test_the_fixtures_cover_every_kind():
    schema = EVENT.schema
    assert {line["event"] for line in EVENTS} == set(schema["properties"]["event"]["enum"])
    assert {line["type"] for line in RUN_LINES} == {"header", "call", "summary"}


def changed(line, path, value):
    line = copy.deepcopy(line)
    inner = line
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return line


@pytest.mark.parametrize("check, fixture", [(EVENT, EVENTS), (RUN, RUN_LINES)], ids=["events", "run"])
def test_nothing_may_be_missing_or_unknown(check, fixture):
    for line in fixture:
        for key in line:
            assert not check.is_valid({k: v for k, v in line.items() if k != key}), f"{key} of {line}"
        assert not check.is_valid({**line, "surprise": 1})


WRONG = [-1, 1.5, "text that is not a name", [], {}, True]


@pytest.mark.parametrize("check, fixture", [(EVENT, EVENTS), (RUN, RUN_LINES)], ids=["events", "run"])
def test_numbers_names_and_objects_are_checked(check, fixture):
    free_text = {"model", "backend", "to_backend", "compute_units", "text", "tool_version"}
    for line in fixture:
        for key, value in line.items():
            for wrong in WRONG:
                if key in free_text and isinstance(wrong, str):
                    continue
                if key == "start_ns" and wrong == -1 and check is EVENT:
                    continue  # the origin of that clock is arbitrary
                if isinstance(value, bool) and isinstance(wrong, bool):
                    continue
                if key == "planned_units" and wrong == {} and line.get("type") == "header":
                    continue
                assert not check.is_valid(changed(line, [key], wrong)), f"{key}={wrong!r} of {line}"


def test_a_plan_is_never_an_observation():
    """No line says that it was seen on the ANE: nothing that writes them can see that."""
    for line in EVENTS + RUN_LINES:
        assert line.get("observed_unit") != "ane"


def test_a_failure_is_named_exactly_when_there_is_one():
    for line in EVENTS:
        if "success" in line:
            assert not EVENT.is_valid({**line, "success": not line["success"]})
    for line in RUN_LINES:
        if line["type"] == "call":
            assert not RUN.is_valid({**line, "ok": not line["ok"]})


def test_unknown_is_null_in_a_header():
    header = RUN_LINES[0]
    for key in ("os_build", "chip", "thermal_state", "power_mode", "qos", "cores"):
        assert RUN.is_valid(changed(header, ["machine", key], None))
    assert RUN.is_valid(changed(header, ["planned_units"], None))
    assert not RUN.is_valid(changed(header, ["planned_units"], {"conv_1": "npu"}))


def test_breaker_configuration():
    check = validator("breaker_config")
    defaults = json.loads((FIXTURES / "breaker_config.json").read_text())
    check.validate(defaults)
    check.validate({})
    properties = check.schema["properties"]
    assert list(defaults) == list(properties)
    assert {key: properties[key]["default"] for key in properties} == defaults
    for wrong in ({"failure_rate": 1}, {"wait_jitter": 2}, {"sliding_window_size": 0}, {"load_timeout": 30},
                  {"slow_call_duration_threshold": "10"}, {"initial_state": "open"}):
        assert not check.is_valid(wrong), wrong


POLICIES = sorted((ROOT / "gates").glob("*.json"))
POLICY = validator("gate_policy")
COMPRESSION = validator("compression")


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_our_policies_are_valid(path):
    POLICY.validate(json.loads(path.read_text()))


def policy_is_read(policy, tmp_path):
    """Whether the reader of policies takes it; what it says of the run record that follows does not count."""
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy))
    with pytest.raises(anemone.Error) as failure:
        anemone.matrix([tmp_path / "absent.jsonl"], output=tmp_path / "out", policy=path)
    return "absent.jsonl" in str(failure.value)


def test_the_schema_of_policies_says_what_the_reader_says(tmp_path):
    policy = json.loads((ROOT / "gates" / "gate-c.json").read_text())
    assert policy_is_read(policy, tmp_path)
    changes = [(["checks", check, key], wrong) for check, limits in policy["checks"].items() for key in limits
               for wrong in ("text", -1, 1e40, {}, [1])]
    changes += [(["run", key], wrong) for key in policy["run"] for wrong in ("text", -1, 1e40, 1)]
    changes += [([key], wrong) for key in policy for wrong in (None, 1, "text", [], {})]
    changes += [(["surprise"], 1), (["run", "surprise"], 1), (["checks", "surprise"], {}), (["checks", "parity", "limits"],
                {"fp64": {}}), (["subject", "compute_units"], "npu"), (["percentiles"], [0]), (["percentiles"], [50, 101]),
                (["devices"], ["M1"]), (["devices"], [1]), (["baseline"], None), (["checks"], {"compile": {}})]
    judged = {True: 0, False: 0}
    for path, value in changes:
        other = changed(policy, path, value)
        read = policy_is_read(other, tmp_path)
        # The rules across keys are the reader's alone.
        across = path in (["baseline"], ["run", "max_duration_s"], ["run", "min_duration_s"])
        if not across:
            assert POLICY.is_valid(other) == read, (path, value)
        judged[read] += 1
    assert judged[True] > 10 and judged[False] > 100


STEP = {"config_type": "OpLinearQuantizerConfig",
        "global_config": {"config_type": "OpLinearQuantizerConfig", "mode": "linear_symmetric", "dtype": "int8",
                          "granularity": "per_channel", "weight_threshold": 16},
        "op_name_configs": {}, "op_type_configs": {"linear": {"config_type": "OpPalettizerConfig", "nbits": 4}}}


def test_the_schema_of_compressions_says_what_the_reader_says(tmp_path):
    onnx.save(make_network(), tmp_path / "network.onnx")
    model = anemone.load(tmp_path / "network.onnx")

    def is_read(configuration):
        path = tmp_path / "configuration.json"
        path.write_text(json.dumps(configuration))
        try:
            model.compress(config=path)
        except anemone.Error as error:
            assert "configuration" in str(error), error
            return False
        return True

    document = {"schema": "anemone.compress.configuration", "schema_version": 1, "steps": [STEP],
                "activations": {"observer": "min_max", "global_config": {"mode": "linear", "dtype": "uint8"}}}
    assert COMPRESSION.is_valid(document)
    cases = [STEP, {**STEP, "surprise": 1}, {**STEP, "config_type": "OpNone"}, {**STEP, "global_config": 1},
             {"global_config": STEP["global_config"]}, {**document, "activations": None, "steps": {}},
             {**document, "activations": None}, {**document, "activations": None, "schema_version": 2},
             {**document, "activations": None, "equalize": "yes"}]
    cases += [changed(STEP, ["global_config", key], wrong) for key in [*STEP["global_config"], "surprise"]
              for wrong in ("text", [], True)]
    judged = {True: 0, False: 0}
    for case in cases:
        read = is_read(case)
        assert COMPRESSION.is_valid(case) == read, case
        judged[read] += 1
    assert judged[True] >= 2 and judged[False] >= 10
