"""Semantic granularity of a feature, automatically: what do its examples have in common?

    token      the same word: the commonest one (without case, width and spaces) is at least `tau`
               of the examples
    synonym    one meaning in several words: at least `tau` of them mean the same by a map of
               translations and lemmas, or lie near one of them by their vectors (cosine above the
               99th percentile of random pairs)
    meaning    related words: the mean cosine of different words is above that of words drawn at
               random, each from those about as frequent (false discovery rate `q`)
    unrelated  none of these
    too few    fewer than `least` examples

A feature has the first class that fits. Vectors are commonly the model's own input embedding at
its trained point. The seed labels by hand; see `rasen.sae.features.sheet` for the agreement.
"""

import unicodedata

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from rasen.errors import RasenError
from rasen.sae.features.nulls import pooled_p, standardised
from rasen.seeds import generator
from rasen.stats import corrected

CLASSES = ("token", "synonym", "meaning", "unrelated")
PAIRS, PERCENTILE = 20_000, 99


def classify(
    tally, examples, words, meanings=None, vocabulary=None, vectors=None,
    seed=0, tau=0.9, draws=200, q=0.05, least=5,
):  # fmt: skip
    """Class of every feature that has examples.

    examples: of rasen.sae.features.tally;  words: one string a row of the dump
    meanings: {word: name of its meaning}, shared by synonyms and translations
    vocabulary, vectors: words and their vectors [words, d]; without them no class `meaning`
    Returns a table feature, granularity, examples, word (the commonest), token_share,
    synonym_share, similarity (mean cosine of different words), p, p_corrected.
    """
    distinct, which = np.unique(np.asarray(words, str), return_inverse=True)
    plain, place = np.unique([normal(word) for word in distinct], return_inverse=True)
    word = place[which]  # of each row
    feature, of_feature = np.unique(examples["feature"], return_inverse=True)
    rows = examples["row"].to_numpy()
    times = csr_array((np.ones(len(rows)), (of_feature, word[rows])), (len(feature), len(plain)))
    times.sum_duplicates()
    count = times.sum(axis=1)
    commonest = times.argmax(axis=1) if len(feature) else np.zeros(0, int)
    table = pd.DataFrame(
        {
            "feature": feature,
            "examples": count.astype(int),
            "word": plain[commonest],
            "token_share": times.max(axis=1).toarray().ravel() / count,
            "synonym_share": 0.0,
            "similarity": np.nan,
            "p": np.nan,
        }
    )
    if meanings:
        table["synonym_share"] = _by_meaning(times, plain, meanings) / count
    if vectors is not None:
        unit = _unit_vectors(plain, vocabulary, vectors)
        frequency = np.bincount(word[tally.counted], minlength=len(plain))
        near = _near(times, unit, frequency, seed) / count
        table["synonym_share"] = np.maximum(table["synonym_share"], near)
        many = np.flatnonzero(count >= least)
        tested = _similarity_test(times[many], unit, frequency, seed, draws)
        table.loc[many, ["similarity", "p"]] = np.column_stack(tested)
    table["p_corrected"] = np.nan
    known = table["p"].notna()
    table.loc[known, "p_corrected"] = corrected(table.loc[known, "p"].to_numpy())
    choices = {
        "too few": count < least,
        "token": table["token_share"] >= tau,
        "synonym": table["synonym_share"] >= tau,
        "meaning": table["p_corrected"] <= q,
    }
    named = np.select(list(choices.values()), list(choices), "unrelated")
    table.insert(1, "granularity", named)
    return table


def normal(word):
    """A word without case, width, surrounding spaces and the mark of a word's beginning."""
    return unicodedata.normalize("NFKC", word).strip(" \u2581\u0120\t\n").casefold() or word


def _by_meaning(times, plain, meanings):
    """Examples [features] that have each feature's commonest meaning."""
    known = {normal(word): name for word, name in meanings.items()}
    _, meaning = np.unique([known.get(word, "\0" + word) for word in plain], return_inverse=True)
    shape = (len(plain), meaning.max(initial=-1) + 1)
    to_meaning = csr_array((np.ones(len(plain)), (np.arange(len(plain)), meaning)), shape)
    return (times @ to_meaning).max(axis=1).toarray().ravel()


def _unit_vectors(plain, vocabulary, vectors):
    """Unit vectors [words, d] of the plain words (the mean over spellings); 0 where unknown."""
    if len(vocabulary) != len(vectors):
        raise RasenError(f"vectors: {len(vectors)} of them for {len(vocabulary)} words")
    at = {word: place for place, word in enumerate(plain)}
    place = np.array([at.get(normal(word), -1) for word in vocabulary])
    found = np.zeros((len(plain), vectors.shape[1]))
    np.add.at(found, place[place >= 0], np.asarray(vectors, float)[place >= 0])
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def _near(times, unit, frequency, seed):
    """Examples [features] near the word with the most of them near it, itself included."""
    rng = generator(seed, "granularity", "pairs")
    seen = np.flatnonzero((frequency > 0) & unit.any(1))
    first, second = rng.choice(seen, (2, PAIRS)) if len(seen) else np.zeros((2, 0), int)
    apart = first != second
    cosines = np.einsum("pd,pd->p", unit[first[apart]], unit[second[apart]])
    limit = np.percentile(cosines, PERCENTILE) if len(cosines) else 1.0
    found = np.zeros(times.shape[0])
    for place, (start, stop) in enumerate(zip(times.indptr[:-1], times.indptr[1:], strict=True)):
        of = unit[times.indices[start:stop]]
        close = of @ of.T > limit
        np.fill_diagonal(close, True)
        found[place] = (close @ times.data[start:stop]).max()
    return found


def _similarity_test(times, unit, frequency, seed, draws):
    """Mean cosine of pairs of different words [features], and its p-value.

    The null gives every word the vector of another about as frequent (in powers of two), so each
    feature keeps how many words it has and how often each.
    """
    known = csr_array(times * unit.any(1))
    known.eliminate_zeros()
    total, square = known.sum(axis=1), known.multiply(known).sum(axis=1)
    pairs = total**2 - square

    def similarity(vectors):
        norm = ((known @ vectors) ** 2).sum(1) - square
        return np.divide(norm, pairs, out=np.zeros(len(pairs)), where=pairs > 0)

    rng = generator(seed, "granularity", "null")
    bins = np.where(unit.any(1), np.log2(1 + frequency).astype(int), -1)
    groups = [np.flatnonzero(bins == each) for each in np.unique(bins) if each >= 0]
    null = np.empty((draws, len(pairs)))
    for draw in range(draws):
        vectors = unit.copy()
        for group in groups:
            vectors[group] = unit[rng.permutation(group)]
        null[draw] = similarity(vectors)
    observed = similarity(unit)
    score, scores, *_ = standardised(observed, null)
    p = pooled_p(score, scores, np.diff(known.indptr))
    return np.where(pairs > 0, observed, np.nan), np.where(pairs > 0, p, 1.0)
