"""Cases of src/ops/recurrent; the oracle is PyTorch, and NumPy for what it has not (gru without reset_after, peepholes)."""
import numpy as np
import torch

from writer import Cases, literal, values

T = torch.from_numpy
STEPS, BATCH, INPUT, HIDDEN = 3, 2, 2, 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def torch_run(module, weights, x, *state):
    names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    suffixes = ["", "_reverse"][: len(weights)]
    module.load_state_dict({n + s: T(w) for s, group in zip(suffixes, weights) for n, w in zip(names, group)})
    with torch.no_grad():
        out, final = module(T(x), state[0] if len(state) == 1 else state)
    return out.numpy(), final


def rows(weight, order):
    """Gates of `weight` in another order."""
    parts = np.split(weight, len(order))
    return np.concatenate([parts[i] for i in order])


def joined(state):
    """[directions, batch, hidden] to [batch, directions * hidden]."""
    return np.concatenate(list(state), axis=-1)


cases = Cases("recurrent", "PyTorch 2.7, for gru without reset_after and for peepholes NumPy")
x, h, s = values(STEPS, BATCH, INPUT), values(BATCH, HIDDEN, seed=1), values(BATCH, HIDDEN, seed=2)


def group(gates, seed):
    n = gates * HIDDEN
    return [values(n, INPUT, seed=seed), values(n, HIDDEN, seed=seed + 1), values(n, seed=seed + 2),
            values(n, seed=seed + 3)]


def rnn():
    w = group(1, 10)
    bias = (w[2] + w[3]).astype(np.float32)
    weights = f"weight_ih = {literal(w[0])}, weight_hh = {literal(w[1])}"
    call = f"rnn(x = x, initial_h = h, {weights}, bias = {literal(bias)}"
    module = lambda kind="tanh": torch.nn.RNN(INPUT, HIDDEN, nonlinearity=kind)
    out, final = torch_run(module(), [[w[0], w[1], bias, 0 * bias]], x, T(h[None]))
    cases.add("rnn_sequence", f"(y, f) = {call}, output_sequence = true);", {"x": x, "h": h},
              {"y": out, "f": final.numpy()[0]})
    cases.add("rnn_last_by_default", f"(y, f) = {call});", {"x": x, "h": h}, {"y": out[-1:], "f": final.numpy()[0]})
    out, final = torch_run(module("relu"), [[w[0], w[1], 0 * bias, 0 * bias]], x[::-1].copy(), T(h[None]))
    cases.add("rnn_reverse_relu_without_bias", f'(y, f) = rnn(x = x, initial_h = h, {weights}, direction = "reverse", '
              'output_sequence = true, activation = "relu");', {"x": x, "h": h}, {"y": out, "f": final.numpy()[0]},
              note="Outputs stand in the order of computation: the last step of x comes first.")
    linear = x[0] @ w[0].T + h @ w[1].T
    for name, function in (("linear", lambda v: v), ("sigmoid", sigmoid), ("scaled_tanh", np.tanh),
                           ("sigmoid_hard", lambda v: np.clip(0.2 * v + 0.5, 0, 1))):
        cases.add(f"rnn_{name}", f'(y, f) = rnn(x = x, initial_h = h, {weights}, activation = "{name}");',
                  {"x": x[:1], "h": h}, {"y": function(linear)[None], "f": function(linear)})
    cases.infer("rnn_dynamic", "(y, f) = rnn(x = x, initial_h = h, weight_ih = tensor<fp16, [4, 3]>(seed 1), "
                "weight_hh = tensor<fp16, [4, 4]>(seed 2), output_sequence = true);",
                {"x": "tensor<fp16, [?, ?, 3]>", "h": "tensor<fp16, [?, 4]>"},
                {"y": "tensor<fp16, [?, ?, 4]>", "f": "tensor<fp16, [?, 4]>"}, "ios17")


