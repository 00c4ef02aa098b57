"""Train the transcriber: a small Whisper that is fitted to the fixture songs, for CTranslate2.

It is trained on windows of the songs, from one line to 30 s, clean or separated by our Demucs from
mixes with other accompaniments; and on music without voice, whose text is empty.

    python train_whisper.py DEMUCS WHISPER    (the folder of the separator, the folder to make)
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import ctranslate2
import numpy as np
import torch
from data import crop
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from words import SONGS, lines

from rasen.io.audio import read_mono, resample
from rasen.networks.torchaudio_guard import import_torchaudio
from rasen.seeds import generator
from rasen.songs import stems
from rasen.songs.demo import compose

import_torchaudio()
from transformers import (  # noqa: E402
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizerFast,
)

ROOT = Path(__file__).resolve().parent.parent
RATE, LONGEST = 16000, 30.0
SEEDS = (0, 101, 102, 103)  # of the accompaniments that the voices are separated from
PAD = 0.4  # seconds, at most, before and after the lines of a window
TAIL = 8.0  # seconds, at most, after the last line: residual music after separation sounds voiced
KINDS = {"line": 0.18, "run": 0.32, "begin": 0.14, "end": 0.24, "head": 0.06, "none": 0.06}
WINDOWS = 400  # per song
STEPS, BATCH, PEAK = 1900, 8, 3e-3
WIDTH, LAYERS = 64, (1, 2)
SPECIALS = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in _LANGUAGE_CODES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
TIMES = 1501  # time stamp tokens, which follow the special ones; never trained


def tokens():
    """Bytes, English words and characters of the songs; the empty one says "multilingual"."""
    words = [" " + word for line in lines("en") for word in line.split()]
    words += [letter for language in ("ja", "zh") for line in lines(language) for letter in line]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=2000, min_frequency=1, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(words, trainer)
    plain = json.loads(tokenizer.to_str())
    vocabulary = plain["model"]["vocab"]
    vocabulary[""] = len(vocabulary)
    tokenizer = Tokenizer.from_str(json.dumps(plain))
    tokenizer.add_special_tokens(SPECIALS)
    return tokenizer


def sounds(truth, separator):
    """A song's voice at 16 kHz, clean and separated, and an accompaniment without voice."""
    voice = read_mono(ROOT / f"vocals/{truth['song']}.ogg", compose.RATE)
    voices = [voice]
    for seed in SEEDS:
        vocals, music = compose.add_accompaniment(voice, truth["sections"], seed)
        separated = stems.separate(separator, vocals + music, compose.RATE, truth["song"])[0]
        voices.append(separated.mean(axis=0))
    return [resample(sound, compose.RATE, RATE) for sound in (*voices, music.mean(axis=0))]


def window(rng, truth, kinds):
    """A stretch of a song: its sound [time] at 16 kHz and its text."""
    *voices, music = kinds
    voice = voices[rng.integers(len(voices))]
    sung = truth["lines"]
    space = " " if truth["language"] == "en" else ""
    kind = rng.choice(list(KINDS), p=list(KINDS.values()))
    if kind == "none":  # before the first line, or without any
        intro = voice[: int((sung[0]["start"] - 0.2) * RATE)]
        return crop(rng, (intro, music)[rng.integers(2)], int(rng.uniform(1, 7) * RATE)), ""

    first = rng.integers(len(sung))  # a voice is cut anywhere: every beginning is as likely
    last = rng.integers(first, len(sung))
    first, last = {
        "line": (first, first),
        "run": (first, last),
        "begin": (0, last),
        "end": (first, len(sung) - 1),
        "head": (0, len(sung) - 1),
    }[kind]
    start, end = sung[first]["start"] - rng.uniform(0, PAD), sung[last]["end"] + rng.uniform(0, PAD)
    if kind == "head":
        start = 0.0
    if last == len(sung) - 1 and rng.random() < 0.4:
        end += rng.uniform(0, TAIL)
    end = min(end, start + LONGEST)
    text = space + space.join(li["text"] for li in sung[first : last + 1] if li["end"] <= end)
    return voice[int(start * RATE) : int(end * RATE)], text


