"""The networks of graph_cleanliness.py: small members of families that people ship, with seeded weights."""

import math
from typing import Callable, Dict, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

import flexible_networks as plain


class Network(NamedTuple):
    name: str
    source: str  # "torchvision", "timm" or "PyTorch": who wrote it
    make: Callable[[], nn.Module]
    inputs: Dict[str, tuple]  # shapes; int64 tokens below 100 where the name says so
    what: str


def tokens(name):
    return name in ("tokens", "input_ids", "attention_mask", "token_type_ids")


class First(nn.Module):
    """Of a dictionary or tuple of outputs the first."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        y = self.model(image)
        return next(iter(y.values())) if isinstance(y, dict) else y[0] if isinstance(y, (tuple, list)) else y


def of_torchvision(name, **options):
    def make():
        import torchvision

        model = torchvision.models
        for part in name.split("."):
            model = getattr(model, part)
        if not isinstance(model, type):
            options.setdefault("weights", None)
        return First(model(**options))

    return make


def of_timm(name, **options):
    def make():
        import timm

        return First(timm.create_model(name, pretrained=False, **options))

    return make


class RMSNorm(nn.Module):
    def __init__(self, width, epsilon=1e-6):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.rand(width) + 0.5), epsilon

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon))


class Llama(nn.Module):
    """A decoder as Llama has it: RMS norms, rotary positions, grouped keys, a gated feed-forward."""

    def __init__(self, words=200, width=64, heads=4, groups=2, layers=2, length=32):
        super().__init__()
        self.words, self.heads, self.groups, self.size = nn.Embedding(words, width), heads, groups, width // heads
        angles = torch.outer(torch.arange(length), 10000.0 ** (-torch.arange(0, self.size, 2) / self.size))
        self.register_buffer("cos", torch.cat([angles, angles], -1).cos())
        self.register_buffer("sin", torch.cat([angles, angles], -1).sin())
        self.layers = nn.ModuleList([nn.ModuleDict({
            "n1": RMSNorm(width), "n2": RMSNorm(width), "q": nn.Linear(width, width, bias=False),
            "k": nn.Linear(width, groups * self.size, bias=False), "v": nn.Linear(width, groups * self.size, bias=False),
            "o": nn.Linear(width, width, bias=False), "gate": nn.Linear(width, 2 * width, bias=False),
            "up": nn.Linear(width, 2 * width, bias=False), "down": nn.Linear(2 * width, width, bias=False)})
            for _ in range(layers)])
        self.norm, self.head = RMSNorm(width), nn.Linear(width, words, bias=False)

    def turn(self, x):
        a, b = x.chunk(2, -1)
        return x * self.cos + torch.cat([-b, a], -1) * self.sin

    def forward(self, tokens):
        x = self.words(tokens)
        batch, length, width = x.shape
        for layer in self.layers:
            y = layer["n1"](x)
            q = layer["q"](y).view(batch, length, self.heads, self.size).transpose(1, 2)
            k = layer["k"](y).view(batch, length, self.groups, self.size).transpose(1, 2)
            v = layer["v"](y).view(batch, length, self.groups, self.size).transpose(1, 2)
            k = self.turn(k).repeat_interleave(self.heads // self.groups, 1)
            v = v.repeat_interleave(self.heads // self.groups, 1)
            y = F.scaled_dot_product_attention(self.turn(q), k, v, is_causal=True)
            x = x + layer["o"](y.transpose(1, 2).reshape(batch, length, width))
            y = layer["n2"](x)
            x = x + layer["down"](F.silu(layer["gate"](y)) * layer["up"](y))
        return self.head(self.norm(x))


class GPT2(nn.Module):
    """A decoder as GPT-2 has it: one product for query, key and value, the tanh form of GELU, a causal mask."""

    def __init__(self, words=200, width=64, heads=4, layers=2, length=32):
        super().__init__()
        self.words, self.positions, self.heads = nn.Embedding(words, width), nn.Embedding(length, width), heads
        self.register_buffer("mask", torch.tril(torch.ones(1, 1, length, length)))
        self.layers = nn.ModuleList([nn.ModuleDict({
            "n1": nn.LayerNorm(width), "n2": nn.LayerNorm(width), "qkv": nn.Linear(width, 3 * width),
            "o": nn.Linear(width, width), "up": nn.Linear(width, 4 * width), "down": nn.Linear(4 * width, width)})
            for _ in range(layers)])
        self.norm = nn.LayerNorm(width)

    @staticmethod
    def gelu(x):
        return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))

    def forward(self, tokens):
        length = tokens.shape[1]
        x = self.words(tokens) + self.positions(torch.arange(length))
        batch, _, width = x.shape
        for layer in self.layers:
            parts = layer["qkv"](layer["n1"](x)).split(width, 2)
            q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in parts)
            scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
            scores = scores.masked_fill(self.mask[:, :, :length, :length] == 0, -1e9).softmax(-1)
            x = x + layer["o"]((scores @ v).transpose(1, 2).contiguous().view(batch, length, width))
            x = x + layer["down"](self.gelu(layer["up"](layer["n2"](x))))
        return self.norm(x) @ self.words.weight.t()


class Segmenter(nn.Module):
    """A U-Net that pads by reflection and grows by bilinear upsampling."""

    def __init__(self, width=16):
        super().__init__()

        def block(inputs, outputs):
            return nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(inputs, outputs, 3, bias=False), nn.BatchNorm2d(outputs),
                                 nn.LeakyReLU(0.1), nn.ReflectionPad2d(1), nn.Conv2d(outputs, outputs, 3, bias=False),
                                 nn.BatchNorm2d(outputs), nn.Hardswish())

        self.down = nn.ModuleList([block(3, width), block(width, 2 * width), block(2 * width, 4 * width)])
        self.up = nn.ModuleList([block(6 * width, 2 * width), block(3 * width, width)])
        self.grow, self.out = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), nn.Conv2d(width, 5, 1)

    def forward(self, image):
        a = self.down[0](image)
        b = self.down[1](F.max_pool2d(a, 2))
        x = self.down[2](F.max_pool2d(b, 2))
        x = self.up[0](torch.cat([self.grow(x), b], 1))
        x = self.up[1](torch.cat([self.grow(x), a], 1))
        return self.out(x).softmax(1)


class Style(nn.Module):
    """Fast style transfer: reflection, instance norms, nearest upsampling before convolutions."""

    def __init__(self, width=16):
        super().__init__()

        def conv(inputs, outputs, kernel, stride=1, grow=1):
            layers = [nn.Upsample(scale_factor=grow, mode="nearest")] if grow > 1 else []
            return nn.Sequential(*layers, nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride),
                                 nn.InstanceNorm2d(outputs, affine=True))

        self.start = nn.Sequential(conv(3, width, 9), nn.ReLU(), conv(width, 2 * width, 3, 2), nn.ReLU())
        self.blocks = nn.ModuleList([nn.Sequential(conv(2 * width, 2 * width, 3), nn.ReLU(), conv(2 * width, 2 * width, 3))
                                     for _ in range(3)])
        self.end = nn.Sequential(conv(2 * width, width, 3, 1, 2), nn.ReLU(), nn.ReflectionPad2d(4), nn.Conv2d(width, 3, 9))

    def forward(self, image):
        x = self.start(image)
        for block in self.blocks:
            x = x + block(x)
        return torch.sigmoid(self.end(x)) * 255


class Diffusion(nn.Module):
    """A step of a small diffusion network: group norms, SiLU, time embedding, attention over the pixels."""

    def __init__(self, width=32):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width))
        self.start, self.out = nn.Conv2d(4, width, 3, padding=1), nn.Conv2d(width, 4, 3, padding=1)
        self.n1, self.n2, self.n3 = nn.GroupNorm(8, width), nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.c1, self.c2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.qkv, self.o = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(width, width, 1)
        self.join = nn.Conv2d(2 * width, width, 3, padding=1)
        self.register_buffer("frequencies", torch.exp(-math.log(10000) * torch.arange(width // 2) / (width // 2)))

    def forward(self, image, time):
        angles = time[:, None] * self.frequencies[None]
        t = self.time(torch.cat([angles.sin(), angles.cos()], -1))
        top = self.start(image)
        x = F.avg_pool2d(top, 2)
        y = self.c1(F.silu(self.n1(x))) + t[:, :, None, None]
        x = x + self.c2(F.silu(self.n2(y)))
        batch, width, height, columns = x.shape
        q, k, v = self.qkv(self.n3(x)).reshape(batch, 3, width, height * columns).unbind(1)
        weights = torch.softmax(q.transpose(1, 2) @ k * width ** -0.5, -1)
        y = (v @ weights.transpose(1, 2)).reshape(batch, width, height, columns)
        x = F.interpolate(x + self.o(y), scale_factor=2.0, mode="nearest")
        return self.out(F.silu(self.join(torch.cat([x, top], 1))))


class Gru(nn.Module):
    """Features of sound, two GRU layers, a mask: as speech enhancement has it."""

    def __init__(self, bands=40, width=48):
        super().__init__()
        self.into, self.gru = nn.Linear(bands, width), nn.GRU(width, width, 2, batch_first=True)
        self.out = nn.Linear(width, bands)

    def forward(self, sound):
        x = torch.log1p(sound.abs())
        x = self.gru(F.relu(self.into((x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-5))))[0]
        return sound * torch.sigmoid(self.out(x))


class Tagger(nn.Module):
    """An embedding and a bidirectional LSTM of two layers."""

    def __init__(self, words=200, width=32):
        super().__init__()
        self.words, self.out = nn.Embedding(words, width), nn.Linear(2 * width, 9)
        self.lstm = nn.LSTM(width, width, 2, bidirectional=True, batch_first=True)

    def forward(self, tokens):
        return self.out(self.lstm(self.words(tokens))[0]).log_softmax(-1)


class Tcn(nn.Module):
    """Dilated convolutions over time with weight norm and causal padding, gated."""

    def __init__(self, width=32):
        super().__init__()
        self.start = nn.Conv1d(1, width, 1)
        self.layers = nn.ModuleList([nn.ModuleDict({
            "f": nn.utils.parametrizations.weight_norm(nn.Conv1d(width, 2 * width, 3, dilation=2 ** i)),
            "o": nn.Conv1d(width, width, 1)}) for i in range(4)])
        self.out = nn.Conv1d(width, 1, 1)

    def forward(self, sound):
        x = self.start(sound)
        total = 0
        for i, layer in enumerate(self.layers):
            a, b = layer["f"](F.pad(x, (2 * 2 ** i, 0))).chunk(2, 1)
            y = layer["o"](torch.tanh(a) * torch.sigmoid(b))
            x, total = x + y, total + y
        return self.out(F.relu(total))


class Encoder(nn.Module):
    """PyTorch's own transformer encoder, with a class token."""

    def __init__(self, width=64):
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 4, 128, activation="gelu", batch_first=True, norm_first=True)
        self.patch = nn.Conv2d(3, width, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 17, width) * 0.1)
        self.layers, self.out = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(width, 10)

    def forward(self, image):
        x = self.patch(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.out(self.layers(x)[:, 0])


def convnext():
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    return First(ConvNeXt([CNBlockConfig(32, 64, 2), CNBlockConfig(64, None, 2)]))


IMAGE = {"image": (1, 3, 224, 224)}
LARGER = {"image": (1, 3, 256, 256)}
SMALL = {"image": (1, 3, 64, 64)}
NETWORKS = [
    Network("bert", "PyTorch", lambda: plain.Bert(positions=64), dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), (1, 24)), "BERT's encoder and pooler"),
    Network("gpt2", "PyTorch", GPT2, {"tokens": (1, 32)}, "a causal decoder"),
    Network("llama", "PyTorch", Llama, {"tokens": (1, 32)}, "RMS norms, rotary positions"),
    Network("whisper_encoder", "PyTorch", lambda: plain.Encoder(frames=100), {"mel": (1, 80, 200)}, "Whisper's encoder"),
    Network("whisper_decoder", "PyTorch", plain.Decoder, {"tokens": (1, 16), "audio": (1, 100, 64)}, "attention across"),
    Network("transformer_encoder", "PyTorch", Encoder, {"image": (1, 3, 32, 32)}, "nn.TransformerEncoder"),
    Network("unet_reflect", "PyTorch", Segmenter, SMALL, "reflection, bilinear upsampling"),
    Network("unet_group_norm", "PyTorch", plain.UNet, SMALL, "group norms, transposed convolution"),
    Network("style_transfer", "PyTorch", Style, SMALL, "instance norms, reflection"),
    Network("diffusion_step", "PyTorch", Diffusion, {"image": (1, 4, 32, 32), "time": (1,)}, "group norms, attention"),
    Network("gru_mask", "PyTorch", Gru, {"sound": (1, 12, 40)}, "GRU"),
    Network("lstm_tagger", "PyTorch", Tagger, {"tokens": (1, 12)}, "bidirectional LSTM"),
    Network("ocr_recognizer", "PyTorch", plain.Recurrent, {"image": (1, 1, 16, 64)}, "columns into an LSTM"),
    Network("tcn", "PyTorch", Tcn, {"sound": (1, 1, 256)}, "dilated convolutions over time"),
    Network("vit_tiny_patch16_224", "timm", of_timm("vit_tiny_patch16_224", depth=3), IMAGE, "ViT"),
    Network("mobilevit_xxs", "timm", of_timm("mobilevit_xxs"), LARGER, "convolutions and attention"),
    Network("mobilevitv2_050", "timm", of_timm("mobilevitv2_050"), LARGER, "separable attention"),
    Network("swin_t", "torchvision",
            of_torchvision("swin_transformer.SwinTransformer", patch_size=[4, 4], embed_dim=48, depths=[2, 2, 2],
                           num_heads=[3, 6, 12], window_size=[7, 7]), IMAGE, "shifted windows"),
    Network("convnext_atto", "timm", of_timm("convnext_atto"), IMAGE, "layer norms over channels"),
    Network("convnext", "torchvision", convnext, SMALL, "layer norms over the last dimension"),
    Network("repvit_m0_9", "timm", of_timm("repvit_m0_9"), IMAGE, "branches that fold"),
    Network("fastvit_t8", "timm", of_timm("fastvit_t8"), LARGER, "branches that fold"),
    Network("efficientformerv2_s0", "timm", of_timm("efficientformerv2_s0"), IMAGE, "talking heads, attention biases"),
    Network("edgenext_xx_small", "timm", of_timm("edgenext_xx_small"), LARGER, "attention over channels"),
    Network("poolformer_s12", "timm", of_timm("poolformer_s12"), IMAGE, "pooling as a mixer, group norms"),
    Network("levit_128s", "timm", of_timm("levit_128s"), IMAGE, "batch norms over tokens"),
    Network("efficientvit_b0", "timm", of_timm("efficientvit_b0"), IMAGE, "linear attention"),
    Network("mixer_s32_224", "timm", of_timm("mixer_s32_224"), IMAGE, "MLP over patches"),
    Network("vision_transformer", "torchvision",
            of_torchvision("vision_transformer.VisionTransformer", image_size=64, patch_size=16, num_layers=3, num_heads=4,
                           hidden_dim=64, mlp_dim=128), SMALL, "nn.MultiheadAttention"),
    Network("shufflenet_v2_x0_5", "torchvision", of_torchvision("shufflenet_v2_x0_5"), IMAGE, "channel shuffles"),
    Network("mobilenet_v3_small", "torchvision", of_torchvision("mobilenet_v3_small"), IMAGE, "hardswish, squeeze-excite"),
    Network("efficientnet_b0", "torchvision", of_torchvision("efficientnet_b0"), IMAGE, "SiLU, squeeze-excite"),
    Network("resnet18", "torchvision", of_torchvision("resnet18"), IMAGE, "residuals"),
    Network("densenet", "torchvision",
            of_torchvision("densenet.DenseNet", growth_rate=16, block_config=(3, 3, 3), num_init_features=32), IMAGE,
            "concatenations, norms before activations"),
    Network("lraspp_mobilenet_v3_large", "torchvision",
            of_torchvision("segmentation.lraspp_mobilenet_v3_large", weights_backbone=None), IMAGE, "segmentation head"),
    Network("deeplabv3_mobilenet_v3_large", "torchvision",
            of_torchvision("segmentation.deeplabv3_mobilenet_v3_large", weights_backbone=None), IMAGE, "dilated pyramid"),
    Network("mobilenetv4_conv_small", "timm", of_timm("mobilenetv4_conv_small"), IMAGE, "universal inverted bottlenecks"),
    Network("swinv2_cr_tiny_ns_224", "timm", of_timm("swinv2_cr_tiny_ns_224", depths=(2, 2)), IMAGE,
            "cosine attention in windows"),
]


