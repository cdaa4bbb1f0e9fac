"""The exception that every failed call raises."""


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
