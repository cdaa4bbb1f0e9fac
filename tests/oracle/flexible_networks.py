"""The PyTorch networks of flexible_shapes.py, written as their authors write them, with seeded weights."""

import json
import math
import struct
import zipfile

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def _heads(x, heads):
    return x.view(x.size()[:-1] + (heads, x.size(-1) // heads)).permute(0, 2, 1, 3)


class Bert(nn.Module):
    """BERT's encoder with its embeddings, mask and pooler."""

    def __init__(self, words=500, width=64, heads=4, layers=2, positions=512):
        super().__init__()
        self.words, self.positions = nn.Embedding(words, width), nn.Embedding(positions, width)
        self.types, self.norm = nn.Embedding(2, width), nn.LayerNorm(width, eps=1e-12)
        self.register_buffer("ids", torch.arange(positions).unsqueeze(0))
        self.heads = heads

        def layer():
            linear = {name: nn.Linear(width, width) for name in ("q", "k", "v", "o")}
            return nn.ModuleDict({**linear, "n1": nn.LayerNorm(width, eps=1e-12), "up": nn.Linear(width, 4 * width),
                                  "down": nn.Linear(4 * width, width), "n2": nn.LayerNorm(width, eps=1e-12)})

        self.layers = nn.ModuleList([layer() for _ in range(layers)])
        self.pooler = nn.Linear(width, width)

    def forward(self, input_ids, attention_mask, token_type_ids):
        length = input_ids.size(1)
        x = self.norm(self.words(input_ids) + self.positions(self.ids[:, :length]) + self.types(token_type_ids))
        mask = (1.0 - attention_mask[:, None, None, :].float()) * -10000.0
        for layer in self.layers:
            q, k, v = (_heads(layer[name](x), self.heads) for name in ("q", "k", "v"))
            weights = (q @ k.transpose(-1, -2) / math.sqrt(q.size(-1)) + mask).softmax(-1)
            context = (weights @ v).permute(0, 2, 1, 3).contiguous()
            context = context.view(context.size()[:-2] + (-1,))
            x = layer["n1"](x + layer["o"](context))
            x = layer["n2"](x + layer["down"](F.gelu(layer["up"](x))))
        return x, torch.tanh(self.pooler(x[:, 0]))


def minilm(archive):
    """Bert with the weights of all-MiniLM-L6-v2: `archive` holds its model.safetensors."""
    data = zipfile.ZipFile(archive).read("model.safetensors")
    length = struct.unpack("<Q", data[:8])[0]
    weights = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(data, np.float32, count, 8 + length + entry["data_offsets"][0])
            weights[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    model = Bert(30522, 384, 12, 6)
    names = {"words": "embeddings.word_embeddings", "positions": "embeddings.position_embeddings",
             "types": "embeddings.token_type_embeddings", "norm": "embeddings.LayerNorm", "pooler": "pooler.dense"}
    parts = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
             "o": "attention.output.dense", "n1": "attention.output.LayerNorm", "up": "intermediate.dense",
             "down": "output.dense", "n2": "output.LayerNorm"}
    for i in range(len(model.layers)):
        names.update({f"layers.{i}.{own}": f"encoder.layer.{i}.{name}" for own, name in parts.items()})
    state = {f"{own}.{kind}": weights[f"{name}.{kind}"] for own, name in names.items() for kind in ("weight", "bias")
             if f"{name}.{kind}" in weights}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert missing == ["ids"] and not unexpected, (missing, unexpected)
    return model


class Encoder(nn.Module):
    """Whisper's encoder: two convolutions, the second halving the frames, and layers of attention."""

    def __init__(self, mels=80, width=64, heads=4, frames=750):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(mels, width, 3, padding=1), nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.randn(frames, width) * 0.1)
        self.heads = heads
        self.layers = nn.ModuleList([nn.ModuleDict({
            "qkv": nn.Linear(width, 3 * width), "o": nn.Linear(width, width), "n1": nn.LayerNorm(width),
            "up": nn.Linear(width, 2 * width), "down": nn.Linear(2 * width, width), "n2": nn.LayerNorm(width)})
            for _ in range(2)])

    def forward(self, mel):
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).permute(0, 2, 1)
        x = x + self.positions[: x.shape[1]]
        for layer in self.layers:
            batch, frames, width = x.shape
            q, k, v = (_heads(part, self.heads) for part in layer["qkv"](layer["n1"](x)).chunk(3, -1))
            context = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, frames, width)
            x = x + layer["o"](context)
            x = x + layer["down"](F.gelu(layer["up"](layer["n2"](x))))
        return x


