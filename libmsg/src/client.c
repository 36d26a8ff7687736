/* SPDX-License-Identifier: ISC */
/* The side of a server's clients that is not in msg.h (G-1, G-4, G-5, G-12). */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- sys --- */

static int
ask_sys(msg_pid to, const char *op, const struct msg_pack *arg, int timeout_ms,
    struct msg *ret_answer)
{
	struct proto_frame h = {
		.type = PROTO_SYS, .flags = PROTO_MSGPACK, .to = to
	};
	struct item *it = NULL;
	struct msg_pack p;
	int r = mailbox_enter();

	if (r != 0)
		return r;
	msg_pack_init(&p);
	msg_pack_array(&p, arg != NULL ? 2 : 1);
	msg_pack_str(&p, op);
	if (arg != NULL)
		msg_pack_raw(&p, arg->data, arg->len);
	if (to == mailbox.self)
		r = fail(-EDEADLK, "a worker cannot ask itself");
	else if (p.failed)
		r = fail(-ENOMEM, "no memory for a request");
	else
		r = mailbox_ask(&h, p.data, p.len,
		    timeout_ms < 0 ? MSG_CALL_TIMEOUT_MS : timeout_ms, &it);
	msg_pack_fini(&p);
	if (r == 0 && (it->h.flags & PROTO_ERROR) != 0) {
		r = it->h.tag == ESRCH || it->h.tag == ECONNRESET
		        ? -(int)it->h.tag
		        : -EREMOTEIO;
		r = fail(r, "%s", it->body);
	}
	if (r == 0 && ret_answer != NULL)
		item_give(it, ret_answer);
	else
		free(it);
	return mailbox_leave(r);
}

/* A name's pid; here nobody is noproc. */
static int
whereis(const char *name, msg_pid *ret_pid)
{
	int r = msg_whereis(name, ret_pid);

	return r == -ENOENT
	           ? fail(-ESRCH, "no worker is registered as \"%s\"", name)
	           : r;
}

MSG_API int
msg_sys(msg_pid to, const char *op, const struct msg_pack *arg, int timeout_ms,
    struct msg *ret_answer)
{
	return ask_sys(to, op, arg, timeout_ms, ret_answer);
}

MSG_API int
msg_sys_name(const char *name, const char *op, const struct msg_pack *arg,
    int timeout_ms, struct msg *ret_answer)
{
	msg_pid pid = 0;
	int r = whereis(name, &pid);

	return r != 0 ? r : ask_sys(pid, op, arg, timeout_ms, ret_answer);
}

/* --- the end of a worker --- */

