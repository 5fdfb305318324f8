#!/usr/bin/python3
"""The tree's rules that a compiler does not check: who may include whom, a README in each folder that names
every file, no banned call, nothing unfinished left in the code, no line that is too long to read."""
import os
import re
import subprocess
import sys

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Folder -> folders it may include. A folder may always include itself.
LAYERS = {
    "base": [],
    "parser": ["base"],
    "routing": ["base", "parser"],
    "proxy/net": ["base"],
    "proxy/wire": ["base"],
    "proxy/auth": ["base"],
    "proxy/access": ["base"],
    "proxy/extauth": ["base", "proxy/net", "proxy/auth", "proxy/access"],
    "proxy": ["base", "proxy/auth", "proxy/access"],  # config*; who puts it all together is listed below
    "proxy/topology": ["base", "proxy/net", "proxy/auth", "proxy"],
    "proxy/pool": ["base", "parser", "routing", "proxy/net", "proxy/wire", "proxy/auth", "proxy/access", "proxy/topology", "proxy"],
    "proxy/session": ["base", "parser", "routing", "proxy/net", "proxy/wire", "proxy/auth", "proxy/access", "proxy/extauth",
                      "proxy/topology", "proxy/pool", "proxy"],
    "proxy/admin": ["base", "proxy/net", "proxy/wire", "proxy/auth", "proxy/access", "proxy/topology", "proxy/pool", "proxy/session",
                    "proxy"],
    "proxy/tools": ["base", "parser", "routing", "proxy/net", "proxy/auth", "proxy/topology", "proxy/pool", "proxy"],
}
# Files that stand above their folder's layer.
ABOVE = {"proxy/main.c"} | {f"proxy/{name}.{end}" for name in ("serve", "control", "watch", "worker", "snapshot") for end in "ch"}
ABOVE_FOLDERS = ["base", "routing"] + [f for f in LAYERS if f.startswith("proxy")]
# Headers of `proxy` that lower folders may use: the configuration only.
LOWER_PROXY = re.compile(r"proxy/config\w*\.h$")
# Single headers besides: lists of addresses are values, and part of the configuration.
BESIDES = {"proxy": {"proxy/net/addr_list.h"}, "proxy/access": {"proxy/net/addr_list.h"}}
LIBRARIES = {"event2/": {"proxy/net"}, "ini.h": {"proxy"}, "libpq": {"proxy/topology", "proxy/tools"},
             "ldap.h": {"proxy/access", "proxy/extauth"}, "security/": {"proxy/extauth"},
             "zlib.h": {"proxy/wire"}, "zstd.h": {"proxy/wire"}}  # fmt: skip
