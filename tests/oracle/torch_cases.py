"""What torch_export.py compares: operators one at a time, modules and awkward ones."""

import torch
import torch.nn.functional as F
import torch_data_sizes
import torch_in_place
import torch_symbolic
from torch import nn


class Case:
    def __init__(self, name, make, dynamic=None, extra=(), network=False, bound=1e-4):
        self.name, self.make, self.dynamic, self.extra = name, make, dynamic, extra
        self.network, self.bound = network, bound
        self.others = ()  # inputs of other sizes


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        result = self.function(*inputs)
        # Not every torch saves its own kinds of tuples.
        return tuple(result) if isinstance(result, tuple) else result


def x(*shape):
    return torch.randn(*shape)


def ints(high, *shape):
    return torch.randint(0, high, shape)


def simple():
    """(name, function, inputs): each a line."""
    unary = [
        "exp",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "atan",
        "sinh",
        "cosh",
        "asinh",
        "erf",
        "floor",
        "ceil",
        "round",
        "trunc",
        "frac",
        "abs",
        "neg",
        "sign",
        "square",
        "expm1",
        "exp2",
        "erfc",
        "sigmoid",
        "tanh",
        "relu",
        "reciprocal",
        "isnan",
        "isfinite",
        "logical_not",
        "positive",
    ]
    positive = ["log", "log2", "log10", "log1p", "rsqrt"]
    bounded = ["asin", "acos", "atanh", "logit"]
    rows = [(name, getattr(torch, name), (x(2, 3),)) for name in unary]
    rows += [(name, getattr(torch, name), (x(2, 3).abs() + 0.1,)) for name in positive]
    rows += [(name, getattr(torch, name), (torch.rand(2, 3) * 0.8 + 0.1,)) for name in bounded]
    rows.append(("acosh", torch.acosh, (torch.rand(2, 3) + 1.5,)))
    binary = [
        "add",
        "sub",
        "mul",
        "div",
        "maximum",
        "minimum",
        "pow",
        "remainder",
        "fmod",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "logical_and",
        "logical_or",
        "logical_xor",
        "hypot",
        "atan2",
        "floor_divide",
        "isclose",
    ]
    rows += [
        (f"{name} float", getattr(torch, name), (x(2, 3).abs() + 0.2, x(3) + (0 if name != "pow" else 1))) for name in binary
    ]
    rows += [
        (f"{name} int", getattr(torch, name), (ints(9, 2, 3) - 4, ints(5, 3) + 1))
        for name in binary
        if name not in ("hypot", "atan2", "isclose", "pow")
    ]
    rows += [
        (f"{name} int float", getattr(torch, name), (ints(9, 2, 3) + 1, x(3)))
        for name in binary
        if name not in ("hypot", "isclose", "pow")
    ]
    rows += [
        ("add scalar", lambda a: a + 2, (x(2, 3),)),
        ("rsub", lambda a: 2 - a, (x(2, 3),)),
        ("add float to int", lambda a: a + 2.5, (ints(9, 2, 3),)),
        ("int div", lambda a: a / 2, (ints(9, 2, 3),)),
        ("int floordiv", lambda a: a // 2, (ints(9, 2, 3) - 4,)),
        ("int8 floordiv", lambda a: a.to(torch.int8) // 7, (ints(9, 4) - 128,)),
        ("int8 shift right", lambda a: a.to(torch.int8) >> 2, (ints(9, 4) - 128,)),
        ("int8 rsub", lambda a: 100 - a.to(torch.int8), (ints(9, 4) - 128,)),
        ("int8 and int16", lambda a: (a.to(torch.int8) * a.to(torch.int16)).to(torch.int32), (ints(9, 4) + 100,)),
        ("int8 and int64", lambda a: a.to(torch.int8) * a, (ints(9, 4) + 100,)),
        ("int8 and bool", lambda a: (a > 3) + a.to(torch.int8), (ints(9, 4) + 120,)),
        ("int8 cat int16", lambda a: torch.cat([a.to(torch.int8), a.to(torch.int16)]) * 2, (ints(9, 4) + 110,)),
        ("int16 addcmul", lambda a: torch.addcmul(a.to(torch.int16), a.to(torch.int8), a.to(torch.int8)), (ints(9, 4) + 100,)),
        ("int mod", lambda a: a % 3, (ints(9, 2, 3) - 4,)),
        ("add alpha", lambda a, b: torch.add(a, b, alpha=3), (x(2, 3), x(3))),
        ("bool add", lambda a, b: (a > 0) + (b > 0), (x(2, 3), x(3))),
        ("bool mul", lambda a, b: (a > 0) * b, (x(2, 3), x(3))),
        ("bool sum", lambda a: (a > 0).sum(1), (x(2, 3),)),
        ("div trunc", lambda a, b: torch.div(a, b, rounding_mode="trunc"), (x(2, 3), x(3))),
        ("div floor int", lambda a, b: torch.div(a, b, rounding_mode="floor"), (ints(9, 2, 3) - 4, ints(5, 3) + 1)),
        ("pow scalar base", lambda a: 2**a, (x(2, 3),)),
        ("pow 2.5", lambda a: a.abs() ** 2.5, (x(2, 3),)),
        ("bitwise", lambda a, b: (a & b) | (a ^ b), (ints(9, 2, 3), ints(9, 3))),
        ("bitwise bool", lambda a, b: ((a > 0) & (b > 0)) | ~(a > 1), (x(2, 3), x(3))),
        ("clamp", lambda a: a.clamp(-0.5, 0.5), (x(2, 3),)),
        ("clamp min", lambda a: a.clamp(min=0.1), (x(2, 3),)),
        ("clamp tensor", torch.clamp, (x(2, 3), x(3) - 1, x(3) + 1)),
        ("clamp int", lambda a: a.clamp(1, 3), (ints(9, 4),)),
        ("lerp", lambda a, b: torch.lerp(a, b, 0.3), (x(2, 3), x(2, 3))),
        ("addcmul", lambda a, b, c: torch.addcmul(a, b, c, value=0.5), (x(2, 3), x(2, 3), x(2, 3))),
        ("addcdiv", lambda a, b, c: torch.addcdiv(a, b, c, value=0.5), (x(2, 3), x(2, 3), x(2, 3).abs() + 1)),
        ("nan_to_num", lambda a: torch.nan_to_num(torch.log(a)), (x(2, 3),)),
        ("where", lambda a, b: torch.where(a > b, a, b), (x(2, 3), x(3))),
        ("where scalar", lambda a: torch.where(a > 0, a, -1.0), (x(2, 3),)),
        ("where int float", lambda a, b: torch.where(b > 0, a, b), (ints(5, 2, 3), x(2, 3))),
        ("masked_fill", lambda a: a.masked_fill(a > 0, float("-inf")), (x(2, 3),)),
        ("to int", lambda a: (a * 3).to(torch.int32) + 1, (x(2, 3),)),
        ("to bool", lambda a: a.bool(), (ints(3, 2, 3),)),
        ("to uint8", lambda a: (a * 100).to(torch.uint8), (torch.rand(2, 3),)),
        # reductions
        ("sum", lambda a: a.sum(), (x(2, 3, 4),)),
        ("sum dims", lambda a: a.sum((0, 2)), (x(2, 3, 4),)),
        ("sum keep", lambda a: a.sum(-1, keepdim=True), (x(2, 3, 4),)),
        ("mean", lambda a: a.mean((1, 2)), (x(2, 3, 4),)),
        ("prod", lambda a: a.prod(1), (x(2, 3, 4),)),
        ("amax", lambda a: a.amax((1, 2)), (x(2, 3, 4),)),
        ("amin", lambda a: a.amin(0), (x(2, 3, 4),)),
        ("max dim", lambda a: a.max(1), (x(2, 3, 4),)),
        ("min dim", lambda a: a.min(2, keepdim=True), (x(2, 3, 4),)),
        ("max all", lambda a: a.max(), (x(2, 3, 4),)),
        ("argmax", lambda a: a.argmax(1), (x(2, 3, 4),)),
        ("argmax all", lambda a: a.argmax(), (x(2, 3, 4),)),
        ("any", lambda a: (a > 0).any(1), (x(2, 3, 4),)),
        ("all", lambda a: (a > -1).all(), (x(2, 3, 4),)),
        ("var", lambda a: a.var(1), (x(2, 3, 4),)),
        ("std unbiased", lambda a: a.std((1, 2), unbiased=False), (x(2, 3, 4),)),
        ("var_mean", lambda a: torch.var_mean(a, 1), (x(2, 3, 4),)),
        ("logsumexp", lambda a: a.logsumexp(1), (x(2, 3),)),
        ("norm", lambda a: a.norm(dim=1), (x(2, 3),)),
        ("norm 1", lambda a: torch.linalg.vector_norm(a, 1, dim=1), (x(2, 3),)),
        ("norm inf", lambda a: torch.linalg.vector_norm(a, float("inf"), dim=1), (x(2, 3),)),
        ("normalize", lambda a: F.normalize(a, dim=1), (x(2, 3),)),
        ("aminmax", lambda a: torch.aminmax(a, dim=1), (x(2, 3),)),
        ("cosine_similarity", lambda a, b: F.cosine_similarity(a, b, dim=1), (x(2, 3), x(2, 3))),
        ("count_nonzero", lambda a: torch.count_nonzero(a > 0, 1), (x(2, 3),)),
        # activations
        ("relu6", F.relu6, (x(2, 3) * 5,)),
        ("leaky", lambda a: F.leaky_relu(a, 0.2), (x(2, 3),)),
        ("elu", F.elu, (x(2, 3),)),
        ("celu", lambda a: F.celu(a, 0.5), (x(2, 3),)),
        ("selu", F.selu, (x(2, 3),)),
        ("gelu", F.gelu, (x(2, 3),)),
        ("gelu tanh", lambda a: F.gelu(a, approximate="tanh"), (x(2, 3),)),
        ("silu", F.silu, (x(2, 3),)),
        ("mish", F.mish, (x(2, 3),)),
        ("hardswish", F.hardswish, (x(2, 3) * 4,)),
        ("hardsigmoid", F.hardsigmoid, (x(2, 3) * 4,)),
        ("hardtanh", lambda a: F.hardtanh(a, -0.3, 0.4), (x(2, 3),)),
        ("softplus", lambda a: F.softplus(a, 2, 5), (x(2, 3) * 5,)),
        ("softsign", F.softsign, (x(2, 3),)),
        ("logsigmoid", F.logsigmoid, (x(2, 3),)),
        ("glu", F.glu, (x(2, 4),)),
        ("threshold", lambda a: F.threshold(a, 0.1, 20), (x(2, 3),)),
        ("hardshrink", F.hardshrink, (x(2, 3),)),
        ("softshrink", F.softshrink, (x(2, 3),)),
        ("tanhshrink", F.tanhshrink, (x(2, 3),)),
        ("softmax", lambda a: a.softmax(1), (x(2, 3, 4),)),
        ("log_softmax", lambda a: a.log_softmax(-1), (x(2, 3, 4),)),
        # products
        ("mm", torch.mm, (x(2, 3), x(3, 4))),
        ("bmm", torch.bmm, (x(2, 3, 4), x(2, 4, 5))),
        ("mv", torch.mv, (x(2, 3), x(3))),
        ("matmul 1d", torch.matmul, (x(3), x(2, 3, 4))),
        ("matmul 4d", torch.matmul, (x(2, 1, 3, 4), x(5, 4, 2))),
        ("dot", torch.dot, (x(3), x(3))),
        ("addmm", lambda a, b, c: torch.addmm(a, b, c, beta=0.5, alpha=2), (x(4), x(2, 3), x(3, 4))),
        ("baddbmm", lambda a, b, c: torch.baddbmm(a, b, c, alpha=0.3), (x(2, 3, 5), x(2, 3, 4), x(2, 4, 5))),
        ("einsum", lambda a, b: torch.einsum("bhid,bhjd->bhij", a, b), (x(2, 3, 4, 5), x(2, 3, 6, 5))),
        ("einsum dots", lambda a, b: torch.einsum("...ij,...jk->...ik", a, b), (x(2, 3, 4), x(2, 4, 5))),
        ("einsum diagonal", lambda a: torch.einsum("ii->i", a), (x(3, 3),)),
        ("einsum trace", lambda a: torch.einsum("ii", a), (x(3, 3),)),
        ("einsum three", lambda a, b, c: torch.einsum("ab,bc,cd->ad", a, b, c), (x(2, 3), x(3, 4), x(4, 5))),
        ("einsum implicit", lambda a, b: torch.einsum("ij,kj", a, b), (x(2, 3), x(4, 3))),
        ("einsum outer", lambda a, b: torch.einsum("i,j->ij", a, b), (x(2), x(4))),
        ("outer", torch.outer, (x(2), x(4))),
        # moving
        ("view", lambda a: a.view(3, -1), (x(2, 3, 4),)),
        ("reshape t", lambda a: a.t().reshape(-1), (x(2, 3),)),
        ("permute", lambda a: a.permute(2, 0, -2), (x(2, 3, 4),)),
        ("transpose", lambda a: a.transpose(-1, 0), (x(2, 3, 4),)),
        ("flatten", lambda a: a.flatten(1), (x(2, 3, 4),)),
        ("unflatten", lambda a: a.unflatten(1, (2, 3)), (x(2, 6, 2),)),
        ("squeeze", lambda a: a.squeeze(), (x(2, 1, 3, 1),)),
        ("squeeze dim", lambda a: a.squeeze(1).squeeze(0), (x(2, 1, 3),)),
        ("unsqueeze", lambda a: a.unsqueeze(-1).unsqueeze(0), (x(2, 3),)),
        ("movedim", lambda a: a.movedim(0, 2), (x(2, 3, 4),)),
        ("expand", lambda a: a.expand(4, -1, 3), (x(2, 1),)),
        ("repeat", lambda a: a.repeat(2, 1, 3), (x(2, 3),)),
        ("repeat_interleave", lambda a: a.repeat_interleave(2, 1), (x(2, 3),)),
        ("repeat_interleave tensor", lambda a: a.repeat_interleave(torch.tensor([2, 0, 3]), 1), (x(2, 3),)),
        ("repeat_interleave flat", lambda a: a.repeat_interleave(torch.tensor([2])), (x(2, 3),)),
        ("repeat_interleave indices", lambda a: a[torch.repeat_interleave(torch.tensor([2, 1]))], (x(2, 3),)),
        ("flip", lambda a: a.flip((0, 2)), (x(2, 3, 4),)),
        ("roll", lambda a: a.roll((1, -2), (1, 2)), (x(2, 3, 4),)),
        ("roll flat", lambda a: a.roll(3), (x(2, 3),)),
        ("rot90", lambda a: torch.rot90(a, 1, (1, 2)), (x(2, 3, 4),)),
        ("rot90 3", lambda a: torch.rot90(a, 3, (0, 1)), (x(2, 3, 4),)),
        ("cat", lambda a, b: torch.cat([a, b, a], 1), (x(2, 3), x(2, 4))),
        ("cat int float", lambda a, b: torch.cat([a, b]), (x(2), ints(4, 3))),
        ("stack", lambda a, b: torch.stack([a, b], -1), (x(2, 3), x(2, 3))),
        ("hstack", lambda a, b: torch.hstack([a, b]), (x(2, 3), x(2, 1))),
        ("vstack", lambda a, b: torch.vstack([a, b]), (x(3), x(2, 3))),
        ("dstack", lambda a, b: torch.dstack([a, b]), (x(2, 3), x(2, 3))),
        ("split", lambda a: a.split(2, 1), (x(2, 5),)),
        ("split sizes", lambda a: a.split([1, 3], 1), (x(2, 4),)),
        ("chunk", lambda a: a.chunk(3, 1), (x(2, 7),)),
        ("unbind", lambda a: a.unbind(1), (x(2, 3),)),
        ("slice", lambda a: a[:, 1:-1:2], (x(2, 7),)),
        ("select", lambda a: a[:, -1], (x(2, 3),)),
        ("narrow", lambda a: a.narrow(1, 1, 2), (x(2, 4),)),
        ("tril", lambda a: a.tril(1), (x(3, 4),)),
        ("triu", lambda a: a.triu(-1), (x(2, 3, 4),)),
        ("diagonal", lambda a: a.diagonal(1), (x(3, 4),)),
        ("diagonal 3d", lambda a: a.diagonal(0, 0, 2), (x(3, 2, 4),)),
        ("diag_embed", lambda a: torch.diag_embed(a), (x(2, 3),)),
        ("diag_embed off", lambda a: torch.diag_embed(a, 1), (x(2, 3),)),
        ("diag", torch.diag, (x(3),)),
        ("unfold", lambda a: a.unfold(1, 3, 2), (x(2, 8),)),
        ("pixel_shuffle", lambda a: F.pixel_shuffle(a, 2), (x(2, 8, 3, 4),)),
        ("pixel_unshuffle", lambda a: F.pixel_unshuffle(a, 2), (x(2, 2, 4, 6),)),
        ("channel_shuffle", lambda a: F.channel_shuffle(a, 2), (x(2, 6, 3, 4),)),
        # indexing
        ("embedding", lambda i: F.embedding(i, torch.arange(12.0).view(4, 3)), (ints(4, 2, 5),)),
        ("index_select", lambda a, i: a.index_select(1, i), (x(2, 5), ints(5, 3))),
        ("gather", lambda a, i: a.gather(1, i), (x(2, 5), ints(5, 2, 3))),
        ("take_along_dim", lambda a, i: torch.take_along_dim(a, i, 1), (x(2, 5), ints(5, 2, 3))),
        ("index one", lambda a, i: a[i], (x(4, 3), ints(4, 2, 5))),
        ("index second", lambda a, i: a[:, i], (x(2, 4, 3), ints(4, 5))),
        ("index two", lambda a, i, j: a[i, j], (x(4, 3, 2), ints(4, 5), ints(3, 5))),
        ("index two broadcast", lambda a, i, j: a[i, j], (x(4, 3, 2), ints(4, 5, 1), ints(3, 1, 6))),
        ("index apart", lambda a, i, j: a[i, :, j], (x(4, 3, 2), ints(4, 5), ints(2, 5))),
        ("index inner two", lambda a, i, j: a[:, i, j], (x(4, 3, 2), ints(3, 5), ints(2, 5))),
        ("index negative", lambda a: a[torch.tensor([-1, 0])], (x(4, 3),)),
        ("index_put", lambda a, i, v: a.index_put((i,), v), (x(4, 3), torch.tensor([2, 0]), x(2, 3))),
        ("index_put acc", lambda a, i, v: a.index_put((i,), v, accumulate=True), (x(4, 3), torch.tensor([2, 2]), x(2, 3))),
        (
            "index_put inner",
            lambda a, i, v: torch.ops.aten.index_put(a, [None, i], v),
            (x(4, 3), torch.tensor([2, 0]), x(4, 2)),
        ),
        (
            "index_put two",
            lambda a, i, j, v: a.index_put((i, j), v),
            (x(4, 3), torch.tensor([2, 0]), torch.tensor([1, 2]), x(2)),
        ),
        ("scatter", lambda a, i, s: a.scatter(1, i, s), (x(2, 5), torch.tensor([[0, 2, 1], [3, 4, 0]]), x(2, 3))),
        ("scatter value", lambda a, i: a.scatter(1, i, 2.5), (x(2, 5), torch.tensor([[0, 2], [3, 4]]))),
        ("scatter_add", lambda a, i, s: a.scatter_add(1, i, s), (x(2, 5), ints(5, 2, 3), x(2, 3))),
        ("scatter_reduce", lambda a, i, s: a.scatter_reduce(1, i, s, "amax"), (x(2, 5), ints(5, 2, 3), x(2, 3))),
        ("index_add", lambda a, i, s: a.index_add(1, i, s), (x(2, 5), torch.tensor([0, 0, 3]), x(2, 3))),
        ("index_copy", lambda a, i, s: a.index_copy(1, i, s), (x(2, 5), torch.tensor([1, 4]), x(2, 2))),
        ("index_fill", lambda a, i: a.index_fill(1, i, 7), (x(2, 5), torch.tensor([1, 4]))),
        ("select_scatter", lambda a, s: a.select_scatter(s, 1, 2), (x(2, 5), x(2))),
        ("slice_scatter", lambda a, s: a.slice_scatter(s, 1, 1, 5, 2), (x(2, 5), x(2, 2))),
        ("mask put", lambda a: torch.ops.aten.index_put(a, [a > 0], torch.tensor(9.0)), (x(2, 5),)),
        ("one_hot", lambda i: F.one_hot(i, 5), (ints(5, 2, 3),)),
        # order
        ("topk", lambda a: a.topk(3, 1), (x(2, 7),)),
        ("topk smallest", lambda a: a.topk(2, 0, largest=False), (x(5, 3),)),
        ("sort", lambda a: a.sort(1), (x(2, 7),)),
        ("sort descending", lambda a: a.sort(0, descending=True), (x(5, 2),)),
        ("argsort", lambda a: a.argsort(), (x(2, 7),)),
        ("median", lambda a: a.median(1), (x(2, 6),)),
        ("cumsum", lambda a: a.cumsum(1), (x(2, 7),)),
        ("cumsum int", lambda a: a.cumsum(0), (ints(5, 4, 2),)),
        ("cumprod", lambda a: a.cumprod(1), (x(2, 5),)),
        ("logcumsumexp", lambda a: a.logcumsumexp(1), (x(2, 5),)),
        ("diff", lambda a: a.diff(), (x(2, 5),)),
        ("bucketize", lambda a: torch.bucketize(a, torch.tensor([-1.0, 0, 1])), (x(2, 5),)),
        # creation
        ("arange", lambda a: a + torch.arange(3), (x(2, 3),)),
        ("arange step", lambda a: a + torch.arange(0.5, 2, 0.5), (x(2, 3),)),
        ("linspace", lambda a: a + torch.linspace(0, 1, 3), (x(2, 3),)),
        ("full_like", lambda a: torch.full_like(a, 2) * a, (x(2, 3),)),
        ("zeros cat", lambda a: torch.cat([a, torch.zeros(2, 2)], 1), (x(2, 3),)),
        ("eye", lambda a: a @ torch.eye(3), (x(2, 3),)),
        ("ones bool", lambda a: torch.where(torch.ones(2, 3, dtype=torch.bool).tril(), a, 0), (x(2, 3),)),
        ("meshgrid", lambda a, b: torch.meshgrid(a, b, indexing="ij"), (x(2), x(3))),
        ("meshgrid xy", lambda a, b: torch.meshgrid(a, b, indexing="xy"), (x(2), x(3))),
        # padding
        ("pad", lambda a: F.pad(a, (1, 2, 0, 1), value=3), (x(2, 3, 4),)),
        ("pad negative", lambda a: F.pad(a, (-1, 2)), (x(2, 5),)),
        ("pad reflect", lambda a: F.pad(a, (1, 2, 2, 1), mode="reflect"), (x(1, 2, 4, 5),)),
        ("pad replicate", lambda a: F.pad(a, (1, 2, 2, 1), mode="replicate"), (x(1, 2, 4, 5),)),
        ("pad circular", lambda a: F.pad(a, (1, 2, 2, 1), mode="circular"), (x(1, 2, 4, 5),)),
        ("pad int", lambda a: F.pad(a, (1, 1), value=2), (ints(5, 2, 3),)),
        # pooling
        ("max_pool2d", lambda a: F.max_pool2d(a, 3, 2, 1), (x(1, 2, 7, 8),)),
        ("max_pool2d ceil", lambda a: F.max_pool2d(a, 3, 2, ceil_mode=True), (x(1, 2, 8, 8),)),
        ("max_pool2d dilation", lambda a: F.max_pool2d(a, 3, 1, dilation=2), (x(1, 2, 8, 8),)),
        ("max_pool1d", lambda a: F.max_pool1d(a, 2), (x(2, 3, 8),)),
        ("max_pool3d", lambda a: F.max_pool3d(a, 2), (x(1, 2, 4, 4, 6),)),
        ("max_pool unbatched", lambda a: F.max_pool2d(a, 2), (x(2, 6, 6),)),
        ("max_pool indices", lambda a: F.max_pool2d(a, 2, return_indices=True), (x(2, 3, 4, 6),)),
        ("avg_pool2d", lambda a: F.avg_pool2d(a, 3, 2, 1), (x(1, 2, 7, 8),)),
        ("avg_pool2d pad", lambda a: F.avg_pool2d(a, 3, 2, 1, count_include_pad=False), (x(1, 2, 7, 8),)),
        ("avg_pool2d ceil", lambda a: F.avg_pool2d(a, 3, 2, 1, ceil_mode=True), (x(1, 2, 8, 8),)),
        ("avg_pool divisor", lambda a: F.avg_pool2d(a, 2, divisor_override=3), (x(1, 2, 4, 4),)),
        ("avg_pool1d", lambda a: F.avg_pool1d(a, 2), (x(2, 3, 8),)),
        ("adaptive_avg 1", lambda a: F.adaptive_avg_pool2d(a, 1), (x(1, 2, 7, 8),)),
        ("adaptive_avg 7", lambda a: F.adaptive_avg_pool2d(a, (3, 4)), (x(1, 2, 7, 8),)),
        ("adaptive_avg even", lambda a: F.adaptive_avg_pool2d(a, 4), (x(1, 2, 8, 8),)),
        ("adaptive_max", lambda a: F.adaptive_max_pool2d(a, (3, 2)), (x(1, 2, 7, 8),)),
        ("adaptive_avg1d", lambda a: F.adaptive_avg_pool1d(a, 5), (x(2, 3, 7),)),
        # resizing
        ("nearest 2x", lambda a: F.interpolate(a, scale_factor=2), (x(1, 2, 3, 4),)),
        ("nearest size", lambda a: F.interpolate(a, (5, 7)), (x(1, 2, 3, 4),)),
        ("nearest-exact", lambda a: F.interpolate(a, (5, 7), mode="nearest-exact"), (x(1, 2, 3, 4),)),
        ("bilinear", lambda a: F.interpolate(a, (5, 7), mode="bilinear"), (x(1, 2, 3, 4),)),
        ("bilinear align", lambda a: F.interpolate(a, (5, 7), mode="bilinear", align_corners=True), (x(1, 2, 3, 4),)),
        ("bilinear 1.5x", lambda a: F.interpolate(a, scale_factor=1.5, mode="bilinear"), (x(1, 2, 5, 7),)),
        ("bilinear down", lambda a: F.interpolate(a, scale_factor=0.5, mode="bilinear"), (x(1, 2, 6, 8),)),
        ("bilinear aa", lambda a: F.interpolate(a, (3, 4), mode="bilinear", antialias=True), (x(1, 2, 7, 9),)),
        ("bicubic", lambda a: F.interpolate(a, (5, 7), mode="bicubic"), (x(1, 2, 3, 4),)),
        ("linear1d", lambda a: F.interpolate(a, 7, mode="linear"), (x(1, 2, 4),)),
        ("trilinear", lambda a: F.interpolate(a, scale_factor=2, mode="trilinear"), (x(1, 2, 3, 3, 4),)),
        ("nearest1d", lambda a: F.interpolate(a, 7), (x(1, 2, 4),)),
        (
            "grid_sample",
            lambda a, g: F.grid_sample(a, g, align_corners=False),
            (x(1, 2, 4, 5), torch.rand(1, 3, 3, 2) * 2 - 1),
        ),
        (
            "grid_sample border",
            lambda a, g: F.grid_sample(a, g, padding_mode="border", align_corners=True),
            (x(1, 2, 4, 5), torch.rand(1, 3, 3, 2) * 3 - 1.5),
        ),
        (
            "grid_sample nearest",
            lambda a, g: F.grid_sample(a, g, "nearest", "zeros", True),
            (x(1, 2, 4, 5), torch.rand(1, 3, 3, 2) * 2 - 1),
        ),
        ("affine_grid", lambda t: F.affine_grid(t, (1, 2, 3, 4), align_corners=False), (x(1, 2, 3),)),
        ("im2col", lambda a: F.unfold(a, 3, padding=1, stride=2), (x(2, 3, 6, 7),)),
        # normalization
        ("layer_norm", lambda a: F.layer_norm(a, (4,)), (x(2, 3, 4),)),
        ("layer_norm two", lambda a: F.layer_norm(a, (3, 4)), (x(2, 3, 4),)),
        ("group_norm", lambda a: F.group_norm(a, 2), (x(2, 4, 3, 3),)),
        ("group_norm 3d", lambda a: F.group_norm(a, 2), (x(2, 4, 5),)),
        ("instance_norm", lambda a: F.instance_norm(a), (x(2, 4, 3, 3),)),
        ("rms_norm", lambda a: F.rms_norm(a, (4,)), (x(2, 3, 4),)),
        ("local_response", lambda a: F.local_response_norm(a, 3), (x(2, 4, 3, 3),)),
        # attention
        ("sdpa", F.scaled_dot_product_attention, (x(2, 3, 4, 8), x(2, 3, 6, 8), x(2, 3, 6, 8))),
        (
            "sdpa causal",
            lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
            (x(2, 3, 5, 8), x(2, 3, 5, 8), x(2, 3, 5, 8)),
        ),
        (
            "sdpa bool",
            lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m > 0),
            (x(2, 3, 4, 8), x(2, 3, 6, 8), x(2, 3, 6, 8), x(4, 6)),
        ),
        (
            "sdpa float",
            lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m, scale=0.2),
            (x(2, 3, 4, 8), x(2, 3, 6, 8), x(2, 3, 6, 8), x(2, 1, 4, 6)),
        ),
        (
            "sdpa gqa",
            lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
            (x(2, 6, 4, 8), x(2, 2, 6, 8), x(2, 2, 6, 8)),
        ),
        ("sdpa 3d", F.scaled_dot_product_attention, (x(2, 4, 8), x(2, 6, 8), x(2, 6, 8))),
    ]
    return rows


