# SPDX-License-Identifier: ISC
"""usage: test_wire.py VECTORS
What supd_msg.py writes and reads: the vectors that proto.c passes as well, and
the bytes of nanomsg's connections as supd-protocol(7) shows them."""

import pathlib
import random
import re
import sys
import unittest

import msgpack

import supd_msg as m

VECTORS = pathlib.Path(sys.argv.pop(1))


class Vector:
    def __init__(self, path):
        self.name = path.name
        self.want = []
        self.data = b""
        self.secret = None
        for line in path.read_text().splitlines():
            if line.startswith("#"):
                continue
            if line.startswith("proof secret="):
                self.secret = bytes.fromhex(line[13:])
            elif "=" in line or line in ("end", "bad"):
                self.want.append(line)
            else:
                self.data += bytes.fromhex(line)


def text(data):
    return data.split(b"\0", 1)[0].decode() or "-"


def describe_body(f):
    n = len(f.body)
    if f.type == m.JOIN and n == m.S_JOIN.size:
        yield "join os_pid={}".format(*m.S_JOIN.unpack(f.body))
    elif f.type == m.CREDIT and n == m.S_CREDIT.size:
        yield "credit bytes={} seq={}".format(*m.S_CREDIT.unpack(f.body))
    elif f.type == m.STATS and n == m.S_STATS.size:
        yield ("stats sent={} received={} queued={} queued_bytes={} "
               "dropped={} bad={}".format(*m.S_STATS.unpack(f.body)))
    elif f.type == m.RESULT and n == m.S_RESULT.size:
        yield "result error={}".format(*m.S_RESULT.unpack(f.body))
    elif f.type == m.RESOLVED and n == m.S_RESOLVED.size:
        pid, error, _, shown, endpoint = m.S_RESOLVED.unpack(f.body)
        yield (f"resolved pid={pid:#x} error={error} proof={shown} "
               f"endpoint={text(endpoint)}")
    elif f.type == m.WELCOME and n == m.S_WELCOME.size:
        pid, endpoint, path, secret, most, full, _ = \
            m.S_WELCOME.unpack(f.body)
        yield (f"welcome self={pid:#x} endpoint={text(endpoint)} "
               f"path={text(path)} secret={secret.hex()} max_bytes={most} "
               f"on_full={full}")


def describe(data):
    last = "end"
    for f in m.frames(data):
        if f is None:
            last = "bad"
            break
        yield (f"frame type={f.type} flags={f.flags} to={int(f.to):#x} "
               f"from={int(f.sender):#x} ref={f.ref} seq={f.seq} tag={f.tag} "
               f"body={f.body.hex() or '-'}")
        yield from describe_body(f)
    yield last


def parse(line):
    """The frame that a line of a vector describes."""
    v = dict(word.split("=", 1) for word in line.split()[1:])
    body = b"" if v["body"] == "-" else bytes.fromhex(v["body"])
    n = {k: int(v[k], 0) for k in ("type", "flags", "to", "from", "ref",
                                   "seq", "tag")}
    return m.Frame(n["type"], n["flags"], n["to"], n["from"], n["ref"],
                   n["seq"], n["tag"], body)


class Vectors(unittest.TestCase):
    def setUp(self):
        self.vectors = [Vector(p) for p in sorted(VECTORS.glob("*.hex"))]
        self.assertGreaterEqual(len(self.vectors), 58)

    def test_every_vector_reads_as_it_says(self):
        for v in self.vectors:
            with self.subTest(v.name):
                self.assertEqual(list(describe(v.data)), v.want)

    def test_every_vector_is_written_from_its_words(self):
        for v in self.vectors:
            with self.subTest(v.name):
                data = b"".join(m.encode(parse(line)) for line in v.want
                                if line.startswith("frame "))
                if v.want[-1] == "end":
                    self.assertEqual(data.rstrip(b"\0"),
                                     v.data.rstrip(b"\0"))
                else:
                    self.assertTrue(v.data.startswith(data))

    def test_a_hello_proves_who_was_told_the_way(self):
        proved = 0
        for v in self.vectors:
            if v.secret is not None:
                f = next(m.frames(v.data))
                self.assertEqual(f.ref, m.proof(v.secret, f.sender, f.to))
                proved += 1
        self.assertGreaterEqual(proved, 1)

    def test_there_is_one_of_each_type_that_python_knows(self):
        seen = {f.type for v in self.vectors for f in m.frames(v.data) if f}
        known = {v for k, v in vars(m).items()
                 if re.fullmatch("[A-Z]+", k) and isinstance(v, int) and
                 k in ("DATA CALL REPLY CAST HELLO CREDIT BARRIER BYE JOIN "
                       "READY REGISTER UNREGISTER RESOLVE MONITOR DEMONITOR "
                       "REASON ALIVE UNWELL LINK UNLINK TRAP SPAWN CONTROL "
                       "STATS TRACE REPORT WELCOME RESULT RESOLVED DOWN GONE "
                       "LINKED UNLINKED EXIT SYS ANSWER").split()}
        self.assertEqual(known - seen, set())


