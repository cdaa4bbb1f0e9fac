"""ONNX's own node tests: none gives wrong numbers, and docs/onnx-coverage.md says what they do."""

import sys
from pathlib import Path

import pytest

ORACLE = Path(__file__).parents[2] / "tests" / "oracle"


@pytest.fixture(scope="module")
def oracle():
    sys.path.insert(0, str(ORACLE))
    try:
        import onnx_node_tests
        yield onnx_node_tests
    finally:
        sys.path.remove(str(ORACLE))


@pytest.fixture(scope="module")
def results(oracle):
    return oracle.run_all()


def test_no_test_gives_wrong_numbers_or_is_called_invalid(results):
    found = [(one.name, mode, *outcome) for one in results for mode, outcome in one.outcomes.items()
             if outcome.state in ("wrong", "invalid")]
    assert not found


def test_the_goals_hold(oracle, results):
    """At least 75 % with nothing altered and 95 % with constants frozen, of what Core ML can express."""
    counts = oracle.counts(results)
    assert sum(counts["unaltered"].values()) > 1500
    for mode, share in (("unaltered", 0.75), ("frozen", 0.95)):
        assert counts[mode]["passed"] >= share * sum(counts[mode].values()), counts[mode]


def test_the_document_is_up_to_date(oracle, results):
    written = oracle.DOCUMENT.read_text(encoding="utf-8")
    assert written == oracle.document(results), "run python3 tests/oracle/onnx_node_tests.py --write"


def test_float16_is_not_wrong_in_silence(oracle):
    """Operators that half precision overflows or starves; tests/oracle/onnx_node_tests.py --float16 runs all."""
    found = oracle.run_float16(("test_softmax_large", "test_logsoftmax_large", "test_reduce_log_sum_exp_default",
                                "test_reduce_prod", "test_exp", "test_quantizelinear", "test_nllloss_NC",
                                "test_layer_normalization_2d"))
    assert len(found["right"]) + len(found["mended"]) > 20
    assert not found["wrong"] and not found["unseen"]