MODULES = [
    ("conv1d", lambda: nn.Conv1d(3, 4, 3, padding=1), (2, 3, 9)),
    ("conv2d", lambda: nn.Conv2d(3, 4, 3, stride=2), (1, 3, 8, 9)),
    ("conv2d groups", lambda: nn.Conv2d(4, 8, 3, groups=4, padding=(1, 2), dilation=2, bias=False), (1, 4, 8, 9)),
    ("conv2d same", lambda: nn.Conv2d(3, 4, 4, padding="same"), (1, 3, 8, 9)),
    ("conv2d same dilated", lambda: nn.Conv2d(3, 4, 3, padding="same", dilation=2), (1, 3, 8, 9)),
    ("conv2d circular", lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), (1, 3, 8, 9)),
    ("conv3d", lambda: nn.Conv3d(2, 3, 2), (1, 2, 4, 5, 6)),
    ("conv2d unbatched", lambda: nn.Conv2d(3, 4, 3), (3, 8, 9)),
    ("conv_transpose1d", lambda: nn.ConvTranspose1d(3, 4, 3, stride=2), (1, 3, 5)),
    ("conv_transpose2d", lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), (1, 4, 5, 6)),
    ("conv_transpose2d groups", lambda: nn.ConvTranspose2d(4, 6, 3, groups=2), (1, 4, 5, 6)),
    ("linear", lambda: nn.Linear(3, 4), (2, 5, 3)),
    ("linear no bias", lambda: nn.Linear(3, 4, bias=False), (3,)),
    ("batch_norm", lambda: nn.BatchNorm2d(3), (2, 3, 4, 5)),
    ("batch_norm 1d", lambda: nn.BatchNorm1d(3), (2, 3)),
    ("batch_norm plain", lambda: nn.BatchNorm2d(3, affine=False), (2, 3, 4, 5)),
    ("layer_norm affine", lambda: nn.LayerNorm(4), (2, 3, 4)),
    ("group_norm affine", lambda: nn.GroupNorm(2, 4), (2, 4, 3, 3)),
    ("prelu", lambda: nn.PReLU(3), (2, 3, 4, 4)),
    ("instance_norm affine", lambda: nn.InstanceNorm2d(3, affine=True), (2, 3, 4, 4)),
    ("instance_norm stats", lambda: nn.InstanceNorm2d(3, track_running_stats=True), (2, 3, 4, 4)),
    ("lstm", lambda: nn.LSTM(3, 4), (5, 2, 3)),
    ("lstm batch_first two", lambda: nn.LSTM(3, 4, 2, batch_first=True), (2, 5, 3)),
    ("lstm both", lambda: nn.LSTM(3, 4, 2, bidirectional=True), (5, 2, 3)),
    ("lstm no bias", lambda: nn.LSTM(3, 4, bias=False), (5, 2, 3)),
    ("lstm unbatched", lambda: nn.LSTM(3, 4), (5, 3)),
    ("gru", lambda: nn.GRU(3, 4, 2, batch_first=True), (2, 5, 3)),
    ("gru both", lambda: nn.GRU(3, 4, bidirectional=True), (5, 2, 3)),
    ("rnn", lambda: nn.RNN(3, 4), (5, 2, 3)),
    ("rnn relu", lambda: nn.RNN(3, 4, nonlinearity="relu", bidirectional=True), (5, 2, 3)),
    ("encoder layer", lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    ("bilinear", lambda: Call(lambda a: F.bilinear(a, a, torch.ones(4, 3, 3), torch.ones(4))), (2, 3)),
    ("upsample module", lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), (1, 2, 3, 4)),
    ("dropout", lambda: nn.Dropout(), (2, 3)),
]


