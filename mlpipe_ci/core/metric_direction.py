"""Whether more of a metric is better: as the workflow file says, else by its name. Pure."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from mlpipe_ci.core.frozen import frozen

HIGHER, LOWER = "higher", "lower"
LOWER_WORDS = frozenset(
    (
        *("loss", "logloss", "error", "err", "errors", "rmse", "mse", "mae", "mape", "smape"),
        *("rmsle", "latency", "perplexity", "ppl", "wer", "cer", "nll", "brier", "fpr", "fnr"),
        *("duration", "seconds", "time", "ms", "deviance", "eer", "fid", "hinge"),
        *("crossentropy", "regret"),
    )
)
HIGHER_WORDS = frozenset(
    (
        *("accuracy", "acc", "auc", "auroc", "auprc", "aucpr", "precision", "recall", "f1"),
        *("f2", "fbeta", "fscore", "r2", "map", "ap", "ndcg", "mrr", "bleu", "rouge", "iou"),
        *("dice", "jaccard", "kappa", "mcc", "specificity", "sensitivity", "hit", "tpr"),
        *("tnr", "gini", "psnr", "ssim", "throughput", "likelihood"),
    )
)
"""Words of names, as scikit-learn, Keras and Hugging Face call what they measure."""
NEGATED = "neg"
"""scikit-learn turns losses into scores so: `neg_log_loss`."""


@frozen
class Direction:
    """What is better of a metric: `higher`, `lower`, or empty: not known. `said`: by the file."""

    better: str = ""
    said: bool = False

    @property
    def arrow(self) -> str:
        """`↑`, `↓`, or nothing."""
        return {HIGHER: "↑", LOWER: "↓"}.get(self.better, "")

    def judge(self, change: float) -> bool | None:
        """True if a change is for the better, None if there is none or it is not known."""
        if not self.better or not change:
            return None
        return (change > 0) is (self.better == HIGHER)


def direction(name: str, said: Sequence[tuple[str, str]]) -> Direction:
    """The direction of a metric. `said`: patterns of names (`*.loss`) with theirs; first wins."""
    for pattern, better in said:
        if fnmatchcase(name, pattern):
            return Direction(better=better, said=True)
    return Direction(better=_by_name(name))


def _by_name(name: str) -> str:
    last = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name.rpartition(".")[2]).lower()
    words = re.split(r"[^a-z0-9]+", last)
    lower, higher = not LOWER_WORDS.isdisjoint(words), not HIGHER_WORDS.isdisjoint(words)
    if lower and words[0] == NEGATED:
        return HIGHER
    if lower == higher:
        return ""
    return LOWER if lower else HIGHER
