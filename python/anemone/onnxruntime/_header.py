"""What an ONNX file says of itself, read without its weights: names, types and shapes of what goes in and out, and the
metadata. The wire format of protocol buffers, of which ONNX files consist, is so plain that this needs no package."""

import mmap
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from .capi.onnxruntime_pybind11_state import InvalidProtobuf

# TensorProto.DataType: onnxruntime's name in "tensor(...)", and NumPy's.
ELEMENTS = {1: ("float", "float32"), 2: ("uint8", "uint8"), 3: ("int8", "int8"), 4: ("uint16", "uint16"),
            5: ("int16", "int16"), 6: ("int32", "int32"), 7: ("int64", "int64"), 8: ("string", ""), 9: ("bool", "bool"),
            10: ("float16", "float16"), 11: ("double", "float64"), 12: ("uint32", "uint32"), 13: ("uint64", "uint64"),
            14: ("complex64", ""), 15: ("complex128", ""), 16: ("bfloat16", ""), 17: ("float8e4m3fn", ""),
            18: ("float8e4m3fnuz", ""), 19: ("float8e5m2", ""), 20: ("float8e5m2fnuz", ""), 21: ("uint4", ""),
            22: ("int4", "")}

_NO_VERSION = (1 << 63) - 1  # what onnxruntime says of a model without one

Dim = Union[int, str, None]
Fields = Iterator[Tuple[int, Any]]


class ValueInfo(NamedTuple):
    name: str
    type: str  # "tensor(float)"
    dtype: str  # NumPy's name; empty for what is no tensor of numbers
    shape: Optional[List[Dim]]  # None: nothing is said, not even the rank


class Header(NamedTuple):
    inputs: List[ValueInfo]
    overridable: List[ValueInfo]  # inputs that have a value already
    outputs: List[ValueInfo]
    producer_name: str
    graph_name: str
    domain: str
    description: str
    graph_description: str
    version: int
    custom: Dict[str, str]


def _varint(data, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise ValueError


def _fields(data) -> Fields:
    """Number and value of each field; what is long is a view."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError
        if at + size > end:
            raise ValueError
        yield key >> 3, data[at:at + size]
        at += size


def _text(value) -> str:
    return bytes(value).decode("utf-8", "replace")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _shape(data) -> List[Dim]:
    dims: List[Dim] = []
    for number, value in _fields(data):
        if number != 1:
            continue
        dim: Dim = None
        for part, content in _fields(value):
            if part == 1:
                dim = _signed(content)
            elif part == 2:
                dim = _text(content) or None
        dims.append(dim if not isinstance(dim, int) or dim >= 0 else None)
    return dims


def _tensor(data) -> Tuple[int, Optional[List[Dim]]]:
    element, shape = 0, None
    for number, value in _fields(data):
        if number == 1:
            element = value
        elif number == 2:
            shape = _shape(value)
    return element, shape


def _type(data) -> Tuple[str, str, Optional[List[Dim]]]:
    for number, value in _fields(data):
        if number == 1:
            element, shape = _tensor(value)
            name, dtype = ELEMENTS.get(element, ("undefined", ""))
            return f"tensor({name})", dtype, shape
        if number in (4, 9):  # a sequence of, or perhaps, something
            inner = next((_type(part)[0] for field, part in _fields(value) if field == 1), "?")
            return ("seq" if number == 4 else "optional") + f"({inner})", "", None
        if number == 5:
            return "map", "", None
        if number == 8:
            return f"sparse_tensor({ELEMENTS.get(_tensor(value)[0], ('undefined', ''))[0]})", "", None
    return "undefined", "", None


def _value_info(data) -> ValueInfo:
    name = ""
    kind: Tuple[str, str, Optional[List[Dim]]] = ("undefined", "", None)
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2:
            kind = _type(value)
    return ValueInfo(name, *kind)


def _name_of_tensor(data) -> str:
    return next((_text(value) for number, value in _fields(data) if number == 8), "")


def _read(data) -> Header:
    texts = {2: "", 4: "", 6: ""}
    version, custom, graph = _NO_VERSION, {}, None
    for number, value in _fields(data):
        if number in texts:
            texts[number] = _text(value)
        elif number == 5:
            version = _signed(value)
        elif number == 7:
            graph = value
        elif number == 14:
            entry = {part: _text(content) for part, content in _fields(value)}
            custom[entry.get(1, "")] = entry.get(2, "")
    if graph is None:
        raise ValueError
    inputs, outputs, stored, names = [], [], set(), {2: "", 10: ""}
    for number, value in _fields(graph):
        if number in names:
            names[number] = _text(value)
        elif number == 5:
            stored.add(_name_of_tensor(value))
        elif number == 15:  # a sparse one, whose values have the name
            stored.update(_name_of_tensor(part) for field, part in _fields(value) if field == 1)
        elif number == 11:
            inputs.append(_value_info(value))
        elif number == 12:
            outputs.append(_value_info(value))
    return Header([each for each in inputs if each.name not in stored], [each for each in inputs if each.name in stored],
                  outputs, texts[2], names[2], texts[4], texts[6], names[10], version, custom)


def read_header(data, place: str) -> Header:
    try:
        return _read(memoryview(data))
    except (ValueError, IndexError, TypeError, AttributeError):
        raise InvalidProtobuf.of(f"Load model from {place} failed:Protobuf parsing failed.") from None


def read_header_of_file(path: str) -> Header:
    with open(path, "rb") as file:
        if file.seek(0, 2) == 0:
            return read_header(b"", path)
        # It is closed when the last view of it is gone.
        return read_header(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), path)