class InPlace(nn.Module):
    def forward(self, a):
        y = a * 1.0
        y[:, 0] = 3
        y[0, 1:3] += 1
        y.view(-1)[2:5].mul_(2)
        z = y.t()
        z[1].zero_()
        y.relu_()
        return y, z


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, i):
        return self.head(self.embedding(i))


class Views(nn.Module):
    def __init__(self):
        super().__init__()
        base = torch.arange(24.0).view(4, 6)
        self.register_buffer("base", base)
        self.register_buffer("turned", base.t())
        self.register_buffer("part", base[1:3, 2:4])

    def forward(self, a):
        return a @ self.turned, self.part * 2, self.base[0]


class NoGrad(nn.Module):
    def forward(self, a):
        with torch.no_grad():
            b = a * 2
        return {"sum": a + b, "parts": [b, a]}


class Cache(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("cache", torch.zeros(2, 5))

    def forward(self, a):
        self.cache[:, 1:3] = a
        self.cache.mul_(2)
        return self.cache + 1


class Half(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3).to(torch.bfloat16)

    def forward(self, a):
        return self.linear(a.to(torch.bfloat16)).float()


class Pooled(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))

    def forward(self, a):
        return super().forward(a)


class Viewed(nn.Module):
    def forward(self, a):
        return a.view(a.shape[0], -1).sum(1).unsqueeze(1).expand(-1, 3) * a.shape[1] + torch.arange(a.shape[1]).sum()


