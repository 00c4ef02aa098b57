"""What is sung, and where: voice activity (pyannote) and Whisper (CTranslate2), through whisperx.

Nothing is fetched: the voice activity model is part of whisperx, Whisper is a local folder.
"""

import os
from pathlib import Path

import numpy as np

from rasen.errors import RasenError
from rasen.networks.torchaudio_guard import import_torchaudio

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # it reports its use otherwise; read at import
RATE = 16000  # samples a second of everything here
SILENCE = 2.0  # seconds that part two chunks
LISTENED = 3  # chunks that are asked for their language


class Transcriber:
    """Opened once, used for many songs. Opening takes seconds (imports) and the weights' memory."""

    def __init__(self, folder, device="cpu", onset=0.3, offset=0.2, chunk=30, beam=5, threads=1):
        """`onset`, `offset`: probabilities at which a voice begins and ends; below whisperx's
        own (0.5, 0.363), which lose quiet singing. `chunk`: longest chunk in seconds (at most 30).
        """
        if not (Path(folder) / "model.bin").is_file():
            raise RasenError(
                f"{folder}: holds no Whisper of CTranslate2 (model.bin); convert one with"
                " ct2-transformers-converter, and copy tokenizer.json beside it"
            )
        import_torchaudio()
        import torch
        from whisperx.asr import load_model
        from whisperx.vads import Pyannote

        self.onset, self.offset, self.chunk = onset, offset, chunk
        self.voice = Pyannote(torch.device(device), vad_onset=onset, vad_offset=offset)
        self.spans = _given_spans()
        self.whisper = load_model(
            str(folder),
            device,
            asr_options={"beam_size": beam},
            vad_model=self.spans,
            local_files_only=True,
            threads=threads,
        )

    def voiced(self, vocals):
        """Chunks with a voice in `vocals` [time]: dicts with start, end and their segments."""
        vocals = np.pad(vocals, (0, max(0, RATE - len(vocals))))  # the model wants some sound
        sound = {"waveform": self.voice.preprocess_audio(vocals), "sample_rate": RATE}
        found = self.voice.merge_chunks(self.voice(sound), self.chunk, self.onset, self.offset)
        return grouped([turn for chunk in found for turn in chunk["segments"]], self.chunk)

    def languages(self, vocals, chunks):
        """Probabilities of languages, by code; empty for a Whisper that only knows English."""
        from whisperx.audio import N_SAMPLES, log_mel_spectrogram

        model = self.whisper.model
        if not model.model.is_multilingual:
            return {}
        longest = sorted(chunks, key=lambda chunk: chunk["start"] - chunk["end"])[:LISTENED]
        seconds = sum(chunk["end"] - chunk["start"] for chunk in longest)
        total = {}
        for chunk in longest:
            sound = _cut(vocals, chunk["start"], chunk["end"])[:N_SAMPLES]
            bands = model.feat_kwargs.get("feature_size") or 80
            mel = log_mel_spectrogram(sound, n_mels=bands, padding=N_SAMPLES - len(sound))
            weight = (chunk["end"] - chunk["start"]) / seconds
            for token, share in model.model.detect_language(model.encode(mel))[0]:
                code = token.strip("<|>")
                total[code] = total.get(code, 0.0) + weight * share
        return total

    def transcribe(self, vocals, chunks, language, batch=8):
        """Text of the chunks: dicts with start, end, text and avg_logprob."""
        self.spans.chunks = [c for c in chunks if len(_cut(vocals, c["start"], c["end"]))]
        if not self.spans.chunks:
            return []
        found = self.whisper.transcribe(vocals, batch_size=batch, language=language)
        return found["segments"]


def grouped(turns, longest):
    """Stretches with a voice (start, end), as chunks for Whisper: dicts with start, end, segments.

    whisperx joins all that fits. In songs that puts whole interludes into a chunk, where Whisper
    makes words up and aligned words drift: so a long silence parts chunks too.
    """
    chunks = []
    for start, end in sorted(turns):
        last = chunks[-1] if chunks else None
        if last and end - last["start"] <= longest and start - last["end"] <= SILENCE:
            last["end"] = end
            last["segments"].append((start, end))
        else:
            chunks.append({"start": start, "end": end, "segments": [(start, end)]})
    return chunks


def _cut(vocals, start, end):
    return vocals[int(start * RATE) : int(end * RATE)]


def _given_spans():
    """A voice activity `model` for whisperx that says what we found already: its `chunks`."""
    from whisperx.vads import Vad

    class GivenSpans(Vad):
        chunks = ()

        def __call__(self, audio, **more):
            return self.chunks

        @staticmethod
        def preprocess_audio(audio):
            return audio

        @staticmethod
        def merge_chunks(chunks, size, onset, offset):
            return chunks

    return GivenSpans(0.5)
