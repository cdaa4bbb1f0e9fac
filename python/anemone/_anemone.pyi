"""The compiled module. What of it is public is typed in __init__.pyi."""

from typing import Any

def __getattr__(name: str) -> Any: ...
