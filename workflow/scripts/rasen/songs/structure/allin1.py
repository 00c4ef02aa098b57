"""All-In-One (Kim and Nam 2023), by the inference package all-in-one-infer, on our own stems.

Only its networks and decoders are imported: its separator, downloads and plots, and their
dependencies, are not in the environment (`envs/allin1.in`). Checkpoints are a local folder.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rasen.errors import RasenError
from rasen.io.audio import resample
from rasen.networks.torchaudio_guard import import_without_init
from rasen.songs.structure.labels import Section, flag_of_label

SAMPLE_RATE = 44_100  # of the stems that its spectrograms are made from
STEMS = ("bass", "drums", "other", "vocals")


def open_model(folder: Path | str, device: str = "cpu") -> Any:
    """The ensemble of all checkpoints `harmonix-fold*.pth` in `folder`; one is enough."""
    paths = sorted(Path(folder).glob("harmonix-fold*.pth"))
    if not paths:
        raise RasenError(f"{folder}: no harmonix-fold*.pth; copy All-In-One's checkpoints there")
    checkpoints = [_read_checkpoint(path) for path in paths]
    from omegaconf import OmegaConf

    allinone, ensemble = import_networks()
    models = []
    for config, tensors in checkpoints:
        model = allinone.AllInOne(OmegaConf.create(config)).to(device).eval()
        model.load_state_dict(tensors)
        models.append(model)
    return models[0] if len(models) == 1 else ensemble.Ensemble(models).eval()


def _read_checkpoint(path):
    """The config and the tensors of a checkpoint, without running any code in it.

    `rasen.weights.lazy_tensors` reads such files too, but needs packages that this environment
    lacks.
    """
    import torch

    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return checkpoint["config"], checkpoint["state_dict"]
    except Exception as error:  # torch raises many types here, all for the same reason
        reason = str(error).partition("\n")[0]
        cure = "copy All-In-One's checkpoint again"
        raise RasenError(f"{path}: damaged or not plain weights ({reason}); {cure}") from None


def import_networks() -> tuple[Any, Any]:
    """Its modules `allinone` and `ensemble`, without what its `__init__` imports for downloads."""
    from importlib import import_module

    for name in ("allin1_infer", "allin1_infer.models"):
        import_without_init(name)
    allinone, ensemble = (
        import_module(f"allin1_infer.models.{name}") for name in ("allinone", "ensemble")
    )
    return allinone, ensemble


def predict_sections(
    model: Any, stems: Mapping[str, np.ndarray], rate: int
) -> tuple[list[Section], dict[str, Any]]:
    """Sections and {"bpm", "beats", "downbeats"} of one song.

    stems: {name: float [channels, time]}. The confidence is the probability of the section's
    label, averaged over its frames.
    """
    import torch
    from allin1_infer import postprocessing
    from allin1_infer.config import HARMONIX_LABELS

    with torch.no_grad():
        logits = model(torch.from_numpy(spectrogram(stems, rate))[None].to(_device(model)))
    probabilities = torch.softmax(logits.logits_function[0], dim=0).cpu().numpy()  # [label, frame]
    sections = []
    for segment in postprocessing.postprocess_functional_structure(logits, model.cfg):
        first, last = (round(time * model.cfg.fps) for time in (segment.start, segment.end))
        label = HARMONIX_LABELS.index(segment.label)
        confidence = float(probabilities[label, first : max(last, first + 1)].mean())
        flag = flag_of_label(segment.label)
        assert flag is not None, segment.label  # all of its labels are known
        sections.append(Section(float(segment.start), float(segment.end), flag, confidence))
    beats = postprocessing.postprocess_metrical_structure(logits, model.cfg)
    bpm = postprocessing.estimate_tempo_from_beats(beats["beats"])
    return sections, {"bpm": bpm, "beats": beats["beats"], "downbeats": beats["downbeats"]}


def _device(model):
    """The device of a network; an ensemble keeps its networks in a plain list."""
    return next(getattr(model, "models", [model])[0].parameters()).device


def spectrogram(stems: Mapping[str, np.ndarray], rate: int) -> np.ndarray:
    """The networks' input: float32 [4, frame, band] with 100 frames per second.

    ASSUME: where there are only two stems, the accompaniment is `other`, and bass and drums are
    silent. The networks were trained on all four, so beats suffer most; give Demucs' four where
    there are files of them.
    """
    from allin1_infer import spectrogram as theirs

    four = {**stems, "other": stems["accompaniment"]} if "accompaniment" in stems else stems
    silent = np.zeros_like(four["vocals"])
    # They read mono from 16-bit files.
    mono = {name: _as_int16(resample(four.get(name, silent), rate, SAMPLE_RATE)) for name in STEMS}
    return theirs.compute_spectrogram_from_stem_arrays(mono, SAMPLE_RATE)


def _as_int16(sound):
    """Float [channels, time] as mono int16 [time], rounded as their files are."""
    sound = sound / max(1.0, 1.01 * np.abs(sound).max())
    channels = np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16)
    return channels.mean(axis=0).astype(np.int16)
