#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""kv [NAME]: the same as workers/kv.c: a store of keys and values."""
import sys

import supd_msg


class Kv(supd_msg.GenServer):
    def init(self):
        self.pairs = {}

    def handle_call(self, request, caller):
        match request:
            case ["put", key, value]:
                self.pairs[key] = value
            case ["get", key]:
                return self.pairs.get(key)
            case ["delete", key]:
                self.pairs.pop(key, None)
            case ["get_state"]:
                return self.pairs
            case ["set_state", dict(pairs)]:
                self.pairs = pairs
            case _:
                raise supd_msg.Refused(
                    "put, get, delete, get_state, set_state")

    def handle_cast(self, request):
        match request:
            case ["put", key, value]:
                self.pairs[key] = value

    def format_state(self):
        return self.pairs

    def replace_state(self, value):
        self.pairs = dict(value)


supd_msg.serve(Kv, name=sys.argv[1] if len(sys.argv) > 1 else "kv")
