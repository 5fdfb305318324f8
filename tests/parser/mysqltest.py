#!/usr/bin/python3
"""mysqltest.py FOLDER CORPUS - the distinct SQL texts that the mysqltest scripts of a folder (*.test) send to their server, as
far as they are known without running one. A corpus is, for each text, its length as four bytes, little-endian, and its bytes.

A script is a series of commands, each ended by the delimiter, by a newline (those that begin with `--`) or by a brace (`if`
and `while`); what is no command of mysqltest's own is SQL. Blocks are read once, whatever their condition. A text with a
$variable is taken when the script itself has said its value before; one that depends on a query's result, on another
script or on the machine is left out. So is everything that goes to other programs: perl, exec, files that are written.

Bytes are kept as they are: a script is read as latin-1, and so are the texts that come out.
"""

import os
import re
import struct
import sys

_COMMANDS = frozenset("""
append_file assert cat_file change_user character_set chmod connect connection copy_file copy_files_wildcard dec delimiter die
diff_files dirty_close disable_abort_on_error disable_column_names disable_connect_log disable_cursor_protocol disable_info
disable_metadata disable_non_blocking_api disable_parsing disable_prepare_warnings disable_ps2_protocol disable_ps_protocol
disable_query_log disable_reconnect disable_result_log disable_service_connection disable_session_track_info
disable_view_protocol disable_warnings disconnect echo enable_abort_on_error enable_column_names enable_connect_log
enable_cursor_protocol enable_info enable_metadata enable_non_blocking_api enable_parsing enable_prepare_warnings
enable_ps2_protocol enable_ps_protocol enable_query_log enable_reconnect enable_result_log enable_service_connection
enable_session_track_info enable_view_protocol enable_warnings end end_timer error eval eval_result evalp exec exit expr
file_exists force-cpdir force-rmdir horizontal_results if inc let list_files list_files_append_file list_files_write_file
lowercase_result mkdir move_file optimizer_trace output perl ping query query_horizontal query_vertical real_sleep reap
remove_file remove_files_wildcard replace_column replace_numeric_round replace_regex replace_result require reset_connection
result_format rmdir save_master_pos send send_eval send_quit send_shutdown shutdown_server skip sleep sorted_result source
start_timer sync_slave_with_master sync_with_master system vertical_results wait_for_slave_to_stop while write_file write_line
""".split())

# What the suite's driver sets for every test: where is of no importance, as nothing is executed.
_ENVIRONMENT = {
    "MYSQLTEST_VARDIR": "/var/tmp/vardir", "MYSQL_TMP_DIR": "/var/tmp/vardir/tmp", "MYSQL_TEST_DIR": "/var/tmp/suite",
    "MYSQLD_DATADIR": "/var/tmp/vardir/data", "MASTER_MYPORT": "16000", "MASTER_MYPORT1": "16001", "SLAVE_MYPORT": "16002",
    "MASTER_MYSOCK": "/var/tmp/vardir/tmp/mysqld.1.sock", "CHARSETSDIR": "/usr/share/mysql/charsets",
}

# mysqltest's test of itself: which of its blocks are entered decides where its commands end.
_LEFT_OUT = {"mysqltest.test"}

# Where a byte that looks like a quote or a backslash may be the second half of a character.
_DOUBLE = {"sjis": "[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]", "cp932": "[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]",
           "big5": "[\xa1-\xf9][\x40-\x7e\xa1-\xfe]", "gbk": "[\x81-\xfe][\x40-\x7e\x80-\xfe]"}

# Modes under which the session's server says that a backslash protects nothing: in `"`, or nowhere.
_SET_MODE = re.compile(r"\s*set\s+(?:session\s+|local\s+|@@session\.|@@local\.|@@)?sql_mode\s*:?=\s*(.*)", re.I | re.S)
_ANSI_MODES = ("ansi", "db2", "maxdb", "mssql", "oracle", "postgresql")

