"""Frozen dataclasses that are quick to define.

`dataclass(frozen=True)` writes and compiles seven functions for each class, in 0.7 ms: the fifty
classes that a run needs would take a third of the time that it may take. Here nothing is written:
the same few functions are for all classes, and `__init__` fills `__dict__` at once, which is quick
for a class of many fields of which few are given. `fields` and `replace` work as ever.
"""

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def frozen(cls: type[T], /) -> type[T]: ...
@overload
def frozen(*, kw_only: bool = True, order: bool = False) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(cls: Any = None, /, *, kw_only: bool = True, order: bool = False) -> Any:
    """Make a frozen dataclass; its fields are given by name, unless `kw_only` is false.

    `order`: instances are compared as the tuples of their fields.
    """
    if cls is None:
        return lambda cls: _made(cls, kw_only=kw_only, order=order)
    return _made(cls, kw_only=kw_only, order=order)


def _made(cls: Any, *, kw_only: bool, order: bool) -> Any:
    made: Any = dataclass(cls, init=not kw_only, kw_only=kw_only, repr=False, eq=False)
    if kw_only:
        made.__init__ = _filler(made)
    made._values = attrgetter(*(one.name for one in fields(made) if one.compare))  # noqa: SLF001
    made._shown = tuple(one.name for one in fields(made) if one.repr)  # noqa: SLF001
    made.__setattr__, made.__delattr__ = _set, _delete
    made.__repr__, made.__eq__, made.__hash__ = _repr, _equal, _hash
    if order:
        made.__lt__ = _less
    return made


def _filler(made: Any) -> Callable[..., None]:
    """An `__init__` that takes the fields by name."""
    names = frozenset(one.name for one in fields(made))
    plain = {one.name: one.default for one in fields(made) if one.default is not MISSING}
    makers = [
        (one.name, one.default_factory)
        for one in fields(made)
        if one.default_factory is not MISSING
    ]

    def fill(self: Any, /, **given: Any) -> None:
        state = self.__dict__
        state.update(plain)
        for name, make in makers:
            if name not in given:
                state[name] = make()
        state.update(given)
        if state.keys() != names:
            wrong = ", ".join(sorted(state.keys() ^ names))
            raise TypeError(f"{made.__name__}: missing, or no field of it: {wrong}")

    return fill


def _set(self: Any, name: str, value: object) -> None:
    """`__init__` gives each field its value, once."""
    if name in self.__dict__ or name not in self.__dataclass_fields__:
        raise FrozenInstanceError(f"cannot assign to field '{name}'")
    self.__dict__[name] = value


def _delete(_self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field '{name}'")


def _repr(self: Any) -> str:
    shown = [f"{name}={getattr(self, name)!r}" for name in self._shown]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self is other or self._values(self) == self._values(other)


def _less(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._values(self) < self._values(other)


def _hash(self: Any) -> int:
    return hash(self._values(self))
