#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ratelimiter [NAME [N]]: lets each client through N times a minute."""
import collections
import sys
import time

import supd_msg


class RateLimiter(supd_msg.GenServer):
    def init(self, limit):
        self.limit = limit
        self.seen = collections.defaultdict(collections.deque)

    def handle_call(self, request, caller):
        match request:
            case ["request"]:
                client = str(caller.sender)
            case ["request", str(client)]:
                pass
            case _:
                raise supd_msg.Refused('["request"] or ["request", CLIENT]')
        now = time.monotonic()
        times = self.seen[client]
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= self.limit:
            return "rate_limited"
        times.append(now)
        return "ok"

    def format_state(self):
        return {client: len(times) for client, times in self.seen.items()}


supd_msg.serve(RateLimiter, int(sys.argv[2]) if len(sys.argv) > 2 else 10,
               name=sys.argv[1] if len(sys.argv) > 1 else "ratelimiter")
