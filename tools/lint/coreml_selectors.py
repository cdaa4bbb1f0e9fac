#!/usr/bin/env python3
"""coreml_selectors: what src/coreml calls and the double declares is Apple's published interface

The interface is that of the Rust crates objc2-core-ml, objc2-core-video and objc2-foundation, which are
generated from Apple's headers. The part in use is kept in tests/doubles/CoreML/apple_interface.json, so
that this lint needs no network; `./dev selectors` reads the crates again. Every class, selector, enumerator
and function of the double must be in the table, with the same kind (class or instance method), the same
kinds of arguments and result, and the same value; every selector that the backend sends must be, too.
"""

import glob
import json
import os
import re
import subprocess
import sys

sys.argv, FLAGS = [a for a in sys.argv if not a.startswith("--")], [a for a in sys.argv if a.startswith("--")]
from common import ROOT, finish, our_files, read, without_comments_and_strings  # noqa: E402

TABLE = "tests/doubles/CoreML/apple_interface.json"
HEADERS = ("tests/doubles/CoreML/CoreML.h", "tests/doubles/CoreVideo/CVPixelBuffer.h")
CRATES = {"objc2-core-ml": "0.3.2", "objc2-core-video": "0.3.2", "objc2-foundation": "0.3.2"}
# Core Foundation's reference counting, which Rust does by itself: CVPixelBuffer.h has had these two
# functions since Mac OS X 10.4.
UNLISTED_FUNCTIONS = {"CVPixelBufferRetain": ["pointer", ["pointer"]],
                      "CVPixelBufferRelease": ["void", ["pointer"]]}
# NSObject's own, and the exception's accessors; of the runtime, not of a crate's extern_methods.
ROOT_SELECTORS = {"alloc", "init", "retain", "release", "autorelease", "class", "isKindOfClass:"}
OWN_CLASSES = {"DoubleObject"}

# --- Objective-C ------------------------------------------------------------------------------


def kind_of_c(text):
    """The kind of a C or Objective-C type: what must agree with Apple's."""
    text = re.sub(r"\b(const|nullable|nonnull|_Nullable|_Nonnull)\b", "", text).strip()
    if "(^" in text:
        inner = text[text.rindex("(", 0, len(text)):].strip("() ")
        return "block/%d" % (len([a for a in inner.split(",") if a.strip() not in ("", "void")]))
    if text.startswith("id") or text in ("instancetype", "Class"):
        return "object"
    if re.fullmatch(r"NSError\s*\*\s*\*", text):
        return "error"
    if re.fullmatch(r"(void|\w+)\s*\*(\s*\*)?", text):
        name = text.split("*")[0].strip()
        return "object" if re.match(r"(NS|ML)[A-Z]", name) and text.count("*") == 1 else "pointer"
    if re.fullmatch(r"CV\w+Ref|CF\w+Ref", text):
        return "pointer"
    return {"BOOL": "bool", "float": "float", "double": "double", "void": "void"}.get(text, "integer")


def parse_method(text):
    """("+" or "-", selector, [result, [arguments]]) of a declaration without its semicolon."""
    match = re.match(r"([+-])\s*\(((?:[^()]|\([^()]*\))*)\)\s*(.*)", text, re.S)
    sign, result, rest = match.groups()
    parts = re.findall(r"(\w+)\s*:\s*\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\s*\w+", rest)
    if not parts:
        return sign, rest.strip(), [kind_of_c(result), []]
    return sign, "".join(name + ":" for name, _ in parts), [kind_of_c(result),
                                                            [kind_of_c(t) for _, t in parts]]


