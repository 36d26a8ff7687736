/* SPDX-License-Identifier: ISC */
/*
 * A shim between nanomsg 1.1.5 and the kernel, because nanomsg throws away what
 * a closing peer had already written: of 100 messages sent before _exit(2) to a
 * receiver that needs 1 ms for each, 97 are lost.
 *
 * The data is with the receiver's kernel; the receiver discards it.  While one
 * message waits for nn_recv, the connection stays in nanomsg's epoll set with
 * events == 0.  The kernel reports EPOLLHUP for it all the same, nanomsg takes
 * that for an error and closes the connection with everything unread in it.
 * And when IN and HUP come in one word, it handles IN for one message and then
 * closes.  NN_LINGER, which looks like the cure, does nothing since 1.0.
 *
 *   epoll_ctl   events == 0 is "not registered"
 *   epoll_wait  HUP is hidden while IN is there, so that the end is found by
 *               a read of 0 bytes, after the data
 *   listen      backlog 10 -> 4096: a storm of connects meets EAGAIN otherwise
 *   accept4     out of fds: wait 10 ms, or nanomsg spins at 100 % CPU
 *   sendmsg     to a peer that has closed succeeds: nanomsg would close the
 *               connection, with all that is unread in it, because a CREDIT
 *               could not be sent.  The read that follows finds the end
 *
 * It works because libnanomsg calls libc through the PLT and libmsg comes
 * before libc in the search order.  Only calls that return into libnanomsg's
 * own text, or sendmsg to its sockets, are changed; all others pass through.
 * With a static libnanomsg it is not in effect: nnfix_active() is false, and
 * libmsg waits for acknowledgements before it exits.
 *
 * It also knows which connections nanomsg has, so it can tell whether one has
 * been hung up by its peer and not yet been read to its end.
 */
#include "internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 4096
#define FDS_MAX 65536

typedef ssize_t send_fn(int fd, const struct msghdr *m, int flags);

/* The text of libnanomsg; empty when it is not a shared library. */
static uintptr_t text_start, text_end;
static atomic_uint n_listens, n_registers;
/* Which fds nanomsg has: a bit each.  Written by its thread, read by ours. */
static _Atomic uint64_t known[FDS_MAX / 64];
static atomic_int known_max = -1;
/* Of those, which were hung up when nnfix_mark() was called. */
static _Atomic uint64_t marked[FDS_MAX / 64];
static atomic_bool untracked; /* an fd was too large to be known */

/* dl_iterate_phdr(3): is this libnanomsg?  Then keep where its text is. */
static int
find_text(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	if (info->dlpi_name == NULL ||
	    strstr(info->dlpi_name, "libnanomsg.so") == NULL)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_X) != 0) {
			text_start = info->dlpi_addr + ph->p_vaddr;
			text_end = text_start + ph->p_memsz;
		}
	}
	return 1;
}

void
nnfix_init(void)
{
	/* For the test that shows the loss, and to tell whose bug one is. */
	if (getenv("MSG_NNFIX_OFF") == NULL && text_end == 0)
		dl_iterate_phdr(find_text, NULL);
}

static bool
from_nanomsg(const void *return_address)
{
	uintptr_t at = (uintptr_t)return_address;

	return at >= text_start && at < text_end;
}

static void
know(int fd)
{
	int max = atomic_load(&known_max);

	if (fd < 0 || fd >= FDS_MAX) {
		atomic_store(&untracked, true);
		return;
	}
	atomic_fetch_or(&known[fd / 64], UINT64_C(1) << fd % 64);
	while (max < fd && !atomic_compare_exchange_weak(&known_max, &max, fd))
		;
}

static void
forget(int fd)
{
	uint64_t others;

	if (fd < 0 || fd >= FDS_MAX)
		return;
	others = ~(UINT64_C(1) << fd % 64);
	atomic_fetch_and(&known[fd / 64], others);
	atomic_fetch_and(&marked[fd / 64], others);
}

static int
sys_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
	return (int)syscall(SYS_epoll_ctl, ep, op, fd, ev);
}

