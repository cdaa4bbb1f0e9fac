"""Cases of src/ops/linear, src/ops/normalization and src/ops/activation; the oracles are PyTorch and NumPy."""

import numpy as np
import torch
import torch.nn.functional as F

from writer import Cases, listed, literal, values

T = torch.from_numpy


def linear():
    c = Cases("linear", "NumPy 1.26, for scaled_dot_product_attention PyTorch 2.7")
    x, w, b = values(2, 3), values(4, 3, seed=1), values(4, seed=2)
    c.add("linear_bias", f"y = linear(x = x, weight = {literal(w)}, bias = {literal(b)});", {"x": x},
          {"y": x @ w.T + b})
    x3 = values(2, 1, 3)
    c.add("linear_rank_3_without_bias", f"y = linear(x = x, weight = {literal(w)});", {"x": x3}, {"y": x3 @ w.T})
    c.add("linear_rank_1", f"y = linear(x = x, weight = {literal(w)});", {"x": x[0]}, {"y": x[0] @ w.T})
    xi, wi, bi = np.array([[1, -2], [2147483647, 3]], np.int32), np.array([[3, 4]], np.int32), np.array([-1], np.int32)
    with np.errstate(over="ignore"):
        c.add("linear_int32_wraps", f"y = linear(x = x, weight = {literal(wi)}, bias = {literal(bi)});", {"x": xi},
              {"y": xi @ wi.T + bi})
    c.add("linear_ios17_mixed_dtypes", f"y = linear(x = x, weight = {literal(w)});", {"x": x.astype(np.float16)},
          {"y": (x.astype(np.float16).astype(np.float32) @ w.T).astype(np.float16)}, opset="ios17")
    c.infer("linear_dynamic", "y = linear(x = x, weight = tensor<fp32, [8, 3]>(seed 1));",
            {"x": "tensor<fp32, [?, 5, ?]>"}, {"y": "tensor<fp32, [?, 5, 8]>"})
    v = {"x": "tensor<fp32, [2, 3]>"}
    wt = "weight = tensor<fp32, [4, 3]>(seed 1)"
    bad = lambda name, op, args, label, inputs=v, opset="ios15": c.reject(f"{label}_{name}", f"y = {op}({args});",
                                                                         inputs, label, opset)
    bad("weight_of_rank_1", "linear", "x = x, weight = tensor<fp32, [3]>(seed 1)", "linear_c1")
    bad("scalar_x", "linear", f"x = x, {wt}", "linear_c1", {"x": "tensor<fp32, []>"})
    bad("features_differ", "linear", "x = x, weight = tensor<fp32, [3, 4]>(seed 1)", "linear_c2")
    bad("bias_too_short", "linear", f"x = x, {wt}, bias = tensor<fp32, [3]>(seed 1)", "linear_c3")
    bad("half_weight_before_ios17", "linear", "x = x, weight = tensor<fp16, [4, 3]>(seed 1)", "linear_c4")

    def matmul(name, a, b, attrs="", ta=False, tb=False):
        y = np.matmul(a.swapaxes(-1, -2) if ta else a, b.swapaxes(-1, -2) if tb else b)
        c.add(name, f"y = matmul(x = x, y = w{attrs});", {"x": a, "w": b}, {"y": y})

    matmul("matmul_2d", values(2, 3), values(3, 4, seed=1))
    matmul("matmul_broadcasts_batches", values(2, 1, 2, 3), values(3, 3, 1, seed=1))
    matmul("matmul_transposed", values(3, 2), values(4, 3, seed=1), ", transpose_x = true, transpose_y = true", True,
           True)
    matmul("matmul_vector_vector", values(3), values(3, seed=1))
    matmul("matmul_vector_matrices", values(3), values(2, 3, 2, seed=1))
    matmul("matmul_matrices_vector", values(2, 2, 3), values(3, seed=1))
    matmul("matmul_int32", np.array([[1, 2], [3, -4]], np.int32), np.array([[5, 6], [7, 8]], np.int32))
    wf = values(3, 2, seed=1)
    x16 = values(2, 3).astype(np.float16)
    c.add("matmul_ios17_takes_the_dtype_of_the_variable_one", f"y = matmul(x = x, y = {literal(wf)});", {"x": x16},
          {"y": (x16.astype(np.float32) @ wf).astype(np.float16)}, opset="ios17")
    c.infer("matmul_dynamic", "y = matmul(x = x, y = w, transpose_y = true);",
            {"x": "tensor<fp32, [?, 4, ?, 8]>", "w": "tensor<fp32, [2, 1, 6, ?]>"},
            {"y": "tensor<fp32, [2, 4, ?, 6]>"})
    two = lambda a, b, t="fp32", u=None: {"x": f"tensor<{t}, {listed(a)}>", "w": f"tensor<{u or t}, {listed(b)}>"}
    bad("scalar", "matmul", "x = x, y = w", "matmul_c1", two([], [2, 2]))
    bad("vector_x", "matmul", "x = x, y = w, transpose_x = true", "matmul_c2", two([2], [2, 2]))
    bad("vector_y", "matmul", "x = x, y = w, transpose_y = true", "matmul_c2", two([2, 2], [2]))
    bad("inner_sizes", "matmul", "x = x, y = w", "matmul_c3", two([2, 3], [2, 3]))
    bad("batches", "matmul", "x = x, y = w", "matmul_c4", two([2, 2, 2], [3, 2, 2]))
    bad("dtypes_before_ios17", "matmul", "x = x, y = w", "matmul_c5", two([2, 2], [2, 2], "fp32", "fp16"))
    bad("dtypes_both_variable", "matmul", "x = x, y = w", "matmul_c5", two([2, 2], [2, 2], "fp32", "fp16"), "ios17")

    def einsum(name, a, b, equation):
        c.add(name, f'y = einsum(values = (a, b), equation = "{equation}");', {"a": a, "b": b},
              {"y": np.einsum("nchw,nwhu->nchu" if a.ndim == 4 else "chw,whu->chu", a, b)})

    einsum("einsum_rank_4", values(2, 2, 2, 3), values(2, 3, 2, 2, seed=1), "nchw,nwhu->nchu")
    einsum("einsum_rank_3_other_letters", values(2, 2, 3), values(3, 2, 2, seed=1), "abc, cbd -> abd")
    a, b2 = values(1, 2, 1, 3), values(2, 3, 2, 2, seed=1)
    c.add("einsum_broadcasts", 'y = einsum(values = (a, b), equation = "nchw,nwhu->nchu");', {"a": a, "b": b2},
          {"y": np.einsum("nchw,nwhu->nchu", np.broadcast_to(a, (2, 2, 2, 3)), b2)})
    c.infer("einsum_dynamic", 'y = einsum(values = (a, b), equation = "chw,whu->chu");',
            {"a": "tensor<fp32, [?, 4, 3]>", "b": "tensor<fp32, [?, ?, 5]>"}, {"y": "tensor<fp32, [?, 4, 5]>"})
    ab = lambda p, q: {"a": f"tensor<fp32, {listed(p)}>", "b": f"tensor<fp32, {listed(q)}>"}
    e4 = 'equation = "nchw,nwhu->nchu"'
    bad("one_value", "einsum", f"values = (a), {e4}", "einsum_c1", {"a": "tensor<fp32, [1, 2, 3, 4]>"})
    bad("other_equation", "einsum", 'values = (a, b), equation = "ij,jk->ik"', "einsum_c2", ab([2, 2], [2, 2]))
    bad("one_letter_for_two", "einsum", 'values = (a, b), equation = "nnhw,nwhu->nnhu"', "einsum_c2",
        ab([1, 2, 3, 4], [1, 4, 3, 2]))
    bad("rank_3", "einsum", f"values = (a, b), {e4}", "einsum_c3", ab([2, 3, 4], [4, 3, 2]))
    bad("inner_sizes", "einsum", f"values = (a, b), {e4}", "einsum_c4", ab([1, 2, 3, 4], [1, 5, 3, 2]))
    bad("heights", "einsum", f"values = (a, b), {e4}", "einsum_c5", ab([1, 2, 3, 4], [1, 4, 2, 2]))

    q, k, v4 = values(1, 2, 2, 3), values(1, 2, 4, 3, seed=1), values(1, 2, 4, 2, seed=2)
    args = "query = q, key = k, value = v"

    def attention(name, inputs, mask=None):
        tensors = [T(inputs[n]) for n in "qkv"]
        y = F.scaled_dot_product_attention(*tensors, attn_mask=None if mask is None else T(mask)).numpy()
        more = "" if mask is None else ", attn_mask = m"
        c.add(name, f"y = scaled_dot_product_attention({args}{more});", inputs | ({} if mask is None else {"m": mask}),
              {"y": y}, opset="ios18")

    qkv = {"q": q, "k": k, "v": v4}
    attention("attention", qkv)
    attention("attention_float_mask_broadcasts", qkv, values(2, 4, seed=3))
    attention("attention_bool_mask", qkv, np.array([[True, False, True, True], [False, True, False, False]]))
    c.add("attention_nothing_let_through", f"y = scaled_dot_product_attention({args}, attn_mask = m);",
          qkv | {"m": np.zeros((2, 4), bool)}, {"y": np.zeros((1, 2, 2, 2), np.float32)}, opset="ios18")
    types = {"q": "tensor<fp32, [1, ?, 3, 8]>", "k": "tensor<fp32, [1, 4, ?, 8]>", "v": "tensor<fp32, [1, 4, 6, 5]>"}
    c.infer("attention_dynamic", f"y = scaled_dot_product_attention({args});", types,
            {"y": "tensor<fp32, [1, 4, 3, 5]>"}, "ios18")
    name = "scaled_dot_product_attention"
    shapes = lambda q, k, v, m=None: {n: f"tensor<fp32, {listed(s)}>" for n, s in
                                      zip("qkvm", (q, k, v) + ((m,) if m else ()))}
    sdpa = lambda n, case, s, more="": c.reject(f"{name}_c{n}_{case}", f"y = {name}({args}{more});", s, f"{name}_c{n}",
                                                "ios18")
    sdpa(1, "rank_2", shapes([2, 3], [2, 3], [2, 3]))
    sdpa(2, "batches", shapes([1, 2, 3], [2, 2, 3], [1, 2, 3]))
    sdpa(3, "embeddings", shapes([1, 2, 3], [1, 2, 4], [1, 2, 3]))
    sdpa(4, "sequence_lengths", shapes([1, 2, 3], [1, 2, 3], [1, 3, 3]))
    sdpa(5, "mask_of_other_length", shapes([1, 2, 3], [1, 4, 3], [1, 4, 3], [2, 1]), ", attn_mask = m")
    sdpa(5, "mask_larger_than_scores", shapes([1, 2, 3], [1, 4, 3], [1, 4, 3], [3, 2, 4]), ", attn_mask = m")
    c.reject("scaled_dot_product_attention_before_ios18", f"y = {name}({args});", shapes([1, 2, 3], [1, 2, 3], [1, 2, 3]),
             "needs the op set ios18", "ios17")
    c.write()


