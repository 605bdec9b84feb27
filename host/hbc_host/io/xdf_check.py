"""Walk through an XDF file before its reader does: every declared size is held against the bytes that are there.

The layout is that of https://github.com/sccn/xdf/wiki/Specifications: ``XDF:``, then chunks of [bytes of the length:
1, 4 or 8] [length] [tag, 2 bytes] [content]. The reader allocates what a chunk of samples declares, so
a damaged count would ask for any amount of memory.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from hbc_host.errors import InputError
from hbc_host.io.limits import (
    CHANNELS_MAX_N,
    XDF_CHUNK_BYTES,
    XDF_MEMORY_MAX_BYTES,
    XDF_SAMPLE_BYTES,
    XDF_STRING_BYTES,
    XDF_VALUE_COPIES,
)

MAGIC = b"XDF:"
STREAM_HEADER, SAMPLES, CLOCK_OFFSET, STREAM_FOOTER = 2, 3, 4, 6
WIDTHS = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8, "string": 1}
XML_MAX_BYTES = 1_000_000
_LENGTHS = {1: "<B", 4: "<I", 8: "<Q"}


@dataclass
class StreamSize:
    """What the walk learnt of one stream."""

    channels_n: int
    sample_bytes: int
    samples_n: int = 0
    offsets_n: int = 0
    value_bytes: int = 0
    chunks_n: int = 0

    @property
    def memory_bytes(self) -> int:
        """What the reader needs for the samples so far."""
        in_samples = self.samples_n * (XDF_SAMPLE_BYTES + self.channels_n * self.value_bytes)
        return in_samples + (self.chunks_n + self.offsets_n) * XDF_CHUNK_BYTES


def check_chunks(path: Path, data: bytes) -> tuple[dict[int, StreamSize], int]:
    """Streams of a file by their number, and the bytes at its end that belong to no whole chunk.

    Raises
    ------
    InputError
        If a chunk declares more than it can hold, or a stream more than is read.
    """
    if not data.startswith(MAGIC):
        raise InputError(f"{path}: does not begin with {MAGIC!r}; it is no XDF file")
    streams: dict[int, StreamSize] = {}
    at = len(MAGIC)
    while at < len(data):
        found = _length(data, at)
        if found is None or found[0] < 2 or found[1] + found[0] > len(data):
            return streams, len(data) - at
        length_n, content_at = found
        (tag,) = struct.unpack_from("<H", data, content_at)
        content = memoryview(data)[content_at + 2 : content_at + length_n]
        if tag == STREAM_HEADER:
            number, size = _header(path, content)
            if number in streams:
                raise InputError(f"{path}: stream {number} has two headers; the file is damaged, save it again")
            streams[number] = size
        elif tag == SAMPLES:
            _samples(path, content, streams)
        elif tag == CLOCK_OFFSET:
            if len(content) != 20:
                raise InputError(f"{path}: a clock offset has {len(content)} bytes, 20 are needed; the file is damaged")
            streams[_known(path, content, streams)].offsets_n += 1
        elif tag in (1, STREAM_FOOTER):
            _check_xml(path, bytes(content[0 if tag == 1 else 4 :]))
            _known(path, content, streams) if tag == STREAM_FOOTER else None
        at = content_at + length_n
    return streams, 0


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """Length of what follows and where it begins; None at a cut-off or impossible length."""
    form = _LENGTHS.get(data[at])
    if form is None or at + 1 + data[at] > len(data):
        return None
    return int(struct.unpack_from(form, data, at + 1)[0]), at + 1 + data[at]


def _check_xml(path: Path, text: bytes) -> None:
    if len(text) > XML_MAX_BYTES:
        raise InputError(f"{path}: a header of {len(text)} bytes, at most {XML_MAX_BYTES} are read; it is damaged")
    if b"<!" in text and (b"<!DOCTYPE" in text or b"<!ENTITY" in text):
        raise InputError(f"{path}: a header defines its own entities, which no recorder does; it is not read")
    if text.count(b"<") > 20_000:
        raise InputError(f"{path}: a header has {text.count(b'<')} elements; it is damaged, record or save it again")


def _header(path: Path, content: memoryview) -> tuple[int, StreamSize]:
    number = _known(path, content, None)
    text = bytes(content[4:])
    _check_xml(path, text)
    facts = [re.search(rb"<" + name + rb">\s*([^<]*?)\s*</", text) for name in (b"channel_count", b"channel_format")]
    try:
        channels_n = int(facts[0][1]) if facts[0] else -1
    except ValueError:
        channels_n = -1
    kind = facts[1][1].decode("ascii", "replace") if facts[1] else ""
    if not 0 <= channels_n <= CHANNELS_MAX_N or kind not in WIDTHS:
        raise InputError(
            f"{path}: stream {number} declares {channels_n} channels of {kind[:20]!r}; 0 to {CHANNELS_MAX_N} of "
            f"{', '.join(WIDTHS)} are read; the file is damaged, record or save it again"
        )
    in_memory = XDF_STRING_BYTES if kind == "string" else XDF_VALUE_COPIES * WIDTHS[kind]
    return number, StreamSize(channels_n, channels_n * WIDTHS[kind], value_bytes=in_memory)


def _samples(path: Path, content: memoryview, streams: dict[int, StreamSize]) -> None:
    stream = streams[_known(path, content, streams)]
    found = _length(bytes(content[4:13]), 0) if len(content) > 4 else None
    if found is None:
        raise InputError(f"{path}: a chunk of samples is cut off; the file is damaged, record or save it again")
    samples_n, head_n = found
    # A sample is a byte that says whether a stamp follows, and its values; a string is at least its length.
    if samples_n * (1 + stream.sample_bytes) > len(content) - 4 - head_n:
        raise InputError(
            f"{path}: a chunk of {len(content)} bytes declares {samples_n} samples of {stream.sample_bytes} bytes; "
            "the file is damaged, record or save it again"
        )
    stream.samples_n += samples_n
    stream.chunks_n += 1
    needed_bytes = sum(one.memory_bytes for one in streams.values())
    if needed_bytes > XDF_MEMORY_MAX_BYTES:
        raise InputError(
            f"{path}: its streams need more than {XDF_MEMORY_MAX_BYTES / 1e6:.0f} MB of memory to be read; "
            "record the ECG and the markers alone, or a shorter part"
        )


def _known(path: Path, content: memoryview, streams: dict[int, StreamSize] | None) -> int:
    """Number of the stream that a chunk belongs to, which must have had its header."""
    number = int(struct.unpack_from("<I", content)[0]) if len(content) >= 4 else -1
    if number < 0 or (streams is not None and number not in streams):
        raise InputError(f"{path}: a chunk of stream {number} comes before its header; the file is damaged")
    return number
