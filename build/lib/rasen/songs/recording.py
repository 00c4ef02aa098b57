"""Any recording as samples: libsndfile where it can, ffmpeg where it must."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from rasen.errors import RasenError
from rasen.io.audio import resample
from rasen.songs.reasons import SongError

STEREO = 2
UNSIZED = 0x7FFFF000  # from here on (and 0) a RIFF header was written before its sound


def seconds(path):
    """Length that the file's header tells, or None where only decoding shows it."""
    try:
        info = soundfile.info(path)
    except soundfile.SoundFileError:
        return None
    return info.frames / info.samplerate


def read_recording(path, most=None):
    """(sound float32 [channels, time], rate) of a whole recording.

    most: seconds after which decoding by ffmpeg ends (other formats tell their length beforehand)
    """
    path = Path(path)
    if not path.is_file():
        raise SongError("missing", f"{path}: no such file")
    try:
        with soundfile.SoundFile(path):
            pass
    except soundfile.SoundFileError as error:
        sound, rate = _decode_by_ffmpeg(path, error, most)
    else:
        _refuse_cut_wav(path)
        sound, rate = _decode(path, path)
    if not sound.size:
        raise SongError("unreadable", f"{path}: holds no samples")
    if not np.isfinite(sound).all():
        raise SongError("not_finite", f"{path}: holds samples that are not numbers")
    if not sound.any():
        raise SongError("silent", f"{path}: every sample is zero")
    return sound, rate


def reread_recording(path):
    """The same of a recording that was found sound before: now it is no song's fault."""
    if not Path(path).is_file():
        raise RasenError(f"{path}: was there when it was measured, and is gone; is its disk there?")
    return read_recording(path)


def _decode(file, path):
    """(sound, rate) of what libsndfile reads; `path` is what messages name."""
    with soundfile.SoundFile(file) as file:
        told, rate = file.frames, file.samplerate
        try:
            sound = file.read(dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise SongError("unreadable", f"{path}: breaks off or is damaged ({error})") from None
    if len(sound) < told - rate:  # an mp3's header may be off by some frames
        raise SongError(
            "unreadable",
            f"{path}: breaks off after {len(sound) / rate:.1f} of {told / rate:.1f} seconds",
        )
    return np.ascontiguousarray(sound.T), rate


def _refuse_cut_wav(path):
    """libsndfile reads a WAV file that breaks off as if it were meant to end there."""
    with open(path, "rb") as file:
        head = file.read(8)
    if head[:4] == b"RIFF":
        told, size = int.from_bytes(head[4:], "little"), path.stat().st_size
        if 0 < told < UNSIZED and told + 8 > size + 1:  # a pad byte may be left out
            raise SongError("unreadable", f"{path}: breaks off after {size} of {told + 8} bytes")


def _decode_by_ffmpeg(path, why, most):
    """What libsndfile cannot open (m4a, wma, video files)."""
    if not shutil.which("ffmpeg"):
        if path.suffix[1:].upper() in soundfile.available_formats():
            raise SongError("unreadable", f"{path}: cannot be decoded ({why})")
        raise SongError("no_ffmpeg", f"{path}: not a format that needs no ffmpeg ({why})")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "decoded.wav"
        command = ["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", path, "-vn"]
        command += ["-t", str(most)] if most else []
        done = subprocess.run(
            [*command, "-c:a", "pcm_f32le", wav], capture_output=True, text=True, check=False
        )
        if done.returncode or not wav.is_file():
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            if "No space left" in reason:
                raise OSError(f"{folder}: no space left to decode {path}")
            reason = re.sub(r" @ 0x[0-9a-f]+", "", reason)  # an address, another one each time
            raise SongError("unreadable", f"{path}: cannot be decoded ({reason})")
        return _decode(wav, path)


def stereo(sound, rate, wanted):
    """[2, time] at the rate `wanted`: mono doubled, more than two channels mixed down."""
    if len(sound) != STEREO:
        sound = np.repeat(sound.mean(axis=0, keepdims=True), STEREO, axis=0)
    return resample(sound, rate, wanted)


def mono(sound, rate, wanted):
    """[time] at the rate `wanted`."""
    return resample(sound.mean(axis=0), rate, wanted)