def normalization():
    c = Cases("normalization", "PyTorch 2.7, for l2_norm NumPy")
    mean, var = values(2, seed=1), np.abs(values(2, seed=2)) + 0.1
    gamma, beta = values(2, seed=3), values(2, seed=4)
    mv = f"mean = {literal(mean)}, variance = {literal(var)}"
    gb = f"gamma = {literal(gamma)}, beta = {literal(beta)}"
    for shape in [(1, 2, 3), (2, 2, 1, 2), (1, 2, 1, 2, 2)]:
        x = values(*shape)
        y = F.batch_norm(T(x), T(mean), T(var), T(gamma), T(beta), eps=0.01).numpy()
        c.add(f"batch_norm_rank_{len(shape)}", f"y = batch_norm(x = x, {mv}, {gb}, epsilon = 0.01);", {"x": x}, {"y": y})
    x = values(1, 2, 2, 2)
    c.add("batch_norm_defaults", f"y = batch_norm(x = x, {mv});", {"x": x},
          {"y": F.batch_norm(T(x), T(mean), T(var)).numpy()})
    x16 = x.astype(np.float16)
    c.add("batch_norm_ios17_mixed_dtypes", f"y = batch_norm(x = x, {mv});", {"x": x16},
          {"y": F.batch_norm(T(x16.astype(np.float32)), T(mean), T(var)).numpy().astype(np.float16)}, opset="ios17")
    c.infer("batch_norm_dynamic", "y = batch_norm(x = x, mean = tensor<fp32, [4]>(seed 1), "
            "variance = tensor<fp32, [4]>(seed 2));", {"x": "tensor<fp32, [?, 4, ?]>"}, {"y": "tensor<fp32, [?, 4, ?]>"})
    x = {"x": "tensor<fp32, [1, 2, 3]>"}
    bad = lambda name, op, args, label, inputs=x, opset="ios15": c.reject(
        f"{label}_{name}", f"y = {op}(x = x{args});", inputs, label, opset)
    bad("rank_2", "batch_norm", ", " + mv, "batch_norm_c1", {"x": "tensor<fp32, [1, 2]>"})
    bad("mean_too_long", "batch_norm", f", mean = tensor<fp32, [3]>(seed 1), variance = {literal(var)}",
        "batch_norm_c2")
    bad("half_mean_before_ios17", "batch_norm",
        ", mean = tensor<fp16, [2]>(seed 1), variance = tensor<fp16, [2]>(seed 1)", "normalization_c1")

    for shape in [(2, 2, 3), (1, 2, 2, 3)]:
        x = values(*shape, seed=5)
        c.add(f"instance_norm_rank_{len(shape)}", f"y = instance_norm(x = x, {gb}, epsilon = 0.001);", {"x": x},
              {"y": F.instance_norm(T(x), weight=T(gamma), bias=T(beta), eps=0.001).numpy()}, tolerance="1e-5")
    c.add("instance_norm_defaults", "y = instance_norm(x = x);", {"x": x},
          {"y": F.instance_norm(T(x)).numpy()}, tolerance="1e-5")
    bad("rank_2", "instance_norm", "", "instance_norm_c1", {"x": "tensor<fp32, [1, 2]>"})
    bad("gamma_too_long", "instance_norm", ", gamma = tensor<fp32, [3]>(seed 1)", "instance_norm_c2")

    for shape in [(2, 2, 2), (2, 1, 2, 2)]:
        x = values(*shape, seed=6)
        y = x / np.sqrt((x.astype(np.float64) ** 2).sum((-3, -2, -1), keepdims=True) + 1e-6)
        c.add(f"l2_norm_rank_{len(shape)}", "y = l2_norm(x = x);", {"x": x}, {"y": y})
    c.add("l2_norm_of_zeros", "y = l2_norm(x = x);", {"x": np.zeros((1, 1, 2), np.float32)},
          {"y": np.zeros((1, 1, 2), np.float32)})
    bad("rank_2", "l2_norm", "", "l2_norm_c1", {"x": "tensor<fp32, [1, 2]>"})

    x = values(2, 3, 2, seed=7)
    g, b = values(3, 2, seed=8), values(3, 2, seed=9)
    c.add("layer_norm_trailing_axes", f"y = layer_norm(x = x, axes = [-2, -1], gamma = {literal(g)}, "
          f"beta = {literal(b)});", {"x": x}, {"y": F.layer_norm(T(x), (3, 2), T(g), T(b)).numpy()}, tolerance="1e-5")
    c.add("layer_norm_all_axes", "y = layer_norm(x = x, epsilon = 0.1);", {"x": x},
          {"y": F.layer_norm(T(x), (2, 3, 2), eps=0.1).numpy()}, tolerance="1e-5")
    g = values(3, seed=8)
    y = F.layer_norm(T(x).transpose(1, 2), (3,), T(g)).transpose(1, 2).numpy()
    c.add("layer_norm_middle_axis", f"y = layer_norm(x = x, axes = [1], gamma = {literal(g)});", {"x": x}, {"y": y},
          tolerance="1e-5")
    y = F.layer_norm(T(x).permute(1, 0, 2), (2, 2)).permute(1, 0, 2).numpy()
    c.add("layer_norm_axes_apart", "y = layer_norm(x = x, axes = [2, 0]);", {"x": x}, {"y": y}, tolerance="1e-5")
    big = (values(1, 4) + 1e6).astype(np.float32)
    y = F.layer_norm(T(big.astype(np.float64)), (4,)).numpy()
    c.add("layer_norm_large_offset", "y = layer_norm(x = x, axes = [1]);", {"x": big}, {"y": y}, tolerance="1e-5",
          note="A one-pass variance would cancel.")
    c.add("layer_norm_flat_row_without_epsilon", "y = layer_norm(x = x, axes = [1], epsilon = 0.0);",
          {"x": np.full((1, 3), 5, np.float32)}, {"y": np.zeros((1, 3), np.float32)})
    c.infer("layer_norm_dynamic", "y = layer_norm(x = x, axes = [-1], gamma = tensor<fp16, [8]>(seed 1));",
            {"x": "tensor<fp16, [?, ?, 8]>"}, {"y": "tensor<fp16, [?, ?, 8]>"})
    x = {"x": "tensor<fp32, [1, 2, 3]>"}
    bad("axis_outside", "layer_norm", ", axes = [3]", "layer_norm_c1")
    bad("axis_twice", "layer_norm", ", axes = [2, -1]", "layer_norm_c1")
    bad("gamma_of_wrong_shape", "layer_norm", ", axes = [2], gamma = tensor<fp32, [2]>(seed 1)", "layer_norm_c2")

    x = values(1, 4, 2, 1, seed=10)
    for size in (2, 3):
        y = F.local_response_norm(T(x), size, alpha=0.5, beta=0.6, k=1.5).numpy()
        c.add(f"local_response_norm_size_{size}",
              f"y = local_response_norm(x = x, size = {size}, alpha = 0.5, beta = 0.6, k = 1.5);", {"x": x}, {"y": y})
    c.add("local_response_norm_defaults", "y = local_response_norm(x = x, size = 5);", {"x": x},
          {"y": F.local_response_norm(T(x), 5).numpy()})
    bad("rank_2", "local_response_norm", ", size = 3", "local_response_norm_c1", {"x": "tensor<fp32, [1, 2]>"})
    bad("size_zero", "local_response_norm", ", size = 0", "local_response_norm_c2")
    c.write()