def parse_headers():
    found = {"classes": {}, "enumerators": {}, "functions": {}, "constants": []}
    for header in HEADERS:
        text = re.sub(r"^\s*#.*$", "", without_comments_and_strings(read(header)), flags=re.M)
        for match in re.finditer(r"@(?:interface|protocol)\s+(\w+)([^;{]*?)(?:\{.*?\n\}|\n)(.*?)@end", text, re.S):
            name, _, body = match.groups()
            if name in OWN_CLASSES:
                continue
            methods = found["classes"].setdefault(name, {})
            for attributes, kind, prop in re.findall(r"@property\(([^)]*)\)\s*([^;]*?)\s*(\w+);", body):
                methods["-" + prop] = [kind_of_c(kind), []]
                if "readonly" not in attributes:
                    methods["-set" + prop[0].upper() + prop[1:] + ":"] = ["void", [kind_of_c(kind)]]
            for declaration in re.findall(r"^([+-]\s*\([^;]*);", body, re.M):
                sign, selector, types = parse_method(declaration)
                methods[sign + selector] = types
        for body in re.findall(r"(?:NS_ENUM\(\w+,\s*\w+\)|\benum)\s*\{(.*?)\}", text, re.S):
            for name, value in re.findall(r"(\w+)\s*=\s*([^,}]+)", body):
                found["enumerators"][name] = eval(value, {"__builtins__": {}})
        for result, name, arguments in re.findall(r"^((?:\w+[ *]+)+)(CV\w+)\(([^)]*)\);", text, re.M):
            found["functions"][name] = [kind_of_c(result), [
                kind_of_c(re.sub(r"\w+$", "", a.strip())) for a in arguments.split(",")]]
        found["constants"] += re.findall(r"\bextern\s+NSString\*\s*const\s+(\w+)", text)
    return found


def split_top(text):
    """`text` with everything inside brackets blanked."""
    depth, out = 0, []
    for c in text:
        depth -= c in ")]}"
        out.append(c if depth == 0 else " ")
        depth += c in "([{"
    return "".join(out)


def matching(text, at):
    depth = 0
    for i in range(at, len(text)):
        depth += text[i] in "([{"
        depth -= text[i] in ")]}"
        if depth == 0:
            return i
    return -1


RECEIVER = re.compile(r"\s*(\w+(?:(?:\.|->)\w+|\(\s*\))*|[(\[][)\]])")


def messages(text):
    """(offset, selector) of each message sent in Objective-C source without comments and strings."""
    for at in (i for i, c in enumerate(text) if c == "["):
        end = matching(text, at)
        before = text[:at].rstrip()
        # An array subscript, an attribute, or a lambda.
        if end < 0 or re.search(r"[\w\])]$", before) and not re.search(r"\b(return|in|case|else)$", before):
            continue
        inner = split_top(text[at + 1:end])
        inner = re.sub(r"\[\s*\]", "[]", re.sub(r"\(\s*\)", "()", inner))
        receiver = RECEIVER.match(inner)
        if receiver is None:
            continue
        rest = inner[receiver.end():]
        if not re.match(r"\s+\w", rest):
            continue
        # In `a ? b : c` there is a space before the colon, in a selector there is none.
        parts = re.findall(r"(?:^|\s)(\w+):(?!:)", rest)
        selector = "".join(p + ":" for p in parts) if parts else rest.strip()
        yield at, selector


# --- Rust -------------------------------------------------------------------------------------


def kind_of_rust(text, enums):
    text = " ".join(text.split()).strip().rstrip(",")
    option = re.fullmatch(r"Option<(.*)>", text)
    if option:
        text = option.group(1).strip()
    if "DynBlock" in text:
        inner = re.search(r"Fn\((.*?)\)(?:\s*\+\s*'_)?\s*>", text) or re.search(r"Fn\((.*)\)", text)
        depth, count, body = 0, 0, inner.group(1)
        for c in body:
            depth += c in "<(" and 1 or 0
            depth -= c in ">)" and 1 or 0
            count += c == "," and depth == 0
        return "block/%d" % (count + 1 if body.strip() else 0)
    if text in enums or text in ("NSInteger", "NSUInteger", "i64", "usize", "OSType", "CVReturn", "i32", "u32",
                                 "CVPixelBufferLockFlags"):
        return "integer"
    if text.startswith(("NonNull<", "*")) or re.match(r"&(mut )?(CF|CV)\w+", text) \
            or re.match(r"Retained<CV\w+>|CFRetained<CV", text):
        return "pointer"
    if text.startswith(("Retained<", "&", "Self")):
        return "object"
    return {"bool": "bool", "c_double": "double", "f32": "float", "c_float": "float"}.get(text, "integer")


def split_arguments(text):
    depth, parts, now = 0, [], ""
    for c in text:
        depth += c in "<([" and 1 or 0
        depth -= c in ">)]" and 1 or 0
        if c == "," and depth == 0:
            parts.append(now)
            now = ""
        else:
            now += c
    return [p.strip() for p in parts + [now] if p.strip()]


