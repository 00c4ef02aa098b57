"""Name features by tags, and test the names on clips that had no say in them.

Half of the clips (by the seed) give each feature its name. A feature's z for every tag is compared
with the greatest of all tags when whole clips change their tags (and turn within themselves);
features are called at a false discovery rate of `q`. Of the tags that are beyond chance, the name
is the one with the greatest lift, (average precision - share) / (1 - share), if that reaches
`lift`; otherwise the feature is "unlabelled", which is the interesting emergent set.

The other half judges: how well does the activation detect the tag, among all units and among hard
negatives (units without the tag that are nearest to those with it)? `confirmed` are names with an
area under the curve of at least `confirm` among the hard ones.
"""

import numpy as np
import pandas as pd
from scipy.sparse import csc_array
from scipy.stats import rankdata

from rasen.errors import RasenError
from rasen.sae.features.nulls import pooled_p, shuffled, standardised
from rasen.sae.features.ranks import Ranks
from rasen.sae.features.sheet import kappa
from rasen.sae.features.tally import peaks
from rasen.seeds import generator
from rasen.stats import corrected

UNLABELLED = "unlabelled"
HARD, POOL = 200, 4000  # units with the tag that are judged, units without it to choose from


def by_clip(tally):
    """Greatest activation in each clip [clips, features], and the number of each clip."""
    tops = peaks(tally)
    shape = (int(tally.clip.max()) + 1, tally.values.shape[1])
    where = (tops["clip"], tops["feature"])
    return csc_array((tops["value"].to_numpy(np.float32), where), shape), np.arange(shape[0])


def by_frame(tally):
    """Activations of the counted rows [rows, features], and the clip of each.

    Tags of a table with one row a row of the dump: `tags.of(tally.counted)`.
    """
    return csc_array(tally.values[tally.counted]), tally.clip[tally.counted]


def label(x, clip, tags, seed, confirm=0.7, negatives="tags", **options):
    """Name features on half of the clips and judge the names on the other half.

    x: activations [units, features], clip [units] (by_clip or by_frame);  tags: of the same units
    negatives: hard ones are nearest in the other "tags", in activations ("codes"), or "random"
    Returns the columns of `name` and `judge`, and purity, one row a feature.
    """
    if not x.shape[0] == len(clip) == tags.has.shape[0]:
        raise RasenError(
            f"tags: {tags.has.shape[0]} rows for {x.shape[0]} of activations; "
            "give one a clip (by_clip) or one a counted row (by_frame)"
        )
    first = halves(clip, seed)
    naming, judging = ((x[part], clip[part], tags.of(part)) for part in (first, ~first))
    table = name(*naming, seed, **options)
    judged = judge(table, naming, judging, seed, negatives)
    judged["confirmed"] = judged["auroc_hard"] >= confirm
    table = table.merge(judged, on="feature", how="left")
    table["confirmed"] = table["confirmed"].eq(True)
    return table.assign(purity=purity(table, x, tags))


