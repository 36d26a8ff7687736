/* SPDX-License-Identifier: ISC */
#include "otp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PATIENCE_MS 30000

static _Noreturn void
become_erl(int fd, const char *dir)
{
	/* Not 3 or 4 themselves, or the copies would close on exec. */
	int high = fcntl(fd, F_DUPFD, 10), null = open("/dev/null", O_RDWR);

	if (high < 0 || null < 0 || dup2(null, 0) < 0 || dup2(high, 3) < 0 ||
	    dup2(high, 4) < 0)
		_exit(126);
	/* embedded: whoever waits for the code server is not at rest. */
	execlp("erl", "erl", "+S", "1:1", "+SDio", "1", "-noinput", "-noshell",
	    "-mode", "embedded", "-boot", "start_clean", "-kernel",
	    "logger_level", "error", "-pa", dir, "-eval",
	    "{module, oracle} = code:load_file(oracle), oracle:main().",
	    (char *)NULL);
	_exit(127);
}

int
otp_start(struct otp *o, const char *dir)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0)
		return -errno;
	o->fd = sv[0];
	o->pid = fork();
	if (o->pid == 0)
		become_erl(sv[1], dir);
	closep(&sv[1]);
	if (o->pid > 0)
		return 0;
	closep(&o->fd);
	return -EAGAIN;
}

void
otp_stop(struct otp *o)
{
	closep(&o->fd); /* it ends when this closes */
	kill(o->pid, SIGTERM);
	waitpid(o->pid, NULL, 0);
}

static int
send_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
otp_send(struct otp *o, int id, const char *script)
{
	struct buf b = { 0 };
	uint32_t head;
	int rc;

	buf_printf(&b, "%d\n%s", id, script);
	head = htonl((uint32_t)b.len);
	rc = send_all(o->fd, &head, sizeof(head));
	if (rc == 0)
		rc = send_all(o->fd, b.data, b.len);
	buf_fini(&b);
	return rc;
}

static int
receive_all(int fd, void *data, size_t len)
{
	char *p = data;

	while (len > 0) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t n = poll(&pfd, 1, PATIENCE_MS);

		if (n == 0)
			return -ETIME;
		if (n > 0)
			n = recv(fd, p, len, 0);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
otp_receive(struct otp *o, int *ret_id, struct buf *ret_text)
{
	cleanup_(freep) char *text = NULL;
	uint32_t head;
	char *body;
	int rc = receive_all(o->fd, &head, sizeof(head));

	if (rc != 0)
		return rc;
	head = ntohl(head);
	text = calloc(1, (size_t)head + 1);
	if (text == NULL)
		return -ENOMEM;
	rc = receive_all(o->fd, text, head);
	if (rc != 0)
		return rc;
	*ret_id = (int)strtol(text, &body, 10);
	if (*body == '\n')
		body++;
	buf_puts(ret_text, body);
	return 0;
}
