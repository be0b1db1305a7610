"""A PACS: ask what it has, fetch from it, send to it. Over DICOMweb or DIMSE; only to the server that the user names.

Nothing here runs unless it is called, and nothing is called but by `ece pacs`, `ece analyze --from-pacs` and the
worker's request `send`. The protocols' libraries are an extra of the package: ``pip install "ece-core[pacs]"``.
"""

from ece_core.pacs.connection import Connection, connect
from ece_core.pacs.credentials import Credentials, read_credentials
from ece_core.pacs.fetch import fetch
from ece_core.pacs.instances import Failure, Instance, Refused, Transfer, Unreachable, raise_if_incomplete
from ece_core.pacs.named_server import connect_to_named, send_results
from ece_core.pacs.query import Found, find_instances, find_series, find_studies
from ece_core.pacs.send import files_to_send, send
from ece_core.pacs.server import Server, read_server

__all__ = [
    "Connection",
    "Credentials",
    "Failure",
    "Found",
    "Instance",
    "Refused",
    "Server",
    "Transfer",
    "Unreachable",
    "connect",
    "connect_to_named",
    "fetch",
    "files_to_send",
    "find_instances",
    "find_series",
    "find_studies",
    "raise_if_incomplete",
    "read_credentials",
    "read_server",
    "send",
    "send_results",
]
