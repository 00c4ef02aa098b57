"""What the family songbloom reads of a network: layers of decoder and DiT, and both losses.

A batch has latents [clip, frame, 64], sketch [clip, frame], seed [clip, 1] and lengths [clip], of
windows of songs also lyrics [clip, id], prompt [clip, frame, 64] and told [clip, 2], how many of
both count. Of other clips the network is told no lyrics (the one id 0) and no prompt, and of none
an end: a clip stops, it does not end.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.nn import functional as F
from transformers.masking_utils import create_causal_mask

from rasen.families import Batch
from rasen.networks.songbloom import IGNORED, SongBloom, lm_targets
from rasen.networks.songbloom_dit import rotations
from rasen.seeds import generator

FLOW_WEIGHT = 0.1  # of the flow's loss beside the sketch's in the training loss, as in the paper
SEED = 0  # of the noise in which layers of the DiT are read


def sketch_places(positions: int, patch: int) -> torch.Tensor:
    """Where the sketch stands among so many positions from BOS on: latents follow every patch."""
    return torch.arange(1, positions).unflatten(0, (-1, patch + 1))[:, :patch].flatten()


def layer_outputs(
    network: SongBloom, batch: Batch, layers: Sequence[int], times: Sequence[float]
) -> Iterator[tuple[int, torch.Tensor]]:
    """(layer, its output [clip, frame, dim]) of each wanted layer in turn.

    Layers are those of the decoder at the sketch, then of the DiT at the noisy latents, for each of
    the times.
    """
    # ASSUME: frame t is the position that has read the sketch up to t, and the latents of the
    # patches before its own.
    told, patch = _told(network, batch), network.config.patch
    sketch = network.embed_sketch(told)
    for layer, read in enumerate(_decoder_layers(network, told, sketch)):
        places = sketch_places(read.shape[1], patch).to(read.device)
        if layer in layers:
            yield layer, read[:, places]
        if layer >= max(layers):
            return
    hidden = read[:, places[patch - 1 :: patch]]  # at the last token of every patch
    for number, time in enumerate(times):
        first = 1 + network.config.lm_layers + number * network.config.diff_layers
        wanted = [layer for layer in layers if layer >= first]
        if not wanted:
            return
        outputs = _diffusion_layers(network, told, sketch, hidden, time)
        for layer, rows in zip(range(first, wanted[-1] + 1), outputs, strict=False):
            if layer in layers:
                yield layer, rows


def sketch_loss(network: SongBloom, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """(summed cross entropy [clip], the decoder's vectors for the DiT [clip, patch, dim])."""
    told = _told(network, batch)
    sequence = network.sequence(network.embed_sketch(told), told["latents"])
    conditions, filled = network.conditions(told)
    read = network.decode(sequence, conditions, network.mask(filled, sequence.shape[1]))
    hidden, logits = network.split(read)
    wanted = lm_targets(told, network.config)
    loss = F.cross_entropy(logits.mT.float(), wanted, ignore_index=IGNORED, reduction="none")
    return loss.sum(1), hidden


def flow_loss(network: SongBloom, batch: Batch, hidden: torch.Tensor) -> torch.Tensor:
    """Sum over patches of the velocity's mean square error;  hidden: of `sketch_loss`."""
    told = {**_told(network, batch), **draws(batch, network.config.patch)}
    return network.flow_error(told, hidden, network.embed_sketch(told)).sum()


def draws(batch: Batch, patch: int) -> dict[str, torch.Tensor]:
    """time [clip, patch] and noise [clip, frame, latent] of the flow, by the clips' seeds."""
    clips, frames, channels = batch["latents"].shape
    time = np.empty((clips, frames // patch), np.float32)
    noise = np.empty((clips, frames, channels), np.float32)
    for clip, seed in enumerate(batch["seed"][:, 0].tolist()):
        # what a shorter clip draws for its padding comes after its own
        normal = generator(seed, "songbloom", "time").standard_normal(time.shape[1])
        time[clip] = 1 / (1 + np.exp(-normal))
        noise[clip] = _normal(seed, frames, channels)
    device = batch["latents"].device
    return {"time": torch.from_numpy(time).to(device), "noise": torch.from_numpy(noise).to(device)}


def _normal(seed, frames, channels):
    rng = generator(seed, "songbloom", "noise")
    return rng.standard_normal((frames, channels), dtype=np.float32)


def _told(network, batch):
    """What the network is told of a batch of clips."""
    sketch, latents = batch["sketch"], batch["latents"].to(network.bos_token.dtype)
    clips = len(sketch)
    none = sketch.new_zeros(clips, dtype=torch.long)
    told = batch.get("told", torch.stack([none + 1, none], 1))
    prompt = batch.get("prompt", latents.new_zeros(clips, 1, latents.shape[2]))
    return {
        "sketch": sketch,
        "latents": latents,
        "frames": batch["lengths"],
        "last": none.bool(),
        "ids": batch.get("lyrics", none[:, None]).long(),
        "length": told[:, 0],
        "prompt": prompt.to(latents.dtype),
        "prompt_frames": told[:, 1],
    }


def _decoder_layers(network, told, sketch):
    """What enters the decoder's blocks and what each gives, [clip, position, dim] from BOS on.

    As LlamaModel.forward, which keeps either every layer or none.
    """
    model = network.ar_transformer
    sequence = network.sequence(sketch, told["latents"])
    conditions, filled = network.conditions(told)
    rows = torch.cat([conditions.to(sequence.dtype), sequence], 1)
    first = conditions.shape[1]
    places = torch.arange(rows.shape[1], device=rows.device)[None]
    mask = create_causal_mask(
        config=model.config,
        inputs_embeds=rows,
        attention_mask=network.mask(filled, sequence.shape[1]),
        past_key_values=None,
        position_ids=places,
    )
    turned = model.rotary_emb(rows, position_ids=places)
    yield rows[:, first:]
    for number, block in enumerate(model.layers, 1):
        rows = block(rows, attention_mask=mask, position_ids=places, position_embeddings=turned)
        yield (model.norm(rows) if number == len(model.layers) else rows)[:, first:]


def _diffusion_layers(network, told, sketch, hidden, time):
    """What each block of the DiT gives [clip, frame, dim], at the places of the noisy latents.

    sketch [clip, frame, dim] embedded, hidden [clip, patch, dim] of the decoder
    """
    # ASSUME: one noise for all clips, drawn for each frame, so that clips differ by what they
    # are; every patch is told the true latents of the patch before.
    patch, latents = network.config.patch, told["latents"].float()
    clips, frames, channels = latents.shape
    noise = torch.from_numpy(_normal(SEED, frames, channels)).to(latents.device)
    noisy = _patches((1 - time) * latents + time * noise, patch)
    previous = _patches(F.pad(told["latents"], (0, 0, patch, 0))[:, :-patch], patch)
    when = torch.full((len(noisy),), time, device=noisy.device)
    sketch = _patches(sketch, patch)
    rows = network.diffusion_rows(noisy, when, hidden.flatten(0, 1), sketch, previous)
    turned = rotations(rows.shape[1], network.config, rows.device)
    for block in network.nar_dit.layers:
        rows = block(rows, *turned, rows.shape[1])
        yield rows[:, -patch:].reshape(clips, frames, -1)


def _patches(values, patch):
    """[clip, frame, dim] as [clip x patch, frame, dim]."""
    return values.unflatten(1, (-1, patch)).flatten(0, 1)
