/* SPDX-License-Identifier: ISC */
#include "msg_bus.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define NAMES_MAX    64
#define MONITORS_MAX 2048

static struct worker {
	pid_t os_pid;
	int fd; /* our end of its lifeline, -1 */
	bool joined, ready, ended, separate, unwell, traps;
	char reason[PROTO_REASON_MAX + 1]; /* declared */
	struct proto_stats stats;
	unsigned n_alive, n_reports;
	int status;
	bool knows[BUS_WORKERS_MAX + 1]; /* it has resolved this slot */
} workers[BUS_WORKERS_MAX + 1];
static int n_workers;
static struct {
	char name[PROTO_NAME_MAX + 1];
	int slot;
} names[NAMES_MAX];
static struct {
	int watcher, watched; /* slots; 0: free */
	uint64_t ref;
} monitors[MONITORS_MAX];
static struct {
	int one, other; /* slots; 0: free */
} links[NAMES_MAX];
static struct {
	uint64_t max_bytes;
	enum proto_on_full on_full;
} bounds;
static char dir[64];
static struct {
	bool come;
	struct proto_frame h;
	char text[PROTO_LIFELINE_MAX];
} reply;

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
endpoint(int slot, char out[PROTO_ENDPOINT_MAX])
{
	snprintf(out, PROTO_ENDPOINT_MAX, "ipc://%s/%d.1", dir, slot);
}

