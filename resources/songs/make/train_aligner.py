"""Train the aligner: a small Wav2Vec2ForCTC for English, Japanese and Chinese together.

espeak-ng gives the start and end of every word, so each frame has its label: first the character
that is spoken (the letters of an English word are spread over it), which is easy to learn, later
the character in its first frame and blank elsewhere, as in a converged CTC model.

    python train_aligner.py DEMUCS ALIGNER    (the folder of the separator, the folder to make)
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from data import band, crop, utterance
from words import lexicon

from rasen.io.audio import resample
from rasen.networks.torchaudio_guard import import_torchaudio
from rasen.seeds import generator
from rasen.songs.demo import compose
from rasen.songs.stems import SeparationSettings, open_separator

RATE, FRAME = 16000, 320
LANGUAGES = ("en", "ja", "zh")
UTTERANCES = 500  # per language
STEPS, BATCH, PEAK = 2600, 8, 2e-3
SOUNDING = 0.65  # share of the steps with labels over whole characters
SONGS = 0.2  # share of the batches with several lines in a row and pauses between
SEPARATED = 0.4  # share of the lines that our Demucs separated from a mix
CLEAN = 0.4  # share of the examples without accompaniment


def vocabulary():
    """{character: id}: blank, word border, unknown, then all letters of the languages."""
    letters = {c for language in LANGUAGES for word, _ in lexicon(language) for c in word.lower()}
    return {c: i for i, c in enumerate(["[PAD]", "|", "[UNK]", *sorted(letters)])}


def characters(words, language):
    """The characters of a line as (character, start, end)."""
    for index, word in enumerate(words):
        letters = list(word["word"].lower())
        if language == "en" and index < len(words) - 1:
            letters.append("|")
        step = (word["end"] - word["start"]) / len(letters)
        for i, letter in enumerate(letters):
            yield letter, word["start"] + i * step, word["start"] + (i + 1) * step


def separate(rng, separator, voice, bands):
    """A voice [time] at 44.1 kHz, mixed with an accompaniment and separated again."""
    music = crop(rng, bands[rng.integers(len(bands))], len(voice))
    music = music * np.sqrt((voice**2).mean() / ((music**2).mean() + 1e-9))
    mix = voice + music * 10 ** (-rng.uniform(0, 8) / 20)
    mix = torch.from_numpy(0.9 * mix / np.abs(mix).max()).float()
    return separator.separate_tensor(mix, compose.RATE)[1]["vocals"].mean(dim=0).numpy()


def example(rng, pool, picks, size, bands, onsets):
    """Some lines in a window of `size` samples: sound [size], one label per frame [frames]."""
    sound = np.zeros(size, np.float32)
    labels = np.zeros(size // FRAME + 2, np.int64)
    room = size - sum(len(pool[pick][0]) for pick in picks)
    gaps = rng.dirichlet(np.ones(len(picks) + 1)) * room
    at = 0
    for pick, gap in zip(picks, gaps, strict=False):
        voice, marks = pool[pick]
        at += int(gap)
        sound[at : at + len(voice)] += voice
        for mark, start, end in marks:
            first, last = (round((at + second * RATE) / FRAME) for second in (start, end))
            first += onsets and labels[first] != 0  # two characters in one frame: the later moves
            labels[first : first + 1 if onsets else last] = mark
        at += len(voice)
    if rng.random() > CLEAN:
        below = 10 ** (-rng.uniform(3, 25) / 20)
        music = crop(rng, bands[rng.integers(len(bands))], size)
        sound += music * below * np.sqrt((sound**2).mean() / ((music**2).mean() + 1e-9))
    sound += 10 ** rng.uniform(-5, -2.3) * rng.standard_normal(size).astype(np.float32)
    return sound * 10 ** rng.uniform(-1.2, 0), labels


def batch(rng, pool, order, bands, onsets):
    """Sounds [batch, time] and labels [batch, frames]."""
    if rng.random() < SONGS:
        picks = rng.integers(len(pool), size=(2, 4)).tolist()
    else:
        start = rng.integers(len(pool) - BATCH)
        picks = [[pick] for pick in order[start : start + BATCH]]  # of nearly one length
    longest = max(sum(len(pool[pick][0]) for pick in row) for row in picks)
    size = longest + int(len(picks[0]) * rng.uniform(0.1, 1.0) * RATE)
    rows = [example(rng, pool, row, size, bands, onsets) for row in picks]
    return [torch.from_numpy(np.stack(arrays)).float() for arrays in zip(*rows, strict=True)]


def network(size):
    import_torchaudio()
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    config = Wav2Vec2Config(
        vocab_size=size, hidden_size=96, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=224, conv_dim=(32,) * 7, num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=8, apply_spec_augment=False, layerdrop=0.0,
        hidden_dropout=0.0, activation_dropout=0.0, attention_dropout=0.0, feat_proj_dropout=0.0,
        final_dropout=0.0, pad_token_id=0, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return Wav2Vec2ForCTC(config)


def save(model, ids, folder):
    """A folder as transformers saves it, with half-precision weights that load as full ones."""
    from safetensors.torch import load_file, save_file
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    tokenizer = Wav2Vec2CTCTokenizer(
        folder / "vocab.json", pad_token="[PAD]", unk_token="[UNK]", bos_token=None, eos_token=None
    )
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False)
    Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)
    model.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    weights = {name: tensor.half() for name, tensor in weights.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng, ids, begun = generator(0, "aligner"), vocabulary(), time.process_time()
    settings = SeparationSettings(sys.argv[1], overlap=0.25, shifts=0, format="flac")
    separator = open_separator(settings, "cpu")
    bands = [band(seed, 60, compose.RATE) for seed in range(8)]
    pool = []
    for language in LANGUAGES:
        for _ in range(UTTERANCES):
            sound, _, words = utterance(rng, language, compose.RATE)
            if rng.random() < SEPARATED:
                sound = separate(rng, separator, sound, bands)
            sound = resample(sound, compose.RATE, RATE)
            marks = [(ids[letter], *span) for letter, *span in characters(words, language)]
            pool.append((sound, marks))
    bands = [resample(sound.mean(axis=0), compose.RATE, RATE) for sound in bands]
    order = np.argsort([len(sound) for sound, _ in pool])
    print(
        f"{sum(len(s) for s, _ in pool) / RATE:.0f} s of voice, {time.process_time() - begun:.0f} s"
    )

    model = network(len(ids))
    print(sum(p.numel() for p in model.parameters()), "parameters")
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK, STEPS, pct_start=0.1)
    for step in range(STEPS):
        sounds, labels = batch(rng, pool, order, bands, onsets=step > SOUNDING * STEPS)
        logits = model(sounds).logits
        labels = labels[:, : logits.shape[1]].long()
        loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            spoken = labels > 0
            right = (logits.argmax(-1) == labels)[spoken].float().mean()
            spent = time.process_time() - begun
            print(f"{step} loss {loss:.3f} right {right:.2f} {spent:.0f} s", flush=True)
    save(model, ids, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
