#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""tally [NAME]: the same as workers/tally.c: a counter by a loop."""
import sys

import supd_msg

me = supd_msg.Process()
me.register(sys.argv[1] if len(sys.argv) > 1 else "tally")
me.ready()
value = 0
while True:
    m = me.receive()
    match m.value:
        case ["increment"]:
            value += 1
        case ["decrement"]:
            value -= 1
        case ["value"]:
            pass
        case _:
            continue
    if m.kind == "call":
        me.reply(m, value)
