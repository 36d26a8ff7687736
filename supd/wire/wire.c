/* SPDX-License-Identifier: ISC */
#include "wire/wire.h"

#include <limits.h>
#include <string.h>

#define TEXT_FIELD(s, f)                                                       \
	{                                                                      \
		offsetof(struct s, f), sizeof(((struct s *)0)->f)              \
	}
#define TEXTS_MAX 6

/* What a type looks like: its sizes, and where its texts are. */
struct shape {
	const char *name;
	size_t fixed;
	size_t tail_max;
	bool tail_is_text; /* ends in NUL when there is one */
	struct {
		size_t at, len;
	} text[TEXTS_MAX];
};

static const struct shape shapes[WIRE_TYPE_N] = {
	[WIRE_NONE] = { "none", 0, 0, false, { { 0, 0 } } },
	[WIRE_SPAWN] = { "spawn", sizeof(struct wire_spawn), WIRE_TAIL_MAX,
	    true, { { 0, 0 } } },
	[WIRE_SIGNAL] = { "signal", sizeof(struct wire_signal), 0, false,
	    { { 0, 0 } } },
	[WIRE_ACK] = { "ack", sizeof(struct wire_id), 0, false, { { 0, 0 } } },
	[WIRE_UP] = { "up", 0, 0, false, { { 0, 0 } } },
	[WIRE_DONE] = { "done", sizeof(struct wire_done), 0, false,
	    { { 0, 0 } } },
	[WIRE_EXEC] = { "exec", sizeof(struct wire_spawn), WIRE_TAIL_MAX, true,
	    { { 0, 0 } } },
	[WIRE_SPAWNED] = { "spawned", sizeof(struct wire_spawned), 0, false,
	    { { 0, 0 } } },
	[WIRE_EXECED] = { "execed", sizeof(struct wire_id), 0, false,
	    { { 0, 0 } } },
	[WIRE_SPAWN_FAILED] = { "spawn_failed", sizeof(struct wire_failed), 0,
	    false, { { 0, 0 } } },
	[WIRE_EXITED] = { "exited", sizeof(struct wire_exited), 0, false,
	    { { 0, 0 } } },
	[WIRE_SHUTDOWN] = { "shutdown", 0, 0, false, { { 0, 0 } } },
	[WIRE_RELOAD] = { "reload", 0, 0, false, { { 0, 0 } } },
	[WIRE_LIFELINE] = { "lifeline", sizeof(struct wire_lifeline), 0, false,
	    { { 0, 0 } } },
	[WIRE_PREPARE] = { "prepare", sizeof(struct wire_prepare),
	    WIRE_TAIL_MAX, true, { TEXT_FIELD(wire_prepare, path) } },
	[WIRE_PROC] = { "proc", sizeof(struct wire_proc), 0, false,
	    { TEXT_FIELD(wire_proc, path) } },
	[WIRE_DEAD] = { "dead", sizeof(struct wire_dead), 0, false,
	    { TEXT_FIELD(wire_dead, reason) } },
	[WIRE_FORGET] = { "forget", sizeof(struct wire_id), 0, false,
	    { { 0, 0 } } },
	[WIRE_ROW] = { "row", sizeof(struct wire_row), 0, false,
	    { TEXT_FIELD(wire_row, state), TEXT_FIELD(wire_row, kind),
		TEXT_FIELD(wire_row, last_exit), TEXT_FIELD(wire_row, detail),
		TEXT_FIELD(wire_row, path) } },
	[WIRE_FIELD] = { "field", sizeof(struct wire_field), WIRE_TAIL_MAX,
	    true,
	    { TEXT_FIELD(wire_field, key), TEXT_FIELD(wire_field, origin) } },
	[WIRE_EVENT] = { "event", sizeof(struct wire_event), 0, false,
	    { TEXT_FIELD(wire_event, kind), TEXT_FIELD(wire_event, path),
		TEXT_FIELD(wire_event, text) } },
	[WIRE_CHANGE] = { "change", sizeof(struct wire_change), WIRE_TAIL_MAX,
	    true,
	    { TEXT_FIELD(wire_change, kind), TEXT_FIELD(wire_change, path),
		TEXT_FIELD(wire_change, other), TEXT_FIELD(wire_change, key),
		TEXT_FIELD(wire_change, origin) } },
	[WIRE_STEP] = { "step", sizeof(struct wire_step), 0, false,
	    { TEXT_FIELD(wire_step, kind), TEXT_FIELD(wire_step, path),
		TEXT_FIELD(wire_step, text) } },
	[WIRE_END] = { "end", sizeof(struct wire_end), WIRE_TAIL_MAX, true,
	    { { 0, 0 } } },
	[WIRE_PREPARED] = { "prepared", sizeof(struct wire_result), 0, false,
	    { TEXT_FIELD(wire_result, text) } },
	[WIRE_READY] = { "ready", sizeof(struct wire_ready), 0, false,
	    { TEXT_FIELD(wire_ready, status) } },
	[WIRE_BEAT] = { "beat", sizeof(struct wire_beat), 0, false,
	    { { 0, 0 } } },
	[WIRE_REQUEST] = { "request", sizeof(struct wire_request),
	    WIRE_TAIL_MAX, true, { TEXT_FIELD(wire_request, path) } },
	[WIRE_CANCEL] = { "cancel", 0, 0, false, { { 0, 0 } } },
	[WIRE_HEARD] = { "heard", sizeof(struct wire_id), 0, false,
	    { { 0, 0 } } },
	[WIRE_DECLARED] = { "declared", sizeof(struct wire_declared), 0, false,
	    { TEXT_FIELD(wire_declared, reason) } },
	[WIRE_STOP] = { "stop", sizeof(struct wire_exit), 0, false,
	    { TEXT_FIELD(wire_exit, reason) } },
	[WIRE_TRAPS] = { "traps", sizeof(struct wire_id), 0, false,
	    { { 0, 0 } } },
	[WIRE_EXIT] = { "exit", sizeof(struct wire_exit), 0, false,
	    { TEXT_FIELD(wire_exit, reason) } },
	[WIRE_LOG_OPEN] = { "log_open", sizeof(struct wire_log_open), 0, false,
	    { TEXT_FIELD(wire_log_open, path) } },
	[WIRE_LOG_FLUSH] = { "log_flush", sizeof(struct wire_id), 0, false,
	    { { 0, 0 } } },
	[WIRE_LOG_CLOSE] = { "log_close", sizeof(struct wire_id), 0, false,
	    { { 0, 0 } } },
	[WIRE_LOG_TAIL] = { "log_tail", sizeof(struct wire_log_tail), 0, false,
	    { { 0, 0 } } },
	[WIRE_LOG_FOLLOW] = { "log_follow", sizeof(struct wire_log_tail), 0,
	    false, { { 0, 0 } } },
	[WIRE_LOG_OPENED] = { "log_opened", sizeof(struct wire_result), 0,
	    false, { TEXT_FIELD(wire_result, text) } },
	[WIRE_LOG_LINE] = { "log_line", sizeof(struct wire_log_line),
	    WIRE_TAIL_MAX, true, { { 0, 0 } } },
	[WIRE_LOG_END] = { "log_end", sizeof(struct wire_id), 0, false,
	    { { 0, 0 } } },
};

