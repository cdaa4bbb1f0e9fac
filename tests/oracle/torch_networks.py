"""The networks that torch_export.py compares, with random weights; small ones first."""

import torch
import torch_transformers
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
    "eca_botnext26ts_256",
    "convit_tiny",
    "convnext_atto_rms",
    "cpubone_nano",
    "csatv2",
    "cs3darknet_focus_s",
    "cspnext_tiny",
    "dpn48b",
    "efficientformer_l1",
    "efficientnet_lite0",
    "efficientvim_m1",
    "efficientvit_m0",
    "eva02_tiny_patch14_224",
    "fasternet_t0",
    "focalnet_tiny_srf",
    "gcvit_xxtiny",
    "hgnetv2_b0",
    "hiera_tiny_224",
    "sam2_hiera_tiny",
    "iformer_s",
    "inception_next_atto",
    "lcnetv2_small",
    "lowformer_b0",
    "test_mambaout",
    "maxvit_pico_rw_256",
    "coatnet_pico_rw_224",
    "caformer_s18",
    "gmixer_12_224",
    "resmlp_12_224",
    "mobilenetv3_small_050",
    "mobilenetv5_base",
    "nextvit_small",
    "test_nfnet",
    "pit_ti_224",
    "rdnet_tiny",
    "regnetx_002",
    "repghostnet_050",
    "resnest14d",
    "resnet14t",
    "resnetv2_18",
    "legacy_seresnet18",
    "sequencer2d_s",
    "shvit_s1",
    "skresnet18",
    "swiftformer_xs",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "swinv2_cr_tiny_224",
    "tiny_vit_5m_224",
    "tresnet_m",
    "twins_pcpvt_small",
    "vit_tiny_r_s16_p8_224",
    "vit_relpos_small_patch16_224",
    "samvit_base_patch16_224",
    "vitamin_small_224",
    "volo_d1_224",
    "ese_vovnet19b_slim_dw",
    "xception41",
    "vgg11",
    "densenet121",
    "legacy_xception",
    "inception_v4",
    "naflexvit_base_patch16_gap",
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


class Detector(nn.Module):
    """What a detector of torchvision finds before boxes are suppressed, whose number depends on the data."""

    def __init__(self, model):
        super().__init__()
        self.backbone, self.head = model.backbone, model.head

    def forward(self, image):
        return self.head(list(self.backbone(image).values()))


def networks():
    import timm
    import torchvision

    def vision(name):
        return Case(
            f"torchvision {name}",
            lambda: (lively(torchvision.models.get_model(name, weights=None)), (x(1, 3, 224, 224),)),
            network=True,
        )

    def segmentation(name):
        return Case(
            f"torchvision {name}",
            lambda: (lively(torchvision.models.get_model(name, weights=None, weights_backbone=None)), (x(1, 3, 128, 128),)),
            network=True,
        )

    def of_timm(name):
        config = timm.models.get_pretrained_cfg(name)
        size = config.input_size[-1] if config is not None else 224
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
        cases.append(segmentation(name))
    cases += [of_timm(name) for name in TIMM]
    for name in ["maxvit_t", "swin_v2_t", "vit_b_32", "alexnet", "vgg11_bn", "resnext50_32x4d", "wide_resnet50_2"]:
        cases.append(vision(name))
    for name in ["fcn_resnet50", "deeplabv3_resnet50"]:
        cases.append(segmentation(name))
    for name in ["ssdlite320_mobilenet_v3_large", "retinanet_resnet50_fpn", "fcos_resnet50_fpn", "ssd300_vgg16"]:
        cases.append(
            Case(
                f"torchvision {name} before the suppression",
                lambda n=name: (
                    Detector(lively(torchvision.models.get_model(n, weights=None, weights_backbone=None))),
                    (x(1, 3, 320, 320),),
                ),
                network=True,
            )
        )
    for name in ["r3d_18", "mc3_18", "s3d", "mvit_v2_s"]:
        frames = (1, 3, 16, 224, 224) if name[0] in "ms" and name[1] != "c" else (1, 3, 8, 112, 112)
        cases.append(
            Case(
                f"torchvision {name}",
                lambda n=name, f=frames: (lively(torchvision.models.get_model(n, weights=None)), (x(*f),)),
                network=True,
            )
        )
    cases = sorted(cases, key=lambda case: case.name.split()[-1] not in TIMM[:16])
    return torch_transformers.networks() + cases
