"""All-In-One (Kim and Nam 2023), by the inference package all-in-one-infer, on our own stems.

Only its networks and decoders are imported: its separator, downloads and plots, and what these
need, stay out of the environment (`envs/allin1.in`). Checkpoints are a local folder.
"""

from pathlib import Path

import numpy as np

from rasen.errors import RasenError
from rasen.io.audio import resample
from rasen.networks.torchaudio_guard import bare_package
from rasen.songs.structure.labels import flag

RATE = 44_100  # that its spectrograms are of
STEMS = ("bass", "drums", "other", "vocals")


def open_model(folder, device="cpu"):
    """The ensemble of all checkpoints `harmonix-fold*.pth` in `folder`; one is enough."""
    paths = sorted(Path(folder).glob("harmonix-fold*.pth"))
    if not paths:
        raise RasenError(f"{folder}: no harmonix-fold*.pth; copy All-In-One's checkpoints there")
    checkpoints = [_read(path) for path in paths]
    from omegaconf import OmegaConf

    allinone, ensemble = _import()
    models = []
    for config, tensors in checkpoints:
        model = allinone.AllInOne(OmegaConf.create(config)).to(device).eval()
        model.load_state_dict(tensors)
        models.append(model)
    return models[0] if len(models) == 1 else ensemble.Ensemble(models).eval()


def _read(path):
    """The config and the tensors of a checkpoint, without running any code that it may carry.

    `rasen.weights.lazy_tensors` reads such files too, but needs what this environment has not.
    """
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        return found["config"], found["state_dict"]
    except Exception as error:  # torch raises many types here, all of them mean one thing
        reason = str(error).partition("\n")[0]
        cure = "copy All-In-One's checkpoint again"
        raise RasenError(f"{path}: damaged or not plain weights ({reason}); {cure}") from None


def _import():
    """Its networks, without the imports that its packages would do for downloads."""
    from importlib import import_module

    for name in ("allin1_infer", "allin1_infer.models"):
        bare_package(name)
    return [import_module(f"allin1_infer.models.{name}") for name in ("allinone", "ensemble")]


def segments(model, stems, rate):
    """[(start, end, flag, confidence)] and {"bpm", "beats", "downbeats"} of one song.

    stems: {name: float [channels, time]}. The confidence is the share that the networks give to
    the section's label, averaged over its frames.
    """
    import torch
    from allin1_infer import postprocessing
    from allin1_infer.config import HARMONIX_LABELS

    with torch.no_grad():
        logits = model(torch.from_numpy(spectrogram(stems, rate))[None].to(_device(model)))
    shares = torch.softmax(logits.logits_function[0], dim=0).cpu().numpy()  # [label, frame]
    rows = []
    for found in postprocessing.postprocess_functional_structure(logits, model.cfg):
        first, last = (round(time * model.cfg.fps) for time in (found.start, found.end))
        sure = shares[HARMONIX_LABELS.index(found.label), first : max(last, first + 1)].mean()
        rows.append((float(found.start), float(found.end), flag(found.label), float(sure)))
    beats = postprocessing.postprocess_metrical_structure(logits, model.cfg)
    bpm = postprocessing.estimate_tempo_from_beats(beats["beats"])
    return rows, {"bpm": bpm, "beats": beats["beats"], "downbeats": beats["downbeats"]}


def _device(model):
    """Where a network is; an ensemble keeps its networks in a plain list."""
    return next(getattr(model, "models", [model])[0].parameters()).device


def spectrogram(stems, rate):
    """What the networks read: float32 [4, frame, band] of 100 frames a second.

    ASSUME: where there are but two stems, the accompaniment is `other`, and bass and drums are
    silent. The networks were trained on all four, so beats suffer most; hand over Demucs' four
    where they are kept.
    """
    from allin1_infer import spectrogram as theirs

    four = {**stems, "other": stems["accompaniment"]} if "accompaniment" in stems else stems
    silent = np.zeros_like(four["vocals"])
    # They read mono from 16-bit files.
    mono = {name: _sixteen_bits(resample(four.get(name, silent), rate, RATE)) for name in STEMS}
    return theirs.compute_spectrogram_from_stem_arrays(mono, RATE)


def _sixteen_bits(sound):
    """Float [channels, time] as mono int16 [time], by the roundings that their files go through."""
    sound = sound / max(1.0, 1.01 * np.abs(sound).max())
    channels = np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16)
    return channels.mean(axis=0).astype(np.int16)
