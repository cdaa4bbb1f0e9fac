"""Writes tests/fixtures/onnx/nodes.npz: small ONNX models of one or a few nodes, inputs, and what ONNX Runtime makes of
them. The unit tests import each model, run it through the reference kernels and compare.

An .npz entry is CASE/model (the file's bytes), CASE/in/NAME or CASE/out/NAME. Usage: onnx_golden.py
"""

import io
import os
import zipfile

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, "tests/fixtures/onnx/nodes.npz")
CASES = {}
rng = np.random.default_rng(7)


def f(*shape, low=None, high=None):
    """Random floats: standard normal, or uniform in [low, high)."""
    if low is None:
        return rng.standard_normal(shape).astype(np.float32)
    return rng.uniform(low, high, shape).astype(np.float32)


def i64(values):
    return np.array(values, np.int64)


def i32(values):
    return np.array(values, np.int32)


def add(name, op, inputs, consts=(), outputs=1, opset=17, types=None, **attributes):
    """One node. `inputs` are fed at run time, `consts` follow as initializers; None leaves an input out."""
    names, feeds, initializers = [], {}, []
    for k, value in enumerate(list(inputs) + list(consts)):
        if value is None:
            names.append("")
            continue
        names.append(f"x{k}")
        if k < len(inputs):
            feeds[f"x{k}"] = np.asarray(value)
        else:
            initializers.append(numpy_helper.from_array(np.asarray(value), f"x{k}"))
    wanted = [f"y{k}" if not isinstance(outputs, str) or outputs[k] == "1" else ""
              for k in range(outputs if isinstance(outputs, int) else len(outputs))]
    node = helper.make_node(op, names, wanted, **attributes)
    finish(name, [node], feeds, initializers, [w for w in wanted if w], opset)


def finish(name, nodes, feeds, initializers, outputs, opset=17):
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
         for n, v in feeds.items()],
        [helper.make_empty_tensor_value_info(o) for o in outputs], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)],
                              ir_version=4 if opset < 12 else 8, producer_name="golden")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    data = model.SerializeToString()
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    assert name not in CASES, name
    CASES[name] = (data, feeds, dict(zip(outputs, session.run(outputs, feeds))))


def unary():
    x = f(2, 3)
    for op in ("Abs", "Ceil", "Floor", "Exp", "Erf", "Neg", "Round", "Sign", "Sin", "Cos", "Tan", "Tanh", "Sigmoid",
               "Atan", "Sinh", "Cosh", "Asinh", "Relu", "Softplus", "Softsign", "HardSwish", "Selu",
               "Reciprocal", "Identity", "IsNaN"):
        add(op.lower(), op, [x])
    for op in ("Sqrt", "Log"):
        add(op.lower(), op, [f(2, 3, low=0.1, high=4)])
    for op in ("Asin", "Acos", "Atanh"):
        add(op.lower(), op, [f(2, 3, low=-0.9, high=0.9)])
    add("acosh", "Acosh", [f(2, 3, low=1.1, high=5)])
    add("round_ties", "Round", [np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)])
    add("isinf", "IsInf", [np.array([1, np.inf, -np.inf], np.float32)], detect_negative=0)
    add("not", "Not", [np.array([True, False])])
    add("elu", "Elu", [x], alpha=0.5)
    add("celu", "Celu", [x], alpha=2.0)
    add("leaky_relu", "LeakyRelu", [x], alpha=0.1)
    add("thresholded_relu", "ThresholdedRelu", [np.array([-1, 0.5, 1, 2], np.float32)], alpha=1.0)
    add("hard_sigmoid", "HardSigmoid", [x], alpha=0.3, beta=0.4)
    add("mish", "Mish", [x], opset=18)
    add("gelu_exact", "Gelu", [x], opset=20)
    add("gelu_tanh", "Gelu", [x], opset=20, approximate="tanh")
    add("shrink", "Shrink", [x], lambd=0.4, bias=0.1)
    add("prelu_channel", "PRelu", [f(1, 3, 2, 2)], [f(3, 1, 1)])
    add("prelu_any", "PRelu", [f(2, 3)], [f(3)])
    add("clip6", "Clip", [f(2, 3, low=-3, high=9)], [np.float32(0), np.float32(6)])
    add("clip_low", "Clip", [x], [np.float32(-0.5)])
    add("clip_high", "Clip", [x], [None, np.float32(0.5)])
    add("clip_attributes", "Clip", [x], opset=9, min=-0.5, max=0.25)
    add("clip_run_time", "Clip", [x, np.float32(-0.5)])
    add("clip_int", "Clip", [i32([[-3, 0, 9]])], [np.int32(-1), np.int32(5)])
    add("cast_to_int", "Cast", [f(2, 3, low=-3, high=3)], to=TensorProto.INT64)
    add("cast_to_bool", "Cast", [np.array([0, 0.5, -2], np.float32)], to=TensorProto.BOOL)
    add("cast_from_int", "Cast", [i32([1, -2])], to=TensorProto.FLOAT)


