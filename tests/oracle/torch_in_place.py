"""Modules that change tensors in place in awkward ways: through views, of views, and of what is no view."""

import torch
import torch.nn.functional as F


def pieces(x):
    y = x * 1
    a, b = y.chunk(2, 1)
    a.add_(1)
    b[:, 0] = 7
    return y, a, b


def view_of_old(x):
    y = x.clone()
    z = y[1]
    y.mul_(2)
    return z, y


def contiguous_copy(x):
    w = x * 1
    y = w.t().contiguous()
    y.add_(1)
    return w, y


def reshaped_copy(x):
    y = x * 1
    z = y.t().reshape(-1)
    z.add_(1)
    return y, z


def turned(x):
    y = x * 1
    y.t()[0] = 5
    y.permute(1, 0)[1] += 2
    return y


def unbound(x):
    y = x * 1
    y.unbind(0)[1].fill_(2)
    y[..., ::2] = 1
    y[1:, 1] -= 3
    return y


def masks(x):
    y = x * 1
    y[:, 1:].masked_fill_(y[:, 1:] > 0, 9.0)
    y[torch.tensor([0, 2])] = torch.ones(2, 4)
    y[y < 0] = 0
    return y


def view_of_view(x):
    y = x * 1
    v = y.view(2, 6)
    w = v[0]
    w[2:4] = 0
    y.clamp_(max=0.5)
    return v, w, y


def input(x):
    x.add_(1)
    return x * 2


def filled_buffer(x):
    y = torch.zeros(3, 4)
    y[1:3] = x[:2]
    y[0].copy_(x[2])
    return y


def expanded(x):
    y = x * 1
    z = y.unsqueeze(0).expand(2, 3, 4)
    y.add_(1)
    return z.sum(0)


def narrowed(x):
    y = x * 1
    a = y.narrow(1, 1, 2)
    a.zero_()
    b = y.split([1, 3], 1)[1]
    b.mul_(3)
    return y, a


def dropout(x):
    y = x * 1
    d = F.dropout(y, training=False)
    d.add_(1)
    return y


def same_dtype(x):
    y = x * 1
    z = y.to(torch.float32)
    z.add_(1)
    q = y.detach()
    q.mul_(2)
    return y


def unflattened(x):
    y = x * 1
    y = y.unflatten(1, (2, 2))
    y[:, 0, 1] = 4
    return y.flatten(1)


def unrolled(x):
    out = []
    h = torch.zeros(4)
    for t in range(3):
        h = torch.tanh(h + x[t])
        out.append(h)
    return torch.stack(out), h


def scattered(x):
    y = x * 1
    y.transpose(0, 1).select(0, 2).add_(10)
    y.index_add_(0, torch.tensor([0, 2]), torch.ones(2, 4))
    y.scatter_(1, torch.tensor([[0], [1], [2]]), 5.0)
    return y


def operators(x):
    y = x * 1
    y += y.clone()
    y -= 0.5
    y *= y
    y /= 2
    y **= 2
    return y


def integers(x):
    i = (x * 10).to(torch.int64)
    i //= 3
    i %= 2
    i += 1
    return i, i.float().mean()


def ends(x):
    y = x * 1
    y[:, -1] = 0
    y[-1] = 1
    y[:, 1:-1] *= 2
    return y


ALL = [
    pieces,
    view_of_old,
    contiguous_copy,
    reshaped_copy,
    turned,
    unbound,
    masks,
    view_of_view,
    input,
    filled_buffer,
    expanded,
    narrowed,
    dropout,
    same_dtype,
    unflattened,
    unrolled,
    scattered,
    operators,
    integers,
    ends,
]
