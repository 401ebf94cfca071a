"""A real slapd on loopback, with two people in it."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e_place import until

SLAPD = next(
    (path for path in (shutil.which("slapd"), "/usr/sbin/slapd") if path and Path(path).exists()), None
)
SUFFIX = "dc=example,dc=org"
PASSWORD = "a fine password"

_CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
database mdb
suffix "{suffix}"
rootdn "cn=admin,{suffix}"
directory {folder}/data
maxsize 10485760
access to attrs=userPassword by anonymous auth by * none
access to * by self read by * none
"""

_PEOPLE = """\
dn: {suffix}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,{suffix}
objectClass: organizationalUnit
ou: people

dn: uid=ada,ou=people,{suffix}
objectClass: inetOrgPerson
uid: ada
cn: Ada L.
sn: L.
mail: Ada@example.org
userPassword: {password}

dn: uid=bob\\, jr,ou=people,{suffix}
objectClass: inetOrgPerson
uid: bob, jr
cn: Bob
sn: B.
userPassword: {password}
"""


class Directory:
    def __init__(self, port: int, tls_port: int, ca_file: Path) -> None:
        self.url = f"ldap://127.0.0.1:{port}"
        self.tls_url = f"ldaps://127.0.0.1:{tls_port}"
        self.ca_file = ca_file


@contextmanager
def directory(folder: Path) -> Iterator[Directory]:
    """Run a slapd with a folder of its own."""
    (folder / "data").mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    config, people = folder / "slapd.conf", folder / "people.ldif"
    config.write_text(_CONFIG.format(folder=folder, suffix=SUFFIX))
    people.write_text(_PEOPLE.format(suffix=SUFFIX, password=PASSWORD))
    subprocess.run(
        [Path(str(SLAPD)).with_name("slapadd"), "-f", config, "-l", people], check=True, capture_output=True
    )
    ports = []
    with socket.socket() as one, socket.socket() as two:
        for free in (one, two):
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    found = Directory(ports[0], ports[1], folder / "cert.pem")
    with (folder / "log").open("wb") as log:
        words = [str(SLAPD), "-d", "0", "-f", str(config), "-h", f"{found.url} {found.tls_url}"]
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            until(lambda: _answers(ports[0]) or process.poll() is not None, "slapd answers", 20)
            assert process.poll() is None, (folder / "log").read_text()
            yield found
        finally:
            process.terminate()
            process.wait(20)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
