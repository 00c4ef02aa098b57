"""Times of known words in a stretch of vocals: whisperx' forced alignment, its traps handled."""

import math
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rasen.errors import RasenError
from rasen.networks.torchaudio_guard import import_torchaudio
from rasen.songs.lyrics import UNSPACED

RATE = 16000
SHORTEST = 400  # samples: the shortest sound that has a frame


@dataclass
class Word:
    """A word with its times in seconds and its score: mean probability of its letters."""

    text: str
    start: float
    end: float
    score: float


class Aligner:
    """wav2vec2 models with letters as classes, one folder a language, each opened when needed."""

    def __init__(self, folders, device="cpu"):
        faults = [
            f"{folder}: holds no wav2vec2 model (config.json); name one that knows {language}"
            for language, folder in folders.items()
            if not (Path(folder) / "config.json").is_file()
        ]
        if faults:
            raise RasenError("\n".join(faults))
        self.folders, self.device, self.opened = dict(folders), device, {}

    def open(self, language):
        """(network, what whisperx knows of it) for a language."""
        if language not in self.opened:
            network, known = _whisperx().load_align_model(
                language,
                self.device,
                model_name=str(Path(self.folders[language]).resolve()),
                model_cache_only=True,
            )
            # Tokenizers add tokens that the network has no class for (a second <pad>, at worst).
            known["dictionary"] = {
                letter: index
                for letter, index in known["dictionary"].items()
                if index < network.config.vocab_size
            }
            self.opened[language] = network.eval(), known
        return self.opened[language]

    def align(self, vocals, words, language, start, end):
        """Times of `words` (no punctuation), sung in order between `start` and `end` seconds.

        A list of `Word`, one for each; empty where they cannot fit. The window must hold nothing
        else that is sung: whisperx lets a text that does not fill its window drift to the front.
        """
        # whisperx stretches all times when the window ends after the sound, so we cut it here.
        first, last = max(0, round(start * RATE)), min(len(vocals), round(end * RATE))
        if not words or last - first < SHORTEST:
            return []
        network, known = self.open(language)
        spelled = [_spell(word, known["dictionary"]) for word in words]
        text = ("" if language in UNSPACED else " ").join(spelled)
        sound = np.ascontiguousarray(vocals[first:last], dtype=np.float32)
        segment = {"text": text, "start": 0.0, "end": len(sound) / RATE}
        found = _whisperx().align([segment], network, known, sound, self.device)["word_segments"]
        if language in UNSPACED:  # whisperx gives characters: put longer words together
            found = _together(found, [len(word) for word in spelled])
        if len(found) != len(words) or not all("start" in word for word in found):
            return []  # more letters than frames
        shift = first / RATE
        return [
            Word(
                word,
                float(part["start"]) + shift,
                float(part["end"]) + shift,
                _number(part.get("score")),
            )
            for word, part in zip(words, found, strict=True)
        ]


def _spell(word, letters):
    """`word` in the model's letters: accents go where the model has none. What it does not know
    at all stays, and whisperx takes any sound for it."""

    def known(letter):
        bare = unicodedata.normalize("NFKD", letter)[0]
        return bare if letter not in letters and bare in letters else letter

    return "".join(known(letter) for letter in word.lower())


def _together(characters, lengths):
    """Characters with times as words of so many characters."""
    if len(characters) != sum(lengths):
        return []
    words, first = [], 0
    for length in lengths:
        part = characters[first : first + length]
        first += length
        if all("start" in character for character in part):
            score = sum(_number(character.get("score")) for character in part) / length
            words.append({"start": part[0]["start"], "end": part[-1]["end"], "score": score})
    return words


def _number(score):
    return 0.0 if score is None or math.isnan(score) else float(score)


class _WholeText:
    """In the place of nltk's sentence splitter, which whisperx would download: a line is one."""

    @staticmethod
    def span_tokenize(text):
        return [(0, len(text))]


def _whisperx():
    import_torchaudio()
    from whisperx import alignment

    alignment.nltk_load = lambda path: _WholeText
    return alignment