int
bus_setup(void **state)
{
	(void)state;
	memset(workers, 0, sizeof(workers));
	memset(names, 0, sizeof(names));
	memset(monitors, 0, sizeof(monitors));
	memset(links, 0, sizeof(links));
	memset(&bounds, 0, sizeof(bounds));
	n_workers = 0;
	reply.come = false;
	strcpy(dir, "/tmp/msg-test.XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int
bus_teardown(void **state)
{
	(void)state;
	for (int i = 1; i <= n_workers; i++) {
		if (!workers[i].ended) {
			kill(workers[i].os_pid, SIGKILL);
			waitpid(workers[i].os_pid, NULL, 0);
		}
		if (workers[i].fd >= 0)
			close(workers[i].fd);
	}
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int
bus_start(int (*work)(void))
{
	struct worker *w = &workers[n_workers + 1];
	int pair[2];
	char text[16];

	if (n_workers == BUS_WORKERS_MAX ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	fflush(NULL);
	w->os_pid = fork();
	if (w->os_pid == -1)
		abort();
	if (w->os_pid == 0) {
		alarm(BUS_PATIENCE_S * 2);
		for (int i = 1; i <= n_workers; i++)
			close(workers[i].fd);
		close(pair[0]);
		snprintf(text, sizeof(text), "%d", pair[1]);
		fcntl(pair[1], F_SETFD, 0); /* as supd passes it */
		setenv("SUPD_FD", text, 1);
		exit(work());
	}
	close(pair[1]);
	w->fd = pair[0];
	return ++n_workers;
}

/* Each mailbox has a secret of its own. */
static void
secret(int slot, uint8_t out[PROTO_SECRET_SIZE])
{
	memset(out, slot, PROTO_SECRET_SIZE);
}

uint64_t
bus_proof(int from, int to)
{
	uint8_t s[PROTO_SECRET_SIZE];

	secret(to, s);
	return proto_proof(s, BUS_PID(from), BUS_PID(to));
}

void
bus_bounds(uint64_t max_bytes, enum proto_on_full on_full)
{
	bounds.max_bytes = max_bytes;
	bounds.on_full = on_full;
}

void
bus_separate(int slot)
{
	workers[slot].separate = true;
}

const char *
bus_endpoint(int slot)
{
	static char text[PROTO_ENDPOINT_MAX];

	endpoint(slot, text);
	return text;
}

pid_t
bus_os_pid(int slot)
{
	return workers[slot].os_pid;
}

int
bus_status(int slot)
{
	return workers[slot].status;
}

void
bus_send_raw(int slot, const void *p, size_t len)
{
	/* Blocks when the worker does not read; it has ended: all the same. */
	(void)!send(workers[slot].fd, p, len, MSG_NOSIGNAL);
}

void
bus_send(int slot, const struct proto_frame *h, const void *body, size_t len)
{
	static char packet[PROTO_LIFELINE_MAX];

	bus_send_raw(
	    slot, packet, proto_put(packet, sizeof(packet), h, body, len));
}

static void
answer(int slot, enum proto_type type, uint64_t ref, uint64_t from,
    const void *body, size_t len)
{
	struct proto_frame h = { .type = (uint8_t)type,
		.ref = ref,
		.from = from,
		.to = BUS_PID(slot) };

	bus_send(slot, &h, body, len);
}

void
bus_hang_up(int slot)
{
	close(workers[slot].fd);
	workers[slot].fd = -1;
}

static int
name_find(const char *name)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		if (names[i].slot != 0 && strcmp(names[i].name, name) == 0)
			return i;
	}
	return -1;
}

/* The slot of a pid or name, 0 if it has ended or there is none. */
static int
whose(uint64_t pid, const char *name)
{
	int i, slot = (int)PROTO_PID_SLOT(pid);

	if (pid == 0) {
		i = name_find(name);
		slot = i < 0 ? 0 : names[i].slot;
	}
	if (slot < 1 || slot > n_workers || workers[slot].ended)
		return 0;
	return slot;
}

static void
on_register(int slot, const struct proto_frame *h, const char *name)
{
	struct proto_result r = { 0 };
	int i;

	if (name_find(name) >= 0) {
		r.error = EEXIST;
	} else {
		for (i = 0; names[i].slot != 0; i++)
			;
		names[i].slot = slot;
		(void)snprintf(names[i].name, sizeof(names[i].name), "%.*s",
		    PROTO_NAME_MAX, name);
	}
	answer(slot, PROTO_RESULT, h->ref, 0, &r, sizeof(r));
}

static void
on_unregister(int slot, const struct proto_frame *h, const char *name)
{
	struct proto_result r = { 0 };
	int i = name_find(name);

	if (i < 0)
		r.error = ENOENT;
	else
		names[i].slot = 0;
	answer(slot, PROTO_RESULT, h->ref, 0, &r, sizeof(r));
}

static void
on_resolve(int slot, const struct proto_frame *h, const char *name)
{
	struct proto_resolved r = { 0 };
	int who = whose(h->to, name);

	if (who != 0) {
		r.pid = BUS_PID(who);
		if (workers[who].separate != workers[slot].separate)
			r.error = EACCES;
		else if (workers[who].joined)
			endpoint(who, r.endpoint);
		r.proof = bus_proof(slot, who);
		workers[slot].knows[who] = true;
		workers[who].knows[slot] = true;
	}
	answer(slot, PROTO_RESOLVED, h->ref, 0, &r, sizeof(r));
}

static void
on_monitor(int slot, const struct proto_frame *h, const char *name)
{
	int i, who = whose(h->to, name);

	if (who == 0) {
		answer(slot, PROTO_DOWN, h->ref, h->to, "noproc", 6);
		return;
	}
	for (i = 0; monitors[i].watched != 0; i++)
		;
	monitors[i].watcher = slot;
	monitors[i].watched = who;
	monitors[i].ref = h->ref;
}

static void
on_demonitor(int slot, const struct proto_frame *h)
{
	for (int i = 0; i < MONITORS_MAX; i++) {
		if (monitors[i].watcher == slot && monitors[i].ref == h->ref)
			monitors[i].watched = 0;
	}
}

/* The link of two slots: its number, or with other == 0 any of one's; or -1. */
static int
link_find(int one, int other)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		if (links[i].one == 0)
			continue;
		if (links[i].one == one &&
		    (other == 0 || links[i].other == other))
			return i;
		if (links[i].other == one &&
		    (other == 0 || links[i].one == other))
			return i;
	}
	return -1;
}

static void
on_link(int slot, const struct proto_frame *h)
{
	struct proto_result r = { 0 };
	int i, other = whose(h->to, "");

	if (other == 0) {
		r.error = ESRCH;
	} else if (link_find(slot, other) < 0) {
		for (i = 0; links[i].one != 0; i++)
			;
		links[i].one = slot;
		links[i].other = other;
		answer(slot, PROTO_LINKED, 0, BUS_PID(other), NULL, 0);
		answer(other, PROTO_LINKED, 0, BUS_PID(slot), NULL, 0);
	}
	answer(slot, PROTO_RESULT, h->ref, 0, &r, sizeof(r));
}

