/* SPDX-License-Identifier: ISC */
/*
 * What waiting for one message costs when many others wait: calls, and
 * receiving by a ref or by a tag, with 0 to 500,000 messages in the save queue
 * (P-5).
 */
#include "../unit/msg_bus.h"

#include <msg/msg.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 2000

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
print(const char *what, unsigned queued, double *us, size_t n)
{
	qsort(us, n, sizeof(*us), cmp);
	printf("%-28s %7u queued  %8.1f us median  %8.1f us p99\n", what,
	    queued, us[n / 2], us[n * 99 / 100]);
}

static int
echo(void)
{
	struct msg m;

	check(msg_open() == 0 && msg_register("echo") == 0);
	check(msg_ready() == 0);
	while (msg_receive(&m, -1) == 1 && m.kind == MSG_CALL) {
		check(msg_reply(&m, m.content, m.body, m.len) == 0);
		msg_free(&m);
	}
	return 0;
}

static void
measure_calls(msg_pid to, unsigned queued)
{
	static double us[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		us[i] = now_us();
		check(msg_call(to, MSG_BYTES, "x", 1, -1, NULL) == 0);
		us[i] = now_us() - us[i];
	}
	print("msg_call", queued, us, ROUNDS);
}

static void
measure_ref(unsigned queued)
{
	static double us[ROUNDS];
	struct msg_pattern p = { 0 };
	struct msg m;

	for (int i = 0; i < ROUNDS; i++) {
		check(msg_start_timer(0, MSG_BYTES, "", 0, &p.ref) == 0);
		check(msg_sleep(0) == 0);
		us[i] = now_us();
		check(msg_receive_match(&m, &p, 1, -1) == 1);
		us[i] = now_us() - us[i];
		msg_free(&m);
	}
	print("msg_receive_match by ref", queued, us, ROUNDS);
}

static void
measure_scan(unsigned queued)
{
	static double us[20];
	const struct msg_pattern p = { .kinds = MSG_IS(MSG_CAST) };
	struct msg m;

	for (int i = 0; i < 20; i++) {
		check(msg_cast(msg_self(), MSG_BYTES, "", 0) == 0);
		us[i] = now_us();
		check(msg_receive_match(&m, &p, 1, -1) == 1);
		us[i] = now_us() - us[i];
		msg_free(&m);
	}
	print("msg_receive_match by kind", queued, us, 20);
}

static int
client(void)
{
	static const unsigned steps[] = { 0, 1000, 500000 };
	unsigned queued = 0;
	msg_pid to;

	check(msg_open() == 0 && msg_whereis("echo", &to) == 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (; queued < steps[i]; queued++)
			check(msg_send(msg_self(), MSG_BYTES, "12345678", 8) ==
			      0);
		measure_calls(to, queued);
		measure_ref(queued);
		measure_scan(queued);
	}
	check(msg_send(to, MSG_BYTES, "end", 3) == 0);
	return 0;
}

int
main(void)
{
	void *state = NULL;
	int a, b;
	bool ok;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (bus_setup(&state) != 0)
		return 1;
	a = bus_start(echo);
	ok = bus_until_ready(a);
	b = bus_start(client);
	ok = bus_succeeded(b) && bus_succeeded(a) && ok;
	bus_teardown(&state);
	return !ok;
}
