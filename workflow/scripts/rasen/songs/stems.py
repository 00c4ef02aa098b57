"""Vocals and accompaniment of a song: given, or separated by Demucs through its own API."""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
import yaml

from rasen.errors import RasenError
from rasen.seeds import generator
from rasen.songs import recording
from rasen.songs.reasons import SongError

FILES = {"flac": ("vocals.flac", "accompaniment.flac"), "wav": ("vocals.wav", "accompaniment.wav")}
CLASSES = {  # the only ones that a checkpoint may name: Demucs imports and calls what it says
    "demucs.demucs.Demucs",
    "demucs.hdemucs.HDemucs",
    "demucs.htdemucs.HTDemucs",
}
LENGTHS = 0.5  # seconds by which a given stem may be longer or shorter than the mix
FULL_SCALE = 1 - 2.0**-23  # the largest sample of 24 bits


@dataclass(frozen=True)
class SeparationSettings:
    """How stems are separated and stored; the section `songs.separate` of the config.

    model: folder with a Demucs bag as safetensors; None where all vocals are given
    overlap: share of neighbouring segments;  shifts: random shifts that are averaged
    """

    model: str | None
    overlap: float
    shifts: int
    format: Literal["flac", "wav"]

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise RasenError(
                f"songs.separate.overlap: {self.overlap} is no share of a segment; give a number "
                "from 0 and below 1"
            )
        if self.shifts < 0:
            raise RasenError(f"songs.separate.shifts: {self.shifts} is negative; give 0 or more")
        if self.format not in FILES:
            raise RasenError(
                f"songs.separate.format: '{self.format}' is not one of {', '.join(FILES)}"
            )


def open_separator(settings: SeparationSettings, device: str) -> Any:
    """A demucs.api.Separator of the bag in the folder `settings.model`."""
    from demucs.api import Separator

    folder = Path(settings.model or "")
    bags = sorted(folder.glob("*.yaml"))
    if len(bags) != 1:
        raise RasenError(
            f"{folder}: needs one .yaml file that names the models of a Demucs bag, found "
            f"{len(bags)}; name such a folder, or adefossez/HTDemucs, in songs.separate.model"
        )
    bag = yaml.safe_load(bags[0].read_text(encoding="utf-8"))

    class Local(Separator):
        """Demucs' own class with models from the folder, never from the network."""

        def _load_model(self):
            self._model = _load_bag(folder, bag)
            self._audio_channels = self._model.audio_channels
            self._samplerate = self._model.samplerate

    separator = Local(repo=folder, device=device, shifts=settings.shifts, overlap=settings.overlap)
    if "vocals" not in separator.model.sources:
        raise RasenError(
            f"{folder}: separates {separator.model.sources} and no vocals; name another model in "
            "songs.separate.model"
        )
    return separator


def _load_bag(folder, bag):
    from demucs.apply import BagOfModels
    from demucs.hf import load_safetensors_model

    models = []
    for signature in bag["models"]:
        file = folder / f"{signature}.safetensors"
        if not file.is_file():
            raise RasenError(
                f"{file}: no such file (pickled .th weights run code when opened and are refused); "
                "take the safetensors form, on the hub as adefossez/HTDemucs"
            )
        _refuse_foreign_classes(file)
        models.append(load_safetensors_model(file))
    return BagOfModels(models, bag.get("weights"), bag.get("segment")).eval()


def _refuse_foreign_classes(file):
    """Raise when a checkpoint's metadata names a class that is not Demucs' own."""
    from safetensors import SafetensorError, safe_open  # envs/allin1 reads stems without it

    try:
        with safe_open(file, "numpy") as opened:
            metadata = opened.metadata() or {}
        named = {
            metadata.get("klass", "none"),
            *_classes_in(json.loads(metadata.get("structure", "0"))),
        }
    except (SafetensorError, ValueError) as error:
        raise RasenError(f"{file}: damaged ({error}); fetch it again") from None
    if foreign := sorted(map(str, named - CLASSES)):
        raise RasenError(
            f"{file}: names the class {', '.join(foreign)}, which is none of Demucs' own; such a "
            "file can run any code and is refused; fetch it from adefossez/HTDemucs"
        )


