#!/usr/bin/python3
"""Logins that an LDAP server or PAM decides: who is right gets in, nobody else, and nobody waits for somebody else's answer."""

import os
import signal
import socket
import time

import certs
import directory
import harness
import pgwire
import pytest

ALL = "[database *]\ncluster = main\nunknown_effects = trust\n"
PEOPLE = {"ann": "password-of-ann", "bob": "password of bob", "mary-jane": "ldap-for-mary"}
OPEN = {"guest": "password-of-guest"}
LINE = "local all all ldap "


def open_to_all(path):
    """A folder of the run's own: servers of another user find their way through it."""
    os.chmod(path, os.stat(path).st_mode | 0o055)


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("external")
    for path in (folder, *folder.parents[:2]):
        open_to_all(path)
    owner = harness.unprivileged()[0]
    ca = certs.Authority(str(folder), "external-ca")
    return ca, ca.issue("directory", owner.pw_uid if owner else None)


@pytest.fixture(scope="module")
def ldap(paper):
    d = directory.Directory(PEOPLE, OPEN, paper[1])
    yield d
    d.close()


@pytest.fixture
def ruled(start, toy):
    """ruled(rules, ...): a gilmok with these rules, and clients on its unix socket."""

    def run(rules, *lines, **more):
        return start(toy, main=["hba_file = hba.conf", *lines], files={"hba.conf": rules}, socket=True, tail=ALL, **more)

    return run


def client(g, user, password, **more):
    return pgwire.Client(g.socket_path, user=user, password=password, **more)


def gets_in(g, user, password, **more):
    c = client(g, user, password, **more)
    c.login()
    assert c.method == "password"
    assert c.ask("in") == "in"
    c.end()


def refused(g, user, password, **more):
    """The error's text."""
    c = client(g, user, password, **more)
    try:
        c.authenticate()
        errors = c.collect().errors
        assert errors, "it got in"
        error = errors[0]
    except pgwire.PgError as e:
        error = e
    finally:
        c.end()
    assert error.severity == "FATAL"
    return error.sqlstate, str(error)


# ---- LDAP ------------------------------------------------------------------------------------------------------------


def test_bind_as_a_name_made_of_prefix_and_suffix(ruled, ldap):
    g = ruled(f'{LINE} ldapserver=127.0.0.1 ldapport={ldap.port} ldapprefix=uid= ldapsuffix=",ou=people,dc=example"\n')
    for user, password in PEOPLE.items():
        gets_in(g, user, password)
    for user, password in [("ann", "password of bob"), ("ghost", "password-of-ann"), ("ann", "x" * 900)]:
        state, said = refused(g, user, password)
        assert state == "28000" and said.endswith(f'LDAP authentication failed for user "{user}"'), said
    harness.wait_for(lambda: "LDAP says no: Invalid credentials" in g.said(), what="the reason in the log")
    for secret in PEOPLE.values():
        assert secret not in g.said()


@pytest.mark.cve("T-LDAP names")
def test_no_name_becomes_another_entry(ruled, ldap):
    """Guest's entry is in another branch, and `*` would be everybody."""
    g = ruled(
        f'local prefixed all ldap ldapserver=127.0.0.1 ldapport={ldap.port} ldapprefix=uid= ldapsuffix=",dc=example"\n'
        f'{LINE} ldapserver=127.0.0.1 ldapport={ldap.port} ldapbasedn="ou=open,dc=example"\n'
    )
    gets_in(g, "guest", OPEN["guest"])
    names = ["guest,ou=open", "*", "gues*", "guest)(uid=*", "\\67uest", " guest", "guest ", "#guest", "uid=guest", "guest+cn=guest"]
    for name in names:
        for database in ("prefixed", "shop"):
            assert refused(g, name, OPEN["guest"], database=database)[0] == "28000", name
    harness.wait_for(lambda: g.said().count("the name holds what is special in LDAP") == 2 * len(names), what="a line for each")


@pytest.mark.cve("T-EMPTY CVE-2017-7546")
def test_an_empty_password_is_never_right(ruled, ldap):
    """A directory takes a bind without a password for an anonymous one, and says yes."""
    g = ruled(f'{LINE} ldapserver=127.0.0.1 ldapport={ldap.port} ldapprefix=uid= ldapsuffix=",ou=people,dc=example"\n')
    for user in ("ann", "ghost"):
        assert refused(g, user, "")[0] == "28000"


