/* SPDX-License-Identifier: ISC */
/*
 * Exit signals (P-7), and ending with a reason.
 *
 * A signal that is to end this process is noted when it is taken in, and obeyed
 * by the thread that has the lock when that is about to wait again or to leave
 * libmsg: exit(3) must not run in the middle of taking in.  Other threads that
 * come by then are kept.
 */
#include "internal.h"
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* supd has to write it down; longer than this and it is not there. */
#define REASON_TIMEOUT_MS 5000

/* A signal whose sender's messages before it have not all come. */
struct early {
	TAILQ_ENTRY(early) entry;
	struct proto_frame h;
	size_t len;
	char reason[];
};

static TAILQ_HEAD(, early) waiting = TAILQ_HEAD_INITIALIZER(waiting);

static struct {
	char reason[MSG_REASON_MAX + 1]; /* "": live on */
	bool killed;
	bool ending; /* by this thread */
	pthread_t thread;
} doom;

static bool
is(const char *text, size_t len, const char *what)
{
	return len == strlen(what) && memcmp(text, what, len) == 0;
}

/* As much of a text as a reason may have, in whole characters of UTF-8. */
static size_t
reason_len(const char *text, size_t len)
{
	if (len <= MSG_REASON_MAX)
		return len;
	for (len = MSG_REASON_MAX; len > 0; len--) {
		if (((unsigned char)text[len] & 0xc0) != 0x80)
			break;
	}
	return len;
}

void
exit_doom(const char *reason, size_t len, bool killed)
{
	/* The first counts, but nothing is stronger than "kill". */
	if (doom.reason[0] != '\0' && (doom.killed || !killed))
		return;
	len = reason_len(reason, len);
	if (len == 0) {
		reason = "normal";
		len = strlen(reason);
	}
	memcpy(doom.reason, reason, len);
	doom.reason[len] = '\0';
	doom.killed = killed;
}

/* The table of P-7, for a signal whose time has come. */
static void
obey_or_store(const struct proto_frame *h, const char *reason, size_t len)
{
	bool by_link = (h->flags & PROTO_VIA_LINK) != 0;

	if (!by_link && h->from != PROTO_SUPERVISOR && is(reason, len, "kill"))
		exit_doom("killed", strlen("killed"), true);
	else if (mailbox.trap)
		mailbox_store(MSG_EXIT, h, reason, len, false);
	else if (!is(reason, len, "normal") || h->from == mailbox.self)
		exit_doom(reason, len, false);
}

static void
early_keep(const struct proto_frame *h, const char *reason, size_t len)
{
	struct early *e = malloc(sizeof(*e) + len + 1);

	if (e == NULL) {
		mailbox.stats.bad++;
		return;
	}
	e->h = *h;
	e->len = len;
	if (len > 0)
		memcpy(e->reason, reason, len);
	e->reason[len] = '\0';
	TAILQ_INSERT_TAIL(&waiting, e, entry);
}

void
exit_signal(const struct proto_frame *h, const char *reason, size_t len)
{
	if ((h->flags & PROTO_VIA_LINK) != 0) {
		/* By a link that we have undone: nothing. */
		if (!hash_drop_key(&mailbox.links, h->from))
			return;
		transport_gone(h->from);
		exits_run(h->from);
		obey_or_store(h, reason, len);
	} else if (transport_has_taken(h->from, h->seq)) {
		obey_or_store(h, reason, len);
	} else {
		early_keep(h, reason, len);
	}
}

void
exits_run(msg_pid ended)
{
	struct early *e, *next;

	for (e = TAILQ_FIRST(&waiting); e != NULL; e = next) {
		next = TAILQ_NEXT(e, entry);
		if (e->h.from != ended &&
		    !transport_has_taken(e->h.from, e->h.seq))
			continue;
		TAILQ_REMOVE(&waiting, e, entry);
		obey_or_store(&e->h, e->reason, e->len);
		free(e);
	}
}

void
exits_fini(void)
{
	struct early *e;

	while ((e = TAILQ_FIRST(&waiting)) != NULL) {
		TAILQ_REMOVE(&waiting, e, entry);
		free(e);
	}
}

/* --- ending --- */

bool
reason_is_clean(const char *reason)
{
	return strcmp(reason, "normal") == 0 ||
	       strcmp(reason, "shutdown") == 0 ||
	       strncmp(reason, "shutdown: ", strlen("shutdown: ")) == 0;
}

/* Have supd know why, before it sees that.  With the lock. */
static void
declare(const char *reason)
{
	struct proto_frame h = { .type = PROTO_REASON };
	struct item *it = NULL;

	if (mailbox_ask(&h, reason, strlen(reason), REASON_TIMEOUT_MS, &it) ==
	    0)
		free(it);
}

/* With the lock, which it gives back. */
static void
end(void)
{
	char reason[MSG_REASON_MAX + 1];
	bool killed = doom.killed;

	doom.ending = true;
	doom.thread = pthread_self();
	strcpy(reason, doom.reason);
	declare(reason);
	mailbox_unlock();
	if (killed) {
		/* Untrappable: none of the program's code runs any more. */
		(void)msg_close();
		_exit(1);
	}
	exit(reason_is_clean(reason) ? 0 : 1);
}

void
exit_obey(void)
{
	if (doom.reason[0] == '\0' || (mailbox.closing && !doom.ending))
		return;
	if (!doom.ending)
		end();
	/* It may use libmsg on its way out; others would disturb it. */
	if (pthread_equal(doom.thread, pthread_self()))
		return;
	mailbox_unlock();
	for (;;)
		pause();
}

MSG_API void
msg_exit(const char *reason)
{
	if (reason == NULL || *reason == '\0')
		reason = "normal";
	server_exiting(reason);
	if (mailbox_enter() != 0)
		exit(reason_is_clean(reason) ? 0 : 1);
	exit_doom(reason, strlen(reason), false);
	exit_obey();
	/* From an atexit function: the end is under way. */
	mailbox_unlock();
	_exit(reason_is_clean(reason) ? 0 : 1);
}

static int
exit_to(msg_pid pid, const char *reason)
{
	struct proto_frame h = {
		.type = PROTO_EXIT, .to = pid, .from = mailbox.self
	};
	size_t len = strlen(reason);

	if (len == 0 || len > MSG_REASON_MAX)
		return fail(
		    -EINVAL, "a reason has 1 to %d bytes", MSG_REASON_MAX);
	if (pid == mailbox.self) {
		obey_or_store(&h, reason, len);
		return 0;
	}
	return transport_signal(&h, reason, len);
}

MSG_API int
msg_exit_to(msg_pid pid, const char *reason)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(exit_to(pid, reason));
}

static int
trap(bool on)
{
	struct proto_frame h = {
		.type = PROTO_TRAP, .from = mailbox.self, .ref = on
	};

	mailbox.trap = on;
	return lifeline_send(&h, NULL, 0);
}

MSG_API int
msg_trap_exit(bool on)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(trap(on));
}