def gru():
    w = group(3, 20)
    order = [0, 2, 1]  # PyTorch's r, z, n to r, o, z
    args = ", ".join(f"{n} = {literal(rows(v, order))}" for n, v in zip(
        ("weight_ih", "weight_hh", "input_bias", "bias"), w))
    out, final = torch_run(torch.nn.GRU(INPUT, HIDDEN), [w], x, T(h[None]))
    cases.add("gru_reset_after", f"(y, f) = gru(x = x, initial_h = h, {args}, reset_after = true, "
              "output_sequence = true);", {"x": x, "h": h}, {"y": out, "f": final.numpy()[0]}, opset="ios18")
    ih, hh = rows(w[0], order).astype(np.float64), rows(w[1], order).astype(np.float64)
    bias = rows(w[2], order)
    for name, steps, attrs, act, inner in (
            ("forward", x, "", np.tanh, sigmoid),
            ("reverse", x[::-1], ', direction = "reverse"', np.tanh, sigmoid),
            ("other_activations", x, ', activation = "sigmoid", recurrent_activation = "tanh"', sigmoid, np.tanh)):
        state, outputs = h.astype(np.float64), []
        for step in steps:
            r, o, z = np.split(step @ ih.T + bias, 3, axis=1)
            hr, ho, hz = np.split(hh, 3)
            r, z = inner(r + state @ hr.T), inner(z + state @ hz.T)
            o = act(o + (r * state) @ ho.T)
            state = (1 - z) * o + z * state
            outputs.append(state)
        cases.add(f"gru_{name}", f"(y, f) = gru(x = x, initial_h = h, weight_ih = {literal(rows(w[0], order))}, "
                  f"weight_hh = {literal(rows(w[1], order))}, bias = {literal(bias)}, output_sequence = true{attrs});",
                  {"x": x, "h": h}, {"y": np.stack(outputs), "f": state})


def lstm():
    w, back = group(4, 30), group(4, 40)
    order = [0, 1, 3, 2]  # PyTorch's i, f, g, o to i, f, o, z

    def args(w, suffix=""):
        bias = (w[2] + w[3]).astype(np.float32)
        return ", ".join(f"{n}{suffix} = {literal(rows(v, order))}" for n, v in
                         (("weight_ih", w[0]), ("weight_hh", w[1]), ("bias", bias)))

    start = "x = x, initial_h = h, initial_c = c"
    sum_bias = lambda w: [w[0], w[1], (w[2] + w[3]).astype(np.float32), 0 * w[2]]
    inputs = {"x": x, "h": h, "c": s}
    for name, steps, attrs in (("forward", x, ""), ("reverse", x[::-1].copy(), ', direction = "reverse"')):
        out, (fh, fc) = torch_run(torch.nn.LSTM(INPUT, HIDDEN), [sum_bias(w)], steps, T(h[None]), T(s[None]))
        cases.add(f"lstm_{name}", f"(y, f, g) = lstm({start}, {args(w)}, output_sequence = true{attrs});", inputs,
                  {"y": out, "f": fh.numpy()[0], "g": fc.numpy()[0]})
    h2, s2 = values(2, BATCH, HIDDEN, seed=3), values(2, BATCH, HIDDEN, seed=4)
    out, (fh, fc) = torch_run(torch.nn.LSTM(INPUT, HIDDEN, bidirectional=True), [sum_bias(w), sum_bias(back)], x, T(h2),
                              T(s2))
    last = np.concatenate([out[-1:, :, :HIDDEN], out[:1, :, HIDDEN:]], axis=-1)
    for name, y, attrs in (("sequence", out, ", output_sequence = true"), ("last", last, "")):
        cases.add(f"lstm_bidirectional_{name}", f'(y, f, g) = lstm({start}, {args(w)}, {args(back, "_back")}, '
                  f'direction = "bidirectional"{attrs});', {"x": x, "h": joined(h2), "c": joined(s2)},
                  {"y": y, "f": joined(fh.numpy()), "g": joined(fc.numpy())})

    peephole, clip = values(3 * HIDDEN, seed=5), 0.3
    ih, hh = rows(w[0], order).astype(np.float64), rows(w[1], order).astype(np.float64)
    state, cell = h.astype(np.float64), s.astype(np.float64)
    pi, pf, po = np.split(peephole.astype(np.float64), 3)
    for step in x:
        i, f, o, z = np.split(step @ ih.T + state @ hh.T, 4, axis=1)
        cell_before = cell
        cell = np.clip(sigmoid(f + pf * cell_before) * cell_before + sigmoid(i + pi * cell_before) * np.tanh(z), -clip,
                       clip)
        state = sigmoid(o + po * cell) * np.maximum(cell, 0)
    cases.add("lstm_peephole_clip_relu", f"(y, f, g) = lstm({start}, weight_ih = {literal(rows(w[0], order))}, "
              f"weight_hh = {literal(rows(w[1], order))}, peephole = {literal(peephole)}, clip = {clip}, "
              'activation = "relu");', inputs, {"y": state[None], "f": state, "g": cell})
    cases.infer("lstm_dynamic", "(y, f, g) = lstm(x = x, initial_h = h, initial_c = c, "
                "weight_ih = tensor<fp32, [8, 3]>(seed 1), weight_hh = tensor<fp32, [8, 2]>(seed 2));",
                {"x": "tensor<fp32, [?, 5, ?]>", "h": "tensor<fp32, [5, 2]>", "c": "tensor<fp32, [?, 2]>"},
                {"y": "tensor<fp32, [1, 5, 2]>", "f": "tensor<fp32, [5, 2]>", "g": "tensor<fp32, [5, 2]>"})


