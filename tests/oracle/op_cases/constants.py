"""Cases of src/ops/constexpr_ops; the oracle is coremltools, which decompresses these constants in NumPy."""
import numpy as np
from coremltools.converters.mil.mil import types
from coremltools.converters.mil.mil.ops.defs.iOS16 import constexpr_ops as ios16
from coremltools.converters.mil.mil.ops.defs.iOS18 import compression as ios18
from coremltools.optimize import _utils as optimize

from writer import Cases, literal, values

RNG = np.random.default_rng(5)


def integers(low, high, *shape, dtype=np.int8):
    return RNG.integers(low, high, shape).astype(dtype)


def shape_literal(shape):
    return literal(np.array(shape, np.uint32))


def affine(c):
    data = integers(-128, 128, 2, 3, 2)
    per_axis = np.array([0.5, 0.25, 2], np.float32)
    zero = np.array([1, -2, 127], np.int8)
    op = "constexpr_affine_dequantize"

    def run(name, data, zero, scale, axis):
        y = ios16.constexpr_affine_dequantize.decompress(data, zero, scale, axis)
        c.add(f"{op}_{name}", f"y = {op}(quantized_data = {literal(data)}, zero_point = {literal(zero)}, "
              f"scale = {literal(scale)}, axis = {axis});", {}, {"y": y.astype(scale.dtype)}, opset="ios16")

    run("along_axis", data, zero, per_axis, 1)
    run("scalars_negative_axis", data.view(np.uint8), np.array(128, np.uint8), np.array(0.1, np.float32), -1)
    run("float_zero_point_fp16", data, np.array(0.5, np.float32), per_axis.astype(np.float16), 1)
    d = f"quantized_data = {literal(data)}"
    bad = lambda name, args, n: c.reject(f"{op}_c{n}_{name}", f"y = {op}({args});", {}, f"{op}_c{n}", "ios16")
    bad("axis_outside", f"{d}, zero_point = {literal(zero)}, scale = {literal(per_axis)}, axis = 3", 1)
    bad("scale_too_short", f"{d}, zero_point = {literal(zero)}, scale = {literal(per_axis[:2])}, axis = 1", 2)
    bad("zero_point_of_rank_2", f"{d}, zero_point = {literal(zero[None])}, scale = {literal(per_axis)}, axis = 1", 2)

    half = np.array([0.1, -65504], np.float16)
    c.add("constexpr_cast", f'y = constexpr_cast(source_val = {literal(half)}, output_dtype = "fp32");', {},
          {"y": half.astype(np.float32)}, opset="ios16")
    c.reject("constexpr_cast_c1_int32", f'y = constexpr_cast(source_val = {literal(half)}, output_dtype = "int32");', {},
             "constexpr_cast_c1", "ios16")