@pytest.mark.cve("T-LDAP names")
def test_another_spelling_is_another_name(ruled, ldap):
    """To the directory they are the same. A rule for `ann`, or limits for her, must not be got round by ANN."""
    where = f"ldapserver=127.0.0.1 ldapport={ldap.port}"
    g = ruled(
        f'local prefixed all ldap {where} ldapprefix=uid= ldapsuffix=",ou=open,dc=example"\n'
        f'local all all ldap {where} ldapbasedn="ou=open,dc=example"\n'
    )
    gets_in(g, "guest", OPEN["guest"])
    for name in ("GUEST", "Guest", "\u00a0guest", "gue\u00adst", "\uff47uest"):
        assert refused(g, name, OPEN["guest"])[0] == "28000", name
    harness.wait_for(lambda: "the entry spells the name in another way" in g.said(), what="the reason in the log")
    for name in ("\u00a0guest", "gue\u00adst", "\uff47uest", "gu  est"):
        assert refused(g, name, OPEN["guest"], database="prefixed")[0] == "28000", name


@pytest.mark.cve("T-LDAP names")
def test_search_and_bind(ruled, ldap):
    where = f"ldapserver=127.0.0.1 ldapport={ldap.port}"
    searcher = f'ldapbinddn="cn=searcher,dc=example" ldapbindpasswd={directory.SEARCH_PASSWORD}'
    g = ruled(
        f'local mail all ldap {where} ldapbasedn="dc=example" ldapsearchfilter="(&(objectClass=person)(mail=$username@example))" {searcher}\n'
        f'local anonymous all ldap {where} ldapbasedn="dc=example" ldapsearchattribute=uid\n'
        f'local url all ldap ldapurl="ldap://127.0.0.1:{ldap.port}/ou=people,dc=example?uid?one" {searcher}\n'
        f'local base all ldap ldapurl="ldap://127.0.0.1:{ldap.port}/ou=people,dc=example?uid" {searcher}\n'
        f'local wrong all ldap {where} ldapbasedn="dc=example" ldapbinddn="cn=searcher,dc=example" ldapbindpasswd=other\n'
    )
    gets_in(g, "ann", PEOPLE["ann"], database="mail")
    gets_in(g, "bob", PEOPLE["bob"], database="url")
    gets_in(g, "guest", OPEN["guest"], database="anonymous")
    for database, user, password, says in [
        ("mail", "ann", PEOPLE["bob"], "failed"),
        ("mail", "guest", OPEN["guest"], "failed"),  # no such address
        ("anonymous", "ann", PEOPLE["ann"], "failed"),  # nobody may see it without a bind
        ("anonymous", "twice", "twice-password", "failed"),  # two entries
        ("url", "ann", PEOPLE["bob"], "failed"),
        ("url", "guest", OPEN["guest"], "failed"),  # in another branch
        ("base", "ann", PEOPLE["ann"], "failed"),  # the base itself is nobody
        ("wrong", "ann", PEOPLE["ann"], "not available"),
    ]:
        state, said = refused(g, user, password, database=database)
        assert says in said and state == ("08001" if says == "not available" else "28000"), (database, user, said)
    harness.wait_for(lambda: "more than one entry is found" in g.said() and "no entry is found" in g.said(), what="the reasons")
    harness.wait_for(lambda: "ldapbinddn cannot log in" in g.said(), what="the reason in the log")
    assert directory.SEARCH_PASSWORD not in g.said()


def test_the_password_of_the_searcher_is_shown_to_nobody(ruled, ldap):
    searcher = f'ldapbinddn="cn=searcher,dc=example" ldapbindpasswd={directory.SEARCH_PASSWORD}'
    rules = (
        f'local shop all ldap ldapserver="127.0.0.1 ::1" ldapport={ldap.port} ldaptls=0 ldapbasedn="dc=example" {searcher}\n'
        "local shop all pam pamservice=other\nhost gilmok all 127.0.0.1/32 scram-sha-256\n"
    )
    g = ruled(rules)
    rows = g.show("HBA")
    uris = f"ldap://127.0.0.1:{ldap.port} ldap://[::1]:{ldap.port}"
    assert rows[0]["options"] == (
        f'ldapserver="{uris}" ldapbasedn=dc=example scope=sub ldapsearchfilter=(uid=$username) '
        'ldapbinddn="cn=searcher,dc=example" ldapbindpasswd=(hidden)'
    )
    assert rows[1]["options"] == "pamservice=other"
    os.chmod(f"{g.dir}/hba.conf", 0o644)
    told = str(g.console("RELOAD").errors[0])
    assert "hba.conf" in told and "chmod" in told + g.said(), "a file with a secret must be as safe as one"


