"""Which server, who we are: what is taken, what is refused, and that no secret gets out."""

import json
import os

import pytest
from ece_core.errors import InputError
from ece_core.pacs import Credentials, Server, read_credentials, read_server

WEB = "https://pacs.example/dicom-web"


@pytest.mark.parametrize(
    ("address", "server"),
    [
        pytest.param(WEB + "/", Server("dicomweb", True, "pacs.example", WEB), id="https"),
        pytest.param("http://h:80/d", Server("dicomweb", False, "h", "http://h:80/d"), id="http"),
        pytest.param("dicom://PACS@h:104", Server("dimse", False, "h", port=104, ae_title="PACS"), id="dicom"),
        pytest.param("dicoms://A%20B@h:2762", Server("dimse", True, "h", port=2762, ae_title="A B"), id="dicoms"),
    ],
)
def test_the_address_says_everything(address, server):
    assert read_server(address) == server


@pytest.mark.parametrize(
    ("address", "words"),
    [
        pytest.param("pacs.example", "not one that we know.*https://HOST.*dicom://AETITLE", id="no protocol"),
        pytest.param("dicom://h:104", "not one that we know", id="no AE title"),
        pytest.param("dicom://PACS@h", "not one that we know", id="no port"),
        pytest.param("dicom://PACS@h:99999", "not one that we know", id="no such port"),
        pytest.param("ftp://h/", "not one that we know", id="another protocol"),
        pytest.param("https://jane:secret@h/", "holds a user name or a password.*environment", id="password"),
        pytest.param("dicom://SEVENTEEN_LETTERS@h:1", "AE title.*1 to 16", id="long title"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(address, words):
    with pytest.raises(InputError, match=words) as caught:
        read_server(address)
    assert "secret" not in str(caught.value)


def test_move_port_belongs_to_dimse():
    assert read_server("dicom://P@h:104", move_port=11112).move_port == 11112
    with pytest.raises(InputError, match="--move-port belongs to a DIMSE server"):
        read_server(WEB, move_port=11112)
    with pytest.raises(InputError, match="--move-port is 70000"):
        read_server("dicom://P@h:104", move_port=70000)


@pytest.fixture
def credentials_file(tmp_path):
    def write(content, mode=0o600):
        path = tmp_path / "pacs.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        path.chmod(mode)
        return path

    return write


def test_the_environment_comes_before_the_file(credentials_file):
    file = credentials_file({"username": "jane", "password": "of the file"})
    found = read_credentials(read_server(WEB), None, {"ECE_PACS_CREDENTIALS": str(file), "ECE_PACS_PASSWORD": "mine"})
    assert (found.username, found.password) == ("jane", "mine")
    assert read_credentials(read_server(WEB), None, {}) == Credentials()


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_may_open_is_refused(mode, credentials_file):
    with pytest.raises(InputError, match="Others may open the file with the PACS credentials.*chmod 600"):
        read_credentials(read_server(WEB), credentials_file({"password": "secret"}, mode), {})


@pytest.mark.parametrize("content", ["no JSON", "[1]", '{"pasword": "secret"}', '{"password": 12345}', '{"token": "a'])
def test_a_file_that_is_none_is_refused_without_repeating_it(content, credentials_file):
    with pytest.raises(InputError, match="not as it should be.*username, password, token") as caught:
        read_credentials(read_server(WEB), credentials_file(content), {})
    assert "secret" not in repr(caught.value) and caught.value.__cause__ is None


def test_the_key_is_owner_only_too_and_belongs_to_a_certificate(tmp_path):
    key = tmp_path / "key.pem"
    key.write_text("key")
    key.chmod(0o644)
    pair = {"ECE_PACS_CERTIFICATE_FILE": str(key), "ECE_PACS_KEY_FILE": str(key)}
    with pytest.raises(InputError, match="Others may open the file with the private key"):
        read_credentials(read_server(WEB), None, pair)
    with pytest.raises(InputError, match="A certificate and its key belong together"):
        read_credentials(read_server(WEB), None, {"ECE_PACS_KEY_FILE": str(key)})


@pytest.mark.parametrize("secret", ["ECE_PACS_PASSWORD", "ECE_PACS_TOKEN"])
def test_no_secret_travels_unencrypted(secret):
    for address in ("http://pacs.example/d", "dicom://PACS@10.0.0.1:104"):
        with pytest.raises(InputError, match="would travel unencrypted.*https://"):
            read_credentials(read_server(address), None, {secret: "x"})
    for address in ("http://127.0.0.1:8042/d", "http://localhost/d", "dicom://P@127.0.0.1:4242", WEB):
        assert read_credentials(read_server(address), None, {secret: "x"}).has_secret


def test_no_secret_is_printed():
    assert "secret" not in repr(Credentials("secret", "secret", "secret", "secret", "secret", "secret"))
