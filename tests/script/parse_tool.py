#!/usr/bin/python3
"""`gilmok parse`: its options, its lines, its exit status. What trees should look like: tests/golden/parser."""

import os
import subprocess

import pytest

import harness


def run(*args, text=b"", **more):
    done = subprocess.run([harness.BIN, "parse", *args], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, check=False, **more)
    assert not harness.SANITIZER.search(done.stderr.decode(errors="replace")), done.stderr.decode(errors="replace")
    return done


def lines(*args, text):
    done = run(*args, text=text)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"" or done.stdout.endswith(b"\n")
    return done.stdout.decode("ascii").splitlines()


def test_a_line_for_each_statement():
    assert lines(text=b"SELECT c FROM sbtest1 WHERE id = $1; BEGIN;\n") == [
        "(select :targets (target :expr (column :names c)) :from (table :names sbtest1)"
        " :where (binary:= :left (column :names id) :right $1))",
        "(command:begin)",
    ]


def test_what_is_not_analysable_is_an_answer():
    got = lines(text=b"SELECT 1; FROB x; SELECT 'a")
    assert got[0] == "(select :targets (target :expr 1))"
    assert got[1].startswith('(unknown 10 "') and got[1].endswith('")')
    assert got[2].startswith('(unknown 25 "') and got[2].endswith('")')
    assert len(got) == 3


def test_empty_statements():
    # Who answers an empty statement: see docs/parser.md. MySQL takes semicolons at the end for nothing.
    assert lines(text=b";;SELECT 1;;/* c */;SELECT 2;") == ["(select :targets (target :expr 1))", "(select :targets (target :expr 2))"]
    assert lines("--count", text=b";;SELECT 1;;/* c */;SELECT 2;") == ["2"]
    assert lines(text=b"") == []
    assert lines(text=b" -- nothing\n") == []
    assert lines("--count", text=b"") == ["0"]


def test_empty_statements_of_mysql():
    # As many lines as the servers send replies, measured with CLIENT_MULTI_STATEMENTS; behind a syntax error they read nothing.
    counts = {"SELECT 1;;": 1, "SELECT 1; ; ": 1, "SELECT 1; /* c */": 2, "SELECT 1; # c": 2, "/* c */": 1, "": 1, ";": 1, " ; ": 1,
              ";SELECT 1": 1, "SELECT 1;;SELECT 2": 2, "SELECT 1; /* c */; SELECT 2": 2, "SELECT 1/* c */;/* d */;": 2}
    for text, count in counts.items():
        assert (text, lines("--dialect", "mysql", "--count", text=text.encode())) == (text, [str(count)])
    got = lines("--dialect", "mysql", text=b"SELECT 1; ;SELECT 2")
    assert got == ["(select :targets (target :expr 1))", '(unknown 10 "syntax error: an empty statement before a semicolon")']


def test_count_counts_what_is_printed():
    text = b"SELECT 1; FROB; DROP TABLE t; SELECT '"
    assert lines("--count", text=text) == [str(len(lines(text=text)))]


def test_fingerprints():
    got = lines("--fingerprint", text=b"SELECT c FROM t WHERE id IN (1, 2); select c FROM T where ID in (3) -- x\n; FROB; SELECT '")
    digits, text = got[0].split(" ", 1)
    assert text == "select c from t where id in (?)"
    assert len(digits) == 16 and int(digits, 16) > 0
    assert got[1] == got[0]
    assert got[2].startswith('(unknown 75 "') and got[3].startswith('(unknown 88 "') and len(got) == 4
    got = lines("--fingerprint", text=b'SELECT "a\nb" FROM t')
    assert len(got) == 1 and 'select "a\\x0ab" from t' in got[0]
    got = lines("--fingerprint", "--dialect", "mysql", text=b"SELECT 'a', \"b\" FROM T")
    assert got[0].split(" ", 1)[1] == "select ?, ? from T"


