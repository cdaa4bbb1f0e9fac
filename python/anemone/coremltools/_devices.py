"""Compute devices as coremltools knows them. Predictions are made by the CPU here; the GPU and the Neural Engine are
those of the chip that a plan is estimated for."""

from typing import Any, Dict


class _MLCPUComputeDeviceProxy:
    pass


class _MLGPUComputeDeviceProxy:
    pass


class _MLNeuralEngineComputeDeviceProxy:
    # Every chip of placement's table, from A14 and M1 on.
    CORES = 16

    def get_total_core_count(self) -> int:
        return self.CORES


_proxies = {
    "cpu": _MLCPUComputeDeviceProxy(),
    "gpu": _MLGPUComputeDeviceProxy(),
    "ane": _MLNeuralEngineComputeDeviceProxy(),
}
_devices: Dict[str, Any] = {}


def device(unit: str):
    """coremltools' object for "cpu", "gpu" or "ane": always the same one."""
    if unit not in _devices:
        from coremltools.models import compute_device

        kinds = {"cpu": compute_device.MLCPUComputeDevice, "gpu": compute_device.MLGPUComputeDevice,
                 "ane": compute_device.MLNeuralEngineComputeDevice}
        _devices[unit] = kinds[unit](_proxies[unit])
    return _devices[unit]
