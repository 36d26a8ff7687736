#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""cache [NAME [MS]]: the same as workers/cache.c: what is put is forgotten."""
import sys

import supd_msg


class Cache(supd_msg.GenServer):
    def init(self, ms):
        self.ms = ms
        self.values = {}
        self.timers = {}

    def handle_call(self, request, caller):
        match request:
            case ["put", key, value, *ms]:
                self.process.cancel_timer(self.timers.get(key))
                self.values[key] = value
                self.timers[key] = self.process.start_timer(
                    (ms[0] if ms else self.ms) / 1000, key)
            case ["get", key]:
                return self.values.get(key)
            case ["size"]:
                return len(self.values)
            case _:
                raise supd_msg.Refused("put, get, size")

    def handle_info(self, m):
        # One that was put again meanwhile has another timer.
        if m.kind == "timeout" and self.timers.get(m.value) == m.ref:
            del self.values[m.value], self.timers[m.value]


supd_msg.serve(Cache, float(sys.argv[2]) if len(sys.argv) > 2 else 60000.0,
               name=sys.argv[1] if len(sys.argv) > 1 else "cache")