def _classes_in(node):
    """All `_class` entries in the JSON that describes a quantised state."""
    if isinstance(node, dict):
        if "_class" in node:
            yield str(node["_class"])
        node = list(node.values())
    for item in node if isinstance(node, list) else ():
        yield from _classes_in(item)


def separate(
    separator: Any, sound: np.ndarray, rate: int, song: str, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(vocals, accompaniment) float32 [2, time] at the model's rate; they sum to the mix.

    Random shifts are drawn from the song's name, so a song always gets the same stems.
    """
    import torch

    mix = recording.to_stereo(sound, rate, separator.samplerate)
    random.seed(int(generator(seed, "shifts", song).integers(1 << 62)))
    _, stems = separator.separate_tensor(torch.from_numpy(mix), separator.samplerate)
    vocals = stems["vocals"].numpy()
    return vocals, mix - vocals


def given_stems(
    vocals: Path | str, accompaniment: Path | str, sound: np.ndarray, rate: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """(vocals, accompaniment, rate) float32 [2, time] of files that the user has.

    accompaniment: "" where there is none: then it is the mix, `sound` at `rate`, minus the vocals
    Both get the length of the mix. Raises `SongError` for files that cannot be its stems.
    """
    voice, voice_rate = _given_stem(vocals)
    mix = recording.to_stereo(sound, rate, voice_rate)
    voice = _as_long_as(mix, recording.to_stereo(voice, voice_rate, voice_rate), voice_rate, vocals)
    if not accompaniment:
        return voice, mix - voice, voice_rate
    band, band_rate = _given_stem(accompaniment)
    band = recording.to_stereo(band, band_rate, voice_rate)
    return voice, _as_long_as(mix, band, voice_rate, accompaniment), voice_rate


def _given_stem(path):
    try:
        return recording.read_recording(path)
    except SongError as error:
        raise SongError("stems", f"{path}: {error}") from None


def _as_long_as(mix, stem, rate, path):
    difference = stem.shape[1] - mix.shape[1]
    if abs(difference) > LENGTHS * rate:
        raise SongError(
            "stems",
            f"{path}: {stem.shape[1] / rate:.1f} s long, the mix {mix.shape[1] / rate:.1f} s",
        )
    return np.pad(stem, ((0, 0), (0, max(0, -difference))))[:, : mix.shape[1]]


def write_stems(
    folder: Path | str, vocals: np.ndarray, accompaniment: np.ndarray, rate: int,
    format: Literal["flac", "wav"],
) -> dict[str, float]:  # fmt: skip
    """Write both stems; {"gain", "rate"}.

    flac has 24 bits, so stems beyond full scale are attenuated by a common gain below 1; they then
    sum to the mix times this gain.
    """
    peak = max(np.abs(vocals).max(), np.abs(accompaniment).max())
    gain = 1.0 if format == "wav" else float(min(1.0, FULL_SCALE / max(peak, 1e-9)))
    subtype = {"flac": "PCM_24", "wav": "FLOAT"}[format]
    for name, sound in zip(FILES[format], (vocals, accompaniment), strict=True):
        soundfile.write(Path(folder) / name, np.float32(gain) * sound.T, rate, subtype)
    return {"gain": gain, "rate": rate}


def read_stem(folder: Path | str, name: str) -> tuple[np.ndarray, int]:
    """(sound float32 [2, time], rate) of a stem in `folder`: "vocals" or "accompaniment".

    It may have been recompressed (rasen.songs.thinned).
    """
    paths = (Path(folder) / f"{name}.{format}" for format in (*FILES, "opus"))
    return recording.read_recording(next(path for path in paths if path.is_file()))