def parse_rust(folder):
    """Everything that a crate records from Apple's headers."""
    text = ""
    for path in sorted(glob.glob(os.path.join(folder, "src/generated/**/*.rs"), recursive=True)):
        with open(path, encoding="utf-8") as file:
            text += "\n" + file.read()
    text = re.sub(r"^\s*//.*$", "", text, flags=re.M).replace("->", "\x01")
    enums = set(re.findall(r"pub struct (\w+)\(pub [^)]*\);", text))
    found = {"classes": {}, "enumerators": {}, "functions": {}, "constants": []}
    heads = list(re.finditer(r"^impl(?:<[^{]*?>)?\s+(\w+)[^{\n]*\{|pub unsafe trait (\w+)[^{]*\{|pub struct (\w+)",
                             text, re.M))
    for i, head in enumerate(heads):
        name = head.group(1) or head.group(2)
        if name is None:
            continue
        body = text[head.end():heads[i + 1].start() if i + 1 < len(heads) else len(text)]
        methods = found["classes"].setdefault(name, {})
        for selector, arguments, result in re.findall(
                r"#\[unsafe\(method\(([\w:]+)\)\)\](?:\s*#\[[^\n]*\])*\s*(?:pub )?(?:unsafe )?fn [\w#]+\s*"
                r"(?:<[^(]*>)?\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\s*(?:\x01\s*([^;{]*?))?\s*(?:where[^;]*)?;",
                body):
            arguments = list(split_arguments(arguments.replace("\x01", "->").replace("->", "")))
            instance = any(a in ("&self", "&mut self") or a.startswith("this:") for a in arguments)
            kinds = [kind_of_rust(a.split(":", 1)[1], enums) for a in arguments
                     if a not in ("&self", "&mut self") and not a.startswith("this:")]
            result = " ".join(result.split())
            kind = "void" if not result else kind_of_rust(result, enums)
            wrapped = re.match(r"Result<(.*)", result)
            if wrapped:
                kind = "bool" if wrapped.group(1).startswith("()") else "object"
            if selector.endswith(":_"):
                selector = selector[:-1]
                kinds.append("error")
            methods[("-" if instance else "+") + selector] = [kind, kinds]
    for alias, value in re.findall(r'#\[doc\(alias = "(\w+)"\)\]\s*pub const \w+: Self = Self\(([^;]*?)\);', text):
        # Four characters stand for themselves; the rest are sums of numbers.
        if re.fullmatch(r"[\s0-9a-fA-FxX|<()-]+", value):
            found["enumerators"][alias] = eval(value, {"__builtins__": {}})
    for alias, value in re.findall(r'#\[doc\(alias = "(\w+)"\)\]\s*const \w+ = (\w+);', text):  # bit flags
        found["enumerators"][alias] = int(value, 0)
    for name, value in re.findall(r"pub const (k?CV\w+): \w+ = ([-\w]+);", text):
        # One may be defined by another.
        number = found["enumerators"].get(value)
        if re.fullmatch(r"-?(0x)?[0-9a-fA-F]+", value):
            number = int(value, 0)
        if number is not None:
            found["enumerators"][name] = number
    for name, arguments, result in re.findall(r"fn (CV\w+)\s*\(([^)]*)\)\s*(?:\x01\s*([^;{]*))?", text):
        kinds = [kind_of_rust(a.split(":", 1)[1], enums) for a in split_arguments(arguments)]
        found["functions"].setdefault(name, ["void" if not result else kind_of_rust(result, enums), kinds])
    found["constants"] = re.findall(r"pub static (\w+): &'static NSString", text)
    return found


def fetch_crates():
    """The folders of the crates, fetched by cargo into build/."""
    project = os.path.join(ROOT, "build/apple_interface")
    os.makedirs(os.path.join(project, "src"), exist_ok=True)
    with open(os.path.join(project, "Cargo.toml"), "w", encoding="utf-8") as file:
        file.write('[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n\n[dependencies]\n')
        file.writelines(f'{name} = "={version}"\n' for name, version in CRATES.items())
    with open(os.path.join(project, "src/lib.rs"), "w", encoding="utf-8"):
        pass
    subprocess.run(["cargo", "vendor", "--quiet", "--versioned-dirs", "vendor"], cwd=project, check=True,
                   stdout=subprocess.DEVNULL)
    return {name: os.path.join(project, "vendor", f"{name}-{version}") for name, version in CRATES.items()}


