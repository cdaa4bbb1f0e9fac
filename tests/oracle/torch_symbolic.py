"""What torch_export.py compares of symbolic sizes, at other sizes than the exported ones too, and of bodies."""

import torch
import torch.nn.functional as F
from torch import nn
from torch._higher_order_ops.map import map as map_over
from torch._higher_order_ops.scan import scan
from torch._higher_order_ops.while_loop import while_loop


class Apply(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, a):
        return torch.cond(a.sum() > 0, lambda b: self.layer(b).sin(), lambda b: b.cos() + 1, (a,))


def written_copy(a):
    """A reshape of what lies turned is a copy, and what is written to it stays there."""
    turned = a.transpose(1, 2)
    turned.reshape(turned.shape[0], -1).add_(1)
    return turned


def written_view(a):
    flat = a + 1
    flat.view(-1).mul_(2)
    return flat


def x(*shape):
    return torch.randn(*shape)


def symbolic():
    """(name, function, inputs, dynamic shapes)."""
    dim = torch.export.Dim
    batch, length = dim("b", min=2, max=10), dim("l", min=4, max=40)
    high, wide = dim("h", min=8, max=64), dim("w", min=8, max=64)
    return [
        ("2x", lambda a: a.repeat(1, 2)[:, : a.shape[1] * 2 - 1], (x(3, 6),), ({1: length},)),
        ("arange", lambda a: a + torch.arange(a.shape[1]) * 2, (x(3, 6),), ({1: length},)),
        ("arange2", lambda a: torch.arange(1, 2 * a.shape[1] + 1, 2) + a, (x(3, 6),), ({1: length},)),
        ("reshape", lambda a: a.reshape(a.shape[0] * a.shape[1], -1).sum(1), (x(3, 6, 4),), ({0: batch, 1: length},)),
        (
            "reshape2",
            lambda a: a.reshape(a.shape[0], 2, -1).transpose(1, 2),
            (x(3, 6),),
            ({0: batch, 1: 2 * dim("k", min=2, max=20)},),
        ),
        ("interp", lambda a: F.interpolate(a, scale_factor=2.0, mode="bilinear"), (x(1, 2, 16, 20),), ({2: high, 3: wide},)),
        (
            "interphalf",
            lambda a: F.interpolate(a, size=(a.shape[2] // 2, a.shape[3] // 2), mode="bilinear"),
            (x(1, 2, 16, 20),),
            ({2: high, 3: wide},),
        ),
        (
            "down",
            lambda a: F.interpolate(F.max_pool2d(a, 2), size=a.shape[2:], mode="bilinear"),
            (x(1, 2, 16, 20),),
            ({2: high, 3: wide},),
        ),
        (
            "mask",
            lambda a: a.masked_fill(torch.ones(a.shape[1], a.shape[1], dtype=torch.bool).triu(1), -9.0),
            (x(3, 6, 6),),
            None,
        ),
        (
            "causal",
            lambda a: (
                (a @ a.transpose(1, 2))
                .masked_fill(torch.ones(a.shape[1], a.shape[1], dtype=torch.bool).triu(1), -9.0)
                .softmax(-1)
                @ a
            ),
            (x(3, 6, 4),),
            ({1: length},),
        ),
        ("mean", lambda a: a.sum(1) / a.shape[1], (x(3, 6),), ({1: length},)),
        ("scale", lambda a: a * (a.shape[1] ** -0.5), (x(3, 6),), ({1: length},)),
        ("expand", lambda a: a[:, :1].expand(-1, a.shape[1]) + a, (x(3, 6),), ({1: length},)),
        ("zeros", lambda a: torch.cat([torch.zeros(a.shape[0], 2), a], 1), (x(3, 6),), ({0: batch, 1: length},)),
        ("full", lambda a: torch.full((a.shape[0], a.shape[1]), a.shape[1]) + a, (x(3, 6),), ({0: batch, 1: length},)),
        ("chunk", lambda a: torch.cat(a.chunk(2, 0), 1), (x(4, 6),), ({1: length},)),
        ("flip", lambda a: a.flip(1).cumsum(1), (x(3, 6),), ({1: length},)),
        ("topk", lambda a: a.topk(3, 1)[0], (x(3, 6),), ({1: length},)),
        ("last", lambda a: a[:, -1] + a[:, a.shape[1] - 2], (x(3, 6),), ({1: length},)),
        ("step", lambda a: a[:, ::2] * 2, (x(3, 6),), ({1: length},)),
        ("pos", lambda a, w: a + w[: a.shape[1]], (x(3, 6), x(64)), ({1: length}, None)),
        ("strided view", lambda a: a.transpose(1, 2).reshape(a.shape[0], -1, 2), (x(3, 6, 4),), ({0: batch, 1: length},)),
        ("adapt", lambda a: F.adaptive_avg_pool2d(a, 1), (x(1, 2, 16, 20),), ({2: high, 3: wide},)),
        (
            "symcond",
            lambda a: torch.cond(a.shape[1] > 10, lambda a: a.sin(), lambda a: a.cos() + 1, (a,)),
            (x(3, 6),),
            ({1: length},),
        ),
        (
            "symcond2",
            lambda a: torch.cond(a.shape[1] > 5, lambda a: a.sin(), lambda a: a.cos() + 1, (a,)),
            (x(3, 6),),
            ({1: length},),
        ),
        ("int in", lambda a, n: a * n + n, (x(3, 6), 3), ({1: length}, dim.DYNAMIC)),
        ("written copy", written_copy, (x(3, 6, 4),), ({0: batch, 1: length},)),
        ("written view", written_view, (x(3, 6, 4),), ({0: batch, 1: length},)),
        ("index", lambda a, i: a[:, i], (x(3, 6), torch.tensor([0, 2, 1])), ({1: length}, None)),
        ("item", lambda a, i: a * i.item(), (x(3, 6), torch.tensor(3)), None),
    ]


def grown(inputs, dynamic, by):
    """The inputs at other sizes, and other numbers."""
    values = []
    for value, axes in zip(inputs, dynamic):
        if isinstance(value, int):
            values.append(value + by)
        elif axes:
            values.append(x(*[size + (by if d in axes else 0) for d, size in enumerate(value.shape)]))
        else:
            values.append(value)
    return tuple(values)


def bodies():
    count = torch.zeros((), dtype=torch.int64)
    return [
        ("cond yes", Branches(), (torch.ones(3, 4),)),
        ("cond no", Branches(), (-torch.ones(3, 4),)),
        (
            "while_loop",
            Apply(
                lambda i, a: while_loop(lambda i, a: i < a.abs().max() * 0 + 5, lambda i, a: (i + 1, a * 1.5 + i), (i, a))
            ),
            (count, x(3)),
        ),
        ("scan", Apply(lambda c, a: scan(lambda c, a: (c + a, c * a), c, a, dim=0)), (x(4), x(5, 4))),
        ("map", Apply(lambda a, b: map_over(lambda a, b: a.sin() + b, a, b)), (x(3, 4), x(4))),
    ]


def cases(make):
    """All of them, as `make` (Case) makes one."""
    made = []
    for name, function, inputs, dynamic in symbolic():
        shapes = None if dynamic is None else (dynamic,)
        case = make(f"symbolic {name}", lambda f=function, i=inputs: (Apply(f), i), shapes)
        case.others = [] if dynamic is None else [grown(inputs, dynamic, by) for by in (2, 4)]
        made.append(case)
    made += [make(f"body {name}", lambda m=module, i=inputs: (m, i)) for name, module, inputs in bodies()]
    return made
