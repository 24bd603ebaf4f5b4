"""Makes a Python program steady for an experiment: STEADY_IN says in what.

`clock`: times of day are the same in each run; `seed`: what draws at random without a seed draws
the same in each run. It runs inside of the step, whatever Python that has, so it imports nothing
else of mlpipe and uses old forms.
"""

import importlib.machinery
import importlib.util
import os
import sys

START = 1_000_000_000.0
TICK = 1e-6


def _steady_clock():
    import datetime
    import time

    state = {"now": START}

    def now():
        state["now"] += TICK
        return state["now"]

    def with_default(function):
        return lambda *given: function(*(given if given and given[0] is not None else (now(),)))

    def format_time(form, *given):
        return strftime(form, *(given or (localtime(now()),)))

    def text_of_time(*given):
        return asctime(*(given or (localtime(now()),)))

    localtime, strftime, asctime = time.localtime, time.strftime, time.asctime
    time.gmtime, time.localtime = with_default(time.gmtime), with_default(time.localtime)
    time.ctime = with_default(time.ctime)
    time.strftime, time.asctime = format_time, text_of_time
    time.time = time.perf_counter = time.process_time = now
    time.time_ns = time.perf_counter_ns = time.process_time_ns = lambda: int(now() * 1e9)
    _steady_dates(datetime, now)


def _steady_dates(datetime, now):
    """`datetime` for the step's own modules; compiled ones hold on to the real classes."""
    import builtins
    import types

    def stand_in(real, of_now):
        class Kind(type):
            def __instancecheck__(cls, instance):
                return isinstance(instance, real)

            def __subclasscheck__(cls, other):
                return issubclass(other, real)

        def make(_cls, *given, **named):
            return real(*given, **named)

        names = {name: staticmethod(function) for name, function in of_now.items()}
        return Kind(real.__name__, (real,), {"__new__": make, "__module__": "datetime", **names})

    moment, day = datetime.datetime, datetime.date
    copy = types.ModuleType("datetime")
    copy.__dict__.update(vars(datetime))
    copy.datetime = stand_in(
        moment,
        {
            "now": lambda tz=None: moment.fromtimestamp(now(), tz),
            "utcnow": lambda: moment(1970, 1, 1) + datetime.timedelta(seconds=now()),
            "today": lambda: moment.fromtimestamp(now()),
        },
    )
    copy.date = stand_in(day, {"today": lambda: day.fromtimestamp(now())})
    plain = builtins.__import__

    def import_module(name, globals=None, locals=None, fromlist=(), level=0):
        if name == "datetime" and level == 0:
            file = (globals or {}).get("__file__") or ""
            if not file.startswith(os.path.dirname(os.__file__)) and "-packages" not in file:
                return copy
        return plain(name, globals, locals, fromlist, level)

    builtins.__import__ = import_module


def _steady_seed():
    import random

    source = random.Random(0)

    def urandom(size):
        return bytes(source.getrandbits(8) for _ in range(size))

    plain = random.Random.seed

    def seed(self, a=None, version=2):
        plain(self, 0 if a is None else a, version)

    random.Random.seed = seed
    random.seed = random._inst.seed
    random.seed(0)
    random._urandom = os.urandom = urandom
    os.getrandom = lambda size, flags=0: urandom(size)


def _next_one():
    """Run the `sitecustomize` that this one has taken the place of."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [path for path in sys.path if os.path.abspath(path or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


_next_one()
_WORDS = os.environ.get("STEADY_IN", "").split(",")
if "clock" in _WORDS:
    _steady_clock()
if "seed" in _WORDS:
    _steady_seed()