class Decoder(nn.Module):
    """Whisper's decoder: masked attention over the tokens, attention over the encoder's output."""

    def __init__(self, words=300, width=64, heads=4, positions=448):
        super().__init__()
        self.words, self.positions = nn.Embedding(words, width), nn.Parameter(torch.randn(positions, width) * 0.1)
        self.heads = heads

        def attention():
            return nn.ModuleDict({**{name: nn.Linear(width, width) for name in ("q", "k", "v", "o")},
                                  "n": nn.LayerNorm(width)})

        self.own, self.cross = attention(), attention()
        self.up, self.down, self.norm = nn.Linear(width, 2 * width), nn.Linear(2 * width, width), nn.LayerNorm(width)
        self.register_buffer("mask", torch.full((positions, positions), float("-inf")).triu_(1))

    def attend(self, layer, x, source, mask):
        batch, length, width = x.shape
        q, k, v = (_heads(layer[name](y), self.heads) for name, y in (("q", x), ("k", source), ("v", source)))
        weights = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5
        if mask is not None:
            weights = weights + mask[:length, :length]
        return layer["o"]((weights.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width))

    def forward(self, tokens, audio):
        x = self.words(tokens) + self.positions[: tokens.shape[-1]]
        normal = self.own["n"](x)
        x = x + self.attend(self.own, normal, normal, self.mask)
        x = x + self.attend(self.cross, self.cross["n"](x), audio, None)
        x = x + self.down(F.gelu(self.up(self.norm(x))))
        return x @ self.words.weight.t()


class UNet(nn.Module):
    """A fully convolutional segmenter with skips, group normalization and a transposed convolution."""

    def __init__(self):
        super().__init__()

        def block(inputs, outputs):
            return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(4, outputs), nn.SiLU())

        self.top, self.middle, self.bottom = block(3, 16), block(16, 32), block(32, 32)
        self.up = nn.ConvTranspose2d(32, 32, 2, 2)
        self.join, self.out = block(64, 16), nn.Conv2d(32, 4, 1)

    def forward(self, image):
        top = self.top(image)
        middle = self.middle(F.max_pool2d(top, 2))
        bottom = self.bottom(F.avg_pool2d(middle, 2))
        x = self.join(torch.cat([self.up(bottom), middle], 1))
        return self.out(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), top], 1))


class Recurrent(nn.Module):
    """A recognizer of sequences as OCR has them: a bidirectional LSTM over the columns."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, stride=(4, 2), padding=1)
        self.lstm, self.out = nn.LSTM(64, 32, bidirectional=True, batch_first=True), nn.Linear(64, 20)

    def forward(self, image):
        x = F.relu(self.conv(image)).permute(0, 3, 1, 2).flatten(2)
        return self.out(self.lstm(x)[0]).log_softmax(-1)


def of_torchvision(name, **options):
    """A torchvision network with seeded weights."""
    import torchvision

    parts = name.split(".")
    model = getattr(torchvision.models, parts[0])
    for part in parts[1:]:
        model = getattr(model, part)
    model = model(weights=None, **options)
    # The statistics of normalizations come from data, so that signals reach the output.
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(4, 3, 64, 64))

    class First(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, image):
            y = self.model(image)
            return y["out"] if isinstance(y, dict) else y

    return First()


def export(model, path, example, open_dims, dynamo):
    """`open_dims`: for each input the names of its open dimensions."""
    model.eval()
    if dynamo:
        shapes = {name: dict.fromkeys(dims, torch.export.Dim.DYNAMIC) for name, dims in open_dims.items()}
        torch.onnx.export(model, tuple(example.values()), path, input_names=list(example), dynamo=True,
                          dynamic_shapes=tuple(shapes.values()), verbose=False)
    else:
        torch.onnx.export(model, tuple(example.values()), path, input_names=list(example), dynamo=False,
                          opset_version=17, dynamic_axes=open_dims)
