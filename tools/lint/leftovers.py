#!/usr/bin/env python3
"""leftovers: no markers of an unfinished merge in any text that is ours"""

import re

from common import finish, our_files, read

# The middle marker alone also underlines headings: the outer ones always come with it.
MARKER = re.compile(r"^(<{7}|>{7})( |$)")

problems = []
checked = 0
for name in our_files(""):
    try:
        lines = read(name).splitlines()
    except UnicodeDecodeError:
        continue  # no text
    checked += 1
    problems += [f"{name}:{number}: a marker of an unfinished merge"
                 for number, line in enumerate(lines, 1) if MARKER.match(line)]
finish(f"{checked} files", problems)