def halves(clip, seed):
    """Which units belong to the clips that give names [units]."""
    clips, which = np.unique(clip, return_inverse=True)
    if len(clips) < 4:
        raise RasenError(f"labels: {len(clips)} clips; at least 4 are needed to name and to judge")
    first = np.zeros(len(clips), bool)
    order = generator(seed, "labels", "halves").permutation(len(clips))
    first[order[: -(-len(clips) // 2)]] = True
    return first[which]


def name(x, clip, tags, seed, draws=100, q=0.05, lift=0.2, least=5):
    """The name of every feature, without judging it.

    Features that fire in fewer than `least` units are not tested.
    Returns a table feature, label, column, then of the best tag lift, ap, auroc, information, z,
    of the feature p (of any tag), p_corrected, and units (where it fires).
    """
    ranks = Ranks(x)
    table = pd.DataFrame({"feature": np.arange(ranks.features), "label": UNLABELLED, "column": ""})
    for column in ("lift", "ap", "auroc", "information", "z", "p", "p_corrected"):
        table[column] = np.nan
    table["units"] = ranks.fires
    alive = np.flatnonzero(ranks.fires >= least)
    if not len(alive):
        return table
    ranks = Ranks(csc_array(x)[:, alive])
    z = ranks.z(tags.has)
    p = _chance(ranks, z, clip, tags.has, seed, draws)
    lowest = p.min(1)
    called = corrected(lowest) <= q
    beyond = p <= (lowest[called].max() if called.any() else -1)
    scores = ranks.scores(tags.has)
    share = np.asarray(tags.has.mean(axis=0)).ravel()
    lifted = (scores["ap"] - share) / (1 - share)
    best = np.where(beyond.any(1), np.where(beyond, lifted, -np.inf).argmax(1), lifted.argmax(1))
    at = (np.arange(len(alive)), best)
    found = {"lift": lifted, "z": z} | {key: scores[key] for key in ("ap", "auroc", "information")}
    for column, values in found.items():
        table.loc[alive, column] = values[at]
    table.loc[alive, "p"], table.loc[alive, "p_corrected"] = lowest, corrected(lowest)
    labelled = called & (lifted[at] >= lift)
    for column, source in (("label", "tag"), ("column", "column")):
        table.loc[alive[labelled], column] = tags.table[source].to_numpy()[best[labelled]]
    return table


def _chance(ranks, z, clip, has, seed, draws):
    """p [features, tags] of z against the greatest of all tags, when clips change tags."""
    rng = generator(seed, "labels", "null")
    null = np.empty((draws, ranks.features))
    for draw in range(draws):
        null[draw] = ranks.z(has[shuffled(clip, rng)]).max(1)
    _, scores, mean, own = standardised(z.max(1), null)
    return pooled_p((z - mean[:, None]) / own[:, None], scores, ranks.fires)


def judge(table, naming, judging, seed, negatives="tags"):
    """How well features detect the tags they are named by, on units that did not name them.

    table: feature, label;  naming, judging: (x, clip, tags) of the two halves
    Names that are no tag (of a language model) are left out.
    Returns a table feature, positives, auroc_held_out, balanced_accuracy, auroc_hard,
    balanced_accuracy_hard. Fires counts as above the best threshold of the naming half.
    """
    x, _, tags = judging
    x, has = csc_array(x), csc_array(tags.has)
    number = {tag: place for place, tag in enumerate(tags.table["tag"])}
    named = table[table["label"].isin(number)]
    feature = named["feature"].to_numpy(int)
    tag = named["label"].map(number).to_numpy(int)
    area = Ranks(x[:, feature]).scores(has)["auroc"][np.arange(len(tag)), tag]
    rows = {}
    for each in np.unique(tag):
        members = np.flatnonzero(tag == each)
        where, truth = _hard_units(each, x, tags, negatives, generator(seed, "hard", each))
        values = x[where][:, feature[members]].toarray()
        everyone = np.asarray(has[:, [each]].toarray()).ravel() > 0
        before = np.asarray(naming[2].has[:, [each]].toarray()).ravel() > 0
        for place, member in enumerate(members):
            limit = _threshold(csc_array(naming[0])[:, [feature[member]]], before)
            full = x[:, [feature[member]]]
            fires = np.zeros(len(everyone), bool)
            fires[full.indices[full.data > limit]] = True
            rows[member] = (
                int(everyone.sum()),
                area[member],
                _balanced(fires, everyone),
                _area(values[:, place], truth),
                _balanced(values[:, place] > limit, truth),
            )
    columns = ["positives", "auroc_held_out", "balanced_accuracy"]
    columns += ["auroc_hard", "balanced_accuracy_hard"]
    judged = pd.DataFrame([rows[place] for place in range(len(tag))], columns=columns)
    judged.insert(0, "feature", feature)
    return judged


def _hard_units(tag, x, tags, negatives, rng):
    """Units to judge a tag on: some with it, and for each the nearest one without it."""
    has = np.asarray(tags.has[:, [tag]].toarray()).ravel() > 0
    positives = rng.permutation(np.flatnonzero(has))[:HARD]
    others = rng.permutation(np.flatnonzero(~has))[:POOL]
    if not len(positives) or not len(others):
        return np.zeros(0, int), np.zeros(0, bool)
    if negatives == "tags":
        column = tags.table["column"]
        space = tags.has[:, np.flatnonzero(column != column[tag])]
    elif negatives == "codes":
        space = x
    elif negatives == "random":
        space = csc_array((x.shape[0], 1))
    else:
        raise RasenError(f"negatives: {negatives!r} is not one of tags, codes, random")
    space = space.tocsr()
    norm = np.maximum(np.sqrt(np.asarray(space.multiply(space).sum(axis=1)).ravel()), 1e-12)
    near = (space[positives] @ space[others].T).toarray()
    near = near / norm[positives, None] / norm[others]
    nearest = others[(near + 1e-6 * rng.random(near.shape)).argmax(1)]  # equals: any of them
    truth = np.arange(2 * len(positives)) < len(positives)
    return np.concatenate([positives, nearest]), truth


def _threshold(column, has):
    """Limit of one feature [units, 1] above which "fires" is most accurate (balanced)."""
    order = np.argsort(-column.data)
    values, hits = column.data[order], has[column.indices[order]]
    if not len(values):
        return 0.0
    told = np.cumsum(hits) / max(1, has.sum()) - np.cumsum(~hits) / max(1, (~has).sum())
    told[:-1][values[:-1] == values[1:]] = -np.inf  # no limit lies between equals
    best = int(told.argmax())
    below = values[best + 1] if best + 1 < len(values) else 0.0
    return (float(values[best]) + float(below)) / 2


def _balanced(fires, truth):
    """Mean of the shares told right among those with and those without the tag."""
    if not truth.any() or truth.all():
        return np.nan
    return (fires[truth].mean() + (~fires[~truth]).mean()) / 2


def _area(values, truth):
    if not truth.any() or truth.all():
        return np.nan
    p, n = truth.sum(), (~truth).sum()
    return (rankdata(values)[truth].sum() - p * (p + 1) / 2) / (p * n)


def purity(table, x, tags):
    """1 - entropy of the column a feature is named by, over its activation: 1 where it is all on
    one value, 0 where it is spread evenly [features]; NaN for features without a name."""
    mass = (csc_array(x, dtype=float).T @ tags.has).toarray()
    found = np.full(len(table), np.nan)
    for column, rows in table[table["column"] != ""].groupby("column"):
        of_column = np.flatnonzero(tags.table["column"] == column)
        part = mass[rows["feature"]][:, of_column]
        part = part / np.maximum(part.sum(1, keepdims=True), 1e-12)
        logs = np.log(part, out=np.zeros_like(part), where=part > 0)
        most = np.log(len(of_column)) if len(of_column) > 1 else 1.0
        found[rows.index] = 1 + (part * logs).sum(1) / most
    return found


def coverage(table):
    """How many features have a name, as a dict: features (tested), labelled, confirmed (shares),
    purity, auroc_hard (means over the labelled)."""
    tested = table[table["p"].notna()]
    labelled = tested[tested["label"] != UNLABELLED]
    share = (lambda rows: len(rows) / len(tested)) if len(tested) else (lambda rows: np.nan)
    return {
        "features": len(tested),
        "labelled": share(labelled),
        "confirmed": share(labelled[labelled["confirmed"]]),
        "purity": labelled["purity"].mean(),
        "auroc_hard": labelled["auroc_hard"].mean(),
    }


def stability(first, second, matches):
    """Do matched features of two SAEs (other seed, other point) have the same name?

    first, second: tables feature, label;  matches: of rasen.sae.features.match
    Returns a dict: matched, named (in both), agreement and kappa among those named in either.
    """
    pairs = matches[matches["fate"] == "matched"]
    names = [
        pairs[column].map(labels.set_index("feature")["label"]).to_numpy(str)
        for column, labels in (("before", first), ("after", second))
    ]
    either = (names[0] != UNLABELLED) | (names[1] != UNLABELLED)
    both = (names[0] != UNLABELLED) & (names[1] != UNLABELLED)
    same = names[0][either] == names[1][either]
    return {
        "matched": len(pairs),
        "named": int(both.sum()),
        "agreement": float(same.mean()) if len(same) else np.nan,
        "kappa": kappa(names[0][either], names[1][either]),
    }
