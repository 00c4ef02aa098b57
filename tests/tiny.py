"""Tiny checkpoints with random weights in the genuine formats."""

import sys
from pathlib import Path

CARD, BOOKS, WIDTH, DEPTH = 32, 4, 32, 3


def musicgen(folder, seed=0, **decoder):
    """A MusicGen folder: text encoder, 16 kHz codec with filled code books, decoder."""
    import torch
    from transformers import EncodecConfig, MusicgenConfig, MusicgenForConditionalGeneration

    torch.manual_seed(seed)
    codec = EncodecConfig(
        sampling_rate=16000,
        num_filters=4,
        hidden_size=16,
        codebook_dim=16,
        codebook_size=CARD,
        upsampling_ratios=[8, 5, 4, 2],
        num_lstm_layers=1,
        target_bandwidths=[BOOKS * 5 * 50 / 1000],
    )
    text = {"model_type": "t5", "vocab_size": 8, "d_model": 8, "d_kv": 4, "d_ff": 8}
    text |= {"num_layers": 1, "num_heads": 2}
    lm = {
        "model_type": "musicgen_decoder",
        "vocab_size": CARD,
        "num_hidden_layers": DEPTH,
        "hidden_size": WIDTH,
        "ffn_dim": 4 * WIDTH,
        "num_attention_heads": 4,
        "num_codebooks": BOOKS,
        "pad_token_id": CARD,
        "bos_token_id": CARD,
    } | decoder
    model = MusicgenForConditionalGeneration(
        MusicgenConfig(text_encoder=text, audio_encoder=codec.to_dict(), decoder=lm)
    )
    for layer in model.audio_encoder.quantizer.layers:
        layer.codebook.embed.normal_()
    for parameter in model.decoder.parameters():  # far from any initialisation rule
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return folder