def test_options_change_what_is_read():
    both = ["--dialect", "mysql"]
    assert "(column :names \"a\")" in lines("--sql-mode", "ANSI_QUOTES", *both, text=b'SELECT "a"')[0]
    assert "literal:string" in lines(*both, text=b'SELECT "a"')[0]
    assert lines(text=b"SELECT 'a\\'")[0].startswith("(select")
    assert lines("--standard-strings", "off", text=b"SELECT 'a\\'")[0].startswith("(unknown 7 ")
    assert lines("--server-version", "16", text=b"SELECT 0x1F")[0].startswith("(select")
    assert lines("--server-version", "15.4 (Debian 15.4-1)", text=b"SELECT 0x1F")[0].startswith("(unknown")
    assert lines(*both, "--server-version", "8.4.0", text=b"SELECT 1 /*M! + 2 */") == ["(select :targets (target :expr 1))"]
    for maria in (["--flavour", "mariadb"], ["--server-version", "10.11.18-MariaDB"]):
        got = lines(*both, *maria, text=b"SELECT 1 /*M! + 2 */")
        assert got == ["(select :targets (target :expr (binary:+ :left 1 :right 2)))"]
    assert lines("--encoding", "LATIN1", text=b"SELECT '\xe9'") == ['(select :targets (target :expr (literal:string "\'\\xe9\'")))']
    assert lines("--encoding", "utf8", text=b"SELECT '\xe9'")[0].startswith("(unknown ")
    assert lines("--encoding", "SJIS", text=b"SELECT '\xe9'")[0].startswith("(unknown ")


@pytest.mark.parametrize("args, message", [
    (["--dialect", "oracle"], 'the dialect is postgres or mysql, not "oracle"'),
    (["--dialect"], "--dialect needs a value"),
    (["--flavour", "mariadb"], "a flavour is of the dialect mysql: ask for that one"),
    (["--dialect", "mysql", "--flavour", "x"], 'the flavour is mysql or mariadb, not "x"'),
    (["--server-version", "x"], 'the version is one such as 15 or 15.4, not "x"'),
    (["--dialect", "mysql", "--server-version", "x"], 'the version is one such as 8.0.36 or 10.11.18, not "x"'),
    (["--sql-mode", "ANSI"], "sql_mode is of the dialect mysql: ask for that one"),
    (["--dialect", "mysql", "--sql-mode", "ANSI,NONE"], '"NONE" is no sql_mode; modes stand in a list such as '
                                                        "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"),
    (["--standard-strings", "maybe"], 'the setting of standard strings is on or off, not "maybe"'),
    (["--dialect", "mysql", "--standard-strings", "on"], "standard strings are of the dialect postgres"),
    (["SELECT 1"], "there is no argument SELECT 1"),
    (["--counts"], "there is no argument --counts"),
    (["--count", "--fingerprint"], "--fingerprint and --count exclude each other"),
])
def test_wrong_usage(args, message):
    done = run(*args, text=b"SELECT 1")
    assert (done.returncode, done.stdout) == (2, b"")
    told = done.stderr.decode().splitlines()
    assert told[0] == "gilmok parse: " + message
    assert any("--dialect postgres|mysql" in line for line in told[1:])


def test_help_names_the_command():
    done = subprocess.run([harness.BIN, "help"], stdout=subprocess.PIPE, timeout=20, check=True)
    assert b"gilmok parse [--dialect" in done.stdout


def test_input_and_output_that_fail():
    folder = os.open(os.path.dirname(__file__), os.O_RDONLY)
    try:
        done = subprocess.run([harness.BIN, "parse"], stdin=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20,
                              check=False)
    finally:
        os.close(folder)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"gilmok parse: standard input cannot be read: ")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([harness.BIN, "parse"], input=b"SELECT 1", stdout=full, stderr=subprocess.PIPE, timeout=20,
                              check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"gilmok parse: standard output cannot be written: ")


@pytest.mark.cve("T-LEX CVE-2025-1094")
def test_any_bytes_give_lines_of_ascii():
    every = bytes(range(256))
    for args in ([], ["--dialect", "mysql"], ["--encoding", "LATIN1"], ["--dialect", "mysql", "--encoding", "latin1"]):
        for text in (every, b"SELECT '" + every[128:] + b"', \"" + every[128:] + b'"', every[::-1]):
            for line in lines(*args, text=text):
                assert line.startswith("(") and line.endswith(")") and line.isprintable()


def test_a_long_text():
    text = b"SELECT '" + b"x" * (20 << 20) + b"'; SELECT 2"
    got = lines(text=text)
    assert len(got) == 2 and len(got[0]) > 20 << 20
    many = b"SELECT 1;" * 200_000
    assert lines("--count", text=many) == ["200000"]
