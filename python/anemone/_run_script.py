"""Runs somebody's script or module as Python does, after something was put in place for it."""

import os
import runpy
import sys
from typing import Callable, Optional, Sequence


def run_script(name: str, usage: Optional[str], prepare: Callable[..., object], flags: Sequence[str] = ()) -> None:
    """`flags` ("--force") before the script become keyword arguments of `prepare`, true where they stand."""
    arguments = sys.argv[1:]
    given = {}
    while arguments[:1] and arguments[0] in flags:
        given[arguments.pop(0).lstrip("-")] = True
    as_module = arguments[:1] == ["-m"]
    if as_module:
        arguments = arguments[1:]
    if not arguments or (arguments[0].startswith("-") and not as_module):
        print(usage, file=sys.stderr)
        raise SystemExit(0 if arguments[:1] in (["-h"], ["--help"]) else 2)
    prepare(**given)
    sys.argv = arguments
    # As Python does for `python SCRIPT` and `python -m module`.
    if as_module:
        sys.path[0] = os.getcwd()
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        return
    if not os.path.exists(arguments[0]):
        raise SystemExit(f"python -m {name}: there is no file '{arguments[0]}'")
    sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
    runpy.run_path(arguments[0], run_name="__main__")
