# cython: language_level=3
"""Runs of records to OTLP bytes, compiled: the same bytes as `encode_runs` makes, in a tenth of the time."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef enum:
    SLOTS = 64
    MOST_DIGITS = 256  # and no uid is longer
    TIME_TAG = 1 << 3 | 1
    BODY_TAG = 5 << 3 | 2
    TEXT_TAG = 1 << 3 | 2
    RECORD_TAG = 2 << 3 | 2
    TIME_SIZE = 9

cdef struct Parts:
    const char *fields
    Py_ssize_t fields_size
    Py_ssize_t message_size


cdef inline Py_ssize_t varint_size(uint64_t number) noexcept nogil:
    cdef Py_ssize_t size = 1
    while number >= 0x80:
        number >>= 7
        size += 1
    return size


cdef inline char *put_varint(char *at, uint64_t number) noexcept nogil:
    while number >= 0x80:
        at[0] = <char>(number & 0x7F | 0x80)
        number >>= 7
        at += 1
    at[0] = <char>number
    return at + 1


cdef inline char *put(char *at, const char *text, Py_ssize_t size) noexcept nogil:
    memcpy(at, text, size)
    return at + size


cdef inline char *put_tag(char *at, int tag, uint64_t number) noexcept nogil:
    at[0] = <char>tag
    return put_varint(at + 1, number)


cdef inline char *put_time(char *at, uint64_t time_ns) noexcept nogil:
    cdef int place
    at[0] = TIME_TAG
    for place in range(8):
        at[1 + place] = <char>(time_ns >> (8 * place) & 0xFF)
    return at + TIME_SIZE


cdef class Uid:
    """What ends each record: the same in all, then the uid, whose number counts up."""

    cdef bytes text
    """All but the number."""
    cdef Py_ssize_t digits
    cdef char number[MOST_DIGITS]
    cdef bytes same, beginning
    cdef list heads

    def __init__(self, bytes same not None, list heads not None, bytes beginning not None, number):
        self.same, self.heads, self.beginning = same, heads, beginning
        written = b"%d" % number
        self.digits = len(written)
        self.renew()
        memcpy(self.number, PyBytes_AS_STRING(written), self.digits)

    cdef renew(self):
        self.text = self.same + self.heads[len(self.beginning) + self.digits] + self.beginning

    cdef int count_up(self) except -1:
        cdef Py_ssize_t place = self.digits - 1
        while place >= 0 and self.number[place] == c'9':
            self.number[place] = c'0'
            place -= 1
        if place >= 0:
            self.number[place] += 1
            return 0
        self.digits += 1
        self.renew()
        self.number[0] = c'1'
        self.number[self.digits - 1] = c'0'
        return 0

    cdef inline Py_ssize_t size(self) noexcept:
        return PyBytes_GET_SIZE(self.text) + self.digits


def encode(list times not None, list heads not None, list bodies not None, fields, bytes same not None, list uid_heads not None, bytes beginning not None, number):
    """Return records as they stand in a request, one after the other; the lists are of equal length.

    `fields` gives the encoded fields of a head, `same` is what every record has. `uid_heads` is what stands before a uid,
    by its length; uids are `beginning` and a number that counts up from `number`. Raises IndexError for one too long.
    """
    cdef Py_ssize_t count = len(bodies)
    cdef Py_ssize_t total = 0
    cdef Py_ssize_t nth
    cdef Parts *parts
    cdef char *out
    cdef bytes result, body
    cdef Uid uid = Uid(same, uid_heads, beginning, number)
    if len(times) != count or len(heads) != count:
        raise ValueError(f"{len(times)} times, {len(heads)} heads and {count} bodies")
    parts = <Parts *>malloc(max(count, 1) * sizeof(Parts))
    if parts == NULL:
        raise MemoryError
    try:
        kept = measure(times, heads, bodies, fields, uid, parts)
        for nth in range(count):
            total += 1 + varint_size(parts[nth].message_size) + parts[nth].message_size
        result = PyBytes_FromStringAndSize(NULL, total)
        out = PyBytes_AS_STRING(result)
        uid = Uid(same, uid_heads, beginning, number)
        for nth in range(count):
            if nth:
                uid.count_up()
            out = put_tag(out, RECORD_TAG, parts[nth].message_size)
            if times[nth]:
                out = put_time(out, times[nth])
            out = put(out, parts[nth].fields, parts[nth].fields_size)
            body = bodies[nth]
            out = put_tag(out, BODY_TAG, text_size(PyBytes_GET_SIZE(body)))
            out = put_tag(out, TEXT_TAG, PyBytes_GET_SIZE(body))
            out = put(out, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
            out = put(out, PyBytes_AS_STRING(uid.text), PyBytes_GET_SIZE(uid.text))
            out = put(out, uid.number, uid.digits)
        return result
    finally:
        free(parts)


cdef inline Py_ssize_t text_size(Py_ssize_t size) noexcept nogil:
    """Return the size of a value that holds so much text."""
    return 1 + varint_size(size) + size


cdef list measure(list times, list heads, list bodies, fields, Uid uid, Parts *parts):
    """Fill `parts`; return what they point into."""
    cdef PyObject *seen[SLOTS]
    cdef const char *texts[SLOTS]
    cdef Py_ssize_t sizes[SLOTS]
    cdef list kept = []
    cdef Py_ssize_t nth, slot, value
    cdef bytes text
    for slot in range(SLOTS):
        seen[slot] = NULL
    for nth in range(len(bodies)):
        if nth:
            uid.count_up()
        head = heads[nth]
        slot = (<uintptr_t><PyObject *>head >> 5) % SLOTS
        if seen[slot] != <PyObject *>head:
            text = fields[head]
            kept.append(text)
            seen[slot], texts[slot], sizes[slot] = <PyObject *>head, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)
        value = text_size(len(<bytes>bodies[nth]))
        parts[nth].fields, parts[nth].fields_size = texts[slot], sizes[slot]
        parts[nth].message_size = (TIME_SIZE if times[nth] else 0) + sizes[slot] + 1 + varint_size(value) + value + uid.size()
    return kept
