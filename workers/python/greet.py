#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Processes that are linked and monitored, and what becomes of them.

    greet greet POOL   spawn one in POOL, greet it, and see it die
    greet link POOL    spawn, linked: it crashes, and so do we
    greet trap POOL    the same, but exits are trapped: tell, and go on
    greet child        what the pool runs: say hello, do as told
"""
import sys

import supd_msg

what = sys.argv[1]
me = supd_msg.Process()
if what == "child":
    me.ready()
    m = me.receive(60)
    print(f"hello, {m.value[1]}", flush=True)
    me.exit(m.value[0])

pool = sys.argv[2]
if what == "trap":
    me.trap_exit()
me.ready()
if what == "greet":
    pid, ref = me.spawn(pool, monitor=True)
    me.send(pid, ["normal", "world"])
else:
    pid = me.spawn(pool, link=True)
    me.send(pid, ["crashed", "world"])
while True:
    m = me.receive()
    print(f"{m.kind} of {m.sender}: {m.value}", flush=True)
    if m.sender == supd_msg.SUPERVISOR:
        me.exit("shutdown")
