#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ratelimiter [NAME [N [MS]]]: the same as workers/ratelimiter.c: N requests
of each client in any MS that begin with one of them."""
import sys

import supd_msg


class RateLimiter(supd_msg.GenServer):
    def init(self, limit, ms):
        self.limit = limit
        self.seconds = ms / 1000
        self.clients = {}

    def handle_call(self, request, caller):
        match request:
            case ["request", client]:
                if client not in self.clients:
                    self.clients[client] = 0
                    self.process.start_timer(self.seconds, client)
                if self.clients[client] == self.limit:
                    return False
                self.clients[client] += 1
                return True
        raise supd_msg.Refused('ratelimiter understands ["request", CLIENT]')

    def handle_info(self, m):
        if m.kind == "timeout":
            del self.clients[m.value]


name, limit, ms = sys.argv[1:] + ["ratelimiter", 10, 60000][len(sys.argv) - 1:]
supd_msg.serve(RateLimiter, int(limit), int(ms), name=name)
