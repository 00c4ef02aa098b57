"""Where files lie in results/, and what is in them; tables/ is described column by column."""
# ruff: noqa: E501 (tables of Markdown have long lines)

HEAD = """\
# Results of Rasen

Every row and file belongs to a **model**, a **point** (one set of weights: `untrained`, `trained`,
`linear-0.900`, `gradient-0.250`, `step-000500`; variants of a route say what differs: `linear+zeros-0.900`,
`gradient+eta0.1000+steps010-0.250`) and, where clips are involved, a **stimulus set**.
Equations are those of Sato et al. 2026. Which files there are depends on what was asked for.

```python
import h5py, pandas as pd

ppl = pd.read_parquet("tables/perplexity.parquet").query("group == 'mean'")
with h5py.File("activations/nano/trained/notes.h5") as file:
    pitch = file["clips/pitch"][:]  # [clips]
    layer = file["layers/06"][:]  # [clips, dim]
```

## Files

| path | what |
|---|---|
| `tables/*.parquet` | one tidy table per analysis; each is described below, column by column |
| `tables/songs.md`, `scores.md` | the card of the training set; the scores beside those of SongBloom's paper |
| `songbloom/{run}/songs/step-{step}/` | the songs: `{song}--seed-{seed}.flac` (48 kHz stereo), `sheet.tsv`, which `scores.sheets` takes as it is (each seed a system), `songs.h5`: their `sketch` and `latents`, one song after the other, `frames` of each in `songs/` |
| `listening/` | `sheet.tsv` for listeners (`clip, audio, rating, rater`) and the clips under names that tell nothing, shuffled; copy it, fill in ratings from 1 to 5, and name the copies in `scores.listening` |
| `figures/` | figures (SVG) |
| `explorer/index.html` | the explorer: the results to look at and listen to, in a browser, from the disk (`snakemake explorer`) |
| `media/copies.parquet` | only with `explorer: {media: copy}`: which recordings were copied for the explorer |
| `report/report.html`, `share.zip`, `config.yaml` | made by `snakemake share`: the report on one page, the archive, the config as used |
| `stimuli/{stimuli}.parquet` | one row per clip: how it was rendered or read, and its labels |
| `notes/rendered/{stimuli}.parquet`, `notes/recorded/` | notes to be heard (made when requested), a row per `instrument`: `mp3`, in which the key of MIDI pitch `lowest` + k begins at k * `seconds` (of `keys` keys; decoded to exactly so many at `rate` Hz; a key that is missing is silent). What the workflow renders is in the archive to share, recordings (stimuli of kind `audio`) are not |
| `inputs/{model}/{stimuli}.h5` | the clips as the model reads them (tokens) |
| `inputs/{model}/{stimuli}.quarantine.parquet` | `clip, reason`: clips that could not be used and are left out of everything that follows |
| `activations/{model}/{point}/{stimuli}.h5` | `layers/NN` [rows, dim], one row per clip (per frame with `pool: all`; then `rows/clip` and `rows/frame` identify it, `rows/time` is its middle in s); `clips/` repeats the sheet; attributes: recipe of the weights, hashes of weights and stimuli, what each layer is |
| `frames/{model}/{point}/{stimuli}.h5` | the same for selected layers with every frame, for the SAEs |
| `means/{model}/{point}/{stimuli}.h5` | the same for all layers, averaged to `probes.frames` rows a second, for tasks of frames |
| `spectra/{stimuli}.h5` | log-mel and log-frequency spectra of the clips, for rows without a network |
| `probes/{model}/{point}/{stimuli}.parquet`, `.draws.h5` | what probes read, before it is gathered; the resampled values, from which points are compared pair by pair |
| `finetuned/{model}/{point}/{stimuli}.parquet` | what is read after training the layers above some (`probes.freezing`), before it is gathered |
| `similarity/`, `lens/` | per point, before they are gathered |
| `sae/{model}/{point}/layer-NN/` | one folder per SAE (SAELens' format), `metrics.parquet`, `outliers.parquet` (outlier rows), `recovery.parquet`, `tally.h5` (all activations of the tallied clips, by row: `active` latents per row, `feature`, `value`), `features.parquet`, `examples.parquet`, `top_clips.parquet` (the clips with the greatest mean activation of each kept feature; `activation`: a byte per `frames_each` frames from `first_frame` on, the greatest of them as 0 to 255 of the feature's `maximum`, of sound at `frame_rate` frames a second, of texts with their `tokens`), `answers.parquet` (labels of a language model, judged), and by `snakemake sae_clips` a folder of these clips as audio |
| `sae/{model}/questions/{point}-layer-NN.json` | questions to a language model about features (`sae.label.questions`) |
| `clap/{stimuli}.parquet` | tags of the clips by CLAP (`sae.label.clap`) |
| `sae/{model}/matches/layer-NN.parquet` | which features of consecutive points match |
| `sae/{model}/hand-labels/layer-NN.tsv` | texts: features to be labelled by hand; when it is filled in and set in `sae.hand`, a `.parquet` with Cohen's kappa is written next to it |
| `helix/{model}/{point}.parquet`, `baselines.parquet`, `loudness.parquet` | the fit of every layer (baseline) and instrument, and of their `pooled` features; the notes' loudness (dB); of every set of notes (`stimuli`) |
| `helix/{model}/{point}.notes.parquet`, `baselines.notes.parquet` | the notes (`x, y, z`) of every layer (baseline), instrument and `pooled` in the axes of their own helix, and the numbers of its curve, before `align_helix` turns them |
| `perplexity/`, `gradient/` | per-point results, before they are gathered into tables |
| `songs/{song}/` | `vocals.flac, accompaniment.flac` (they add up to the recording times `gain`; `.opus` or gone after `songs.stems`), `alignment.json`, `structure.tsv` (and `.json`, as All-In-One writes it), `phonemes.json`, `sketch.npy` [frames], `latents.npy` [frames, 64 means and 64 scales] and, with `songs.latents.mono`, `latents.mono.npy`; 25 frames per second |
| `scores/songs/{system}--{song}/` | of a song that is scored: stems, `heard.json` (what Whisper heard, and the phonemes of this and of the lyrics), `structure.tsv`, `embedding.npy` [n, d] for FAD, `prompt.npy` and `text.npy` (MuQ-MuLan) for MCC; of a decoded reference `decoded.flac` |
| `scores/{stage}/{sheet}.parquet`, `scores/listening_key.tsv` | the outcome of each song of a sheet at a stage (`real`, `vae`: references, plain and through the VAE); which song each clip of the listening sheet is |
| `shards/{batch}.h5` | the same for a batch of songs in the form that training reads (`rasen.songs.dataset`): `sketch`, `latents`, perhaps `mono`, `songs/` |
| `songbloom/{run}/weights/step-{step}/` | `config.yaml` and `model.safetensors` of the kept steps of a training run, as the public checkpoint is laid out |
| `batches/{stage}/{batch}.parquet` | the outcome of each song of a batch at a stage; of `thin_stems`: the bytes of its stems `before` and `after`; of `measure_peaks`: waveforms to be drawn of the recording (`mix`) and of the stems that are kept, the least and the greatest sample (-127 to 127) of each of `columns_s` columns a second |
| `sketch/codebook.safetensors`, `.json` | the codebook of the sketch; held-out error, dead codes, entropy |
| `weights/{model}/{checkpoint}.json`, `.tsv`; `weights/songs/{setting}.json`, `.tsv` | hashes of the checkpoints used; size, date, SHA-256 and path of every file that they rest on, to notice when one changes |
| `export/{model}/{point}/` | points saved as checkpoint folders (only when requested) |
| `benchmarks/` | time and memory of the jobs |
"""
