#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Two workers that play; each may as well be the one of workers/pingpong.c.

    pingpong pong [NAME]                 register NAME (pong), return each ball
    pingpong ping [NAME [MS [ROUNDS]]]   serve a ball to NAME every MS (1000),
                                         ROUNDS times (0: for ever)
"""
import sys
import time

import supd_msg

PATIENCE = 5.0


def pong(me, name):
    me.register(name)
    me.ready()
    while True:
        m = me.receive()
        if m.tag == "ping":
            me.send(m.sender, ["pong", m.value[1]])


def play(me, peer, seconds, rounds):
    """Until it has ended, or all rounds are played.  How many were."""
    down = me.monitor(peer)
    n = 0
    while rounds == 0 or n < rounds:
        n += 1
        t = time.monotonic()
        try:
            me.send(peer, ["ping", n])
        except supd_msg.NoMailbox:
            return n - 1
        m = me.receive(PATIENCE, where=lambda m: m.ref == down or
                       m.value == ["pong", n])
        if m is None:
            print(f"no pong in {PATIENCE} s", flush=True)
        elif m.kind == "data":
            print(f"pong in {(time.monotonic() - t) * 1e6:.0f} us", flush=True)
            if n != rounds:
                m = me.receive(seconds, ref=down)
        if m is not None and m.kind == "down":
            print(f"DOWN: {m.value}", flush=True)
            return n
    me.demonitor(down, flush=True)
    return n


def ping(me, name, ms, rounds):
    me.ready()
    played = 0
    while rounds == 0 or played < rounds:
        peer = me.whereis(name)
        if peer is None:
            me.sleep(0.1)
        else:
            played += play(me, peer, ms / 1000, rounds and rounds - played)
    print(f"{played} rounds played", flush=True)


role, name, ms, rounds = \
    sys.argv[1:] + [None, "pong", 1000, 0][len(sys.argv) - 1:]
if role == "pong":
    pong(supd_msg.Process(), name)
else:
    ping(supd_msg.Process(), name, int(ms), int(rounds))
