"""Exports the networks of measurements.csv as ONNX files with random weights, for networks.py.

Needs the oracle environment (torch, timm): shapes and operators matter here, values do not. Usage: export_networks.py FOLDER
"""

import pathlib
import sys

import timm
import torch
from timm.utils.model import reparameterize_model

# Name in timm, image size, batch. MobileCLIP's image encoders are FastViT's MCi; ViT-B/16 and L/14 stand in for its other encoders.
NETWORKS = [
    *[(f"fastvit_{v}", 256, 1) for v in ("t8", "t12", "s12", "sa12", "sa24", "sa36", "ma36", "mci0", "mci1", "mci2", "mci3")],
    *[(f"mobileone_s{i}", 224, 1) for i in range(5)],
    *[(f"efficientformerv2_{v}", 224, 1) for v in ("s0", "s1", "s2", "l")],
    *[(f"efficientformer_{v}", 224, 1) for v in ("l1", "l3", "l7")],
    ("mobilenetv2_100", 224, 1), ("mobilenetv3_small_100", 224, 1), ("resnet50", 224, 1), ("mobilevitv2_100", 256, 1),
    ("vit_base_patch16_224", 224, 1), ("vit_large_patch14_224", 224, 1),
    ("resnet50", 224, 16), ("mobilenetv2_100", 224, 16), ("vit_base_patch16_224", 224, 16),
]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    timm.layers.set_fused_attn(False)
    for name, size, batch in NETWORKS:
        path = folder / f"{name}{'' if batch == 1 else f'.b{batch}'}.onnx"
        if path.exists():
            continue
        model = reparameterize_model(timm.create_model(name, pretrained=False, exportable=True)).eval()
        torch.onnx.export(model, torch.zeros(batch, 3, size, size), str(path), opset_version=17, dynamo=False, input_names=["image"],
                          output_names=["logits"])
        print(path)


if __name__ == "__main__":
    main()