def llama(folder, seed=0):
    """A LLaMA folder with a byte-level tokenizer; heads and embeddings are tied."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<s>": 0, "</s>": 1} | {c: i + 2 for i, c in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=4,
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def jukebox(folder, seed=0, separate_lyrics=False, **bottom):
    """A Jukebox folder: VQ-VAE with filled code books, three priors (python of envs/jukebox.txt).

    separate_lyrics: the top prior reads lyrics by an encoder of their own (as the 5b model does),
    instead of in front of the codes (as 1b). bottom: settings of the bottom prior.
    """
    import torch
    from transformers.models.deprecated.jukebox import JukeboxConfig, JukeboxModel

    torch.manual_seed(seed)
    narrow = {"hidden_size": WIDTH, "n_heads": 1, "music_vocab_size": CARD, "mask": True}
    narrow |= {"metadata_dims": [3, 5], "lyric_vocab_size": 7, "res_conv_width": 8}
    narrow |= {"num_layers": DEPTH, "init_scale": 0.4, "res_conv_depth": 2}
    upsampler = {
        "attention_pattern": "raw_column_previous_row_attention", "is_encoder_decoder": False,
        "merged_decoder": False, "nb_relevant_lyric_tokens": 0,
        "res_dilation_growth_rate": 3, "res_dilation_cycle": 8,
    }  # fmt: skip
    top = narrow | {"level": 0, "n_ctx": 32, "blocks": 4, "nb_relevant_lyric_tokens": 8}
    top |= {"n_heads": 2, "init_scale": 0.2, "num_layers": 16}  # the lyrics are read in layer 16
    if separate_lyrics:
        top |= {"attention_pattern": "large_separated_enc_dec_w_lyrics", "num_layers": 19}
        top |= {"is_encoder_decoder": False, "merged_decoder": True}
        top["encoder_config"] = narrow | upsampler | {
            "blocks": 4, "init_scale": 0.7, "nb_relevant_lyric_tokens": 8, "hidden_size": 16,
        }  # fmt: skip
    middle = narrow | upsampler | {"level": 1, "n_ctx": 64, "blocks": 8}
    lowest = narrow | upsampler | {"level": 2, "n_ctx": 256, "blocks": 8} | bottom
    codec = {"embed_dim": 8, "res_conv_width": 8, "res_conv_depth": 1, "multipliers": [1, 1, 1]}
    codec |= {"nb_discrete_codes": CARD, "sample_length": 4096}
    model = JukeboxModel(
        JukeboxConfig(
            vqvae_config=codec,
            prior_config_list=[top, middle, lowest],
            sampling_rate=8000,
            min_duration=0.5,
            max_duration=60,
            max_nb_genres=1,
        )
    )
    for part in (model.vqvae, *model.priors):  # which the class does not do by itself
        part.apply(part._init_weights)
    if separate_lyrics:
        model.priors[0].encoder.start_token.data.zero_()  # which it forgets
    sound = torch.randn(1, 1, 8192) * torch.linspace(0, 0.5, 8192)
    books = model.vqvae.bottleneck.level_blocks
    for encoder, book in zip(model.vqvae.encoders, books, strict=True):
        latents = encoder(sound)[-1][0].T
        book.codebook.copy_(latents[torch.randperm(len(latents))[:CARD]].detach())
    for parameter in model.priors.parameters():  # far from any initialisation rule
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder, safe_serialization=False)
    return folder


STATISTICS = {"melspec_2048_mean": 6.768444971712967, "melspec_2048_std": 18.417922652295623}
CONFORMER = {
    "hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 1, "hidden_act": "swish",
    "position_embeddings_type": "rotary", "conv_depthwise_kernel_size": 31,
}  # fmt: skip


def conformer_tensors(seed=0):
    """All that a checkpoint of MuQ (of three blocks) holds, far from any initialisation rule."""
    import torch

    from rasen.networks.conformer import MusicConformer, Sizes

    torch.manual_seed(seed)
    network = MusicConformer(Sizes(0, 1, CARD, 4, 64, DEPTH, CONFORMER))
    tensors = network.state_dict()
    for name, tensor in tensors.items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.is_floating_point():
            tensor.add_(0.1 * torch.randn_like(tensor))
    return tensors | {
        "quantizer_melspec_2048.random_projection": torch.randn(512, 16) / 23,
        "quantizer_melspec_2048.codebook": torch.randn(CARD, 16),
        "conformer.embed_positions.inv_freq": torch.randn(32),
        "conformer.pos_conv_embed.conv.bias": torch.randn(64),
        "cls_token": torch.randn(64),
    }


def muq(folder, seed=0, **config):
    """A MuQ folder as the package `muq` writes it."""
    import json

    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": tensor for name, tensor in conformer_tensors(seed).items()}
    save_file(tensors, folder / "model.safetensors")
    fields = {"label_rate": 25, "codebook_size": CARD, "conv_dim": 4, "encoder_dim": 64}
    fields |= {"encoder_depth": DEPTH, "stat": STATISTICS, "w2v2_config": CONFORMER} | config
    (folder / "config.json").write_text(json.dumps(fields))
    return folder


def musicfm(folder, seed=0):
    """A MusicFM folder: pretrained_msd.pt and msd_stats.json."""
    import json

    import torch

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        "model." + name.replace("melspec_2048.", "melspec_2048_0."): tensor
        for name, tensor in conformer_tensors(seed).items()
    }
    torch.save({"state_dict": tensors}, folder / "pretrained_msd.pt")
    (folder / "msd_stats.json").write_text(json.dumps(STATISTICS))
    return folder


def mert(folder, seed=0, old=True, **config):
    """A MERT folder, with weight norm as old or as new PyTorch names it."""
    import json

    import torch
    from safetensors.torch import save_file
    from transformers import HubertConfig, HubertModel

    torch.manual_seed(seed)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    fields = {
        "hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": 4,
        "intermediate_size": 48, "conv_dim": [16] * 7, "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4, "do_stable_layer_norm": False,
    } | config  # fmt: skip
    model = HubertModel(HubertConfig(**fields))
    for parameter in model.parameters():
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    tensors = model.state_dict()
    if old:
        for new, name in (("original0", "weight_g"), ("original1", "weight_v")):
            stem = "encoder.pos_conv_embed.conv."
            tensors[stem + name] = tensors.pop(f"{stem}parametrizations.weight.{new}")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    described = model.config.to_dict() | {
        "model_type": "mert_model",
        "feature_extractor_cqt": False,
    }
    (folder / "config.json").write_text(json.dumps(described | config))
    sound = {"sampling_rate": 24000, "do_normalize": True, "feature_size": 1}
    (folder / "preprocessor_config.json").write_text(json.dumps(sound))
    return folder


SONGBLOOM = {
    "codes": CARD, "width": 128, "heads": 4, "lm_layers": DEPTH, "diff_layers": 2, "lyrics_rows": 6,
    "prompt_rows": 5,
}  # fmt: skip
TOKENS = ("", "a", "o", "[verse]", ".", ",")


def songbloom(folder, seed=0, public=False, about=None, **fields):
    """A SongBloom folder in our layout or in the public one, far from any initialisation rule."""
    import torch

    from rasen.networks.songbloom_checkpoint import as_yaml, write_checkpoint
    from rasen.networks.songbloom_config import SongBloomConfig
    from rasen.networks.songbloom_init import initialised

    folder = Path(folder)
    config = SongBloomConfig(
        vocabulary=len(TOKENS), flags=(3,), stop=4, comma=5, **{**SONGBLOOM, **fields}
    )
    state = initialised(config, 9).state_dict()
    torch.manual_seed(seed)
    for name, tensor in state.items():
        if not name.endswith(("blank_emb", "beta")):
            tensor.add_(0.1 * torch.randn_like(tensor))
    if not public:
        write_checkpoint(folder, state, config, TOKENS, about)
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    stored = {f"model.{name}": tensor for name, tensor in state.items()}
    torch.save(stored | {"vae.vae.x": torch.zeros(2)}, folder / "songbloom_tiny.pt")
    (folder / "songbloom_tiny.yaml").write_text(as_yaml(config, TOKENS, about or {}))
    return folder


def clap(folder):
    """A ClapModel folder with its processor."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        ClapProcessor,
        PreTrainedTokenizerFast,
    )

    torch.manual_seed(0)
    text = {"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"intermediate_size": 16, "max_position_embeddings": 40, "projection_dim": 8}
    audio = {"spec_size": 64, "patch_embeds_hidden_size": 8, "depths": [1, 1], "num_mel_bins": 16}
    audio |= {"num_attention_heads": [2, 2], "hidden_size": 16, "window_size": 4, "patch_size": 4}
    audio |= {"projection_dim": 8, "patch_stride": [4, 4]}
    ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=8)).save_pretrained(
        folder
    )
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "piano": 4, "flute": 5, "organ": 6}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", bos_token="<s>",
        eos_token="</s>",
    )  # fmt: skip
    extractor = ClapFeatureExtractor(
        feature_size=16, sampling_rate=16000, max_length_s=1, fft_window_size=1024, hop_length=160,
        frequency_max=8000, truncation="rand_trunc", padding="repeatpad",
    )  # fmt: skip
    ClapProcessor(extractor, fast).save_pretrained(folder)
    return folder