_WORD_END = re.compile(r"[\s(]")
_VARIABLE = re.compile(r"\\(\\|\$)|\$([A-Za-z0-9_]+)")
_ASSIGNMENT = re.compile(r"\$?([A-Za-z0-9_]+)\s*=\s*(.*)", re.S)
_BACKTICKS = re.compile(r"`((?:[^`\\]|\\.)*)`", re.S)
_GET_VALUE = re.compile(r"query_get_value\s*\((.*),[^,]*,[^,]*\)\s*", re.S)
_INTEGER = re.compile(r"-?[0-9]+")


class Unknown(Exception):
    """A variable whose value the script alone does not tell."""


class _Commands:
    """The commands of a script, one after the other, as (text, is_line)."""

    def __init__(self, script):
        self.script = script
        self.at = 0
        self.delimiter = ";"
        self.double = None
        self.protects = {"'": True, '"': True, "`": False}
        self._compile()

    def _compile(self):
        double = f"|{self.double}" if self.double else ""
        end = re.escape(self.delimiter)
        # In a quoted part only the quote ends it, and a backslash may protect it; outside the delimiter comes first.
        self._next = re.compile(rf"(?P<end>{end})|(?P<brace>\{{)|\\['\"`]|(?P<quote>['\"`]){double}", re.S)
        self._closing = {quote: re.compile((r"\\.|" if protects else "") + quote + double, re.S)
                         for quote, protects in self.protects.items()}

    def set_delimiter(self, delimiter):
        self.delimiter = delimiter
        self._compile()

    def set_charset(self, name):
        self.double = _DOUBLE.get(name)
        self._compile()

    def set_mode(self, mode):
        mode = mode.lower()
        is_plain = "no_backslash_escapes" in mode
        self.protects = {"'": not is_plain, '"': not is_plain and not any(word in mode for word in _ANSI_MODES), "`": False}
        self._compile()

    def _line_end(self):
        end = self.script.find("\n", self.at)
        return len(self.script) if end < 0 else end

    def block(self, marker):
        """Steps over the lines until the one that is the marker."""
        self.at = min(self._line_end() + 1, len(self.script)) if self.script[self.at - 1:self.at] != "\n" else self.at
        while self.at < len(self.script):
            end = self._line_end()
            line = self.script[self.at:end]
            self.at = min(end + 1, len(self.script))
            if line.startswith(marker):
                return

    def __iter__(self):
        return self

    def __next__(self):
        script = self.script
        while self.at < len(script) and script[self.at].isspace():
            self.at += 1
        if self.at >= len(script):
            raise StopIteration
        start = self.at
        if script[start] in "#-":
            self.at = min(self._line_end() + 1, len(script))
            return script[start:self.at].rstrip("\r\n"), True
        if script[start] == "}" and not script.startswith(self.delimiter, start):
            self.at += 1
            return "}", False
        return self._statement(start), False

    def _statement(self, start):
        script, at = self.script, start
        has_block = script[start:start + 2].lower() == "if" or script[start:start + 5].lower() == "while"
        while True:
            found = self._next.search(script, at)
            if not found:
                self.at = len(script)
                return script[start:]
            if found["end"]:
                self.at = found.end()
                return script[start:found.start()]
            at = found.end()
            if found["brace"] and has_block:
                self.at = at
                return script[start:at]
            if found["quote"]:
                at = self._after_quote(at, found["quote"])

    def _after_quote(self, at, quote):
        for found in self._closing[quote].finditer(self.script, at):
            if found.group() == quote:
                return found.end()
        return len(self.script)


