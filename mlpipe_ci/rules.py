"""What a schema cannot say about a workflow: names, paths, and the order of steps. Pure."""

from collections.abc import Callable, Iterator, Sequence

from mlpipe_ci.patterns import matches
from mlpipe_ci.workflow import Step, is_glob, is_under, path_fault
from mlpipe_ci.writers import Writers
from mlpipe_ci.yaml_text import Spot

Place = Callable[[Sequence[str | int]], tuple[int, int]]
"""Path of keys in the file to line and column."""


def faults(steps: tuple[Step, ...], place: Place) -> Iterator[Spot]:
    """All breaches of the rules, each at its place."""
    writers = Writers(steps)
    yield from _double_names(steps, place)
    for index, step in enumerate(steps):
        found = list(_path_faults(index, step, place))
        yield from _only_excludes(index, step, place)
        yield from found or _order_faults(index, steps, writers, place)
    yield from _overlaps(steps, writers, place)


def _double_names(steps: tuple[Step, ...], place: Place) -> Iterator[Spot]:
    names: dict[str, Step] = {}
    ids: dict[str, Step] = {}
    for index, step in enumerate(steps):
        spot = place(("steps", index, "name"))
        if step.name in names:
            line = names[step.name].line
            yield Spot(*spot, f"a second step '{step.name}'; the first is on line {line}")
        elif step.id in ids:
            other = f"'{ids[step.id].name}' (line {ids[step.id].line})"
            yield Spot(*spot, f"step '{step.name}' has the id '{step.id}' of {other}; add an id:")
        names.setdefault(step.name, step)
        ids.setdefault(step.id, step)


def _path_faults(index: int, step: Step, place: Place) -> Iterator[Spot]:
    for key in ("inputs", "outputs", "metrics"):
        for number, path in enumerate(getattr(step, key)):
            fault = path_fault(path.removeprefix("!") if key == "inputs" else path)
            if fault is None and key != "inputs":
                fault = _output_fault(path, key)
            if fault:
                yield Spot(*place(("steps", index, key, number)), f"step '{step.name}': {fault}")


def _only_excludes(index: int, step: Step, place: Place) -> Iterator[Spot]:
    if step.inputs and all(pattern.startswith("!") for pattern in step.inputs):
        text = f"step '{step.name}': inputs only leave out; name what the step reads as well"
        yield Spot(*place(("steps", index, "inputs")), text)


def _output_fault(path: str, key: str) -> str | None:
    if is_glob(path):
        return f"'{path}' is a pattern; name each file, or a directory with / at its end"
    if path in {".", "./"}:
        return "the whole repository as an output; name the files or directories that are written"
    if key == "metrics" and path.endswith("/"):
        return f"'{path}' is a directory; name the JSON file"
    return None


def _order_faults(
    index: int, steps: tuple[Step, ...], writers: Writers, place: Place
) -> Iterator[Spot]:
    step = steps[index]
    excludes = tuple(pattern[1:] for pattern in step.inputs if pattern.startswith("!"))
    for number, pattern in enumerate(step.inputs):
        for write in () if pattern.startswith("!") else writers.meant_by(pattern):
            excluded = any(matches(exclude, write.path.rstrip("/")) for exclude in excludes)
            if write.step >= index and not excluded:
                own, other = write.step == index, steps[write.step]
                fault = _order_message(pattern, write.path, other, own=own)
                spot = place(("steps", index, "inputs", number))
                yield Spot(*spot, f"step '{step.name}': {fault}")
                break


def _order_message(pattern: str, output: str, other: Step, *, own: bool) -> str:
    same = pattern == output
    if own and same:
        return f"input '{pattern}' is the step's own output; a step cannot read what it writes"
    if own:
        return f"input '{pattern}' holds the step's own output '{output}'; add '!{output}'"
    move = f"which the later step '{other.name}' writes; move that step before this one"
    return (
        f"input '{pattern}', {move}"
        if same
        else (f"input '{pattern}' holds '{output}', {move}, or add '!{output}'")
    )


def _overlaps(steps: tuple[Step, ...], writers: Writers, place: Place) -> Iterator[Spot]:
    for index, step in enumerate(steps):
        seen: list[str] = []
        for key in ("outputs", "metrics"):
            for number, path in enumerate(getattr(step, key)):
                earlier = [w for w in writers.touching(path) if w.step < index or w.path in seen]
                found = (_overlap(path, step, w.path, steps[w.step]) for w in earlier)
                fault = next(filter(None, found), None)
                if fault:
                    spot = place(("steps", index, key, number))
                    yield Spot(*spot, f"step '{step.name}': {fault}")
                seen.append(path)


def _overlap(path: str, step: Step, other_path: str, other: Step) -> str | None:
    same = path.rstrip("/") == other_path.rstrip("/")
    if same and other is step:
        return None if path == other_path else f"'{path}' is declared twice"
    if same:
        return f"'{path}' is written by step '{other.name}' too; one step writes one path"
    if is_under(path, other_path) or is_under(other_path, path):
        return f"'{path}' and '{other_path}' of step '{other.name}' lie inside one another"
    return None
