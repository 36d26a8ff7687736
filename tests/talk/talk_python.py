#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""supd_msg.py keeps libmsg's promises, also with workers in C.

The cases are workers of a real supd, as those in talk.h, which tells how
tests/talk/run runs this file.  A function with a docstring in CASES is a case,
its docstring the name; `role_` begins the name of what a peer does.
"""

import asyncio
import os
import sys
import time

import supd_msg

PATIENCE = 10
me = None


def peer(role, *args, **how):
    return me.spawn("peers", role, *args, **how)


def add(name, *command, more=""):
    """A worker of another kind, beside us; its pid when it is ready."""
    me.control("add", path="root", wait=True, timeout_ns=20 * 10 ** 9,
               spec=f"{{worker: {name}, command: {list(command)}, "
               f"ready: notify, restart: temporary{more}}}")
    return me.whereis(f"root/{name}")


def raises(kind, fn, *args, **kwargs):
    try:
        fn(*args, **kwargs)
    except kind as e:
        return e
    raise AssertionError(f"no {kind.__name__}")


def down(ref):
    m = me.receive(PATIENCE, ref=ref)
    assert m is not None and m.kind == "down", m
    return m.value


# --- what the others do ----------------------------------------------------

def open_peer():
    p = supd_msg.Process()
    p.ready()
    return p


def role_obey():
    """Do what is told by messages."""
    p = open_peer()
    while True:
        m = p.receive()
        match m.value:
            case ["exit", reason]:
                p.exit(reason)
            case ["raise"]:
                raise SystemExit(3)
            case ["link", pid]:
                p.link(pid)
                p.send(m.sender, "linked")
            case ["trap"]:
                p.trap_exit()
                p.send(m.sender, "trapping")
            case ["register", name]:
                try:
                    p.register(name)
                    p.send(m.sender, "ok")
                except supd_msg.NameTaken:
                    p.send(m.sender, "taken")
            case ["echo", value] if m.kind == "call":
                p.reply(m, value)
            case ["refuse", text]:
                p.reply_error(m, text)
            case ["late", seconds]:
                p.sleep(seconds)
                p.reply(m, "late")
            case ["never"]:
                pass
            case _:
                if m.kind == "exit":
                    p.send(m.sender, ["trapped", m.value])
    # not reached


def role_send(to, count, size):
    """Send so many messages of that size, and return from main."""
    p = open_peer()
    for i in range(int(count)):
        p.send(supd_msg.Pid(int(to)), i.to_bytes(8, "little") +
               bytes(int(size)))


def flood(p, other, count):
    for i in range(count):
        p.send(other, ["n", i])
    want = 0
    while want < count:
        m = p.receive(PATIENCE, tag="n", sender=other)
        assert m is not None, f"{want} of {count} came"
        assert m.value[1] == want, (m.value, want)
        want += 1


def role_flood(to, count):
    p = open_peer()
    flood(p, supd_msg.Pid(int(to)), int(count))
    p.send(supd_msg.Pid(int(to)), "in order")
    p.receive()


def role_sleeper():
    """Take nothing until an exit signal; then all, and tell how many."""
    p = open_peer()
    p.trap_exit()
    p.receive(kind="exit")
    taken = 0
    while p.receive(1, kind="data"):
        taken += 1
    p.exit(f"{taken} taken")


class Server(supd_msg.GenServer):
    def init(self, first):
        self.n = int(first)
        self.waiting = []
        return supd_msg.Next(then="go on")

    def handle_continue(self, what):
        self.said = what

    def handle_call(self, request, caller):
        match request:
            case ["add", n]:
                self.n += n
                return self.n
            case ["said"]:
                return self.said
            case ["later"]:
                self.waiting.append(caller)
                return supd_msg.NoReply()
            case ["now", value]:
                for c in self.waiting:
                    self.process.reply(c, value)
                return supd_msg.Reply(len(self.waiting), then="replied")
            case ["idle"]:
                return supd_msg.Reply("ok", timeout=0.01)
            case ["stop"]:
                return supd_msg.Stop("normal", "stopped")
            case ["no"]:
                raise supd_msg.Refused("it is not to be")
            case ["fail"]:
                raise ValueError("as told")
        return super().handle_call(request, caller)

    def handle_info(self, m):
        if m.kind == "timeout":
            self.said = "idle"

    def format_state(self):
        return {"n": self.n}


def role_server(first):
    supd_msg.serve(Server, first, name="talk-server")


def role_async():
    async def main():
        p = supd_msg.AsyncProcess()
        await p.register("talk-async")
        await p.ready()

        async def serve(m):
            await asyncio.sleep(m.value[1])
            await p.reply(m, m.value[1])

        tasks = set()
        while True:
            m = await p.receive()
            if m.value == ["end"]:
                break
            tasks.add(asyncio.create_task(serve(m)))
        await asyncio.gather(*tasks)
        p.exit("shutdown: as told")
    asyncio.run(main())


# --- the cases --------------------------------------------------------------

def names():
    """P-10 a name is one's own until it is given up"""
    other = peer("obey")
    me.register("talk-name")
    assert me.whereis("talk-name") == me.pid
    me.send(other, ["register", "talk-name"])
    assert me.receive(PATIENCE).value == "taken"
    me.unregister("talk-name")
    assert me.whereis("talk-name") is None
    me.send(other, ["register", "talk-name"])
    assert me.receive(PATIENCE).value == "ok"
    raises(supd_msg.NameTaken, me.register, "talk-name")
    ref = me.monitor("talk-name")
    me.send("talk-name", ["exit", "normal"])
    assert down(ref) == "normal"
    assert me.whereis("talk-name") is None


