"""Networks of `transformers` with small random configurations, which torch_export.py compares."""

import torch
from torch import nn
from torch_cases import Case, ints, x


class Plain(nn.Module):
    """The tensors that a model of transformers gives for named inputs, without caches and classes of its own."""

    def __init__(self, model, names, keywords):
        super().__init__()
        self.model, self.names, self.keywords = model, names, keywords

    def forward(self, *inputs):
        outputs = self.model(**dict(zip(self.names, inputs)), **self.keywords)
        return [each for each in outputs if isinstance(each, torch.Tensor)]


def small(config, **more):
    """What most configurations have in common, small."""
    sizes = {
        "vocab_size": 120,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
    }
    return config(**{**sizes, **more})


def text(batch=2, length=9):
    """Token numbers, and a mask that hides the last ones of the first sentence."""
    mask = torch.ones(batch, length, dtype=torch.long)
    mask[0, -3:] = 0
    return ints(118, batch, length) + 1, mask


def cases_of(name, make, inputs, **keywords):
    """A case of a model whose `inputs` are a dict of names and functions."""

    def build():
        values = inputs() if callable(inputs) else inputs
        keep = {"return_dict": False, **keywords}
        return Plain(make().eval(), list(values), keep), tuple(values.values())

    return Case(f"transformers {name}", build, network=True)


def masked():
    ids, mask = text()
    return {"input_ids": ids, "attention_mask": mask}


def encoders(t):
    """Text in, hidden states out."""
    yield cases_of("BERT", lambda: t.BertModel(small(t.BertConfig)), masked)
    yield cases_of("RoBERTa", lambda: t.RobertaModel(small(t.RobertaConfig)), masked)
    yield cases_of("ELECTRA", lambda: t.ElectraModel(small(t.ElectraConfig, embedding_size=32)), masked)
    yield cases_of("ALBERT", lambda: t.AlbertModel(small(t.AlbertConfig, embedding_size=32)), masked)
    yield cases_of("MPNet", lambda: t.MPNetModel(small(t.MPNetConfig)), masked)
    yield cases_of("DeBERTa v2", lambda: t.DebertaV2Model(small(t.DebertaV2Config, relative_attention=True)), masked)
    yield cases_of("ModernBERT", lambda: t.ModernBertModel(small(t.ModernBertConfig, local_attention=4)), masked)
    yield cases_of(
        "DistilBERT",
        lambda: t.DistilBertModel(
            t.DistilBertConfig(vocab_size=120, max_position_embeddings=64, n_layers=2, n_heads=4, dim=64, hidden_dim=128)
        ),
        masked,
    )
    shape = {"vocab_size": 120, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    yield cases_of("T5 encoder", lambda: t.T5EncoderModel(t.T5Config(**shape)), masked)
    yield cases_of(
        "T5",
        lambda: t.T5Model(t.T5Config(**shape)),
        lambda: {**masked(), "decoder_input_ids": ints(120, 2, 5)},
        use_cache=False,
    )
    bart = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4}
    yield cases_of(
        "BART",
        lambda: t.BartModel(
            t.BartConfig(
                vocab_size=120,
                max_position_embeddings=64,
                d_model=64,
                encoder_ffn_dim=128,
                decoder_ffn_dim=128,
                pad_token_id=0,
                **bart,
            )
        ),
        lambda: {**masked(), "decoder_input_ids": ints(120, 2, 5)},
        use_cache=False,
    )


