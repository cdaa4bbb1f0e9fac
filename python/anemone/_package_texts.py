"""Texts of a package that people read: description, author, license, version, and of its features. They are written into
the model's specification, a protobuf message whose other fields stay as they are, byte by byte."""

import os
from typing import Dict, Iterator, List, Tuple

# Numbers of fields in Core ML's Model.proto and FeatureTypes.proto.
_DESCRIPTION, _INPUT, _OUTPUT, _METADATA = 2, 1, 10, 100
_NAME, _SHORT_DESCRIPTION, _USER_DEFINED, _KEY, _VALUE = 1, 2, 100, 1, 2
_TEXTS = {"short_description": 1, "version": 2, "author": 3, "license": 4}
_BYTES = 2  # the wire type of texts and messages

_Field = Tuple[int, int, bytes]  # number, wire type, the value as it is written


def _varint(data: bytes, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _fields(data: bytes) -> Iterator[_Field]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _BYTES:
            size, at = _varint(data, at)
            yield number, wire, data[at:at + size]
            at += size
            continue
        end = _varint(data, at)[1] if wire == 0 else at + (8 if wire == 1 else 4)
        yield number, wire, data[at:end]
        at = end


def _message(fields: List[_Field]) -> bytes:
    parts = []
    for number, wire, value in fields:
        parts.append(_as_varint(number << 3 | wire))
        if wire == _BYTES:
            parts.append(_as_varint(len(value)))
        parts.append(value)
    return b"".join(parts)


def _value(message: bytes, number: int) -> str:
    """The text in a field; "" when it is absent."""
    return next((value.decode() for each, _, value in _fields(message) if each == number), "")


def _with_text(message: bytes, number: int, text: str) -> bytes:
    kept = [field for field in _fields(message) if field[0] != number]
    return _message(kept + [(number, _BYTES, text.encode())])


def _with_metadata(metadata: bytes, texts: Dict[str, str], user_defined: Dict[str, str]) -> bytes:
    for name, text in texts.items():
        metadata = _with_text(metadata, _TEXTS[name], text)
    kept = [field for field in _fields(metadata)
            if field[0] != _USER_DEFINED or _value(field[2], _KEY) not in user_defined]
    for key, value in user_defined.items():
        entry = _message([(_KEY, _BYTES, str(key).encode()), (_VALUE, _BYTES, str(value).encode())])
        kept.append((_USER_DEFINED, _BYTES, entry))
    return _message(kept)


def _described(feature: bytes, texts: Dict[str, str]) -> bytes:
    name = _value(feature, _NAME)
    return _with_text(feature, _SHORT_DESCRIPTION, texts[name]) if name in texts else feature


def write(path: str, texts: Dict[str, str], user_defined: Dict[str, str], inputs: Dict[str, str],
          outputs: Dict[str, str]) -> None:
    """Into the package at `path`; empty dicts change nothing."""
    file = os.path.join(path, "Data", "com.apple.CoreML", "model.mlmodel")
    with open(file, "rb") as opened:
        model = list(_fields(opened.read()))
    changed: List[_Field] = []
    for number, wire, value in model:
        if number == _DESCRIPTION:
            description = list(_fields(value))
            metadata = b"".join(field[2] for field in description if field[0] == _METADATA)
            kept: List[_Field] = []
            for field in description:
                if field[0] in (_INPUT, _OUTPUT):
                    field = (field[0], field[1], _described(field[2], inputs if field[0] == _INPUT else outputs))
                if field[0] != _METADATA:
                    kept.append(field)
            kept.append((_METADATA, _BYTES, _with_metadata(metadata, texts, user_defined)))
            value = _message(kept)
        changed.append((number, wire, value))
    written = file + ".new"
    with open(written, "wb") as opened:
        opened.write(_message(changed))
    os.replace(written, file)
