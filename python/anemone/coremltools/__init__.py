"""After install(), a script that uses coremltools predicts where there is no Core ML.

    import anemone.coremltools
    anemone.coremltools.install()
    import coremltools as ct
    ct.models.MLModel("model.mlpackage").predict({"image": picture})    # on Linux, by Anemone's executor

A script that cannot be edited: python -m anemone.coremltools SCRIPT ARGUMENT... (or -m module).

What is replaced is coremltools' native binding alone, so everything that coremltools does in Python works on it as on a
Mac: MLModel, CompiledMLModel, MLModelAsset, states, batches, compiled paths, MLModelStructure, its tools for debugging
and measuring. MLComputePlan is an estimate for one chip (EstimatedWarning), as no Core ML is there to be asked; a
compiled folder that `anemone compile` refuses to write is a stand-in (StandInWarning). Where Core ML is there (macOS),
install() changes nothing unless `force` is set.
"""

from ._installation import install, installed, uninstall
from ._settings import EstimatedWarning, StandInWarning

__all__ = ["EstimatedWarning", "StandInWarning", "install", "installed", "uninstall"]
