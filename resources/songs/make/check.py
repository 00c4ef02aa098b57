"""Measure the shipped models on the fixture songs, through whisperx and Demucs as Rasen uses them.

Set PYANNOTE_METRICS_ENABLED=0 before.
"""

import sys
import tempfile
from pathlib import Path

import nltk
import numpy as np
import torch
from faster_whisper.tokenizer import Tokenizer
from words import SONGS

from rasen.io.audio import resample
from rasen.networks.torchaudio_guard import import_torchaudio
from rasen.songs.demo import compose
from rasen.songs.stems import SeparationSettings, open_separator

import_torchaudio()
import whisperx  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"
RATE, PAD, SEED = 16000, 0.2, 1


def punkt():
    """Empty tables of sentence ends, in the place of those that whisperx would download."""
    folder = Path(tempfile.mkdtemp())
    english = folder / "tokenizers" / "punkt_tab" / "english"
    english.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (english / name).write_text("")
    nltk.data.path.insert(0, str(folder))


def onsets(truth, sound, language, model, metadata):
    """Distances of the words' onsets from the truth, in ms, and their mean score."""
    errors, scores = [], []
    for line in truth["lines"]:
        window = {"start": line["start"] - PAD, "end": line["end"] + PAD, "text": line["text"]}
        words = whisperx.align([window], model, metadata, sound, "cpu")["word_segments"]
        assert len(words) == len(line["words"]), (line["text"], words)
        for word, true in zip(words, line["words"], strict=True):
            errors.append(1000 * (word["start"] - true["start"]))
            scores.append(word["score"])
    errors = np.abs(errors)
    p90 = np.percentile(errors, 90)
    return (
        f"MAE {errors.mean():.0f} p90 {p90:.0f} max {errors.max():.0f} ms, "
        f"score {np.mean(scores):.2f}"
    )


def main():
    punkt()
    stages = sys.argv[1:] or ["aligner", "demucs", "whisper"]
    if "demucs" in stages:
        separator = open_separator(
            SeparationSettings(str(MODELS / "demucs"), overlap=0.25, shifts=0, format="flac"), "cpu"
        )
    if "whisper" in stages:
        whisper = whisperx.load_model(
            str(MODELS / "whisper"), "cpu", compute_type="float32", threads=1,
            local_files_only=True, asr_options={"beam_size": 1},
        )  # fmt: skip
    for name in SONGS:
        truth, vocals, music = compose.fixture_song(ROOT, name, SEED)
        sounds = {"clean": vocals, "mix": vocals + music, "music": music}
        if "demucs" in stages:
            mix = torch.from_numpy(vocals + music)
            separated = separator.separate_tensor(mix, compose.RATE)[1]["vocals"].numpy()
            sounds["separated"] = separated
            gain = [
                10 * np.log10((true**2).sum() / ((guess - true) ** 2).sum())
                for true, guess in ((vocals, separated), (music, vocals + music - separated))
            ]
            print(f"{name}: separated vocals {gain[0]:.1f} dB, accompaniment {gain[1]:.1f} dB")
        for kind, sound in sounds.items():
            sound = resample(sound.mean(axis=0), compose.RATE, RATE)
            if "aligner" in stages and kind != "music":
                model, metadata = whisperx.load_align_model(
                    truth["language"], "cpu", model_name=str(MODELS / "aligner")
                )
                print(name, kind, onsets(truth, sound, truth["language"], model, metadata))
            if "whisper" in stages:
                print(name, kind, "is", whisper.detect_language(sound))
                for part in whisper.transcribe(sound, batch_size=4, chunk_size=30)["segments"]:
                    print(f"  {part['start']:.1f}-{part['end']:.1f}{part['text']}")
                right = 0
                whisper.tokenizer = Tokenizer(
                    whisper.model.hf_tokenizer, True, task="transcribe", language=truth["language"]
                )
                for line in truth["lines"]:
                    start, end = (
                        int((line[key] + pad) * RATE)
                        for key, pad in (("start", -PAD), ("end", PAD))
                    )
                    text = next(iter(whisper([{"inputs": sound[start:end]}], batch_size=1)))["text"]
                    right += line["text"] == text[0].strip()
                whisper.tokenizer = None
                print(f"  {right} of {len(truth['lines'])} single lines right")


if __name__ == "__main__":
    main()