/* nanomsg's epoll_ctl: an fd with no events is kept out of the set. */
static int
fixed_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
	int saved = errno;
	int r;

	switch (op) {
	case EPOLL_CTL_ADD:
		atomic_fetch_add(&n_registers, 1);
		know(fd);
		return ev->events == 0 ? 0 : sys_epoll_ctl(ep, op, fd, ev);
	case EPOLL_CTL_MOD:
		if (ev->events == 0) {
			(void)sys_epoll_ctl(ep, EPOLL_CTL_DEL, fd, ev);
			errno = saved;
			return 0;
		}
		r = sys_epoll_ctl(ep, op, fd, ev);
		if (r == -1 && errno == ENOENT)
			r = sys_epoll_ctl(ep, EPOLL_CTL_ADD, fd, ev);
		return r;
	default:
		forget(fd);
		r = sys_epoll_ctl(ep, op, fd, ev);
		if (r == -1 && errno == ENOENT) {
			errno = saved;
			r = 0;
		}
		return r;
	}
}

MSG_API int
epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
	if (from_nanomsg(__builtin_return_address(0)))
		return fixed_epoll_ctl(ep, op, fd, ev);
	return sys_epoll_ctl(ep, op, fd, ev);
}

MSG_API int
epoll_wait(int ep, struct epoll_event *ev, int max, int timeout)
{
	bool fix = from_nanomsg(__builtin_return_address(0));
	int n = epoll_pwait(ep, ev, max, timeout, NULL);

	for (int i = 0; fix && i < n; i++) {
		if (ev[i].events & EPOLLIN)
			ev[i].events &=
			    ~(uint32_t)(EPOLLHUP | EPOLLERR | EPOLLRDHUP);
	}
	return n;
}

MSG_API int
listen(int fd, int backlog)
{
	if (from_nanomsg(__builtin_return_address(0))) {
		atomic_fetch_add(&n_listens, 1);
		backlog = BACKLOG;
	}
	return (int)syscall(SYS_listen, fd, backlog);
}

MSG_API int
accept4(int fd, struct sockaddr *at, socklen_t *len, int flags)
{
	const struct timespec rest = { .tv_nsec = 10 * 1000 * 1000 };
	int r = (int)syscall(SYS_accept4, fd, at, len, flags);
	int saved = errno;

	if (r == -1 && (saved == EMFILE || saved == ENFILE) &&
	    from_nanomsg(__builtin_return_address(0)))
		nanosleep(&rest, NULL);
	errno = saved;
	return r;
}

static bool
is_known(int fd)
{
	return fd >= 0 && fd < FDS_MAX &&
	       (atomic_load(&known[fd / 64]) >> fd % 64 & 1) != 0;
}

MSG_API ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	static _Atomic(send_fn *) next;
	send_fn *fn = atomic_load(&next);
	ssize_t n;

	if (fn == NULL) {
		*(void **)&fn = dlsym(RTLD_NEXT, "sendmsg");
		atomic_store(&next, fn);
	}
	n = fn(fd, m, flags);
	if (n != -1 || (errno != EPIPE && errno != ECONNRESET) || !is_known(fd))
		return n;
	n = 0;
	for (size_t i = 0; i < m->msg_iovlen; i++)
		n += (ssize_t)m->msg_iov[i].iov_len;
	return n;
}

bool
nnfix_active(void)
{
	return atomic_load(&n_listens) > 0 && atomic_load(&n_registers) > 0;
}

/* Which of 64 fds are hung up? */
static uint64_t
hungup(int first, uint64_t fds)
{
	struct pollfd p[64];
	uint64_t found = 0;
	nfds_t n = 0;

	for (; fds != 0; fds &= fds - 1)
		p[n++] = (struct pollfd){ .fd = first + __builtin_ctzll(fds) };
	if (n == 0 || poll(p, n, 0) <= 0)
		return 0;
	while (n-- > 0) {
		if ((p[n].revents & POLLHUP) != 0)
			found |= UINT64_C(1) << (p[n].fd - first);
	}
	return found;
}

void
nnfix_mark(void)
{
	int max = atomic_load(&known_max);

	for (int i = 0; i <= max / 64; i++)
		atomic_store(
		    &marked[i], hungup(i * 64, atomic_load(&known[i])));
}

bool
nnfix_hungup(void)
{
	int max = atomic_load(&known_max);

	if (!nnfix_active() || atomic_load(&untracked))
		return false;
	for (int i = 0; i <= max / 64; i++) {
		uint64_t fds = atomic_load(&marked[i]);

		/* Again, as one may have been closed while it was marked. */
		if (fds != 0 &&
		    hungup(i * 64, fds & atomic_load(&known[i])) != 0)
			return true;
	}
	return false;
}
