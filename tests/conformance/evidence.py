"""Why a prediction that a test of coremltools refused was refused: computed when it happens, for the report.

A test that asks for the tolerance of float32 can hold a program of float16 values. Whether any runtime could pass it is
not a matter of opinion:

  no_half_passes     the model declares a float16 output, and the expected values themselves, rounded to float16, are out
                     of the tolerance: whatever a runtime computes, its output cannot be within it
  unrounded_fails    the program run once more with nothing rounded (numerics = "float32": the weights and inputs stay as
                     the program stores them) is out of the tolerance too: the expected values are not those of the
                     program, but of float32 weights, or were themselves computed in float16
  unrounded_passes   run like that, it is within the tolerance: the rounding to float16 that the program declares is why

None of them excuses a result that is not even right in half precision; that it is, is evidence of its own:

  within_half        the difference is at most two units in the last place of float16: 2**-9, absolute or relative
"""
import inspect
import re

import numpy as np

from anemone.coremltools import _settings
from coremltools.converters.mil import testing_utils
from coremltools.models import MLModel
from coremltools.proto import FeatureTypes_pb2

_FLOAT16 = FeatureTypes_pb2.ArrayFeatureType.FLOAT16


def watch(log):
    """Puts the evidence of a refused prediction into the test's row. To be called before the tests are imported."""
    compare = testing_utils.compare_backend
    names = list(inspect.signature(compare).parameters)

    def watched(mlmodel, input_key_values, expected_outputs, *arguments, **keywords):
        keywords.update(zip(names[3:], arguments))
        try:
            return compare(mlmodel, input_key_values, expected_outputs, **keywords)
        except AssertionError:
            log.row["evidence"] = _evidence(compare, mlmodel, input_key_values, expected_outputs, keywords)
            raise

    testing_utils.compare_backend = watched


def _evidence(compare, mlmodel, inputs, expected, keywords):
    if not _holds_float16(mlmodel) or keywords.get("state") is not None:
        return []
    found = []
    try:
        keywords_of_half = {**keywords, "atol": 2**-9, "rtol": 2**-9, "dtype": "fp32"}
        compare(mlmodel, inputs, expected, **keywords_of_half)
        found.append("within_half")
    except AssertionError:
        pass
    if _no_half_passes(mlmodel, expected, keywords):
        found.append("no_half_passes")
    before = _settings.current
    _settings.use(before._replace(numerics="float32"))
    try:
        unrounded = MLModel(mlmodel.get_spec(), compute_units=mlmodel.compute_unit, weights_dir=mlmodel.weights_dir)
        compare(unrounded, inputs, expected, **keywords)
        found.append("unrounded_passes")
    except AssertionError:
        found.append("unrounded_fails")
    finally:
        _settings.use(before)
    return found


def _holds_float16(mlmodel):
    spec = mlmodel.get_spec()
    return spec.WhichOneof("Type") == "mlProgram" and re.search(r"dataType: FLOAT16$", str(spec.mlProgram), re.M)


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
