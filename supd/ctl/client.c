/* SPDX-License-Identifier: ISC */
#include "ctl/client.h"

#include "base/clock.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define CHUNK         (64 * 1024)
#define CONNECT_AGAIN 10 /* ms between attempts while the backlog is full */

/* How long poll(2) may take until the deadline, in ms, rounded up. */
static int
left_ms(mono_t deadline)
{
	int64_t ns, ms;

	if (mono_is_never(deadline))
		return -1;
	ns = deadline.ns - clock_mono().ns;
	if (ns <= 0)
		return 0;
	ms = (ns + NS_PER_MS - 1) / NS_PER_MS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Wait for `events` on fd; 0 or -ETIMEDOUT or -errno. */
static int
wait_for(int fd, short events, mono_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int ms = left_ms(deadline);
		int n = poll(&p, 1, ms);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && ms != INT_MAX)
			return -ETIMEDOUT;
	}
}

int
client_open(struct client *c, const char *path, mono_t deadline)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	cleanup_(closep) int fd = -EBADF;

	*c = CLIENT_NULL;
	c->deadline = deadline;
	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/*
	 * unix(7): a non-blocking connect with a full backlog is EAGAIN and
	 * leaves nothing to poll for.
	 */
	while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (left_ms(deadline) == 0)
			return -ETIMEDOUT;
		poll(NULL, 0, CONNECT_AGAIN);
	}
	c->fd = take_fd(&fd);
	return 0;
}

void
client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	buf_fini(&c->in);
	*c = CLIENT_NULL;
}

static int
send_all(struct client *c, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(c->fd, POLLOUT, c->deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

int
client_send(
    struct client *c, const char *method, json_t *params, int64_t *ret_id)
{
	cleanup_(freep) char *text = NULL;
	json_t *req;
	size_t len;
	int r;

	/* A NULL params (no memory) makes json_pack fail, too. */
	req = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id",
	    (json_int_t)(c->last_id + 1), "method", method, "params", params);
	if (req == NULL)
		return -ENOMEM;
	text = json_dumps(req, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(req);
	if (text == NULL)
		return -ENOMEM;
	len = strlen(text);
	text[len] = '\n'; /* in the place of the NUL: one send, one line */
	r = send_all(c, text, len + 1);
	/* Closed: but what it said before may be there, and tell why. */
	if (r < 0 && r != -EPIPE)
		return r;
	*ret_id = ++c->last_id;
	return 0;
}

/* A whole line is in c->in from `used` on: make it an object. */
static int
parse_line(struct client *c, size_t len, json_t **ret_msg)
{
	json_t *msg;

	msg = json_loadb(c->in.data + c->used, len,
	    JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	c->used += len + 1;
	c->seen = c->used;
	if (msg == NULL || !json_is_object(msg)) {
		json_decref(msg);
		return -EBADMSG;
	}
	*ret_msg = msg;
	return 0;
}

bool
client_has_line(const struct client *c)
{
	return c->in.len > c->seen &&
	       memchr(c->in.data + c->seen, '\n', c->in.len - c->seen) != NULL;
}

/* Read more; 0 or -errno. */
static int
fill(struct client *c)
{
	char chunk[CHUNK];
	ssize_t n;

	/* Drain only when that moves little: long streams stay linear. */
	if (c->used == c->in.len || c->used > CHUNK) {
		buf_drain(&c->in, c->used);
		c->seen -= c->used;
		c->used = 0;
	}
	if (c->in.len >= CLIENT_LINE_MAX)
		return -EBADMSG;
	n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	if (n == 0)
		return -EPIPE;
	if (n < 0) {
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		return wait_for(c->fd, POLLIN, c->deadline);
	}
	buf_add(&c->in, chunk, (size_t)n);
	return c->in.failed ? -ENOMEM : 0;
}

int
client_recv(struct client *c, json_t **ret_msg)
{
	for (;;) {
		char *nl = NULL;
		int r;

		if (c->in.len > c->seen)
			nl = memchr(
			    c->in.data + c->seen, '\n', c->in.len - c->seen);
		if (nl != NULL)
			return parse_line(
			    c, (size_t)(nl - (c->in.data + c->used)), ret_msg);
		c->seen = c->in.len;
		/* A peer that only ever sends bits cannot hold us up. */
		if (left_ms(c->deadline) == 0)
			return -ETIMEDOUT;
		r = fill(c);
		if (r < 0)
			return r;
	}
}

/* Read and forget until the peer closes. */
static int
wait_eof(struct client *c)
{
	char chunk[4096];

	for (;;) {
		ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		int r;

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return 0;
		if (n > 0 || errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(c->fd, POLLIN, c->deadline);
		if (r < 0)
			return r;
	}
}

int
client_wait_end(struct client *c)
{
	cleanup_(closep) int pidfd = -EBADF;
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	int r;

	/*
	 * SO_PEERCRED of a connected client tells who called listen(2): the
	 * keeper, which ends last.  From another pid namespace it is 0.
	 */
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    cred.pid > 0)
		pidfd = (int)syscall(SYS_pidfd_open, cred.pid, 0);
	r = wait_eof(c);
	if (r < 0 || pidfd < 0)
		return r;
	return wait_for(pidfd, POLLIN, c->deadline);
}