def flat_forms(c):
    lut = "constexpr_lut_to_dense"
    for bits in (1, 2, 4, 6, 8):
        table = values(2**bits, seed=bits) if bits < 6 else (np.arange(2**bits) / 4).astype(np.float32)
        indices = integers(0, 2**bits, 2, 5, dtype=np.uint8)
        packed = optimize.pack_elements_into_bits(indices, bits)
        y = ios16.constexpr_lut_to_dense.decompress(table, packed, np.array([2, 5]))
        c.add(f"{lut}_flat_{bits}_bits", f"y = {lut}(indices = {literal(packed)}, lut = {literal(table)}, "
              f"shape = {shape_literal([2, 5])});", {}, {"y": y}, opset="ios16")
    bytes_, table = literal(np.array([27], np.uint8)), literal(np.array([1, 2, 3, 4], np.int8))
    c.add(f"{lut}_flat_int8", f"y = {lut}(indices = {bytes_}, lut = {table}, shape = {shape_literal([4])});", {},
          {"y": np.array([4, 3, 2, 1], np.int8)}, opset="ios16")
    bad = lambda op, name, args, n, opset="ios16": c.reject(f"{op}_c{n}_{name}", f"y = {op}({args});", {}, f"{op}_c{n}",
                                                            opset)
    bad(lut, "indices_of_rank_2", f"indices = tensor<uint8, [1, 1]>([0]), lut = {table}, shape = {shape_literal([4])}", 1)
    bad(lut, "eight_entries", f"indices = {bytes_}, lut = tensor<fp32, [8]>(seed 1), shape = {shape_literal([2])}", 2)
    bad(lut, "shape_missing", f"indices = {bytes_}, lut = {table}", 3)
    bad(lut, "too_few_bytes", f"indices = {bytes_}, lut = {table}, shape = {shape_literal([5])}", 3)
    bad(lut, "shape_overflows",
        f"indices = {bytes_}, lut = {table}, shape = {shape_literal([4294967295, 4294967295, 4294967295])}", 3)
    bad(lut, "shape_from_ios18_on", "indices = tensor<uint2, [4]>([0, 1, 2, 3]), lut = tensor<fp32, [1, 4, 1]>(seed 1), "
        f"shape = {shape_literal([4])}", 3, "ios18")

    sparse = "constexpr_sparse_to_dense"
    mask, data = np.array([0b01010011, 0b10], np.uint8), values(5, seed=3)
    y = ios16.constexpr_sparse_to_dense.decompress(data, np.array([0b01010011, 0b10], np.uint8), np.array([4, 4]))
    c.add(f"{sparse}_flat", f"y = {sparse}(nonzero_data = {literal(data)}, mask = {literal(mask)}, "
          f"shape = {shape_literal([2, 5])});", {}, {"y": y.ravel()[:10].reshape(2, 5)}, opset="ios16")
    d, five = f"nonzero_data = {literal(data)}", shape_literal([10])
    bad(sparse, "mask_of_rank_2", f"{d}, mask = tensor<uint8, [1, 2]>([83, 2]), shape = {five}", 1)
    bad(sparse, "bytes_from_ios18_on", f"{d}, mask = {literal(mask)}", 1, "ios18")
    bad(sparse, "shape_missing", f"{d}, mask = {literal(mask)}", 2)
    bad(sparse, "mask_too_short", f"{d}, mask = {literal(mask[:1])}, shape = {five}", 2)
    bad(sparse, "shape_from_ios18_on", f"{d}, mask = tensor<uint1, [5]>(splat 1), shape = {five}", 2, "ios18")
    bad(sparse, "too_few_bits", f"{d}, mask = {literal(np.array([1, 2], np.uint8))}, shape = {five}", 3)
    bad(sparse, "bits_past_the_end", f"{d}, mask = {literal(np.array([0b01010011, 0b10000000], np.uint8))}, shape = {five}",
        3)
    bad(sparse, "values_of_rank_2", "nonzero_data = tensor<fp32, [1, 5]>(seed 1), mask = tensor<uint1, [5]>(splat 1)", 3,
        "ios18")
    c.reject(f"{sparse}_int4_before_ios18", f"y = {sparse}(nonzero_data = tensor<int4, [2]>([1, 2]), "
             f"mask = {literal(np.array([3], np.uint8))}, shape = {shape_literal([2])});", {}, "allowed from ios18 on",
             "ios17")