def binary():
    a, b = f(2, 3), f(3)
    for op in ("Add", "Sub", "Mul", "Div", "Max", "Min"):
        add(op.lower(), op, [a, b])
    add("add_three_dims", "Add", [f(2, 1, 3), f(4, 1)])
    add("sum", "Sum", [a, b, f(1)])
    add("mean", "Mean", [a, b, f(1)])
    add("max3", "Max", [a, b, f(2, 1)])
    add("pow", "Pow", [f(2, 3, low=0.1, high=2), b])
    add("pow_int_exponent", "Pow", [a], [np.int64(2)])
    ints = i32([[7, -7, 7, -7, 6], [0, 3, -3, 1, -1]])
    divisors = i32([[2, 2, -2, -2, 3], [5, 5, 5, -5, 5]])
    add("div_int", "Div", [ints, divisors])
    add("mod_int", "Mod", [ints, divisors])
    add("mod_int_fmod", "Mod", [ints, divisors], fmod=1)
    add("mod_float", "Mod", [f(2, 3) * 5, f(3, low=0.5, high=2)], fmod=1)
    c = np.array([1, 2, 3], np.float32)
    d = np.array([3, 2, 1], np.float32)
    for op in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
        add(op.lower(), op, [c, d])
    p, q = np.array([True, True, False]), np.array([True, False, False])
    for op in ("And", "Or", "Xor", "Equal"):
        add(op.lower() + "_bool", op, [p, q])
    add("where", "Where", [np.array([[True], [False]]), f(2, 3), f(3)])


