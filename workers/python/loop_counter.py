#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""loop_counter [NAME]: a counter whose state is the variable of a loop."""
import sys

import supd_msg

me = supd_msg.Process()
me.register(sys.argv[1] if len(sys.argv) > 1 else "loop_counter")
me.ready()
value = 0
while True:
    m = me.receive()
    match m.kind, m.value:
        case "call", ["increment"]:
            value += 1
            me.reply(m, value)
        case "call", ["value"]:
            me.reply(m, value)
        case "cast" | "data", ["add", int(n)]:
            value += n
        case "call", _:
            me.reply_error(m, 'try ["increment"], ["value"]')