def to_oneself():
    """P-4 messages to oneself come in order"""
    for i in range(1000):
        me.send(me.pid, i)
    assert [me.receive(0).value for _ in range(1000)] == list(range(1000))
    assert me.receive(0) is None


def nobody():
    """P-3 G-2 who is not there: silent by pid, told by name, noproc to calls
    """
    raises(supd_msg.NoProcess, me.send, "talk-nobody", 1)
    raises(supd_msg.NoProcess, me.call, "talk-nobody", 1)
    pid, ref = peer("send", 0, 0, 0, monitor=True)
    assert down(ref) == "normal"
    me.send(pid, 1)
    raises(supd_msg.NoProcess, me.call, pid, 1)
    assert not me.is_alive(pid)
    assert down(me.monitor(pid)) == "noproc"
    ref = me.request(pid, 1)
    raises(supd_msg.NoProcess, me.wait_response, ref, PATIENCE)


def calls():
    """G-2 a call is replied to, refused, late, or lost with its callee"""
    other = peer("obey")
    assert me.call(other, ["echo", {"a": [1, None, b"x"]}]) == \
        {"a": [1, None, b"x"]}
    assert raises(supd_msg.Refused, me.call, other,
                  ["refuse", "no"]).text == "no"
    raises(supd_msg.CallTimeout, me.call, other, ["late", 0.2], timeout=0.01)
    assert me.call(other, ["echo", 7]) == 7
    assert me.receive(0) is None  # the late reply has gone
    e = raises(supd_msg.Ended, me.call, other, ["exit", "enough"])
    assert e.reason == "enough", e.reason
    e = raises(supd_msg.Error, me.call, me.pid, 1)
    assert "itself" in str(e)


def requests():
    """G-4 requests: several at once, waited for again, cancelled"""
    other = peer("obey")
    refs = [me.request(other, ["echo", i]) for i in range(100)]
    for i in reversed(range(100)):
        assert me.wait_response(refs[i], PATIENCE) == i
    ref = me.request(other, ["late", 0.1])
    raises(supd_msg.CallTimeout, me.wait_response, ref, 0)
    assert me.wait_response(ref, PATIENCE) == "late"
    raises(supd_msg.Error, me.wait_response, ref, 0)
    ref = me.request(other, ["echo", 1])
    assert me.cancel_request(ref) and not me.cancel_request(ref)
    ref = me.request(other, ["exit", "over"])
    m = me.receive(PATIENCE, ref=ref)
    assert (m.kind, m.value) == ("down", "over")


def selective():
    """P-5 the oldest that fits; the others stay where they are"""
    for i in range(1000):
        me.send(me.pid, ["x", i])
    me.send(me.pid, ["y", 1])
    me.send(me.pid, ["y", 2])
    assert me.receive(0, tag="y").value == ["y", 1]
    assert me.receive(0, where=lambda m: m.value == ["x", 500])
    assert me.receive(0.01, tag="z") is None
    ref = me.start_timer(0.05, "tick")
    m = me.receive(PATIENCE, ref=ref)
    assert (m.kind, m.value) == ("timeout", "tick")
    left = [i for i in range(1000) if i != 500]
    assert [me.receive(0).value for _ in left] == [["x", i] for i in left]
    assert me.receive(0).value == ["y", 2]


def timers():
    """P-11 a timer fires once, never early, or is cancelled"""
    t = time.monotonic()
    me.send_after(0.2, me.pid, "late")
    gone = me.start_timer(0.05, "never")
    left = me.cancel_timer(gone)
    assert 0 < left <= 0.05
    assert me.cancel_timer(gone) is None
    me.send_after(0.01, "talk-nobody", "lost")
    assert me.receive(PATIENCE).value == "late"
    assert time.monotonic() - t >= 0.2
    me.register("talk-timer")
    me.send_after(0, "talk-timer", "by name")
    assert me.receive(PATIENCE).value == "by name"


