#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""kv [NAME]: keys and values; `supctl sys kv get_state` shows them."""
import sys

import supd_msg


class Kv(supd_msg.GenServer):
    def init(self):
        self.pairs = {}

    def handle_call(self, request, caller):
        match request:
            case ["put", key, value]:
                self.pairs[key] = value
                return "ok"
            case ["get", key]:
                return self.pairs.get(key)
            case ["delete", key]:
                return self.pairs.pop(key, None)
            case ["get_state"]:
                return self.pairs
            case ["set_state", dict(pairs)]:
                self.pairs = pairs
                return "ok"
        raise supd_msg.Refused("put, get, delete, get_state, set_state")

    def handle_cast(self, request):
        match request:
            case ["put", key, value]:
                self.pairs[key] = value


supd_msg.serve(Kv, name=sys.argv[1] if len(sys.argv) > 1 else "kv")
