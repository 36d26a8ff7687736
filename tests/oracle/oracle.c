/* SPDX-License-Identifier: ISC */
/*
 * The differential oracle: the same script for OTP's supervisor and for supd.
 *
 *   oracle --beam DIR --seeds A-B      TAP, one line for a batch of seeds
 *   oracle --beam DIR --show SEED      the script, and what both make of it
 *   oracle --beam DIR --script FILE
 *   oracle --beam DIR --golden SEED    as small as it can be, as a golden case
 *
 * A seed that differs is made as small as it can be, and printed.
 *
 * What befalls several supervisors at a time (`&`) can reach them in more than
 * one order, and none is wrong; OTP's history must be that of one of them.
 */
#include "compare.h"
#include "golden.h"
#include "machine.h"
#include "otp.h"

#include <stdio.h>
#include <string.h>

#define IN_FLIGHT 96
#define BATCH     100
#define SHOWN_MAX 5 /* failures that are made small and printed */
#define LATE      "late\n"
#define LATE_MAX  200
#define ORDERS    200 /* that are tried */

struct job {
	bool used;
	int late; /* how often the machine was too busy for its window */
	long seed;
	struct script s;
	struct buf ours;
};

static struct otp otp;
static const char *beam_dir;
static struct job jobs[IN_FLIGHT];

static _Noreturn void
die(const char *what, int rc)
{
	fprintf(stderr, "oracle: %s: %s\n", what, strerror(-rc));
	otp_stop(&otp);
	exit(2);
}

/* ---- comparing ----------------------------------------------------------- */

static bool
is_concurrent(const struct script *s)
{
	for (int i = 0; i < s->n_commands; i++)
		if (s->command[i].apart)
			return true;
	return false;
}

/* Is it one of the ways that it can go?  *ret_order: which; 0: the usual. */
static bool
is_possible(const struct script *s, const char *ours, const char *theirs,
    uint32_t *ret_order, struct buf *ret_text)
{
	bool same = compare(s, ours, theirs, ret_text);

	*ret_order = 0;
	for (uint32_t k = 1; !same && is_concurrent(s) && k <= ORDERS; k++) {
		struct buf other = { 0 }, text = { 0 };

		same = machine_run_in_order(s, k, &other) &&
		       compare(s, buf_str(&other), theirs, &text);
		*ret_order = k;
		buf_fini(&other);
		buf_fini(&text);
	}
	if (same)
		buf_fini(ret_text);
	return same;
}

/* ---- one script, alone --------------------------------------------------- */

static bool
agree(struct script *s, struct buf *ret_ours, struct buf *ret_theirs,
    struct buf *ret_text)
{
	struct buf text = { 0 };
	uint32_t order;
	int id, rc;

	if (!machine_run(s, ret_ours)) {
		buf_puts(ret_text, "supd does not come to rest\n");
		return false;
	}
	script_print(s, &text);
	for (int late = 0; late <= LATE_MAX; late++) {
		buf_fini(ret_theirs);
		rc = otp_send(&otp, 0, buf_str(&text));
		if (rc == 0)
			rc = otp_receive(&otp, &id, ret_theirs);
		if (rc != 0)
			die("OTP", rc);
		if (strcmp(buf_str(ret_theirs), LATE) != 0)
			break;
	}
	buf_fini(&text);
	return is_possible(
	    s, buf_str(ret_ours), buf_str(ret_theirs), &order, ret_text);
}

static bool
differs(const struct script *s)
{
	struct script copy = *s;
	struct buf a = { 0 }, b = { 0 }, text = { 0 };
	bool same = agree(&copy, &a, &b, &text);

	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&text);
	return !same;
}

/* ---- smaller ------------------------------------------------------------- */

static bool
keep_if_differs(struct script *s, const struct script *smaller)
{
	if (!differs(smaller))
		return false;
	*s = *smaller;
	return true;
}

static bool
drop_commands(struct script *s)
{
	bool any = false;

	/* The last one lets everything come to its end. */
	for (int i = s->n_commands - 2; i >= 0; i--) {
		struct script t = *s;

		if (s->command[i].op[0].kind == OP_BOOT)
			continue;
		script_drop_command(&t, i);
		any |= keep_if_differs(s, &t);
	}
	for (int i = 0; i < s->n_commands; i++)
		for (int k = s->command[i].n - 1; k >= 0; k--) {
			struct script t = *s;
			struct command *c = &t.command[i];

			if (c->n == 1)
				break;
			memmove(&c->op[k], &c->op[k + 1],
			    (size_t)(--c->n - k) * sizeof(c->op[0]));
			any |= keep_if_differs(s, &t);
		}
	return any;
}

static bool
drop_items(struct script *s)
{
	bool any = false;

	for (int id = ITEMS_MAX; id > 1; id--) {
		struct script t = *s;

		if (!s->item[id].used)
			continue;
		script_drop_item(&t, id);
		if (t.n_commands > 0)
			any |= keep_if_differs(s, &t);
	}
	return any;
}