class _Script:
    def __init__(self, script):
        self.commands = _Commands(script)
        self.values = dict(_ENVIRONMENT)
        self.texts = []
        self.left_out = 0
        self.depth = 0
        self.parsing = True

    # ---- variables ----

    def expand(self, text):
        def value(found):
            if found[1]:
                return found[1] if found[1] == "$" else found[0]
            known = self.values.get(found[2])
            if known is None:
                raise Unknown(found[2])
            return known
        return _VARIABLE.sub(value, text)

    def let(self, text):
        found = _ASSIGNMENT.match(text)
        if not found:
            return
        name, right = found[1], found[2]
        value = None
        if right.startswith("`"):
            self.queries_in(right)
        elif _GET_VALUE.match(right):
            self.query(self.unquoted(_GET_VALUE.match(right)[1]), evaluate=True)
        elif not right.startswith("convert_error"):
            try:
                value = self.expand(right)
            except Unknown:
                pass
        self.values[name] = value

    def add(self, text, step):
        name = text.strip().lstrip("$")
        value = self.values.get(name)
        self.values[name] = str(int(value) + step) if value is not None and _INTEGER.fullmatch(value) else None

    # ---- texts ----

    @staticmethod
    def unquoted(text):
        text = text.strip()
        return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text

    def query(self, text, evaluate=False):
        if evaluate:
            try:
                text = self.expand(text)
            except Unknown:
                self.left_out += 1
                return
        text = text.strip()
        if text:
            self.texts.append(text)
        mode = _SET_MODE.match(text)
        if mode:
            self.commands.set_mode(mode[1])

    def queries_in(self, condition):
        for found in _BACKTICKS.finditer(condition):
            self.query(found[1], evaluate=True)

    # ---- commands ----

    def run(self):
        for text, is_line in self.commands:
            if text.startswith("#"):
                continue
            if is_line:
                # A line of dashes, or of plain words, would be an error to mysqltest: no SQL either way.
                text = text.lstrip("-").strip()
                if _first_word(text, self.commands.delimiter) not in _COMMANDS:
                    continue
            if text == "}":
                self.depth -= 1
            elif not self.command(text, is_line):
                break
        return self

    def command(self, text, is_line):
        """Does what a command says; False: the script ends here."""
        word = _first_word(text, self.commands.delimiter)
        rest = text[len(word):].strip()
        if word not in _COMMANDS:
            if self.parsing:
                self.query(text)
            return True
        if word in ("disable_parsing", "enable_parsing"):
            self.parsing = word == "enable_parsing"
        if not self.parsing:
            return True
        if is_line and word not in ("delimiter", "let", "perl", "write_file", "append_file"):
            rest = rest.rstrip("; \t") if self.commands.delimiter == ";" else rest.removesuffix(self.commands.delimiter)
        return self.known(word, rest)

    def known(self, word, rest):
        if word in ("query", "send", "query_vertical", "query_horizontal"):
            self.query(rest)
        elif word in ("eval", "evalp", "send_eval", "eval_result"):
            self.query(rest, evaluate=True)
        elif word == "let":
            self.let(rest)
        elif word in ("inc", "dec"):
            self.add(rest, 1 if word == "inc" else -1)
        elif word == "delimiter":
            self.commands.set_delimiter(rest.split()[0] if rest else ";")
        elif word == "character_set":
            self.commands.set_charset(rest)
        elif word in ("if", "while"):
            self.queries_in(rest)
            self.depth += 1
        elif word == "end":
            self.depth -= 1
        elif word == "perl":
            self.commands.block(rest or "EOF")
        elif word in ("write_file", "append_file"):
            self.commands.block(rest.split()[-1] if len(rest.split()) > 1 else "EOF")
        return word != "exit" or self.depth > 0


def _first_word(text, delimiter):
    end = _WORD_END.search(text)
    word = text[:end.start()] if end else text
    return word.split(delimiter)[0].lower()


def texts_of(script):
    """The texts of a script (bytes) in order, as bytes, and how many were left out for an unknown variable."""
    read = _Script(script.decode("latin-1").replace("\r\n", "\n")).run()
    return [text.encode("latin-1") for text in read.texts], read.left_out


def main(folder, corpus):
    names = sorted(name for name in os.listdir(folder) if name.endswith(".test") and name not in _LEFT_OUT)
    sent, left_out, distinct = 0, 0, {}
    for name in names:
        with open(os.path.join(folder, name), "rb") as script:
            texts, without = texts_of(script.read())
        sent += len(texts)
        left_out += without
        distinct.update(dict.fromkeys(texts))
    with open(corpus, "wb") as out:
        for text in distinct:
            out.write(struct.pack("<I", len(text)) + text)
    print(f"{len(names)} scripts, {sent} texts, {len(distinct)} distinct; {left_out} left out for a variable that is not known")


if __name__ == "__main__":
    main(*sys.argv[1:])
