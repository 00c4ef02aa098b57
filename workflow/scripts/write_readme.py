"""Write results/README.md: what lies where, in which units, and how to load it."""
# ruff: noqa: E501 (tables of Markdown have long lines)

from pathlib import Path

from rasen import command
from rasen.io.atomic import write_text

TEXT = """\
# Results of Rasen

Every row and file belongs to a **model**, a **point** (one set of weights: `untrained`, `trained`,
`linear-0.900`, `gradient-0.250`, `step-000500`) and, where it has clips, a **stimulus set**.

| path | what |
|---|---|
| `tables/points.parquet` | `model, route, point, position`: the order of points along each route. `position` is alpha (linear, gradient) or the training step (step) |
| `tables/perplexity.parquet` | per point and `group` (each codebook, and their `mean`): `loss` (nats), `perplexity`, its 95 % bootstrap interval over clips (`low`, `high`), `clips`, `targets` |
| `tables/gradient.parquet` | per gradient point and step: `eta`, `loss_before`, `loss_after` (nats, on D), `change` = norm of the step / norm of the weights |
| `tables/helix.parquet` | per point and layer: the pitch helix of the notes; columns below |
| `tables/sae.parquet` | per point, layer and sparse autoencoder: its settings, how well it reconstructs, dead features, what the model loses with it; columns below |
| `tables/features.parquet` | per point, layer and feature of the main SAE: how often it fires and what it means |
| `tables/feature_flow.parquet` | per layer and pair of neighbouring points: features `before`, `after`, `matched`, `births`, `deaths`, medians of `overlap` and `drift` |
| `tables/songs.parquet` | the training set, one row a song: where it lies (`shard, offset, frames`), `split`, how it was found (`match_ratio, score`) and how it sounds |
| `tables/quarantine.parquet` | every song that fell out: `stage, reason, detail`, what the reason means, and the cure |
| `tables/lines.parquet`, `words.parquet` | the lyrics of the training set with times (s) and scores; `kept` lines, and why others were dropped; `source` says whether a word stood in the lyrics or was `recovered` |
| `tables/recordings.parquet` | every recording: length, rate, peak, shares of silence and of clipped samples |
| `figures/` | pictures (SVG) |
| `report/report.html`, `share.zip`, `config.yaml` | made by `snakemake share`: one page, one archive, the config as used |
| `stimuli/{stimuli}.parquet` | one row a clip: how it was rendered or read, and its labels |
| `inputs/{model}/{stimuli}.h5` | the clips as the model reads them (tokens) |
| `activations/{model}/{point}/{stimuli}.h5` | `layers/NN` [rows, dim], one row a clip (a frame with `pool: all`; then `rows/clip` and `rows/frame` say which); `clips/` repeats the sheet; attributes: recipe of the weights, hashes of weights and stimuli, what each layer is |
| `frames/{model}/{point}/{stimuli}.h5` | the same of some layers with every frame, for the SAEs |
| `sae/{model}/{point}/layer-NN/` | a folder an SAE (SAELens' format), `metrics.parquet`, `outliers.parquet` (huge rows), `recovery.parquet`, `tally.h5` (all activations, by feature), `features.parquet`, `examples.parquet` |
| `sae/{model}/matches/layer-NN.parquet` | which feature of one point is which of the next |
| `sae/{model}/hand-labels/layer-NN.tsv` | texts: features to be labelled by hand; filled in and named in `sae.hand`, beside it a `.parquet` with Cohen's kappa |
| `helix/{model}/{point}.parquet`, `baselines.parquet` | the fit of every layer (baseline) and instrument, and of their `pooled` features |
| `helix/{model}/{point}.curves.parquet` | the pooled notes and their fitted curve in the helix's own axes (`z` upward), four rows a key |
| `perplexity/`, `gradient/` | per point, before they are gathered into tables |
| `songs/{song}/` | `vocals.flac, accompaniment.flac` (they add up to the recording times `gain`), `alignment.json`, `structure.tsv` (and `.json`, as All-In-One writes it), `phonemes.json`, `sketch.npy` [frames], `latents.npy` [frames, 64 means and 64 scales], 25 frames a second |
| `shards/{batch}.h5` | the same of a batch of songs as training reads it (`rasen.songs.dataset`): `sketch`, `latents`, `songs/` |
| `batches/{stage}/{batch}.parquet` | what each song of a batch came to at a stage |
| `sketch/codebook.safetensors`, `.json` | the codes of the sketch; held-out error, dead codes, entropy |
| `weights/{model}/{checkpoint}.json` | hashes of the checkpoints that everything rests on |
| `export/{model}/{point}/` | points saved as checkpoint folders (only when asked for) |
| `benchmarks/` | time and memory of the jobs |

## Columns of `tables/helix.parquet`

**`verdict`** is the reading: `octave` (notes twelve keys apart are alike, more than at any other
distance and more than on smooth paths), `smooth path` (the order of the keys matters, nothing
repeats at twelve), `no structure` (a shuffled keyboard fits as well), `no fit`. A high Helicality
alone says `smooth path` at most. Rows with route `baseline` (layer -1) are features that no network made.

| column | what |
|---|---|
| `helicality, low, high` | keys / summed squared distance of the best helix [eq. 2], mean over `instruments`, its 95 % bootstrap interval over them |
| `helicality_12` | the same with the period fixed at 12 keys |
| `r2, period` | share of the variance on the curve (mean), keys a turn (median) |
| `octave_share` | share of the instruments that alone pass the test of folding |
| `pooled, pooled_low, pooled_high, pooled_period, pooled_r2, pooled_chroma` | one fit to the features' mean over instruments, with interval; all columns below are about it |
| `permutation_p` | against shuffled keyboards |
| `smooth_95, smooth_p` | 95 % quantile of, and p against, paths as smooth as the notes that have no octave |
| `folding, folding_rival, folding_p` | variance that repeats every 12 keys after a cubic trend; the most at another period; p against keys in no order |
| `margin_p` | p of `folding - folding_rival` against the smooth paths |
| `contrast` | R2 of the helix at 12 keys less the best at another period |
| `held_out_octave` | share of pitch classes known in an octave that was not seen (chance 1/12), from at least two octaves |
| `pooled_trials` | what the published search finds for the pooled notes (with `helix.method: trials`) |
| `*_q` | the p-value corrected over the point's layers (Benjamini-Hochberg) |
| `random_mean, random_95`, `random_12_*` | one fit to features in no order, with free period and at 12 keys |

The fits of single instruments also have `chirality, radius, radius_slope` (growth per key; chirality is
arbitrary, as the signs of components are), `explained_1..3` (variance of the components) and `flags` in words.

## Columns of `tables/sae.parquet` and `tables/features.parquet`

| column | what |
|---|---|
| `best` | the learning rate with the least loss on validation clips, among SAEs alike in all else; all numbers below are of test clips |
| `fvu, fvu_normal, token_error` | unexplained share of the variance, over all rows and without huge ones; mean of error / square norm, every row alike. Read the first beside the other two |
| `l0, dead, dense, dead_in_training` | latents that fire in a row; shares that never fire, or in over a tenth of the rows |
| `norm_median, norm_max, outliers` | norms of the rows, share that is longer than `sae.outlier` medians |
| `loss, loss_model, loss_mean, loss_recovered` | nats a target on held-out data with the layer's reconstruction, itself, its mean in its place; share of the gap recovered (NaN where the model does not need the layer) |
| `rows, rate, clips, clip_rate, maximum, mean` | where and how strongly a feature fires; `strong_clips` have more than 0.7 of the maximum |
| `label, lift, ap, auroc, p_corrected` | best label of the clips by average precision, against labels that change places, false discoveries 5 % |
| `auroc_held_out, auroc_hard, confirmed, purity` | the label on clips that had no say, and among the nearest clips without it; at least .7 there; 1: one value of the column alone |
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
