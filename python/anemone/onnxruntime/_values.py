"""OrtValue, OrtDevice and IOBinding: arrays in the computer's memory, which is the only device there is here."""

import ctypes
import math
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from . import _header
from .capi.onnxruntime_pybind11_state import InvalidArgument, NotImplemented

_TYPES = {dtype: f"tensor({name})" for name, dtype in _header.ELEMENTS.values() if dtype}
_NUMBERS = {dtype: number for number, (_, dtype) in _header.ELEMENTS.items() if dtype}


def _check_device(device_type: str) -> None:
    if device_type != "cpu":
        raise NotImplemented.of(f"device '{device_type}': arrays are in the computer's memory, the device 'cpu'")


def _dtype_of(element_type: Any) -> np.dtype:
    """NumPy's dtype, or the one of a number of onnx.TensorProto."""
    if isinstance(element_type, int):
        name = _header.ELEMENTS.get(element_type, ("", ""))[1]
        if not name:
            raise NotImplemented.of(f"the element type {element_type} is not supported")
        return np.dtype(name)
    return np.dtype(element_type)


class OrtDevice:
    def __init__(self, device_type: str = "cpu", device_id: int = 0):
        _check_device(device_type)
        self._id = device_id

    @staticmethod
    def make(device_type: str, device_id: int = 0, vendor_id: int = -1) -> "OrtDevice":
        return OrtDevice(device_type, device_id)

    def device_type(self) -> str:
        return "cpu"

    def device_id(self) -> int:
        return self._id


class OrtValue:
    """A tensor. Made by the functions below; it shares the array's memory."""

    def __init__(self, array: np.ndarray):
        self._array = array

    @staticmethod
    def ortvalue_from_numpy(numpy_obj: np.ndarray, device_type: str = "cpu", device_id: int = 0,
                            vendor_id: int = -1) -> "OrtValue":
        _check_device(device_type)
        array = np.ascontiguousarray(numpy_obj) if np.ndim(numpy_obj) else np.asarray(numpy_obj)
        if array.dtype.name not in _TYPES:
            raise NotImplemented.of(f"an array of {array.dtype} is not a tensor of numbers")
        return OrtValue(array)

    @staticmethod
    def ortvalue_from_shape_and_type(shape: Sequence[int], element_type: Any = np.float32, device_type: str = "cpu",
                                     device_id: int = 0, vendor_id: int = -1) -> "OrtValue":
        _check_device(device_type)
        return OrtValue(np.zeros(tuple(shape), _dtype_of(element_type)))

    @staticmethod
    def from_dlpack(array: Any) -> "OrtValue":
        return OrtValue.ortvalue_from_numpy(np.from_dlpack(array))

    def __dlpack__(self, **arguments: Any) -> Any:
        return self._array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    def numpy(self) -> np.ndarray:
        """A copy, as onnxruntime's."""
        return self._array.copy()

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self._array, dtype=dtype)

    def update_inplace(self, np_arr: np.ndarray) -> None:
        if np_arr.shape != self._array.shape or np_arr.dtype != self._array.dtype:
            raise InvalidArgument.of(f"update_inplace: {np_arr.dtype} {list(np_arr.shape)} into {self._array.dtype} "
                                     f"{list(self._array.shape)}")
        self._array[...] = np_arr

    def shape(self) -> List[int]:
        return list(self._array.shape)

    def data_type(self) -> str:
        return _TYPES[self._array.dtype.name]

    def element_type(self) -> int:
        return _NUMBERS[self._array.dtype.name]

    def data_ptr(self) -> int:
        return self._array.ctypes.data

    def tensor_size_in_bytes(self) -> int:
        return self._array.nbytes

    def device_name(self) -> str:
        return "cpu"

    def has_value(self) -> bool:
        return True

    def is_tensor(self) -> bool:
        return True

    def is_sparse_tensor(self) -> bool:
        return False

    def is_tensor_sequence(self) -> bool:
        return False


def _at(pointer: int, shape: Sequence[int], element_type: Any) -> np.ndarray:
    """The caller's memory as an array."""
    dtype = _dtype_of(element_type)
    memory = (ctypes.c_char * (math.prod(shape) * dtype.itemsize)).from_address(int(pointer))
    return np.frombuffer(memoryview(memory), dtype).reshape(tuple(shape))


class IOBinding:
    """What goes in and where it comes out, by name. Made by InferenceSession.io_binding()."""

    def __init__(self, session: Any):
        self._session = session
        self._inputs: Dict[str, np.ndarray] = {}
        self._outputs: Dict[str, Optional[np.ndarray]] = {}  # an array to fill, or None
        self._results: List[np.ndarray] = []

    def bind_cpu_input(self, name: str, arr_on_cpu: np.ndarray) -> None:
        self._inputs[self._known(name, self._session.get_inputs())] = arr_on_cpu

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        self.bind_cpu_input(name, ortvalue._array)

    def bind_input(self, name: str, device_type: str, device_id: int, element_type: Any, shape: Sequence[int],
                   buffer_ptr: int) -> None:
        _check_device(device_type)
        self.bind_cpu_input(name, _at(buffer_ptr, shape, element_type))

    def bind_output(self, name: str, device_type: str = "cpu", device_id: int = 0, element_type: Any = None,
                    shape: Optional[Sequence[int]] = None, buffer_ptr: Optional[int] = None) -> None:
        _check_device(device_type)
        self._known(name, self._session.get_outputs())
        if buffer_ptr is None:
            self._outputs[name] = None
        elif element_type is None or shape is None:
            raise ValueError("`element_type` and `shape` are to be provided if pre-allocated memory is provided")
        else:
            self._outputs[name] = _at(buffer_ptr, shape, element_type)

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        self._outputs[self._known(name, self._session.get_outputs())] = ortvalue._array

    @staticmethod
    def _known(name: str, declared) -> str:
        if name not in [each.name for each in declared]:
            raise InvalidArgument.of(f"Failed to find NodeArg in all Nodes with name {name}")
        return name

    def synchronize_inputs(self) -> None:
        """There is nothing to wait for."""

    def synchronize_outputs(self) -> None:
        """There is nothing to wait for."""

    def get_outputs(self) -> List[OrtValue]:
        return [OrtValue(array) for array in self._results]

    def copy_outputs_to_cpu(self) -> List[np.ndarray]:
        return [array.copy() for array in self._results]

    def clear_binding_inputs(self) -> None:
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        self._outputs.clear()

    def _run(self, run_options: Any) -> None:
        results = self._session.run(list(self._outputs), self._inputs, run_options)
        self._results = []
        for (name, target), result in zip(self._outputs.items(), results):
            if target is None:
                self._results.append(result)
                continue
            if target.shape != result.shape or target.dtype != result.dtype:
                raise InvalidArgument.of(f"the output '{name}' is {result.dtype} {list(result.shape)}, but {target.dtype} "
                                         f"{list(target.shape)} is bound to it")
            target[...] = result
            self._results.append(target)
