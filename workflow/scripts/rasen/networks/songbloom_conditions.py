"""What a SongBloom is told: lyrics as phonemes with structure, and ten seconds of sound.

Each is a fixed number of rows in front of the sequence, zeros where there is nothing to say.
"""

import torch
from torch.nn import functional as F

from rasen.networks.songbloom_config import SongBloomConfig


class Conditions(torch.nn.Module):
    """Both conditions, under the names of the public checkpoint."""

    def __init__(self, config: SongBloomConfig) -> None:
        super().__init__()
        self.config = config
        self.conditioners = torch.nn.ModuleDict(
            {"lyrics": Lyrics(config), "prompt_wav": Prompt(config)}
        )

    def forward(
        self,
        ids: torch.Tensor,
        length: torch.Tensor,
        prompt: torch.Tensor,
        prompt_frames: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows [b, row, d], which are filled [b, row]).

        ids [b, n], of which `length` [b] count; no lyrics are the one id 0
        prompt [b, time, latent], of which `prompt_frames` [b] count; no prompt is 0 of them
        """
        lyrics = self.conditioners["lyrics"](ids, length)
        sound = self.conditioners["prompt_wav"](prompt, prompt_frames)
        parts = (sound, lyrics) if self.config.prompt_first else (lyrics, sound)
        rows, filled = zip(*parts, strict=True)
        return torch.cat(rows, 1), torch.cat(filled, 1)


class Lyrics(torch.nn.Module):
    """Phonemes, each with the flag of its section and the number of its sentence in it."""

    def __init__(self, config: SongBloomConfig) -> None:
        super().__init__()
        self.config = config
        self.output_proj = torch.nn.Embedding(config.vocabulary, config.width, padding_idx=0)
        self.sentence_idx_in_structure_emb = torch.nn.Embedding(
            config.sentences, config.width, padding_idx=0
        )
        self.blank_emb = torch.nn.Parameter(torch.zeros(1, config.width), requires_grad=False)

    def forward(self, ids: torch.Tensor, length: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows [b, lyrics_rows, d], filled [b, lyrics_rows]) of ids [b, n]."""
        rows = self.config.lyrics_rows
        ids = F.pad(ids[:, :rows].long(), (0, max(0, rows - ids.shape[1])))
        filled = torch.arange(rows, device=ids.device) < length[:, None]
        structure, sentence, mark = self.structure(ids)
        told = self.output_proj(ids)
        if not self.config.double_marks:
            told = told.masked_fill(mark[..., None], 0)
        told = told + self.output_proj(structure) + self.sentence_idx_in_structure_emb(sentence)
        return torch.where(filled[..., None], told, self.blank_emb), filled

    def structure(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(id of the section's flag, number of the sentence, whether it is a mark) of ids [b, n].

        A mark is its own structure and in no sentence. Sentences count from 1 after each flag.
        """
        is_flag = _among(ids, self.config.flags)
        ends = ids == self.config.stop
        mark = is_flag | ends | (ids == self.config.comma)
        places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        last = torch.where(is_flag, places, -1).cummax(1).values  # of the last flag so far
        none = last < 0
        last = last.clamp_min(0)
        flag = ids.gather(1, last).masked_fill(none, 0)
        ended = ends.cumsum(1)
        before = ended.gather(1, last).masked_fill(none, 0)
        sentence = (1 + ended - before).clamp_max(self.config.sentences - 1)
        return torch.where(mark, ids, flag), sentence.masked_fill(mark, 0), mark


class Prompt(torch.nn.Module):
    """Latents of a reference, projected."""

    def __init__(self, config: SongBloomConfig) -> None:
        super().__init__()
        self.rows = config.prompt_rows
        self.output_proj = torch.nn.Linear(config.latent, config.width, bias=False)

    def forward(
        self, prompt: torch.Tensor, frames: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows [b, prompt_rows, d], filled [b, prompt_rows]) of latents [b, time, latent]."""
        prompt = F.pad(prompt[:, : self.rows], (0, 0, 0, max(0, self.rows - prompt.shape[1])))
        filled = torch.arange(self.rows, device=prompt.device) < frames[:, None]
        return self.output_proj(prompt) * filled[..., None], filled


def _among(ids, wanted):
    return torch.isin(ids, torch.tensor(wanted, dtype=ids.dtype, device=ids.device))
