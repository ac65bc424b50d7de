"""Owns the form of a message between the two processes: two lengths, a head in JSON, and bytes."""

from __future__ import annotations

import json
import os
import struct

#: The lengths of head and bytes.
LENGTHS = struct.Struct("<IQ")

#: Bytes that the head of a message from the student's process may have, beside those of its arrays.
MOST_HEAD = 4 << 20


def packed(head, blob=b""):
    """Return a message as bytes.

    Parameters
    ----------
    head : dict
        Whatever JSON can say.
    blob : bytes
        What goes beside it.

    Returns
    -------
    bytes
    """
    text = json.dumps(head).encode()
    return LENGTHS.pack(len(text), len(blob)) + text + blob


def send(descriptor, head, blob=b""):
    """Write a message to a pipe, all of it.

    Parameters
    ----------
    descriptor : int
    head : dict
    blob : bytes
    """
    rest = memoryview(packed(head, blob))
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(descriptor):
    """Wait for a message from a process that is trusted.

    Parameters
    ----------
    descriptor : int

    Returns
    -------
    (dict, bytes)
        Or None at the end of the pipe.
    """
    lengths = _exactly(descriptor, LENGTHS.size)
    if lengths is None:
        return None
    head, blob = LENGTHS.unpack(lengths)
    return json.loads(_exactly(descriptor, head)), _exactly(descriptor, blob)


def _exactly(descriptor, size):
    chunks = []
    while size:
        chunk = os.read(descriptor, min(size, 1 << 20))
        if not chunk:
            return None
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
