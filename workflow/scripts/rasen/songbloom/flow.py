"""From noise to the latents of a patch: Euler's steps along the learned velocity."""

from itertools import pairwise
from typing import Protocol

import torch

from rasen.networks.songbloom import SongBloom


class FlowSettings(Protocol):
    """What a walk needs to know; see GenerateSettings."""

    @property
    def guidance(self) -> float: ...
    @property
    def steps(self) -> int: ...
    @property
    def diff_temperature(self) -> float: ...


def integrate(
    net: SongBloom,
    noise: torch.Tensor,
    hidden: torch.Tensor,
    sketch: torch.Tensor,
    previous: torch.Tensor,
    settings: FlowSettings,
) -> torch.Tensor:
    """Latents [n, P, latent] of patches, from t = 1 (noise) to t = 0.

    noise, previous [n, P, latent], hidden [n, d], sketch [n, P, d]. With a temperature below 1 the
    walk begins at zeros, in the middle of all sounds, and the noise enters when t reaches it: less
    variety, as the public model samples.
    """
    times = torch.linspace(1, 0, settings.steps + 1).tolist()
    x = noise if settings.diff_temperature >= 1 else torch.zeros_like(noise)
    guided = settings.guidance != 1
    if guided:  # without: no hidden vector, no sketch; the patch before stays
        hidden = torch.cat([hidden, torch.zeros_like(hidden)])
        sketch = torch.cat([sketch, torch.zeros_like(sketch)])
        previous = torch.cat([previous, previous])
    for now, after in pairwise(times):
        both = torch.cat([x, x]) if guided else x
        time = torch.full((len(both),), now, device=x.device)
        velocity = net.velocity(both, time, hidden, sketch, previous).float()
        if guided:
            told, untold = velocity.chunk(2)
            velocity = untold + (told - untold) * settings.guidance
        if now > settings.diff_temperature >= after:
            x = (1 - after) * (x - velocity) + after * noise
        else:
            x = x + (after - now) * velocity
    return x
