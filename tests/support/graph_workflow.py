"""A workflow whose edges are of every kind."""

from mlpipe_ci.core.workflow import StepInstance
from tests.support.fakes import step, workflow

PREP = step("prep", inputs=("raw",), outputs=("data/",))
FOREST = step(
    "train-forest",
    name="train (model=forest)",
    inputs=("data/x.csv",),
    outputs=("m/forest.pkl",),
    strategy=StepInstance(group="train", values=()),
)
LINEAR = step(
    "train-linear",
    inputs=("data/**",),
    outputs=("m/linear.pkl",),
    strategy=StepInstance(group="train", values=()),
)
EVALUATE = step("evaluate", inputs=("m/*.pkl",), metrics=("metrics.json",))
TELL = step("tell", inputs=("text",), outputs=("told",), needs=("train",))
FLOW = workflow(PREP, FOREST, LINEAR, EVALUATE, TELL)
