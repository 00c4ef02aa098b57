"""Voice activity (pyannote) and transcription (Whisper in CTranslate2), through whisperx.

Nothing is downloaded: the voice activity model is part of whisperx, Whisper is a local folder.
"""

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rasen.errors import RasenError
from rasen.networks.torchaudio_guard import import_torchaudio
from rasen.songs.align.words import SAMPLE_RATE, Chunk, Span, Transcript

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # pyannote reports its use otherwise; read at import
SILENCE = 2.0  # seconds that separate two chunks
LANGUAGE_CHUNKS = 3  # longest chunks, in which the language is detected


class Transcriber:
    """The models, each opened when a song needs it, for all that follow; opening takes seconds."""

    def __init__(
        self, folder: Path | str | None, device: str = "cpu", *, onset: float, offset: float,
        chunk: float, beam: int, threads: int = 1,
    ) -> None:  # fmt: skip
        """folder: of Whisper, or None;  chunk: longest chunk in seconds (at most 30)

        onset, offset: probabilities at which a voice begins and ends; whisperx's own (0.5, 0.363)
        lose quiet singing
        """
        if folder is not None and not (Path(folder) / "model.bin").is_file():
            raise RasenError(
                f"{folder}: holds no Whisper of CTranslate2 (model.bin); convert one with"
                " ct2-transformers-converter, and copy tokenizer.json beside it"
            )
        self.folder, self.device, self.threads = folder, device, threads
        self.onset, self.offset, self.chunk, self.beam = onset, offset, chunk, beam

    @cached_property
    def voice(self) -> Any:
        """The voice activity model, which is part of whisperx."""
        import_torchaudio()
        import torch
        from whisperx.vads import Pyannote

        device = torch.device(self.device)
        return Pyannote(device, vad_onset=self.onset, vad_offset=self.offset)

    @cached_property
    def given_chunks(self) -> Any:
        """In the place of whisperx' own voice activity model: the chunks that it is given."""
        return _given_chunks()

    @cached_property
    def whisper(self) -> Any:
        """Whisper, as whisperx runs it."""
        import_torchaudio()
        from whisperx.asr import load_model

        return load_model(
            str(self.folder),
            self.device,
            asr_options={"beam_size": self.beam},
            vad_model=self.given_chunks,
            local_files_only=True,
            threads=self.threads,
        )

    def detect_voice(self, vocals: np.ndarray) -> list[Chunk]:
        """Chunks with a voice in `vocals` [time]."""
        vocals = np.pad(vocals, (0, max(0, SAMPLE_RATE - len(vocals))))  # the model needs a second
        sound = {"waveform": self.voice.preprocess_audio(vocals), "sample_rate": SAMPLE_RATE}
        merged = self.voice.merge_chunks(self.voice(sound), self.chunk, self.onset, self.offset)
        segments = [segment for chunk in merged for segment in chunk["segments"]]
        return group_segments(segments, self.chunk)

    def detect_languages(self, vocals: np.ndarray, chunks: Sequence[Chunk]) -> dict[str, float]:
        """{language: probability}; empty for a Whisper that only knows English."""
        from whisperx.audio import N_SAMPLES, log_mel_spectrogram

        model = self.whisper.model
        if not model.model.is_multilingual:
            return {}
        longest = sorted(chunks, key=lambda chunk: chunk.start - chunk.end)[:LANGUAGE_CHUNKS]
        seconds = sum(chunk.end - chunk.start for chunk in longest)
        total: dict[str, float] = {}
        for chunk in longest:
            sound = _cut(vocals, chunk)[:N_SAMPLES]
            bands = model.feat_kwargs.get("feature_size") or 80
            mel = log_mel_spectrogram(sound, n_mels=bands, padding=N_SAMPLES - len(sound))
            weight = (chunk.end - chunk.start) / seconds
            for token, probability in model.model.detect_language(model.encode(mel))[0]:
                code = token.strip("<|>")
                total[code] = total.get(code, 0.0) + weight * probability
        return total

    def transcribe(
        self, vocals: np.ndarray, chunks: Sequence[Chunk], language: str, batch: int = 1
    ) -> list[Transcript]:
        """The transcripts of the chunks. batch: chunks at once"""
        self.given_chunks.chunks = [
            {"start": chunk.start, "end": chunk.end} for chunk in chunks if len(_cut(vocals, chunk))
        ]
        if not self.given_chunks.chunks:
            return []
        result = self.whisper.transcribe(vocals, batch_size=batch, language=language)
        return [
            Transcript(part["start"], part["end"], part["text"], part["avg_logprob"])
            for part in result["segments"]
        ]


def group_segments(segments: Iterable[Span], longest: float) -> list[Chunk]:
    """Voice activity segments as chunks for Whisper of at most `longest` seconds.

    whisperx joins all that fits. In songs that puts whole interludes into a chunk, where Whisper
    invents words and aligned words drift: so a long silence separates chunks too.
    """
    groups: list[list[Span]] = []
    for start, end in sorted(segments):
        group = groups[-1] if groups else None
        if group and end - group[0][0] <= longest and start - group[-1][1] <= SILENCE:
            group.append((start, end))
        else:
            groups.append([(start, end)])
    return [Chunk(group[0][0], group[-1][1], tuple(group)) for group in groups]


def _cut(vocals, chunk):
    return vocals[int(chunk.start * SAMPLE_RATE) : int(chunk.end * SAMPLE_RATE)]


def _given_chunks():
    """A voice activity model for whisperx that returns given `chunks`, {start, end} each."""
    from whisperx.vads import Vad

    class GivenChunks(Vad):
        chunks: Sequence[dict[str, Any]] = ()

        def __call__(self, audio, **options):
            return self.chunks

        @staticmethod
        def preprocess_audio(audio):
            return audio

        @staticmethod
        def merge_chunks(chunks, size, onset, offset):
            return chunks

    return GivenChunks(0.5)
