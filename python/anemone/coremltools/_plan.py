"""MLComputePlan: where Core ML would run each operation of a model on one chip, as Anemone's placement rules say. An
estimate: no Core ML is asked. What is not known is None."""

import warnings
from typing import Any, Dict, List, Optional

import anemone

from . import _devices, _settings, _sources, _structure

_UNITS = {"ALL": "all", "CPU_ONLY": "cpu_only", "CPU_AND_GPU": "cpu_and_gpu", "CPU_AND_NE": "cpu_and_ne"}


class _MLComputePlanProxy:
    """Without arguments, the base of coremltools' plans of remote devices."""

    source = "estimated"

    def __init__(self, path: Optional[str] = None, compute_units: str = "ALL"):
        if path is None:
            return
        self.chip = _settings.current.chip
        self.model_structure = _structure.structure_of(path)
        self._path = _sources.readable(path)
        self._units = _UNITS[compute_units]
        # The rows of the placement by the name of each output.
        self._rows: Dict[str, Dict[str, Any]] = {}
        self._weights: Dict[str, float] = {}
        if self.model_structure.program is not None:
            for function in self.model_structure.program.functions:
                self._place(function)
        elif self.model_structure.neuralnetwork is not None:
            self._place("")

    def _place(self, function: str) -> None:
        rows = anemone.load(self._path, function=function).placement(self.chip, self._units)["ops"]
        for row in rows:
            for output in row["outputs"]:
                self._rows[output] = row
        times = [_time_of(row) for row in rows if not row["nested"]]
        known = [time for time in times if time is not None]
        # A share of a sum that is not known would be a guess.
        if sum(known) > 0 and len(known) == len(times):
            outer = [row["outputs"] for row in rows if not row["nested"]]
            self._weights.update((output, time / sum(known)) for outputs, time in zip(outer, known) for output in outputs)

    def _usage(self, outputs: List[str]):
        from coremltools.models.compute_plan import MLComputePlanDeviceUsage

        row = next((self._rows[name] for name in outputs if name in self._rows), None)
        if row is None or row["preferred"] is None:
            return None
        return MLComputePlanDeviceUsage(
            preferred_compute_device=_devices.device(row["preferred"]),
            supported_compute_devices=[_devices.device(unit) for unit in row["supported"]])

    def get_compute_device_usage_for_mlprogram_operation(self, operation):
        return self._usage([output.name for output in operation.outputs])

    def get_compute_device_usage_for_neuralnetwork_layer(self, layer):
        return self._usage(layer.output_names)

    def get_estimated_cost_for_mlprogram_operation(self, operation):
        from coremltools.models.compute_plan import MLComputePlanCost

        weight = next((self._weights[output.name] for output in operation.outputs if output.name in self._weights), None)
        return None if weight is None else MLComputePlanCost(weight)


def _time_of(row: Dict[str, Any]) -> Optional[float]:
    """What Core ML is believed to think that the operation takes where it is placed."""
    beliefs = row["segmenter_estimate_us"]
    if row["preferred"] == "ane":
        return beliefs["ane"]
    if row["preferred"] == "cpu":
        return beliefs["bnns"] if beliefs["bnns"] is not None else beliefs["classic_cpu"]
    return None


def plan_of(path: str, compute_units: str):
    """coremltools' MLComputePlan of what is at `path`."""
    from coremltools.models.compute_plan import MLComputePlan

    proxy = _MLComputePlanProxy(path, compute_units)
    warnings.warn(f"the compute plan is estimated by Anemone for the chip {proxy.chip}; Core ML was not asked",
                  _settings.EstimatedWarning, stacklevel=4)
    return MLComputePlan(proxy)
