"""The one metric by which features and rows are weighed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from headrace.stages.explain.answers import Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`scorer` is scikit-learn's name, of which greater is better; `name` is the one of `evaluate`."""

    name: str
    scorer: str
    sign: int  # 1, or -1 where the scorer turns the metric round

    def score(self, estimator: BaseEstimator, features: Any, labels: Any) -> float:
        """Return the metric in its own direction: an error stays positive."""
        from sklearn.metrics import get_scorer

        return self.sign * float(get_scorer(self.scorer)(estimator, features, labels))


RMSE = Metric(name="rmse", scorer="neg_root_mean_squared_error", sign=-1)
ROC_AUC = Metric(name="roc_auc", scorer="roc_auc", sign=1)
F1_MACRO = Metric(name="f1_macro", scorer="f1_macro", sign=1)
TITLES = {"rmse": "RMSE", "roc_auc": "ROC AUC", "f1_macro": "F1 (macro)"}


def choose_metric(estimator: BaseEstimator, answers: Answers) -> Metric:
    """Return RMSE for a regression, the area under ROC where two classes are ranked, else macro F1."""
    if answers.task == "regression":
        return RMSE
    ranks = hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")
    both = 0 < int((answers.target == 0).sum()) < len(answers.target)
    return ROC_AUC if answers.task == "binary" and ranks and both else F1_MACRO
