"""What torch_export.py compares of sizes that depend on the data: each case on inputs that select some, none and all."""

import torch
from torch import nn


class Select(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class TopBoxes(nn.Module):
    """The end of a detector: what scores enough, suppressed, the best of them."""

    def forward(self, boxes, scores):
        import torchvision

        keep = scores > 0.3
        boxes, scores = boxes[keep], scores[keep]
        kept = torchvision.ops.nms(boxes, scores, 0.4)
        best, order = scores[kept].topk(torch.sym_min(kept.shape[0], 2))
        return boxes[kept], scores[kept], kept, best, order


def nms(boxes, scores):
    import torchvision

    return torchvision.ops.nms(boxes, scores, 0.5)


def nms_of_classes(boxes, scores, classes):
    import torchvision

    return torchvision.ops.batched_nms(boxes, scores, classes, 0.5)


def put(a, value=None):
    b = a.clone()
    b[a > 0] = b[a > 0] * 2 if value is None else value
    return b


def put_rows(a):
    b = a.clone()
    b[a[:, 0] > 0] = a[a[:, 0] > 0].flip(1)
    return b


def put_row(a, row):
    b = a * 2
    b[a[:, 0] > 0] = row
    return b


def put_column(a, column):
    b = a * 2
    b[:, a[0] > 0] = column
    return b


def put_planes(a):
    b = a.view(3, 2, 2) * 2
    b[a.view(3, 2, 2)[:, :, 0] > 0] = a[:1, :2]
    return b


def boxes(count):
    corners = torch.rand(count, 2)
    return torch.cat([corners, corners + torch.rand(count, 2) * 0.6 + 0.05], 1)


def signs():
    """Some above 0, none, all."""
    a = torch.randn(3, 4)
    return [(a,), (-a.abs() - 1,), (a.abs() + 1,)]


SELECTIONS = [
    ("nonzero", lambda a: torch.nonzero(a > 0)),
    ("nonzero of numbers", lambda a: torch.nonzero(a.relu())),
    ("nonzero as_tuple", lambda a: torch.nonzero(a > 0, as_tuple=True)),
    ("argwhere", lambda a: torch.argwhere(a > 0)),
    ("where one argument", lambda a: torch.where(a > 0)),
    ("masked_select", lambda a: torch.masked_select(a, a > 0)),
    ("masked_select broadcast", lambda a: torch.masked_select(a, a[:, :1] > 0)),
    ("masked_select wider mask", lambda a: torch.masked_select(a[0], a > 0)),
    ("index mask", lambda a: a[a > 0] * 2),
    ("index mask of rows", lambda a: a[a[:, 0] > 0]),
    ("index mask of rows, sum", lambda a: a[a[:, 0] > 0].sum(0)),
    ("index mask of columns", lambda a: a[:, a[0] > 0]),
    ("index mask in the middle", lambda a: a.view(3, 2, 2).expand(2, 3, 2, 2)[:, a.view(3, 2, 2)[:, :, 0] > 0]),
    ("index mask and number", lambda a: a[a[:, 0] > 0, 1]),
    ("index mask and index", lambda a: a.view(3, 2, 2)[a[:, 0] > 0, :, torch.tensor(1)]),
    ("index mask of integers", lambda a: (a * 10).int()[a > 0]),
    ("index mask of bool", lambda a: (a > 0.5)[a > 0]),
    ("index two of one mask", lambda a: a[a > 0] + (a * 3)[a > 0]),
    ("index_put mask of its own", put),
    ("index_put mask, one value", lambda a: put(a, 7.0)),
    ("index_put mask of rows", put_rows),
    ("index_put mask of rows, one row", lambda a: put_row(a, a[0])),
    ("index_put mask of rows, a column", lambda a: put_row(a, a[:1, :1])),
    ("index_put mask, one element", lambda a: put(a, torch.tensor([5.0]))),
    ("index_put mask of columns", lambda a: put_column(a, a[:, :1] * 3)),
    ("index_put mask of two axes", lambda a: put_planes(a)),
    ("masked_scatter", lambda a: a.masked_scatter(a > 0, torch.arange(20.0))),
    ("masked_scatter broadcast", lambda a: a.masked_scatter(a[:, :1] > 0, torch.arange(20.0).view(4, 5))),
    ("size of nonzero", lambda a: a * torch.nonzero(a > 0).shape[0]),
    ("sort of what a mask selects", lambda a: tuple(a[a > 0].sort())),
    ("pairs of nonzero", lambda a: a[torch.nonzero(a > 0)[:, 0]]),
]


def cases(make):
    """All of them, as `make` (Case) makes one."""
    made = []
    for name, function in SELECTIONS:
        first, *others = signs()
        case = make(f"data {name}", lambda f=function, i=first: (Select(f), i))
        case.others = others
        made.append(case)
    classes = torch.tensor([0, 1, 0, 2, 1, 0, 0, 2, 1, 1, 0, 2])
    for name, module, more in [
        ("nms", Select(nms), ()),
        ("batched_nms", Select(nms_of_classes), (classes,)),
        ("nms behind a threshold", TopBoxes(), ()),
    ]:
        case = make(f"data {name}", lambda m=module, more=more: (m, (boxes(12), torch.rand(12), *more)))
        case.others = [(boxes(12), torch.rand(12), *more), (boxes(12), torch.zeros(12), *more)]
        made.append(case)
    return made
