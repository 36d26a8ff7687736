#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Two that play, until all rounds are over or the other is gone.

    pingpong pong [NAME]            register NAME (pong), answer each ping
    pingpong ping [NAME [ROUNDS]]   play ROUNDS (10) with NAME, then end
"""
import sys

import supd_msg

PATIENCE = 5.0

role, name, rounds = (sys.argv[1:] + [None] * 3)[:3]
name = name or "pong"
me = supd_msg.Process()
if role == "pong":
    me.register(name)
    me.ready()
    while True:
        m = me.receive()
        if m.tag == "ping":
            me.send(m.sender, ["pong", m.value[1]])

me.ready()
peer = me.whereis(name)
if peer is None:
    me.exit("noproc")
down = me.monitor(peer)
for n in range(int(rounds or 10)):
    me.send(peer, ["ping", n])
    m = me.receive(PATIENCE, where=lambda m: m.value == ["pong", n] or
                   m.ref == down)
    if m is None:
        me.exit("timeout")
    if m.kind == "down":
        print(f"{name} is gone: {m.value}", flush=True)
        me.exit("normal")
print(f"played {n + 1} rounds with {name}", flush=True)