def windows():
    x = f(1, 2, 7, 6)
    add("conv", "Conv", [x], [f(4, 2, 3, 3), f(4)], pads=[1, 0, 2, 1], strides=[2, 1])
    add("conv_dilated", "Conv", [x], [f(2, 2, 3, 2)], dilations=[2, 3])
    add("conv_groups", "Conv", [f(1, 4, 5, 5)], [f(6, 2, 3, 3), f(6)], group=2, auto_pad="SAME_LOWER", strides=[2, 2])
    add("conv_depthwise", "Conv", [f(1, 4, 5, 5)], [f(4, 1, 3, 3)], group=4, auto_pad="SAME_UPPER", strides=[2, 2])
    add("conv_1d", "Conv", [f(1, 2, 8)], [f(3, 2, 3)], pads=[1, 1])
    add("conv_3d", "Conv", [f(1, 1, 3, 4, 4)], [f(2, 1, 2, 2, 2)])
    add("conv_run_time_bias", "Conv", [x, f(4, 2, 3, 3), f(4)])
    add("conv_transpose", "ConvTranspose", [f(1, 2, 4, 4)], [f(2, 3, 3, 3), f(3)], strides=[2, 2], pads=[1, 1, 1, 1])
    add("conv_transpose_output_padding", "ConvTranspose", [f(1, 2, 4, 4)], [f(2, 3, 3, 3), f(3)], strides=[2, 2],
        pads=[1, 1, 1, 1], output_padding=[1, 1])
    add("conv_transpose_beyond", "ConvTranspose", [f(1, 2, 3, 3)], [f(2, 3, 2, 2), f(3)], strides=[2, 2],
        output_padding=[1, 1])
    add("conv_transpose_output_shape", "ConvTranspose", [f(1, 2, 4, 4)], [f(2, 1, 3, 3)], strides=[2, 2],
        output_shape=[8, 8])
    add("conv_transpose_same", "ConvTranspose", [f(1, 2, 4, 4)], [f(2, 1, 3, 3)], strides=[2, 2], auto_pad="SAME_UPPER")
    add("conv_transpose_groups", "ConvTranspose", [f(1, 4, 3, 3)], [f(4, 2, 2, 2)], group=2, strides=[2, 2])
    add("max_pool", "MaxPool", [x], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1])
    add("max_pool_ceil", "MaxPool", [x], kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1)
    add("max_pool_same", "MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    add("avg_pool", "AveragePool", [x], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1])
    add("avg_pool_include", "AveragePool", [x], kernel_shape=[3, 2], pads=[1, 0, 1, 1], count_include_pad=1)
    add("avg_pool_ceil", "AveragePool", [x], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    add("avg_pool_same", "AveragePool", [x], kernel_shape=[2, 2], auto_pad="SAME_LOWER")
    add("global_average_pool", "GlobalAveragePool", [x])
    add("global_max_pool", "GlobalMaxPool", [x])


def normalization():
    x = f(2, 4, 3, 3)
    scale, bias, mean = f(4), f(4), f(4)
    variance = f(4, low=0.5, high=2)
    add("batch_norm", "BatchNormalization", [x], [scale, bias, mean, variance], epsilon=1e-3)
    add("batch_norm_rank2", "BatchNormalization", [f(3, 4)], [scale, bias, mean, variance])
    add("instance_norm", "InstanceNormalization", [x], [scale, bias])
    add("instance_norm_3d", "InstanceNormalization", [f(1, 2, 2, 3, 2)], [f(2), f(2)])
    add("layer_norm", "LayerNormalization", [f(2, 3, 4)], [f(4), f(4)])
    add("layer_norm_axis", "LayerNormalization", [f(2, 3, 4)], [f(3, 4)], axis=1)
    add("group_norm", "GroupNormalization", [x], [f(4), f(4)], opset=21, num_groups=2)
    add("lp_norm", "LpNormalization", [f(2, 3)], axis=1, p=1)
    add("lp_norm_2", "LpNormalization", [f(2, 3)], axis=0)
    add("mvn", "MeanVarianceNormalization", [x])
    add("lrn", "LRN", [x], size=3, alpha=0.1, beta=0.5, bias=2.0)
    add("softmax", "Softmax", [f(2, 3, 4)], axis=1)
    add("softmax_11", "Softmax", [f(2, 3, 4)], opset=11, axis=1)
    add("log_softmax", "LogSoftmax", [f(2, 3) * 30], axis=-1)


def reductions():
    x = f(2, 3, 4)
    for op in ("ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSumExp",
               "ReduceSumSquare"):
        add(op.lower(), op, [x], axes=[1], keepdims=0)
    add("reduce_log_sum", "ReduceLogSum", [f(2, 3, low=0.5, high=2)], axes=[1])
    add("reduce_sum_input", "ReduceSum", [x], [i64([0, -1])])
    add("reduce_sum_all", "ReduceSum", [x], keepdims=0)
    add("reduce_mean_18", "ReduceMean", [x], [i64([2])], opset=18)
    add("arg_max", "ArgMax", [x], axis=1)
    add("arg_min", "ArgMin", [x], axis=-1, keepdims=0)
    add("top_k", "TopK", [x], [i64([2])], outputs=2, axis=1)
    add("top_k_smallest", "TopK", [x], [i64([3])], outputs=2, largest=0)
    add("cum_sum", "CumSum", [x], [np.int32(1)], exclusive=1)
    add("cum_sum_reverse", "CumSum", [x], [np.int32(-1)], reverse=1)


def movement():
    x = f(2, 3, 4)
    add("transpose", "Transpose", [x], perm=[2, 0, 1])
    add("transpose_default", "Transpose", [x])
    add("reshape_copy", "Reshape", [x], [i64([0, -1])])
    add("flatten", "Flatten", [x], axis=2)
    add("squeeze", "Squeeze", [f(1, 3, 1)], [i64([0, -1])])
    add("squeeze_all", "Squeeze", [f(1, 3, 1)])
    add("unsqueeze", "Unsqueeze", [x], [i64([0, -1])])
    add("concat", "Concat", [x, f(2, 1, 4)], axis=1)
    add("slice", "Slice", [x], [i64([1, -3]), i64([2, 9223372036854775807]), i64([1, 2])])
    add("slice_backwards", "Slice", [x], [i64([-1, 2]), i64([-9223372036854775808, 0]), i64([2, 1]), i64([-2, -1])])
    add("split", "Split", [f(2, 6)], [i64([1, 2, 3])], outputs=3, axis=1)
    add("split_even", "Split", [f(2, 7)], outputs=3, opset=18, axis=1, num_outputs=3)
    add("expand", "Expand", [f(3, 1)], [i64([2, 1, 4])])
    add("tile", "Tile", [f(2, 2)], [i64([2, 3])])
    add("pad", "Pad", [x], [i64([0, 1, 0, 1, 0, 2]), np.float32(0.5)])
    add("pad_crop", "Pad", [x], [i64([0, -1, 0, 0, 0, 2])])
    add("pad_reflect", "Pad", [f(1, 1, 3, 4)], [i64([0, 0, 1, 2, 0, 0, 2, 1])], mode="reflect")
    add("pad_edge", "Pad", [f(1, 1, 3, 4)], [i64([0, 0, 1, 2, 0, 0, 2, 1])], mode="edge")
    add("pad_axes", "Pad", [x], [i64([1, 2]), None, i64([1])], opset=18)
    add("gather", "Gather", [x], [i64([[0, -1], [1, 1]])], axis=1)
    add("gather_scalar", "Gather", [x], [np.int64(-1)], axis=2)
    add("gather_run_time", "Gather", [x, i32([1, -1])], axis=0)
    add("gather_elements", "GatherElements", [f(2, 3)], [i64([[0, 1, -1], [2, 0, 0]])], axis=1)
    add("gather_nd", "GatherND", [x], [i64([[0, 1], [1, 2]])])
    add("scatter_elements", "ScatterElements", [f(2, 3)], [i64([[0, 2, 1], [1, 0, 2]]), f(2, 3)], axis=1)
    add("scatter_nd", "ScatterND", [f(4, 2)], [i64([[0], [3]]), f(2, 2)])
    add("one_hot", "OneHot", [i64([0, 2, -1])], [np.int64(3), np.array([0.5, 2], np.float32)])
    add("trilu", "Trilu", [f(3, 4)], [np.int64(1)])
    add("trilu_lower", "Trilu", [f(2, 3, 3)], [np.int64(-1)], upper=0)
    add("depth_to_space", "DepthToSpace", [f(1, 8, 2, 3)], blocksize=2)
    add("depth_to_space_crd", "DepthToSpace", [f(1, 8, 2, 3)], blocksize=2, mode="CRD")
    add("space_to_depth", "SpaceToDepth", [f(1, 2, 4, 6)], blocksize=2)
    add("reverse_sequence", "ReverseSequence", [f(3, 2), i64([1, 3])], time_axis=0, batch_axis=1)


def resizing():
    x = f(1, 2, 4, 5)
    none = np.array([], np.float32)
    for mode in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
        add(f"resize_linear_{mode}", "Resize", [x], [none, none, i64([1, 2, 7, 9])], mode="linear",
            coordinate_transformation_mode=mode)
        add(f"resize_nearest_{mode}", "Resize", [x], [none, none, i64([1, 2, 7, 3])], mode="nearest",
            coordinate_transformation_mode=mode, nearest_mode="floor")
    add("resize_nearest_twice", "Resize", [x], [None, np.array([1, 1, 2, 2], np.float32)], mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    add("resize_nearest_ceil", "Resize", [x], [None, None, i64([1, 2, 3, 8])], mode="nearest", nearest_mode="ceil")
    add("resize_scales", "Resize", [x], [None, np.array([1, 1, 1.7, 0.6], np.float32)], mode="linear")
    add("resize_cubic", "Resize", [x], [None, None, i64([1, 2, 7, 8])], mode="cubic")
    add("resize_cubic_down", "Resize", [x], [None, np.array([1, 1, 0.5, 0.8], np.float32)], mode="cubic",
        exclude_outside=1, cubic_coeff_a=-0.5)
    add("resize_10", "Resize", [x], [np.array([1, 1, 2, 3], np.float32)], opset=10, mode="nearest")
    add("upsample_9", "Upsample", [x], [np.array([1, 1, 2, 2], np.float32)], opset=9, mode="linear")
    add("upsample_7", "Upsample", [x], opset=7, mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])
    grid = f(1, 3, 4, 2, low=-1.2, high=1.2)
    for mode in ("zeros", "border", "reflection"):
        add(f"grid_sample_{mode}", "GridSample", [x, grid], opset=16, padding_mode=mode)
    add("grid_sample_align", "GridSample", [x, grid], opset=16, align_corners=1)


def products():
    add("gemm", "Gemm", [f(2, 3)], [f(4, 3), f(4)], transB=1, alpha=0.5, beta=2.0)
    add("gemm_run_time", "Gemm", [f(3, 2), f(3, 4), f(2, 4)], transA=1)
    add("matmul", "MatMul", [f(2, 3, 4), f(4, 5)])
    add("matmul_batched", "MatMul", [f(2, 1, 3, 4), f(3, 4, 2)])
    add("matmul_vector", "MatMul", [f(2, 3, 4), f(4)])
    add("matmul_row", "MatMul", [f(3), f(2, 3, 4)])
    add("einsum_attention", "Einsum", [f(2, 3, 2, 4), f(2, 5, 2, 4)], equation="bqhd,bkhd->bhqk")
    add("einsum_outer", "Einsum", [f(3), f(4)], equation="i,j->ij")
    add("einsum_implicit", "Einsum", [f(2, 3), f(3, 4)], equation="ij,jk")


def recurrent():
    hidden, size = 3, 2
    x = f(4, 2, size)
    for directions, word in ((1, "forward"), (1, "reverse"), (2, "bidirectional")):
        weights = [f(directions, 4 * hidden, size), f(directions, 4 * hidden, hidden), f(directions, 8 * hidden)]
        state = [None, f(directions, 2, hidden), f(directions, 2, hidden)]
        add(f"lstm_{word}", "LSTM", [x], weights + state, outputs=3, hidden_size=hidden, direction=word)
        weights = [f(directions, 3 * hidden, size), f(directions, 3 * hidden, hidden), f(directions, 6 * hidden)]
        for reset in (0, 1):
            add(f"gru_{word}_{reset}", "GRU", [x], weights, outputs=2, hidden_size=hidden, direction=word,
                linear_before_reset=reset)
        weights = [f(directions, hidden, size), f(directions, hidden, hidden), f(directions, 2 * hidden)]
        add(f"rnn_{word}", "RNN", [x], weights, outputs=2, hidden_size=hidden, direction=word)
    bias = f(1, 6 * hidden)
    bias[:, 5 * hidden:] = 0
    add("gru_plain", "GRU", [x], [f(1, 3 * hidden, size), f(1, 3 * hidden, hidden), bias], outputs=2,
        hidden_size=hidden, linear_before_reset=1)
    add("lstm_last", "LSTM", [x], [f(1, 4 * hidden, size), f(1, 4 * hidden, hidden)], outputs="01",
        hidden_size=hidden)
    add("lstm_peepholes", "LSTM", [x], [f(1, 4 * hidden, size), f(1, 4 * hidden, hidden), f(1, 8 * hidden), None,
                                        None, None, f(1, 3 * hidden)], outputs=1, hidden_size=hidden)


def quantization():
    x = f(2, 3) * 4
    node = helper.make_node
    finish("qdq_uint8", [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])],
           {"x": x}, [numpy_helper.from_array(np.float32(0.05), "s"), numpy_helper.from_array(np.uint8(120), "z")], ["y"])
    finish("qdq_int8_weight", [node("DequantizeLinear", ["w", "s", "z"], ["d"], axis=0), node("MatMul", ["x", "d"], ["y"])],
           {"x": x}, [numpy_helper.from_array(np.array([[-128, 3], [5, 127], [0, 9]], np.int8), "w"),
                      numpy_helper.from_array(np.array([0.1, 0.2, 0.3], np.float32), "s"),
                      numpy_helper.from_array(np.array([1, -2, 0], np.int8), "z")], ["y"])


def main():
    for group in (unary, binary, windows, normalization, reductions, movement, resizing, products, recurrent,
                  quantization):
        group()
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (model, feeds, results) in CASES.items():
            arrays = {"model": np.frombuffer(model, np.uint8)}
            arrays |= {f"in/{n}": v for n, v in feeds.items()}
            arrays |= {f"out/{n}": v for n, v in results.items()}
            for key, array in arrays.items():
                buffer = io.BytesIO()
                np.save(buffer, np.asarray(array))
                entry = zipfile.ZipInfo(f"{name}/{key}.npy", (2020, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, buffer.getvalue())
    print(len(CASES), "cases,", os.path.getsize(OUT), "bytes:", os.path.relpath(OUT, ROOT))


if __name__ == "__main__":
    main()
