#!/usr/bin/env python3
"""spelling: American spelling in every text that is ours: names, comments, messages, documents"""

import re

from common import finish, our_files, read

# A short list, not a dictionary: the words that this code base has had, or could well have.
BRITISH = {
    "analyse": "analyze", "artefact": "artifact", "behaviour": "behavior", "catalogue": "catalog",
    "centre": "center", "colour": "color", "defence": "defense", "dialogue": "dialog", "favour": "favor",
    "fibre": "fiber", "flavour": "flavor", "fulfil": "fulfill", "grey": "gray", "honour": "honor",
    "judgement": "judgment", "labelled": "labeled", "labelling": "labeling", "labour": "labor",
    "learnt": "learned", "levelled": "leveled", "licence": "license", "metre": "meter",
    "modelled": "modeled", "modelling": "modeling", "neighbour": "neighbor", "offence": "offense",
    "programme": "program", "signalled": "signaled", "signalling": "signaling", "spelt": "spelled",
    "totalled": "totaled", "travelled": "traveled", "whilst": "while", "amongst": "among",
}
# Verbs in -ise, such as "normalise"; "analyse" and its like are above.
ISE = re.compile(r"[a-z]{3,}is(?:e|ed|es|er|ers|ing|able|ation|ations)")
# -ise is not a suffix in these.
NO_SUFFIX = re.compile(
    r"(?:r|a?r|no|p?ra|po|.*(?:w|adv|rev|dev|superv|improv|prom|prem|dem|surpr|compr|enterpr|exerc|prec|conc|franch"
    r"|expert|disgu|cru|bru|parad|merchand))is(?:e|ed|es|er|ers|ing|able)")
# "cancelled" is not listed: gRPC, whose status names our error codes follow, and Core ML spell it so.
# Names that others chose.
ELSEWHERE = re.compile(r"aria-labelledby")
WORD = re.compile(r"[A-Z]?[a-z]{3,}")
ENDING = re.compile(r"(?:s|d|r|ed|ing|ful|less|able)$")


def american(word):
    """What an American writes for `word`, in lower case; None when it is right or not known."""
    if word in BRITISH:
        return BRITISH[word]
    stem = ENDING.sub("", word)
    if stem in BRITISH:
        return BRITISH[stem] + word[len(stem):]
    if stem + "e" in BRITISH and stem != "programm":  # "programming" is right
        return BRITISH[stem + "e"][:-1] + word[len(stem):]
    if ISE.fullmatch(word) and not NO_SUFFIX.fullmatch(word):
        return re.sub(r"is(?=[a-z]*$)", "iz", word)
    return None


problems = []
checked = 0
for name in our_files(""):
    # Fixtures are bytes of other tools; this file and the test of the lints name what is forbidden.
    if name.startswith("tests/fixtures/") or name in ("tools/lint/spelling.py", "tools/lint/self_test.sh"):
        continue
    try:
        lines = read(name).splitlines()
    except UnicodeDecodeError:
        continue  # no text
    checked += 1
    for number, line in enumerate(lines, 1):
        for word in WORD.findall(ELSEWHERE.sub("", line)):
            right = american(word.lower())
            if right:
                problems.append(f"{name}:{number}: '{word}' is spelled '{right}'")
finish(f"{checked} files", problems)
