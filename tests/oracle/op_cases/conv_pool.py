"""Cases of src/ops/conv and src/ops/pool; the oracle is PyTorch."""
import numpy as np
import torch
import torch.nn.functional as F

from writer import Cases, listed, literal, values

T = torch.from_numpy


def conv():
    c = Cases("conv", "PyTorch 2.7 (torch.nn.functional)")

    def run(name, x, w, b=None, attrs="", opset="ios15", pad=None, **kw):
        """`pad`: what `attrs` says, as torch.nn.functional.pad wants it."""
        y = T(x) if pad is None else F.pad(T(x), pad)
        f = [F.conv1d, F.conv2d, F.conv3d][x.ndim - 3]
        y = f(y, T(w), None if b is None else T(b), **kw).numpy()
        bias = "" if b is None else f", bias = {literal(b)}"
        c.add(name, f"y = conv(x = x, weight = {literal(w)}{bias}{attrs});", {"x": x}, {"y": y}, opset=opset)

    run("conv_1d_defaults", values(1, 2, 6), values(3, 2, 3, seed=1))
    run("conv_2d_bias_strides", values(2, 2, 4, 5), values(2, 2, 2, 3, seed=1), values(2, seed=2),
        ", strides = [2, 1]", stride=(2, 1))
    run("conv_2d_groups", values(1, 4, 3, 3), values(4, 2, 2, 2, seed=1), None, ", groups = 2", groups=2)
    run("conv_2d_depthwise_multiplier", values(1, 2, 3, 3), values(4, 1, 2, 2, seed=1), None, ", groups = 2",
        groups=2)
    run("conv_2d_dilations", values(1, 1, 5, 5), values(1, 1, 2, 3, seed=1), None, ", dilations = [3, 2]",
        dilation=(3, 2))
    run("conv_2d_custom_pad", values(1, 1, 3, 3), values(1, 1, 2, 2, seed=1), None,
        ', pad_type = "custom", pad = [1, 0, 2, 1]', pad=(2, 1, 1, 0))
    run("conv_2d_pad_is_ignored_unless_custom", values(1, 1, 3, 3), values(1, 1, 2, 2, seed=1), None,
        ', pad_type = "valid", pad = [1, 1, 1, 1]')
    run("conv_2d_same_even_kernel", values(1, 1, 3, 4), values(1, 1, 2, 2, seed=1), None, ', pad_type = "same"',
        pad=(0, 1, 0, 1))
    run("conv_2d_same_lower_even_kernel", values(1, 1, 3, 4), values(1, 1, 2, 2, seed=1), None,
        ', pad_type = "same_lower"', opset="ios16", pad=(1, 0, 1, 0))
    run("conv_2d_same_strided", values(1, 1, 5, 6), values(1, 1, 3, 3, seed=1), None,
        ', pad_type = "same", strides = [2, 2]', pad=(0, 1, 1, 1), stride=2)
    run("conv_3d", values(1, 1, 2, 3, 3), values(2, 1, 2, 2, 2, seed=1))

    x, w = values(1, 2, 3, 3), values(1, 2, 2, 2, seed=1)
    y = F.conv2d(T(x), T(w)).numpy().astype(np.float16)
    c.add("conv_fp16_rounds_its_result", f"y = conv(x = x, weight = {literal(w.astype(np.float16))});",
          {"x": x.astype(np.float16)}, {"y": y})
    c.add("conv_ios17_mixed_dtypes", f"y = conv(x = x, weight = {literal(w)});", {"x": x.astype(np.float16)},
          {"y": y}, opset="ios17")
    c.add("conv_weight_at_run_time", "y = conv(x = x, weight = w);", {"x": x, "w": w},
          {"y": F.conv2d(T(x), T(w)).numpy()})

    image = {"x": "tensor<fp32, [?, 3, ?, 20]>"}
    weight = "weight = tensor<fp32, [8, 3, 3, 5]>(seed 1)"
    c.infer("conv_dynamic_sizes", f"y = conv(x = x, {weight}, strides = [2, 3]);", image,
            {"y": "tensor<fp32, [?, 8, ?, 6]>"})
    c.infer("conv_dynamic_channels", f"y = conv(x = x, {weight}, pad_type = \"same\");",
            {"x": "tensor<fp32, [1, ?, 9, 20]>"}, {"y": "tensor<fp32, [1, 8, 9, 20]>"})

    x = {"x": "tensor<fp32, [1, 4, 8, 8]>"}
    w = "weight = tensor<fp32, [4, 4, 3, 3]>(seed 1)"
    bad = lambda name, args, label, inputs=x, opset="ios15": c.reject(
        f"{label}_{name}", f"y = conv(x = x, {args});", inputs, label, opset)
    bad("ranks_differ", "weight = tensor<fp32, [4, 4, 3]>(seed 1)", "conv_c1")
    bad("no_spatial_dimension", "weight = tensor<fp32, [4, 4]>(seed 1)", "conv_c1", {"x": "tensor<fp32, [1, 4]>"})
    bad("empty_kernel", "weight = w", "conv_c1", x | {"w": "tensor<fp32, [4, 4, 0, 3]>"})
    bad("strides_for_one_dimension", f"{w}, strides = [1]", "conv_c2")
    bad("stride_zero", f"{w}, strides = [0, 1]", "conv_c2")
    bad("dilation_negative", f"{w}, dilations = [1, -1]", "conv_c2")
    bad("unknown_pad_type", f'{w}, pad_type = "full"', "conv_c3")
    bad("same_lower_before_ios16", f'{w}, pad_type = "same_lower"', "conv_c3")
    bad("pad_too_short", f'{w}, pad_type = "custom", pad = [1, 1]', "conv_c4")
    bad("pad_negative", f'{w}, pad_type = "custom", pad = [1, 1, -1, 1]', "conv_c4")
    bad("groups_do_not_divide", f"{w}, groups = 3", "conv_c5")
    bad("groups_zero", f"{w}, groups = 0", "conv_c5")
    bad("wrong_depth", f"{w}, groups = 2", "conv_c5")
    bad("bias_too_long", f"{w}, bias = tensor<fp32, [5]>(seed 2)", "conv_c6")
    bad("kernel_too_large", "weight = tensor<fp32, [1, 4, 9, 3]>(seed 1)", "conv_c7")
    bad("kernel_of_2_to_the_62", "weight = w", "conv_c7", x | {"w": "tensor<fp32, [4, 4, 4611686018427387904, 3]>"})
    bad("half_weight_before_ios17", "weight = tensor<fp16, [4, 4, 3, 3]>(seed 1)", "conv_c8")
    bad("bias_at_run_time_before_ios17", f"{w}, bias = b", "conv_c8", x | {"b": "tensor<fp32, [4]>"})
    bad("dilated_weight_at_run_time", "weight = w, dilations = [2, 2]", "conv_c9",
        x | {"w": "tensor<fp32, [4, 4, 3, 3]>"})

    def transpose(name, x, w, b=None, attrs="", crop=None, opset="ios15", **kw):
        f = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][x.ndim - 3]
        y = f(T(x), T(w), None if b is None else T(b), **kw)
        y = y.numpy() if crop is None else y.numpy()[(slice(None), slice(None)) + crop]
        bias = "" if b is None else f", bias = {literal(b)}"
        c.add(name, f"y = conv_transpose(x = x, weight = {literal(w)}{bias}{attrs});", {"x": x}, {"y": y},
              opset=opset)

    transpose("conv_transpose_1d", values(1, 2, 3), values(2, 1, 2, seed=1))
    transpose("conv_transpose_2d_strides_bias", values(1, 2, 2, 3), values(2, 2, 3, 2, seed=1), values(2, seed=2),
              ", strides = [2, 3]", stride=(2, 3))
    transpose("conv_transpose_2d_groups", values(1, 4, 2, 2), values(4, 1, 2, 2, seed=1), None, ", groups = 2",
              groups=2)
    transpose("conv_transpose_2d_custom_pad", values(1, 1, 3, 3), values(1, 1, 3, 3, seed=1), None,
              ', pad_type = "custom", pad = [1, 1, 0, 1], strides = [2, 1]', stride=(2, 1),
              crop=(slice(1, -1), slice(0, -1)))
    transpose("conv_transpose_2d_dilations", values(1, 1, 2, 2), values(1, 1, 2, 2, seed=1), None,
              ", dilations = [2, 3]", dilation=(2, 3))
    transpose("conv_transpose_2d_same", values(1, 1, 2, 3), values(1, 1, 3, 3, seed=1), None,
              ', pad_type = "same", strides = [2, 2]', stride=2, crop=(slice(0, 4), slice(0, 6)))
    transpose("conv_transpose_1d_same_wide_kernel", values(1, 1, 3), values(1, 1, 4, seed=1), None,
              ', pad_type = "same"', crop=(slice(1, 4),))
    transpose("conv_transpose_1d_output_shape", values(1, 1, 3), values(1, 1, 3, seed=1), None,
              ', pad_type = "custom", pad = [1, 0], strides = [2], output_shape = [1, 1, 6]', stride=2,
              crop=(slice(1, 7),))
    transpose("conv_transpose_3d", values(1, 1, 2, 1, 2), values(1, 1, 1, 2, 2, seed=1))
    c.infer("conv_transpose_dynamic", "y = conv_transpose(x = x, weight = tensor<fp32, [3, 4, 3, 5]>(seed 1), "
            "strides = [2, 3], groups = 3);", {"x": "tensor<fp32, [?, 3, ?, 10]>"},
            {"y": "tensor<fp32, [?, 12, ?, 32]>"})

    w = "weight = tensor<fp32, [4, 2, 3, 3]>(seed 1)"
    bad = lambda name, args, n, inputs=x, opset="ios15": c.reject(
        f"conv_transpose_c{n}_{name}", f"y = conv_transpose(x = x, {args});", inputs, f"conv_transpose_c{n}", opset)
    bad("ranks_differ", "weight = tensor<fp32, [4, 2, 3]>(seed 1)", 1)
    bad("stride_zero", f"{w}, strides = [0, 1]", 2)
    bad("same_lower", f'{w}, pad_type = "same_lower"', 3, opset="ios16")
    bad("pad_negative", f'{w}, pad_type = "custom", pad = [-1, 0, 0, 0]', 4)
    bad("groups_do_not_divide", f"{w}, groups = 3", 5)
    bad("wrong_depth", "weight = tensor<fp32, [3, 2, 3, 3]>(seed 1)", 5)
    bad("bias_too_short", f"{w}, bias = tensor<fp32, [1]>(seed 2)", 6)
    bad("nothing_left", f'{w}, pad_type = "custom", pad = [5, 5, 0, 0]', 7)
    bad("size_overflows", f"{w}, strides = [2000000000, 1]", 7,
        {"x": "tensor<fp32, [1, 4, 4611686018427387904, 3]>"})
    bad("half_weight_before_ios17", "weight = tensor<fp16, [4, 2, 3, 3]>(seed 1)", 8)
    bad("weight_at_run_time_before_ios17", "weight = w", 8, x | {"w": "tensor<fp32, [4, 2, 3, 3]>"})
    bad("output_shape_too_short", f"{w}, output_shape = [10, 10]", 9)
    bad("output_shape_with_wrong_channels", f"{w}, output_shape = [1, 3, 10, 10]", 9)
    bad("output_shape_empty", f"{w}, output_shape = [1, 2, 0, 10]", 9)
    c.write()