/* How many ms are left, as a timeout; -1 for ever. */
static int
left_ms(int64_t deadline_ns)
{
	int64_t left;

	if (deadline_ns == DEADLINE_NEVER)
		return -1;
	left = (deadline_ns - clock_now() + NS_PER_MS - 1) / NS_PER_MS;
	return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Wait for one MSG_DOWN.  1 and its message, 0 at the deadline, -errno. */
static int
wait_down(uint64_t ref, int64_t deadline_ns, struct msg *ret_down)
{
	const struct msg_pattern is = { .kinds = MSG_IS(MSG_DOWN), .ref = ref };
	int r;

	do
		r = msg_receive_match(ret_down, &is, 1, left_ms(deadline_ns));
	while (r == -EINTR);
	return r;
}

/* --- start --- */

/* How often to look again for a worker that has not opened its mailbox. */
#define LOOK_MS 50

/*
 * Wait until it has answered that it is ready, which it does when its init has
 * returned.  0; 1 and the MSG_DOWN, it has ended; -ETIMEDOUT; -errno.
 */
static int
wait_ready(msg_pid pid, uint64_t ref, int64_t deadline_ns, struct msg *ret_down)
{
	struct proto_resolved where;
	int64_t look;
	int r;

	for (;;) {
		/* supd answers when it has a mailbox, or after a while. */
		r = mailbox_enter();
		if (r == 0)
			r = mailbox_leave(resolve(pid, NULL, &where));
		if (r == 0)
			r = ask_sys(pid, "ready", NULL,
			    deadline_ns == DEADLINE_NEVER
				? MSG_CALL_TIMEOUT_MS
				: left_ms(deadline_ns),
			    NULL);
		/* What is no server has no init to wait for. */
		if (r == 0 || r == -EREMOTEIO)
			return 0;
		if (r != -ESRCH && r != -ECONNRESET && r != -ETIMEDOUT)
			return r;
		look = clock_deadline(LOOK_MS);
		r = wait_down(
		    ref, look < deadline_ns ? look : deadline_ns, ret_down);
		if (r != 0)
			return r;
		if (clock_now() >= deadline_ns)
			return -ETIMEDOUT;
	}
}

static int
started(msg_pid pid, uint64_t ref, int timeout_ms)
{
	struct msg down = { 0 };
	int r = wait_ready(pid, ref, clock_deadline(timeout_ms), &down);

	if (r == 0) {
		(void)msg_demonitor(ref, true);
	} else if (r == -ETIMEDOUT) {
		(void)msg_exit_to(pid, "kill");
		r = wait_down(ref, DEADLINE_NEVER, &down);
		if (r == 1)
			r = fail(-ETIMEDOUT,
			    "the server was not there in %d ms", timeout_ms);
	} else if (r == 1 && strcmp(down.body, "ignore") != 0) {
		r = fail(-ECONNRESET, "%s", (const char *)down.body);
	}
	msg_free(&down);
	return r;
}

static int
start(const char *pool, const char *const *args, bool link, int timeout_ms,
    msg_pid *ret_pid)
{
	msg_pid pid = 0;
	uint64_t ref = 0;
	int r = msg_spawn_monitor(pool, args, &pid, &ref);

	if (r == 0)
		r = started(pid, ref, timeout_ms);
	if (r == 0 && link)
		r = msg_link(pid);
	if (r == 0)
		*ret_pid = pid;
	return r;
}

MSG_API int
msg_server_start(
    const char *pool, const char *const *args, int timeout_ms, msg_pid *ret_pid)
{
	return start(pool, args, false, timeout_ms, ret_pid);
}

MSG_API int
msg_server_start_link(
    const char *pool, const char *const *args, int timeout_ms, msg_pid *ret_pid)
{
	return start(pool, args, true, timeout_ms, ret_pid);
}

/* --- stop --- */

static int
wait_stopped(uint64_t ref, const char *reason, int64_t deadline_ns)
{
	struct msg down;
	int r = wait_down(ref, deadline_ns, &down);

	if (r == 0) {
		(void)msg_demonitor(ref, true);
		return fail(-ETIMEDOUT, "the server still runs");
	}
	if (r < 0)
		return r;
	r = strcmp(down.body, reason) == 0 ? 0
	    : strcmp(down.body, "noproc") == 0
	        ? fail(-ESRCH, PID_FMT " has ended", PID_ARG(down.from))
	        : fail(-ECONNRESET, "%s", (const char *)down.body);
	msg_free(&down);
	return r;
}

MSG_API int
msg_stop(msg_pid to, const char *reason, int timeout_ms)
{
	int64_t deadline = clock_deadline(timeout_ms);
	struct msg_pack p;
	uint64_t ref = 0;
	int r;

	if (to == msg_self())
		return fail(-EDEADLK, "a server cannot stop itself this way");
	r = msg_monitor(to, &ref);
	if (r != 0)
		return r;
	msg_pack_init(&p);
	msg_pack_str(&p, reason);
	do
		r = ask_sys(to, "terminate", &p,
		    timeout_ms < 0 ? MSG_CALL_TIMEOUT_MS : left_ms(deadline),
		    NULL);
	while (r == -ETIMEDOUT && timeout_ms < 0);
	msg_pack_fini(&p);
	if (r == 0 || r == -ESRCH || r == -ECONNRESET || r == -ETIMEDOUT)
		return wait_stopped(ref, reason, deadline);
	(void)msg_demonitor(ref, true);
	return r;
}

MSG_API int
msg_stop_name(const char *name, const char *reason, int timeout_ms)
{
	msg_pid pid = 0;
	int r = whereis(name, &pid);

	return r != 0 ? r : msg_stop(pid, reason, timeout_ms);
}

/* --- many at once --- */

MSG_API int
msg_multi_call(const char *const *names, size_t n,
    const struct msg_pack *request, int timeout_ms,
    struct msg_answer *ret_answers)
{
	int64_t deadline = clock_deadline(timeout_ms);
	uint64_t *refs = calloc(n > 0 ? n : 1, sizeof(*refs));
	int replied = 0;

	if (refs == NULL || request->failed) {
		free(refs);
		return fail(-ENOMEM, "no memory for a request");
	}
	for (size_t i = 0; i < n; i++) {
		ret_answers[i] = (struct msg_answer){ 0 };
		ret_answers[i].error = msg_request_name(names[i], MSG_PACKED,
		    request->data, request->len, &refs[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (ret_answers[i].error != 0)
			continue;
		ret_answers[i].error = msg_wait_response(
		    refs[i], left_ms(deadline), &ret_answers[i].reply);
		if (ret_answers[i].error == -ETIMEDOUT)
			(void)msg_cancel_request(refs[i]);
		replied += ret_answers[i].error == 0;
	}
	free(refs);
	return replied;
}

MSG_API int
msg_abcast(const char *const *names, size_t n, const struct msg_pack *request)
{
	int r, ret = 0;

	if (request->failed)
		return fail(-ENOMEM, "no memory for a request");
	for (size_t i = 0; i < n; i++) {
		r = msg_cast_name(
		    names[i], MSG_PACKED, request->data, request->len);
		if (r != 0 && r != -ENOENT && ret == 0)
			ret = r;
	}
	return ret;
}

/* --- sets of requests --- */

struct msg_requests_entry {
	uint64_t ref;
	void *label;
};

MSG_API int
msg_requests_add(struct msg_requests *set, uint64_t ref, void *label)
{
	struct msg_requests_entry *more;

	/* The array grows at each power of two. */
	if ((set->n & (set->n - 1)) == 0) {
		more = realloc(set->entries,
		    (set->n > 0 ? 2 * set->n : 1) * sizeof(*more));
		if (more == NULL)
			return fail(-ENOMEM, "no memory for one more request");
		set->entries = more;
	}
	set->entries[set->n++] =
	    (struct msg_requests_entry){ .ref = ref, .label = label };
	return 0;
}

MSG_API int
msg_requests_wait(struct msg_requests *set, int timeout_ms,
    struct msg *ret_response, void **ret_label)
{
	struct msg_pattern *patterns;
	int r;

	if (set->n == 0)
		return fail(-ENOENT, "there is no request in this set");
	patterns = calloc(set->n, sizeof(*patterns));
	if (patterns == NULL)
		return fail(
		    -ENOMEM, "no memory to wait for %zu requests", set->n);
	for (size_t i = 0; i < set->n; i++) {
		patterns[i].kinds = MSG_IS(MSG_REPLY) | MSG_IS(MSG_DOWN);
		patterns[i].ref = set->entries[i].ref;
	}
	r = msg_receive_match(ret_response, patterns, set->n, timeout_ms);
	free(patterns);
	if (r <= 0)
		return r;
	*ret_label = set->entries[r - 1].label;
	set->entries[r - 1] = set->entries[--set->n];
	return 1;
}

MSG_API void
msg_requests_fini(struct msg_requests *set)
{
	for (size_t i = 0; i < set->n; i++)
		(void)msg_cancel_request(set->entries[i].ref);
	free(set->entries);
	*set = (struct msg_requests){ 0 };
}
