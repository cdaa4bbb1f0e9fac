"""Quantizes a package with coremltools and with `anemone compress`, and compares every compressed weight: which constants,
data, scales, offsets. Usage: compare_quantization.py ANEMONE MODEL.mlpackage. Run with a Python that has coremltools."""
import pathlib
import subprocess
import sys
import tempfile

import coremltools as ct
import coremltools.optimize as cto
import numpy as np
from coremltools.converters.mil.frontend.milproto.load import load as load_program

KINDS = {
    "constexpr_affine_dequantize": ("quantized_data", "scale", "zero_point"),
    "constexpr_blockwise_shift_scale": ("data", "scale", "offset"),
}


def compressed_weights(path: str) -> dict[str, tuple]:
    """By the bytes' own identity: (consumer operator, shape, occurrence) -> parts."""
    model = ct.models.MLModel(path, skip_model_load=True)
    program = load_program(
        model.get_spec(), specification_version=model.get_spec().specificationVersion, file_weights_dir=model.weights_dir
    )
    found, seen = {}, {}
    for function in program.functions.values():
        for op in function.operations:
            if op.op_type not in KINDS:
                continue
            parts = []
            for name in KINDS[op.op_type]:
                value = getattr(op, name)
                parts.append(None if value is None else np.asarray(value.val))
            consumer = op.outputs[0].child_ops[0].op_type
            key = (op.op_type, consumer, parts[0].shape)
            seen[key] = seen.get(key, 0) + 1
            found[(*key, seen[key])] = tuple(parts)
    return found


def main() -> int:
    anemone, package = sys.argv[1:]
    different = 0
    with tempfile.TemporaryDirectory() as folder:
        for granularity in ("per_tensor", "per_channel"):
            theirs_path = str(pathlib.Path(folder) / f"theirs_{granularity}.mlpackage")
            ours_path = str(pathlib.Path(folder) / f"ours_{granularity}.mlpackage")
            config = cto.coreml.OptimizationConfig(
                global_config=cto.coreml.OpLinearQuantizerConfig(mode="linear_symmetric", granularity=granularity)
            )
            model = ct.models.MLModel(package, skip_model_load=True)
            cto.coreml.linear_quantize_weights(model, config).save(theirs_path)
            subprocess.run(
                [anemone, "compress", package, "-o", ours_path, "--mode", "linear_symmetric", "--dtype", "int8",
                 "--granularity", granularity],
                check=True,
            )
            theirs, ours = compressed_weights(theirs_path), compressed_weights(ours_path)
            for key in sorted(set(theirs) | set(ours), key=str):
                a, b = theirs.get(key), ours.get(key)
                same = a is not None and b is not None and all(
                    (x is None) == (y is None) and (x is None or np.array_equal(x, y)) for x, y in zip(a, b)
                )
                if not same:
                    different += 1
                    print("different:", key, "missing" if a is None or b is None else "")
            print(f"{granularity}: {len(theirs)} tensors by coremltools, {len(ours)} by anemone, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