def small_workflow(folder):
    """What tests/small/config/config.yaml names: a language model, recordings (of which one is
    broken), sentences."""
    import numpy as np
    import soundfile

    folder = Path(folder)
    llama(folder / "models/llama")
    recordings = folder / "recordings"
    recordings.mkdir(parents=True, exist_ok=True)
    lines = ["path\tpitch\tinstrument"]
    for pitch in range(60, 64):
        time = np.arange(22050) / 22050
        tone = 0.5 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time)
        soundfile.write(recordings / f"sine {pitch}.wav", tone, 22050)
        lines.append(f"sine {pitch}.wav\t{pitch}\tsine")
    (recordings / "broken.wav").touch()
    lines.append("broken.wav\t64\tsine")
    (recordings / "sheet.tsv").write_text("\n".join(lines) + "\n")
    (folder / "sentences.txt").write_text("a tune in C\n音の高さ\na longer song in D minor\n")


if __name__ == "__main__":
    small_workflow(sys.argv[1])


def every_layer(family, network, batch):
    """All layers' outputs of a batch, as a list."""
    import torch

    with torch.no_grad():
        pairs = list(family.hidden(network, batch, range(len(family.layers))))
    assert [layer for layer, _ in pairs] == list(range(len(family.layers)))
    return [values for _, values in pairs]
