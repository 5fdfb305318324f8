#!/usr/bin/python3
"""`gilmok route`: its options, its lines, its exit status. What is a read: tests/golden/route."""

import subprocess

import pytest

import harness

CONF = """
[gilmok]
listen = 127.0.0.1:6999
client_auth = trust

[cluster main]

[node main/one]
host = 127.0.0.1
port = 5999

[database shop]
cluster = main
"""


@pytest.fixture(name="conf")
def fixture_conf(tmp_path):
    path = tmp_path / "gilmok.conf"
    path.write_text(CONF)
    return str(path)


def run(*args, text=b""):
    done = subprocess.run([harness.BIN, "route", *args], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          check=False)
    assert not harness.SANITIZER.search(done.stderr.decode(errors="replace")), done.stderr.decode(errors="replace")
    return done


def lines(conf, *args, text=b""):
    done = run("-c", conf, "-d", "shop", "--offline", *args, text=text)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"\n") or not done.stdout
    return done.stdout.decode().splitlines()


def refusal(*args, status):
    done = run(*args)
    assert (done.returncode, done.stdout) == (status, b"")
    return done.stderr.decode().splitlines()[0]


def test_one_text(conf):
    assert lines(conf, "SELECT 1") == ["replica\tSELECT at 0: reads"]


def test_the_reason_that_decides_stands_in_front(conf):
    word, reasons = lines(conf, "SELECT lower(a) FROM t WHERE b = nextval('s')")[0].split("\t")
    assert word == "primary"
    assert reasons.split("; ") == [
        "function nextval at 33: writes",
        "SELECT at 0: reads",
        "function lower at 7: the server's own, immutable or stable",
        "table t at 21: taken for an ordinary table: no server was asked",
    ]


def test_a_line_for_each_line(conf):
    got = lines(conf, text=b"SELECT 1\nDELETE FROM t\n\nLISTEN c\nSELEC; SELECT 2\nSELECT 1; SELECT 2")
    assert [line.split("\t")[0] for line in got] == ["replica", "primary", "replica", "session", "primary", "replica"]
    assert not lines(conf, text=b"")


def test_a_text_of_several_lines_is_one(conf):
    assert lines(conf, "-- a comment first\nSELECT *\nFROM t\nFOR UPDATE")[0].startswith("primary\tFOR UPDATE at 35: ")


def test_what_reads_depends_on_the_session(conf):
    text = "SELECT 'a\\'; DELETE FROM t; --'"
    assert lines(conf, "--standard-strings", "off", text)[0].startswith("replica\t")
    assert lines(conf, text)[0].startswith("primary\tDELETE at 13: writes; ")
    assert lines(conf, "--encoding", "SJIS", "SELECT '\u00e9'")[0].startswith("primary\t")
    assert lines(conf, "--server-version", "19", "SELECT * FROM GRAPH_TABLE (g MATCH (a) COLUMNS (a.x))")[0].startswith("primary\tobject")


def test_functions_that_the_caller_names(conf):
    assert lines(conf, "--read-functions", "f, app.g", "SELECT f(), app.g()")[0].startswith("replica\t")
    assert lines(conf, "--read-functions", "f", "--write-functions", "lower", "SELECT f(), lower('A')")[0].startswith("primary\tfunction lower")


def test_lists_of_functions_in_the_configuration(tmp_path):
    """What is said of the database and what is said in the arguments counts together."""
    path = tmp_path / "gilmok.conf"
    path.write_text(CONF + "read_functions = f, app.g\nwrite_functions = upper\n")
    first = lambda *args: lines(str(path), *args)[0].split("\t")[0]  # noqa: E731
    assert first("SELECT f(), app.g()") == "replica"
    assert first("SELECT f(), h()") == "primary"
    assert first("--read-functions", "h", "SELECT f(), h()") == "replica"
    assert first("SELECT lower('A')") == "replica"
    assert first("SELECT upper('a')") == "primary"
    assert first("--write-functions", "lower", "SELECT lower('A')") == "primary"
    assert first("--write-functions", "lower", "SELECT upper('a')") == "primary"
    assert first("--read-functions", "upper", "SELECT upper('a')") == "primary"


def test_control_characters_in_names_stay_on_the_line(conf):
    assert "table a\\x0ab at 14: " in lines(conf, 'SELECT * FROM "a\nb"')[0]


def test_many_reasons(conf):
    got = lines(conf, "SELECT * FROM " + ", ".join(f"t{i}" for i in range(1000)))
    assert len(got) == 1 and got[0].startswith("replica\t") and got[0].endswith("; and 801 more")
    got = lines(conf, "SELECT * FROM " + ", ".join(f"t{i}" for i in range(1000)) + " FOR UPDATE")
    assert got[0].startswith("primary\tFOR UPDATE at ")


def test_wrong_arguments(conf):
    head = "gilmok route: "
    assert refusal("-d", "shop", "--offline", "SELECT 1", status=2) == head + "-c FILE is needed: the configuration"
    assert refusal("-c", conf, "--offline", "SELECT 1", status=2) == head + "-d DATABASE is needed: one of the configuration"
    assert refusal("-c", conf, "-d", "shop", "--ofline", "SELECT 1", status=2) == head + "there is no argument --ofline"
    assert refusal("-c", conf, "-d", "shop", "--offline", "SELECT", "1", status=2).startswith(head + "one text at a time")
    assert refusal("-c", conf, "-d", "shop", "--offline", "--server-version", status=2) == head + "--server-version needs a value"
    assert refusal("-c", conf, "-d", "shop", "--offline", "--server-version", "x", "SELECT 1", status=2).startswith(head)
    assert refusal("-c", conf, "-d", "shop", "SELECT 1", status=1).startswith(head + "the server cannot be asked (--offline does without)")
    assert refusal("-c", conf, "-d", "other", "--offline", "SELECT 1", status=1) == head + f"{conf} has no database other"
    assert refusal("-c", conf + "x", "-d", "shop", "--offline", "SELECT 1", status=1).startswith(head + conf + "x is not right")


def test_help_tells_of_it():
    done = subprocess.run([harness.BIN, "help"], stdout=subprocess.PIPE, timeout=60, check=True)
    assert b"gilmok route -c FILE -d DATABASE" in done.stdout
