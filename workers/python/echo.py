#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""echo [NAME]: answers every call with what it was asked, in asyncio."""
import asyncio
import sys

import supd_msg


async def main():
    me = supd_msg.AsyncProcess()
    await me.register(sys.argv[1] if len(sys.argv) > 1 else "echo")
    await me.ready()
    while True:
        m = await me.receive(kind="call")
        await me.reply(m, m.value)


asyncio.run(main())
