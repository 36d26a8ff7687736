#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""counter [NAME]: the same as workers/counter.c, in Python."""
import sys

import supd_msg


class Counter(supd_msg.GenServer):
    value = 0

    def handle_call(self, request, caller):
        match request:
            case ["increment"]:
                self.value += 1
            case ["decrement"]:
                self.value -= 1
            case ["value"]:
                pass
            case _:
                raise supd_msg.Refused('counter understands ["increment"], '
                                       '["decrement"] and ["value"]')
        return self.value


supd_msg.serve(Counter, name=sys.argv[1] if len(sys.argv) > 1 else "counter")
