"""Writes tests/fixtures/packages/all_dtypes.bin with coremltools' own writer: one blob of every element type that it can
write. format/weight_test.cc expects the same bytes from ours. Run by ./dev oracle
make_weight_fixture."""
import pathlib
import sys

import numpy as np
from coremltools.converters.mil.mil.types import type_int
from coremltools.libmilstoragepython import _BlobStorageWriter

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "packages" / "all_dtypes.bin"


def main() -> None:
    writer = _BlobStorageWriter(str(OUT))
    writer.write_float_data(np.array([0, 1, 2], np.float32))
    writer.write_fp16_data(np.arange(40, dtype=np.uint16))  # bit patterns
    writer.write_uint8_data(np.arange(64, dtype=np.uint8))
    writer.write_int8_data(np.array([0, -1, 2, -3, 4], np.int8))
    writer.write_int16_data(np.array([0, -1, 2, -3, 4], np.int16))
    writer.write_uint16_data(np.array([0, 1, 2, 3, 4], np.uint16))
    writer.write_int32_data(np.array([0, -1, 2, -3, 4], np.int32))
    writer.write_uint32_data(np.array([0, 1, 2, 3, 4], np.uint32))
    writer.write_int4_data(np.array([1, -1, 2, -8, 7], type_int.np_int4_dtype))
    for bits in (1, 2, 3, 4, 6):
        values = (np.arange(11) * 5 % 2**bits).astype(getattr(type_int, f"np_uint{bits}_dtype"))
        getattr(writer, f"write_uint{bits}_data")(values)


if __name__ == "__main__":
    sys.exit(main())