def after_data():
    """P-4 P-8 DOWN comes after all that was sent, of any length"""
    for count, size in ((1, 0), (100, 64), (10000, 64), (50, 100000),
                        (2, 8 << 20)):
        pid, ref = peer("send", int(me.pid), count, size, monitor=True)
        for i in range(count):
            m = me.receive(PATIENCE)
            assert m is not None and m.kind == "data", (count, i, m)
            assert m.body[:8] == i.to_bytes(8, "little"), (count, i)
            assert len(m.body) == 8 + size
        m = me.receive(PATIENCE)
        assert m.kind == "down" and m.value == "normal", m


def links():
    """P-6 P-7 a link's exit signal ends, or is a message when trapped"""
    a, down_a = peer("obey", monitor=True)
    b, down_b = peer("obey", monitor=True)
    me.send(a, ["link", int(b)])
    assert me.receive(PATIENCE).value == "linked"
    me.send(b, ["exit", "crashed"])
    assert down(down_b) == "crashed"
    assert down(down_a) == "crashed"
    me.trap_exit()
    c = peer("obey", link=True)
    assert c in me.links
    me.send(c, ["raise"])
    m = me.receive(PATIENCE)
    assert (m.kind, m.sender, m.value) == ("exit", c, "exit 3"), m
    me.link(c)
    m = me.receive(PATIENCE)
    assert (m.kind, m.sender, m.value) == ("exit", c, "noproc"), m
    d, down_d = peer("obey", link=True, monitor=True)
    me.unlink(d)
    me.send(d, ["exit", "unseen"])
    assert down(down_d) == "unseen"
    assert me.receive(0.1) is None


def exits():
    """P-7 exit signals: ignored, obeyed, trapped, untrappable"""
    a, ref = peer("obey", monitor=True)
    me.exit_to(a, "normal")
    assert me.call(a, ["echo", 1]) == 1
    me.exit_to(a, "go")
    assert down(ref) == "go"
    b, ref = peer("obey", monitor=True)
    me.send(b, ["trap"])
    assert me.receive(PATIENCE).value == "trapping"
    me.exit_to(b, "go")
    assert me.receive(PATIENCE).value == ["trapped", "go"]
    me.exit_to(b, "kill")
    assert down(ref) == "killed"


def exit_order():
    """P-4 an exit signal does not overtake messages"""
    a, ref = peer("obey", monitor=True)
    for i in range(2000):
        me.send(a, ["echo", i])
    r = me.request(a, ["echo", "last"])
    me.exit_to(a, "then")
    assert down(ref) == "then"
    # It was in its mailbox before; whether it was looked at is its own.
    me.cancel_request(r)


def flood_python():
    """two Pythons that flood each other finish, in order"""
    other = peer("flood", int(me.pid), 20000)
    flood(me, other, 20000)
    assert me.receive(PATIENCE).value == "in order"


def flood_c():
    """Python and C that flood each other finish, in order"""
    other = add("flood", os.environ["TALK_FLOOD"], "talk-flood")
    me.call(other, ["flood", 50000], timeout=PATIENCE)
    flood(me, other, 50000)
    assert me.receive(PATIENCE).value == ["in-order", 50000]


def counter_c():
    """a counter in C is called, killed, and called again"""
    pid = add("c-counter", "counter", "talk-counter")
    ref = me.monitor(pid)
    for i in range(1, 1001):
        assert me.call("talk-counter" if i % 2 else pid,
                       ["increment"]) == i
    raises(supd_msg.Refused, me.call, pid, ["fly"])
    me.control("kill", path="c-counter", signal="KILL")
    reason = down(ref)
    assert reason in ("SIGKILL", "killed"), reason
    raises(supd_msg.NoProcess, me.call, "talk-counter", ["value"])


