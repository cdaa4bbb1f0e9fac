"""Writes tests/fixtures/compress/codecs.npz with coremltools' own pruner and palettizer: small weights, and what they become
when compressed and decompressed. compress/codecs_test.cc expects the same bits from our pruning, and no larger an error from
our tables; its table of cases has the order of CASES below. Run with a Python that has coremltools and scikit-learn."""
import pathlib

import numpy as np
from coremltools.optimize.coreml._quantization_passes import palettize_weights, prune_weights

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "compress" / "codecs.npz"

# name, shape, dtype, arguments
PRUNE = [
    ("magnitude", (24, 12, 3, 3), "float32", dict(target_sparsity=0.6)),
    ("magnitude", (24, 12, 3, 3), "float32", dict(target_sparsity=0.0)),
    ("magnitude", (24, 12, 3, 3), "float32", dict(target_sparsity=1.0)),
    ("magnitude", (16, 40), "float16", dict(target_sparsity=0.75)),
    ("magnitude", (16, 40), "float32", dict(target_sparsity=0.5, block_size=4, dim=0)),
    ("magnitude", (18, 10, 2, 2), "float32", dict(target_sparsity=0.7, block_size=4, dim=1)),
    ("magnitude", (18, 10, 2, 2), "float16", dict(target_sparsity=0.5, block_size=5, dim=0)),
    ("nm", (16, 40), "float32", dict(n_m_ratio=(2, 4), dim=1)),
    ("nm", (18, 10, 3, 3), "float32", dict(n_m_ratio=(3, 4), dim=1)),
    ("nm", (18, 10, 3, 3), "float16", dict(n_m_ratio=(1, 2), dim=0)),
    ("threshold", (16, 40), "float32", dict(threshold=0.03, minimum_sparsity_percentile=0.2)),
    ("threshold", (16, 40), "float16", dict(threshold=0.03, minimum_sparsity_percentile=0.2)),
]
PALETTE = [
    ("KMEANS", (24, 12, 3, 3), "float32", dict(nbits=1)),
    ("KMEANS", (24, 12, 3, 3), "float32", dict(nbits=4)),
    ("KMEANS", (24, 12, 3, 3), "float16", dict(nbits=6)),
    ("KMEANS", (96, 120), "float16", dict(nbits=8)),
    ("KMEANS", (96, 120), "float16", dict(nbits=3)),
    ("KMEANS", (24, 12, 3, 3), "float32", dict(nbits=2, group=(0, 8))),
    ("KMEANS", (24, 12, 3, 3), "float16", dict(nbits=4, group=(1, 6))),
    ("KMEANS", (24, 12, 3, 3), "float32", dict(nbits=4, group=(0, 24), cluster_dim=2)),
    ("KMEANS", (24, 12, 3, 3), "float16", dict(nbits=3, group=(1, 6), cluster_dim=3)),
    ("UNIFORM", (24, 12, 3, 3), "float32", dict(nbits=4)),
    ("UNIFORM", (16, 40), "float16", dict(nbits=6)),
    ("UNIQUE", (16, 40), "float32", dict()),
]


def weights(shape: tuple[int, ...], dtype: str, seed: int, few: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape) * 0.05
    if few:
        values = np.round(values * 60) / 60
    return values.astype(dtype)


def main() -> None:
    arrays = {}
    for i, (kind, shape, dtype, arguments) in enumerate(PRUNE):
        weight = weights(shape, dtype, i, False)
        function = {"magnitude": prune_weights.compress_by_magnitude, "nm": prune_weights.compress_by_nm_sparsity,
                    "threshold": prune_weights.compress_by_threshold}[kind]
        arrays[f"prune{i}_weight"] = weight
        arrays[f"prune{i}_dense"] = prune_weights.decompress(function(weight, **arguments)).reshape(shape).astype(dtype)
    for i, (mode, shape, dtype, arguments) in enumerate(PALETTE):
        weight = weights(shape, dtype, 100 + i, mode == "UNIQUE")
        axis, group = arguments.get("group", (0, 0))
        parameters = palettize_weights.grouped_channelwise_compress(
            weight, mode, arguments.get("nbits"), axis, group, cluster_dim=arguments.get("cluster_dim", 1))
        arrays[f"palette{i}_weight"] = weight
        arrays[f"palette{i}_dense"] = palettize_weights.decompress(parameters).reshape(shape).astype(dtype)
    np.savez_compressed(OUT, **arrays)
    print(OUT, OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