class HarmfulInput(unittest.TestCase):
    def test_no_input_makes_the_reader_fail(self):
        rng = random.Random(20240607)
        good = m.encode(m.Frame(m.DATA, 0, 1, 2, 0, 1, 0, b"abc"))
        for i in range(20000):
            data = bytearray(rng.randbytes(rng.randrange(160)))
            if i % 2 and len(data) >= len(good):
                data[:len(good)] = good
                data[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
            for f in m.frames(bytes(data)):
                self.assertTrue(f is None or len(f.body) <= len(data))

    def test_msgpack_that_claims_too_much_is_refused(self):
        for text_ in ("dd ff ff ff ff", "dc ff ff 00", "df ff ff ff ff 00",
                      "c6 ff ff ff ff 00", "c9 ff ff ff ff 01", "c1", "",
                      "91", "82 01 02 03", "01 02", "cf 00", "d8 00 00",
                      "91" * 40 + "c0"):
            with self.subTest(text_), self.assertRaises(m.BadMessage):
                m._unpack(bytes.fromhex(text_))

    def test_msgpack_that_is_whole_is_read(self):
        for value in (None, True, 0, -1, 1 << 63, -(1 << 63), 1.5, "", "é",
                      "x" * 40, "x" * 300, "x" * 70000, b"", b"x" * 300,
                      b"x" * 70000, [], [1] * 20, [1] * 70000, {},
                      {"a": [1, {"b": None}]}, {i: i for i in range(40)},
                      {i: i for i in range(70000)},
                      msgpack.ExtType(1, b"x"), msgpack.ExtType(1, b"xxxx"),
                      msgpack.ExtType(1, b"x" * 16),
                      msgpack.ExtType(1, b"x" * 17),
                      msgpack.ExtType(1, b"x" * 300),
                      msgpack.ExtType(1, b"x" * 70000)):
            data = msgpack.packb(value, use_bin_type=True)
            self.assertEqual(m._unpack(data), value)
        self.assertEqual(m._unpack(b"\xca\x3f\x80\x00\x00"), 1.0)

    def test_random_msgpack_is_read_or_refused(self):
        rng = random.Random(20240608)
        for _ in range(20000):
            data = rng.randbytes(rng.randrange(1, 24))
            try:
                m._unpack(data)
            except m.BadMessage:
                pass


class Socket:
    """The kernel's side of a connection."""

    def __init__(self):
        self.sent = b""
        self.incoming = []

    def send(self, data, _flags):
        self.sent += bytes(data)
        return len(data)

    def recv_into(self, space):
        if not self.incoming:
            raise BlockingIOError
        data = self.incoming.pop(0)
        space[:len(data)] = data
        return len(data)


class Connections(unittest.TestCase):
    def test_the_example_of_the_manual_is_what_is_sent(self):
        page = (VECTORS.parent / "supd-protocol.7").read_text()
        example = page.split(".Sh EXAMPLES")[1].split(".Bd")[1]
        want = b"".join(
            bytes.fromhex(" ".join(re.findall(r"\b[0-9a-f]{2}\b",
                                              line.split("  ")[0])))
            for line in example.split(".Ed")[0].splitlines()[1:])
        a, b = m.Pid.parse("<3.7>"), m.Pid.parse("<2.1>")
        s = Socket()
        c = m._Connection(s, m._Peer(b))
        shown = m.proof(bytes(range(16)), a, b)
        flags, body = m._pack(["value"])
        c.push(m.encode(m.Frame(m.HELLO, 0, b, a, shown)),
               m.encode(m.Frame(m.CALL, flags, b, a, 17, 1, 0, body)))
        self.assertTrue(c.flush())
        # The last frame of the example goes without its padding.
        n = len(want)
        self.assertEqual(s.sent[:16], want[:16])
        self.assertEqual(s.sent[17:n], want[17:])

    def test_messages_arrive_however_the_kernel_cuts_them(self):
        s = Socket()
        out = m._Connection(Socket())
        out.out.clear()
        for i in range(20):
            out.push(m.encode(m.Frame(m.DATA, 0, 1, 2, 0, i + 1, 0,
                                      b"x" * i)))
        data = m.SP_REQ + bytes(out.out)
        rng = random.Random(7)
        while data:
            n = rng.randrange(1, 30)
            s.incoming.append(data[:n])
            data = data[n:]
        c = m._Connection(s)
        got = []
        while c.fill():
            for batch in c.messages():
                got += [f.seq for f in m.frames(batch[4:])]
        self.assertEqual(got, list(range(1, 21)))

    def test_what_nanomsg_would_not_take_ends_the_connection(self):
        for data in (m.SP_REP, m.SP_REQ + b"\2" + bytes(8),
                     m.SP_REQ + b"\1" + b"\xff" * 8):
            s = Socket()
            s.incoming = [data]
            c = m._Connection(s)
            c.fill()
            self.assertEqual(list(c.messages()), [])
            self.assertTrue(c.eof)

    def test_seqs_wrap_around(self):
        self.assertEqual(m._after(1, 0), 1)
        self.assertEqual(m._after(0, 0xFFFFFFFF), 1)
        self.assertEqual(m._after(0xFFFFFFFF, 0), -1)


if __name__ == "__main__":
    unittest.main()
