# SPDX-License-Identifier: ISC
"""Messages between the workers of a supd, in the manner of Erlang.

A worker is a process that supd(8) started.  It has a pid (not the kernel's,
and never used twice), a mailbox, and the names it registers.  This module is
libmsg(3) for Python: it speaks supd-protocol(7) itself and needs nothing but
the standard library and msgpack.

    import supd_msg

    me = supd_msg.Process()              # join supd
    me.register("echo")
    me.ready()
    while True:
        m = me.receive()
        if m.kind == "call":
            me.reply(m, m.value)

A GenServer is a class with callbacks:

    class Counter(supd_msg.GenServer):
        value = 0

        def handle_call(self, request, caller):
            match request:
                case ["increment"]:
                    self.value += 1
                case _:
                    raise supd_msg.Refused("try [\\"increment\\"]")
            return self.value

    supd_msg.serve(Counter, name="counter")

AsyncProcess is the same for asyncio: its operations are awaited.

What is sent is any value that msgpack can hold, by convention a list
[tag, argument ...]; bytes travel as they are.  Where a receiver is asked for,
it is a Pid, a name, or the path of a child.  Times are seconds; None is for
ever.  One thread uses a Process.  It takes things in, fires its timers and
obeys exit signals only inside its own methods.
"""

import asyncio
import atexit
import collections
import errno
import functools
import hashlib
import heapq
import os
import select
import socket
import struct
import sys
import time
import traceback

import msgpack

__all__ = [
    "AsyncProcess", "BadMessage", "CallTimeout", "decode", "Disconnected",
    "encode", "Ended", "Error", "Exit", "Frame", "frames", "GenServer",
    "Message", "NameTaken", "Next", "NoMailbox", "NoProcess", "NoReply",
    "NotSupervised", "Pid", "Process", "proof", "Refused", "Reply", "serve",
    "Stop", "SUPERVISOR",
]

# --- what is on the wire: supd-protocol(7) ---------------------------------

(DATA, CALL, REPLY, CAST, HELLO, CREDIT, BARRIER, BYE) = range(1, 9)
(JOIN, READY, REGISTER, UNREGISTER, RESOLVE, MONITOR, DEMONITOR, REASON,
 ALIVE, UNWELL, LINK, UNLINK, TRAP, SPAWN, CONTROL, STATS, TRACE,
 REPORT, OPENED) = range(32, 51)
(WELCOME, RESULT, RESOLVED, DOWN, GONE, LINKED, UNLINKED) = range(64, 71)
(EXIT, SYS, ANSWER) = range(96, 99)

CONTENT = 0x000F
MSGPACK = 0x0001
F_ERROR = 0x0100
VIA_LINK = WITH_LINK = 0x0200
WITH_MONITOR = 0x0400
MORE = 0x0800
ACK = 0x1000

VERSION = 1
LIFELINE_MAX = 64 * 1024
MESSAGE_MAX = 16 * 1024 * 1024
BATCH_MAX = MESSAGE_MAX + 1024 * 1024
WINDOW = 256 * 1024
KEY_WINDOW = 64 * 1024
KEY_FRAMES = 64
NAME_MAX = 63
REASON_MAX = 63
BLOCK, DROP, KILL = range(3)

HEADER = struct.Struct("<BBHIQQQII")
S_JOIN = struct.Struct("<iI")
S_WELCOME = struct.Struct("<Q104s1024s16sQII")
S_CREDIT = struct.Struct("<QII")
S_STATS = struct.Struct("<6Q")
S_RESULT = struct.Struct("<iI")
S_RESOLVED = struct.Struct("<QiIQ104s")

# nanomsg's own: the greeting of who connects and of who listens, the head of
# a message, and the word that ends its header.
SP_REQ = bytes.fromhex("0053500000300000")
SP_REP = bytes.fromhex("0053500000310000")
SP_HEAD = struct.Struct(">BQI")
SP_WORD = 0x80000000

GUEST_SLOT = 0xFFFFFF
STANDING = 1 << 63  # marks the monitors of those that were called


class Pid(int):
    """Who a worker, or a guest of the control socket, is."""

    def __str__(self):
        return f"<{self >> 40}.{self & 0xFFFFFFFFFF}>"

    __repr__ = __str__

    @classmethod
    def parse(cls, text):
        """The pid that is written "<slot.incarnation>"."""
        slot, inc = text.strip("<>").split(".")
        return cls(int(slot) << 40 | int(inc))

    @property
    def is_guest(self):
        return self >> 40 == GUEST_SLOT


NOBODY = Pid(0)
SUPERVISOR = Pid(GUEST_SLOT << 40)  # who sends a supervisor's exit signals

Frame = collections.namedtuple(
    "Frame", "type flags to sender ref seq tag body",
    defaults=(0, NOBODY, NOBODY, 0, 0, 0, b""))


def encode(f):
    """The bytes of a frame, with its padding."""
    n = HEADER.size + len(f.body)
    head = HEADER.pack(VERSION, f.type, f.flags, n, f.to, f.sender, f.ref,
                       f.seq, f.tag)
    return b"".join((head, f.body, bytes(-n % 8)))


def decode(data, at=0, longest=MESSAGE_MAX):
    """The frame at `at` and where the next begins; None if malformed."""
    left = len(data) - at
    if left < HEADER.size:
        return None
    version, kind, flags, n, to, sender, ref, seq, tag = \
        HEADER.unpack_from(data, at)
    if version != VERSION or n < HEADER.size or n > longest or n > left:
        return None
    body = bytes(data[at + HEADER.size:at + n])
    return (Frame(kind, flags, Pid(to), Pid(sender), ref, seq, tag, body),
            at + min(n + -n % 8, left))


def frames(data, longest=MESSAGE_MAX):
    """Each frame of a batch; then None if what follows is malformed."""
    at = 0
    while at < len(data):
        one = decode(data, at, longest)
        if one is None:
            yield None
            return
        f, at = one
        yield f


def proof(secret, sender, to):
    """What `sender` shows `to` in its HELLO."""
    digest = hashlib.sha256(secret + struct.pack("<QQ", sender, to)).digest()
    return int.from_bytes(digest[:8], "little") or 1


def _text(data):
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


# How many bytes follow the first of a msgpack value's head, 0xc0 to 0xdf.
_MORE = (0, 0, 0, 0, 1, 2, 4, 2, 3, 5, 4, 8, 1, 2, 4, 8,
         1, 2, 4, 8, 2, 3, 5, 9, 17, 1, 2, 4, 2, 4, 2, 4)
_DEPTH_MAX = 32


def _check(data):
    """Does all that a msgpack value claims to hold fit into the data?

    Five bytes may claim four thousand million elements, for which an
    unpacker makes room before it looks.
    """
    at, end, open_ = 0, len(data), [1]
    while open_:
        if open_[-1] == 0:
            open_.pop()
            continue
        open_[-1] -= 1
        if at >= end:
            return False
        f = data[at]
        at += 1
        if f < 0x80 or f >= 0xE0:
            continue
        if f < 0xA0:
            inner = (f & 15) * (1 if f >= 0x90 else 2)
        elif f < 0xC0:
            at += f & 31
            continue
        else:
            more = _MORE[f - 0xC0]
            n = int.from_bytes(data[at:at + more], "big")
            at += more
            if f >= 0xDC:
                inner = n if f < 0xDE else 2 * n
            else:
                if f in (0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB):
                    at += n
                elif 0xC7 <= f <= 0xC9:
                    at += n >> 8
                elif f == 0xC1:
                    return False
                continue
        if inner > end - at or len(open_) > _DEPTH_MAX:
            return False
        open_.append(inner)
    return at == end


def _unpack(data):
    if not _check(data):
        raise BadMessage(errno.EBADMSG, "the body is no msgpack")
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False)
    except (ValueError, TypeError) as e:
        raise BadMessage(errno.EBADMSG, f"the body is no msgpack: {e}") from e