def activation():
    c = Cases("activation", "PyTorch 2.7, or NumPy where it has no such function")
    x = np.array([[-30, -3.5, -1, -0.25], [0, 0.5, 2, 90]], np.float32)
    d = x.astype(np.float64)

    def run(name, y, args="", more=None):
        y = y.numpy() if isinstance(y, torch.Tensor) else y
        c.add(more or name, f"y = {name}(x = x{args});", {"x": x}, {"y": y})

    t = T(d)
    run("clamped_relu", np.minimum(1.5, np.where(d >= 0, d, 0.2 * d)), ", alpha = 0.2, beta = 1.5")
    run("elu", F.elu(t, 0.3), ", alpha = 0.3")
    run("gelu", F.gelu(t), more="gelu_exact_by_default")
    run("gelu", F.gelu(t, approximate="tanh"), ', mode = "TANH_APPROXIMATION"', "gelu_tanh")
    run("gelu", t * torch.sigmoid(1.702 * t), ', mode = "SIGMOID_APPROXIMATION"', "gelu_sigmoid")
    run("leaky_relu", F.leaky_relu(t, 0.1), ", alpha = 0.1")
    run("linear_activation", 0.5 * d - 2, ", alpha = 0.5, beta = -2.0")
    run("relu", F.relu(t))
    run("relu6", F.relu6(t))
    run("scaled_tanh", 1.7 * np.tanh(0.6 * d), ", alpha = 1.7, beta = 0.6")
    run("sigmoid", torch.sigmoid(t))
    run("sigmoid_hard", np.clip(0.2 * d + 0.4, 0, 1), ", alpha = 0.2, beta = 0.4")
    run("silu", F.silu(t))
    run("softplus", F.softplus(t, threshold=1e9))
    run("softsign", F.softsign(t))
    run("thresholded_relu", np.where(d >= 0.5, d, 0), ", alpha = 0.5")
    run("softmax", F.softmax(t, -1), more="softmax_last_axis_by_default")
    run("softmax", F.softmax(t, 0), ", axis = 0", "softmax_axis_0")
    huge = np.array([1000, 999, -1000], np.float32)
    c.add("softmax_does_not_overflow", "y = softmax(x = x);", {"x": huge}, {"y": F.softmax(T(huge), 0).numpy()})
    c.add("relu_keeps_nan", "y = relu(x = x);", {"x": np.array([np.nan, -1], np.float32)},
          {"y": np.array([np.nan, 0], np.float32)})
    for shape, alpha in [((1, 2, 2, 2), [0.1, -0.5]), ((1, 2, 3), [0.25, 0.25])]:
        v, a = values(*shape), np.array(alpha, np.float32)
        c.add(f"prelu_rank_{len(shape)}", f"y = prelu(x = x, alpha = {literal(a)});", {"x": v},
              {"y": F.prelu(T(v), T(a)).numpy()})
    v, a, b = values(1, 2, 3), values(2, seed=1), values(2, seed=2)
    wide = v.astype(np.float64) * b[:, None]
    c.add("softplus_parametric", f"y = softplus_parametric(x = x, alpha = {literal(a)}, beta = {literal(b)});",
          {"x": v}, {"y": a[:, None] * np.log1p(np.exp(wide))})
    half = np.array([0.1, -0.3, 3], np.float16)
    c.add("leaky_relu_ios17_mixed_dtypes", "y = leaky_relu(x = x, alpha = 0.1);", {"x": half},
          {"y": F.leaky_relu(T(half.astype(np.float32)), 0.1).numpy().astype(np.float16)}, opset="ios17")
    c.infer("relu_dynamic", "y = relu(x = x);", {"x": "tensor<fp16, [?, 2]>"}, {"y": "tensor<fp16, [?, 2]>"})
    c.infer("softmax_dynamic", "y = softmax(x = x, axis = 1);", {"x": "tensor<fp32, [2, ?]>"},
            {"y": "tensor<fp32, [2, ?]>"})

    image = {"x": "tensor<fp32, [1, 2, 3]>"}
    bad = lambda name, op, args, label, inputs=image, opset="ios15": c.reject(
        f"{label}_{name}", f"y = {op}(x = x{args});", inputs, label, opset)
    for op in ("elu", "leaky_relu", "thresholded_relu"):
        bad(op, op, ", alpha = fp16(0.5)", "activation_c1")
        bad(op, op, ", alpha = [0.5, 0.5]", "activation_c2")
    for op in ("clamped_relu", "linear_activation", "scaled_tanh", "sigmoid_hard"):
        bad(op, op, ", alpha = fp16(0.5), beta = fp16(1)", "activation_c1")
        bad(op, op, ", alpha = 0.5, beta = [0.5, 0.5]", "activation_c2")
    bad("prelu", "prelu", ", alpha = tensor<fp16, [2]>(splat 0.5)", "activation_c1")
    bad("softplus_parametric", "softplus_parametric",
        ", alpha = tensor<fp16, [2]>(splat 0.5), beta = tensor<fp16, [2]>(splat 0.5)", "activation_c1")
    bad("unknown_mode", "gelu", ', mode = "FAST"', "gelu_c1")
    bad("rank_2", "prelu", ", alpha = [0.5, 0.5]", "prelu_c1", {"x": "tensor<fp32, [1, 2]>"})
    bad("alpha_too_long", "prelu", ", alpha = [0.5, 0.5, 0.5]", "prelu_c2")
    bad("alphas_differ_in_rank_3", "prelu", ", alpha = [0.5, 0.25]", "prelu_c3")
    bad("rank_2", "softplus_parametric", ", alpha = [0.5, 0.5], beta = [0.5, 0.5]", "softplus_parametric_c1",
        {"x": "tensor<fp32, [1, 2]>"})
    bad("beta_too_short", "softplus_parametric", ", alpha = [0.5, 0.5], beta = [0.5]", "softplus_parametric_c2")
    bad("axis_outside", "softmax", ", axis = 3", "softmax_c1")
    bad("scalar", "softmax", "", "softmax_c1", {"x": "tensor<fp32, []>"})
    c.write()


linear()
normalization()
activation()