def pool():
    c = Cases("pool", "PyTorch 2.7 (torch.nn.functional), for l2_pool NumPy")
    x2 = values(1, 2, 4, 5)
    f = {1: (F.max_pool1d, F.avg_pool1d), 2: (F.max_pool2d, F.avg_pool2d), 3: (F.max_pool3d, F.avg_pool3d)}

    def run(name, op, x, kernel, attrs, **kw):
        y = f[x.ndim - 2][op == "avg_pool"](T(x), tuple(kernel), **kw).numpy()
        c.add(name, f"y = {op}(x = x, kernel_sizes = {listed(kernel)}{attrs});", {"x": x}, {"y": y})

    valid = ', pad_type = "valid"'
    run("max_pool_1d", "max_pool", values(1, 2, 5), [2], valid, stride=1)
    run("max_pool_2d_strides", "max_pool", x2, [2, 3], valid + ", strides = [2, 1]", stride=(2, 1))
    run("max_pool_2d_custom_pad", "max_pool", x2 - 3, [3, 3], ', pad_type = "custom", pad = [1, 1, 1, 1]', stride=1,
        padding=1)
    run("max_pool_2d_ceil_mode", "max_pool", x2, [2, 2], valid + ", strides = [3, 3], ceil_mode = true", stride=3,
        ceil_mode=True)
    run("max_pool_3d", "max_pool", values(1, 1, 2, 3, 3), [2, 2, 2], valid, stride=1)
    run("avg_pool_2d", "avg_pool", x2, [2, 2], valid + ", strides = [2, 2]", stride=2)
    run("avg_pool_counts_padding", "avg_pool", x2, [3, 3], ', pad_type = "custom", pad = [1, 1, 1, 1]', stride=1,
        padding=1)
    run("avg_pool_excludes_padding", "avg_pool", x2, [3, 3],
        ', pad_type = "custom", pad = [1, 1, 1, 1], exclude_padding_from_average = true', stride=1, padding=1,
        count_include_pad=False)
    run("avg_pool_ceil_mode_padded", "avg_pool", x2, [3, 3],
        ', pad_type = "custom", pad = [1, 1, 1, 1], strides = [2, 3], ceil_mode = true', stride=(2, 3), padding=1,
        ceil_mode=True)
    run("avg_pool_3d", "avg_pool", values(1, 1, 2, 2, 3), [2, 2, 2], valid, stride=1)
    y = F.max_pool2d(F.pad(T(x2), (0, 1, 0, 1), value=-np.inf), 2, 1).numpy()
    c.add("max_pool_same", 'y = max_pool(x = x, kernel_sizes = [2, 2], pad_type = "same");', {"x": x2}, {"y": y})
    y = F.max_pool2d(F.pad(T(x2), (1, 0, 1, 0), value=-np.inf), 2, 1).numpy()
    c.add("max_pool_same_lower", 'y = max_pool(x = x, kernel_sizes = [2, 2], pad_type = "same_lower");', {"x": x2},
          {"y": y}, opset="ios16")
    c.add("max_pool_keeps_nan", 'y = max_pool(x = x, kernel_sizes = [2], pad_type = "valid");',
          {"x": np.array([[[1, np.nan, 2, 3]]], np.float32)}, {"y": np.array([[[np.nan, np.nan, 3]]], np.float32)})
    windows = np.lib.stride_tricks.sliding_window_view(x2, (2, 2), axis=(2, 3))
    c.add("l2_pool_2d", 'y = l2_pool(x = x, kernel_sizes = [2, 2], pad_type = "valid");', {"x": x2},
          {"y": np.sqrt((windows.astype(np.float64) ** 2).sum((-1, -2)))})
    c.infer("avg_pool_dynamic", 'y = avg_pool(x = x, kernel_sizes = [3, 2], strides = [2, 2], pad_type = "same");',
            {"x": "tensor<fp16, [1, ?, ?, 7]>"}, {"y": "tensor<fp16, [1, ?, ?, 4]>"})
    c.infer("max_pool_ceil_mode_drops_a_window_in_the_padding", "y = max_pool(x = x, kernel_sizes = [2], "
            'strides = [2], pad_type = "custom", pad = [1, 1], ceil_mode = true);', {"x": "tensor<fp32, [1, 1, 5]>"},
            {"y": "tensor<fp32, [1, 1, 3]>"})

    x = {"x": "tensor<fp32, [1, 2, 8, 8]>"}
    bad = lambda name, args, label, inputs=x, op="max_pool": c.reject(
        f"{label}_{name}", f"y = {op}(x = x, {args});", inputs, label)
    bad("rank_2", "kernel_sizes = [2], pad_type = \"valid\"", "pool_c1", {"x": "tensor<fp32, [1, 2]>"})
    bad("one_kernel_size", "kernel_sizes = [2], pad_type = \"valid\"", "pool_c2")
    bad("kernel_size_zero", "kernel_sizes = [2, 0], pad_type = \"valid\"", "pool_c2", op="avg_pool")
    bad("stride_zero", "kernel_sizes = [2, 2], strides = [0, 1], pad_type = \"valid\"", "pool_c2", op="l2_pool")
    bad("unknown_pad_type", "kernel_sizes = [2, 2], pad_type = \"around\"", "pool_c3")
    bad("same_lower_before_ios16", "kernel_sizes = [2, 2], pad_type = \"same_lower\"", "pool_c3", op="avg_pool")
    bad("pad_negative", "kernel_sizes = [2, 2], pad_type = \"custom\", pad = [0, 0, -1, 0]", "pool_c4")
    bad("ceil_mode_same", "kernel_sizes = [2, 2], pad_type = \"same\", ceil_mode = true", "pool_c5")
    bad("ceil_mode_uneven_pad",
        "kernel_sizes = [2, 2], pad_type = \"custom\", pad = [1, 0, 0, 0], ceil_mode = true", "pool_c5")
    bad("ceil_mode_3d", "kernel_sizes = [2, 2, 2], pad_type = \"valid\", ceil_mode = true", "pool_c5",
        {"x": "tensor<fp32, [1, 2, 8, 8, 8]>"})
    bad("kernel_too_large", "kernel_sizes = [2, 9], pad_type = \"valid\"", "pool_c6")
    bad("rank_5", "kernel_sizes = [2, 2, 2], pad_type = \"valid\"", "l2_pool_c1",
        {"x": "tensor<fp32, [1, 2, 8, 8, 8]>"}, "l2_pool")
    c.write()


conv()
pool()
