"""The platform that mlpipe runs on."""

import os
from functools import lru_cache

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.core.platform import platform_input


@lru_cache(1)
def this_platform() -> Input:
    """System and machine, as the kernel says; nothing of the C library."""
    system = os.uname()
    return platform_input(system.sysname, system.machine)
