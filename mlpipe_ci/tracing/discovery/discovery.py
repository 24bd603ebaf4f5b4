"""What discovered inputs are asked of: the checker, and who writes what."""

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.tracing.discovery.check import InputChecker
from mlpipe_ci.tracing.discovery.later_writes import LaterWrites
from mlpipe_ci.tracing.discovery.readers import Readers
from mlpipe_ci.tracing.discovery.step_variables import StepVariables


@frozen
class Discovery:
    """How it is known what a step reads without declaring it.

    `checker`: what discovered inputs are now. `later_writes`: who writes what, after whom.
    `readers`: who reads what. `variables`: of the environment.
    `unavailable`: why no step can be watched here; empty if steps can.
    """

    checker: InputChecker
    later_writes: LaterWrites
    readers: Readers
    variables: StepVariables
    unavailable: str = ""
