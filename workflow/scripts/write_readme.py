"""Write results/README.md: files, columns, units, and how to load them."""
# ruff: noqa: E501 (tables of Markdown have long lines)

from pathlib import Path

from rasen import command
from rasen.io.atomic import write_text

TEXT = """\
# Results of Rasen

Every row and file belongs to a **model**, a **point** (one set of weights: `untrained`, `trained`,
`linear-0.900`, `gradient-0.250`, `step-000500`; variants of a route say what differs: `linear+zeros-0.900`,
`gradient+eta0.1000+steps010-0.250`) and, where clips are involved, a **stimulus set**.
Equations are those of Sato et al. 2026.

| path | what |
|---|---|
| `tables/points.parquet` | `model, route, point, position`: the order of points along each route. `position` is alpha (linear, gradient) or the training step (step) |
| `tables/perplexity.parquet` | per point and `group` (each codebook, and their `mean`): `loss` (nats), `perplexity`, its 95 % bootstrap interval over clips (`low`, `high`), `clips`, `targets` |
| `tables/guessers.parquet` | the same loss of guessers that know no context, per model, set of clips and `group`. `uniform`: all tokens are equally likely. `unigram`: token w has the probability (count(w) + k / cardinality) / (n + k) by its count among the n tokens, k of them different, of the **other** clips (Witten-Bell smoothing, leave one clip out): frequencies of the very tokens that are guessed would give their entropy, which no guesser reaches. What a model learns beyond `unigram` is context |
| `tables/gradient.parquet` | per gradient route, point and step: the stimulus set `data` (D), `eta`, number of `steps`, `loss_before`, `loss_after` (nats, on D), `change` = norm of the step / norm of the weights |
| `tables/helix.parquet`, `helix_differences.parquet` | per point, set of notes (`stimuli`) and layer: the pitch helix, and paired comparisons; columns below |
| `tables/helix_slopes.parquet`, `helix_peaks.parquet` | per point and set of notes (`stimuli`) how Helicality rises with depth (`slope` from the first to the last layer, Student's interval over instruments, `p`, `q` corrected over the route); per route, set and layer the position at which its mean is highest (`peak`, 95 % over instruments; `before_end`: share of resamples in which that is before the route's last position) |
| `tables/helix_notes.parquet`, `helix_curves.parquet` | every note of every fit in three dimensions, and the curves through them, turned and mirrored so that a route can be walked; columns below |
| `tables/probes.parquet` | per point, layer, task, split and metric: what a probe reads; columns below |
| `tables/similarity.parquet` | per pair of layers (`model, point, layer` and `model_2, point_2, layer_2`): `measure` (`cka`: debiased linear CKA; `pwcca`, after principal components, `components` of them), `value`, jackknife interval over groups (`low`, `high`), `null`: its value for unrelated features, `n` clips, `groups`. All layers of a point; each layer with that of the trained point; trained layers of two models |
| `tables/lens.parquet` | per point, layer and `group` (each codebook, and their `mean`): `loss` and `perplexity` on D_eval when the model's own final norm and heads read that layer, with the 95 % interval over clips; the last layer's is the model's |
| `tables/sae.parquet` | per point, layer and sparse autoencoder (SAE): its settings, reconstruction error, dead features, increase of the model's loss; columns below |
| `tables/features.parquet` | per point, layer and feature of the main SAE: how often it is active and what it means |
| `tables/feature_flow.parquet` | per layer and pair of consecutive points: features `before`, `after`, `matched`, `births`, `deaths`, medians of `overlap` and `drift`; where features have labels how many matched ones are `named` at both points, `agreement` and `kappa` of the labels. With several `sae.seeds`: `matched_low`, `matched_high` of any seed's step; `seed_share_before`, `seed_share_after`, the share that matches between two seeds at the same point, and `deaths_beyond`, `births_beyond`: more than between two seeds (a lower bound: SAEs of one seed start alike at all points; below 0: fewer) |
| `tables/feature_seeds.parquet` | per layer, point and two seeds of the main SAE: features `before`, `after`, `matched`, their `share`, `overlap`, `drift`; `named`, `agreement` and `kappa` of their labels: how stable they are over seeds |
| `tables/feature_coverage.parquet` | per point, layer and units of the labels (clips, frames): `alive` and `kept` features, those tested (`features`), shares of them `labelled` and `confirmed`, mean `purity` and `auroc_hard` of the labelled; with several seeds the least and greatest share of any (`*_low, *_high`) |
| `tables/songs.parquet` | the training set, one row per song: where it is stored (`shard, offset, frames`), `split`, alignment quality (`match_ratio, score`), whether its `lyrics` were `given` or written by Whisper (`asr`), by which `way` they were found (`lrc`, `recognised`, `turns`; `none`: an instrumental), `license`, the phonemes' `inventory` and `vocabulary` (number of ids), hashes of its `codebook`, of its `vae` and of all that the shard holds of it (`checksum`), `tempo`, `music_key`, `loudness` (estimates) and audio measures |
| `tables/songs.md` | the data set's card: hours, licences, sections, filters, weights, and what is not known |
| `tables/quarantine.parquet` | every rejected song: `stage, reason, detail`, what the reason means, and the fix |
| `tables/lines.parquet`, `words.parquet` | the lyrics of the training set with times (s) and scores; `kept` lines, and why others were dropped; `backing` vocals, lines that `overlaps` another; `surprise`: standard deviations by which a line that was found without a transcript fits the sound better than other text; `source` says whether a word was in the lyrics or was `recovered` |
| `tables/sections.parquet` | the sections of all songs, rejected ones too: `song, start, end` (s), `label`, the `backend` that found it, its `confidence` |
| `tables/recordings.parquet` | every recording: length, sample rate, peak, shares of silence and of clipped samples |
| `tables/training.parquet` | training runs of SongBloom: `run, step, split` (train, valid), `loss` = `lm` + the flow's weight times `flow` (`lm`: nats per sketch token; `flow`: mean square error of the velocity), learning rate `lr`, `norm` of the gradient before clipping, `tokens_s`: sketch tokens per second, greatest `memory` of a process (MB) |
| `tables/generated.parquet` | songs that SongBloom made, one row per `run, step, song, seed`: `seconds` and `patches` (0.64 s each) of it, `rtf`: seconds that the network took per second of song (of songs made together, their common time by the sum of their seconds; without the VAE), `ended`: whether it came to its end by itself, before `songbloom.generate.seconds` |
| `tables/generated_left_out.parquet` | `song, reason, detail`: rows of `songbloom.generate.sheet` that could not be used, a row per reason |
| `songbloom/{run}/songs/step-{step}/` | the songs: `{song}--seed-{seed}.flac` (48 kHz stereo), `sheet.tsv`, which `scores.sheets` takes as it is (each seed a system), `songs.h5`: their `sketch` and `latents`, one song after the other, `frames` of each in `songs/` |
| `tables/scores.parquet` | songs of any system, scored (`snakemake scores`): per metric one row per song and one per `system` (`song` empty); columns below |
| `tables/scores.md` | the same per system with intervals, beside the rows of SongBloom's paper |
| `tables/scores_left_out.parquet` | `system, song, metric, reason, detail`: rows of the sheets that are left out (`metric` empty), and metrics that a row or system lacks, and why |
| `listening/` | `sheet.tsv` for listeners (`clip, audio, rating, rater`) and the clips under names that tell nothing, shuffled; copy it, fill in ratings from 1 to 5, and name the copies in `scores.listening` |
| `figures/` | figures (SVG) |
| `report/report.html`, `share.zip`, `config.yaml` | made by `snakemake share`: the report on one page, the archive, the config as used |
| `stimuli/{stimuli}.parquet` | one row per clip: how it was rendered or read, and its labels |
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

## Columns of `tables/helix.parquet`

**`verdict`** summarises the tests, at a false discovery rate of 5 % over **all points and layers of the route** for one
set of notes, which is what its figures show (a point on two routes can have two verdicts): `octave` (`octave_q`: notes twelve keys
apart are similar, more than at any other distance from 2 to 18, more than 2, 3, 4 or 6 classes explain, more than on
smooth paths, and not by their loudness), `smooth path` (`order_q`: neighbouring keys are similar, but nothing repeats
at twelve), `cannot tell` (the same with fewer than 32 keys, where smooth paths and octaves look alike),
`no structure`, `no fit`. A high Helicality alone is evidence of a `smooth path` at most. Rows with route `baseline`
(layer -1) are features computed without a network.

| column | what |
|---|---|
| `instruments, keys, lowest` | number of instruments and keys, MIDI pitch of the lowest |
| `helicality, low, high` | number of keys / summed squared distance from the best helix [eq. 2], mean over `instruments`, Student's 95 % interval of it (of the logarithm of the mean) |
| `helicality_12` | the same with the period fixed at 12 keys |
| `r2, period` | share of the variance explained by the curve (mean), keys per turn (median) |
| `octave_share` | share of the instruments that individually pass the folding tests (no draws) |
| `pooled, pooled_low, pooled_high, pooled_period, pooled_r2, pooled_chroma` | one fit to the features' mean over instruments, with a bootstrap interval; the columns below also refer to it |
| `octave_p, octave_q` | the largest of `folding_p`, `divisor_p`, `margin_p` and `loudness_p`, as all must be small; corrected over the route |
| `folding, folding_rival, folding_p` | share of variance that repeats every 12 keys, after removing a cubic trend; the maximum at another period; p against keys in random order |
| `divisor_p` | p that 12 classes explain no more than 2, 3, 4 or 6 of them do |
| `margin, margin_p` | folding at 12 less that of the best other period, with the least favourable of three trends; p against smooth paths (at most `draws`; 1 where another period is better) |
| `loudness_p` | `octave_p` after the notes' loudness was regressed out |
| `order_p, order_q` | p that neighbouring keys are no more similar than in random order |
| `held_out_octave, held_out_p` | accuracy of pitch class prediction in a held-out octave (chance 1/12; at least two octaves); p against smooth paths with as many instruments |
| `fourier_12, fourier_period` | R2, beyond a trend, of one pair of sine and cosine of 12 keys fitted to the other instruments; the period with the largest |
| `transfer_r2` | R2 of one instrument's helix on the notes of another, in its own components; mean over pairs |
| `permutation_p, smooth_50, smooth_95, smooth_p` | of the pooled Helicality: p against shuffled keyboards; median and 95 % quantile of, and p against, smooth paths without an octave. Uncorrected: every draw is a fit, so there are at most `helix.null_draws` |
| `contrast` | R2 of the helix at 12 keys minus the best at another period |
| `pooled_trials` | the best Helicality that the published search finds for the pooled notes (with `helix.method: trials`) |
| `random_mean, random_95`, `random_12_*` | Helicality of one fit to features in random order, with free period and at 12 keys: mean and 95 % quantile |

`tables/helix_differences.parquet`: the mean Helicality of a point minus that of the `untrained` model, of the
`previous point` of the route, and of the notes' `log-mel` spectrum (column `against`), paired by instrument, of the same set of notes:
`difference, low, high` (Student's interval), `p`, and `q` corrected over the route.

The fits of single instruments also have `chirality, radius, radius_slope` (the signs of components are arbitrary, so
that of `chirality` is), `explained_1..3` (variance of the components) and `flags` in words.

## Columns of `tables/helix_notes.parquet` and `tables/helix_curves.parquet`

`model, route, point, position, stimuli, layer, features, instrument` name a fit: an instrument, or `pooled` (the mean of
their features). Baselines have route `baseline`, layer -1, no position, and their name as `features` and `point`.
Notes are in standardised components, three of them; `z` is the axis of the helix and points upward in pitch.

**Each fit is turned about its axis and, where that comes closer, mirrored (`y` to `-y`), and nothing else**: components
have no sign, so the place of key 0 around the axis is arbitrary in every fit, and unaligned notes would jump from point
to point. Along a route the pooled notes of a layer are matched to those of the next point by least squares, from the
trained end back; at the trained end each layer is matched to the layer above; instruments are matched to the pooled
notes of their point. So turns between points or layers, and the handedness, are no finding; radii, heights and
distances within a fit are those of the fit. Baselines stay as fitted.

| column | what |
|---|---|
| `key, pitch` | of a note: its place from the lowest, 0 on; MIDI pitch (60 = C4) |
| `x, y, z` | of a note, 32 bits; NaN where there is no fit |
| `omega, turn, radius, radius_slope, level, rise` | of a curve. At key t, with r = `radius` + `radius_slope` t: x = r cos(`omega` t + `turn`), y = r sin(`omega` t + `turn`), z = `level` + `rise` t. Radians; `omega` is negative where the helix was mirrored. `radius` is that at key 0 (in `helix/{model}/{point}.parquet` that at the middle key) |
| `lowest, keys` | MIDI pitch of key 0, number of keys |

## Columns of `tables/probes.parquet`

`model, route, point, position, layer, features, task, kind, split, row, against, metric, value, low, high, chance, n,
groups, lambda, selected`; intervals are 95 % over whole groups (songs, instruments), paired where values are subtracted.

| column | meaning |
|---|---|
| `features` | what the probe reads: `network` (the layer), `selected` (for each test fold the layer that was best on the inner folds: the honest "best layer"), `last`, `mix` (a learned weighted sum of all layers), or features without a network: `log-mel`, `log-frequency`, `codec tokens`; `frozen`: the last layer after the layers above `layer` were trained for the task |
| `kind` | `ridge` (classes and tags one against the rest), `logistic`, `mlp`; `finetune`: trained layers and a linear head |
| `split` | `grouped`: whole groups are left out, nested (strengths and layers are chosen on inner folds); `given`: an official split; `random`: rows, not groups, are left out. **It leaks** and stands there as a warning |
| `row` | `probe`: the value; `reference`: ridge on the untouched network and the test folds on which `finetune` is scored (`probes.freezing.folds` of them, so `n` is smaller), which its rows `difference` subtract; `permuted`: labels permuted between groups; `difference`: what these features gain on those in `against` (`last`, `mix`, a baseline, or `untrained`: the same layer of the untrained model); `weight`: of a layer in the mix (`low`, `high`: over folds); `without`: what the mix loses without the layer |
| `chance` | the best answer that knows no features: the most frequent class, the mean, the share of a tag |
| `n, groups` | rows (or songs, where clips of a song are averaged) and groups that are scored |
| `lambda` | median strength of the penalty over test folds; times the number of training rows it is the alpha of scikit-learn's Ridge |
| `selected` | share of test folds in which the layer was the best on inner folds |

## Columns of `tables/scores.parquet`

`system, song, metric, value, low, high, n, embedding, detail`. Shares are shares: PER 0.07 is 7 %. Intervals are 95 %,
over songs (bootstrap; FAD: jackknife over songs; MOS: over songs and, independently, raters); one song has none. `n` is the number of songs,
of FAD that of rows of the smaller set, of a song's MOS that of its ratings. Read PER beside that of `real` (the references)
and `real through the VAE`.

| metric | what |
|---|---|
| `per` | phoneme error rate: edits that make the lyrics' phonemes into those heard in the separated voice, divided by the lyrics' phonemes, both summed over songs (may pass 1). Whisper hears without the lyrics; a song without a voice has all deleted. `detail` counts the edits |
| `per_without_tones` | the same without the digits of tones and stress |
| `ser_dtw` | share of the song's seconds on a wrong section, after dynamic time warping to the sections that the lyrics name. A sung section has no length, so one that is missing costs only a step of 0.1 s: read it beside `ser_labels` |
| `ser_labels` | edits between the two sequences of labels, divided by the number that was asked for; equal neighbours are one |
| `fad` | Frechet distance of the system's rows of `embedding` from those of all references. A sample's is too large, by about a constant / n; fewer rows than dimensions are refused but with `scores.fad.few` |
| `fad_infinity` | the same extrapolated to infinitely many rows: a line in 1 / n through seeded parts of the songs |
| `mcc_audio`, `mcc_text` | cosine of the vectors of MuQ-MuLan of a song and of its reference, or its text |
| `mos` | mean rating of listeners, 1 to 5 |

## Columns of `tables/sae.parquet` and `tables/features.parquet`

| column | what |
|---|---|
| `seed` | of the first weights (`sae.seeds`); rows with different seeds show how much each number depends on it |
| `best` | the learning rate with the lowest loss on validation clips, among SAEs with otherwise equal settings; all numbers below are measured on test clips |
| `best_at_edge, diverged` | whether that rate is the smallest or largest of the grid, so that one beyond may be better; whether the training diverged (loss not finite, or 10 times that of the mean; not stored, never `best`) |
| `fvu, fvu_normal, token_error` | unexplained share of the variance, over all rows and without outlier rows; mean of squared error / squared norm, with every row weighted equally. A few huge rows can dominate `fvu`: compare it with the other two. NaN where all rows are equal |
| `l0, dead, dense, dead_in_training` | number of active latents per row; shares of latents that are never active, active in more than a tenth of the rows, and dead during training |
| `norm_median, norm_max, outliers` | norms of the rows; share of rows with a norm above `sae.outlier` medians |
| `loss, loss_model, loss_mean, loss_recovered` | nats per target on held-out data with the layer replaced by its reconstruction, unchanged, and replaced by its mean; share of the gap recovered (NaN if the model's loss without the layer is no higher) |
| `rows, rate, clips, clip_rate, maximum, mean` | how often and how strongly a feature is active; `strong_clips` is the number of clips with more than 0.7 of the maximum; `mean` over the frames where it is active, `mean_activation` over all. Of test clips, or all clips with `sae.rows: all` |
| `kept` | whether `clip_rate` is within `sae.label.rate` (1 to 25 %) |
| `label, lift, ap, auroc, p_corrected` | best label of the clips by average precision, compared with permuted labels; false discovery rate 5 % |
| `*_frame` | the same for labels of frames (`sae.label.intervals`); the null moves whole groups of clips, each from a random frame on |
| `auroc_held_out, auroc_hard, confirmed, purity` | AUROC of the label on held-out clips, and there compared only with the nearest clips without the label; whether the latter is at least .7; purity is 1 if only one value of the column activates the feature |
| `language, granularity` | texts: ja, en, mixed; token, synonym, meaning, unrelated |

```python
import h5py, pandas as pd
ppl = pd.read_parquet("tables/perplexity.parquet").query("group == 'mean'")
with h5py.File("activations/nano/trained/notes.h5") as file:
    pitch = file["clips/pitch"][:]      # [clips]
    layer = file["layers/06"][:]        # [clips, dim]
```
"""


def write_readme(readme: Path):
    """Write the page."""
    write_text(readme, TEXT)


if __name__ == "__main__":
    command.run(write_readme)
