"""Runs a script that uses coremltools, unedited: python -m anemone.coremltools [--force] SCRIPT ARGUMENT..., or
python -m anemone.coremltools [--force] -m module ARGUMENT..."""

import os
import runpy
import sys

from . import install


def main() -> None:
    arguments = sys.argv[1:]
    force = arguments[:1] == ["--force"]
    if force:
        arguments = arguments[1:]
    as_module = arguments[:1] == ["-m"]
    if as_module:
        arguments = arguments[1:]
    if not arguments or (arguments[0].startswith("-") and not as_module):
        print(__doc__, file=sys.stderr)
        raise SystemExit(0 if arguments[:1] in (["-h"], ["--help"]) else 2)
    install(force=force)
    sys.argv = arguments
    # As Python does for `python SCRIPT` and `python -m module`.
    if as_module:
        sys.path[0] = os.getcwd()
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        return
    if not os.path.exists(arguments[0]):
        raise SystemExit(f"python -m anemone.coremltools: there is no file '{arguments[0]}'")
    sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
