"""Training recipes: functions from a seed to an unfitted scikit-learn classifier.

scikit-learn is imported lazily, so that listing the recipes is fast.
"""

from collections.abc import Callable
from typing import Any

# An unfitted estimator with fit and predict_proba; scikit-learn ships no types.
Recipe = Callable[[int], Any]

RECIPES: dict[str, Recipe] = {}


def recipe(build: Recipe) -> Recipe:
    """Decorator: register a recipe by its function's name. Its estimator must pass the parity proof of `export`."""
    RECIPES[build.__name__] = build
    return build


@recipe
def logistic(seed: int) -> Any:
    """Logistic regression on standardised features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # A tight tolerance: the scores depend on the optimum alone, and are the same on every processor.
    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, tol=1e-8, max_iter=1000, random_state=seed))


@recipe
def hist_gradient_boosting(seed: int) -> Any:
    """Boosted trees, kept small: a few hundred to a few thousand ideas, and most of what they show is noise."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        early_stopping=False,  # it would split at random, across time
        learning_rate=0.05,
        max_iter=80,
        max_leaf_nodes=8,
        max_depth=3,
        min_samples_leaf=30,
        l2_regularization=5.0,
        random_state=seed,
    )
