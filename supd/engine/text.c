/* SPDX-License-Identifier: ISC */
#include "engine/text.h"

#include "engine/hook.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_NS (60 * NS_PER_S)
#define HOUR_NS   (60 * MINUTE_NS)
#define DAY_NS    (24 * HOUR_NS)

/* Deep enough for any tree the configuration accepts. */
#define NESTED_MAX 64

const char *
text_duration(int64_t ns, char *buf, size_t len)
{
	if (ns < 0)
		ns = 0;
	if (ns < 100 * NS_PER_MS)
		snprintf(buf, len, "%" PRId64 "ms", ns / NS_PER_MS);
	else if (ns < 10 * NS_PER_S && ns % NS_PER_S >= 100 * NS_PER_MS)
		snprintf(buf, len, "%" PRId64 ".%" PRId64 "s", ns / NS_PER_S,
		    ns % NS_PER_S / (100 * NS_PER_MS));
	else if (ns < 2 * MINUTE_NS)
		snprintf(buf, len, "%" PRId64 "s", ns / NS_PER_S);
	else if (ns < HOUR_NS)
		snprintf(buf, len, "%" PRId64 "m", ns / MINUTE_NS);
	else if (ns < DAY_NS)
		snprintf(buf, len, "%" PRId64 "h%02" PRId64 "m", ns / HOUR_NS,
		    ns % HOUR_NS / MINUTE_NS);
	else
		snprintf(buf, len, "%" PRId64 "d%02" PRId64 "h", ns / DAY_NS,
		    ns % DAY_NS / HOUR_NS);
	return buf;
}

