"""The exception that every failed call raises, and the checks of what Python's types leave open."""

import os
from collections.abc import Mapping


class Error(RuntimeError):
    """What went wrong (`message`), where (`place`), and what to do next (`advice`).

    `code` is a stable name ("invalid_input", "unsupported", "usage", ...), `exit_code` the number that the command
    `anemone` ends with for it.
    """

    def __init__(self, message, code, exit_code, place, advice):
        text = f"{place}: {message}" if place else message
        super().__init__(f"{text} ({advice})" if advice else text)
        self.message = message
        self.code = code
        self.exit_code = exit_code
        self.place = place
        self.advice = advice


def not_pickled(self, protocol):
    """The __reduce_ex__ of what lives in this process alone: plans, threads, mapped files."""
    raise TypeError(f"a {type(self).__name__} cannot be pickled: its plan and its mapped weights live in this process; "
                    "give the other process the path, and load the model there")


def usage(message: str, place: str = "", advice: str = "") -> Error:
    """A mistake of the caller."""
    return Error(message, "usage", 2, place, advice)


def path_of(value, place: str = "path") -> str:
    """A path as text."""
    try:
        return os.fsdecode(os.fspath(value))
    except TypeError:
        raise usage(f"a path is text or a pathlib.Path, not {type(value).__name__}", place, "give a path") from None


def checked(value, kind, place: str, noun: str):
    """The value, when it is of that kind."""
    if not isinstance(value, kind):
        raise usage(f"it must be {noun}, but is {type(value).__name__}", place)
    return value


def by_text(inputs, place: str = "inputs") -> Mapping:
    """What a prediction is given: values by name."""
    checked(inputs, Mapping, place, "a dict of values by name")
    for name in inputs:
        checked(name, str, place, "a dict whose keys are names")
    return inputs