class Doubled(nn.Module):
    def forward(self, a):
        return F.interpolate(a, (a.shape[2] * 2, a.shape[3] * 2), mode="nearest")


class Joined(nn.Module):
    def forward(self, a):
        positions = torch.arange(a.shape[1]).view(1, -1, 1).expand(a.shape[0], -1, 1)
        return torch.cat([a, positions.float()], 2), a @ a.transpose(1, 2), a[:, 1:]


def operators():
    cases = []
    for name, function, inputs in simple():
        cases.append(Case(name, lambda f=function, i=inputs: (Call(f), i)))
    for name, make, shape in MODULES:
        cases.append(Case(name, lambda m=make, s=shape: (m(), (x(*s),))))
    cases += [
        Case("in place", lambda: (InPlace(), (x(3, 4),))),
        Case("tied weights", lambda: (Tied(), (ints(7, 2, 3),))),
        Case("buffers of one storage", lambda: (Views(), (x(2, 6),))),
        Case("no_grad", lambda: (NoGrad(), (x(2, 3),))),
        Case("state", lambda: (Cache(), (x(2, 2),)), extra=("--minimum-deployment-target", "iOS18")),
        # PyTorch rounds to bfloat16 between the operators, Anemone keeps float32.
        Case("bfloat16", lambda: (Half(), (x(2, 4),)), bound=1e-2),
        Case("input is output", lambda: (Call(lambda a: (a, a + 1, a)), (x(2, 3),))),
        Case("scalar output", lambda: (Call(lambda a: a.sum() + 1), (x(2, 3),))),
        Case("lstm cell", lambda: (nn.LSTMCell(3, 4), (x(2, 3),))),
        Case("gru cell", lambda: (nn.GRUCell(3, 4), (x(2, 3),))),
        Case("multihead", lambda: (nn.MultiheadAttention(8, 2, batch_first=True), (x(2, 5, 8), x(2, 6, 8), x(2, 6, 8)))),
    ]
    cases += [
        Case(f"in place: {function.__name__}", lambda f=function: (Call(f), (x(3, 4),))) for function in torch_in_place.ALL
    ]
    batch = torch.export.Dim("batch", min=1, max=8)
    length = torch.export.Dim("length", min=2, max=32)
    side = torch.export.Dim("side", min=16, max=64)
    width = torch.export.Dim("width", min=16, max=64)
    cases += [
        Case("dynamic batch", lambda: (Pooled(), (x(2, 3, 8, 8),)), ({0: batch},)),
        Case(
            "dynamic attention",
            lambda: (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (x(2, 5, 8),)),
            ({1: length},),
        ),
        Case("dynamic view", lambda: (Viewed(), (x(2, 5, 4),)), ({0: batch, 1: length},)),
        Case("dynamic sizes", lambda: (Doubled(), (x(1, 2, 16, 20),)), ({2: side, 3: width},)),
        Case("dynamic cat", lambda: (Joined(), (x(2, 5, 4),)), ({1: length},)),
    ]
    return cases + torch_symbolic.cases(Case) + torch_data_sizes.cases(Case)
