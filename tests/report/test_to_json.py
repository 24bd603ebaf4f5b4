"""The JSON report has the shape of its schema."""

import json
from dataclasses import replace

from jsonschema import Draft202012Validator

from mlpipe_ci.core.changes import Comparison
from mlpipe_ci.core.plan import Action, Decision, Plan
from mlpipe_ci.report.to_json import plan_json, run_json
from tests.support.fakes import result, workflow
from tests.support.sample_runs import (
    COMPARISON,
    FAILED,
    GOOD,
    TRAIN,
)
from tests.support.schemas import schema


def test_json_has_the_shape_of_its_schema() -> None:
    stored = result(TRAIN)
    plan = Plan(
        workflow=workflow(TRAIN),
        decisions=(
            Decision(step=TRAIN, action=Action.REUSE, reasons=("r",), key="0" * 64, result=stored),
            Decision(step=TRAIN, action=Action.MAYBE, reasons=("m",)),
        ),
    )
    for comparison in (COMPARISON, Comparison(how="no commit yet")):
        value = json.loads(json.dumps(plan_json(plan, comparison)))
        Draft202012Validator(schema("plan")).validate(value)
        for made in (GOOD, FAILED):
            given_run = replace(made, comparison=comparison)
            value = json.loads(json.dumps(run_json(given_run)))
            Draft202012Validator(schema("report")).validate(value)