def shaped_forms(c):
    lut = "constexpr_lut_to_dense"

    def dense(name, indices, table, bits, axis=None):
        y = ios18.constexpr_lut_to_dense.decompress(indices, table, axis)
        more = "" if axis is None else f", vector_axis = {axis}"
        c.add(f"{lut}_{name}", f"y = {lut}(indices = {literal(indices, f'uint{bits}')}, lut = {literal(table)}{more});", {},
              {"y": y}, opset="ios18")

    u8 = np.uint8
    dense("per_tensor", integers(0, 8, 3, 4, dtype=u8), values(1, 1, 8, 1), 3)
    dense("grouped_channels", integers(0, 4, 6, 2, dtype=u8), values(2, 1, 4, 1, seed=1), 2)
    dense("blocks_in_both_dimensions", integers(0, 2, 4, 4, dtype=u8), values(2, 2, 2, 1, seed=2), 1)
    dense("vectors_on_the_first_axis", integers(0, 4, 2, 3, dtype=u8), values(1, 1, 4, 2, seed=3), 2, 0)
    dense("vectors_on_the_last_axis", integers(0, 2, 2, 3, dtype=u8), values(2, 1, 2, 3, seed=4), 1, -1)
    dense("int8_table", integers(0, 16, 5, dtype=u8), integers(-9, 9, 1, 16, 1), 4)
    bad = lambda op, name, args, n: c.reject(f"{op}_c{n}_{name}", f"y = {op}({args});", {}, f"{op}_c{n}", "ios18")
    i2 = "indices = tensor<uint2, [4]>([0, 1, 2, 3])"
    bad(lut, "rank", f"{i2}, lut = tensor<fp32, [4, 1]>(seed 1)", 4)
    bad(lut, "blocks_do_not_divide", f"{i2}, lut = tensor<fp32, [3, 4, 1]>(seed 1)", 4)
    bad(lut, "entries", f"{i2}, lut = tensor<fp32, [1, 8, 1]>(seed 1)", 5)
    bad(lut, "axis_missing", f"{i2}, lut = tensor<fp32, [1, 4, 2]>(seed 1)", 6)
    bad(lut, "axis_outside", f"{i2}, lut = tensor<fp32, [1, 4, 2]>(seed 1), vector_axis = 1", 6)

    sparse = "constexpr_sparse_to_dense"
    mask = np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, 0, 1, 0], [1, 1, 0, 0]], np.uint8)
    count = int(mask.sum())
    data = values(count, seed=6)
    c.add(f"{sparse}_shaped", f"y = {sparse}(nonzero_data = {literal(data)}, mask = {literal(mask, 'uint1')});", {},
          {"y": ios18.constexpr_sparse_to_dense.decompress(data, mask)}, opset="ios18")
    small = integers(-8, 8, count)
    c.add(f"{sparse}_int4", f"y = {sparse}(nonzero_data = {literal(small, 'int4')}, mask = {literal(mask, 'uint1')});", {},
          {"y": (ios18.constexpr_sparse_to_dense.decompress(small, mask), "int4")}, opset="ios18")

    shift = "constexpr_blockwise_shift_scale"

    def scaled(name, data, scale, offset, data_type, offset_type=None):
        y = ios18.constexpr_blockwise_shift_scale.decompress(data, scale, offset)
        more = "" if offset is None else f", offset = {literal(offset, offset_type or data_type)}"
        c.add(f"{shift}_{name}", f"y = {shift}(data = {literal(data, data_type)}, scale = {literal(scale)}{more});", {},
              {"y": y.astype(scale.dtype)}, opset="ios18")

    four = integers(-8, 8, 2, 4)
    scaled("int4_blocks", four, values(1, 2, seed=7), None, "int4")
    scaled("int4_offset", four, values(2, 1, seed=8), integers(-8, 8, 2, 1), "int4")
    scaled("uint8_float_offset_fp16", integers(0, 255, 2, 2, dtype=np.uint8), values(1, 2, seed=9).astype(np.float16),
           np.array([[0.5, 1.5]], np.float16), "uint8", "fp16")
    d = f"data = {literal(four, 'int4')}"
    bad(shift, "rank", f"{d}, scale = tensor<fp32, [2]>(seed 1)", 1)
    bad(shift, "blocks_do_not_divide", f"{d}, scale = tensor<fp32, [1, 3]>(seed 1)", 1)
    bad(shift, "offset_of_other_shape", f"{d}, scale = tensor<fp32, [1, 2]>(seed 1), "
        "offset = tensor<int4, [2, 1]>([1, 2])", 2)
    bad(shift, "offset_of_other_dtype", f"{d}, scale = tensor<fp32, [1, 1]>(seed 1), "
        "offset = tensor<int8, [1, 1]>([1])", 2)

    both = "constexpr_sparse_blockwise_shift_scale"
    ints, scale, offset = integers(-8, 8, count), values(2, 1, seed=10), integers(-8, 8, 2, 1)
    m, y = ios18.constexpr_sparse_blockwise_shift_scale.decompress(mask, ints, scale, offset)
    c.add(both, f"(m, y) = {both}(data_mask = {literal(mask, 'uint1')}, nonzero_data = {literal(ints, 'int4')}, "
          f"scale = {literal(scale)}, offset = {literal(offset, 'int4')});", {},
          {"m": (m, "uint1"), "y": y}, opset="ios18")
    bad2 = lambda op, name, args, n: c.reject(f"{op}_c{n}_{name}", f"(m, y) = {op}({args});", {}, f"{op}_c{n}", "ios18")
    dm, nd = f"data_mask = {literal(mask, 'uint1')}", f"nonzero_data = {literal(ints, 'int4')}"
    bad2(both, "too_few_values", f"{dm}, nonzero_data = {literal(ints[1:], 'int4')}, scale = {literal(scale)}", 1)
    bad2(both, "blocks_do_not_divide", f"{dm}, {nd}, scale = tensor<fp32, [3, 1]>(seed 1)", 2)
    bad2(both, "offset_of_other_dtype", f"{dm}, {nd}, scale = {literal(scale)}, offset = tensor<int8, [2, 1]>([1, 2])", 3)

    looked = "constexpr_lut_to_sparse"
    indices = integers(0, 4, count, dtype=np.uint8)
    for name, table, axis in (("scalars", values(2, 1, 4, 1, seed=11), None), ("vectors_on_the_first_axis",
                              values(1, 1, 4, 2, seed=12), 0), ("vectors_on_the_last_axis",
                              values(1, 1, 4, 2, seed=13), 1)):
        m, y = ios18.constexpr_lut_to_sparse.decompress(mask, indices, table, axis)
        more = "" if axis is None else f", vector_axis = {axis}"
        c.add(f"{looked}_{name}", f"(m, y) = {looked}(indices_mask = {literal(mask, 'uint1')}, "
              f"indices_nonzero_data = {literal(indices, 'uint2')}, lut = {literal(table)}{more});", {},
              {"m": (m, "uint1"), "y": y}, opset="ios18")
    im, nz = f"indices_mask = {literal(mask, 'uint1')}", f"indices_nonzero_data = {literal(indices, 'uint2')}"
    bad2(looked, "too_few_values", f"{im}, indices_nonzero_data = {literal(indices[1:], 'uint2')}, "
         "lut = tensor<fp32, [1, 1, 4, 1]>(seed 1)", 1)
    bad2(looked, "rank", f"{im}, {nz}, lut = tensor<fp32, [4, 1]>(seed 1)", 2)
    bad2(looked, "entries", f"{im}, {nz}, lut = tensor<fp32, [1, 1, 2, 1]>(seed 1)", 3)
    bad2(looked, "axis_missing", f"{im}, {nz}, lut = tensor<fp32, [1, 1, 4, 2]>(seed 1)", 4)
    y = ios18.constexpr_blockwise_shift_scale.decompress(
        ios18.constexpr_sparse_to_dense.decompress(small, mask), values(1, 1, seed=14), None)
    c.add("constexpr_chain", [
        f"d = constexpr_sparse_to_dense(nonzero_data = {literal(small, 'int4')}, mask = {literal(mask, 'uint1')});",
        f"y = {shift}(data = d, scale = {literal(values(1, 1, seed=14))});"], {}, {"y": y}, opset="ios18",
        note="The result of one is a constant for the next.")


