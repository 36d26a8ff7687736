/* SPDX-License-Identifier: ISC */
#include "engine/http.h"

#include "engine/shell.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct http {
	struct shell *sh;
	int fd;
	struct watch *readable;
	void (*done)(void *arg, int status, const char *error);
	void *arg;
	size_t len;
	char line[HTTP_LINE_MAX];
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9112, 4: "HTTP/1.1 200 OK"; the reason phrase may be left out. */
int
http_status(const char *data, size_t len)
{
	static const char version[] = "HTTP/1.";
	const char *end = memchr(data, '\n', len);
	size_t n = sizeof(version) - 1;
	int status;

	if (memcmp(data, version, len < n ? len : n) != 0)
		return -EPROTO;
	if (end == NULL)
		return len < HTTP_LINE_MAX ? 0 : -EPROTO;
	if ((size_t)(end - data) < n + 5 || !is_digit(data[n]) ||
	    data[n + 1] != ' ' || !is_digit(data[n + 2]) ||
	    !is_digit(data[n + 3]) || !is_digit(data[n + 4]) ||
	    is_digit(data[n + 5]))
		return -EPROTO;
	status = (data[n + 2] - '0') * 100 + (data[n + 3] - '0') * 10 +
	         (data[n + 4] - '0');
	return status >= 100 && status <= 599 ? status : -EPROTO;
}

/* The owner frees h in done(). */
static void
read_answer(struct http *h)
{
	ssize_t n;
	int status;

	do {
		n = recv(h->fd, h->line + h->len, sizeof(h->line) - h->len,
		    MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		h->done(h->arg, 0, strerrordesc_np(errno));
		return;
	}
	if (n == 0) {
		h->done(h->arg, 0,
		    h->len == 0 ? "it closed the connection without an answer"
				: "its answer is not HTTP");
		return;
	}
	h->len += (size_t)n;
	status = http_status(h->line, h->len);
	if (status < 0)
		h->done(h->arg, 0, "its answer is not HTTP");
	else if (status > 0)
		h->done(h->arg, status, NULL);
}

static void
readable(void *arg)
{
	struct http *h = arg;
	struct shell *sh = h->sh;

	run_enter(sh);
	read_answer(h);
	run_leave(sh);
}

/*
 * A fresh socket takes so little at once; one that does not, or that the peer
 * has closed already, tells by what is to be read.
 */
static void
write_request(int fd, const char *host, const char *path)
{
	char text[HTTP_REQUEST_MAX];
	int n = snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\n"
	    "Host: %s\r\n"
	    "User-Agent: supd\r\n"
	    "Accept: */*\r\n"
	    "Connection: close\r\n"
	    "\r\n",
	    path, host);

	if (n > 0 && (size_t)n < sizeof(text))
		(void)!send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		(void)shutdown(fd, SHUT_WR);
}

struct http *
http_get(struct shell *sh, int fd, const char *host, const char *path,
    void (*done)(void *arg, int status, const char *error), void *arg)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		close(fd);
		return NULL;
	}
	*h = (struct http){ .sh = sh, .fd = fd, .done = done, .arg = arg };
	h->readable = watch_new(sh->loop, fd, WATCH_READ, readable, h);
	if (h->readable == NULL) {
		http_free(h);
		return NULL;
	}
	write_request(fd, host, path);
	return h;
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	watch_free(h->readable);
	close(h->fd);
	free(h);
}
