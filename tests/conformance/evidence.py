"""Why a prediction that a test of coremltools refused was refused: computed when it happens, for the report.

A test that asks for the tolerance of float32 can hold a program of float16 values. Whether any runtime could pass it is
not a matter of opinion:

  no_half_passes     the model declares a float16 output, and the expected values themselves, rounded to float16, are out
                     of the tolerance: whatever a runtime computes, its output cannot be within it
  unrounded_fails    the program run once more with nothing rounded (numerics = "float32": the weights and inputs stay as
                     the program stores them) is out of the tolerance too: the expected values are not those of the
                     program, but of float32 weights, or were themselves computed in float16
  unrounded_passes   run like that, it is within the tolerance: the rounding to float16 that the program declares is why
"""
import numpy as np

from anemone.coremltools import _settings
from coremltools.converters.mil import testing_utils
from coremltools.models import MLModel
from coremltools.proto import FeatureTypes_pb2

_FLOAT16 = FeatureTypes_pb2.ArrayFeatureType.FLOAT16


def watch(log):
    """Puts the evidence of a refused prediction into the test's row. To be called before the tests are imported."""
    compare = testing_utils.compare_backend

    def watched(mlmodel, input_key_values, expected_outputs, *arguments, **keywords):
        try:
            return compare(mlmodel, input_key_values, expected_outputs, *arguments, **keywords)
        except AssertionError:
            log.row["evidence"] = _evidence(compare, mlmodel, input_key_values, expected_outputs, arguments, keywords)
            raise

    testing_utils.compare_backend = watched


def _evidence(compare, mlmodel, inputs, expected, arguments, keywords):
    if not _holds_float16(mlmodel) or keywords.get("state") is not None:
        return []
    found = []
    if _no_half_passes(mlmodel, expected, keywords):
        found.append("no_half_passes")
    before = _settings.current
    _settings.use(before._replace(numerics="float32"))
    try:
        unrounded = MLModel(mlmodel.get_spec(), compute_units=mlmodel.compute_unit, weights_dir=mlmodel.weights_dir)
        compare(unrounded, inputs, expected, *arguments, **keywords)
        found.append("unrounded_passes")
    except AssertionError:
        found.append("unrounded_fails")
    finally:
        _settings.use(before)
    return found


def _holds_float16(mlmodel):
    program = mlmodel._mil_program
    if program is None:
        return False
    return any("fp16" in str(function) for function in program.functions.values())


def _no_half_passes(mlmodel, expected, keywords):
    if keywords.get("dtype", "fp32") != "fp32":
        return False
    for output in mlmodel.get_spec().description.output:
        want = expected.get(output.name)
        if output.type.multiArrayType.dataType != _FLOAT16 or not isinstance(want, np.ndarray):
            continue
        nearest = want.astype(np.float16).astype(want.dtype)
        if not np.allclose(nearest, want, atol=keywords.get("atol", 1e-4), rtol=keywords.get("rtol", 1e-5)):
            return True
    return False
