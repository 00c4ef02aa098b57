"""Probes beside scikit-learn, which this environment has."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler

from rasen.probes import ProbeSettings, probe
from rasen.probes.folds import given_plan
from rasen.probes.gram import Features
from rasen.probes.intervals import units
from rasen.probes.logistic import fit_logistic
from rasen.probes.metrics import METRICS
from rasen.probes.ridge import fit_ridge
from rasen.probes.tasks import Target, Task, encode


@pytest.fixture
def planted():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 5, 900)
    x = rng.standard_normal((900, 40)) * rng.uniform(0.1, 9, 40) + rng.uniform(-20, 20, 40)
    x[:, :5] += 8 * np.eye(5)[y]
    return x.astype(np.float32), y, np.repeat(np.arange(30), 30)


def fitted(fit, x, task, group, strength):
    """(our scores of the test rows, train rows, test rows) at one strength."""
    truth, classes = encode(task)
    target = Target("t", task, classes, truth, np.arange(len(x)), group, None, units(group, 0))
    split = np.where(group < 20, "train", np.where(group < 24, "valid", "test"))
    plan = given_plan(split, group, [], 5, 0)
    settings = ProbeSettings(lambdas=[strength])
    features = Features(x, np.arange(len(x)))
    return (
        fit(features, [target], plan, settings, 0)[0][0].scores,
        split == "train",
        split == "test",
    )


@pytest.mark.parametrize("strength", [1e-3, 0.1, 10.0])
def test_ridge_scores_are_those_of_scikit_learn(planted, strength):
    x, y, group = planted
    number = x[:, 7].astype(float) + y
    found, train, test = fitted(fit_ridge, x, Task("numbers", number), group, strength)
    scaler = StandardScaler().fit(x[train])
    standard = (number - number.mean()) / number.std()
    ridge = Ridge(strength * train.sum()).fit(scaler.transform(x[train]), standard[train])
    expected = ridge.predict(scaler.transform(x[test]))
    assert np.abs(found[:, 0] - expected).max() < 1e-3 * np.abs(expected).max()

    found, *_ = fitted(fit_ridge, x, Task("classes", y), group, strength)
    classifier = RidgeClassifier(strength * train.sum()).fit(scaler.transform(x[train]), y[train])
    expected = classifier.decision_function(scaler.transform(x[test]))
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


def test_logistic_scores_are_those_of_scikit_learn(planted):
    x, y, group = planted
    found, train, test = fitted(fit_logistic, x, Task("classes", y), group, 0.05)
    scaler = StandardScaler().fit(x[train])
    model = LogisticRegression(C=1 / (0.05 * train.sum()), max_iter=2000, tol=1e-8)
    model.fit(scaler.transform(x[train]), y[train])
    expected = model.decision_function(scaler.transform(x[test]))
    centred = found - found.mean(axis=1, keepdims=True)  # softmax does not see a common shift
    expected -= expected.mean(axis=1, keepdims=True)
    assert np.abs(centred - expected).max() < 0.02 * np.abs(expected).max()


def test_metrics_are_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    y, scores = rng.integers(0, 5, 300), rng.standard_normal((300, 5))
    tags, of_tags = rng.random((300, 4)) < 0.3, rng.standard_normal((300, 4)).round(1)
    number, guess = rng.standard_normal((2, 300))
    names, unit, once = tuple("abcde"), np.zeros(300, dtype=int), np.ones((1, 1))

    def ours(name, truth, scores):
        metric = METRICS[name]
        return metric.value(metric.parts(truth, scores, unit, once, names)[None])[0]

    answer = scores.argmax(axis=1)
    assert ours("accuracy", y, scores) == pytest.approx(metrics.accuracy_score(y, answer))
    f1 = metrics.f1_score(y, answer, average="macro")
    assert ours("macro_f1", y, scores) == pytest.approx(f1)
    assert ours("r2", number, guess[:, None]) == pytest.approx(metrics.r2_score(number, guess))
    area = metrics.roc_auc_score(tags, of_tags, average="macro")
    assert ours("roc_auc", tags, of_tags) == pytest.approx(area)
    precision = metrics.average_precision_score(tags, of_tags, average="macro")
    assert ours("average_precision", tags, of_tags) == pytest.approx(precision)


def test_one_call_reaches_the_accuracy_of_a_classifier(planted):
    x, y, group = planted
    split = np.where(group < 24, "train", "test")
    settings = ProbeSettings(lambdas=[0.01], mix=False, permutations=0)
    table = probe({0: x}, {"y": y}, group, split=split, settings=settings)
    found = table[(table["features"] == "network") & (table["metric"] == "accuracy")]
    train, test = split == "train", split == "test"
    scaler = StandardScaler().fit(x[train])
    model = RidgeClassifier(0.01 * train.sum()).fit(scaler.transform(x[train]), y[train])
    expected = (model.predict(scaler.transform(x[test])) == y[test]).mean()
    assert found["value"].iloc[0] == pytest.approx(expected, abs=1e-9)
