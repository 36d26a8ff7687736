/* SPDX-License-Identifier: ISC */
/*
 * The lock around libmsg, and waiting.
 *
 * One mutex guards everything; a thread holds it while it is inside libmsg and
 * gives it away only here, in mailbox_wait().  Everything that libmsg waits for
 * is in one epoll set: the lifeline, the mailbox, the routes, an eventfd that
 * wakes.  Of the threads that wait, one leads: it sleeps in epoll_wait(2),
 * takes in what has come, and wakes the others, who look whether it was for
 * them.  When the leader has what it came for, the next one leads.
 *
 * What has come in may want something sent, which may wait in turn; so that is
 * done after it has all been taken in (mailbox_chores).
 *
 * Level-triggered, all of it: nanomsg's fds are eventfds that are never read
 * by us, and edges lose wake-ups there (1 of 10 received).
 */
#include "internal.h"
#include "sys.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 16
/*
 * While a send waits, how often to look whether the peer's mailbox has been
 * closed: nanomsg has no fd that tells.
 */
#define BLOCKED_LOOK_MS 200

/* What happens to an fd; indexed by its number. */
struct watch {
	uint32_t events; /* 0: nobody's but for those who wait */
	uint32_t in_epoll;
	wait_fn *fn;
	void *arg;
};

/* A thread that waits for an fd of its own, once. */
struct waiter {
	LIST_ENTRY(waiter) entry;
	int fd;
	uint32_t events;
	bool fired;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	int epoll, wake; /* eventfd */
	struct watch *watches;
	int n_watches;
	LIST_HEAD(, waiter) waiters;
	pthread_cond_t changed;
	bool has_cond;
	bool led;           /* a thread is in epoll_wait */
	unsigned following; /* threads that wait for `changed` */
} w = { .epoll = -1, .wake = -1 };

void
mailbox_lock(void)
{
	pthread_mutex_lock(&lock);
}

void
mailbox_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

int
mailbox_sleep(pthread_cond_t *cond, const struct timespec *until)
{
	return pthread_cond_timedwait(cond, &lock, until);
}

/* Have epoll watch for what is wanted of an fd now. */
static int
update(int fd)
{
	struct watch *x = &w.watches[fd];
	struct epoll_event e = { .events = x->events, .data.fd = fd };
	struct waiter *one;
	int r;

	LIST_FOREACH(one, &w.waiters, entry)
	{
		if (one->fd == fd && !one->fired)
			e.events |= one->events;
	}
	if (e.events == x->in_epoll)
		return 0;
	if (e.events == 0) {
		/* Closed already: then epoll has forgotten it by itself. */
		(void)epoll_ctl(w.epoll, EPOLL_CTL_DEL, fd, NULL);
		x->in_epoll = 0;
		return 0;
	}
	r = epoll_ctl(
	    w.epoll, x->in_epoll == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e);
	/* A number that was closed and is in use again. */
	if (r == -1 && errno == ENOENT)
		r = epoll_ctl(w.epoll, EPOLL_CTL_ADD, fd, &e);
	else if (r == -1 && errno == EEXIST)
		r = epoll_ctl(w.epoll, EPOLL_CTL_MOD, fd, &e);
	if (r == -1)
		return fail(-errno, "epoll_ctl: %s", strerror(errno));
	x->in_epoll = e.events;
	return 0;
}

static int
watch_room(int fd)
{
	struct watch *more;
	int n = w.n_watches;

	if (fd < n)
		return 0;
	while (n <= fd)
		n = n == 0 ? 64 : 2 * n;
	more = realloc(w.watches, (size_t)n * sizeof(*more));
	if (more == NULL)
		return fail(-ENOMEM, "no memory to watch one more fd");
	memset(
	    more + w.n_watches, 0, (size_t)(n - w.n_watches) * sizeof(*more));
	w.watches = more;
	w.n_watches = n;
	return 0;
}

int
wait_add_fd(int fd, short events, wait_fn *fn, void *arg)
{
	int r = fd < 0 ? fail(-EBADF, "no fd to wait for") : watch_room(fd);

	if (r != 0)
		return r;
	w.watches[fd].events = (uint32_t)events;
	w.watches[fd].fn = fn;
	w.watches[fd].arg = arg;
	return update(fd);
}

void
wait_del_fd(int fd)
{
	if (fd < 0 || fd >= w.n_watches || w.watches[fd].events == 0)
		return;
	w.watches[fd].events = 0;
	w.watches[fd].fn = NULL;
	(void)update(fd);
}

static void
wake_read(void *arg)
{
	uint64_t n;

	(void)arg;
	(void)!read(w.wake, &n, sizeof(n));
}

void
wait_wake(void)
{
	uint64_t one = 1;

	if (w.led)
		(void)!write(w.wake, &one, sizeof(one));
	pthread_cond_broadcast(&w.changed);
}