def prepared(network: Network, seed: int = 0):
    """The module in evaluation mode, with seeded weights and statistics that are not those of initialization."""
    torch.manual_seed(seed)
    torch.backends.mha.set_fastpath_enabled(False)  # an operator of its own, which no converter knows
    model = network.make().eval()
    random = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1, generator=random)
            module.running_var.uniform_(0.5, 1.5, generator=random)
    with torch.no_grad():
        for values in model.parameters():
            # Scales of 1e-6 and biases of 0 would hide what stands behind them.
            first = values.flatten()[0].item()
            if values.numel() > 1 and bool((values == first).all()):
                if first == 0:
                    values.normal_(0, 0.1, generator=random)
                else:
                    values.uniform_(0.5, 1.5, generator=random).mul_(max(abs(first), 0.2))
    return model


def example(network: Network, seed: int = 1):
    random = torch.Generator().manual_seed(seed)
    values = {}
    for name, shape in network.inputs.items():
        if name == "attention_mask":
            values[name] = torch.ones(shape, dtype=torch.int64)
            values[name][..., -5:] = 0
        elif tokens(name):
            high = 2 if name == "token_type_ids" else 100
            values[name] = torch.randint(0, high, shape, generator=random)
        else:
            values[name] = torch.randn(shape, generator=random)
    return values
