/* SPDX-License-Identifier: ISC */
/*
 * usage: sim_machine [-v] [--seed N] [--steps M]
 *
 * The core on a simulated machine (machine.h).  Without arguments: histories
 * of seeds 1, 2, ... until a million steps are made.  With --seed (or SEED in
 * the environment): that one, with the trace; --steps ends it there.
 */
#include "machine.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_IN_ALL     1000000
#define STEPS_A_HISTORY  1200
#define TURNS_TO_BE_DOWN 200000

struct machine m;

static unsigned long max_steps = STEPS_A_HISTORY;

static struct {
	unsigned long histories, steps, kills, spawns, exits, calls;
} total;

/* xorshift64*: the same sequence everywhere. */
uint32_t
rnd(uint32_t below)
{
	m.rng ^= m.rng >> 12;
	m.rng ^= m.rng << 25;
	m.rng ^= m.rng >> 27;
	return (uint32_t)((m.rng * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % below;
}

void
say(const char *fmt, ...)
{
	int64_t ms = m.now.ns / NS_PER_MS;
	va_list ap;

	if (!m.verbose)
		return;
	printf("%05" PRId64 ".%03" PRId64 " ", ms / 1000, ms % 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void
print_where(void)
{
	fflush(stdout);
	fprintf(stderr,
	    "# seed %" PRIu64 ", step %lu; to see it: sim_machine --seed "
	    "%" PRIu64 "\n",
	    m.seed, m.n_steps, m.seed);
}

void
rule_broken(const char *file, int line, const char *cond, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s:%d: broken: %s\n  ", file, line, cond);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

/* An assertion of the core, or a rule: say where before the process ends. */
static void
on_abort(int sig)
{
	(void)sig;
	print_where();
}

/* ---- time --------------------------------------------------------------- */

/* To the next thing that happens, at times beyond it; false: nothing will. */
static bool
pass_time(void)
{
	mono_t at = keeper_next(), due = engine_deadline(m.e);

	if (mono_before(due, at))
		at = due;
	if (mono_is_never(at))
		return false;
	if (mono_before(m.now, at))
		m.now = at;
	if (chance(10))
		m.now = mono_add(m.now, rnd(500) * NS_PER_MS);
	if (!m.calm && chance(400)) {
		m.now = mono_add(m.now, (1 + rnd(100)) * 600 * NS_PER_S);
		say("the machine wakes up again");
	}
	return true;
}

/* The next event; false: there will be none. */
static bool
go_on(void)
{
	struct event ev = { .kind = EV_TICK };

	for (;;) {
		keeper_run();
		if (!mono_before(m.now, engine_deadline(m.e)) ||
		    keeper_take(&ev)) {
			shell_event(ev);
			return true;
		}
		if (!pass_time())
			return false;
	}
}

/* ---- histories ---------------------------------------------------------- */

static void
begin(uint64_t seed, bool verbose)
{
	m = (struct machine){
		.rng = seed * 2 + 1,
		.seed = seed,
		.verbose = verbose,
	};
	for (int i = 0; i < 8; i++)
		rnd(2); /* neighbours part */
	TAILQ_INIT(&m.from_keeper);
	TAILQ_INIT(&m.from_others);
	shell_init();
	people_build_tree();
	shell_event((struct event){ .kind = EV_BOOT });
	while (!m.done && m.seen[NODE_ROOT].inc == 0)
		shell_event((struct event){ .kind = EV_BOOT });
}

static void
end(void)
{
	total.histories++;
	total.steps += m.n_steps;
	total.kills += m.n_kills;
	total.spawns += m.n_spawns;
	total.exits += m.n_exits;
	total.calls += m.n_calls;
	keeper_fini();
	shell_fini();
}

/* Everything obeys from here on: a stop must come to its end. */
static void
bring_down(void)
{
	keeper_calm();
	for (unsigned long i = 0; i < TURNS_TO_BE_DOWN && !m.done; i++) {
		if (i % 1000 == 0) /* the first ones may be lost */
			shell_event((struct event){ .kind = EV_SHUTDOWN });
		go_on();
	}
	/* What is still on its way; nothing may come of it. */
	for (int i = 0; i < 1000 && m.done; i++)
		go_on();
	rules_end();
}

static void
one_history(uint64_t seed, bool verbose)
{
	begin(seed, verbose);
	while (m.n_steps < max_steps && !m.done) {
		if (chance(12) || !go_on())
			people_do_something();
	}
	bring_down();
	end();
}

static int
parse(int argc, char **argv, const char **seed, bool *verbose)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "v", longs, NULL)) != -1) {
		if (c == 'v') {
			*verbose = true;
		} else if (c == 's') {
			*seed = optarg;
		} else if (c == 'n') {
			max_steps = strtoul(optarg, NULL, 10);
		} else {
			fputs("usage: sim_machine [-v] [--seed N] "
			      "[--steps M]\n",
			    stderr);
			return -1;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const char *only = getenv("SEED");
	bool verbose = false;

	if (parse(argc, argv, &only, &verbose) < 0)
		return 2;
	signal(SIGABRT, on_abort);
	if (only != NULL) {
		one_history(strtoull(only, NULL, 10), true);
	} else {
		for (uint64_t s = 1; total.steps < STEPS_IN_ALL; s++)
			one_history(s, verbose);
	}
	printf("1..1\nok 1 - the rules hold for %lu steps\n"
	       "# %lu histories, %lu deaths of the engine, %lu spawns, %lu "
	       "exits, %lu calls\n",
	    total.steps, total.histories, total.kills, total.spawns,
	    total.exits, total.calls);
	return 0;
}