/* Back to what is most common, one thing at a time. */
static bool
plainer(struct script *s)
{
	bool any = false;

	for (int id = 1; id <= ITEMS_MAX; id++) {
		const struct item *was = &s->item[id];
		struct script t = *s;
		struct item *it = &t.item[id];

		if (!was->used)
			continue;
		if (!was->is_sup &&
		    (was->on_stop != ON_STOP_OBEY || was->shutdown_ms != 5000 ||
			was->answer != ANSWER_SHUTDOWN) &&
		    s->item[was->parent].strategy != SIMPLE_ONE_FOR_ONE) {
			it->on_stop = ON_STOP_OBEY;
			it->shutdown_ms = 5000;
			it->answer = ANSWER_SHUTDOWN;
			any |= keep_if_differs(s, &t);
			t = *s;
		}
		if (was->restart != PERMANENT && !was->significant &&
		    s->item[was->parent].strategy != SIMPLE_ONE_FOR_ONE) {
			it->restart = PERMANENT;
			any |= keep_if_differs(s, &t);
		}
	}
	return any;
}

static void
shrink(struct script *s)
{
	bool any = true;

	while (any) {
		any = drop_items(s);
		any |= drop_commands(s);
		any |= plainer(s);
	}
}

static void
comment(const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		printf("# %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

/* Print how both see it; true if they agree. */
static bool
show(struct script *s, bool always)
{
	struct buf ours = { 0 }, theirs = { 0 }, text = { 0 }, why = { 0 };
	bool same = agree(s, &ours, &theirs, &why);

	if (!same || always) {
		script_print(s, &text);
		comment(buf_str(&text));
		printf("# -- supd:\n");
		comment(buf_str(&ours));
		printf("# -- OTP:\n");
		comment(buf_str(&theirs));
		comment(buf_str(&why));
	}
	buf_fini(&ours);
	buf_fini(&theirs);
	buf_fini(&text);
	buf_fini(&why);
	return same;
}

static void
explain(long seed)
{
	struct script s;

	script_generate(&s, (uint64_t)seed);
	if (!differs(&s)) {
		printf("# seed %ld agrees when it runs alone\n", seed);
		return;
	}
	shrink(&s);
	printf("# seed %ld, made small:\n", seed);
	show(&s, true);
	printf(
	    "# for tests/golden/core: tests/oracle/run --golden %ld\n", seed);
}

/* ---- many ---------------------------------------------------------------- */

struct tally {
	long first, last;
	int *bad; /* by batch */
	long differ;
	long failed[SHOWN_MAX];
};

static void
finish(struct tally *t, struct job *j, const char *theirs)
{
	struct buf why = { 0 };
	uint32_t order;

	if (!is_possible(&j->s, buf_str(&j->ours), theirs, &order, &why)) {
		t->bad[(j->seed - t->first) / BATCH]++;
		if (t->differ < SHOWN_MAX)
			t->failed[t->differ] = j->seed;
		t->differ++;
		printf("# seed %ld differs %s", j->seed, buf_str(&why));
		fflush(stdout);
	} else if (order != 0) {
		printf("# seed %ld agrees in another order\n", j->seed);
	}
	buf_fini(&why);
	buf_fini(&j->ours);
	j->used = false;
}

static void
put_to_otp(struct job *j)
{
	struct buf text = { 0 };
	int rc;

	script_print(&j->s, &text);
	rc = otp_send(&otp, (int)(j - jobs), buf_str(&text));
	if (rc != 0)
		die("OTP", rc);
	buf_fini(&text);
}

/* Rarely a script with `&` stays open on a machine that is too busy. */
static void
begin_anew(void)
{
	int rc;

	otp_stop(&otp);
	rc = otp_start(&otp, beam_dir);
	if (rc != 0)
		die("OTP", rc);
	for (int i = 0; i < IN_FLIGHT; i++) {
		if (!jobs[i].used)
			continue;
		if (jobs[i].late++ == LATE_MAX)
			die("OTP", -ETIME);
		fprintf(stderr, "oracle: no answer for seed %ld; again\n",
		    jobs[i].seed);
		put_to_otp(&jobs[i]);
	}
}

static void
receive_one(struct tally *t)
{
	struct buf text = { 0 };
	int id = 0, rc = otp_receive(&otp, &id, &text);

	if (rc == -ETIME) {
		begin_anew();
		return;
	}
	if (rc != 0)
		die("OTP", rc);
	if (id < 0 || id >= IN_FLIGHT || !jobs[id].used)
		die("OTP", -EBADMSG);
	if (strcmp(buf_str(&text), LATE) == 0 && jobs[id].late++ < LATE_MAX)
		put_to_otp(&jobs[id]);
	else
		finish(t, &jobs[id], buf_str(&text));
	buf_fini(&text);
}

static void
send_one(struct tally *t, struct job *j, long seed)
{
	*j = (struct job){ .used = true, .seed = seed };
	script_generate(&j->s, (uint64_t)seed);
	if (machine_run(&j->s, &j->ours))
		put_to_otp(j);
	else
		finish(t, j, "=\nsupd does not come to rest\n");
}

static int
run_seeds(long first, long last)
{
	struct tally t = { .first = first, .last = last };
	long next = first;
	int n_batches = (int)((last - first) / BATCH + 1), in_flight = 0;

	t.bad = calloc((size_t)n_batches, sizeof(*t.bad));
	if (t.bad == NULL)
		die("seeds", -ENOMEM);
	do {
		for (int i = 0; i < IN_FLIGHT && next <= last; i++)
			if (!jobs[i].used)
				send_one(&t, &jobs[i], next++);
		in_flight = 0;
		for (int i = 0; i < IN_FLIGHT; i++)
			in_flight += jobs[i].used;
		if (in_flight > 0)
			receive_one(&t);
	} while (in_flight > 0 || next <= last);
	for (int i = 0; i < SHOWN_MAX && i < t.differ; i++)
		explain(t.failed[i]);
	for (int i = 0; i < n_batches; i++) {
		long a = first + (long)i * BATCH, b = a + BATCH - 1;

		printf("%s %d - seeds %ld to %ld\n",
		    t.bad[i] == 0 ? "ok" : "not ok", i + 1, a,
		    b < last ? b : last);
	}
	printf("1..%d\n", n_batches);
	printf("# %ld seeds, %ld differ\n", last - first + 1, t.differ);
	free(t.bad);
	return t.differ != 0;
}

static void
what_happens(const struct script *s, struct buf *ret)
{
	struct buf all = { 0 };
	const char *at;

	(void)!machine_run(s, &all);
	for (at = buf_str(&all); *at != '\0'; at += strcspn(at, "\n") + 1)
		if (at[0] != '=')
			buf_add(ret, at, strcspn(at, "\n") + 1);
	buf_fini(&all);
}

/* Leave out what does nothing, such as a death of who is dead. */
static void
prune(struct script *s)
{
	struct buf whole = { 0 };

	what_happens(s, &whole);
	for (int i = s->n_commands - 1; i >= 0; i--)
		for (int k = s->command[i].n - 1; k >= 0; k--) {
			struct script t = *s;
			struct command *c = &t.command[i];
			struct buf b = { 0 };

			memmove(&c->op[k], &c->op[k + 1],
			    (size_t)(--c->n - k) * sizeof(c->op[0]));
			if (c->n == 0)
				script_drop_command(&t, i);
			what_happens(&t, &b);
			if (strcmp(buf_str(&b), buf_str(&whole)) == 0)
				*s = t;
			buf_fini(&b);
		}
	buf_fini(&whole);
}

static int
run_golden(long seed)
{
	struct buf text = { 0 };
	struct script s;

	script_generate(&s, (uint64_t)seed);
	if (differs(&s))
		shrink(&s);
	prune(&s);
	golden_print(&s, &text);
	fputs(buf_str(&text), stdout);
	buf_fini(&text);
	return 0;
}

static int
run_file(const char *name)
{
	char text[65536];
	FILE *f = fopen(name, "r");
	struct script s;
	size_t len;
	int line;

	if (f == NULL) {
		perror(name);
		return 2;
	}
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	if (script_parse(text, &s, &line) != 0) {
		fprintf(stderr, "%s:%d: not a script\n", name, line);
		return 2;
	}
	return show(&s, true) ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct script s;
	long a = 1, b = 2000;
	int rc = 2;

	if (argc != 5 || strcmp(argv[1], "--beam") != 0) {
		fprintf(stderr,
		    "usage: oracle --beam DIR --seeds A-B | --show SEED | "
		    "--script FILE | --golden SEED\n");
		return 2;
	}
	beam_dir = argv[2];
	rc = otp_start(&otp, beam_dir);
	if (rc != 0) {
		fprintf(stderr, "oracle: erl: %s\n", strerror(-rc));
		return 2;
	}
	if (strcmp(argv[3], "--script") == 0) {
		rc = run_file(argv[4]);
	} else if (strcmp(argv[3], "--golden") == 0) {
		rc = run_golden(atol(argv[4]));
	} else if (strcmp(argv[3], "--show") == 0) {
		script_generate(&s, strtoull(argv[4], NULL, 10));
		rc = show(&s, true) ? 0 : 1;
	} else if (strcmp(argv[3], "--seeds") == 0 &&
		   sscanf(argv[4], "%ld-%ld", &a, &b) == 2 && a <= b) {
		rc = run_seeds(a, b);
	} else {
		fprintf(stderr, "oracle: what is %s %s?\n", argv[3], argv[4]);
		rc = 2;
	}
	otp_stop(&otp);
	return rc;
}
