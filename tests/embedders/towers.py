"""Tiny audio models of transformers: their configurations and feature extractors."""

import transformers

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def wav2vec2() -> tuple:
    """Configuration and feature extractor."""
    config = transformers.Wav2Vec2Config(
        **SMALL, conv_dim=(8, 8), conv_stride=(5, 4), conv_kernel=(10, 8), num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2, num_feat_extract_layers=2, feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )  # fmt: skip
    return config, transformers.Wav2Vec2FeatureExtractor()


def spectrogram_transformer() -> tuple:
    """Configuration and feature extractor."""
    config = transformers.ASTConfig(**SMALL, max_length=64, num_mel_bins=16)
    return config, transformers.ASTFeatureExtractor(max_length=64, num_mel_bins=16)


def whisper() -> tuple:
    """Configuration and feature extractor."""
    config = transformers.WhisperConfig(
        d_model=16, encoder_layers=1, encoder_attention_heads=2, decoder_layers=1, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=80, vocab_size=64, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    return config, transformers.WhisperFeatureExtractor()


def clap() -> tuple:
    """Configuration and feature extractor."""
    audio = {
        "spec_size": 256, "window_size": 8, "num_mel_bins": 64, "patch_embeds_hidden_size": 8, "hidden_size": 16,
        "depths": [1, 1], "num_attention_heads": [1, 2], "num_hidden_layers": 2, "patch_size": 4,
        "patch_stride": [4, 4],
    }  # fmt: skip
    text = {**SMALL, "vocab_size": 64, "max_position_embeddings": 16}
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=12)
    return config, transformers.ClapFeatureExtractor(feature_size=64, truncation="rand_trunc", padding="repeatpad")
