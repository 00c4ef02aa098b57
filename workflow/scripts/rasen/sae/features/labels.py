"""Label features by tags, and test the labels on clips that were not used to choose them.

Half of the clips (by the seed) give each feature its label. A feature's z for every tag is compared
with the greatest of all tags when whole clips change their tags (and are rotated in time);
features are called at a false discovery rate of `q`. Of the tags that are beyond chance, the label
is the one with the greatest lift, (average precision - share) / (1 - share), if that reaches
`lift`; otherwise the feature is "unlabelled".

On the other half the labels are judged: how well does the activation detect the tag, among all
units and among hard negatives (units without the tag that are nearest to those with it)?
`confirmed` are labels with an area under the curve of at least `confirm` among the hard ones.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csc_array
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
HARD, POOL = 200, 4000  # units with the tag that are judged, units without it to choose from
SPACES = ("tags", "codes", "random")  # in which hard negatives are the nearest


@dataclass(frozen=True, eq=False)
class LabelData:
    """Activations and tags of the same units (clips or frames)."""

    activations: csc_array  # [units, features]
    clip: np.ndarray  # [units]
    tags: Tags

    def __post_init__(self) -> None:
        units = self.activations.shape[0]
        if not units == len(self.clip) == self.tags.has.shape[0]:
            raise RasenError(
                f"tags: {self.tags.has.shape[0]} rows for {units} of activations; "
                "give one per clip (by_clip) or one per counted row (by_frame)"
            )

    def select(self, units: np.ndarray) -> "LabelData":
        """The same of some units (mask)."""
        return LabelData(self.activations[units], self.clip[units], self.tags.select(units))


def by_clip(tally: Tally) -> tuple[csc_array, np.ndarray]:
    """Greatest activation in each clip [clips, features], and the number of each clip."""
    peaks = strongest_per_clip(tally)
    shape = (int(tally.clip.max()) + 1, tally.values.shape[1])
    where = (peaks["clip"], peaks["feature"])
    return csc_array((peaks["value"].to_numpy(np.float32), where), shape), np.arange(shape[0])


def by_frame(tally: Tally) -> tuple[csc_array, np.ndarray]:
    """Activations of the counted rows [rows, features], and the clip of each.

    Tags of a table with one row per row of the dump: `tags.select(tally.counted)`. Called from
    notebooks.
    """
    return csc_array(tally.values[tally.counted]), tally.clip[tally.counted]


def label_features(
    activations: csc_array,
    clip: np.ndarray,
    tags: Tags,
    seed: int,
    confirm: float = 0.7,
    negatives: str = "tags",
    draws: int = 100,
    q: float = 0.05,
    lift: float = 0.2,
    least: int = 5,
) -> pd.DataFrame:
    """Label features on half of the clips and judge the labels on the other half.

    activations: [units, features], clip [units] (by_clip or by_frame);  tags: of the same units
    negatives: hard ones are nearest in the other "tags", in activations ("codes"), or "random"
    draws, q, lift, least: see choose_labels
    Returns the columns of `choose_labels` and `judge_labels`, and purity, one row per feature.
    """
    data = LabelData(activations, clip, tags)
    first = first_half(clip, seed)
    choosing, judging = data.select(first), data.select(~first)
    table = choose_labels(choosing, seed, draws, q, lift, least)
    judged = judge_labels(table, choosing, judging, seed, negatives)
    judged["confirmed"] = judged["auroc_hard"] >= confirm
    table = table.merge(judged, on="feature", how="left")
    table["confirmed"] = table["confirmed"].eq(True)
    return table.assign(purity=purity(table, activations, tags))


def first_half(clip: np.ndarray, seed: int) -> np.ndarray:
    """Which units [units] belong to the half of the clips on which labels are chosen."""
    clips, which = np.unique(clip, return_inverse=True)
    if len(clips) < 4:
        raise RasenError(f"labels: {len(clips)} clips; at least 4 are needed to name and to judge")
    first = np.zeros(len(clips), bool)
    order = generator(seed, "labels", "halves").permutation(len(clips))
    first[order[: -(-len(clips) // 2)]] = True
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
    ranks = Ranks(data.activations)
    table = pd.DataFrame({"feature": np.arange(ranks.features), "label": UNLABELLED, "column": ""})
    for column in ("lift", "ap", "auroc", "information", "z", "p", "p_corrected"):
        table[column] = np.nan
    table["units"] = ranks.fires
    alive = np.flatnonzero(ranks.fires >= least)
    if not len(alive):
        return table
    ranks = Ranks(csc_array(data.activations)[:, alive])
    z = ranks.z(has)
    p = _p_of_greatest(ranks, z, data.clip, has, seed, draws)
    lowest = p.min(1)
    called = corrected(lowest) <= q
    beyond_chance = p <= (lowest[called].max() if called.any() else -1)
    scores = ranks.scores(has)
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


def _p_of_greatest(ranks, z, clip, has, seed, draws):
    """p [features, tags] of z against the greatest of all tags, when clips change tags."""
    rng = generator(seed, "labels", "null")
    null = np.empty((draws, ranks.features))
    for draw in range(draws):
        null[draw] = ranks.z(has[shuffle_clips(clip, rng)]).max(1)
    _, null_scores, mean, deviation = standardised(z.max(1), null)
    return pooled_p((z - mean[:, None]) / deviation[:, None], null_scores, ranks.fires)


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
    auroc = Ranks(activations[:, feature]).scores(has)["auroc"][np.arange(len(tag)), tag]
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
    mass = (csc_array(activations, dtype=float).T @ tags.has).toarray()
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
    """How many features have a label; called from notebooks.

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

    Called from notebooks.
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
