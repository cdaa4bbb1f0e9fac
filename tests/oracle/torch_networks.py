"""The networks that torch_export.py compares, with random weights; small ones first."""

import torch
from torch import nn
from torch_cases import Case, x

TIMM = [
    "vit_tiny_patch16_224",
    "mobilevit_xxs",
    "ghostnet_100",
    "fastvit_t8",
    "repvgg_a0",
    "levit_128s",
    "poolformer_s12",
    "pvt_v2_b0",
    "edgenext_xx_small",
    "xcit_nano_12_p16_224",
    "mobileone_s0",
    "crossvit_tiny_240",
    "rexnet_100",
    "tinynet_e",
    "lcnet_050",
    "efficientvit_b0",
    "repvit_m0_9",
    "starnet_s1",
    "mobilenetv4_conv_small",
    "efficientformerv2_s0",
    "hardcorenas_a",
    "coat_tiny",
    "gmlp_s16_224",
    "mixer_s32_224",
    "hrnet_w18_small",
    "tf_efficientnetv2_b0",
    "res2net50_26w_4s",
    "cait_xxs24_224",
    "dla34",
    "selecsls42b",
    "visformer_tiny",
    "twins_svt_small",
    "tnt_s_patch16_224",
    "mvitv2_tiny",
    "nest_tiny",
    "davit_tiny",
    "convmixer_768_32",
    "inception_next_tiny",
    "beit_base_patch16_224",
    "nfnet_f0",
    "eca_nfnet_l0",
    "deit_tiny_patch16_224",
]


def lively(module):
    """The module with weights through which a signal passes: some networks begin with zeros, or with so small ones that
    the outputs say nothing of the input."""
    with torch.no_grad():
        for each in module.modules():
            weight = getattr(each, "weight", None)
            if not isinstance(weight, torch.Tensor) or weight.dim() < 2:
                continue
            if weight.std() < 0.5 / (weight[0].numel() ** 0.5):
                nn.init.kaiming_normal_(weight)
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return module


def networks():
    import timm
    import torchvision

    def vision(name):
        return Case(
            f"torchvision {name}",
            lambda: (lively(torchvision.models.get_model(name, weights=None)), (x(1, 3, 224, 224),)),
            network=True,
        )

    def of_timm(name, size=224):
        return Case(
            f"timm {name}", lambda: (lively(timm.create_model(name, pretrained=False)), (x(1, 3, size, size),)), network=True
        )

    names = [
        "resnet18",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "efficientnet_b0",
        "squeezenet1_1",
        "shufflenet_v2_x0_5",
        "densenet121",
        "googlenet",
        "regnet_y_400mf",
        "convnext_tiny",
        "swin_t",
        "mnasnet0_5",
        "inception_v3",
    ]
    cases = [vision(name) for name in names]
    for name in ["deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"]:
        cases.append(
            Case(
                f"torchvision {name}",
                lambda n=name: (
                    lively(torchvision.models.get_model(n, weights=None, weights_backbone=None)),
                    (x(1, 3, 128, 128),),
                ),
                network=True,
            )
        )
    sizes = {"crossvit_tiny_240": 240, "mobilevit_xxs": 256, "fastvit_t8": 256, "edgenext_xx_small": 256}
    for name in TIMM:
        cases.append(of_timm(name, sizes.get(name, 224)))
    for name in ["maxvit_t", "swin_v2_t", "vit_b_32", "alexnet"]:
        cases.append(vision(name))
    return sorted(cases, key=lambda case: case.name.split()[-1] not in TIMM[:16])
