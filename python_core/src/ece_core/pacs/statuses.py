"""What a DIMSE status or a STOW-RS failure reason means (PS3.4 annexes B and C, PS3.18 I.2.2)."""

from __future__ import annotations

STORED_WITH_WARNING = {0xB000, 0xB006, 0xB007}  # coerced, elements discarded, does not match its class
REASONS = {
    0x0110: "processing failure",
    0x0112: "no such object",
    0x0117: "invalid object",
    0x0119: "class and object do not belong together",
    0x0122: "the server does not take this kind of object",
    0x0124: "not authorized",
    0x0211: "unrecognized operation",
    0x0212: "mistyped argument",
    0xA801: "the server does not know where our AE title is",
    0xFE00: "cancelled",
}
RANGES = {0xA7: "out of resources", 0xA9: "it does not match its class", 0xC0: "cannot be understood"}


def is_passing(status: int) -> bool:
    """Whether the server may take it a moment later."""
    return status >> 8 == 0xA7


def said_status(status: int) -> str:
    """The status in words and as a number."""
    meaning = REASONS.get(status) or RANGES.get(status >> 8) or "failed"
    return f"{meaning} (status 0x{status:04X})"
