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
its trained point. Inaba et al. 2025 label by hand; see `rasen.sae.features.sheet` for the
agreement.
"""

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from rasen.errors import RasenError
from rasen.sae.features.nulls import pooled_p, standardised
from rasen.sae.features.tally import Tally
from rasen.sae.features.words import Words
from rasen.seeds import generator
from rasen.stats import corrected

CLASSES = ("token", "synonym", "meaning", "unrelated")
PAIRS, PERCENTILE = 20_000, 99
WIDTH = 128  # dimensions of vectors at a time


def classify(
    tally: Tally,
    examples: pd.DataFrame,
    words: Words,
    meanings: Mapping[str, str] | None = None,
    vocabulary: Sequence[str] | None = None,
    vectors: np.ndarray | None = None,
    seed: int = 0,
    tau: float = 0.9,
    draws: int = 200,
    q: float = 0.05,
    least: int = 5,
) -> pd.DataFrame:
    """Class of every feature that has examples.

    examples: of rasen.sae.features.tally;  words: of the tallied rows
    meanings: {word: name of its meaning}, shared by synonyms and translations
    vocabulary, vectors: words and their vectors [words, d]; without them no class `meaning`
    Returns a table feature, granularity, examples, word (the commonest), token_share,
    synonym_share, similarity (mean cosine of different words), p, p_corrected.
    """
    normal = np.array([normal_word(spelling) for spelling in words.spellings] + [""], object)[:-1]
    distinct, word_of_spelling = np.unique(normal, return_inverse=True)
    feature, of_example = np.unique(examples["feature"], return_inverse=True)
    word = word_of_spelling[words.which[tally.places(examples["row"].to_numpy())]]
    counts = csr_array(  # [features, words], examples of each word
        (np.ones(len(word)), (of_example, word)), (len(feature), len(distinct))
    )
    counts.sum_duplicates()
    total = counts.sum(axis=1)
    commonest = counts.argmax(axis=1) if len(feature) else np.zeros(0, int)
    table = pd.DataFrame(
        {
            "feature": feature,
            "examples": total.astype(int),
            "word": distinct[commonest],
            "token_share": counts.max(axis=1).toarray().ravel() / total,
            "synonym_share": 0.0,
            "similarity": np.nan,
            "p": np.nan,
        }
    )
    if meanings:
        table["synonym_share"] = _commonest_meaning(counts, distinct, meanings) / total
    if vectors is not None:
        unit = _unit_vectors(distinct, vocabulary, vectors)
        spelled = np.bincount(words.which, minlength=len(words.spellings))
        frequency = np.bincount(word_of_spelling, spelled, minlength=len(distinct))
        near = _largest_neighbourhood(counts, unit, frequency, seed) / total
        table["synonym_share"] = np.maximum(table["synonym_share"], near)
        enough = np.flatnonzero(total >= least)
        similarity, p = _similarity_test(counts[enough], unit, frequency, seed, draws)
        table.loc[enough, ["similarity", "p"]] = np.column_stack([similarity, p])
    table["p_corrected"] = np.nan
    tested = table["p"].notna()
    table.loc[tested, "p_corrected"] = corrected(table.loc[tested, "p"].to_numpy())
    conditions = {
        "too few": total < least,
        "token": table["token_share"] >= tau,
        "synonym": table["synonym_share"] >= tau,
        "meaning": table["p_corrected"] <= q,
    }
    classes = np.select(list(conditions.values()), list(conditions), "unrelated")
    table.insert(1, "granularity", classes)
    return table


def normal_word(word: str) -> str:
    """A word without case, width, surrounding spaces and the marks of the start of a word."""
    return unicodedata.normalize("NFKC", word).strip(" \u2581\u0120\t\n").casefold() or word


def _commonest_meaning(counts, distinct, meanings):
    """Examples [features] that have each feature's commonest meaning."""
    known = {normal_word(word): name for word, name in meanings.items()}
    names = [known.get(word, "\0" + word) for word in distinct]  # a word without one is its own
    _, meaning = np.unique(names, return_inverse=True)
    shape = (len(distinct), meaning.max(initial=-1) + 1)
    to_meaning = csr_array((np.ones(len(distinct)), (np.arange(len(distinct)), meaning)), shape)
    return (counts @ to_meaning).max(axis=1).toarray().ravel()


def _unit_vectors(distinct, vocabulary, vectors):
    """Unit vectors [words, d] of the distinct words (the mean over spellings); 0 where unknown."""
    if len(vocabulary) != len(vectors):
        raise RasenError(f"vectors: {len(vectors)} of them for {len(vocabulary)} words")
    place_of_word = {word: place for place, word in enumerate(distinct)}
    place = np.array([place_of_word.get(normal_word(word), -1) for word in vocabulary])
    sums = np.zeros((len(distinct), vectors.shape[1]), np.float32)
    for number in np.flatnonzero(place >= 0):
        sums[place[number]] += vectors[number]
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def _largest_neighbourhood(counts, unit, frequency, seed):
    """Examples [features] near the word with the most of them near it, itself included."""
    rng = generator(seed, "granularity", "pairs")
    seen = np.flatnonzero((frequency > 0) & unit.any(1))
    first, second = rng.choice(seen, (2, PAIRS)) if len(seen) else np.zeros((2, 0), int)
    differ = first != second
    cosines = np.einsum("pd,pd->p", unit[first[differ]], unit[second[differ]])
    limit = np.percentile(cosines, PERCENTILE) if len(cosines) else 1.0
    largest = np.zeros(counts.shape[0])
    for feature in range(counts.shape[0]):
        entries = slice(counts.indptr[feature], counts.indptr[feature + 1])
        vectors = unit[counts.indices[entries]]
        near = vectors @ vectors.T > limit
        np.fill_diagonal(near, True)
        largest[feature] = (near @ counts.data[entries]).max()
    return largest


def _similarity_test(counts, unit, frequency, seed, draws):
    """Mean cosine of pairs of different words [features], and its p-value.

    The null gives every word the vector of another about as frequent (in powers of two), so each
    feature keeps how many words it has and how often each.
    """
    known = csr_array(counts * unit.any(1))
    known.eliminate_zeros()
    total, square = known.sum(axis=1), known.multiply(known).sum(axis=1)
    pairs = total**2 - square

    def mean_cosine(vector_of_word):
        norm = -square
        for start in range(0, unit.shape[1], WIDTH):  # no copy of all vectors in float64
            norm = norm + ((known @ unit[vector_of_word, start : start + WIDTH]) ** 2).sum(1)
        return np.divide(norm, pairs, out=np.zeros(len(pairs)), where=pairs > 0)

    rng = generator(seed, "granularity", "null")
    bins = np.where(unit.any(1), np.log2(1 + frequency).astype(int), -1)
    alike = [np.flatnonzero(bins == number) for number in np.unique(bins) if number >= 0]
    null = np.empty((draws, len(pairs)))
    for draw in range(draws):
        vector_of_word = np.arange(len(unit))
        for words in alike:
            vector_of_word[words] = rng.permutation(words)
        null[draw] = mean_cosine(vector_of_word)
    observed = mean_cosine(np.arange(len(unit)))
    score, null_scores, *_ = standardised(observed, null)
    p = pooled_p(score, null_scores, np.diff(known.indptr))
    return np.where(pairs > 0, observed, np.nan), np.where(pairs > 0, p, 1.0)
