"""What MuQ and MusicFM are trained on: to tell the codes of masked frames from those around them.

Stretches of 0.4 s are replaced by noise; the codes are those of a random projection of the
spectrogram. A clip is read in five passes, in each of which three of five stretches are masked (as
in the training), so that every frame is masked in exactly three of them.
"""

from collections.abc import Iterator, Mapping

import torch

from rasen.networks.conformer import FOLD, FRAME_RATE, HOP, MusicConformer
from rasen.seeds import generator

SECONDS = 0.4  # of a masked stretch
STRETCH = round(SECONDS * FRAME_RATE)  # frames
PASSES, MASKED = 5, 3  # a share of .6, the `mask_prob` of both packages
NOISE = 0.1  # standard deviation


def passes(samples: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(samples with noise in the masked places [clip, time], masked frames [frame]), five times.

    Places and noise follow from the length alone: a clip is masked alike in any batch, at any
    point. Samples behind the last whole frame stay.
    """
    count = samples.shape[1] // (HOP * FOLD)
    stretches = -(-count // STRETCH)
    rng = generator(0, "masks", count)
    turn = rng.permutation(stretches) % PASSES  # the pass with which a stretch's turn begins
    for number in range(PASSES):
        chosen = torch.from_numpy((turn - number) % PASSES < MASKED)
        if not chosen.any():  # a clip of fewer than five stretches
            continue
        frames = chosen.repeat_interleave(STRETCH)[:count]
        noise = torch.from_numpy(rng.standard_normal(count * HOP * FOLD, dtype="float32"))
        places = torch.nonzero(frames.repeat_interleave(HOP * FOLD))[:, 0]
        masked = samples.clone()
        masked[:, places.to(samples.device)] = (NOISE * noise[places]).to(samples)
        yield masked, frames.to(samples.device)


def codes(spectrogram: torch.Tensor, quantiser: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Codes [clip, frame] of a normalised spectrogram [clip, band, mel frame].

    quantiser: random_projection [4 bands, dim] and codebook [code, dim]: a frame's code is the
    nearest entry to its projection, both of unit length
    """
    whole = spectrogram[..., : spectrogram.shape[-1] // FOLD * FOLD]
    frames = whole.unflatten(-1, (-1, FOLD)).permute(0, 2, 3, 1).flatten(2)  # [clip, frame, 4 band]
    projected = torch.nn.functional.normalize(frames @ quantiser["random_projection"], dim=-1)
    entries = torch.nn.functional.normalize(quantiser["codebook"], dim=-1)
    return (projected @ entries.T).argmax(-1)


def masked_losses(
    network: MusicConformer, samples: torch.Tensor, quantiser: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Summed cross entropy and number of targets over the passes, each [clip]."""
    with torch.no_grad():
        wanted = codes(network.spectrogram(samples), quantiser)
    total = torch.zeros(len(samples), device=samples.device)
    for masked, frames in passes(samples):
        logits = network.predict(masked)[:, : len(frames)][:, frames].float()
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), wanted[:, frames].flatten(), reduction="none"
        )
        total = total + loss.view(len(samples), -1).sum(1)
    count = MASKED * wanted.shape[1]
    return total, torch.full((len(samples),), count, device=samples.device)


def targets(samples: torch.Tensor) -> torch.Tensor:
    """Number of targets of clips of so many samples [clip]."""
    return MASKED * (samples // (HOP * FOLD))