def refresh():
    """Rewrites the table: everything that the double declares and the backend sends, as Apple declares it."""
    ours, sent = parse_headers(), {selector for _, _, selector in sent_selectors()}
    folders = fetch_crates()
    table = {"source": dict(CRATES), "classes": {}, "enumerators": {}, "functions": {}, "constants": [],
             "foundation_selectors": []}
    foundation = parse_rust(folders["objc2-foundation"])
    known = {m[1:] for methods in foundation["classes"].values() for m in methods}
    for crate in ("objc2-core-ml", "objc2-core-video"):
        apple = parse_rust(folders[crate])
        for name, methods in ours["classes"].items():
            if name in apple["classes"]:
                theirs = apple["classes"][name]
                table["classes"][name] = {m: theirs[m] for m in sorted(methods) if m in theirs}
        for group in ("enumerators", "functions"):
            table[group].update({n: apple[group][n] for n in sorted(ours[group]) if n in apple[group]})
        table["constants"] += [n for n in ours["constants"] if n in apple["constants"]]
    table["foundation_selectors"] = sorted(sent & known)
    with open(os.path.join(ROOT, TABLE), "w", encoding="utf-8") as file:
        json.dump(table, file, indent=1, sort_keys=True)
        file.write("\n")


# --- The check --------------------------------------------------------------------------------


def sent_selectors():
    """(file, line, selector) of each message that the backend sends."""
    for name in our_files(".mm", ".m", ".h"):
        if not name.startswith("src/coreml/"):
            continue
        text = re.sub(r'@(?=\s)', " ", without_comments_and_strings(read(name)))
        for at, selector in messages(text):
            yield name, text.count("\n", 0, at) + 1, selector


def check():
    problems = []
    if not all(os.path.exists(os.path.join(ROOT, name)) for name in (TABLE, *HEADERS)):
        finish("0 selectors", [])
    table = json.loads(read(TABLE))
    table["functions"].update(UNLISTED_FUNCTIONS)
    ours = parse_headers()
    checked = 0
    for name, methods in ours["classes"].items():
        if name not in table["classes"]:
            problems.append(f"{HEADERS[0]}:1: Apple has no class {name}")
            continue
        for method, types in methods.items():
            checked += 1
            apple = table["classes"][name].get(method)
            if apple is None:
                problems.append(f"{HEADERS[0]}:1: Apple's {name} has no {method}")
            elif apple != types:
                problems.append(f"{HEADERS[0]}:1: {name} {method} is {types}, Apple's is {apple}")
    for group in ("enumerators", "functions"):
        for name, value in ours[group].items():
            checked += 1
            if name not in table[group]:
                problems.append(f"{HEADERS[0]}:1: Apple has no {name}")
            elif table[group][name] != value:
                problems.append(f"{HEADERS[0]}:1: {name} is {value}, Apple's is {table[group][name]}")
    problems += [f"{HEADERS[0]}:1: Apple has no {n}" for n in ours["constants"] if n not in table["constants"]]

    known = {m[1:] for methods in table["classes"].values() for m in methods}
    known |= set(table["foundation_selectors"]) | ROOT_SELECTORS
    for name, line, selector in sent_selectors():
        checked += 1
        if selector not in known:
            problems.append(f"{name}:{line}: sends {selector!r}, which is not in {TABLE}")
    for name in our_files(".mm", ".m", ".h"):
        if not name.startswith("src/coreml/"):
            continue
        text = without_comments_and_strings(read(name))
        for match in re.finditer(r"\b(?:ML[A-Z]|CV[A-Z]|kCV)\w+", text):
            word = match.group(0)
            checked += 1
            if not (word in ours["classes"] or word in ours["enumerators"] or word in ours["functions"] or
                    word in ours["constants"] or word in read(HEADERS[0]) + read(HEADERS[1])):
                problems.append(f"{name}:{text.count(chr(10), 0, match.start()) + 1}: the double has no {word}")
    finish(f"{checked} uses", sorted(set(problems)))


if "--refresh" in FLAGS:
    refresh()
check()
