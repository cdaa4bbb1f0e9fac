"""Writes tests/fixtures/compress/linear.npz with coremltools' own quantizer: small tensors, and what it makes of them, for
every dtype, mode and granularity. compress/linear_codec_test.cc expects the same bits from ours. Run with a Python that
has coremltools (Linux or macOS)."""
import pathlib
import sys

import numpy as np
from coremltools.optimize import _utils as optimize_utils

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "compress" / "linear.npz"
DTYPES = ["int8", "uint8", "int4", "uint4"]
MODES = ["LINEAR_SYMMETRIC", "LINEAR"]


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    normal = rng.standard_normal((6, 4, 3, 2)).astype(np.float32)
    skewed = (rng.random((8, 6)) * 3 - 0.25).astype(np.float32)
    ties = (np.arange(48, dtype=np.float32) - 24).reshape(8, 6) / 2  # quotients that lie between two whole numbers
    channels = normal * np.array([1e-3, 1, 1e3, 0, 1e-20, 1e20], np.float32).reshape(6, 1, 1, 1)
    long = rng.standard_normal((2, 1100)).astype(np.float32)
    return {
        "normal": normal,
        "skewed": skewed,
        "ties": ties,
        "channels": channels,
        "long": long,
        "zeros": np.zeros((4, 6), np.float32),
        "positive": np.abs(skewed) + 1,
        "one": np.full((2, 2), -3.5, np.float32),
    }


def block_sizes(shape: tuple[int, ...]) -> list[list[int]]:
    rank = len(shape)
    cases = [[0] * rank, [1] + [0] * (rank - 1), [0, 1] + [0] * (rank - 2), [1, 2] + [0] * (rank - 2)]
    if rank == 4:
        cases += [[0, 0, 0, 1], [2, 2, 3, 1]]
    return [case for case in cases if all(b == 0 or s % b == 0 for b, s in zip(case, shape))]


def main() -> None:
    # One row of `cases` for each: shape, block sizes (both filled up to rank 4 with -1), index of the dtype, of the mode,
    # half or not, and where its parts start in the flat arrays (offset -1: none).
    rows, weights, data_parts, scales, offsets = [], [], [], [], []
    start = {"weight": 0, "data": 0, "scale": 0, "offset": 0}
    for name, tensor in tensors().items():
        for half in (False, True):
            if half and name in ("channels", "long"):
                continue  # scales that half precision cannot hold; size
            weight = tensor.astype(np.float16) if half else tensor
            for dtype in DTYPES[: 2 if name == "long" else 4]:
                for mode in MODES:
                    for blocks in block_sizes(weight.shape)[: 2 if name == "long" else None]:
                        with np.errstate(all="ignore"):
                            data, scale, offset = optimize_utils.compute_qparams_by_dtype(
                                weight, optimize_utils.types.string_to_builtin(dtype), mode, blocks
                            )
                        pad = [-1] * (4 - weight.ndim)
                        rows.append(
                            [*weight.shape, *pad, *blocks, *pad, DTYPES.index(dtype), MODES.index(mode), int(half),
                             start["weight"], start["data"], start["scale"], start["offset"] if offset is not None else -1]
                        )
                        data_parts.append(data.astype(np.int16).ravel())
                        start["data"] += data.size
                        scales.append(scale.astype(np.float32).ravel())
                        start["scale"] += scale.size
                        if offset is not None:
                            offsets.append(offset.astype(np.int16).ravel())
                            start["offset"] += offset.size
            weights.append(weight.astype(np.float32).ravel())
            start["weight"] += weight.size
    np.savez_compressed(
        OUT,
        cases=np.array(rows, np.int32),
        weights=np.concatenate(weights),
        data=np.concatenate(data_parts),
        scales=np.concatenate(scales),
        offsets=np.concatenate(offsets),
    )
    print(f"{len(rows)} cases, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    sys.exit(main())