static void
on_unlink(int slot, const struct proto_frame *h)
{
	int other = (int)PROTO_PID_SLOT(h->to), i = link_find(slot, other);

	if (i < 0)
		return;
	links[i].one = 0;
	answer(slot, PROTO_UNLINKED, 0, BUS_PID(other), NULL, 0);
	answer(other, PROTO_UNLINKED, 0, BUS_PID(slot), NULL, 0);
}

static void
on_reason(int slot, const struct proto_frame *h, const char *text)
{
	struct proto_result r = { 0 };

	(void)snprintf(workers[slot].reason, sizeof(workers[slot].reason),
	    "%.*s", PROTO_REASON_MAX, text);
	if (h->ref != 0)
		answer(slot, PROTO_RESULT, h->ref, 0, &r, sizeof(r));
}

static void
on_frame(int slot, const struct proto_frame *h, const void *body, size_t len)
{
	struct proto_welcome w = { .self = BUS_PID(slot) };
	char text[PROTO_LIFELINE_MAX + 1];

	memcpy(text, body, len);
	text[len] = '\0';
	switch (h->type) {
	case PROTO_JOIN:
		w.max_bytes = bounds.max_bytes;
		w.on_full = bounds.on_full;
		endpoint(slot, w.endpoint);
		secret(slot, w.secret);
		snprintf(w.path, sizeof(w.path), "root/w%d", slot);
		workers[slot].joined = true;
		answer(slot, PROTO_WELCOME, h->ref, 0, &w, sizeof(w));
		break;
	case PROTO_OPENED:
		break;
	case PROTO_READY:
		workers[slot].ready = true;
		break;
	case PROTO_ALIVE:
		workers[slot].n_alive++;
		break;
	case PROTO_REPORT:
		workers[slot].n_reports++;
		break;
	case PROTO_UNWELL:
		workers[slot].unwell = true;
		break;
	case PROTO_REGISTER:
		on_register(slot, h, text);
		break;
	case PROTO_UNREGISTER:
		on_unregister(slot, h, text);
		break;
	case PROTO_RESOLVE:
		on_resolve(slot, h, text);
		break;
	case PROTO_MONITOR:
		on_monitor(slot, h, text);
		break;
	case PROTO_DEMONITOR:
		on_demonitor(slot, h);
		break;
	case PROTO_LINK:
		on_link(slot, h);
		break;
	case PROTO_UNLINK:
		on_unlink(slot, h);
		break;
	case PROTO_TRAP:
		workers[slot].traps = h->ref != 0;
		break;
	case PROTO_REASON:
		on_reason(slot, h, text);
		break;
	case PROTO_STATS:
		if (len == sizeof(workers[slot].stats))
			memcpy(&workers[slot].stats, body, len);
		break;
	case PROTO_EXIT:
		if (whose(h->to, "") != 0)
			bus_send((int)PROTO_PID_SLOT(h->to), h, body, len);
		break;
	case PROTO_CALL:
	case PROTO_REPLY:
	case PROTO_DATA:
		if (h->to != BUS_GUEST) {
			bus_send((int)PROTO_PID_SLOT(h->to), h, body, len);
			break;
		}
		reply.come = true;
		reply.h = *h;
		memcpy(reply.text, text, len + 1);
		break;
	default:
		fprintf(stderr, "slot %d sent type %d\n", slot, h->type);
		abort();
	}
}

static void
read_lifeline(int slot)
{
	static char packet[PROTO_LIFELINE_MAX];
	struct proto_frame h;
	const void *body;
	size_t pos, len;
	ssize_t n;

	while (
	    workers[slot].fd >= 0 && (n = recv(workers[slot].fd, packet,
					  sizeof(packet), MSG_DONTWAIT)) > 0) {
		pos = 0;
		if (!proto_next(packet, (size_t)n, &pos, PROTO_LIFELINE_MAX, &h,
			&body, &len))
			abort();
		on_frame(slot, &h, body, len);
	}
}