def rejections():
    given = {"x": "tensor<fp32, [3, 1, 2]>", "h": "tensor<fp32, [1, 4]>"}
    gates = {"rnn": 1, "gru": 3, "lstm": 4}

    def bad(op, name, label, attrs="", inputs=given, ih=None, hh=None, opset="ios15"):
        n = gates[op] * 4
        cell = ", initial_c = h" if op == "lstm" else ""
        outputs = "(y, f, g)" if op == "lstm" else "(y, f)"
        cases.reject(f"{label}_{op}_{name}", f"{outputs} = {op}(x = x, initial_h = h{cell}, "
                     f"weight_ih = tensor<fp32, {ih or [n, 2]}>(seed 1), "
                     f"weight_hh = tensor<fp32, {hh or [n, 4]}>(seed 2){attrs});", inputs, label, opset)

    for op in gates:
        bad(op, "rank_2", "recurrent_c1", inputs=given | {"x": "tensor<fp32, [3, 2]>"})
        bad(op, "unknown_direction", "recurrent_c2", ', direction = "backward"')
        bad(op, "features_differ", "recurrent_c3", ih=[gates[op] * 4, 3])
        bad(op, "gates_missing", "recurrent_c3", hh=[gates[op] * 4 - 1, 4])
        bad(op, "bias_too_short", "recurrent_c4", ", bias = tensor<fp32, [3]>(seed 3)")
        bad(op, "state_too_wide", "recurrent_c5", inputs=given | {"h": "tensor<fp32, [1, 8]>"})
        bad(op, "unknown_activation", "recurrent_c6", ', activation = "elu"')
    bad("gru", "bidirectional", "recurrent_c2", ', direction = "bidirectional"')
    bad("lstm", "peephole_too_long", "recurrent_c4", ", peephole = tensor<fp32, [16]>(seed 3)")
    bad("lstm", "backward_weights_missing", "lstm_c1", ', direction = "bidirectional"',
        given | {"h": "tensor<fp32, [1, 8]>"})
    cases.reject("rnn_half_before_ios17", "(y, f) = rnn(x = x, initial_h = h, weight_ih = tensor<fp16, [4, 2]>(seed 1), "
                 "weight_hh = tensor<fp16, [4, 4]>(seed 2));",
                 {"x": "tensor<fp16, [3, 1, 2]>", "h": "tensor<fp16, [1, 4]>"}, "allowed from ios17 on", "ios16")


rnn()
gru()
lstm()
rejections()
cases.write()
