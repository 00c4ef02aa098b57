"""Times of known words in a stretch of vocals: whisperx' forced alignment, its pitfalls handled."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rasen.errors import raise_all
from rasen.networks.torchaudio_guard import import_torchaudio
from rasen.songs.align.words import FRAME, SAMPLE_RATE, Word
from rasen.songs.lyrics import UNSPACED

SHORTEST = 400  # samples: the shortest sound that has a frame
STRETCH, CONTEXT = 26, 2  # seconds heard at once, and before and after it
BORDER = "|"  # the letter between two words


class Aligner:
    """wav2vec2 models with letters as classes, one folder per language, opened when needed."""

    def __init__(self, folders: Mapping[str, Path | str], device: str = "cpu") -> None:
        raise_all(
            f"{folder}: holds no wav2vec2 model (config.json); name one for the language {language}"
            for language, folder in folders.items()
            if not (Path(folder) / "config.json").is_file()
        )
        self.folders, self.device = dict(folders), device
        self.opened: dict[str, tuple[Any, dict[str, Any]]] = {}

    def open(self, language: str) -> tuple[Any, dict[str, Any]]:
        """(network, whisperx's metadata of it) for a language."""
        if language not in self.opened:
            network, metadata = _whisperx().load_align_model(
                language,
                self.device,
                model_name=str(Path(self.folders[language]).resolve()),
                model_cache_only=True,
            )
            # Tokenizers add tokens that the network has no class for (a second <pad>, at worst).
            metadata["dictionary"] = {
                letter: index
                for letter, index in metadata["dictionary"].items()
                if index < network.config.vocab_size
            }
            self.opened[language] = network.eval(), metadata
        return self.opened[language]

    def listen(self, vocals: np.ndarray, language: str) -> np.ndarray:
        """Log probabilities [frames, classes] of a whole song [time], in overlapping stretches."""
        import torch

        network, _ = self.open(language)
        step, context = (seconds * SAMPLE_RATE // FRAME * FRAME for seconds in (STRETCH, CONTEXT))
        heard = []
        for start in range(0, len(vocals), step):
            first = max(0, start - context)
            sound = np.array(vocals[first : start + step + context], dtype=np.float32)
            sound = np.pad(sound, (0, FRAME + SHORTEST))  # the last frame, too, is a whole one
            with torch.inference_mode():
                logits = network(torch.from_numpy(sound)[None].to(self.device)).logits[0]
                chances = torch.log_softmax(logits.float(), dim=-1).cpu().numpy()
            skip = (start - first) // FRAME
            heard.append(chances[skip : skip + min(step, len(vocals) - start) // FRAME])
        return np.concatenate(heard)

    def letters(self, words: Sequence[str], language: str) -> list[int]:
        """Classes of the letters of `words`; letters that the model lacks are left out."""
        known = self.open(language)[1]["dictionary"]
        border = [] if language in UNSPACED or BORDER not in known else [known[BORDER]]
        spelled = [
            [known[letter] for letter in _spell(word, known) if letter in known] for word in words
        ]
        return [
            letter
            for number, word in enumerate(word for word in spelled if word)
            for letter in (border * (number > 0) + word)
        ]

    def marks(self, language: str) -> tuple[int, list[int]]:
        """(class of the blank, classes of word borders)."""
        known = self.open(language)[1]["dictionary"]
        blank = next((known[name] for name in ("[pad]", "<pad>") if name in known), 0)
        return blank, [known[BORDER]] if BORDER in known else []

    def align(
        self, vocals: np.ndarray, words: Sequence[str], language: str, start: float, end: float
    ) -> list[Word]:
        """Times of `words` (no punctuation), sung in order between `start` and `end` seconds.

        One `Word` for each; empty where they cannot fit. The window must hold no other singing:
        whisperx moves a text that does not fill its window to the front.
        """
        # whisperx stretches all times when the window ends after the sound, so it is cut here.
        first = max(0, round(start * SAMPLE_RATE))
        last = min(len(vocals), round(end * SAMPLE_RATE))
        if not words or last - first < SHORTEST:
            return []
        network, metadata = self.open(language)
        spelled = [_spell(word, metadata["dictionary"]) for word in words]
        text = ("" if language in UNSPACED else " ").join(spelled)
        sound = np.ascontiguousarray(vocals[first:last], dtype=np.float32)
        segment = {"text": text, "start": 0.0, "end": len(sound) / SAMPLE_RATE}
        aligned = _whisperx().align([segment], network, metadata, sound, self.device)
        timed = aligned["word_segments"]
        if language in UNSPACED:  # whisperx gives characters: join those of longer words
            timed = _join_characters(timed, [len(word) for word in spelled])
        if len(timed) != len(words) or not all("start" in times for times in timed):
            return []  # more letters than frames
        shift = first / SAMPLE_RATE
        return [
            Word(
                word,
                float(times["start"]) + shift,
                float(times["end"]) + shift,
                _number(times.get("score")),
            )
            for word, times in zip(words, timed, strict=True)
        ]


def _spell(word, letters):
    """`word` in the model's letters: accents are removed where the model has none. Unknown letters
    stay, and whisperx aligns them to any sound."""

    def known(letter):
        bare = unicodedata.normalize("NFKD", letter)[0]
        return bare if letter not in letters and bare in letters else letter

    return "".join(known(letter) for letter in word.lower())


def _join_characters(characters, lengths):
    """Characters with times as words with these numbers of characters."""
    if len(characters) != sum(lengths):
        return []
    words, first = [], 0
    for length in lengths:
        own = characters[first : first + length]
        first += length
        if all("start" in character for character in own):
            score = sum(_number(character.get("score")) for character in own) / length
            words.append({"start": own[0]["start"], "end": own[-1]["end"], "score": score})
    return words


def _number(score):
    return 0.0 if score is None or math.isnan(score) else float(score)


class _WholeText:
    """Replaces nltk's sentence splitter, which whisperx would download: a line is one sentence."""

    @staticmethod
    def span_tokenize(text: str) -> list[tuple[int, int]]:
        """The whole text as one span."""
        return [(0, len(text))]


def _whisperx():
    import_torchaudio()
    from whisperx import alignment

    alignment.nltk_load = lambda path: _WholeText
    return alignment