@pytest.mark.cve("T-LDAP names")
def test_tls_to_the_directory(ruled, ldap, paper):
    """StartTLS and ldaps; a certificate that nobody vouches for is refused before anything is said."""
    ends = 'ldapprefix=uid= ldapsuffix=",ou=people,dc=example"'
    rules = (
        f"local starts all ldap ldapserver=127.0.0.1 ldapport={ldap.port} ldaptls=1 {ends}\n"
        f"local tls all ldap ldapserver=127.0.0.1 ldapport={ldap.tls_port} ldapscheme=ldaps {ends}\n"
    )
    for trusted, works in [(paper[0].crt, True), ("/dev/null", False)]:
        g = ruled(rules, under=["env", f"LDAPTLS_CACERT={trusted}"])
        for database in ("starts", "tls"):
            if works:
                gets_in(g, "ann", PEOPLE["ann"], database=database)
                assert refused(g, "ann", PEOPLE["bob"], database=database)[0] == "28000"
            else:
                state, said = refused(g, "ann", PEOPLE["ann"], database=database)
                assert state == "08001" and "LDAP authentication is not available" in said


def silent_server():
    """Takes connections and says nothing."""
    s = socket.create_server(("127.0.0.1", 0), backlog=50)
    return s, s.getsockname()[1]


@pytest.mark.cve("T-SLOW logins")
def test_a_directory_that_does_not_answer_keeps_nobody_waiting(ruled, ldap):
    """Others log in and query meanwhile; the next server of the line is asked in time; and leaving does not wait."""
    silent, port = silent_server()
    closed = harness.free_port()
    ends = 'ldapprefix=uid= ldapsuffix=",ou=people,dc=example"'
    g = ruled(
        f"local shop bob ldap ldapserver=127.0.0.1 ldapport={port} {ends}\n"
        f'local shop mary-jane ldap ldapserver="127.0.0.1 127.0.0.1" ldapport={closed} {ends}\n'
        f'local shop ann ldap ldapurl="ldap://127.0.0.1:{closed}/dc=example?uid?sub"\n'
        "local all all password\nhost all all 127.0.0.1/32 scram-sha-256\n",
        "login_timeout = 3s", "auth_threads = 2",
    )  # fmt: skip
    assert refused(g, "mary-jane", PEOPLE["mary-jane"])[0] == "08001"
    assert refused(g, "ann", PEOPLE["ann"])[0] == "08001"
    waiting = [client(g, "bob", PEOPLE["bob"]) for _ in range(6)]
    for c in waiting:
        c.authenticate()
    begun = time.monotonic()
    c = g.login()
    assert c.ask("in") == "in"
    assert time.monotonic() - begun < harness.REPLY_S
    c.end()
    for w in waiting[3:]:
        w.end()
    for w in waiting[:3]:
        try:
            assert w.collect().errors[0].sqlstate == "08001"
        except (pgwire.Closed, ConnectionError):
            pass  # login_timeout was first
    assert time.monotonic() - begun < 5, "login_timeout ends it"
    waiting = [client(g, "bob", PEOPLE["bob"]) for _ in range(3)]
    for c in waiting:
        c.authenticate()
    time.sleep(0.1)
    begun = time.monotonic()
    g.process.send_signal(signal.SIGINT)
    g.process.wait(10)
    assert time.monotonic() - begun < 4, "the threads are left alone"
    silent.close()


def test_the_next_server_is_asked(ruled, ldap):
    """The first one takes connections and says nothing, and refuses them later on; a wrong password is asked about once."""
    silent = socket.create_server(("127.0.0.2", ldap.port), backlog=50)
    g = ruled(
        f'{LINE} ldapserver="127.0.0.2 127.0.0.1" ldapport={ldap.port} ldapprefix=uid= ldapsuffix=",ou=people,dc=example"\n',
        "login_timeout = 4s",
    )
    begun = time.monotonic()
    gets_in(g, "ann", PEOPLE["ann"])
    assert 1.8 < time.monotonic() - begun < 3.9
    silent.close()
    begun = time.monotonic()
    gets_in(g, "ann", PEOPLE["ann"])
    assert refused(g, "ann", PEOPLE["bob"])[0] == "28000"
    assert time.monotonic() - begun < 1.8