/* A worker has ended: its names first, then the news. */
static void
bury(int slot)
{
	struct worker *w = &workers[slot];
	char why[PROTO_REASON_MAX + 1] = "normal";
	struct proto_frame exit = { .type = PROTO_EXIT,
		.from = BUS_PID(slot),
		.flags = PROTO_VIA_LINK };
	int link;

	read_lifeline(slot);
	w->ended = true;
	if (WIFEXITED(w->status) && w->reason[0] != '\0')
		strcpy(why, w->reason);
	else if (WIFSIGNALED(w->status))
		snprintf(why, sizeof(why), "SIG%s",
		    sigabbrev_np(WTERMSIG(w->status)));
	else if (WEXITSTATUS(w->status) != 0)
		snprintf(why, sizeof(why), "exit %d", WEXITSTATUS(w->status));
	for (int i = 0; i < NAMES_MAX; i++) {
		if (names[i].slot == slot)
			names[i].slot = 0;
	}
	for (int i = 1; i <= n_workers; i++) {
		if (workers[i].knows[slot] && !workers[i].ended)
			answer(i, PROTO_GONE, 0, BUS_PID(slot), NULL, 0);
	}
	while ((link = link_find(slot, 0)) >= 0) {
		int other = links[link].one == slot ? links[link].other
		                                    : links[link].one;

		links[link].one = 0;
		exit.to = BUS_PID(other);
		if (!workers[other].ended)
			bus_send(other, &exit, why, strlen(why));
	}
	for (int i = 0; i < MONITORS_MAX; i++) {
		if (monitors[i].watched != slot)
			continue;
		monitors[i].watched = 0;
		if (!workers[monitors[i].watcher].ended)
			answer(monitors[i].watcher, PROTO_DOWN, monitors[i].ref,
			    BUS_PID(slot), why, strlen(why));
	}
}

/* Serve what is there, or wait for it so long. */
static void
serve(int ms)
{
	struct pollfd p[BUS_WORKERS_MAX];

	for (int i = 0; i < n_workers; i++)
		p[i] = (struct pollfd){ .events = POLLIN,
			.fd = workers[i + 1].ended ? -1 : workers[i + 1].fd };
	poll(p, (nfds_t)n_workers, ms);
	for (int i = 1; i <= n_workers; i++) {
		if (workers[i].ended)
			continue;
		read_lifeline(i);
		if (waitpid(workers[i].os_pid, &workers[i].status, WNOHANG) ==
		    workers[i].os_pid)
			bury(i);
	}
}

static void
turn(void)
{
	serve(5);
}

void
bus_serve(void)
{
	serve(0);
}

bool
bus_until_ready(int slot)
{
	double end = now_s() + BUS_PATIENCE_S;

	while (!workers[slot].ready && !workers[slot].ended && now_s() < end)
		turn();
	return workers[slot].ready;
}

unsigned
bus_alive(int slot, bool *ret_unwell)
{
	*ret_unwell = workers[slot].unwell;
	return workers[slot].n_alive;
}

unsigned
bus_reports(int slot)
{
	return workers[slot].n_reports;
}

bool
bus_traps(int slot)
{
	return workers[slot].traps;
}

const char *
bus_reason(int slot)
{
	return workers[slot].reason;
}

bool
bus_until_received(int slot, uint64_t n)
{
	double end = now_s() + BUS_PATIENCE_S;

	while (workers[slot].stats.received < n && now_s() < end)
		turn();
	return workers[slot].stats.received >= n;
}

bool
bus_until_ended(int slot)
{
	double end = now_s() + BUS_PATIENCE_S;

	while (!workers[slot].ended && now_s() < end)
		turn();
	return workers[slot].ended;
}

bool
bus_until_reply(struct proto_frame *ret_h, char *ret_text, size_t size)
{
	double end = now_s() + BUS_PATIENCE_S;

	while (!reply.come && now_s() < end)
		turn();
	*ret_h = reply.h;
	snprintf(ret_text, size, "%s", reply.text);
	return reply.come;
}

bool
bus_succeeded(int slot)
{
	if (!bus_until_ended(slot)) {
		fprintf(stderr, "worker %d has not ended\n", slot);
		return false;
	}
	if (workers[slot].status != 0)
		fprintf(stderr, "worker %d: wait status 0x%x\n", slot,
		    (unsigned)workers[slot].status);
	return workers[slot].status == 0;
}
