"""Keywords from the library's tables of options (docs/options.md): signatures, help, and how values are handed over."""

import difflib
import inspect
import json
import os
from typing import Any, Dict, List, Sequence

from . import _anemone
from ._errors import Error

TABLES: Dict[str, List[Dict[str, Any]]] = {
    name: rows for name, rows in json.loads(_anemone.option_tables()).items() if isinstance(rows, list)
}


def rows_of(*tables: str) -> Dict[str, Dict[str, Any]]:
    """The rows by name; what two tables have is there once."""
    rows: Dict[str, Dict[str, Any]] = {}
    for table in tables:
        for row in TABLES[table]:
            rows.setdefault(row["name"], row)
    return rows


def takes(*tables: str):
    """Gives a function that ends in **options the keywords of the tables: in its signature, and in its help. With
    *positional before them they are also taken by position, in the order of the table."""

    def decorate(function):
        signature = inspect.signature(function)
        kinds = inspect.Parameter
        own = [one for one in signature.parameters.values() if one.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)]
        by_position = any(one.kind is kinds.VAR_POSITIONAL for one in signature.parameters.values())
        kind = kinds.POSITIONAL_OR_KEYWORD if by_position else kinds.KEYWORD_ONLY
        taken = {one.name for one in own}
        rows = [row for name, row in rows_of(*tables).items() if name not in taken]
        options = [kinds(row["name"], kind, default=_frozen(row["default"])) for row in rows]
        function.__signature__ = signature.replace(parameters=own + options)
        help_lines = "\n".join(f"    {row['name']}: {row['help']} ({row['rule']})" for row in rows)
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nOptions:\n{help_lines}\n"
        return function

    return decorate


def _frozen(default):
    return tuple(default) if isinstance(default, list) else default


def by_name(table: str, positional: Sequence[Any], options: Dict[str, Any]) -> Dict[str, Any]:
    """The options with those that were given by position."""
    names = [row["name"] for row in TABLES[table]]
    if len(positional) > len(names):
        raise TypeError(f"{len(positional)} options were given by position, there are {len(names)}")
    named = dict(zip(names, positional))
    twice = sorted(set(named) & set(options))
    if twice:
        raise TypeError(f"'{twice[0]}' was given by position and by name")
    return {**named, **options}


def split(options: Dict[str, Any], *tables: str) -> List[Dict[str, Any]]:
    """The options of each table; what several have goes to all of them."""
    known = rows_of(*tables)
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean '{near[0]}'?" if near else f"the options are {', '.join(known)}"
            raise Error(f"there is no option '{name}'", "usage", 2, "options", advice)
    return [{row["name"]: options[row["name"]] for row in TABLES[table] if row["name"] in options} for table in tables]


def encode(options: Dict[str, Any]) -> str:
    """As the library reads them. None stands for the default."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return json.dumps(given, default=_plain, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise Error(str(problem), "usage", 2, "options", "") from None


def _plain(value):
    """Paths, NumPy's numbers and arrays, and any other sequence."""
    if isinstance(value, os.PathLike):
        return os.fsdecode(os.fspath(value))
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{value!r} is not text")
    return list(value)