def test_who_leaves_before_the_answer_leaves_a_line_in_the_log(ruled):
    silent, port = silent_server()
    g = ruled(f"{LINE} ldapserver=127.0.0.1 ldapport={port} ldapprefix=uid=\n")
    c = client(g, "bob", "password-of-bob")
    c.authenticate()
    time.sleep(1.1)
    c.end()
    harness.wait_for(lambda: '"bob" cannot log in: LDAP has given no answer in 1' in g.said(), what="the reason in the log")
    silent.close()


# ---- PAM -------------------------------------------------------------------------------------------------------------

CHECK = """#!/bin/sh
# What pam_exec passes on: the password on standard input, names in the environment.
password=$(tr -d '\\0')
echo "$PAM_SERVICE $PAM_USER $PAM_RHOST" >> {dir}/asked
case $PAM_USER in
slow*) sleep ${{PAM_USER#slow}} ;;
esac
[ "$password" = "secret of $PAM_USER" ]
"""
EXPIRED = "#!/bin/sh\n[ \"$PAM_USER\" != expired ]\n"


@pytest.fixture
def with_pam(ruled, tmp_path):
    """with_pam(rules, ..., auth=): a gilmok whose PAM asks a script, after the line `auth`."""
    for path in tmp_path.parents[:2]:
        open_to_all(path)
    tmp_path.chmod(0o777)  # where the script writes what it was asked

    def run(rules, *lines, auth=""):
        for name, text in (("check", CHECK.format(dir=tmp_path)), ("expired", EXPIRED)):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        (tmp_path / "pam.d").mkdir(exist_ok=True)
        for name in ("gilmok", "shop"):
            (tmp_path / "pam.d" / name).write_text(
                f"{auth}\nauth required pam_exec.so expose_authtok quiet {tmp_path}/check\naccount required pam_exec.so quiet {tmp_path}/expired\n"
            )
        g = ruled(rules, f"pam_directory = {tmp_path}/pam.d", *lines)
        g.asked = lambda: [line.split() for line in (tmp_path / "asked").read_text().splitlines()] if (tmp_path / "asked").exists() else []
        return g

    return run


def test_a_pam_service_decides(with_pam, tmp_path):
    g = with_pam("local all shopper pam pamservice=shop\nlocal all all pam\nhost all all 127.0.0.1/32 scram-sha-256\n")
    gets_in(g, "somebody", "secret of somebody")
    gets_in(g, "shopper", "secret of shopper")
    for user, password in [("somebody", "secret"), ("expired", "secret of expired"), ("somebody", ""), ("somebody", "secret of shopper")]:
        state, said = refused(g, user, password)
        assert state == "28000" and said.endswith(f'PAM authentication failed for user "{user}"'), said
    assert g.asked()[:2] == [["gilmok", "somebody", "[local]"], ["shop", "shopper", "[local]"]]
    harness.wait_for(lambda: "PAM says no" in g.said(), what="the reason in the log")
    assert "secret of" not in g.said()
    (tmp_path / "pam.d" / "shop").write_text("auth required pam_of_nobody.so\n")
    state, said = refused(g, "shopper", "secret of shopper")
    assert state == "08001" and "PAM authentication is not available" in said


def test_pam_hears_the_address(with_pam, paper):
    ca, pair = paper
    rules = "hostssl all all 127.0.0.0/8 pam\nhostnossl all all 127.0.0.0/8 scram-sha-256\n"
    g = with_pam(rules, "client_tls = allow", f"client_tls_cert_file = {pair[0]}", f"client_tls_key_file = {pair[1]}")
    c = pgwire.Client(g.port, user="somebody", password="secret of somebody", wrap=certs.wrap_client(ca)).login()
    c.end()
    assert g.asked() == [["gilmok", "somebody", "127.0.0.1"]]


