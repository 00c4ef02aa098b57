"""Columns as the page reads them: base64 of typed arrays, gzipped where that pays."""

import base64
import gzip
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

STEP = 0.002  # of `fixed`: less than half a pixel of a picture that shows values of 0 to 1 on 200
MISSING = -32768  # of `fixed` and of `integer`
LARGE = 2048  # bytes from which a column is gzipped


def pack(kind: str, values: np.ndarray) -> dict[str, Any]:
    """One column, flattened in C order.

    kind: of the contract; float (float32, NaN is missing), integer (int32), flag (0, 1), byte,
    fixed (int16, multiples of a step, low bytes first and then high bytes), label (codes of a
    list of texts, -1 is missing), text (as it is)
    """
    return PACKERS[kind](values)


def _label(values):
    codes, labels = pd.factorize(np.asarray(values, object).ravel(), use_na_sentinel=True)
    return {"labels": [str(label) for label in labels], **_stored(codes.astype("<i4"))}


def _text(values):
    return {"texts": [None if pd.isna(value) else str(value) for value in values.ravel()]}


def _float(values):
    return _stored(np.asarray(pd.to_numeric(values.ravel()), "<f4"))


def _integer(values):
    numbers = pd.to_numeric(pd.Series(values.ravel())).astype("Int64").fillna(MISSING)
    return _stored(numbers.to_numpy("<i4"))


def _fixed(values):
    steps = np.round(np.asarray(values, float).ravel() / STEP)
    steps = np.where(np.isnan(steps), MISSING, np.clip(steps, MISSING + 1, -MISSING - 1))
    # Bytes of equal weight lie together: the high ones are nearly all alike and cost nothing.
    planes = steps.astype("<i2").view("u1").reshape(-1, 2).T.copy()
    return {"step": STEP, **_stored(planes)}


def _stored(array):
    data = array.tobytes()
    if len(data) < LARGE:
        return {"data": base64.b64encode(data).decode()}
    packed = gzip.compress(data, 6, mtime=0)
    if len(packed) > 0.9 * len(data):  # sound is packed already
        return {"data": base64.b64encode(data).decode()}
    return {"data": base64.b64encode(packed).decode(), "gzip": True}


PACKERS: dict[str, Callable[[np.ndarray], dict[str, Any]]] = {
    "label": _label,
    "text": _text,
    "float": _float,
    "integer": _integer,
    "flag": lambda values: _stored(values.ravel().astype("u1")),
    "byte": lambda values: _stored(values.ravel().astype("u1")),
    "fixed": _fixed,
}