def _pack(value):
    """The flags and the bytes of a body."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return 0, bytes(value)
    return MSGPACK, msgpack.packb(value, use_bin_type=True)


# --- failures ---------------------------------------------------------------

class Error(OSError):
    """What went wrong; `errno` is that of libmsg(3)."""


class NotSupervised(Error):
    """supd has not started this process."""


class Disconnected(Error):
    """supd has gone."""


class NoProcess(Error):
    """Nobody has that name, or that pid has ended (noproc)."""


class NoMailbox(Error):
    """It lives, but takes no messages, or not yet."""


class NameTaken(Error):
    """Another worker has that name."""


class CallTimeout(Error, TimeoutError):
    """No answer, or no room, in time."""


class Ended(Error):
    """The callee ended before it replied; `reason` says how."""

    def __init__(self, pid, reason):
        super().__init__(errno.ECONNRESET,
                         f"{pid} ended before it replied: {reason}")
        self.reason = reason


class Refused(Error):
    """The callee replied with this text.  Raised in a handler, it does so."""

    def __init__(self, text):
        super().__init__(errno.EREMOTEIO, text)
        self.text = text


class BadMessage(Error):
    """A body that is not what it says."""


class Exit(SystemExit):
    """This process ends, for that reason: see Process.exit().

    by_signal: an exit signal has ended it.
    """

    def __init__(self, reason, by_signal=False):
        super().__init__(0 if _is_clean(reason) else 1)
        self.reason = reason
        self.by_signal = by_signal


def _is_clean(reason):
    return reason in ("normal", "shutdown") or reason.startswith("shutdown: ")


def _failure(number, text):
    cls = {errno.ESRCH: NoProcess, errno.ENOENT: NoProcess,
           errno.ENOTCONN: NoMailbox, errno.EEXIST: NameTaken,
           errno.ETIMEDOUT: CallTimeout, errno.EPIPE: Disconnected}
    return cls.get(number, Error)(number, text)


# --- messages ---------------------------------------------------------------

class Message:
    """A received message.

    kind    "data", "call", "cast", "down", "exit", "reply" or "timeout"
    sender  the Pid of who sent it, or has ended
    ref     of the call, request, monitor or timer
    body    its bytes
    value   the body, unpacked; of "down" and "exit" the reason
    error   of a "reply": it is the text of an error
    """

    __slots__ = ("kind", "sender", "ref", "content", "body", "error",
                 "_value")

    def __init__(self, kind, sender, ref, content, body, error=False):
        self.kind = kind
        self.sender = sender
        self.ref = ref
        self.content = content
        self.body = body
        self.error = error

    def __repr__(self):
        return f"<{self.kind} from {self.sender}: {self.body[:40]!r}>"

    @property
    def value(self):
        try:
            return self._value
        except AttributeError:
            pass
        if self.kind in ("down", "exit") or self.error:
            self._value = _text(self.body)
        elif self.content == MSGPACK:
            self._value = _unpack(self.body)
        else:
            self._value = self.body
        return self._value

    @property
    def tag(self):
        """The first of [tag, argument ...], or None."""
        try:
            v = self.value
        except BadMessage:
            return None
        if isinstance(v, list) and v and isinstance(v[0], str):
            return v[0]
        return None


_KINDS = {DATA: "data", CALL: "call", REPLY: "reply", CAST: "cast"}


class _Mailbox:
    """What has come in, in order; those with a ref are found at once."""

    def __init__(self):
        self.items = collections.OrderedDict()
        self.by_ref = {}
        self.last = 0
        self.bytes = 0

    def put(self, m):
        self.last += 1
        self.items[self.last] = m
        self.bytes += HEADER.size + len(m.body)
        if m.kind in ("down", "reply", "timeout"):
            self.by_ref[m.ref] = self.last

    def take(self, key):
        m = self.items.pop(key)
        self.bytes -= HEADER.size + len(m.body)
        if self.by_ref.get(m.ref) == key:
            del self.by_ref[m.ref]
        return m

    def find(self, fits, since=0):
        """The oldest after `since` that fits, as its key, or None."""
        found = None
        if since == 0:
            for key, m in self.items.items():
                if fits(m):
                    return key
            return None
        for key in reversed(self.items):
            if key <= since:
                break
            if fits(self.items[key]):
                found = key
        return found


# --- connections ------------------------------------------------------------

_SPACE = memoryview(bytearray(256 * 1024))


class _Connection:
    """A stream to or from another worker, in nanomsg's bytes."""

    def __init__(self, sock, peer=None):
        self.sock = sock
        self.peer = peer        # of whom it is; None: no HELLO yet
        self.ours = peer is not None  # we have connected
        self.buf = bytearray()
        self.out = bytearray()
        self.greeted = False
        self.eof = False
        self.watched = 0
        self.out += SP_REQ if self.ours else SP_REP

    def push(self, *items):
        """Add a message that holds these frames to what is to be written."""
        data = b"".join(items)
        self.out += SP_HEAD.pack(1, 4 + len(data), SP_WORD)
        self.out += data

    def flush(self):
        """Write what the kernel takes.  False if something is left."""
        while self.out:
            try:
                n = self.sock.send(self.out, socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                # It takes no more; but what it has sent may be unread.
                n = len(self.out)
            del self.out[:n]
        return True

    def fill(self):
        """Read what is there.  False if it was nothing."""
        try:
            n = self.sock.recv_into(_SPACE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            n = 0
        if n == 0:
            self.eof = True
            return False
        self.buf += _SPACE[:n]
        return True

    def messages(self):
        """Take what is complete.  Each is a batch of frames."""
        buf = self.buf
        if not self.greeted:
            if len(buf) < 8:
                return
            if buf[:8] != (SP_REP if self.ours else SP_REQ):
                self.eof = True
                buf.clear()
                return
            del buf[:8]
            self.greeted = True
        while len(buf) >= 9:
            kind, n = struct.unpack_from(">BQ", buf)
            if kind != 1 or n > BATCH_MAX:
                self.eof = True
                buf.clear()
                return
            if len(buf) < 9 + n:
                return
            with memoryview(buf) as view:
                data = bytes(view[9:9 + n])
            del buf[:9 + n]
            yield data


class _Peer:
    """What we know of another worker until it is gone."""

    def __init__(self, pid):
        self.pid = pid
        self.route = None      # the connection that we have made
        self.back = None       # one that it has made
        self.relayed = False   # by the lifeline
        self.gone = False
        self.closed = False    # its mailbox does not listen any more
        # What we have sent, and what of it was acknowledged.
        self.seq = 0
        self.sent = 0
        self.acked = 0
        self.lost = 0
        self.acked_seq = 0
        self.by_key = False    # the path of the last frame
        self.passed_seq = 0    # the last before an answered BARRIER
        self.barrier_seq = {}  # of the one that is unanswered: its ref
        # What we have taken.
        self.taken_seq = 0
        self.taken = 0
        self.credited = 0
        self.credited_frames = 0
        self.taken_frames = 0
        self.held = []         # exit signals that wait for messages
        self.bad = 0

    def room(self, size):
        window = KEY_WINDOW if self.by_key else WINDOW
        under_way = self.sent - self.acked
        if self.by_key and _after(self.seq, self.acked_seq) >= KEY_FRAMES:
            return False
        # For less than half of a window no credit may come.
        return under_way <= window / 2 or under_way + size <= window

    def settled(self):
        """Is all that was sent acknowledged, so that the path may change?"""
        return self.seq in (self.acked_seq, self.passed_seq)


def _after(a, b):
    """How much later a is than b, of numbers that wrap around."""
    d = (a - b) & 0xFFFFFFFF
    return d - (1 << 32) if d >= 1 << 31 else d


class _Asked:
    """A question to supd, or a request to a worker, that is unanswered."""

    __slots__ = ("pid", "answer", "then", "private", "down", "parts")

    def __init__(self, pid=NOBODY, then=None, private=True):
        self.pid = pid
        self.answer = None
        self.then = then        # called when the answer comes
        self.private = private  # the answer is not for the mailbox
        self.down = None        # why the worker has ended
        self.parts = b""        # of an answer in several frames


def operation(steps):
    """A method that may have to wait.

    It is a generator that yields the time until which it waits; it goes on
    when something has come in.  Process runs it to its end, AsyncProcess makes
    a coroutine of it.
    """
    @functools.wraps(steps)
    def method(self, *args, **kwargs):
        return self._drive(steps(self, *args, **kwargs))
    method.steps = steps
    return method


def _deadline(timeout):
    return None if timeout is None else time.monotonic() + timeout


# --- the process ------------------------------------------------------------

_ASK_TIMEOUT = 10.0    # supd answers from memory
_CLOSE_TIMEOUT = 5.0
_ASK_AGAIN = 1.0       # a BARRIER, when no credit comes
_DEAD_MAX = 256
_CALL_TIMEOUT = 5.0


class Process:
    """This worker.  Joins supd when it is made; `fd` is that of SUPD_FD.

    pid, path   who it is, and its place in the tree
    stats       what it has counted since
    """

    def __init__(self, fd=None):
        self.pid = NOBODY
        self.path = ""
        self.stats = dict.fromkeys(
            ("sent", "received", "dropped", "bad", "late"), 0)
        self._owner = os.getpid()
        self._opened = False   # before, no frame may say that it is
        self._closed = False
        self._cut = False
        self._doom = None
        self._leaving = False
        self._trapping = False
        self._tracing = False
        self._serves = False
        self._refs = 0
        self._mailbox = _Mailbox()
        self._questions = {}   # to supd
        self._asked = {}       # of workers
        self._callees = set()  # those of whom a DOWN will come
        self._monitors = set()
        self._links = set()
        self._peers = {}
        self._conns = {}
        self._dead = collections.OrderedDict()
        self._timers = []
        self._armed = {}
        self._background = []
        self._sys = collections.deque()
        self._line_out = collections.deque()
        self._listener = None
        self._told = None
        self._told_at = 0.0
        beat = os.environ.get("WATCHDOG_USEC", "")
        self._beat = int(beat) / 1e6 if beat.isdigit() else 0.0
        self._beat_at = 0.0
        self._epoll = select.epoll()
        self._line = self._take_lifeline(fd)
        self._line_watched = select.EPOLLIN
        self._epoll.register(self._line, select.EPOLLIN)
        self._run(self._join())
        atexit.register(self._at_exit)

    # -- joining and leaving

    @staticmethod
    def _take_lifeline(fd):
        text = os.environ.get("SUPD_FD", "")
        if fd is None and not text:
            raise NotSupervised(
                errno.ENXIO, "not started by supd: SUPD_FD is not set")
        try:
            line = socket.socket(fileno=int(text) if fd is None else fd)
        except (ValueError, OSError):
            line = None
        if line is None or line.type != socket.SOCK_SEQPACKET:
            if line is not None:
                line.detach()
            raise NotSupervised(
                errno.EBADF, f"SUPD_FD is {text!r}, which is not the "
                "lifeline that supd gave: was it closed?")
        line.set_inheritable(False)
        line.setblocking(False)
        return line

    def _join(self):
        f = yield from self._ask(JOIN, then=self._on_welcome,
                                 body=S_JOIN.pack(os.getpid(), 0))
        if f.type == RESULT:
            number = S_RESULT.unpack(f.body)[0]
            raise _failure(number, f"join supd: {os.strerror(number)}")
        endpoint = _text(self._endpoint)
        if endpoint:
            self._listen(endpoint)
        self._opened = True
        self._tell(OPENED)

    def _on_welcome(self, f):
        # At once: what comes next may be a message already.
        if f.type == WELCOME:
            (pid, self._endpoint, path, self._secret, self._max_bytes,
             self._on_full, _) = S_WELCOME.unpack(f.body)
            self.pid = Pid(pid)
            self.path = _text(path)

    def _listen(self, endpoint):
        self._socket_path = endpoint.removeprefix("ipc://")
        s = socket.socket(socket.AF_UNIX,
                          socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        mask = os.umask(0o177)
        try:
            s.bind(self._socket_path)
        finally:
            os.umask(mask)
        s.listen(4096)
        self._listener = s
        self._epoll.register(s, select.EPOLLIN)

    def _at_exit(self):
        if self._owner == os.getpid():
            self.close()

    def close(self):
        """Leave: wait until the kernel has all that was sent (5 s at most).

        Happens by itself when the interpreter ends.
        """
        if self._closed:
            return
        self._leaving = True
        self._run(self._flush(_deadline(_CLOSE_TIMEOUT)))
        self._closed = True
        for c in list(self._conns.values()):
            if c.ours and c.greeted and not c.out:
                c.push(encode(Frame(BYE, 0, c.peer.pid, self.pid, 0,
                                    c.peer.seq)))
                c.flush()
            c.sock.close()
        self._conns.clear()
        if self._listener is not None:
            self._listener.close()
            try:
                os.unlink(self._socket_path)
            except OSError:
                pass
        self._line.close()
        self._epoll.close()
        atexit.unregister(self._at_exit)

    def _flush(self, deadline):
        # A worker that has not greeted yet has not accepted, and would drop
        # a connection that is closed before.
        while self._line_out or any(
                c.out or (c.ours and not c.greeted)
                for c in self._conns.values()):
            if time.monotonic() >= deadline:
                return
            yield deadline

    def exit(self, reason="normal"):
        """End this process with a reason that all others see.

        "normal", "shutdown" and "shutdown: WHY" are clean ends.  Raises Exit,
        which is a SystemExit.
        """
        reason = reason.encode()[:REASON_MAX].decode("utf-8", "ignore")
        self._declare(reason)
        raise Exit(reason)

    def _declare(self, reason):
        self._leaving = True
        try:
            self._run(self._flush(_deadline(_CLOSE_TIMEOUT)))
            self._run(self._ask(REASON, body=reason.encode(),
                                timeout=_CLOSE_TIMEOUT))
        except Error:
            pass

    @property
    def links(self):
        """Those that we are linked with."""
        return frozenset(self._links)

    # -- waiting

    def _drive(self, steps):
        return self._run(steps)

    def _run(self, steps):
        self._check_owner()
        try:
            while True:
                self._pump(next(steps))
        except StopIteration as e:
            return e.value

    def _check_owner(self):
        if self._closed:
            raise Error(errno.ENOTCONN, "this process has left supd")
        if self._owner != os.getpid():
            raise Error(errno.ECHILD, "a forked child has no mailbox")

    def _pump(self, deadline):
        """Wait until something comes, or the deadline, and take it in."""
        deadline = self._wake_at(deadline)
        wait = None
        if deadline is not None:
            wait = max(0.0, deadline - time.monotonic())
        for fd, _ in self._epoll.poll(wait):
            if fd == self._line.fileno():
                self._flush_line()
                self._read_line()
            elif self._listener is not None and \
                    fd == self._listener.fileno():
                self._accept()
            elif fd in self._conns:
                c = self._conns[fd]
                self._flush_conn(c)
                c.fill()
                self._take(c)
        if not self._leaving:
            self._fire_timers()
            self._step_background()
            self._tell_stats()
            if self._doom is not None:
                self._declare(self._doom)
                raise Exit(self._doom, True)

    def _wake_at(self, deadline):
        """When there is something to do of our own before the deadline."""
        if self._leaving:
            return deadline
        if self._timers:
            at = self._timers[0][0]
            deadline = at if deadline is None else min(deadline, at)
        if self._told is not None and self._told != self._counted():
            at = self._told_at + 1
            deadline = at if deadline is None else min(deadline, at)
        return deadline

    def fileno(self):
        """For a foreign event loop: readable when dispatch() has work."""
        return self._epoll.fileno()

    def dispatch(self):
        """Take in what is there, never wait.  How many messages wait."""
        self._check_owner()
        self._pump(0.0)
        return len(self._mailbox.items)

    @operation
    def sleep(self, seconds):
        """Wait; messages that come meanwhile are kept."""
        until = _deadline(seconds)
        while time.monotonic() < until:
            yield until

    # -- the lifeline

    def _new_ref(self):
        self._refs += 1
        return self._refs

    def _tell(self, kind, flags=0, to=NOBODY, ref=0, seq=0, tag=0, body=b""):
        data = encode(Frame(kind, flags, to, self.pid, ref, seq, tag, body))
        if len(data) > LIFELINE_MAX:
            raise Error(errno.EMSGSIZE, f"{len(body)} bytes are too long for "
                        "the lifeline")
        if self._cut:
            raise Disconnected(errno.EPIPE, "supd has gone")
        self._line_out.append(data)
        self._flush_line()

    def _flush_line(self):
        while self._line_out and not self._cut:
            try:
                self._line.send(self._line_out[0], socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as e:
                if e.errno == errno.ENOBUFS:
                    break
                self._cut = True
                break
            self._line_out.popleft()
        if self._cut:
            self._line_out.clear()
        want = select.EPOLLIN
        if self._line_out:
            want |= select.EPOLLOUT
        if want != self._line_watched:
            self._line_watched = want
            self._epoll.modify(self._line, want)

    def _read_line(self):
        for _ in range(64):
            if self._cut:
                return
            try:
                data = self._line.recv(LIFELINE_MAX)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self._cut = True
                self._epoll.unregister(self._line)
                return
            got = decode(data, 0, LIFELINE_MAX)
            if got is None or got[1] != len(data):
                self.stats["bad"] += 1
            else:
                self._on_control(got[0])

    def _ask(self, kind, timeout=_ASK_TIMEOUT, then=None, **fields):
        """Ask supd: the frame of its answer."""
        ref = self._new_ref()
        q = self._questions[ref] = _Asked(then=then)
        deadline = _deadline(timeout)
        try:
            self._tell(kind, ref=ref, **fields)
            while q.answer is None:
                if self._cut:
                    raise Disconnected(errno.EPIPE, "supd has gone")
                if deadline is not None and time.monotonic() >= deadline:
                    raise CallTimeout(errno.ETIMEDOUT,
                                      f"no answer within {timeout} s")
                yield deadline
        finally:
            self._questions.pop(ref, None)
        return q.answer

    def _ask_result(self, what, kind, **fields):
        f = yield from self._ask(kind, **fields)
        number = S_RESULT.unpack(f.body)[0] if f.type == RESULT else \
            errno.EPROTO
        if number != 0:
            raise _failure(number, f"{what}: {os.strerror(number)}")

    def _ask_value(self, what, kind, **fields):
        f = yield from self._ask(kind, **fields)
        if f.flags & F_ERROR:
            raise _failure(f.tag or errno.EREMOTEIO,
                           f"{what}: {_text(f.body)}")
        return _unpack(f.body)

    def _on_control(self, f):
        kind = f.type
        if kind in (DATA, CALL, REPLY, CAST):
            self._deliver(f)
        elif kind in (WELCOME, RESULT, RESOLVED, ANSWER):
            self._on_answer(f)
        elif kind == DOWN:
            self._on_down(f)
        elif kind == GONE:
            self._ended(f.sender)
        elif kind == LINKED:
            self._links.add(f.sender)
        elif kind == UNLINKED:
            self._links.discard(f.sender)
        elif kind == EXIT:
            self._on_exit(f)
        elif kind == SYS:
            self._on_sys(f)
        else:
            self.stats["bad"] += 1

    def _on_answer(self, f):
        q = self._questions.get(f.ref)
        if q is None:
            self.stats["late"] += 1
        elif f.type == ANSWER and f.flags & MORE:
            q.parts += f.body
        else:
            q.answer = f = f._replace(body=q.parts + f.body)
            if q.then is not None:
                q.then(f)

    # -- names

    @operation
    def ready(self):
        """Tell supd that this worker is ready to work."""
        self._tell(READY)
        yield from ()

    @operation
    def register(self, name):
        """Take a name, until we give it up or end.  NameTaken."""
        if not 1 <= len(name.encode()) <= NAME_MAX:
            raise Error(errno.EINVAL, f"{name!r}: a name has 1 to "
                        f"{NAME_MAX} bytes")
        yield from self._ask_result(f"register {name!r}", REGISTER,
                                    body=name.encode())

    @operation
    def unregister(self, name):
        yield from self._ask_result(f"unregister {name!r}", UNREGISTER,
                                    body=name.encode())

    def _resolve(self, to):
        """(pid, error, proof, endpoint) of a pid, a name or a path."""
        if isinstance(to, str):
            f = yield from self._ask(RESOLVE, body=to.encode())
        else:
            f = yield from self._ask(RESOLVE, to=to)
        if f.type != RESOLVED or len(f.body) != S_RESOLVED.size:
            raise Error(errno.EPROTO, "supd sent a malformed answer")
        pid, error, _, shown, endpoint = S_RESOLVED.unpack(f.body)
        return Pid(pid), error, shown, _text(endpoint)

    def _owner_of(self, to):
        """The pid of a destination, and what is known of the way."""
        if not isinstance(to, str):
            return Pid(to), None
        where = yield from self._resolve(to)
        if where[0] == NOBODY:
            raise NoProcess(errno.ENOENT, f"no worker is registered as "
                            f"{to!r} or has that path")
        return where[0], where

    @operation
    def whereis(self, name):
        """Whose is this name, or path?  Its Pid, or None."""
        where = yield from self._resolve(name)
        return where[0] or None

    @operation
    def is_alive(self, pid):
        """Does this incarnation live?"""
        if pid == self.pid:
            return True
        if pid in self._dead:
            return False
        where = yield from self._resolve(pid)
        return where[0] == pid

    @operation
    def info(self, who=None):
        """What supd and the worker itself know of it: a dict."""
        return (yield from self._ask_value(
            "info", CONTROL, flags=MSGPACK,
            body=msgpack.packb(["info", {"name": str(who or self.pid)}])))

    @operation
    def control(self, method, timeout=None, **params):
        """A request of the control protocol, within `allow`."""
        return (yield from self._ask_value(
            method, CONTROL, flags=MSGPACK, timeout=timeout,
            body=msgpack.packb([method, params])))

    @operation
    def sys(self, to, op, *args, timeout=_CALL_TIMEOUT):
        """Ask a worker for a system operation, as get_state."""
        pid, _ = yield from self._owner_of(to)
        return (yield from self._ask_value(
            op, SYS, flags=MSGPACK, to=pid, timeout=timeout,
            body=msgpack.packb([op, *args])))

    # -- sending

    @operation
    def send(self, to, value, timeout=None):
        """Send a message.  To a pid that has ended it is silent."""
        yield from self._post(DATA, to, value, timeout)

    @operation
    def cast(self, to, value, timeout=None):
        """Send a request that wants no reply."""
        yield from self._post(CAST, to, value, timeout)

    def _post(self, kind, to, value, timeout=None):
        deadline = _deadline(timeout)
        flags, body = _pack(value)
        pid, where = yield from self._owner_of(to)
        try:
            yield from self._send(kind, pid, flags, 0, body, where, deadline)
        except NoProcess:
            pass

    def _send(self, kind, to, flags, ref, body, where=None, deadline=None):
        size = HEADER.size + len(body)
        size += -size % 8
        if HEADER.size + len(body) > MESSAGE_MAX:
            raise Error(errno.EMSGSIZE, f"{len(body)} bytes are too long")
        if to == self.pid:
            self.stats["sent"] += 1
            self._deliver(Frame(kind, flags, to, to, ref, 0, 0, body))
            return
        p = yield from self._way(to, kind, where)
        if p is None:
            while len(self._line_out) > 64 and not self._cut:
                yield deadline
            self._tell(kind, flags, to, ref, 0, 0, body)
        else:
            yield from self._send_direct(p, kind, flags, ref, body, size,
                                         deadline)
        self.stats["sent"] += 1
        self._trace("out", Frame(kind, flags, to, self.pid, ref, 0, 0, body))

    def _way(self, pid, kind, where=None):
        """The peer that can be sent to; None: by the lifeline."""
        p = self._peers.get(pid)
        if pid in self._dead or (p is not None and p.closed):
            raise NoProcess(errno.ESRCH, f"{pid} has ended")
        if pid.is_guest or (p is not None and p.relayed):
            return None
        if p is not None and (p.route or (kind == REPLY and p.back)):
            return p
        if where is None:
            where = yield from self._resolve(pid)
        owner, error, shown, endpoint = where
        if owner != pid:
            raise NoProcess(errno.ESRCH, f"{pid} has ended")
        p = self._peer(pid)
        if error == errno.EACCES:
            p.relayed = True
            return None
        if error != 0 or not endpoint:
            number = error or errno.ENOTCONN
            raise _failure(number, f"{pid} takes no messages: "
                           f"{os.strerror(number)}")
        if p.route is None:
            yield from self._connect(p, endpoint, shown)
        return p

    def _peer(self, pid):
        p = self._peers.get(pid)
        if p is None:
            p = self._peers[pid] = _Peer(pid)
        return p

    def _connect(self, p, endpoint, shown):
        path = endpoint.removeprefix("ipc://")
        while True:
            s = socket.socket(socket.AF_UNIX,
                              socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                s.connect(path)
                break
            except BlockingIOError:
                s.close()
                yield time.monotonic() + 0.01
                if p.route is not None:
                    return
            except OSError:
                s.close()
                p.closed = True
                raise NoProcess(errno.ESRCH,
                                f"{p.pid} has ended") from None
        p.route = _Connection(s, p)
        p.route.push(encode(Frame(HELLO, 0, p.pid, self.pid, shown)))
        self._add(p.route)

    def _send_direct(self, p, kind, flags, ref, body, size, deadline):
        asked = 0.0
        while True:
            by_key = p.route is None
            c = p.back if by_key else p.route
            if p.gone or p.closed or c is None or \
                    (by_key and kind != REPLY):
                raise NoProcess(errno.ESRCH, f"{p.pid} has ended")
            same = by_key == p.by_key or p.seq == 0
            if (same or p.settled()) and p.room(size) and \
                    len(c.out) < WINDOW:
                break
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                raise CallTimeout(errno.ETIMEDOUT,
                                  f"{p.pid} takes no messages")
            if now >= asked:
                if asked or not same:
                    self._barrier(p)
                asked = now + _ASK_AGAIN
            yield asked if deadline is None else min(asked, deadline)
        p.by_key = by_key
        p.seq = (p.seq + 1) & 0xFFFFFFFF
        p.sent += size
        c.push(encode(Frame(kind, flags, p.pid, self.pid, ref, p.seq, 0,
                            body)))
        self._flush_conn(c)

    def _barrier(self, p):
        """Ask whether all that we have sent has arrived."""
        c = p.back if p.by_key else p.route
        if c is not None and p.barrier_seq.get(p.seq) is None:
            ref = self._new_ref()
            p.barrier_seq = {p.seq: ref}
            c.push(encode(Frame(BARRIER, 0, p.pid, self.pid, ref)))
            self._flush_conn(c)

    # -- connections

    def _add(self, c):
        fd = c.sock.fileno()
        self._conns[fd] = c
        c.watched = select.EPOLLIN
        self._epoll.register(fd, c.watched)
        self._flush_conn(c)

    def _accept(self):
        while self._listener is not None:
            try:
                s, _ = self._listener.accept()
            except OSError:
                return
            s.setblocking(False)
            self._add(_Connection(s))

    def _flush_conn(self, c):
        want = select.EPOLLIN
        if not c.flush():
            want |= select.EPOLLOUT
        if want != c.watched and not c.eof:
            c.watched = want
            self._epoll.modify(c.sock, want)

    def _take(self, c):
        for data in c.messages():
            if len(data) < 4 or not data[0] & 0x80:
                self.stats["bad"] += 1
                continue
            for f in frames(memoryview(data)[4:]):
                self._on_frame(c, f)
        if c.eof:
            self._lost(c)

    def _lost(self, c):
        fd = c.sock.fileno()
        if self._conns.pop(fd, None) is None:
            return
        self._epoll.unregister(fd)
        c.sock.close()
        p = c.peer
        if p is None:
            return
        if p.route is c:
            # An endpoint is never used again.
            p.route = None
            p.closed = True
        elif p.back is c:
            self._forget_back(p)

    @staticmethod
    def _forget_back(p):
        p.back = None
        if p.by_key:
            # It has arrived, or never will.
            p.acked, p.acked_seq = p.sent, p.seq

    def _blame(self, p):
        self.stats["bad"] += 1
        if p is not None:
            p.bad += 1
            if p.bad & (p.bad - 1) == 0 and not self._cut:
                self._tell(REPORT, to=p.pid, ref=p.bad)

    def _on_frame(self, c, f):
        p = c.peer
        if f is None:
            self._blame(p)
        elif f.type == HELLO:
            self._on_hello(c, f)
        elif p is None or f.sender != p.pid or f.to != self.pid:
            if p is None and f.sender in self._dead:
                self.stats["late"] += 1
            else:
                self._blame(p)
        elif f.type in (DATA, CALL, REPLY, CAST):
            self._on_message(c, p, f)
        elif f.type == CREDIT:
            self._on_credit(p, f)
        elif f.type == BARRIER:
            self._on_barrier(c, p, f)
        elif f.type == BYE and not c.ours:
            if p.back is c:
                self._forget_back(p)
            c.peer = None
        else:
            self._blame(p)

    def _on_hello(self, c, f):
        if c.ours or c.peer is not None or f.to != self.pid or \
                f.ref != proof(self._secret, f.sender, self.pid):
            self._blame(c.peer)
        elif f.sender in self._dead:
            self.stats["late"] += 1
        else:
            p = c.peer = self._peer(f.sender)
            if p.back is not None:
                self._forget_back(p)
            p.back = c

    def _on_message(self, c, p, f):
        later = _after(f.seq, p.taken_seq)
        if f.seq == 0 or later <= 0:
            self._blame(p)
            return
        if later > 1:
            self.stats["bad"] += 1
        size = HEADER.size + len(f.body)
        p.taken_seq = f.seq
        p.taken += size + -size % 8
        p.taken_frames += 1
        self.stats["received"] += 1
        self._deliver(f)
        due, frames_due = (KEY_WINDOW, KEY_FRAMES) if c.ours else \
            (WINDOW, float("inf"))
        if p.taken - p.credited >= due / 2 or \
                p.taken_frames - p.credited_frames >= frames_due / 2:
            self._give_credit(p)
        if p.held:
            self._release(p)

    def _give_credit(self, p):
        c = p.route or p.back
        if c is None or p.credited == p.taken:
            return
        if p.back is not None and self._on_full == BLOCK and self._full():
            return
        p.credited, p.credited_frames = p.taken, p.taken_frames
        c.push(encode(Frame(CREDIT, 0, p.pid, self.pid, 0, 0, 0,
                            S_CREDIT.pack(p.taken, p.taken_seq, 0))))
        self._flush_conn(c)

    def _full(self):
        return 0 < self._max_bytes <= self._mailbox.bytes

    def _on_credit(self, p, f):
        if len(f.body) != S_CREDIT.size:
            self._blame(p)
            return
        taken, seq, _ = S_CREDIT.unpack(f.body)
        if taken > p.sent or _after(p.seq, seq) < 0:
            self._blame(p)
            return
        if seq == p.seq:
            # What is missing was lost with a connection.
            p.lost = p.sent - taken
        p.acked = max(p.acked, min(taken + p.lost, p.sent))
        if _after(seq, p.acked_seq) > 0:
            p.acked_seq = seq

    def _on_barrier(self, c, p, f):
        if not f.flags & ACK:
            self._give_credit(p)
            c.push(encode(Frame(BARRIER, ACK, p.pid, self.pid, f.ref)))
            self._flush_conn(c)
            return
        for seq, ref in p.barrier_seq.items():
            if ref == f.ref:
                p.passed_seq = seq
                p.barrier_seq = {}
                break

    # -- what has come in

    def _deliver(self, f):
        if f.to != self.pid or f.sender == NOBODY:
            self.stats["bad"] += 1
            return
        self._trace("in", f)
        m = Message(_KINDS[f.type], f.sender, f.ref, f.flags & CONTENT,
                    f.body, bool(f.flags & F_ERROR))
        if f.type == REPLY:
            a = self._asked.pop(f.ref, None)
            if a is None:
                self.stats["late"] += 1
            elif a.private:
                a.answer = m
            else:
                self._mailbox.put(m)
        elif self._has_room(f):
            self._mailbox.put(m)
        else:
            self.stats["dropped"] += 1

    def _has_room(self, f):
        """May a message come in?  What blocks is that no credit is given."""
        after = self._mailbox.bytes + HEADER.size + len(f.body)
        if self._max_bytes == 0 or f.sender == self.pid or \
                after <= self._max_bytes:
            return True
        if self._on_full == KILL:
            self._doom = self._doom or "mailbox full"
        # Those for whom supd relays have no credit that could end.
        return self._on_full != DROP and \
            (f.seq != 0 or after <= 2 * self._max_bytes)

    def _on_down(self, f):
        self._ended(f.sender)
        reason = _text(f.body)
        if f.ref & STANDING:
            self._callees.discard(f.sender)
            for ref, a in list(self._asked.items()):
                if a.pid == f.sender:
                    self._request_down(ref, a, f.body)
        elif f.ref == 0 or f.ref in self._monitors:
            self._monitors.discard(f.ref)
            self._mailbox.put(Message("down", f.sender, f.ref, 0,
                                      reason.encode()))

    def _request_down(self, ref, a, reason):
        del self._asked[ref]
        a.down = _text(reason)
        if not a.private:
            self._mailbox.put(Message("down", a.pid, ref, 0, reason))

    def _ended(self, pid):
        """A worker has ended: take in what it has left, then forget it."""
        if pid == NOBODY or pid in self._dead:
            return
        self._accept()
        for c in list(self._conns.values()):
            while c.sock.fileno() != -1 and \
                    (c.peer is None or c.peer.pid == pid):
                more = c.fill()
                self._take(c)
                if not more:
                    break
        p = self._peers.pop(pid, None)
        self._dead[pid] = None
        if len(self._dead) > _DEAD_MAX:
            self._dead.popitem(last=False)
        if p is not None:
            for c in list(self._conns.values()):
                if c.peer is p:
                    self._lost(c)
            p.gone = True
            held, p.held = p.held, []
            for f in held:
                self._obey(f)
        for ref, entry in list(self._armed.items()):
            if entry[3] == pid:
                del self._armed[ref]

    # -- exit signals

    def _on_exit(self, f):
        if f.flags & VIA_LINK:
            if f.sender not in self._links:
                return
            self._links.discard(f.sender)
            self._ended(f.sender)
            self._obey(f)
            return
        p = self._peers.get(f.sender)
        if f.seq and f.sender not in self._dead and \
                (p is None or _after(f.seq, p.taken_seq) > 0):
            self._peer(f.sender).held.append(f)
        else:
            self._obey(f)

    def _release(self, p):
        held, p.held = p.held, []
        for f in held:
            self._on_exit(f)

    def _obey(self, f):
        reason = _text(f.body)
        if reason == "kill" and not f.flags & VIA_LINK:
            self._doom = "killed"
        elif self._trapping:
            self._mailbox.put(Message("exit", f.sender, 0, 0, f.body))
        elif reason != "normal" or f.sender == self.pid:
            self._doom = self._doom or reason

    @operation
    def trap_exit(self, on=True):
        """Have exit signals come as messages of kind "exit"."""
        self._trapping = bool(on)
        self._tell(TRAP, ref=int(self._trapping))
        yield from ()

    @operation
    def exit_to(self, pid, reason):
        """Send an exit signal."""
        body = reason.encode()
        if len(body) > REASON_MAX:
            raise Error(errno.EINVAL, f"a reason has at most {REASON_MAX} "
                        "bytes")
        if pid == self.pid:
            self._obey(Frame(EXIT, 0, pid, pid, 0, 0, 0, body))
            yield 0.0
            return
        p = self._peers.get(pid)
        self._tell(EXIT, to=pid, seq=p.seq if p else 0, body=body)
        yield from ()

    @operation
    def link(self, pid):
        """When one of the two ends, the other gets an exit signal."""
        if pid == self.pid or pid in self._links:
            return
        try:
            yield from self._ask_result(f"link {pid}", LINK, to=pid)
        except NoProcess:
            if not self._trapping:
                raise
            self._mailbox.put(Message("exit", Pid(pid), 0, 0, b"noproc"))

    @operation
    def unlink(self, pid):
        """Nothing comes by that link any more."""
        self._links.discard(pid)
        self._tell(UNLINK, to=pid)
        yield from ()

    # -- monitors

    @operation
    def monitor(self, to):
        """Be told once, by a "down" with this ref, when it has ended."""
        ref = self._new_ref()
        self._monitors.add(ref)
        if isinstance(to, str):
            self._tell(MONITOR, ref=ref, body=to.encode())
        else:
            self._tell(MONITOR, ref=ref, to=to)
        yield from ()
        return ref

    @operation
    def demonitor(self, ref, flush=False):
        """Stop a monitor.  True if it was still active."""
        active = ref in self._monitors
        if active:
            self._monitors.discard(ref)
            self._tell(DEMONITOR, ref=ref)
        elif flush and ref in self._mailbox.by_ref:
            self._mailbox.take(self._mailbox.by_ref[ref])
        yield from ()
        return active

    @operation
    def spawn(self, pool, *args, link=False, monitor=False):
        """Start a child of a simple_one_for_one supervisor: its Pid.

        With monitor it is (pid, ref).  Both are there before it runs.
        """
        flags = MSGPACK | WITH_LINK * link | WITH_MONITOR * monitor
        refs = []

        def then(f):
            if not f.flags & F_ERROR and monitor:
                self._monitors.add(f.ref)
                refs.append(f.ref)

        pid = yield from self._ask_value(
            f"spawn in {pool}", SPAWN, flags=flags, timeout=None, then=then,
            body=msgpack.packb([pool, [str(a) for a in args]]))
        return (Pid(pid), refs[0]) if monitor else Pid(pid)

    # -- calls

    @operation
    def call(self, to, request, timeout=_CALL_TIMEOUT):
        """Send a request and wait for its reply.

        NoProcess, CallTimeout, Ended, Refused.
        """
        deadline = _deadline(timeout)
        ref, a = yield from self._request(to, request, True, deadline)
        looked = False
        try:
            while a.answer is None and a.down is None:
                if self._cut:
                    raise Disconnected(errno.EPIPE, "supd has gone")
                if looked and deadline is not None and \
                        time.monotonic() >= deadline:
                    raise CallTimeout(errno.ETIMEDOUT,
                                      f"{a.pid} did not reply in time")
                looked = True
                yield deadline
        finally:
            self._asked.pop(ref, None)
        return self._outcome(a.pid, a.answer, a.down)

    @staticmethod
    def _outcome(pid, m, down):
        if m is None and down == "noproc":
            raise NoProcess(errno.ESRCH, f"{pid} has ended")
        if m is None:
            raise Ended(pid, down)
        if m.error:
            raise Refused(m.value)
        return m.value

    def _request(self, to, request, private, deadline=None):
        flags, body = _pack(request)
        pid, where = yield from self._owner_of(to)
        if pid == self.pid:
            raise Error(errno.EDEADLK, "a worker cannot call itself")
        if pid == NOBODY or pid.is_guest:
            raise NoProcess(errno.ESRCH, f"{pid} takes no calls")
        ref = self._new_ref()
        a = _Asked(pid, private=private)
        if where is None and pid not in self._callees:
            # Whether there is a way, before it is monitored.
            yield from self._way(pid, CALL)
        if pid not in self._callees:
            self._callees.add(pid)
            self._tell(MONITOR, to=pid, ref=self._new_ref() | STANDING)
        self._asked[ref] = a
        try:
            yield from self._send(CALL, pid, flags, ref, body, where,
                                  deadline)
        except NoProcess:
            pass  # the DOWN is near, and tells how
        except BaseException:
            self._asked.pop(ref, None)
            raise
        return ref, a

    @operation
    def request(self, to, request):
        """The first half of a call.  A "reply" or "down" with this ref comes.
        """
        try:
            ref, _ = yield from self._request(to, request, False)
        except NoProcess:
            ref = self._new_ref()
            pid = NOBODY if isinstance(to, str) else Pid(to)
            self._mailbox.put(Message("down", pid, ref, 0, b"noproc"))
        return ref

    @operation
    def wait_response(self, ref, timeout=None):
        """The second half.  After CallTimeout the request still lives."""
        deadline = _deadline(timeout)
        looked = False
        while ref not in self._mailbox.by_ref:
            if ref not in self._asked:
                raise Error(errno.EINVAL, "there is no such request")
            if self._cut:
                raise Disconnected(errno.EPIPE, "supd has gone")
            if looked and deadline is not None and \
                    time.monotonic() >= deadline:
                raise CallTimeout(errno.ETIMEDOUT, "no response in time")
            looked = True
            yield deadline
        m = self._take_message(self._mailbox.by_ref[ref])
        if m.kind == "down":
            return self._outcome(m.sender, None, m.value)
        return self._outcome(m.sender, m, None)

    def cancel_request(self, ref):
        """Give a request up.  True if there was one."""
        if self._asked.pop(ref, None) is not None:
            return True
        if ref in self._mailbox.by_ref:
            self._take_message(self._mailbox.by_ref[ref])
            return True
        return False

    @operation
    def reply(self, call, value):
        """Answer a call, now or later, in any order, once."""
        flags, body = _pack(value)
        yield from self._reply(call, flags, body)

    @operation
    def reply_error(self, call, text):
        """Let the caller have a Refused with this text."""
        yield from self._reply(call, F_ERROR, text.encode())

    def _reply(self, call, flags, body):
        if call.kind != "call":
            raise Error(errno.EINVAL, "only a call can be replied to")
        try:
            yield from self._send(REPLY, call.sender, flags, call.ref, body)
        except NoProcess:
            pass

    # -- receiving

    @operation
    def receive(self, timeout=None, *, kind=None, sender=None, ref=None,
                tag=None, where=None):
        """Take the oldest message that fits; None if none came in time.

        kind, sender, ref, tag: as of Message; where: a function of it.  The
        others stay where they are, in order.
        """
        deadline = _deadline(timeout)
        box = self._mailbox

        def fits(m):
            return ((kind is None or m.kind == kind) and
                    (sender is None or m.sender == sender) and
                    (ref is None or m.ref == ref) and
                    (tag is None or m.tag == tag) and
                    (where is None or where(m)))

        since = 0
        looked = False
        while True:
            key = box.by_ref.get(ref) if ref is not None else None
            if key is None or not fits(box.items[key]):
                key = box.find(fits, since)
            if key is not None:
                return self._take_message(key)
            since = box.last
            if self._cut:
                raise Disconnected(errno.EPIPE, "supd has gone")
            if looked and deadline is not None and \
                    time.monotonic() >= deadline:
                return None
            looked = True
            yield deadline

    def _take_message(self, key):
        was_full = self._full()
        m = self._mailbox.take(key)
        if was_full and not self._full():
            for p in list(self._peers.values()):
                if p.taken - p.credited >= WINDOW / 2:
                    self._give_credit(p)
        return m

    # -- timers

    def send_after(self, seconds, to, value):
        """Have a message sent later.  A ref, for cancel_timer()."""
        return self._arm(seconds, to, value)

    def start_timer(self, seconds, value):
        """Have a "timeout" with the ref that is returned come to us."""
        return self._arm(seconds, None, value)

    def _arm(self, seconds, to, value):
        ref = self._new_ref()
        entry = (time.monotonic() + seconds, ref, value, to)
        self._armed[ref] = entry
        heapq.heappush(self._timers, (entry[0], ref))
        return ref

    def cancel_timer(self, ref):
        """How many seconds were left; None: it has fired, or never was."""
        entry = self._armed.pop(ref, None)
        if entry is None:
            return None
        return max(0.0, entry[0] - time.monotonic())

    def _fire_timers(self):
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, ref = heapq.heappop(self._timers)
            entry = self._armed.pop(ref, None)
            if entry is None:
                continue
            _, _, value, to = entry
            if to is None:
                flags, body = _pack(value)
                self._mailbox.put(Message("timeout", self.pid, ref, flags,
                                          body))
            else:
                self._background.append(self._post(DATA, to, value))

    def _step_background(self):
        todo, self._background = self._background, []
        for steps in todo:
            try:
                next(steps)
                self._background.append(steps)
            except StopIteration:
                pass
            except Error:
                pass  # nobody has that name now

    # -- telling supd

    def alive(self):
        """A sign of life, for a worker with a `heartbeat`."""
        now = time.monotonic()
        if self._beat and now >= self._beat_at:
            self._beat_at = now + self._beat / 8
            self._tell(ALIVE)

    def unwell(self):
        """This worker cannot go on: supd is to restart it."""
        if self._beat:
            self._tell(UNWELL)

    def counters(self):
        """What was counted, and what waits."""
        return {**self.stats, "queued": len(self._mailbox.items),
                "queued_bytes": self._mailbox.bytes,
                "routes": sum(c.ours for c in self._conns.values())}

    def _counted(self):
        n = self.stats
        return (n["sent"], n["received"], len(self._mailbox.items),
                self._mailbox.bytes, n["dropped"], n["bad"])

    def _tell_stats(self):
        now = time.monotonic()
        if now < self._told_at + 1 or self._cut or not self._opened:
            return
        n = self._counted()
        if n != self._told:
            self._told, self._told_at = n, now
            self._tell(STATS, body=S_STATS.pack(*n))

    def _trace(self, way, f):
        if not self._tracing or self._cut:
            return
        told = {"dir": way, "kind": _KINDS[f.type], "from": str(f.sender),
                "to": str(f.to), "len": len(f.body), "lost": 0}
        if f.flags & CONTENT == MSGPACK and len(f.body) <= 4096:
            try:
                told["body"] = _unpack(f.body)
            except BadMessage:
                pass
        self._tell(TRACE, flags=MSGPACK, body=msgpack.packb(told))

    # -- sys

    def _on_sys(self, f):
        try:
            op, *args = _unpack(f.body)
        except (BadMessage, ValueError, TypeError):
            self._answer_error(f, errno.EINVAL, "not [op, argument ...]")
            return
        if op == "info":
            self._answer(f, self._info())
        elif op == "trace" and len(args) == 1:
            self._tracing = bool(args[0])
            self._answer(f, True)
        elif self._serves and f.sender.is_guest:
            self._sys.append((f, op, args))
        elif self._serves:
            # In its turn after what that worker has sent before.
            m = Message("system", f.sender, f.ref, 0, b"")
            m._value = f, op, args
            self._mailbox.put(m)
        else:
            self._answer_error(f, errno.EOPNOTSUPP, "this worker is no "
                               "server")

    def _info(self):
        return {**self.counters(), "lossless": True}

    def _answer(self, f, value):
        if f.ref == 0 or self._cut:
            return
        data = msgpack.packb(value, default=repr)
        step = LIFELINE_MAX - HEADER.size - 8
        while len(data) > step:
            self._tell(ANSWER, MSGPACK | MORE, f.sender, f.ref,
                       body=data[:step])
            data = data[step:]
        self._tell(ANSWER, MSGPACK, f.sender, f.ref, body=data)

    def _answer_error(self, f, number, text):
        if f.ref != 0 and not self._cut:
            self._tell(ANSWER, F_ERROR, f.sender, f.ref, tag=number,
                       body=text.encode())

    @operation
    def _next_event(self, deadline, only_sys):
        """For a server: (sys, None), (None, message) or (None, None)."""
        looked = False
        while True:
            if self._sys:
                return self._sys.popleft(), None
            if only_sys:
                key = self._mailbox.find(
                    lambda m: m.kind == "system" or
                    (m.kind == "exit" and m.sender == SUPERVISOR))
            else:
                key = next(iter(self._mailbox.items), None)
            if key is not None:
                m = self._take_message(key)
                return (m.value, None) if m.kind == "system" else (None, m)
            if self._cut:
                raise Disconnected(errno.EPIPE, "supd has gone")
            if looked and deadline is not None and \
                    time.monotonic() >= deadline:
                return None, None
            looked = True
            yield deadline


class AsyncProcess(Process):
    """The same in asyncio: what may have to wait is awaited.

        async def main():
            me = supd_msg.AsyncProcess()
            await me.register("echo")
            await me.ready()
            while m := await me.receive():
                ...
    """

    def __init__(self, fd=None):
        self._waiters = set()
        self._loop = None
        super().__init__(fd)

    def _drive(self, steps):
        return self._await(steps)

    async def _await(self, steps):
        self._check_owner()
        try:
            while True:
                await self._progress(next(steps))
        except StopIteration as e:
            return e.value
        finally:
            steps.close()

    async def _progress(self, deadline):
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.add_reader(self.fileno(), self._on_ready)
        deadline = self._wake_at(deadline)
        fut = loop.create_future()
        self._waiters.add(fut)
        timer = None
        if deadline is not None:
            # loop.time() is time.monotonic().
            timer = loop.call_at(deadline, self._on_ready)
        try:
            await fut
        finally:
            self._waiters.discard(fut)
            if timer is not None:
                timer.cancel()

    def _on_ready(self):
        if self._closed:
            return
        self._pump(0.0)
        waiters, self._waiters = self._waiters, set()
        for fut in waiters:
            if not fut.done():
                fut.set_result(None)

    def close(self):
        if self._loop is not None and not self._loop.is_closed() and \
                not self._closed:
            self._loop.remove_reader(self.fileno())
        super().close()


# --- servers: OTP's gen_server ----------------------------------------------

class Next:
    """What a handler returns that wants more than to go on.

    timeout   if no message at all comes for so many seconds, handle_info()
              with a Message of kind "timeout" and ref 0 (G-8)
    then      handle_continue() with this, before anything else (G-9)
    """

    def __init__(self, timeout=None, then=None):
        self.timeout = timeout
        self.then = then


class NoReply(Next):
    """From handle_call: the caller gets its reply later, by
    self.process.reply(caller, value)."""


class Reply(Next):
    """From handle_call: a reply, and more."""

    def __init__(self, value, timeout=None, then=None):
        super().__init__(timeout, then)
        self.value = value


class Stop:
    """From all: run terminate() and end.  A reply is sent after it (G-7)."""

    _NONE = object()

    def __init__(self, reason="normal", reply=_NONE):
        self.reason = reason
        self.reply = reply


class GenServer:
    """A server: override what it does.  `process` is its Process.

    An exception in a handler ends it with that as its reason, except for
    Refused in handle_call(), which goes to the caller.  A server with
    trap_exit = True is stopped by its supervisor through terminate().
    """

    trap_exit = False
    process = None

    def init(self, *args):
        """supd hears that the worker is ready when this has returned."""

    def handle_call(self, request, caller):
        """What is returned is the reply."""
        raise Stopped(f"bad_call: {_tag(request)}")

    def handle_cast(self, request):
        raise Stopped(f"bad_cast: {_tag(request)}")

    def handle_info(self, message):
        """All other messages."""
        print(f"{type(self).__name__}: dropped {message}", file=sys.stderr)

    def handle_continue(self, what):
        """See Next."""

    def terminate(self, reason):
        """The server is going to end."""

    def format_state(self):
        """What others may see of the state."""
        return {k: v for k, v in vars(self).items() if k != "process"}

    def replace_state(self, value):
        vars(self).update(value)

    def code_change(self, *args):
        """Only while suspended."""


class Stopped(Exception):
    """Raised in a handler: as returning Stop, but it is a crash."""


def _tag(request):
    if isinstance(request, list) and request and \
            isinstance(request[0], str):
        return request[0]
    return "?"


def serve(cls, *args, name=None, process=None):
    """Be a server: join supd, register, init(*args), say ready, serve.

    Ends this process with the server's reason.
    """
    me = process or Process()
    server = cls()
    server.process = me
    me._serves = True
    if name is not None:
        try:
            me.register(name)
        except NameTaken:
            owner = me.whereis(name)
            me.exit(f"already_started: {owner}")
    _Loop(server, me, name or cls.__name__).run(args)


class _Loop:
    """The loop of a server."""

    def __init__(self, server, process, name):
        self.server = server
        self.process = process
        self.name = name
        self.suspended = False
        self.timeout = None
        self.started = time.monotonic()
        self.n_in = 0
        self.n_out = 0
        self.last = None
        self.log = collections.deque(maxlen=0)

    def run(self, args):
        if self.server.trap_exit:
            self.process.trap_exit()
        self.guard(self.server.init, *args)
        self.process.ready()
        while True:
            request, m = self.process._next_event(
                None if self.suspended else self.timeout, self.suspended)
            if request is not None:
                self.system(*request)
                continue
            if m is None:
                m = Message("timeout", self.process.pid, 0, 0, b"")
            self.timeout = None
            self.message(m)

    def message(self, m):
        self.n_in += 1
        self.last = m
        if self.log.maxlen:
            self.log.append(f"in {m!r}")
        if m.kind == "exit" and m.sender == SUPERVISOR:
            self.stop(m.value)
        elif m.kind == "call":
            self.guard(self.call, m)
        elif m.kind == "cast":
            self.guard(lambda: self.server.handle_cast(m.value))
        else:
            self.guard(self.server.handle_info, m)

    def call(self, m):
        try:
            got = self.server.handle_call(m.value, m)
        except Refused as e:
            self.process.reply_error(m, e.text)
            return None
        if isinstance(got, Stop):
            got.caller = m
        elif isinstance(got, Reply):
            self.reply(m, got.value)
        elif not isinstance(got, Next):
            self.reply(m, got)
            return None
        return got

    def reply(self, m, value):
        self.n_out += 1
        if self.log.maxlen:
            self.log.append(f"out {value!r} to {m.sender}")
        self.process.reply(m, value)

    def guard(self, fn, *args):
        """Call a handler and do what it wants next."""
        while True:
            try:
                got = fn(*args)
            except Exit as e:
                if e.by_signal:
                    raise
                self.stop(e.reason)
            except BadMessage as e:
                got = None  # of another program; it harms only itself
                if self.last is not None and self.last.kind == "call":
                    self.process.reply_error(self.last, str(e))
            except Stopped as e:
                self.crash(str(e))
            except Exception as e:
                self.crash(f"{type(e).__name__}: {e}")
            if isinstance(got, Stop):
                self.stop(got.reason, got)
            if not isinstance(got, Next):
                return
            if got.timeout is not None:
                self.timeout = time.monotonic() + got.timeout
            if got.then is None:
                return
            fn, args = self.server.handle_continue, (got.then,)

    def crash(self, reason):
        print(f"{self.name}: {reason}; last message: {self.last}",
              file=sys.stderr)
        traceback.print_exc()
        self.stop(reason)

    def stop(self, reason, stop=None):
        """Terminate, reply, and end."""
        try:
            self.server.terminate(reason)
        except Exit as e:
            if e.by_signal:
                raise
            reason = e.reason
        except Exception as e:
            traceback.print_exc()
            reason = f"{type(e).__name__}: {e}"
        if stop is not None and stop.reply is not Stop._NONE and \
                getattr(stop, "caller", None) is not None:
            self.process.reply(stop.caller, stop.reply)
        self.process.exit(reason)

    def system(self, f, op, args):
        """A system operation (G-14)."""
        fn = {"suspend": self.suspend, "resume": self.resume,
              "get_state": self.server.format_state,
              "replace_state": self.replace_state,
              "get_status": self.status, "statistics": self.statistics,
              "change_code": self.change_code, "log": self.logged,
              "terminate": None}.get(op, self)
        if fn is self:
            self.process._answer_error(f, errno.EOPNOTSUPP,
                                       f"{op}: no such operation")
            return
        if fn is None:
            self.process._answer(f, True)
            self.stop(args[0] if args else "normal")
        try:
            self.process._answer(f, fn(*args))
        except Exception as e:
            self.process._answer_error(f, errno.EINVAL, f"{op}: {e}")

    def suspend(self):
        self.suspended = True
        return True

    def resume(self):
        self.suspended = False
        return True

    def replace_state(self, value):
        self.server.replace_state(value)
        return True

    def change_code(self, *args):
        if not self.suspended:
            raise ValueError("only while it is suspended")
        self.server.code_change(*args)
        return True

    def status(self):
        return {"status": "suspended" if self.suspended else "running",
                "name": self.name, "pid": str(self.process.pid),
                "state": self.server.format_state(), "log": list(self.log)}

    def statistics(self):
        return {"uptime_ms": int((time.monotonic() - self.started) * 1000),
                "cpu_ms": int(time.process_time() * 1000),
                "messages_in": self.n_in, "messages_out": self.n_out}

    def logged(self, n=None):
        if n is None:
            return list(self.log)
        self.log = collections.deque(self.log, maxlen=int(n))
        return True
