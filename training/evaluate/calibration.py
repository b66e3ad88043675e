"""Fits probabilities to labels, and measures how well probabilities agree with labels."""

import numpy as np

BINS = 15


def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def fit(logits, labels, iterations=50):
    """Returns scale and offset of Platt's scaling, `sigmoid(scale * logit + offset)`, by Newton's method.

    Labels are from 0 to 1. They are drawn towards the middle by one example of each kind (Platt, 1999), so separable labels
    have a solution.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    positives = labels.sum()
    high, low = (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
    targets = low + (high - low) * labels
    rows = np.stack([logits, np.ones_like(logits)], 1)
    weights = np.zeros(2)
    for _ in range(iterations):
        probability = sigmoid(rows @ weights)
        curvature = rows.T @ (rows * (probability * (1 - probability))[:, None]) + 1e-9 * np.eye(2)
        weights -= np.linalg.solve(curvature, rows.T @ (probability - targets))
    return float(weights[0]), float(weights[1])


def expected_error(probabilities, labels):
    """The expected calibration error over 15 bins of equal width, as `ranklet calibrate` computes it."""
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    differences = np.bincount(bins, probabilities - labels, minlength=BINS)
    return float(np.abs(differences).sum() / len(labels))
