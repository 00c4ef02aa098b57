"""How much of what changes from point to point is the chance of training an SAE.

Two SAEs of the same rows that start from other random directions find other features. So the share
that matches between two seeds at the same point is what can be expected of a model that did not
change: features that die or are born beyond it are the model's.

# ASSUME: SAEs of one seed start alike at all points, so they match more than those of two seeds do;
# deaths and births beyond the seeds' are at least so many.
"""

import pandas as pd

AT = ["model", "layer"]
SPREAD = ["labelled", "confirmed"]


def with_seeds(flows: pd.DataFrame, pairs: pd.DataFrame, main: int) -> pd.DataFrame:
    """The steps of the main seed between two points, with what chance alone does.

    flows: a row per step and seed: model, layer, from_point, to_point, seed, before, after,
           matched, births, deaths ...
    pairs: a row per point and two seeds: model, layer, point, share ...
    Adds seeds (how many), matched_low and matched_high (least and most of any seed's step),
    seed_share_before and seed_share_after (matched between two seeds at the step's ends, mean over
    pairs), deaths_beyond and births_beyond (beyond those of two seeds at one point; negative where
    there are fewer). Missing where there is one seed.
    """
    step = [*AT, "from_point", "to_point"]
    matched = flows.groupby(step, sort=False)["matched"]
    spread = matched.agg(seeds="size", matched_low="min", matched_high="max").reset_index()
    several = spread["seeds"] > 1
    spread[["matched_low", "matched_high"]] = spread[["matched_low", "matched_high"]].where(several)
    table = flows[flows["seed"] == main].drop(columns="seed").merge(spread, on=step)
    share = pairs.groupby([*AT, "point"])["share"].mean().rename("share").reset_index()
    for end, point, lost, all_features in (
        ("before", "from_point", "deaths", "before"),
        ("after", "to_point", "births", "after"),
    ):
        named = share.rename(columns={"share": f"seed_share_{end}", "point": point})
        table = table.merge(named, on=[*AT, point], how="left")
        by_chance = table[all_features] * (1 - table[f"seed_share_{end}"])
        table[f"{lost}_beyond"] = (table[lost] - by_chance).round()
    return table


def coverage_with_spread(covered: pd.DataFrame, main: int) -> pd.DataFrame:
    """The rows of the main seed, with the least and the greatest share of any seed.

    covered: a row per model, layer, point, units and seed, with labelled and confirmed
    """
    keys = [*AT, "point", "units"]
    table = covered[covered["seed"] == main].drop(columns="seed")
    if covered["seed"].nunique() < 2:
        return table
    for column in set(SPREAD) & set(covered):
        spread = covered.groupby(keys)[column].agg(["min", "max"])
        spread.columns = [f"{column}_low", f"{column}_high"]
        table = table.merge(spread.reset_index(), on=keys)
    return table
