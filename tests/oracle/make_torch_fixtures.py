#!/usr/bin/env python3
"""Writes tests/fixtures/weights/: small files of PyTorch's own making for the reader of weight files. Run from the root
with a Python that has torch."""

import collections
import os
import pathlib
import pickle

import torch

FOLDER = pathlib.Path("tests/fixtures/weights")


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/executed",)


def state_dict():
    weight = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    state = collections.OrderedDict({
        "conv.weight": weight,
        "conv.bias": torch.tensor([1.5, -2.5], dtype=torch.float16),
        "turned": weight.t(),
        "tail": weight.reshape(-1)[4:],
        "counter": torch.tensor(1234567890123),
        "mask": torch.tensor([True, False, True]),
        "empty": torch.zeros(0, 4),
        "parameter": torch.nn.Parameter(torch.tensor([7.0])),
    })
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    return state


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.save(state_dict(), FOLDER / "zip.pth")
    torch.save(state_dict(), FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(state_dict(), FOLDER / "protocol4.pth", pickle_protocol=4)
    model = torch.nn.Sequential(collections.OrderedDict(layer=torch.nn.Linear(2, 2, bias=False)))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save({"epoch": 3, "best": 0.5, "note": None, "model": model.state_dict(),
                "optimizer": optimizer.state_dict()}, FOLDER / "checkpoint.pth")
    torch.save(torch.nn.Linear(2, 2), FOLDER / "module.pth")
    torch.save({"weight": torch.ones(1), "extra": Hostile()}, FOLDER / "hostile.pth", pickle_module=pickle)
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(FOLDER / "script.pt"))


if __name__ == "__main__":
    main()
