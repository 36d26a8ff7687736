/* SPDX-License-Identifier: ISC */
/*
 * web: a small web server, a plain program without libmsg.  Answers any GET
 * on 127.0.0.1:PORT with who it is.  One request at a time, each within 5 s;
 * wait for it with `ready: {tcp: "127.0.0.1:PORT"}`.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char *
env(const char *key)
{
	const char *v = getenv(key);

	return v != NULL ? v : "-";
}

static void
put(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void
serve(int fd)
{
	const struct timeval patience = { .tv_sec = 5 };
	char in[4096] = "", body[1024], out[2048];
	size_t len = 0;
	int n, m;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	/* The request ends with an empty line. */
	while (len < sizeof(in) - 1 && strstr(in, "\r\n\r\n") == NULL &&
	       strstr(in, "\n\n") == NULL) {
		ssize_t got = read(fd, in + len, sizeof(in) - 1 - len);

		if (got <= 0)
			return;
		len += (size_t)got;
		in[len] = '\0';
	}
	n = snprintf(body, sizeof(body), "hello from %s, pid %d\n",
	    env("SUPD_PATH"), (int)getpid());
	if (n >= (int)sizeof(body))
		n = (int)sizeof(body) - 1;
	m = snprintf(out, sizeof(out),
	    "HTTP/1.0 %s\r\nContent-Type: text/plain\r\n"
	    "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
	    strncmp(in, "GET ", 4) == 0 ? "200 OK" : "405 Method Not Allowed",
	    n, body);
	put(fd, out, (size_t)m);
	/* Let the client close first, or unread input resets the answer. */
	shutdown(fd, SHUT_WR);
	while (read(fd, in, sizeof(in)) > 0)
		;
}

int
main(int argc, char **argv)
{
	long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s, c, on = 1;

	if (port < 1 || port > 65535)
		errx(64, "usage: web PORT");
	signal(SIGPIPE, SIG_IGN);
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s == -1)
		err(71, "socket");
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, (struct sockaddr *)&at, sizeof(at)) == -1)
		err(71, "bind 127.0.0.1:%ld", port);
	if (listen(s, 64) == -1)
		err(71, "listen 127.0.0.1:%ld", port);
	printf("listening on 127.0.0.1:%ld\n", port);
	fflush(stdout);
	for (;;) {
		c = accept4(s, NULL, NULL, SOCK_CLOEXEC);
		if (c == -1)
			continue;
		serve(c);
		close(c);
	}
}
