/* SPDX-License-Identifier: ISC */
#ifndef MSG_AGENT_H
#define MSG_AGENT_H

#include <msg/format.h>
#include <msg/msg.h>
#include <msg/pack.h>
#include <msg/server.h>

/*
 * Agents, as Elixir's Agent: a worker that does nothing but keep a state, on
 * which functions are run, one after the other.  Where Elixir sends a function
 * to the agent, C names one that the agent has:
 *
 *	static int
 *	get(const void *state, struct msg_unpack *args, struct msg_pack *reply)
 *	{
 *		msg_packf(reply, "%ld", *(const long *)state);
 *		return 0;
 *	}
 *
 *	static int
 *	add(void *state, struct msg_unpack *args, struct msg_pack *reply)
 *	{
 *		int64_t n;
 *		int r = msg_unpack_int(args, &n);
 *
 *		if (r == 0)
 *			*(long *)state += n;
 *		return r;
 *	}
 *
 *	int
 *	main(void)
 *	{
 *		static const struct msg_agent_op ops[] = {
 *			{ .name = "value", .get = get },
 *			{ .name = "add", .update = add },
 *			{ .name = NULL },
 *		};
 *		long value = 0;
 *
 *		msg_agent_main(ops, &value, "sum");
 *	}
 *
 * Its clients:
 *
 *	r = msg_agent_update("sum", -1, "add %d", 3);
 *	r = msg_agent_get("sum", -1, &reply, "value");
 */

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One operation.  `get` only looks; `update` changes the state, and may reply
 * as well (get_and_update).  `args` stands at the first argument.  They return
 * 0; a negative errno value is a crash: the agent ends with "NAME: why", and
 * so does the call, with -ECONNRESET (K-3).
 */
struct msg_agent_op {
	const char *name; /* NULL ends the table */
	int (*get)(
	    const void *state, struct msg_unpack *args, struct msg_pack *reply);
	int (*update)(
	    void *state, struct msg_unpack *args, struct msg_pack *reply);
};

/*
 * Be an agent: as msg_server_main().  An operation that is not in the table, or
 * not of that kind, is a crash as well.  `supctl sys NAME get_state` shows what
 * an operation "state" gives, if there is one that looks.
 */
void msg_agent_main(const struct msg_agent_op *ops, void *state,
    const char *name) __attribute__((noreturn));

/*
 * Run an operation, "NAME ARGUMENT ..." as <msg/format.h> says: one that looks,
 * one that changes, one that changes and replies, all of which wait for their
 * end, and one that changes and is not waited for.  Return as msg_call_name()
 * and msg_cast_name(); timeout_ms: -1 is MSG_CALL_TIMEOUT_MS.
 */
int msg_agent_get(const char *name, int timeout_ms, struct msg *ret_reply,
    const char *fmt, ...) MSG_PRINTF(4, 5);
int msg_agent_update(const char *name, int timeout_ms, const char *fmt, ...)
    MSG_PRINTF(3, 4);
int msg_agent_get_and_update(const char *name, int timeout_ms,
    struct msg *ret_reply, const char *fmt, ...) MSG_PRINTF(4, 5);
int msg_agent_cast(const char *name, const char *fmt, ...) MSG_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif

#endif /* MSG_AGENT_H */
