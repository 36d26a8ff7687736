/* SPDX-License-Identifier: ISC */
/*
 * A worker that means harm:  hostile WAY [TARGET [COUNT]]
 *
 * It joins supd as libmsg would, then does the same evil again and again, on
 * its own lifeline or at the mailbox of TARGET, COUNT times or for ever.  It
 * knows neither libmsg nor nanomsg: what it writes, it writes by hand.
 */
#include "proto/proto.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int lifeline = -1;
static uint64_t self, target;
static struct proto_resolved way; /* to the target's mailbox */

/* ---- the lifeline -------------------------------------------------------- */

/* Send bytes as they are.  False: the bus has closed it, or takes no more. */
static bool
line_bytes(const void *p, size_t len)
{
	for (;;) {
		struct pollfd f = { .fd = lifeline, .events = POLLOUT };

		if (send(lifeline, p, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return true;
		if (errno != EAGAIN || poll(&f, 1, 1000) <= 0)
			return false;
	}
}

static bool
line_send(
    unsigned type, uint64_t to, uint64_t from, const void *body, size_t len)
{
	static char buf[2 * PROTO_LIFELINE_MAX];
	static uint64_t ref;
	struct proto_frame h = {
		.type = (uint8_t)type, .to = to, .from = from, .ref = ++ref
	};

	return line_bytes(buf, proto_put(buf, sizeof(buf), &h, body, len));
}

/* Wait for the frame of a type; others are dropped. */
static void
line_expect(unsigned type, void *ret_body, size_t size)
{
	static char buf[PROTO_LIFELINE_MAX];
	struct proto_frame h = { 0 };
	size_t pos, len;
	const void *body;

	while (h.type != type) {
		ssize_t n = recv(lifeline, buf, sizeof(buf), 0);

		pos = 0;
		if (n <= 0 || !proto_next(buf, (size_t)n, &pos, sizeof(buf), &h,
				  &body, &len))
			errx(1, "supd has hung up");
	}
	if (len < size)
		errx(1, "an answer of %zu bytes", len);
	memcpy(ret_body, body, size);
}

static void
line_drain(void)
{
	static char sink[PROTO_LIFELINE_MAX];

	while (recv(lifeline, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		continue;
}

static void
join(void)
{
	struct proto_join j = { .os_pid = getpid() };
	const char *fd = getenv("SUPD_FD");
	struct proto_welcome w;

	if (fd == NULL)
		errx(1, "SUPD_FD is not set");
	lifeline = atoi(fd);
	line_send(PROTO_JOIN, 0, 0, &j, sizeof(j));
	line_expect(PROTO_WELCOME, &w, sizeof(w));
	self = w.self;
}

static void
resolve(const char *name)
{
	for (;;) {
		line_send(PROTO_RESOLVE, 0, 0, name, strlen(name));
		line_expect(PROTO_RESOLVED, &way, sizeof(way));
		target = way.pid;
		if (target != 0)
			return;
		poll(NULL, 0, 10);
	}
}

/* ---- a mailbox: SP over a Unix socket, by hand --------------------------- */

static const unsigned char sp_req[8] = { 0, 'S', 'P', 0, 0, 0x30, 0, 0 };

static int
mailbox_connect(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.*s",
	    (int)sizeof(a.sun_path) - 1, way.endpoint + strlen("ipc://"));
	if (s == -1)
		err(1, "socket");
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) == -1) {
		close(s);
		return -1;
	}
	return s;
}

static int
mailbox_open(void)
{
	int s = mailbox_connect();
	char theirs[8];

	if (s == -1 || send(s, sp_req, sizeof(sp_req), MSG_NOSIGNAL) < 0 ||
	    recv(s, theirs, sizeof(theirs), MSG_WAITALL) != sizeof(theirs)) {
		if (s != -1)
			close(s);
		return -1;
	}
	return s;
}

/* A message with a length that may not be true.  False: it is closed. */
static bool
sp_send(int s, unsigned char type, uint64_t claimed, const void *p, size_t len)
{
	static char sink[65536];
	unsigned char head[9] = { type };

	for (int i = 0; i < 8; i++)
		head[1 + i] = (unsigned char)(claimed >> (56 - 8 * i));
	while (recv(s, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		continue;
	return send(s, head, sizeof(head), MSG_NOSIGNAL) > 0 &&
	       (len == 0 || send(s, p, len, MSG_NOSIGNAL) > 0);
}

/* A batch, behind the word that raw REP wants. */
static bool
sp_batch(int s, const void *frames, size_t len)
{
	static unsigned char buf[4 + 2 * PROTO_LIFELINE_MAX] = { 0x80 };

	memcpy(buf + 4, frames, len);
	return sp_send(s, 1, 4 + len, buf, 4 + len);
}

static bool
sp_frame(int s, unsigned type, uint64_t from, uint64_t ref, const void *body,
    size_t len)
{
	static char buf[PROTO_LIFELINE_MAX];
	struct proto_frame h = { .type = (uint8_t)type,
		.flags = PROTO_MSGPACK,
		.to = target,
		.from = from,
		.ref = ref };

	return sp_batch(s, buf, proto_put(buf, sizeof(buf), &h, body, len));
}

/* Connected, and believed to be who we are. */
static int
mailbox_greet(void)
{
	int s = mailbox_open();

	if (s != -1)
		sp_frame(s, PROTO_HELLO, self, way.proof, NULL, 0);
	return s;
}

/* ---- evil, once ---------------------------------------------------------- */

static unsigned char some[4096];

static size_t
noise(size_t max)
{
	size_t n = (size_t)random() % max + 1;

	for (size_t i = 0; i < n; i++)
		some[i] = (unsigned char)random();
	return n;
}

static void
line_noise(void)
{
	line_bytes(some, noise(sizeof(some)));
}

/* Good frames, cut short. */
static void
line_truncated(void)
{
	static char buf[4096];
	struct proto_frame h = {
		.type = (uint8_t)(32 + random() % 20), .to = target, .ref = 1
	};
	size_t n = proto_put(buf, sizeof(buf), &h, some, 100);

	line_bytes(buf, (size_t)random() % n);
}

/* In the name of supd, of the target itself, of nobody, of a guest. */
static uint64_t
somebody_else(void)
{
	const uint64_t pids[] = { PROTO_SUPERVISOR, target, 0, self + 1,
		PROTO_PID(PROTO_GUEST_SLOT, 1) };

	return pids[random() % 5];
}

static void
line_forged(void)
{
	unsigned type = PROTO_DATA + (unsigned)random() % 4;

	line_send(type, target, somebody_else(), "\x91\xa1x", 3);
	line_send(PROTO_WELCOME + (unsigned)random() % 7, target,
	    PROTO_SUPERVISOR, some, 64);
	line_drain();
}

/* 4 G of everything, in five bytes. */
static void
line_lengths(void)
{
	static const char *const claims[] = { "\xdd\xff\xff\xff\xff",
		"\xdf\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff",
		"\xc6\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff" };
	struct proto_frame h = { .version = PROTO_VERSION,
		.type = PROTO_DATA,
		.length = UINT32_MAX - (uint32_t)random() % 64,
		.to = target };
	unsigned type = PROTO_DATA + (unsigned)random() % 100;

	line_bytes(&h, sizeof(h));
	line_send(type, target, 0, claims[random() % 5], 5);
	line_drain();
}

static void
line_names(void)
{
	static unsigned long n;
	char name[64];

	snprintf(name, sizeof(name), "name-%lu", n++);
	line_send(PROTO_REGISTER, 0, 0, name, strlen(name));
	if (n % 3 == 0)
		line_send(PROTO_UNREGISTER, 0, 0, name, strlen(name));
	line_drain();
}

/* Questions without end, and no ear for the answers. */
static void
line_deaf(void)
{
	if (!line_send(PROTO_RESOLVE, 0, 0, "counter", 7) ||
	    !line_send(PROTO_MONITOR, 0, 0, "counter", 7))
		poll(NULL, 0, 100); /* it was closed: so it stays */
}

static void
pipe_noise(void)
{
	static int s = -1;
	struct proto_frame h = {
		.type = PROTO_DATA, .to = target, .from = self
	};
	static unsigned char frame[4096];
	size_t n;

	if (s == -1 && (s = mailbox_greet()) == -1)
		return;
	n = proto_put(frame, sizeof(frame), &h, some, noise(1000));
	frame[(size_t)random() % n] ^= (unsigned char)(1 << random() % 8);
	if (!sp_batch(s, frame, n) || !sp_batch(s, some, noise(1000)) ||
	    !sp_send(s, 1, 3, "\x80\0\0", 3)) {
		close(s);
		s = -1;
	}
}

/* Half a message, or one that will have 2^63 bytes; some are left hanging. */
static void
pipe_truncated(void)
{
	static int held[32];
	static unsigned n;
	int s = random() % 2 ? mailbox_open() : mailbox_connect();

	if (s == -1)
		return;
	if (random() % 2)
		sp_send(s, 1, 1000, some, (size_t)random() % 900);
	else
		sp_send(s, 1, UINT64_C(1) << random() % 64, some, 500);
	if (n++ >= 32)
		close(held[n % 32]);
	held[n % 32] = s;
}

static void
pipe_forged(void)
{
	int s = random() % 2 ? mailbox_greet() : mailbox_open();

	if (s == -1)
		return;
	for (unsigned i = 0; i < 16; i++) {
		uint64_t from = somebody_else();

		sp_frame(s, PROTO_HELLO, from, (uint64_t)random(), NULL, 0);
		sp_frame(s, PROTO_CALL, from, i, "\x91\xa9increment", 11);
		sp_frame(s, PROTO_REPLY, from, i, "\x01", 1);
		sp_frame(s, PROTO_EXIT, from, i, "kill", 4);
		sp_frame(s, PROTO_DOWN, from, i, "killed", 6);
	}
	close(s);
}

/* The one thing that nanomsg 1.1.5 does not survive: type byte 7. */
static void
pipe_abort(void)
{
	int s = mailbox_open();

	if (s == -1)
		return;
	sp_send(s, 7, 5, "hello", 5);
	close(s);
}

static const struct {
	const char *name;
	void (*once)(void);
} ways[] = {
	{ "line-noise", line_noise },
	{ "line-truncated", line_truncated },
	{ "line-forged", line_forged },
	{ "line-lengths", line_lengths },
	{ "line-names", line_names },
	{ "line-deaf", line_deaf },
	{ "pipe-noise", pipe_noise },
	{ "pipe-truncated", pipe_truncated },
	{ "pipe-forged", pipe_forged },
	{ "pipe-abort", pipe_abort },
};

/* As another user, without a lifeline: what says connect(2)? */
static int
only_connect(const char *path)
{
	snprintf(way.endpoint, sizeof(way.endpoint), "ipc://%s", path);
	if (mailbox_connect() == -1)
		err(1, "%s", path);
	puts("connected");
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	if (argc > 2 && strcmp(argv[1], "connect") == 0)
		return only_connect(argv[2]);
	for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(ways[0]);
	     i++) {
		if (strcmp(ways[i].name, argv[1]) != 0)
			continue;
		join();
		if (argc > 2)
			resolve(argv[2]);
		srandom((unsigned)i + 1);
		for (unsigned long n = 0; count == 0 || n < count; n++) {
			ways[i].once();
			if (n == 1000) {
				printf("%s: 1000 times\n", argv[1]);
				fflush(stdout);
			}
			/* Leave the machine to those who are to be harmed. */
			if (n % 64 == 0)
				poll(NULL, 0, 2);
		}
		printf("%s: done\n", argv[1]);
		fflush(stdout);
		pause();
	}
	errx(64, "usage: hostile WAY [TARGET [COUNT]] | connect PATH");
}
