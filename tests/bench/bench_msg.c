/* SPDX-License-Identifier: ISC */
/*
 * libmsg between processes: round trip, throughput and calls of many clients.
 * The bus is that of the unit tests, so supd has no part in it.  To compare,
 * run it with another libmsg.so in LD_LIBRARY_PATH.
 */
#include "../unit/msg_bus.h"

#include <msg/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define ROUND_TRIPS 20000
#define CALLS       40000
#define STREAM_MAX  (256u * 1024 * 1024) /* bytes of one stream */
#define STREAM_N    1000000u

static struct {
	size_t size;
	unsigned n, clients;
} now;

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* CPU time of the processes that have ended. */
static double
cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_CHILDREN, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* What all processes of a run have spent, by operation: on a busy machine it
 * tells more than the time that has passed. */
static void
tell_cpu(double before, unsigned n)
{
	printf("                 %6.2f us of CPU each\n",
	    (cpu() - before) / n * 1e6);
	fflush(stdout);
}

static void
begin(const char *name)
{
	check(msg_open() == 0);
	if (name != NULL)
		check(msg_register(name) == 0);
	check(msg_ready() == 0);
}

static void
receive(struct msg *m)
{
	check(msg_receive(m, BUS_PATIENCE_S * 1000) == 1);
}

/* Answers n calls of each client; tells how long that took. */
static int
server(void)
{
	unsigned n = now.n * now.clients;
	double start = 0;
	struct msg m;

	begin("server");
	for (unsigned i = 0; i < n; i++) {
		receive(&m);
		if (i == 0)
			start = seconds();
		check(msg_reply(&m, MSG_BYTES, m.body, m.len) == 0);
		msg_free(&m);
	}
	if (now.clients > 0 && now.n != ROUND_TRIPS)
		printf("calls    %5u clients  %8.1f k/s\n", now.clients,
		    (n - 1) / (seconds() - start) / 1e3);
	fflush(stdout);
	return 0;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int
client(void)
{
	double *took = calloc(now.n, sizeof(*took)), t;
	char body[64] = "";
	struct msg m;

	check(took != NULL);
	begin(NULL);
	receive(&m); /* go */
	msg_free(&m);
	for (unsigned i = 0; i < now.n; i++) {
		t = seconds();
		check(msg_call(BUS_PID(1), MSG_BYTES, body, sizeof(body), 60000,
			  NULL) == 0);
		took[i] = seconds() - t;
	}
	if (now.n == ROUND_TRIPS) {
		qsort(took, now.n, sizeof(*took), by_value);
		printf("rtt         64 B  median %6.1f us  p99 %6.1f us\n",
		    took[now.n / 2] * 1e6, took[now.n * 99 / 100] * 1e6);
		fflush(stdout);
	}
	free(took);
	return 0;
}

static int
sink(void)
{
	double start = 0, took;
	struct msg m;

	begin("sink");
	for (unsigned i = 0; i < now.n; i++) {
		receive(&m);
		if (i == 0)
			start = seconds();
		msg_free(&m);
	}
	took = seconds() - start;
	printf("stream %6zu B  %8.1f k/s  %6.2f GB/s\n", now.size,
	    (now.n - 1) / took / 1e3,
	    (double)now.n * (double)now.size / took / 1e9);
	fflush(stdout);
	return 0;
}

static int
source(void)
{
	char *body = calloc(1, now.size);

	check(body != NULL);
	begin(NULL);
	for (unsigned i = 0; i < now.n; i++)
		check(msg_send(BUS_PID(1), MSG_BYTES, body, now.size) == 0);
	free(body);
	return 0;
}

static bool
stream(size_t size)
{
	double before = cpu();
	void *state = NULL;
	bool ok;
	int a, b;

	now.size = size;
	now.n = STREAM_MAX / size < STREAM_N ? (unsigned)(STREAM_MAX / size)
	                                     : STREAM_N;
	ok = bus_setup(&state) == 0;
	a = bus_start(sink);
	ok = ok && bus_until_ready(a);
	b = bus_start(source);
	ok = bus_succeeded(b) && bus_succeeded(a) && ok;
	tell_cpu(before, now.n);
	return bus_teardown(&state) == 0 && ok;
}

static bool
calls(unsigned clients, unsigned n)
{
	struct proto_frame h = { .type = PROTO_DATA, .from = BUS_GUEST };
	double before = cpu();
	void *state = NULL;
	bool ok;
	int a;

	now.clients = clients;
	now.n = n;
	ok = bus_setup(&state) == 0;
	a = bus_start(server);
	ok = ok && bus_until_ready(a);
	for (unsigned i = 0; i < clients; i++)
		ok = bus_until_ready(bus_start(client)) && ok;
	for (unsigned i = 0; i < clients; i++) {
		h.to = BUS_PID(a + 1 + (int)i);
		bus_send(a + 1 + (int)i, &h, "go", 2);
	}
	for (unsigned i = 0; i <= clients; i++)
		ok = bus_succeeded(a + (int)i) && ok;
	tell_cpu(before, n * clients);
	return bus_teardown(&state) == 0 && ok;
}

/* Without an argument all; else "rtt", "stream" or "calls". */
int
main(int argc, char **argv)
{
	static const size_t sizes[] = { 64, 1024, 4096, 16384, 65536 };
	const char *what = argc > 1 ? argv[1] : NULL;
	bool ok = true;

	if (what == NULL || strcmp(what, "rtt") == 0)
		ok = calls(1, ROUND_TRIPS);
	for (unsigned i = 0; i < 5; i++) {
		if (what == NULL || strcmp(what, "stream") == 0)
			ok = stream(sizes[i]) && ok;
	}
	for (unsigned n = 1; n <= 1000; n *= 10) {
		if (what == NULL || strcmp(what, "calls") == 0)
			ok = calls(n, CALLS / n) && ok;
	}
	return ok ? 0 : 1;
}
