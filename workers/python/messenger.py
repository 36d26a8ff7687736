#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Erlang's messenger: clients log on by a nickname and talk to each other.

    messenger server               register "messenger"
    messenger client NICK          log on; do what others cast to us: ["say",
                                   TO, TEXT], ["logoff"]
"""
import sys

import supd_msg


class Server(supd_msg.GenServer):
    def init(self):
        self.users = {}

    def handle_call(self, request, caller):
        match request:
            case ["logon", nick]:
                if nick in self.users:
                    return "user_exists_at_other_node"
                self.users[nick] = caller.sender
                self.process.monitor(caller.sender)
                return "logged_on"
            case ["message_to", nick, text]:
                names = [k for k, p in self.users.items()
                         if p == caller.sender]
                if not names:
                    return "you_are_not_logged_on"
                if nick not in self.users:
                    return "receiver_not_found"
                self.process.send(self.users[nick],
                                  ["message_from", names[0], text])
                return "sent"
            case ["who"]:
                return sorted(self.users)
        raise supd_msg.Refused("logon, message_to, who")

    def handle_info(self, m):
        if m.kind == "down":
            self.users = {k: p for k, p in self.users.items()
                          if p != m.sender}


def client(nick):
    me = supd_msg.Process()
    me.register(nick)
    print(me.call("messenger", ["logon", nick]), flush=True)
    me.monitor("messenger")
    me.ready()
    while True:
        m = me.receive()
        match m.kind, m.value:
            case "down", reason:
                me.exit(f"the server has ended: {reason}")
            case _, ["say", to, text]:
                print(me.call("messenger", ["message_to", to, text]),
                      flush=True)
            case _, ["message_from", who, text]:
                print(f"message from {who}: {text}", flush=True)
            case _, ["logoff"]:
                return


if sys.argv[1:] == ["server"]:
    supd_msg.serve(Server, name="messenger")
else:
    client(sys.argv[2])