OPENSSL = {"proxy/auth", "proxy/net"}  # cryptography of logins; TLS
GENERATED = {"parser/keyword_list.h", "parser/keyword_table.h", "routing/function_my_table.h", "routing/function_table.h",
             "routing/read_table.h", "routing/variable_my_table.h"}  # by the build
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|strncpy|strncat|atoi|atol|strtok|alloca|gets)\s*\(")
# Where secrets are compared no such call is used at all; elsewhere not with anything that is called like a secret.
SECRETS = re.compile(r"\b(memcmp|strcmp|strncmp|strcasecmp)\s*\(")
SECRET_FILES = re.compile(r"proxy/(auth/|session/(session_pg_(auth|password|cancel)|cancel_key)\.|pool/cancel_)")
SECRET_NAMES = re.compile(
    r"\b(memcmp|str(n|case|ncase)?cmp|bytes_(is|equal|starts_with))\s*\([^;]*(password|secret|proof|verifier|_key\b|signature|digest->)"
)
ALLOCATION = re.compile(r"\b(malloc|calloc|realloc|reallocarray)\s*\(")
ALLOCATOR = "base/fault.c"  # all others ask it, so that a test can refuse
COLUMNS_MAX = 132
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

problems = []
# Name -> the file that defines it. Two functions of one name in two archives: the linker takes one of them for both, and says nothing.
functions, types = {}, {}
FUNCTION = re.compile(r"(?!static|typedef|return|else|case|extern|#)[a-z]\w*[\w\s*]*?[\s*](\w+)\([^;]*$")
TYPE = re.compile(r"(?:struct|enum|union) (\w+) \{")


def problem(path, line, text):
    problems.append(f"{path}:{line}: {text}")


def check_include(path, folder, number, name):
    target = os.path.dirname(name)
    if not name.startswith(("base/", "parser/", "routing/", "proxy/")):
        if name.startswith("openssl/") and folder not in OPENSSL:
            problem(path, number, f"<{name}> belongs to " + " and ".join(sorted(OPENSSL)))
        for prefix, owners in LIBRARIES.items():
            if name.startswith(prefix) and folder not in owners:
                problem(path, number, f"<{name}> belongs to {', '.join(sorted(owners))} alone")
        return
    if name not in GENERATED and not os.path.exists(os.path.join(TREE, name)):
        problem(path, number, f"{name} does not exist")
    if target == folder or name in BESIDES.get(folder, ()):
        return
    if path in ABOVE:
        if target not in ABOVE_FOLDERS:
            problem(path, number, f"includes {name}")
        return
    if target not in LAYERS[folder]:
        problem(path, number, f"{folder} must not include {name}")
    if target == "proxy" and folder != "proxy/admin" and not LOWER_PROXY.search(name):
        problem(path, number, f"{folder} must not include {name}")


def check_source(path):
    folder = os.path.dirname(path)
    with open(os.path.join(TREE, path), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            include = re.match(r'\s*#include [<"]([^">]+)[">]', line)
            if include:
                check_include(path, folder, number, include.group(1))
            if BANNED.search(line):
                problem(path, number, "banned call: " + BANNED.search(line).group(1))
            if (SECRET_FILES.match(path) and SECRETS.search(line)) or SECRET_NAMES.search(line):
                problem(path, number, "secrets are compared with secret_equal()")
            if path != ALLOCATOR and ALLOCATION.search(line):
                problem(path, number, "memory comes from mem_alloc()")
            if UNFINISHED.search(line):
                problem(path, number, "unfinished: " + UNFINISHED.search(line).group(1))
            if path.endswith(".c") and FUNCTION.match(line):
                check_name(functions, FUNCTION.match(line).group(1), path, number)
            if path.endswith(".h") and TYPE.match(line):
                check_name(types, TYPE.match(line).group(1), path, number)
            is_table_row = re.match(r"\s+(\{|\[)", line)
            check_width(path, number, line, is_table_row)


def check_name(known, name, path, number):
    if known.setdefault(name, path) != path:
        problem(path, number, f"{name} is also defined in {known[name]}")


def check_width(path, number, line, is_excepted):
    if len(line.rstrip("\n")) > COLUMNS_MAX and not is_excepted:
        problem(path, number, f"line longer than {COLUMNS_MAX} columns")


def check_text(path):
    """Tables and links cannot be wrapped."""
    with open(os.path.join(TREE, path), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            check_width(path, number, line, re.match(r"\s*\||.*\]\(|.*https?://", line))


def check_readme(folder):
    path = os.path.join(TREE, folder, "README.md")
    if not os.path.exists(path):
        problem(folder, 0, "has no README.md")
        return
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for name in sorted(os.listdir(os.path.join(TREE, folder))):
        stem, ext = os.path.splitext(name)
        if ext in (".c", ".h") and not re.search(re.escape(stem) + r"(\.|`|\[)", text):
            problem(folder + "/README.md", 0, f"does not mention {name}")


for folder in LAYERS:
    check_readme(folder)
    for name in sorted(os.listdir(os.path.join(TREE, folder))):
        if name.endswith((".c", ".h")):
            check_source(f"{folder}/{name}")

for folder, below, names in os.walk(TREE):
    below[:] = sorted(name for name in below if not name.startswith(".") and name != "node_modules")
    for name in sorted(names):
        if name.endswith(".md"):
            check_text(os.path.relpath(os.path.join(folder, name), TREE))

print("\n".join(problems) if problems else "layers, READMEs and calls are in order")
sys.exit(1 if problems else 0)
