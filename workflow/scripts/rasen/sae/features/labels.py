"""Label features by tags, and test the labels on clips that were not used to choose them.

Units are clips or frames. Half of the groups of clips (by the seed; a clip without a group is its
own) give each feature its label. A feature's z for every tag is compared with the greatest of all
tags when whole groups change their tags, each starting at a random place. So what neighbouring
frames, and clips of one song, have in common is as it was, and no chance finding. Features are
called at a false discovery rate of `q`. Of the tags that are beyond chance, the label is the one
with the greatest lift, (average precision - share) / (1 - share), if that reaches `lift`; otherwise
the feature is "unlabelled".

On the other half the labels are judged: how well does the activation detect the tag, among all
units and among hard negatives (units without the tag that are nearest to those with it)?
`confirmed` are labels with an area under the curve of at least `confirm` among the hard ones.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csc_array, csr_array, vstack
from scipy.stats import rankdata

from rasen.errors import RasenError
from rasen.sae.features.nulls import pooled_p, shuffle_clips, standardised
from rasen.sae.features.ranks import Ranks
from rasen.sae.features.sheet import kappa
from rasen.sae.features.tags import Tags
from rasen.sae.features.tally import Tally, strongest_per_clip
from rasen.seeds import generator
from rasen.stats import corrected

UNLABELLED = "unlabelled"
LEAST_GROUPS = 4
HARD, POOL = 200, 4000  # units with the tag that are judged, units without it to choose from
MOST = 100_000_000  # activations of units; beyond it whole groups are left out, by the seed
BLOCK = 4_000_000  # activations of features that are ranked at a time, about 100 bytes each
SPACES = ("tags", "codes", "random")  # in which hard negatives are the nearest


@dataclass(frozen=True, eq=False)
class Units:
    """Activations of units (clips or frames), those of one group next to each other."""

    activations: csc_array  # [units, features]
    clip: np.ndarray  # [units], number of the clip of each
    frame: np.ndarray  # [units], the frame of each; 0 for whole clips
    group: np.ndarray  # [units]


@dataclass(frozen=True, eq=False)
class LabelData:
    """Activations and tags of the same units (clips or frames)."""

    activations: csc_array  # [units, features]
    group: np.ndarray  # [units], those of one group next to each other
    tags: Tags

    def __post_init__(self) -> None:
        units = self.activations.shape[0]
        if not units == len(self.group) == self.tags.has.shape[0]:
            raise RasenError(
                f"tags: {self.tags.has.shape[0]} rows for {units} of activations; "
                "give one per unit (of by_clip or by_frame)"
            )

    def select(self, units: np.ndarray) -> "LabelData":
        """The same of some units (mask)."""
        return LabelData(self.activations[units], self.group[units], self.tags.select(units))


def by_clip(tally: Tally, seed: int = 0, most: int = MOST) -> Units:
    """Greatest activation in each clip.

    most: activations in memory at 8 bytes; beyond it whole groups are left out, by the seed
    """
    numbers = tally.clips.number
    sizes = [np.diff(_peaks(tally, span).indptr) for span in tally.spans()]
    kept = _whole_groups(tally.clips.group, np.concatenate(sizes), seed, most)
    blocks = [_peaks(tally, span)[kept[slice(*span)]] for span in tally.spans()]
    return _grouped(blocks, numbers[kept], np.zeros(kept.sum(), int), tally.clips.group[kept])


def _peaks(tally, span):
    """Greatest activation in each of some clips [clips, features], as csr."""
    peaks = strongest_per_clip(tally.part(*span))
    clip = np.searchsorted(tally.clips.number, peaks["clip"]) - span[0]
    shape = (span[1] - span[0], tally.features)
    return csr_array((peaks["value"].to_numpy(np.float32), (clip, peaks["feature"])), shape)


def by_frame(
    tally: Tally, seed: int = 0, most: int = MOST, among: np.ndarray | None = None
) -> Units:
    """Activations of every tallied row.

    most: activations in memory at 8 bytes; beyond it whole groups are left out, by the seed
    among: numbers of the clips that count, or all
    """
    clips = tally.clips
    wanted = np.ones(len(clips), bool) if among is None else np.isin(clips.number, among)
    kept = wanted & _whole_groups(clips.group, wanted * np.diff(tally.entry), seed, most)
    blocks, frames, numbers = [], [], []
    for part in tally.parts():
        rows = kept[np.searchsorted(clips.number, part.clip)]
        blocks.append(csr_array(part.values)[rows])
        frames.append(part.frame[rows])
        numbers.append(part.clip[rows])
    group = np.repeat(clips.group[kept], clips.rows[kept])
    return _grouped(blocks, np.concatenate(numbers), np.concatenate(frames), group)


def _whole_groups(group, sizes, seed, most):
    """Which clips [clips] are kept: groups in seeded order, while their sizes sum up to `most`."""
    names, which = np.unique(group, return_inverse=True)
    order = generator(seed, "labels", "groups").permutation(len(names))
    total = np.cumsum(np.bincount(which, sizes, minlength=len(names))[order])
    kept = np.zeros(len(names), bool)
    kept[order[total <= most]] = True
    return kept[which]


def _grouped(blocks, clip, frame, group):
    """Units in the order of their groups, from blocks of rows (csr)."""
    rows, order = vstack(blocks, format="csr"), np.argsort(group, kind="stable")
    if (np.diff(group) < 0).any():
        rows = rows[order]
    return Units(csc_array(rows), clip[order], frame[order], group[order])


def label_features(
    activations: csc_array,
    group: np.ndarray,
    tags: Tags,
    seed: int,
    confirm: float = 0.7,
    negatives: str = "tags",
    draws: int = 100,
    q: float = 0.05,
    lift: float = 0.2,
    least: int = 5,
) -> pd.DataFrame:
    """Label features on half of the groups and judge the labels on the other half.

    activations: [units, features], group [units] (by_clip or by_frame);  tags: of the same units
    negatives: hard ones are nearest in the other "tags", in activations ("codes"), or "random"
    draws, q, lift, least: see choose_labels
    Returns the columns of `choose_labels` and `judge_labels`, and purity, one row per feature.
    """
    data = LabelData(activations, group, tags)
    first = first_half(group, seed)
    choosing, judging = data.select(first), data.select(~first)
    table = choose_labels(choosing, seed, draws, q, lift, least)
    judged = judge_labels(table, choosing, judging, seed, negatives)
    judged["confirmed"] = judged["auroc_hard"] >= confirm
    table = table.merge(judged, on="feature", how="left")
    table["confirmed"] = table["confirmed"].eq(True)
    return table.assign(purity=purity(table, activations, tags))


def first_half(group: np.ndarray, seed: int) -> np.ndarray:
    """Which units [units] belong to the half of the groups on which labels are chosen."""
    groups, which = np.unique(group, return_inverse=True)
    if len(groups) < LEAST_GROUPS:
        raise RasenError(
            f"labels: {len(groups)} clips; at least {LEAST_GROUPS} are needed to name and to judge"
        )
    first = np.zeros(len(groups), bool)
    order = generator(seed, "labels", "halves").permutation(len(groups))
    first[order[: -(-len(groups) // 2)]] = True
    return first[which]


def choose_labels(
    data: LabelData,
    seed: int,
    draws: int = 100,
    q: float = 0.05,
    lift: float = 0.2,
    least: int = 5,
) -> pd.DataFrame:
    """The label of every feature, without judging it.

    draws: of the null;  q: false discovery rate;  lift: below it a feature stays unlabelled
    least: features that fire in fewer units are not tested
    Returns a table feature, label, column, then of the best tag lift, ap, auroc, information, z,
    of the feature p (of any tag), p_corrected, and units (where it fires).
    """
    has = data.tags.has
    fires = np.diff(data.activations.indptr)
    table = pd.DataFrame({"feature": np.arange(len(fires)), "label": UNLABELLED, "column": ""})
    for column in ("lift", "ap", "auroc", "information", "z", "p", "p_corrected"):
        table[column] = np.nan
    table["units"] = fires
    alive = np.flatnonzero(fires >= least)
    if not len(alive):
        return table
    z, null, scores = _ranked(data, alive, seed, draws)
    _, null_scores, mean, deviation = standardised(z.max(1), null)
    p = pooled_p((z - mean[:, None]) / deviation[:, None], null_scores, fires[alive])
    lowest = p.min(1)
    called = corrected(lowest) <= q
    beyond_chance = p <= (lowest[called].max() if called.any() else -1)
    share = np.asarray(has.mean(axis=0)).ravel()
    lifts = (scores["ap"] - share) / (1 - share)
    best = np.where(
        beyond_chance.any(1), np.where(beyond_chance, lifts, -np.inf).argmax(1), lifts.argmax(1)
    )
    best_entry = (np.arange(len(alive)), best)
    columns = {"lift": lifts, "z": z}
    columns |= {name: scores[name] for name in ("ap", "auroc", "information")}
    for column, values in columns.items():
        table.loc[alive, column] = values[best_entry]
    table.loc[alive, "p"], table.loc[alive, "p_corrected"] = lowest, corrected(lowest)
    labelled = called & (lifts[best_entry] >= lift)
    for column, source in (("label", "tag"), ("column", "column")):
        values = data.tags.table[source].to_numpy()
        table.loc[alive[labelled], column] = values[best[labelled]]
    return table


def _ranked(data, features, seed, draws):
    """(z, greatest z of every draw [draws, features], {score: values}) of some features and all
    tags, [features, tags], a block of features at a time; every block sees the same draws."""
    z, null, scores = [], [], []
    for block in _blocks(data.activations, features):
        ranks = Ranks(data.activations[:, block])
        z.append(ranks.z(data.tags.has))
        rng = generator(seed, "labels", "null")
        places = (shuffle_clips(data.group, rng) for _ in range(draws))
        null.append(np.array([ranks.z(data.tags.has[place]).max(1) for place in places]))
        scores.append(ranks.scores(data.tags.has))
    joined = {name: np.concatenate([score[name] for score in scores]) for name in scores[0]}
    return np.concatenate(z), np.concatenate(null, axis=1), joined


def _blocks(activations, features):
    """The features in blocks with about BLOCK activations."""
    ends = np.cumsum(np.diff(activations.indptr)[features].astype(np.int64))
    return np.split(features, np.flatnonzero(np.diff(ends // BLOCK)) + 1) if len(features) else []


def judge_labels(
    table: pd.DataFrame,
    choosing: LabelData,
    judging: LabelData,
    seed: int,
    negatives: str = "tags",
) -> pd.DataFrame:
    """How well features detect the tags they are labelled by, on units not used to choose them.

    table: feature, label;  choosing, judging: the two halves
    Labels that are no tag (of a language model) are left out.
    Returns a table feature, positives, auroc_held_out, balanced_accuracy, auroc_hard,
    balanced_accuracy_hard. "Fires" means above the best threshold on the choosing half.
    """
    activations, has = csc_array(judging.activations), csc_array(judging.tags.has)
    number = {tag: place for place, tag in enumerate(judging.tags.table["tag"])}
    labelled = table[table["label"].isin(number)]
    feature = labelled["feature"].to_numpy(int)
    tag = labelled["label"].map(number).to_numpy(int)
    auroc = np.full(len(tag), np.nan)
    for places in _blocks(activations[:, feature], np.arange(len(tag))):
        scores = Ranks(activations[:, feature[places]]).scores(has)
        auroc[places] = scores["auroc"][np.arange(len(places)), tag[places]]
    rows = {}
    for tag_number in np.unique(tag):
        places = np.flatnonzero(tag == tag_number)  # the features with this label
        rng = generator(seed, "hard", tag_number)
        hard, hard_truth = _hard_units(tag_number, activations, judging.tags, negatives, rng)
        hard_values = activations[hard][:, feature[places]].toarray()
        truth = _has_tag(has, tag_number)
        truth_choosing = _has_tag(choosing.tags.has, tag_number)
        for column, place in enumerate(places):
            of_choosing = csc_array(choosing.activations)[:, [feature[place]]]
            limit = _best_threshold(of_choosing, truth_choosing)
            values = activations[:, [feature[place]]]
            fires = np.zeros(len(truth), bool)
            fires[values.indices[values.data > limit]] = True
            rows[int(place)] = (
                int(truth.sum()),
                auroc[place],
                _balanced_accuracy(fires, truth),
                _auroc(hard_values[:, column], hard_truth),
                _balanced_accuracy(hard_values[:, column] > limit, hard_truth),
            )
    columns = ["positives", "auroc_held_out", "balanced_accuracy"]
    columns += ["auroc_hard", "balanced_accuracy_hard"]
    judged = pd.DataFrame([rows[place] for place in range(len(tag))], columns=columns)
    judged.insert(0, "feature", feature)
    return judged


def _has_tag(has, tag):
    """Which units have a tag [units], as bool."""
    return np.asarray(has[:, [tag]].toarray()).ravel() > 0


def _hard_units(tag, activations, tags, negatives, rng):
    """Units to judge a tag on, some with it and for each the nearest without it: (units, truth)."""
    has = _has_tag(tags.has, tag)
    positives = rng.permutation(np.flatnonzero(has))[:HARD]
    others = rng.permutation(np.flatnonzero(~has))[:POOL]
    if not len(positives) or not len(others):
        return np.zeros(0, int), np.zeros(0, bool)
    if negatives == "tags":
        column = tags.table["column"]
        space = tags.has[:, np.flatnonzero(column != column[tag])]
    elif negatives == "codes":
        space = activations
    elif negatives == "random":
        space = csc_array((activations.shape[0], 1))
    else:
        raise RasenError(f"negatives: {negatives!r} is not one of {', '.join(SPACES)}")
    space = space.tocsr()
    norm = np.maximum(np.sqrt(np.asarray(space.multiply(space).sum(axis=1)).ravel()), 1e-12)
    cosine = (space[positives] @ space[others].T).toarray()
    cosine = cosine / norm[positives, None] / norm[others]
    nearest = others[(cosine + 1e-6 * rng.random(cosine.shape)).argmax(1)]  # equals: any of them
    truth = np.arange(2 * len(positives)) < len(positives)
    return np.concatenate([positives, nearest]), truth


def _best_threshold(values, truth):
    """Limit of one feature [units, 1] above which "fires" is most accurate (balanced)."""
    order = np.argsort(-values.data)
    descending, hits = values.data[order], truth[values.indices[order]]
    if not len(descending):
        return 0.0
    accuracy = np.cumsum(hits) / max(1, truth.sum()) - np.cumsum(~hits) / max(1, (~truth).sum())
    accuracy[:-1][descending[:-1] == descending[1:]] = -np.inf  # no limit lies between equals
    best = int(accuracy.argmax())
    below = descending[best + 1] if best + 1 < len(descending) else 0.0
    return (float(descending[best]) + float(below)) / 2


def _balanced_accuracy(fires, truth):
    """Mean of the shares that are right among units with and without the tag."""
    if not truth.any() or truth.all():
        return np.nan
    return (fires[truth].mean() + (~fires[~truth]).mean()) / 2


def _auroc(values, truth):
    if not truth.any() or truth.all():
        return np.nan
    p, n = truth.sum(), (~truth).sum()
    return (rankdata(values)[truth].sum() - p * (p + 1) / 2) / (p * n)


def purity(table: pd.DataFrame, activations: csc_array, tags: Tags) -> np.ndarray:
    """1 - entropy of the column a feature is labelled by, over its activation: 1 where it is all
    on one value, 0 where it is spread evenly [features]; NaN for features without a label."""
    activations = csc_array(activations)
    mass = np.zeros((activations.shape[1], tags.has.shape[1]))
    for block in _blocks(activations, np.arange(activations.shape[1])):
        mass[block] = (activations[:, block].astype(float).T @ tags.has).toarray()
    result = np.full(len(table), np.nan)
    for column, rows in table[table["column"] != ""].groupby("column"):
        of_column = np.flatnonzero(tags.table["column"] == column)
        shares = mass[rows["feature"]][:, of_column]
        shares = shares / np.maximum(shares.sum(1, keepdims=True), 1e-12)
        logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
        most = np.log(len(of_column)) if len(of_column) > 1 else 1.0
        result[rows.index] = 1 + (shares * logs).sum(1) / most
    return result


def coverage(table: pd.DataFrame) -> dict[str, float]:
    """How many features have a label.

    Returns a dict: features (tested), labelled, confirmed (shares of these), purity, auroc_hard
    (means over the labelled).
    """
    tested = table[table["p"].notna()]
    labelled = tested[tested["label"] != UNLABELLED]
    confirmed = labelled[labelled["confirmed"]]
    return {
        "features": len(tested),
        "labelled": len(labelled) / len(tested) if len(tested) else np.nan,
        "confirmed": len(confirmed) / len(tested) if len(tested) else np.nan,
        "purity": labelled["purity"].mean(),
        "auroc_hard": labelled["auroc_hard"].mean(),
    }


def stability(first: pd.DataFrame, second: pd.DataFrame, matches: pd.DataFrame) -> dict[str, float]:
    """Do matched features of two SAEs (other seed, other point) have the same label?

    first, second: tables feature, label;  matches: of rasen.sae.features.match
    Returns a dict: matched, named (in both), agreement and kappa among those named in either.
    """
    pairs = matches[matches["fate"] == "matched"]
    labels_before, labels_after = (
        pairs[column].map(table.set_index("feature")["label"]).to_numpy(str)
        for column, table in (("before", first), ("after", second))
    )
    either = (labels_before != UNLABELLED) | (labels_after != UNLABELLED)
    both = (labels_before != UNLABELLED) & (labels_after != UNLABELLED)
    same = labels_before[either] == labels_after[either]
    return {
        "matched": len(pairs),
        "named": int(both.sum()),
        "agreement": float(same.mean()) if len(same) else np.nan,
        "kappa": kappa(labels_before[either], labels_after[either]),
    }
