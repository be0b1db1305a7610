"""TLS and passwords with a real server: certificates are checked, secrets come from an owner-only file."""

import json
import shutil
import subprocess
from types import SimpleNamespace

import pytest
from conftest import datasets
from orthanc import free_port
from tls_door import TlsDoor

pytestmark = pytest.mark.slow


class Authority:
    """Signs certificates for this computer."""

    def __init__(self, folder) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is absent: apt-get install openssl")
        self._folder = folder
        folder.mkdir()
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test authority",
                      "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
        self.certificate = folder / "ca.pem"

    def sign(self, name: str):
        """A key and a certificate for 127.0.0.1."""
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                      "-out", f"{name}.csr")  # fmt: skip
        (self._folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "2", "-extfile", "names", "-out", f"{name}.pem")  # fmt: skip
        key, certificate = self._folder / f"{name}.key", self._folder / f"{name}.pem"
        key.chmod(0o600)
        return key, certificate

    def _openssl(self, *arguments) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def secured(authority, start_orthanc):
    """A server that wants HTTPS and a password, and for DIMSE TLS and a certificate of ours."""
    key, certificate = authority.sign("server")
    orthanc = start_orthanc(
        AuthenticationEnabled=True,
        RegisteredUsers={"jane": "s3cret"},
        DicomTlsEnabled=True,
        DicomTlsPrivateKey=str(key),
        DicomTlsCertificate=str(certificate),
        DicomTlsTrustedCertificates=str(authority.certificate),
        DicomTlsRemoteCertificateRequired=True,
    )
    door = TlsDoor(orthanc.http, key, certificate)
    yield SimpleNamespace(https=door.port, dicom=orthanc.dicom)
    door.close()


@pytest.fixture
def credentials(authority, tmp_path):
    def write(**changes):
        key, certificate = authority.sign("us")
        content = {"username": "jane", "password": "s3cret", "ca_file": str(authority.certificate)}
        content |= {"certificate_file": str(certificate), "key_file": str(key)} | changes
        file = tmp_path / "credentials.json"
        file.write_text(json.dumps(content))
        file.chmod(0o600)
        return file

    return write


def test_https_with_password(secured, credentials, ct, study, ece, tmp_path):
    pacs = ["--server", f"https://127.0.0.1:{secured.https}/dicom-web", "--credentials"]
    sent = ece("pacs", "send", ct, *pacs, credentials())
    assert sent.code == 0, sent.err
    assert ece("pacs", "fetch", study, tmp_path / "a", *pacs, credentials()).code == 0
    assert len(list((tmp_path / "a").rglob("*.dcm"))) == 28
    wrong = ece("pacs", "echo", *pacs, credentials(password="wr0ng"))
    assert wrong.code == 3 and "The PACS refuses us (HTTP status 401)." in wrong.err
    assert "wr0ng" not in wrong.err and "jane" not in wrong.err
    stranger = ece("pacs", "echo", *pacs, credentials(ca_file=""))
    assert stranger.code == 3 and "could not prove who it is" in stranger.err
    named = ece("pacs", "echo", "--server", f"https://localhost:{secured.https}/dicom-web", pacs[2], credentials())
    assert named.code == 3 and "could not prove who it is" in named.err  # the certificate holds another name


def test_dimse_with_certificates(secured, credentials, ct, study, ece, tmp_path):
    pacs = ["--server", f"dicoms://ORTHANC@127.0.0.1:{secured.dicom}", "--credentials"]
    sent = ece("pacs", "send", ct, *pacs, credentials())
    assert sent.code == 0, sent.err
    assert ece("pacs", "fetch", study, tmp_path / "a", *pacs, credentials()).code == 0
    assert len(list((tmp_path / "a").rglob("*.dcm"))) == 28
    stranger = ece("pacs", "echo", *pacs, credentials(ca_file=""))
    assert stranger.code == 3 and "could not prove who it is" in stranger.err
    nobody = ece("pacs", "echo", *pacs, credentials(certificate_file="", key_file=""))
    assert nobody.code == 3 and ("could not prove" in nobody.err or "does not answer" in nobody.err)
    plain = ece("pacs", "echo", "--server", pacs[1].replace("dicoms", "dicom"))
    assert plain.code == 3


@pytest.fixture
def secured_move(authority, start_orthanc):
    """A server that sends for a C-MOVE with TLS, and shows its certificate; ours it checks."""
    key, certificate = authority.sign("server")
    port = free_port()
    us = {"AET": "LNECE", "Host": "127.0.0.1", "Port": port, "Manufacturer": "Generic", "UseDicomTls": True}
    us |= {f"Allow{what}": True for what in ("Echo", "Find", "Get", "Move", "Store")}
    orthanc = start_orthanc(
        DicomTlsEnabled=True,
        DicomTlsPrivateKey=str(key),
        DicomTlsCertificate=str(certificate),
        DicomTlsTrustedCertificates=str(authority.certificate),
        DicomTlsRemoteCertificateRequired=True,
        DicomModalities={"lnece": us},
    )
    return SimpleNamespace(dicom=orthanc.dicom, ours=port)


def test_a_move_comes_back_over_tls(secured_move, credentials, ct, study, ece, tmp_path):
    """What the PACS opens to us is encrypted, too, and whoever shows no certificate is not let in."""
    pacs = ["--server", f"dicoms://ORTHANC@127.0.0.1:{secured_move.dicom}", "--credentials"]
    assert ece("pacs", "send", ct, *pacs, credentials()).code == 0
    move = ["--move-port", secured_move.ours]
    moved = ece("pacs", "fetch", study, tmp_path / "a", *pacs, credentials(), *move)
    assert moved.code == 0, moved.err
    assert datasets(tmp_path / "a") == datasets(ct)
    nobody = ece("pacs", "fetch", study, tmp_path / "b", *pacs, credentials(certificate_file="", key_file=""), *move)
    assert nobody.code in (2, 3) and not list((tmp_path / "b").rglob("*.dcm"))


def test_a_file_that_others_may_read_is_refused_before_anything_is_sent(ece, tmp_path, no_settings):
    file = tmp_path / "credentials.json"
    file.write_text('{"password": "s3cret"}')
    file.chmod(0o644)
    said = ece("pacs", "echo", "--server", "https://127.0.0.1:9/d", "--credentials", file)
    assert said.code == 2 and "Others may open the file" in said.err and "s3cret" not in said.err
