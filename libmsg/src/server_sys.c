/* SPDX-License-Identifier: ISC */
/*
 * The system operations of a server (G-14), carried out between two messages,
 * and also while it is suspended.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef void op_fn(
    struct server *s, const struct sys_request *req, struct msg_pack *ret);

/* An operation that refused has put nothing: its answer has gone out. */
static void
put_ok(struct msg_pack *p)
{
	msg_pack_str(p, "ok");
}

static void
op_suspend(
    struct server *s, const struct sys_request *req, struct msg_pack *ret)
{
	(void)req;
	s->suspended = true;
	put_ok(ret);
}

static void
op_resume(struct server *s, const struct sys_request *req, struct msg_pack *ret)
{
	(void)req;
	s->suspended = false;
	put_ok(ret);
}

static void
op_ready(struct server *s, const struct sys_request *req, struct msg_pack *ret)
{
	(void)s;
	(void)req;
	msg_pack_bool(ret, true);
}

static void
op_get_state(
    struct server *s, const struct sys_request *req, struct msg_pack *ret)
{
	if (s->ops->format_state == NULL)
		sys_refuse(req, ENOTSUP,
		    "this server does not show its state (it has no "
		    "format_state)");
	else
		report_state(s, ret);
}

/* A function of the user's that takes the argument and may refuse it. */
static void
change(struct server *s, const struct sys_request *req,
    int (*fn)(void *state, struct msg_unpack *args), struct msg_pack *ret)
{
	struct msg_unpack args = req->args;
	int r;

	if (fn == NULL) {
		sys_refuse(req, ENOTSUP, "this server has no %s", req->op);
		return;
	}
	s->inside = true;
	r = fn(s->state, &args);
	s->inside = false;
	if (r != 0)
		sys_refuse(req, r < 0 ? -r : EINVAL, "%s: %s", req->op,
		    msg_strerror(r < 0 ? r : -EINVAL));
	else
		put_ok(ret);
}

static void
op_replace_state(
    struct server *s, const struct sys_request *req, struct msg_pack *ret)
{
	if (req->n_args != 1)
		sys_refuse(req, EINVAL, "replace_state takes one value");
	else
		change(s, req, s->ops->replace_state, ret);
}

static void
op_change_code(
    struct server *s, const struct sys_request *req, struct msg_pack *ret)
{
	if (!s->suspended)
		sys_refuse(req, EBUSY,
		    "code is changed only while the server is suspended");
	else
		change(s, req, s->ops->code_change, ret);
}

static void
op_terminate(
    struct server *s, const struct sys_request *req, struct msg_pack *ret)
{
	char reason[MSG_REASON_MAX + 1] = "normal";
	struct msg_unpack args = req->args;
	const char *text;
	size_t len;

	if (req->n_args >= 1) {
		if (msg_unpack_str(&args, &text, &len) != 0 ||
		    len > MSG_REASON_MAX) {
			sys_refuse(req, EINVAL,
			    "a reason is a text of at most %d bytes",
			    MSG_REASON_MAX);
			return;
		}
		memcpy(reason, text, len);
		reason[len] = '\0';
	}
	/* The answer goes first: afterwards there may be nobody. */
	put_ok(ret);
	sys_answer(req, ret);
	msg_pack_fini(ret);
	server_end(s, reason);
}

static long long
ms_since(int64_t ns)
{
	return (long long)((clock_now() - ns) / NS_PER_MS);
}

static void
op_statistics(
    struct server *s, const struct sys_request *req, struct msg_pack *ret)
{
	struct msg_stats stats;

	(void)req;
	msg_stats(&stats);
	msg_packf(ret,
	    "{uptime_ms %lld cpu_ms %lld messages_in %llu messages_out %llu "
	    "queued %llu}",
	    ms_since(s->began_ns), (long long)(clock_cpu() / NS_PER_MS),
	    (unsigned long long)s->n_in, (unsigned long long)s->n_out,
	    (unsigned long long)stats.queued);
}

static void
put_log(const struct server *s, struct msg_pack *ret)
{
	size_t first = s->log_next + s->log_size - s->log_n;

	msg_pack_array(ret, (uint32_t)s->log_n);
	for (size_t i = 0; i < s->log_n; i++)
		msg_pack_str(ret, s->log[(first + i) % s->log_size]);
}

static void
op_log(struct server *s, const struct sys_request *req, struct msg_pack *ret)
{
	struct msg_unpack args = req->args;
	char(*log)[EVENT_MAX];
	int64_t n;

	if (req->n_args == 0) {
		put_log(s, ret);
		return;
	}
	if (msg_unpack_int(&args, &n) != 0 || n < 0 || n > LOG_MAX) {
		sys_refuse(req, EINVAL, "log takes a number of events, 0 to %d",
		    LOG_MAX);
		return;
	}
	log = n > 0 ? calloc((size_t)n, sizeof(*log)) : NULL;
	if (n > 0 && log == NULL) {
		sys_refuse(req, ENOMEM, "no memory for %d events", (int)n);
		return;
	}
	server_log_fini(s);
	s->log = log;
	s->log_size = (size_t)n;
	put_ok(ret);
}

static void
op_get_status(
    struct server *s, const struct sys_request *req, struct msg_pack *ret)
{
	struct msg_pack log, state;
	char pid[32];

	(void)req;
	(void)snprintf(pid, sizeof(pid), PID_FMT, PID_ARG(msg_self()));
	msg_pack_init(&log);
	msg_pack_init(&state);
	put_log(s, &log);
	report_state(s, &state);
	msg_packf(ret,
	    "{status %s name %s pid %s path %s uptime_ms %lld messages_in %llu "
	    "log %p state %p}",
	    s->suspended ? "suspended" : "running", s->name, pid, msg_path(),
	    ms_since(s->began_ns), (unsigned long long)s->n_in, (void *)&log,
	    (void *)&state);
	msg_pack_fini(&log);
	msg_pack_fini(&state);
}

static const struct {
	const char *op;
	op_fn *fn;
} ops[] = {
	{ "change_code", op_change_code },
	{ "get_state", op_get_state },
	{ "get_status", op_get_status },
	{ "log", op_log },
	{ "ready", op_ready },
	{ "replace_state", op_replace_state },
	{ "resume", op_resume },
	{ "statistics", op_statistics },
	{ "suspend", op_suspend },
	{ "terminate", op_terminate },
};

void
server_sys(struct server *s, const struct sys_request *req)
{
	struct msg_pack ret;

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(ops[i].op, req->op) != 0)
			continue;
		msg_pack_init(&ret);
		ops[i].fn(s, req, &ret);
		if (ret.len > 0 || ret.failed)
			sys_answer(req, &ret);
		msg_pack_fini(&ret);
		return;
	}
	sys_refuse(req, ENOTSUP,
	    "a server knows suspend, resume, get_state, replace_state, "
	    "get_status, change_code, terminate, statistics, log, trace and "
	    "info");
}

MSG_API void
msg_server_debug(msg_debug_fn *fn, void *arg)
{
	struct server *s = server_current();

	if (s == NULL)
		return;
	s->debug = fn;
	s->debug_arg = arg;
}
