#!/usr/bin/env python3
"""banned: the library does not print, exit, abort or throw; a line may say NOLINT(banned): why"""

import re

from common import finish, our_files, read, without_comments_and_strings

LIBRARY = [
    (r"\b(?:std::)?(?:abort|_Exit|_exit|quick_exit|terminate)\s*\(", "ends the process: return a Status"),
    (r"(?<![\w.>])(?:std::)?exit\s*\(", "ends the process: return a Status"),
    (r"\bstd::c(?:out|err|log)\b", "the library does not print"),
    (r"\b(?:std::|fmt::)?(?:printf|fprintf|vprintf|puts|putchar|fmt::print)\s*\(", "the library does not print"),
    (r"\bfmt::print\b", "the library does not print"),
    (r"\bthrow\b", "the library does not throw: return a Status"),
]
EVERYWHERE = [
    (r"\busing namespace std\b", "name what you use"),
    (r"(?<!\w)(?:std::)?(?:sprintf|strcpy|strcat|strtok|gets|alloca)\s*\(", "no bound on what it writes"),
    (r"(?<![\w.>:])(?:std::)?(?:atoi|atof|atol|rand|srand)\s*\(", "no errors, or global state"),
    (r"\bstd::sto(?:i|l|ll|ul|ull|f|d)\s*\(", "throws on bad text: use std::from_chars"),
    (r"(?<![\w.>:])(?:std::)?setlocale\s*\(", "changes the caller's process"),
]


def rules_for(name):
    if name.startswith("src/") and not name.startswith("src/cli/"):
        return LIBRARY + EVERYWHERE
    if name.startswith(("src/cli/", "python/", "include/")):
        return EVERYWHERE
    return []


problems = []
checked = 0
for name in our_files(".h", ".cc", ".mm", ".inc"):
    rules = rules_for(name)
    if not rules:
        continue
    checked += 1
    raw = read(name).splitlines()
    for number, line in enumerate(without_comments_and_strings("\n".join(raw)).splitlines(), 1):
        for pattern, why in rules:
            match = re.search(pattern, line)
            if match and "NOLINT(banned): " not in raw[number - 1]:
                problems.append(f"{name}:{number}: {match.group(0).strip()} {why}")
finish(f"{checked} files", problems)
