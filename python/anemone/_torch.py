"""Modules and exported programs of PyTorch, as files that the library reads. PyTorch is imported only here, and only by
who hands one over."""

import os
import sys
import tempfile
from typing import Any, Optional, Tuple

from ._errors import usage


def is_torch(value) -> bool:
    """Whether it is a torch.nn.Module or a torch.export.ExportedProgram: if so, torch is imported already."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    kinds = [torch.nn.Module]
    export = sys.modules.get("torch.export")
    if export is not None and hasattr(export, "ExportedProgram"):
        kinds.append(export.ExportedProgram)
    return isinstance(value, tuple(kinds))


def export(value, example_inputs, dynamic_shapes: Optional[Any] = None):
    """The exported program of a module in evaluation mode; a program as it is."""
    import torch

    if not isinstance(value, torch.nn.Module):
        if example_inputs is not None or dynamic_shapes is not None:
            raise usage("an exported program has its inputs already", "example_inputs", "leave them out")
        return value
    if isinstance(value, torch.jit.ScriptModule):
        raise usage("it is a TorchScript module", "model", "give the torch.nn.Module that it was made of")
    if example_inputs is None:
        raise usage(
            "a module needs inputs to be exported with",
            "example_inputs",
            "give a tuple of tensors, or a dict of keyword arguments",
        )
    keywords = dict(example_inputs) if isinstance(example_inputs, dict) else {}
    positional: Tuple[Any, ...] = ()
    if isinstance(example_inputs, torch.Tensor):
        positional = (example_inputs,)
    elif not keywords:
        positional = tuple(example_inputs)
    training = [module for module in value.modules() if module.training]
    value.eval()
    try:
        with torch.no_grad():
            return torch.export.export(value, positional, keywords, dynamic_shapes=dynamic_shapes)
    finally:
        for module in training:
            module.training = True


def with_file(program, use):
    """What use(path) returns, of a file that holds the program; the file is gone afterward."""
    import torch

    with tempfile.TemporaryDirectory(prefix="anemone-") as folder:
        path = os.path.join(folder, "model.pt2")
        torch.export.save(program, path)
        return use(path)