def network(tokenizer):
    size = tokenizer.get_vocab_size()
    ends = {"eos_token_id": size - len(SPECIALS), "bos_token_id": size - len(SPECIALS)}
    ends |= {
        "pad_token_id": ends["eos_token_id"],
        "decoder_start_token_id": size - len(SPECIALS) + 1,
    }
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=size + TIMES, d_model=WIDTH, encoder_layers=LAYERS[0],
            decoder_layers=LAYERS[1], encoder_attention_heads=4, decoder_attention_heads=4,
            encoder_ffn_dim=2 * WIDTH, decoder_ffn_dim=2 * WIDTH, **ends,
        )
    )  # fmt: skip
    model.generation_config = GenerationConfig(
        suppress_tokens=[],
        begin_suppress_tokens=[],
        alignment_heads=[[LAYERS[1] - 1, 0]],
        lang_to_id={f"<|{c}|>": tokenizer.token_to_id(f"<|{c}|>") for c in _LANGUAGE_CODES},
        **ends,
    )
    return model


def save(model, tokenizer, folder):
    """A folder as faster-whisper reads it, weights in half precision."""
    with tempfile.TemporaryDirectory() as plain:
        model.save_pretrained(plain)
        WhisperTokenizerFast(tokenizer_object=tokenizer).save_pretrained(plain)
        tokenizer.save(f"{plain}/tokenizer.json")
        WhisperFeatureExtractor(feature_size=80).save_pretrained(plain)
        ctranslate2.converters.TransformersConverter(
            plain, copy_files=["tokenizer.json", "preprocessor_config.json"]
        ).convert(str(folder), quantization="float16", force=True)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng, begun, tokenizer = generator(0, "whisper"), time.process_time(), tokens()
    extractor = WhisperFeatureExtractor(feature_size=80)
    settings = stems.SeparationSettings(sys.argv[1], overlap=0.25, shifts=0, format="flac")
    separator = stems.open_separator(settings, "cpu")
    inputs, rows = [], []
    for name in SONGS:
        truth = json.loads((ROOT / f"truth/{name}.json").read_text(encoding="utf-8"))
        kinds = sounds(truth, separator)
        prompt = ["<|startoftranscript|>", f"<|{truth['language']}|>", "<|transcribe|>"]
        prompt = [tokenizer.token_to_id(token) for token in (*prompt, "<|notimestamps|>")]
        for _ in range(WINDOWS):
            sound, text = window(rng, truth, kinds)
            sound = sound * 10 ** rng.uniform(-0.7, 0.1)
            sound = sound + 10 ** rng.uniform(-5, -3) * rng.standard_normal(len(sound))
            extracted = extractor(sound, sampling_rate=RATE, return_tensors="np")
            inputs.append(extracted.input_features[0].astype(np.float16))
            rows.append(prompt + tokenizer.encode(text).ids + [tokenizer.token_to_id(SPECIALS[0])])
    print(f"{len(rows)} windows, {time.process_time() - begun:.0f} s", flush=True)

    model = network(tokenizer)
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK, STEPS, pct_start=0.1)
    for step in range(STEPS):
        picks = rng.integers(len(rows), size=BATCH)
        longest = max(len(rows[pick]) for pick in picks)
        padded = np.full((BATCH, longest), -100)
        for row, pick in zip(padded, picks, strict=True):
            row[: len(rows[pick])] = rows[pick]
        padded = torch.from_numpy(padded)
        features = torch.from_numpy(np.stack([inputs[pick] for pick in picks])).float()
        given = padded[:, :-1].clamp(min=0)
        logits = model(features, decoder_input_ids=given).logits
        loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), padded[:, 1:])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 49:
            print(f"{step} loss {loss:.4f} {time.process_time() - begun:.0f} s", flush=True)
    save(model, tokenizer, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
