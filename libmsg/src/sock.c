/* SPDX-License-Identifier: ISC */
/*
 * nanomsg, and the only file that knows it.
 *
 * Our mailbox is a raw REP socket, and each route a raw REQ socket.  Raw,
 * because cooked REQ resends after 60 s (a call done twice) and cooked REP
 * holds one request at a time.  On the wire raw REP moves the words of the body
 * up to the first with the top bit set into the header, so a message to a
 * mailbox begins with exactly one word with that bit.  The header that a
 * message came with leads back to its sender.
 *
 * Nothing blocks here.
 */
#include "pipe.h"

#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RECONNECT_MS 200 /* shorter ones turn a storm into a livelock */
/* ipc paths longer than sun_path abort nanomsg. */
#define IPC          "ipc://"
#define IPC_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

/* The first word of every message, big endian: the top bit and flags. */
static const unsigned char first_word[SOCK_ROOM] = { 0x80, 0, 0, 0 };

/* What comes with a message: the connection's key and our first word. */
struct control {
	struct nn_cmsghdr h;
	size_t len;
	unsigned char key[4], word[4];
};
_Static_assert(sizeof(struct control) == CONTROL_SIZE, "nanomsg's SP_HDR");

static int
sock_fd(int sock, int option)
{
	int fd = -1;
	size_t size = sizeof(fd);

	if (nn_getsockopt(sock, NN_SOL_SOCKET, option, &fd, &size) == -1)
		return -1;
	return fd;
}

static int
sock_open(int protocol, int *ret_sock)
{
	int max = PROTO_BATCH_MAX, ivl = RECONNECT_MS;
	int s = nn_socket(AF_SP_RAW, protocol);

	if (s == -1 ||
	    nn_setsockopt(s, NN_SOL_SOCKET, NN_RCVMAXSIZE, &max, sizeof(max)) ==
		-1 ||
	    nn_setsockopt(
		s, NN_SOL_SOCKET, NN_RECONNECT_IVL, &ivl, sizeof(ivl)) == -1) {
		int e = errno;

		if (s != -1)
			nn_close(s);
		return fail(
		    -e, "cannot open a nanomsg socket: %s", nn_strerror(e));
	}
	*ret_sock = s;
	return 0;
}

const char *
sock_path(const char *endpoint)
{
	const char *path = endpoint + strlen(IPC);

	if (strncmp(endpoint, IPC, strlen(IPC)) != 0 || path[0] == '\0' ||
	    strlen(path) > IPC_PATH_MAX)
		return NULL;
	return path;
}

static int
check_path(const char *endpoint)
{
	if (sock_path(endpoint) != NULL)
		return 0;
	return fail(-EINVAL,
	    "supd named an endpoint \"%s\", which is no ipc:// path that fits",
	    endpoint);
}

int
sock_bind(const char *endpoint, int *ret_sock, int *ret_fd)
{
	int r = check_path(endpoint), s = -1, e;
	mode_t mask;

	if (r == 0)
		r = sock_open(NN_REP, &s);
	if (r != 0)
		return r;
	/* The socket file is made inside nn_bind, in this thread. */
	mask = umask(077);
	e = nn_bind(s, endpoint) == -1 ? errno : 0;
	umask(mask);
	if (e != 0) {
		nn_close(s);
		return fail(-e, "cannot bind the mailbox at %s: %s", endpoint,
		    nn_strerror(e));
	}
	*ret_sock = s;
	*ret_fd = sock_fd(s, NN_RCVFD);
	return 0;
}

int
sock_connect(
    const char *endpoint, int *ret_sock, int *ret_snd_fd, int *ret_rcv_fd)
{
	int r = check_path(endpoint), s = -1, e;

	if (r == 0)
		r = sock_open(NN_REQ, &s);
	if (r != 0)
		return r;
	if (nn_connect(s, endpoint) == -1) {
		e = errno;
		nn_close(s);
		return fail(
		    -e, "cannot connect to %s: %s", endpoint, nn_strerror(e));
	}
	*ret_sock = s;
	*ret_snd_fd = sock_fd(s, NN_SNDFD);
	*ret_rcv_fd = sock_fd(s, NN_RCVFD);
	return 0;
}

void
sock_close(int sock)
{
	nn_close(sock);
}

/* Does nobody listen at an endpoint?  connect(2) says it in 10 us. */
static bool
nobody_listens(const char *endpoint)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = sock_path(endpoint);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool nobody;

	if (s == -1)
		return false;
	strcpy(to.sun_path, path);
	nobody = connect(s, (struct sockaddr *)&to, sizeof(to)) == -1 &&
	         (errno == ECONNREFUSED || errno == ENOENT);
	close(s);
	return nobody;
}

bool
sock_lost(int sock, const char *endpoint)
{
	if (nn_get_statistic(sock, NN_STAT_CURRENT_CONNECTIONS) != 0)
		return false;
	/*
	 * Nothing is wrong with a connection that is still being made.  And a
	 * full backlog is a connect error as well, so look closer.
	 */
	return (nn_get_statistic(sock, NN_STAT_CONNECT_ERRORS) > 0 ||
		   nn_get_statistic(sock, NN_STAT_BROKEN_CONNECTIONS) > 0) &&
	       nobody_listens(endpoint);
}

/* --- messages --- */

char *
sock_alloc(size_t len)
{
	return nn_allocmsg(SOCK_ROOM + len, 0);
}

void
sock_free(void *m)
{
	nn_freemsg(m);
}

int
sock_send(int sock, char *m)
{
	void *p = m;

	memcpy(m, first_word, SOCK_ROOM);
	while (nn_send(sock, &p, NN_MSG, NN_DONTWAIT) == -1) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int
sock_send_copy(int sock, char *m, size_t len)
{
	memcpy(m, first_word, SOCK_ROOM);
	while (nn_send(sock, m, SOCK_ROOM + len, NN_DONTWAIT) == -1) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

void
sock_send_key(
    int rep, const char control[CONTROL_SIZE], const char *frames, size_t len)
{
	struct nn_iovec iov = { .iov_base = (void *)(uintptr_t)frames,
		.iov_len = len };
	struct nn_msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = (void *)(uintptr_t)control,
		.msg_controllen = CONTROL_SIZE };

	while (nn_sendmsg(rep, &m, NN_DONTWAIT) == -1 && errno == EINTR)
		;
}

int
sock_recv(int sock, char **ret_p)
{
	void *p;
	int n;

	do {
		n = nn_recv(sock, &p, NN_MSG, NN_DONTWAIT);
	} while (n == -1 && errno == EINTR);
	*ret_p = p;
	return n == -1 ? -errno : n;
}

int
sock_recv_key(
    int rep, char **ret_p, char ret_control[CONTROL_SIZE], uint32_t *ret_key)
{
	union {
		struct control c;
		char room[64];
	} u;
	void *p;
	struct nn_iovec iov = { .iov_base = &p, .iov_len = NN_MSG };
	struct nn_msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int n;

	do {
		m.msg_control = &u;
		m.msg_controllen = sizeof(u);
		n = nn_recvmsg(rep, &m, NN_DONTWAIT);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	*ret_p = p;
	*ret_key = 0;
	if (u.c.h.cmsg_len == sizeof(u.c) && u.c.h.cmsg_level == PROTO_SP &&
	    u.c.h.cmsg_type == SP_HDR && u.c.len == 8) {
		memcpy(ret_key, u.c.key, sizeof(*ret_key));
		memcpy(ret_control, &u.c, sizeof(u.c));
	}
	return n;
}