const char *
text_short(const char *path)
{
	const char *slash = strchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* What a step worked on: the command for exec, the directory for chdir. */
static const char *
step_object(const struct conf_worker *w, int step)
{
	const char *s = NULL;

	switch (step) {
	case STEP_EXEC:
		s = w->argv[0];
		break;
	case STEP_CWD:
		s = w->cwd;
		break;
	case STEP_STDIN:
		s = w->in.file;
		break;
	case STEP_STDOUT:
		s = w->out.file;
		break;
	case STEP_STDERR:
		s = w->err.file;
		break;
	case STEP_UID:
	case STEP_GID:
	case STEP_GROUPS:
		s = w->user_name;
		break;
	default:
		break;
	}
	return s;
}

void
text_spawn_error(
    const struct conf_worker *w, int step, int error, char *buf, size_t len)
{
	const char *object = w != NULL ? step_object(w, step) : NULL;
	bool identity =
	    step == STEP_UID || step == STEP_GID || step == STEP_GROUPS;

	snprintf(buf, len, "%s%s%s: %s%s", spawn_step_name(step),
	    object != NULL ? " " : "", object != NULL ? object : "",
	    strerror(error),
	    identity && error == EPERM ? "; only a supd run by root may" : "");
}

static const struct conf_worker *
worker_of(const struct shell *sh, node_t n)
{
	const struct conf_child *c = sh->nodes[n].conf;

	return c != NULL && !c->is_sup ? &c->worker : NULL;
}

/* "stopped by app": a sibling's restart took it along. */
static bool
shutdown_words(const struct shell *sh, node_t n, const struct reason *r,
    char *buf, size_t len)
{
	node_t parent = engine_parent(sh->core, n);
	char name[24];

	if (r->why == WHY_NONE && r->code > 0) { /* D4: nobody here sent it */
		strlcpy(buf, signal_name(r->code, name, sizeof(name)), len);
		return true;
	}
	if (r->why != WHY_GROUP && r->why != WHY_ROLLBACK)
		return false;
	if (parent == NODE_NONE)
		return false;
	snprintf(buf, len, "stopped by %s%s", engine_name(sh->core, parent),
	    r->why == WHY_ROLLBACK ? ": a sibling failed to start" : "");
	return true;
}

/* "not ready within 60s (tcp 127.0.0.1:8080)" */
static void
timeout_words(const struct conf_worker *w, char *buf, size_t len)
{
	char limit[TEXT_DURATION_LEN], what[256];

	snprintf(buf, len, "not ready within %s (%s)",
	    text_duration(w->spec.start_timeout_ns, limit, sizeof(limit)),
	    text_awaited(w, what, sizeof(what)));
}

/* "pre_start: exec ./setup: No such file or directory" */
static void
hook_words(
    const struct conf_worker *w, const struct reason *r, char *buf, size_t len)
{
	const char *const *argv =
	    r->hook == PROC_POST_STOP ? w->post_stop : w->pre_start;
	bool exec = r->step == STEP_EXEC && argv != NULL;

	snprintf(buf, len, "%s: %s%s%s: %s", hook_name(r->hook),
	    spawn_step_name(r->step), exec ? " " : "", exec ? argv[0] : "",
	    strerror(r->code));
}

static bool
is_last(const struct shell *sh, node_t n, const struct reason *r)
{
	struct reason last = engine_last_reason(sh->core, n);

	return r->kind == last.kind && r->under == last.under &&
	       r->step == last.step && r->code == last.code;
}

const char *
text_reason(const struct shell *sh, node_t n, const struct reason *r, char *buf,
    size_t len)
{
	const struct node *nd = &sh->nodes[n];

	if (nd->last_words != NULL && is_last(sh, n, r)) {
		strlcpy(buf, nd->last_words, len);
	} else if (r->kind == REASON_IGNORE) {
		reason_text(r, buf, len);
	} else if (r->declared && nd->own_words != NULL) {
		snprintf(buf, len, "%s%s", nd->own_words,
		    r->kind == REASON_EARLY ? " before it was ready" : "");
	} else if (r->kind == REASON_SPAWN) {
		if (nd->prep_text != NULL && r->code == nd->prep_error)
			strlcpy(buf, nd->prep_text, len);
		else
			text_spawn_error(
			    worker_of(sh, n), r->step, r->code, buf, len);
	} else if (r->kind == REASON_HOOK && r->under == REASON_SPAWN &&
		   worker_of(sh, n) != NULL) {
		hook_words(worker_of(sh, n), r, buf, len);
	} else if (r->kind == REASON_UNHEALTHY && nd->complaint != NULL) {
		strlcpy(buf, nd->complaint, len);
	} else if (r->kind == REASON_TIMEOUT && worker_of(sh, n) != NULL) {
		timeout_words(worker_of(sh, n), buf, len);
	} else if (r->kind == REASON_CHILD && engine_has(sh->core, r->child)) {
		snprintf(buf, len, "%s failed to start",
		    engine_name(sh->core, r->child));
	} else if (r->kind != REASON_SHUTDOWN || !engine_has(sh->core, n) ||
		   !shutdown_words(sh, n, r, buf, len)) {
		reason_text(r, buf, len);
	}
	return buf;
}

void
text_nested(
    const struct shell *sh, node_t n, const struct reason *r, struct buf *out)
{
	struct reason at = *r;
	char text[WIRE_TEXT_MAX];

	for (int i = 0; i < NESTED_MAX && at.kind == REASON_CHILD &&
			engine_has(sh->core, at.child);
	     i++) {
		n = at.child;
		at = engine_last_reason(sh->core, n);
		buf_printf(out, "%s: ", engine_name(sh->core, n));
	}
	buf_puts(out, text_reason(sh, n, &at, text, sizeof(text)));
}

const char *
text_awaited(const struct conf_worker *w, char *buf, size_t len)
{
	switch (w->ready) {
	case READY_MODE_NOTIFY:
		return "notify";
	case READY_MODE_NOTIFY_FD:
		snprintf(buf, len, "a newline on fd %d", w->ready_fd);
		return buf;
	case READY_MODE_TCP:
		snprintf(buf, len, "tcp %s", w->ready_addr);
		return buf;
	case READY_MODE_UNIX:
		snprintf(buf, len, "unix %s", w->ready_addr);
		return buf;
	case READY_MODE_DELAY:
		return "its delay";
	case READY_MODE_PROBE:
		snprintf(buf, len, "probe %s", w->ready_argv[0]);
		return buf;
	case READY_MODE_EXEC:
		return w->spec.start_grace_ns > 0 ? "its start_grace" : "exec";
	case READY_MODE_N:
		break;
	}
	return "ready";
}