def quantization(c):
    x = np.array([[-3.5, 0.5, 1.5], [2.5, 100, -200]], np.float32)

    def quantize(name, scale, zero, dtype, axis=None):
        promote = lambda p: optimize.promote_rank_to_same_as_data(p, x, axis)
        y = optimize.quantize_by_scale_and_zp(x, promote(scale), None if zero is None else promote(zero),
                                              types.string_to_builtin(dtype))
        args = [f"input = x, scale = {literal(scale)}, output_dtype = \"{dtype}\""]
        args += [] if zero is None else [f"zero_point = {literal(zero)}"]
        args += [] if axis is None else [f"axis = {axis}"]
        c.add(f"quantize_{name}", f"y = quantize({', '.join(args)});", {"x": x}, {"y": y}, opset="ios17")
        if zero is None:
            back = optimize.dequantize_by_scale_and_zp(y, promote(scale), None)
        else:
            back = optimize.dequantize_by_scale_and_zp(y, promote(scale), promote(zero))
        c.add(f"dequantize_{name}", f"y = dequantize({', '.join(args)});".replace(f', output_dtype = "{dtype}"', ""),
              {"x": y}, {"y": back.astype(np.float32)}, opset="ios17")

    quantize("scalar_halves_to_even", np.array(1, np.float32), None, "int8")
    quantize("zero_point_saturates", np.array(0.5, np.float32), np.array(200, np.uint8), "uint8")
    quantize("along_axis", np.array([1, 0.25, 2], np.float32), np.array([0, -3, 7], np.int8), "int8", 1)
    x_type = {"x": "tensor<fp32, [2, 3]>"}
    for op, more, given in (("quantize", ', output_dtype = "int8"', x_type),
                            ("dequantize", "", {"x": "tensor<int8, [2, 3]>"})):
        bad = lambda name, args: c.reject(f"quantization_c1_{op}_{name}", f"y = {op}(input = x, {args}{more});", given,
                                          "quantization_c1", "ios17")
        bad("axis_with_scalar", "scale = 1.0, axis = 0")
        bad("axis_missing", "scale = [1.0, 2.0]")
        bad("axis_outside", "scale = [1.0, 2.0], axis = 2")
        bad("too_few_values", "scale = [1.0, 2.0], axis = 1")
        bad("scalar_zero_point", "scale = [1.0, 2.0], axis = 0, zero_point = tensor<int8, []>(1)")
    c.infer("quantize_dynamic", 'y = quantize(input = x, scale = fp16(0.5), output_dtype = "uint8");',
            {"x": "tensor<fp16, [?, 3]>"}, {"y": "tensor<uint8, [?, 3]>"}, "ios17")
    reject = lambda name, args, n: c.reject(f"quantize_c{n}_{name}", f"y = quantize(input = x, {args});", x_type,
                                            f"quantize_c{n}", "ios17")
    reject("int32", 'scale = 1.0, output_dtype = "int32"', 1)
    reject("zero_point_of_other_dtype", 'scale = 1.0, zero_point = tensor<int8, []>(1), output_dtype = "uint8"', 2)
    reject("scale_zero", 'scale = 0.0, output_dtype = "uint8"', 3)


cases = Cases("constexpr_ops", "coremltools 9.0 (NumPy)")
affine(cases)
flat_forms(cases)
shaped_forms(cases)
quantization(cases)
cases.write()