def decoders(t):
    """Text in, logits of the next token out."""
    gpt = {"vocab_size": 120, "n_positions": 64, "n_embd": 64, "n_layer": 2, "n_head": 4}
    yield cases_of("GPT-2", lambda: t.GPT2LMHeadModel(t.GPT2Config(**gpt)), masked, use_cache=False)
    grouped = {"num_key_value_heads": 2}
    for name, model, config, more in [
        ("Llama", "LlamaForCausalLM", "LlamaConfig", grouped),
        ("Mistral", "MistralForCausalLM", "MistralConfig", {**grouped, "sliding_window": 4}),
        ("Qwen2", "Qwen2ForCausalLM", "Qwen2Config", grouped),
        ("Qwen3", "Qwen3ForCausalLM", "Qwen3Config", {**grouped, "head_dim": 16}),
        ("Gemma", "GemmaForCausalLM", "GemmaConfig", {**grouped, "head_dim": 16}),
        ("Gemma 2", "Gemma2ForCausalLM", "Gemma2Config", {**grouped, "head_dim": 16, "sliding_window": 4}),
        ("Phi", "PhiForCausalLM", "PhiConfig", {}),
        ("GPT-NeoX", "GPTNeoXForCausalLM", "GPTNeoXConfig", {}),
        ("StableLM", "StableLmForCausalLM", "StableLmConfig", {"num_key_value_heads": 4}),
        ("OLMo", "OlmoForCausalLM", "OlmoConfig", grouped),
        ("Mixtral", "MixtralForCausalLM", "MixtralConfig", {**grouped, "num_local_experts": 4}),
    ]:
        yield cases_of(
            name,
            lambda m=model, c=config, k=more: getattr(t, m)(small(getattr(t, c), **k)),
            masked,
            use_cache=False,
        )
    yield cases_of(
        "OPT",
        lambda: t.OPTForCausalLM(small(t.OPTConfig, ffn_dim=128, word_embed_proj_dim=64)),
        masked,
        use_cache=False,
    )
    yield cases_of(
        "BLOOM",
        lambda: t.BloomForCausalLM(t.BloomConfig(vocab_size=120, hidden_size=64, n_layer=2, n_head=4)),
        masked,
        use_cache=False,
    )


def speech(t):
    shape = {
        "vocab_size": 120,
        "d_model": 64,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 128,
        "decoder_ffn_dim": 128,
        "num_mel_bins": 16,
        "max_source_positions": 50,
        "max_target_positions": 32,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
    }
    sound = lambda: {"input_features": x(1, 16, 100)}  # noqa: E731
    yield cases_of("Whisper encoder", lambda: t.WhisperModel(t.WhisperConfig(**shape)).encoder, sound)
    yield cases_of(
        "Whisper decoder",
        lambda: t.WhisperModel(t.WhisperConfig(**shape)).decoder,
        lambda: {"input_ids": ints(120, 1, 6), "encoder_hidden_states": x(1, 50, 64)},
        use_cache=False,
    )
    yield cases_of(
        "Whisper",
        lambda: t.WhisperForConditionalGeneration(t.WhisperConfig(**shape)),
        lambda: {**sound(), "decoder_input_ids": ints(120, 1, 6)},
        use_cache=False,
    )
    waves = {
        "conv_dim": (16, 16, 16),
        "conv_stride": (5, 2, 2),
        "conv_kernel": (10, 3, 3),
        "num_feat_extract_layers": 3,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    }
    for name in ["Wav2Vec2", "Hubert"]:
        yield cases_of(
            name,
            lambda n=name: getattr(t, f"{n}Model")(small(getattr(t, f"{n}Config"), **waves)),
            lambda: {"input_values": x(1, 1600)},
        )
    yield cases_of(
        "AST",
        lambda: t.ASTModel(small(t.ASTConfig, num_mel_bins=32, max_length=64)),
        lambda: {"input_values": x(1, 64, 32)},
    )