int
wait_open(void)
{
	pthread_condattr_t attr;

	if (!w.has_cond) {
		pthread_condattr_init(&attr);
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		pthread_cond_init(&w.changed, &attr);
		pthread_condattr_destroy(&attr);
		w.has_cond = true;
	}
	LIST_INIT(&w.waiters);
	w.epoll = epoll_create1(EPOLL_CLOEXEC);
	w.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w.epoll == -1 || w.wake == -1)
		return fail(
		    -errno, "cannot open an epoll set: %s", strerror(errno));
	return wait_add_fd(w.wake, POLLIN, wake_read, NULL);
}

void
wait_close(void)
{
	/* Nobody must sleep on a number that is about to be another's. */
	while (w.led) {
		wait_wake();
		w.following++;
		pthread_cond_wait(&w.changed, &lock);
		w.following--;
	}
	if (w.epoll != -1)
		close(w.epoll);
	if (w.wake != -1)
		close(w.wake);
	w.epoll = w.wake = -1;
	free(w.watches);
	w.watches = NULL;
	w.n_watches = 0;
}

int
wait_epoll_fd(void)
{
	return w.epoll;
}

/* Something has happened to an fd. */
static void
dispatch(int fd, uint32_t events)
{
	struct watch *x = fd < w.n_watches ? &w.watches[fd] : NULL;
	uint32_t trouble = events & (EPOLLHUP | EPOLLERR);
	struct waiter *one;

	/* Another thread has closed it meanwhile. */
	if (x == NULL || x->in_epoll == 0)
		return;
	LIST_FOREACH(one, &w.waiters, entry)
	{
		if (one->fd == fd && ((events & one->events) || trouble != 0))
			one->fired = true;
	}
	if (x->fn != NULL && ((events & x->events) || trouble != 0))
		x->fn(x->arg);
	if (fd < w.n_watches)
		(void)update(fd);
}

/* Look what has come, waiting at most `ms`, and take it in.  0 or -EINTR. */
static int
look(int ms)
{
	struct epoll_event e[EVENTS_AT_ONCE];
	int n;

	if (ms != 0) {
		w.led = true;
		mailbox_unlock();
	}
	n = epoll_wait(w.epoll, e, EVENTS_AT_ONCE, ms);
	if (n == -1)
		n = -errno;
	if (ms != 0) {
		mailbox_lock();
		w.led = false;
	}
	for (int i = 0; i < n; i++)
		dispatch(e[i].data.fd, e[i].events);
	lifeline_late();
	mailbox_chores();
	if (w.following > 0)
		pthread_cond_broadcast(&w.changed);
	return n == -EINTR ? -EINTR : 0;
}

/* Another thread leads. */
static void
follow(int64_t deadline_ns)
{
	struct timespec t = { .tv_sec = deadline_ns / 1000000000,
		.tv_nsec = deadline_ns % 1000000000 };

	w.following++;
	if (deadline_ns == DEADLINE_NEVER)
		pthread_cond_wait(&w.changed, &lock);
	else
		(void)pthread_cond_timedwait(&w.changed, &lock, &t);
	w.following--;
}

static int
wait_until(int64_t deadline_ns)
{
	int64_t left = INT32_MAX;

	if (deadline_ns != DEADLINE_NEVER) {
		left = deadline_ns - clock_now();
		left = left <= 0 ? 0 : (left + NS_PER_MS - 1) / NS_PER_MS;
	}
	if (left == 0 || !w.led)
		return look(deadline_ns == DEADLINE_NEVER ? -1
			    : left < INT32_MAX            ? (int)left
							  : INT32_MAX);
	follow(deadline_ns);
	return 0;
}

static int
wait_once(int fd, short events, int64_t deadline_ns)
{
	struct waiter me = { .fd = fd, .events = (uint32_t)events };
	int64_t again;
	int r;

	if (w.epoll == -1)
		return 0;
	transport_flush();
	if (fd < 0 && !transport_owes())
		return wait_until(deadline_ns);
	if (fd < 0) {
		again = clock_deadline(BLOCKED_LOOK_MS);
		return wait_until(deadline_ns < again ? deadline_ns : again);
	}
	r = watch_room(fd);
	if (r != 0)
		return r;
	LIST_INSERT_HEAD(&w.waiters, &me, entry);
	(void)update(fd);
	again = clock_deadline(BLOCKED_LOOK_MS);
	r = wait_until(deadline_ns < again ? deadline_ns : again);
	LIST_REMOVE(&me, entry);
	if (fd < w.n_watches)
		(void)update(fd);
	return r;
}

int
mailbox_wait(int fd, short events, int64_t deadline_ns)
{
	int r = wait_once(fd, events, deadline_ns);

	/* What supd asks is answered at once, whatever is waited for. */
	sys_run();
	exit_obey();
	return r;
}