static const char *const step_names[STEP_N] = {
	[STEP_NONE] = "none",
	[STEP_CLONE] = "clone",
	[STEP_SLOT] = "slot",
	[STEP_LOG] = "log",
	[STEP_LIFELINE] = "lifeline",
	[STEP_NOTIFY_FD] = "notify_fd",
	[STEP_FDS] = "file descriptors",
	[STEP_SETSID] = "setsid",
	[STEP_UMASK] = "umask",
	[STEP_NICE] = "nice",
	[STEP_RLIMIT] = "rlimit",
	[STEP_OOM] = "oom_score_adj",
	[STEP_GROUPS] = "setgroups",
	[STEP_GID] = "setgid",
	[STEP_UID] = "setuid",
	[STEP_CWD] = "chdir",
	[STEP_STDIN] = "stdin",
	[STEP_STDOUT] = "stdout",
	[STEP_STDERR] = "stderr",
	[STEP_PDEATHSIG] = "pdeathsig",
	[STEP_SIGNALS] = "signals",
	[STEP_EXEC] = "exec",
};

const char *
spawn_step_name(int step)
{
	return step > STEP_NONE && step < STEP_N ? step_names[step] : "spawn";
}

size_t
wire_fixed_size(enum wire_type t)
{
	return t < WIRE_TYPE_N ? shapes[t].fixed : 0;
}

size_t
wire_tail_max(enum wire_type t)
{
	return t < WIRE_TYPE_N ? shapes[t].tail_max : 0;
}

const char *
wire_type_name(enum wire_type t)
{
	return t < WIRE_TYPE_N ? shapes[t].name : "unknown";
}

const void *
wire_tail(const struct wire_hdr *h, size_t *ret_len)
{
	size_t head = sizeof(*h) + wire_fixed_size(h->type);

	*ret_len = h->len - head;
	return (const char *)h + head;
}

/* Does the last of these strings have room for a pid at its end? */
static bool
has_pid_room(const char *tail, size_t len)
{
	size_t n = 0;

	while (n < len && n <= SPAWN_PID_ROOM && tail[len - 1 - n] != '\0')
		n++;
	return n >= SPAWN_PID_ROOM;
}

/* The counts of a spawn agree with the strings that follow it. */
static bool
spawn_ok(const struct wire_spawn *s, const char *tail, size_t len)
{
	uint64_t want = UINT64_C(5) + s->argc + s->envc, have = 0;

	if (s->argc == 0 || s->n_groups > SPAWN_GROUPS_MAX ||
	    s->n_rlimits > SPAWN_RLIMITS_MAX)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(s->io); i++)
		if (s->io[i] >= SPAWN_IO_N)
			return false;
	for (size_t i = 0; i < len; i++)
		have += tail[i] == '\0';
	if ((s->flags & SPAWN_PID_ENV) != 0 &&
	    (s->envc == 0 || len == 0 || !has_pid_room(tail, len - 1)))
		return false;
	return have == want;
}

bool
wire_check(const void *p, size_t len)
{
	const struct wire_hdr *h = p;
	const struct shape *sh;
	const char *body = (const char *)(h + 1);
	size_t tail;

	if (len < sizeof(*h) || h->len != len || h->type == WIRE_NONE ||
	    h->type >= WIRE_TYPE_N)
		return false;
	sh = &shapes[h->type];
	if (len < sizeof(*h) + sh->fixed)
		return false;
	tail = len - sizeof(*h) - sh->fixed;
	if (tail > sh->tail_max)
		return false;
	if (sh->tail_is_text && tail != 0 && body[sh->fixed + tail - 1] != '\0')
		return false;
	for (size_t i = 0; i < TEXTS_MAX && sh->text[i].len != 0; i++)
		if (memchr(body + sh->text[i].at, '\0', sh->text[i].len) ==
		    NULL)
			return false;
	if (h->type == WIRE_SPAWN || h->type == WIRE_EXEC)
		return spawn_ok((const void *)body, body + sh->fixed, tail);
	return true;
}