@pytest.mark.cve("T-SLOW logins")
def test_pam_keeps_nobody_waiting(with_pam):
    """Two slow ones have both threads; others log in otherwise, and the next of PAM comes when one is free."""
    g = with_pam("local all all pam\nhost all all 127.0.0.1/32 scram-sha-256\n", "auth_threads = 2", "login_timeout = 10s")
    slow = [client(g, "slow1", "secret of slow1") for _ in range(2)]
    for c in slow:
        c.authenticate()
    harness.wait_for(lambda: len(g.asked()) == 2)
    begun = time.monotonic()
    c = g.login()
    assert c.ask("in") == "in" and time.monotonic() - begun < harness.REPLY_S
    c.end()
    gets_in(g, "somebody", "secret of somebody")
    assert 0.3 < time.monotonic() - begun < 5
    for c in slow:
        assert c.expect("R") == b"\0\0\0\0"
        c.end()
    gone = client(g, "slow1", "secret of slow1")
    gone.authenticate()
    harness.wait_for(lambda: len(g.asked()) == 4)
    gone.end()
    gets_in(g, "somebody", "secret of somebody")
    stuck = client(g, "slow30", "secret of slow30")
    stuck.authenticate()
    harness.wait_for(lambda: g.asked()[-1][1] == "slow30")
    begun = time.monotonic()
    g.process.send_signal(signal.SIGINT)
    g.process.wait(10)
    assert time.monotonic() - begun < 4


@pytest.mark.cve("T-SLOW logins")
def test_a_module_that_wants_a_pause_gets_it(with_pam):
    """Who was wrong waits; the threads do not."""
    g = with_pam("local all all pam\n", "auth_threads = 1", auth="auth optional pam_faildelay.so delay=800000")
    wrong = [client(g, "somebody", "guess") for _ in range(8)]
    begun = time.monotonic()
    for c in wrong:
        c.authenticate()
    gets_in(g, "somebody", "secret of somebody")
    for c in wrong:
        assert c.collect().errors[0].sqlstate == "28000"
    assert 0.3 < time.monotonic() - begun < 3, "not one after the other"


def test_fewer_threads_after_a_reload(with_pam):
    """Those that are too many leave, but not with somebody's question."""
    g = with_pam("local all all pam\nhost gilmok all all scram-sha-256\n", "auth_threads = 4", "login_timeout = 5s", "workers = 1")
    busy = [client(g, "slow0.3", "secret of slow0.3") for _ in range(4)]
    for c in busy:
        c.authenticate()
    for c in busy:
        assert c.expect("R") == b"\0\0\0\0"
        c.end()
    g.write("gilmok.conf", g.text.replace("auth_threads = 4", "auth_threads = 1"))
    assert not g.console("RELOAD").errors
    for _ in range(5):
        begun = time.monotonic()
        gets_in(g, "somebody", "secret of somebody")
        assert time.monotonic() - begun < 2


def test_a_password_may_be_a_long_token(with_pam):
    name = "n" * 60
    g = with_pam("local all all pam\n")
    assert refused(g, name, "x" * 9000)[0] == "28000"
    assert len(g.asked()) == 1, "it is asked about"


def test_who_has_said_everything_keeps_its_place(with_pam):
    """Connections that say nothing make room for each other, not for those whose answer is on its way."""
    g = with_pam("local all all pam\n", "max_login_conn = 4", "workers = 1")
    waiting = client(g, "slow1", "secret of slow1")
    waiting.authenticate()
    harness.wait_for(lambda: len(g.asked()) == 1)
    mute = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    for m in mute:
        m.connect(g.socket_path)
    assert waiting.expect("R") == b"\0\0\0\0"
    others = [client(g, "slow2", "secret of slow2") for _ in range(4)]
    for o in others:
        o.authenticate()
    harness.wait_for(lambda: len(g.asked()) == 5)
    gets_in(g, "somebody", "secret of somebody")
    error = others[0].collect().errors[0]
    assert error.sqlstate == "53300" and "max_login_conn" in str(error)
    for c in [waiting, *others]:
        c.end()
    for m in mute:
        m.close()


def test_many_at_once(with_pam):
    g = with_pam("local all all pam\n", "workers = 2")

    def one(i):
        if i % 3:
            gets_in(g, f"user{i}", f"secret of user{i}")
        else:
            assert refused(g, f"user{i}", "wrong")[0] == "28000"

    harness.at_once(24, one)
    assert len(g.asked()) == 24
