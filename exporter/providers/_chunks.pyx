# cython: language_level=3
"""Many chunks of HTTP's chunked coding taken at once, compiled: what `chunked` does, in a tenth of the time."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.string cimport memcpy

cdef enum:
    MOST_DIGITS = 15
    NEWLINE = 2


cdef struct Chunk:
    Py_ssize_t at
    Py_ssize_t size


cdef int digit(char text) noexcept nogil:
    if c'0' <= text <= c'9':
        return text - c'0'
    if c'a' <= text <= c'f':
        return text - c'a' + 10
    if c'A' <= text <= c'F':
        return text - c'A' + 10
    return -1


cdef bint is_newline(const char *text) noexcept nogil:
    return text[0] == c'\r' and text[1] == c'\n'


cdef bint find(const char *data, Py_ssize_t at, Py_ssize_t end, Chunk *chunk) noexcept nogil:
    """Find the data of the chunk at `at`; False where it is not whole, is the last one, or has more than a size."""
    cdef int64_t size = 0  # holds as many digits, also where Py_ssize_t is of 32 bits
    cdef Py_ssize_t place = at
    while place < end and place - at < MOST_DIGITS and digit(data[place]) >= 0:
        size = size * 16 + digit(data[place])
        place += 1
    if size == 0 or end - place < 2 * NEWLINE or size > end - place - 2 * NEWLINE or not is_newline(data + place):
        return False
    chunk.at, chunk.size = place + NEWLINE, <Py_ssize_t>size
    return is_newline(data + chunk.at + chunk.size)


def take(bytes data not None, Py_ssize_t at):
    """Take the chunks that are whole, from `at` on; return what is in them, and where the next one begins."""
    cdef const char *text = PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t end = at
    cdef Py_ssize_t total = 0
    cdef Chunk chunk
    cdef bytes taken
    cdef char *out
    while find(text, end, size, &chunk):
        total += chunk.size
        end = chunk.at + chunk.size + NEWLINE
    taken = PyBytes_FromStringAndSize(NULL, total)
    out = PyBytes_AS_STRING(taken)
    while at < end:
        find(text, at, size, &chunk)
        memcpy(out, text + chunk.at, chunk.size)
        out += chunk.size
        at = chunk.at + chunk.size + NEWLINE
    return taken, end