def large():
    """messages up to 16 MiB travel, also from and to C"""
    pid = add("c-echo", os.environ["TALK_FLOOD"], "talk-echo")
    other = peer("obey")
    for size in (1, 1000, 65536, 1 << 20, supd_msg.MESSAGE_MAX - 40):
        data = os.urandom(1000) * (size // 1000 + 1)
        data = data[:size]
        assert me.call(pid, data, timeout=PATIENCE) == data
        if size < 1 << 23:
            assert me.call(other, ["echo", data], timeout=PATIENCE) == data
    raises(supd_msg.Error, me.send, pid, bytes(supd_msg.MESSAGE_MAX))


def server():
    """G-7 G-8 G-9 a GenServer replies now and later, idles, stops"""
    pid, ref = peer("server", 5, monitor=True)
    while me.whereis("talk-server") is None:
        me.sleep(0.01)
    assert me.call(pid, ["add", 3], PATIENCE) == 8
    assert me.call(pid, ["said"]) == "go on"
    later = me.request(pid, ["later"])
    assert me.call(pid, ["now", "x"]) == 1
    assert me.wait_response(later, PATIENCE) == "x"
    assert me.call(pid, ["said"]) == "replied"
    assert me.call(pid, ["idle"]) == "ok"
    while me.call(pid, ["said"]) != "idle":
        me.sleep(0.05)
        me.call(pid, ["idle"])
        me.sleep(0.05)
    raises(supd_msg.Refused, me.call, pid, ["no"])
    assert me.call(pid, ["stop"]) == "stopped"
    assert down(ref) == "normal"


def server_crash():
    """G-11 an exception is the reason of a server's end"""
    pid, ref = peer("server", 5, monitor=True)
    while me.whereis("talk-server") is None:
        me.sleep(0.01)
    e = raises(supd_msg.Ended, me.call, pid, ["fail"])
    assert e.reason == "ValueError: as told", e.reason
    assert down(ref) == "ValueError: as told"
    pid, ref = peer("server", 5, monitor=True)
    while me.whereis("talk-server") is None:
        me.sleep(0.01)
    e = raises(supd_msg.Ended, me.call, pid, ["fly"])
    assert e.reason == "bad_call: fly", e.reason


def system():
    """G-14 a server is looked into, suspended, resumed, changed"""
    pid = peer("server", 5)
    while me.whereis("talk-server") is None:
        me.sleep(0.01)
    assert me.sys(pid, "get_state") == {"n": 5}
    me.sys(pid, "suspend")
    ref = me.request(pid, ["add", 1])
    raises(supd_msg.CallTimeout, me.wait_response, ref, 0.1)
    assert me.sys(pid, "get_status")["status"] == "suspended"
    me.sys(pid, "replace_state", {"n": 10})
    me.sys(pid, "resume")
    assert me.wait_response(ref, PATIENCE) == 11
    assert me.sys(pid, "statistics")["messages_in"] >= 1
    raises(supd_msg.Error, me.sys, pid, "dance")
    assert me.sys(pid, "info")["received"] >= 1
    raises(supd_msg.Error, me.sys, peer("obey"), "get_state")


def bounds():
    """a mailbox that is full blocks its sender, drops, or ends its worker"""
    for on_full in "block", "drop", "kill":
        name = f"full-{on_full}"
        pid = add(name, sys.argv[0], "role", "sleeper",
                  more=f", mailbox: {{max_bytes: 64K, on_full: {on_full}}}")
        ref = me.monitor(pid)
        sent = 0
        try:
            while sent < 2000:
                me.send(pid, bytes(1000), timeout=1)
                sent += 1
        except supd_msg.CallTimeout:
            pass
        if on_full == "kill":
            assert down(ref) == "mailbox full"
            continue
        # A third party is not blocked.
        assert me.sys(pid, "info", timeout=PATIENCE)["queued"] < 2000
        assert (sent < 2000) == (on_full == "block"), sent
        me.exit_to(pid, "wake up")
        got = down(ref)
        taken = int(got.split()[0])
        assert taken == sent if on_full == "block" else 0 < taken < sent, \
            (got, sent)


def asynchronous():
    """AsyncProcess: many at a time in one worker"""
    pid, ref = peer("async", monitor=True)
    while me.whereis("talk-async") is None:
        me.sleep(0.01)
    t = time.monotonic()
    refs = [me.request(pid, ["sleep", 0.2]) for _ in range(50)]
    for r in refs:
        assert me.wait_response(r, PATIENCE) == 0.2
    assert time.monotonic() - t < 5
    me.send(pid, ["end"])
    assert down(ref) == "shutdown: as told"


CASES = [names, to_oneself, nobody, calls, requests, selective, timers,
         after_data, links, exits, exit_order, flood_python, flood_c,
         counter_c, large, server, server_crash, system, bounds, asynchronous]


def run_case(number):
    global me
    me = supd_msg.Process()
    me.ready()
    try:
        CASES[number - 1]()
        result = "ok\n"
    except BaseException as e:
        import traceback
        result = traceback.format_exc()
        print(result, flush=True)
        if not isinstance(e, Exception):
            raise
    path = os.path.join(os.environ["TALK_DIR"], str(number))
    with open(path + ".new", "w") as f:
        f.write(result)
    os.rename(path + ".new", path)


if sys.argv[1:] == ["--list"]:
    for case in CASES:
        print(" ".join(case.__doc__.split()))
elif sys.argv[1] == "case":
    run_case(int(sys.argv[2]))
else:
    globals()["role_" + sys.argv[2]](*sys.argv[3:])
