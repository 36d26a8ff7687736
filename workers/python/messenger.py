#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Erlang's messenger; each may as well be the one of workers/messenger.c.

    messenger server      knows who is logged on, as "messenger"
    messenger user NAME   logs on, prints what others tell it; is called with
                          ["tell", TO, TEXT]
"""
import sys

import supd_msg
from supd_msg import Refused, Stop


class Server(supd_msg.GenServer):
    def init(self):
        self.users = {}
        self.monitors = {}

    def handle_call(self, request, caller):
        name = next((n for n, p in self.users.items()
                     if p == caller.sender), None)
        match request:
            case ["logon", new]:
                if new in self.users:
                    raise Refused(f"user_exists: {new}")
                self.users[new] = caller.sender
                self.monitors[self.process.monitor(caller.sender)] = new
                return "logged_on"
            case ["logoff"]:
                self.users.pop(name, None)
            case ["message", _, _] if name is None:
                raise Refused("you_are_not_logged_on")
            case ["message", to, _] if to not in self.users:
                raise Refused("receiver_not_found")
            case ["message", to, text]:
                self.process.cast(self.users[to],
                                  ["message_from", name, text])
                return "sent"
            case _:
                return super().handle_call(request, caller)

    def handle_info(self, m):
        if m.kind == "down":
            self.users.pop(self.monitors.pop(m.ref), None)


class User(supd_msg.GenServer):
    def init(self, name):
        self.process.monitor("messenger")
        self.process.call("messenger", ["logon", name])

    def handle_call(self, request, caller):
        match request:
            case ["tell", to, text]:
                # A refusal of the server's goes on to our caller.
                return self.process.call("messenger", ["message", to, text])
        raise Refused('try ["tell", TO, TEXT]')

    def handle_cast(self, request):
        match request:
            case ["message_from", name, text]:
                print(f"Message from {name}: {text}", flush=True)

    def handle_info(self, m):
        if m.kind == "down":
            return Stop("messenger_ended")


if sys.argv[1] == "server":
    supd_msg.serve(Server, name="messenger")
else:
    supd_msg.serve(User, sys.argv[2], name=sys.argv[2])
