/* SPDX-License-Identifier: ISC */
/*
 * The life of one process as a table: every phase, every thing that can happen
 * in it, what comes of it.  The table is made by doing it, and must be the one
 * printed in supd/HACKING.  `test_worker_states --print` writes it.
 */
#include "base/buf.h"
#include "core/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CAP 4

static const char *const phase_names[PHASE_N] = {
	[PHASE_NONE] = "none",
	[PHASE_TOKEN] = "token",
	[PHASE_BACKOFF] = "backoff",
	[PHASE_PRE] = "pre",
	[PHASE_SPAWN] = "spawn",
	[PHASE_SETTLE] = "settle",
	[PHASE_WAIT] = "wait",
	[PHASE_ABORT] = "abort",
	[PHASE_RUN] = "run",
	[PHASE_STOP] = "stop",
	[PHASE_POST] = "post",
	[PHASE_POST_BACKOFF] = "repost",
};

enum input {
	IN_EXECED,
	IN_NO_FORK,  /* spawn failed: EAGAIN */
	IN_NO_SPAWN, /* spawn failed: ENOENT */
	IN_READY,
	IN_EXIT_0,
	IN_EXIT_1,
	IN_UNWELL,
	IN_DUE,
	IN_STOP,
	INPUT_N
};

static const char *const input_names[INPUT_N] = { "execed", "no fork",
	"no exec", "ready", "exit 0", "exit 1", "unwell", "due", "stop" };

static struct rig {
	struct engine *e;
	struct worker_spec spec;
	struct sup_spec sup;
	node_t child;
	mono_t now;
} r;

static void
ignore(void *ctx, const struct effect *eff)
{
	(void)ctx;
	(void)eff;
}

static void
step(enum event_kind kind, int code)
{
	struct effects todo = { ignore, NULL };
	struct event ev = {
		.now = r.now,
		.kind = kind,
		.node = r.child,
		.inc = engine_incarnation(r.e, r.child),
		.code = code,
	};

	engine_step(r.e, &ev, &todo);
	engine_check(r.e);
}

static void
deadline(void)
{
	r.now = engine_deadline(r.e);
	assert_false(mono_is_never(r.now));
	step(EV_TICK, 0);
}

/* Bring the child into `phase` by the ordinary way. */
static void
set_up(enum phase phase)
{
	r.spec = (struct worker_spec){
		.restart = TEMPORARY, /* so that its supervisor lets it be */
		.enabled = true,
		.ready = phase == PHASE_SETTLE ? READY_DELAY : READY_EVENT,
		.ready_delay_ns = NS_PER_S,
		.pre_start = true,
		.post_stop = true,
		.hook_timeout_ns = 10 * NS_PER_S,
		.heartbeat_ns = 10 * NS_PER_S,
		.start_timeout_ns = 10 * NS_PER_S,
		.stop = { { SIGTERM, NS_PER_S }, { SIGKILL, 0 } },
		.n_stop = 2,
	};
	r.sup = (struct sup_spec){ .period_ns = NS_PER_S,
		.shutdown_deadline_ns = -1 };
	memset(r.e, 0, engine_size(CAP));
	engine_init(r.e, CAP);
	r.now = (mono_t){ NS_PER_S };
	engine_add_sup(r.e, NODE_NONE, "root", &r.sup, NULL);
	r.child = engine_add_worker(r.e, NODE_ROOT, "w", &r.spec);
	if (phase == PHASE_NONE)
		return;
	if (phase == PHASE_TOKEN) {
		engine_set_spawn_interval(r.e, NS_PER_S);
		r.e->next_spawn = mono_add(r.now, NS_PER_S);
	}
	step(EV_BOOT, 0);
	if (phase >= PHASE_SPAWN || phase == PHASE_BACKOFF)
		step(EV_EXITED, 0); /* pre_start */
	if (phase == PHASE_BACKOFF)
		step(EV_SPAWN_FAILED, EAGAIN);
	if (phase >= PHASE_SETTLE)
		step(EV_EXECED, 0);
	if (phase == PHASE_ABORT)
		deadline();
	if (phase >= PHASE_RUN)
		step(EV_READY, 0);
	if (phase >= PHASE_STOP)
		step(EV_SHUTDOWN, 0);
	if (phase >= PHASE_POST)
		step(EV_EXITED, 0);
	if (phase == PHASE_POST_BACKOFF)
		step(EV_SPAWN_FAILED, EAGAIN);
}

static void
apply(enum input in)
{
	switch (in) {
	case IN_EXECED:
		step(EV_EXECED, 0);
		break;
	case IN_NO_FORK:
		step(EV_SPAWN_FAILED, EAGAIN);
		break;
	case IN_NO_SPAWN:
		step(EV_SPAWN_FAILED, ENOENT);
		break;
	case IN_READY:
		step(EV_READY, 0);
		break;
	case IN_EXIT_0:
		step(EV_EXITED, 0);
		break;
	case IN_EXIT_1:
		step(EV_EXITED, 1);
		break;
	case IN_UNWELL:
		step(EV_BEAT, 1);
		break;
	case IN_DUE:
		if (!mono_is_never(engine_deadline(r.e)))
			deadline();
		break;
	case IN_STOP:
		step(EV_SHUTDOWN, 0);
		break;
	case INPUT_N:
		break;
	}
}

static void
end_line(struct buf *b)
{
	while (b->data[b->len - 1] == ' ')
		b->data[--b->len] = '\0';
	buf_puts(b, "\n");
}

static void
render(struct buf *b)
{
	buf_printf(b, "  %-8s", "");
	for (int in = 0; in < INPUT_N; in++)
		buf_printf(b, " %-7s", input_names[in]);
	end_line(b);
	for (int p = PHASE_NONE; p < PHASE_N; p++) {
		buf_printf(b, "  %-8s", phase_names[p]);
		for (int in = 0; in < INPUT_N; in++) {
			const struct node *c;

			set_up((enum phase)p);
			c = node_of(r.e, r.child);
			assert_int_equal(c->w.phase, p);
			apply((enum input)in);
			buf_printf(b, " %-7s",
			    c->w.phase == (enum phase)p
				? "-"
				: phase_names[c->w.phase]);
		}
		end_line(b);
	}
}

static void
hacking_shows_the_table_as_it_is(void **state)
{
	struct buf table = { 0 }, file = { 0 };
	char chunk[4096];
	FILE *f = fopen(HACKING_FILE, "r");
	size_t n;

	(void)state;
	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&file, chunk, n);
	fclose(f);
	render(&table);
	if (strstr(buf_str(&file), buf_str(&table)) == NULL)
		fail_msg("supd/HACKING should show:\n%s", buf_str(&table));
	buf_fini(&table);
	buf_fini(&file);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hacking_shows_the_table_as_it_is),
	};
	int failed = 0;

	r.e = malloc(engine_size(CAP));
	if (r.e == NULL)
		return 1;
	if (argc > 1 && strcmp(argv[1], "--print") == 0) {
		struct buf b = { 0 };

		render(&b);
		fputs(buf_str(&b), stdout);
		buf_fini(&b);
	} else {
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	}
	free(r.e);
	return failed;
}
