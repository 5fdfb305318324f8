"""An LDAP server (OpenLDAP's slapd) with a few entries, as a child process."""

import os
import shutil
import subprocess
import tempfile

import harness

SLAPD = "/usr/sbin/slapd"
SEARCH_PASSWORD = "secret-of-the-searcher"
SCHEMAS = ("core", "cosine", "inetorgperson")
CONFIG = """
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {dir}/slapd.pid
sizelimit 100
{tls}
access to attrs=userPassword by anonymous auth by * none
access to dn.base="dc=example" by * search
access to dn.subtree="ou=open,dc=example" by * read
access to dn.subtree="ou=people,dc=example" by dn.exact="cn=searcher,dc=example" read by anonymous auth
access to * by * auth
database mdb
maxsize 10485760
suffix "dc=example"
rootdn "cn=nobody,dc=example"
directory {dir}/data
"""


def entry(dn, name, password, *more):
    lines = [f"dn: {dn}", "objectClass: inetOrgPerson", f"cn: {name}", f"sn: {name}", f"uid: {name}", f"userPassword: {password}", *more]
    return "\n".join(lines) + "\n\n"


class Directory:
    """`people`: name to password. ou=people needs a bind to be searched, ou=open does not. `pair`: certificate and key."""

    def __init__(self, people, opened, pair=None):
        owner, prefix = harness.unprivileged()
        self.dir = tempfile.mkdtemp(prefix="gilmok-ldap-", dir="/var/tmp")
        self.port, self.tls_port = harness.free_port(), harness.free_port()
        os.mkdir(f"{self.dir}/data", 0o700)
        tls = f"TLSCertificateFile {pair[0]}\nTLSCertificateKeyFile {pair[1]}" if pair else ""
        with open(f"{self.dir}/slapd.conf", "w", encoding="ascii") as f:
            f.writelines(f"include /etc/ldap/schema/{s}.schema\n" for s in SCHEMAS)
            f.write(CONFIG.format(dir=self.dir, tls=tls))
        with open(f"{self.dir}/data.ldif", "w", encoding="ascii") as f:
            f.write("dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n")
            for unit in ("people", "open"):
                f.write(f"dn: ou={unit},dc=example\nobjectClass: organizationalUnit\nou: {unit}\n\n")
            f.write(entry("cn=searcher,dc=example", "searcher", SEARCH_PASSWORD))
            f.writelines(entry(f"uid={n},ou=people,dc=example", n, p, f"mail: {n}@example") for n, p in people.items())
            f.writelines(entry(f"uid={n},ou=open,dc=example", n, p) for n, p in opened.items())
            f.write(entry("cn=again,ou=open,dc=example", "twice", "twice-password") + entry("cn=once,ou=open,dc=example", "twice", "twice-password"))
        if owner:
            for path in (self.dir, f"{self.dir}/data", f"{self.dir}/slapd.conf", f"{self.dir}/data.ldif"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        subprocess.run([*prefix, "/usr/sbin/slapadd", "-f", f"{self.dir}/slapd.conf", "-l", f"{self.dir}/data.ldif"], check=True,
                       capture_output=True, cwd="/")  # fmt: skip
        urls = f"ldap://127.0.0.1:{self.port}" + (f" ldaps://127.0.0.1:{self.tls_port}" if pair else "")
        self.log = open(f"{self.dir}/log", "wb")
        self.process = subprocess.Popen([*prefix, SLAPD, "-f", f"{self.dir}/slapd.conf", "-h", urls, "-d", "0"], cwd="/",
                                        stdout=self.log, stderr=self.log)  # fmt: skip
        harness.wait_for(self.listens, what="slapd listening")

    def listens(self):
        assert self.process.poll() is None, open(self.log.name, encoding="utf-8").read()
        try:
            harness.socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except ConnectionRefusedError:
            return False

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
