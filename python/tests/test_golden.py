"""The command makes the packages, manifests and reports that it made when tests/fixtures/golden/outputs.sha256 was written.

A change that is meant to alter them runs `./dev golden --write` and says in its commit which files changed, and why.
"""

import pytest
from golden import COMMAND, differences, made_by, masked, read_list

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def test_outputs_are_those_of_the_list():
    found = differences(read_list(), made_by(COMMAND))
    assert not found, "\n".join(found) + "\n(if this is meant: ./dev golden --write)"


def test_only_the_named_values_are_blanked():
    text = '{\n  "l_inf": 0.25,\n  "passed": true,\n  "limit_l_inf": 0.5,\n  "cosine": 1.0\n}\n'
    assert masked(text, ("l_inf", "cosine")) == (
        '{\n  "l_inf": *,\n  "passed": true,\n  "limit_l_inf": 0.5,\n  "cosine": *\n}\n')


def test_a_difference_is_named():
    assert differences({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "0", "d": "4"}) == [
        "b: differs", "c: not made", "d: new"]
