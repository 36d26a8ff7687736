/* SPDX-License-Identifier: ISC */
/*
 * The lifeline: one end of a SOCK_SEQPACKET socketpair, inherited from supd,
 * one frame a packet.  Whoever holds it is that incarnation of that worker;
 * there is nothing to prove.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

/* A packet that came before its time. */
struct late {
	STAILQ_ENTRY(late) entry;
	size_t len;
	char packet[] __attribute__((aligned(8)));
};

static STAILQ_HEAD(, late) late = STAILQ_HEAD_INITIALIZER(late);

int
lifeline_take(void)
{
	const char *text = getenv("SUPD_FD");
	int type = 0;
	socklen_t len = sizeof(type);
	char *end;
	long fd;

	if (text == NULL || *text == '\0')
		return fail(-ENXIO, "not started by supd: SUPD_FD is not set");
	errno = 0;
	fd = strtol(text, &end, 10);
	if (*end != '\0' || errno != 0 || fd < 0 || fd > 1 << 30)
		return fail(-EBADF, "SUPD_FD is \"%s\", which is no fd", text);
	if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
	    type != SOCK_SEQPACKET)
		return fail(-EBADF,
		    "SUPD_FD is %ld, which is not the lifeline that supd "
		    "gave: was it closed, or SUPD_FD inherited?",
		    fd);
	/* Programs that we start must not pass for us. */
	if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) == -1)
		return fail(-errno, "SUPD_FD: cannot set close-on-exec");
	return (int)fd;
}

int
lifeline_try(const struct proto_frame *h, const void *body, size_t len)
{
	static char packet[PROTO_LIFELINE_MAX] __attribute__((aligned(8)));
	size_t n = proto_put(packet, sizeof(packet), h, body, len);
	ssize_t sent;

	if (n == 0)
		return fail(
		    -EMSGSIZE, "%zu bytes are too long for the lifeline", len);
	if (mailbox.cut)
		return fail(-EPIPE, "supd has gone");
	do {
		sent = send(
		    mailbox.lifeline, packet, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent == -1 && errno == EINTR);
	if (sent >= 0)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS)
		return -EAGAIN;
	if (errno == EPIPE || errno == ECONNRESET) {
		mailbox.cut = true;
		return fail(-EPIPE, "supd has gone");
	}
	return fail(-errno, "send to supd");
}

int
lifeline_send(const struct proto_frame *h, const void *body, size_t len)
{
	int r;

	while ((r = lifeline_try(h, body, len)) == -EAGAIN)
		(void)mailbox_wait(mailbox.lifeline, POLLOUT, DEADLINE_NEVER);
	return r;
}

static void
take_in(const char *packet, size_t len)
{
	struct proto_frame h;
	const void *body;
	size_t body_len, pos = 0;

	if (!proto_next(
		packet, len, &pos, PROTO_LIFELINE_MAX, &h, &body, &body_len) ||
	    pos != len)
		mailbox.stats.bad++;
	else if (h.type < PROTO_JOIN)
		mailbox_deliver(&h, body, body_len);
	else
		mailbox_control(&h, body, body_len);
}

/* A packet; 0: none now, or it was too long. */
static size_t
read_packet(char packet[PROTO_LIFELINE_MAX])
{
	ssize_t len;

	do {
		/* MSG_TRUNC: the packet's true length, so a longer one shows.
		 */
		len = recv(mailbox.lifeline, packet, PROTO_LIFELINE_MAX,
		    MSG_DONTWAIT | MSG_TRUNC);
		if (len > PROTO_LIFELINE_MAX)
			mailbox.stats.bad++;
	} while (len > PROTO_LIFELINE_MAX || (len == -1 && errno == EINTR));
	if (len > 0)
		return (size_t)len;
	if (len == 0 || errno == ECONNRESET) {
		mailbox.cut = true;
		wait_del_fd(mailbox.lifeline);
	}
	return 0;
}

void
lifeline_late(void)
{
	struct late *l;

	while ((l = STAILQ_FIRST(&late)) != NULL) {
		STAILQ_REMOVE_HEAD(&late, entry);
		take_in(l->packet, l->len);
		free(l);
	}
}

static void
drain(void *arg)
{
	static char packet[PROTO_LIFELINE_MAX] __attribute__((aligned(8)));
	size_t len;

	(void)arg;
	lifeline_late();
	while (!mailbox.cut && (len = read_packet(packet)) > 0) {
		take_in(packet, len);
		lifeline_late();
	}
}

static bool
is_signal(const char *packet, size_t len, msg_pid from)
{
	struct proto_frame h;

	if (len < sizeof(h))
		return false;
	memcpy(&h, packet, sizeof(h));
	return h.from == from &&
	       (h.type == PROTO_SYS ||
		   (h.type == PROTO_EXIT && (h.flags & PROTO_VIA_LINK) == 0));
}

static void
keep(const char *packet, size_t len)
{
	struct late *l = malloc(sizeof(*l) + len);

	if (l == NULL) {
		mailbox.stats.bad++;
		return;
	}
	l->len = len;
	memcpy(l->packet, packet, len);
	STAILQ_INSERT_TAIL(&late, l, entry);
}

/*
 * While a message is being taken in: news of an end would have what came after
 * that message taken in before it, so all else waits.
 */
void
lifeline_signals(msg_pid from)
{
	static char packet[PROTO_LIFELINE_MAX] __attribute__((aligned(8)));
	struct late *l, *next;
	size_t len;

	for (l = STAILQ_FIRST(&late); l != NULL; l = next) {
		next = STAILQ_NEXT(l, entry);
		if (!is_signal(l->packet, l->len, from))
			continue;
		STAILQ_REMOVE(&late, l, late, entry);
		take_in(l->packet, l->len);
		free(l);
	}
	while (!mailbox.cut && (len = read_packet(packet)) > 0) {
		if (is_signal(packet, len, from))
			take_in(packet, len);
		else
			keep(packet, len);
	}
}

void
lifeline_fini(void)
{
	struct late *l;

	while ((l = STAILQ_FIRST(&late)) != NULL) {
		STAILQ_REMOVE_HEAD(&late, entry);
		free(l);
	}
}

int
lifeline_open(void)
{
	return wait_add_fd(mailbox.lifeline, POLLIN, drain, NULL);
}
