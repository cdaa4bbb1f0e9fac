"""Writes tests/fixtures/torch/: small exported programs, in the form of the PyTorch that runs this script.

    python3 tests/oracle/make_torch_program_fixtures.py

PyTorch 2.7 and older write the older form, 2.8 and newer the archive; both were made once. Stack traces, which hold the
paths of the machine, are taken out, and so are the example inputs, which nothing reads.
"""

import io
import json
import pathlib
import zipfile

import torch

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "torch"


class Small(torch.nn.Module):
    """y = relu(x w^T + b) in place, whose first column is then 3; z = w's second row, turned weight and all."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 3)
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor([[1.0, 2], [3, -4], [5, 6]]))
            self.layer.bias.copy_(torch.tensor([0.5, -1, 2]))
        self.register_buffer("turned", torch.arange(6.0).view(2, 3).t())

    def forward(self, x):
        y = self.layer(x).relu_()
        y[:, 0] = 3
        return y, x @ self.turned.t()


def without_traces(text):
    program = json.loads(text)
    for node in program["graph_module"]["graph"]["nodes"]:
        node["metadata"] = {key: value for key, value in node["metadata"].items() if key == "nn_module_stack"}
        node["metadata"]["nn_module_stack"] = node["metadata"].get("nn_module_stack", "").replace("__main__", "m")
    return json.dumps(program)


def rewritten(buffer, path, packed=False):
    """The saved program at `path`, without what this script says; `packed`: with its texts compressed."""
    with zipfile.ZipFile(buffer) as archive, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        for name in archive.namelist():
            data = archive.read(name)
            if "sample_inputs" in name or "example_inputs" in name or name.endswith("serialization_id"):
                continue
            if name.endswith(("model.json", "serialized_exported_program.json")):
                data = without_traces(data).encode()
            kind = zipfile.ZIP_DEFLATED if packed and name.endswith(".json") else zipfile.ZIP_STORED
            out.writestr(zipfile.ZipInfo(name), data, compress_type=kind)
    print(path, path.stat().st_size)


def main():
    batch = torch.export.Dim("batch", min=1, max=4)
    program = torch.export.export(Small().eval(), (torch.rand(2, 2),), dynamic_shapes=({0: batch},))
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    FOLDER.mkdir(parents=True, exist_ok=True)
    version = "_".join(torch.__version__.split("+")[0].split(".")[:2])
    rewritten(buffer, FOLDER / f"small_{version}.pt2")


if __name__ == "__main__":
    main()
