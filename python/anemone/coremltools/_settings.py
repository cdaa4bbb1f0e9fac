"""What install() was told: read by the binding whenever it loads a model."""

from typing import NamedTuple, Tuple


class EstimatedWarning(UserWarning):
    """A compute plan or a cost was estimated by Anemone; Core ML was not asked."""


class StandInWarning(UserWarning):
    """A compiled folder is a stand-in: Anemone loads it, Core ML would not."""


class Settings(NamedTuple):
    backend: str = "auto"
    threads: int = 0
    chip: str = "m4"
    numerics: str = "as_typed"


# The system that coremltools believes to run on: the first one with all that its releases can ask for.
MACOS: Tuple[int, int] = (26, 0)
# The newest specification version of that system.
SPECIFICATION_VERSION = 10

current = Settings()


def use(settings: Settings) -> None:
    """For models loaded from now on."""
    global current
    current = settings