def pictures(t):
    image = lambda: {"pixel_values": x(1, 3, 64, 64)}  # noqa: E731
    sizes = {"image_size": 64, "patch_size": 16}
    for name, model, config, more in [
        ("ViT", "ViTModel", "ViTConfig", sizes),
        ("DeiT", "DeiTModel", "DeiTConfig", sizes),
        ("BEiT", "BeitModel", "BeitConfig", {**sizes, "use_relative_position_bias": True}),
        ("DINOv2", "Dinov2Model", "Dinov2Config", sizes),
        ("YOLOS", "YolosForObjectDetection", "YolosConfig", {**sizes, "image_size": [64, 64], "num_detection_tokens": 5}),
        (
            "DPT",
            "DPTForDepthEstimation",
            "DPTConfig",
            {**sizes, "backbone_out_indices": [0, 0, 1, 1], "num_hidden_layers": 2},
        ),
    ]:
        yield cases_of(name, lambda m=model, c=config, k=more: getattr(t, m)(small(getattr(t, c), **k)), image)
    yield cases_of(
        "Swin",
        lambda: t.SwinModel(
            t.SwinConfig(image_size=64, patch_size=4, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4)
        ),
        image,
    )
    yield cases_of(
        "SegFormer",
        lambda: t.SegformerForSemanticSegmentation(
            t.SegformerConfig(hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 1, 1], decoder_hidden_size=32)
        ),
        image,
    )
    yield cases_of(
        "ConvNeXt V2", lambda: t.ConvNextV2Model(t.ConvNextV2Config(hidden_sizes=[8, 16, 32, 64], depths=[1] * 4)), image
    )
    yield cases_of(
        "ResNet", lambda: t.ResNetModel(t.ResNetConfig(hidden_sizes=[16, 32], depths=[1, 1], embedding_size=16)), image
    )
    yield cases_of(
        "MobileViT",
        lambda: t.MobileViTModel(
            t.MobileViTConfig(hidden_sizes=[24, 32, 40], neck_hidden_sizes=[16, 16, 24, 32, 40, 48, 64])
        ),
        image,
    )


def both(t):
    """Pictures and text, and what segments a picture by points."""
    towers = {
        "text_config": {
            "vocab_size": 120,
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 128,
            "max_position_embeddings": 16,
            "eos_token_id": 2,
        },
        "vision_config": {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 128,
            "image_size": 64,
            "patch_size": 16,
        },
    }
    for name in ["CLIP", "Siglip"]:
        yield cases_of(
            name,
            lambda n=name: getattr(t, f"{n}Model")(getattr(t, f"{n}Config")(**towers)),
            lambda: {
                "input_ids": ints(118, 2, 9) + 1,
                "pixel_values": x(2, 3, 64, 64),
                "attention_mask": torch.ones(2, 9).long(),
            },
        )
    sam = {
        "vision_config": {
            "hidden_size": 32,
            "output_channels": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 128,
            "patch_size": 16,
            "window_size": 3,
            "global_attn_indexes": [1],
            "mlp_dim": 64,
            "num_pos_feats": 8,
        },
        "prompt_encoder_config": {"hidden_size": 16, "image_size": 128, "patch_size": 16, "mask_input_channels": 4},
        "mask_decoder_config": {
            "hidden_size": 16,
            "mlp_dim": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
    }

    def segmenter():
        parts = {name: getattr(t, f"Sam{name}Config")(**sam[key]) for name, key in NAMES_OF_SAM.items()}
        return t.SamModel(
            t.SamConfig(
                vision_config=parts["Vision"],
                prompt_encoder_config=parts["PromptEncoder"],
                mask_decoder_config=parts["MaskDecoder"],
            )
        )

    yield cases_of("SAM encoder", lambda: segmenter().vision_encoder, lambda: {"pixel_values": x(1, 3, 128, 128)})
    yield cases_of(
        "SAM",
        segmenter,
        lambda: {
            "pixel_values": x(1, 3, 128, 128),
            "input_points": 60 + 20 * x(1, 1, 2, 2),
            "input_labels": ints(2, 1, 1, 2),
        },
    )


NAMES_OF_SAM = {"Vision": "vision_config", "PromptEncoder": "prompt_encoder_config", "MaskDecoder": "mask_decoder_config"}


def networks():
    try:
        import transformers
    except ImportError:
        return []
    return [case for group in (encoders, decoders, speech, pictures, both) for case in group(transformers)]
