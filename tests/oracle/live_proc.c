/* SPDX-License-Identifier: ISC */
#include "live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REAP_TRIES 20000 /* of half a millisecond */

int
live_listen(struct live *l)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	memcpy(at.sun_path, l->sock, strlen(l->sock) + 1);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(fd, 256) != 0) {
		int e = errno;

		close(fd);
		return -e;
	}
	l->listen = fd;
	return 0;
}

void
live_tell(struct live_proc *p, const char *text)
{
	if (p->fd >= 0)
		(void)!send(p->fd, text, strlen(text), MSG_NOSIGNAL);
}

struct live_proc *
live_current(struct live *l, int id)
{
	struct live_proc *p =
	    l->current[id] >= 0 ? &l->proc[l->current[id]] : NULL;

	return p != NULL && p->fd >= 0 ? p : NULL;
}

struct live_proc *
live_by_pid(struct live *l, pid_t pid)
{
	for (int i = l->n_procs - 1; i >= 0; i--)
		if (l->proc[i].pid == pid)
			return &l->proc[i];
	return NULL;
}

bool
live_is_held(const struct live *l, const struct live_proc *p)
{
	if (p == NULL || p->fd < 0 || p->doomed)
		return false;
	return (p->held && l->s->item[p->id].timeout_ms == FOR_EVER) ||
	       p->stopping;
}

/* ---- what they say --------------------------------------------------------
 */

static bool
is_alive(pid_t pid)
{
	return kill(pid, 0) == 0;
}

/* What the script has in store for this start. */
static void
decide_start(struct live *l, struct live_proc *p)
{
	if (l->s->item[p->id].ready_by != READY_BY_EVENT) {
		p->told = true;
	} else if (l->holds[p->id] > 0) {
		l->holds[p->id]--;
		p->held = true;
	} else if (l->fails[p->id] > 0) {
		l->fails[p->id]--;
		p->told = p->doomed = true;
		live_tell(p, "exit 1");
	} else {
		p->told = true;
		live_tell(p, "go");
	}
}

static void
said_start(struct live *l, struct live_proc *p, int id, pid_t pid)
{
	const struct live_proc *old = live_current(l, id);

	if (id < 1 || id > ITEMS_MAX) {
		snprintf(l->broken, sizeof(l->broken), "who is %d?", id);
		return;
	}
	if (old != NULL && is_alive(old->pid))
		buf_printf(l->out, "double %d\n", id);
	p->id = id;
	p->pid = pid;
	l->current[id] = (int)(p - l->proc);
	decide_start(l, p);
}

static void
said_stop(struct live *l, struct live_proc *p)
{
	p->stopping = l->s->item[p->id].on_stop == ON_STOP_SLOW;
}

static void
read_proc(struct live *l, struct live_proc *p)
{
	char text[96];
	ssize_t n = recv(p->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	int id, pid;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(p->fd);
		p->fd = -1;
		return;
	}
	text[n] = '\0';
	if (sscanf(text, "start %d %d", &id, &pid) == 2)
		said_start(l, p, id, pid);
	else if (strcmp(text, "stop") == 0)
		said_stop(l, p);
}

static void
accept_all(struct live *l)
{
	int fd;

	while ((fd = accept4(l->listen, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		if (l->n_procs == LIVE_PROCS) {
			close(fd);
			snprintf(
			    l->broken, sizeof(l->broken), "too many processes");
			return;
		}
		l->proc[l->n_procs++] = (struct live_proc){ .fd = fd };
	}
}

void
live_poll(struct live *l, int ms)
{
	struct pollfd fds[LIVE_PROCS + 2];
	int who[LIVE_PROCS + 2], n = 0;

	fds[n++] = (struct pollfd){ .fd = l->gone ? -1 : l->control,
		.events = POLLIN };
	/* Nobody starts before we see what supd does. */
	fds[n++] = (struct pollfd){ .fd = l->control >= 0 ? l->listen : -1,
		.events = POLLIN };
	for (int i = 0; i < l->n_procs; i++) {
		if (l->proc[i].fd < 0)
			continue;
		who[n] = i;
		fds[n++] =
		    (struct pollfd){ .fd = l->proc[i].fd, .events = POLLIN };
	}
	if (poll(fds, (nfds_t)n, ms) <= 0)
		return;
	if (fds[0].revents != 0)
		live_read(l);
	for (int i = 2; i < n; i++)
		if (fds[i].revents != 0)
			read_proc(l, &l->proc[who[i]]);
	if (fds[1].revents != 0)
		accept_all(l);
}

/* ---- what befalls them ----------------------------------------------------
 */

static void
nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
}

/* Until the keeper has seen its end, which it tells the engine at once. */
static void
wait_reaped(struct live *l, pid_t pid)
{
	for (int i = 0; i < REAP_TRIES; i++) {
		if (!is_alive(pid))
			return;
		nap();
	}
	snprintf(l->broken, sizeof(l->broken), "%d does not end", (int)pid);
}

static struct live_proc *
victim(struct live *l, const struct op *o)
{
	struct live_proc *p = live_current(l, o->id);

	return p != NULL && p->pid != 0 && !p->doomed ? p : NULL;
}

static void
end_one(struct live *l, const struct op *o, struct live_proc *p)
{
	live_tell(p, o->kind == OP_DIE  ? "exit 1"
		     : o->kind == OP_OK ? "exit 0"
					: "term");
	wait_reaped(l, p->pid);
}

/* As in machine.c: an end that a supervisor waits for is told last. */
static void
end_those(struct live *l, const struct command *c, struct live_proc **p,
    bool held, bool both)
{
	for (int i = 0; i < c->n; i++)
		if (p[i] != NULL &&
		    (both || (p[i]->held || p[i]->stopping) == held))
			end_one(l, &c->op[i], p[i]);
}

void
live_deaths(struct live *l, const struct command *c)
{
	struct live_proc *p[OPS_MAX] = { NULL };

	for (int i = 0; i < c->n; i++) {
		p[i] = victim(l, &c->op[i]);
		if (p[i] != NULL)
			p[i]->doomed = true;
	}
	if (c->n > 1 && l->engine > 0)
		kill(l->engine, SIGSTOP);
	end_those(l, c, p, false, c->apart);
	if (!c->apart)
		end_those(l, c, p, true, false);
	if (c->n > 1 && l->engine > 0)
		kill(l->engine, SIGCONT);
}

int
live_count_held(const struct live *l)
{
	int n = 0;

	for (int i = 0; i < l->n_procs; i++)
		n += live_is_held(l, &l->proc[i]);
	return n;
}

static void
let_go(struct live *l, struct live_proc *p)
{
	static const char *const answers[] = { "term", "exit 0", "exit 1" };

	if (p->stopping) {
		p->stopping = false;
		live_tell(p, answers[l->s->item[p->id].answer]);
		return;
	}
	p->held = false;
	decide_start(l, p);
}

void
live_go(struct live *l, int k)
{
	int n = live_count_held(l);

	if (n == 0)
		return;
	k %= n;
	for (int id = 1; id <= ITEMS_MAX; id++) {
		struct live_proc *p = live_current(l, id);

		if (live_is_held(l, p) && k-- == 0) {
			/* It is not held again: that was this start. */
			int holds = l->holds[id];

			l->holds[id] = 0;
			let_go(l, p);
			l->holds[id] = holds;
			return;
		}
	}
}
