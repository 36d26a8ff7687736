/* SPDX-License-Identifier: ISC */
/*
 * The differential oracle with real processes: the same script for OTP's
 * supervisor and for a supd with all its roles (live.h).
 *
 *   oracle_daemon --beam DIR --supd FILE --mole FILE --seeds A-B   TAP
 *   oracle_daemon ... --show SEED
 *
 * What it cannot see of supd from outside, the reports that a child has ended
 * or failed to start, is left out of the comparison; the rest is as in
 * compare.h.  A call is answered in supctl's terms, see fits().
 *
 * The root's stop is supd's own, which gives up the starts in progress where
 * OTP waits for them; so it is drawn only when all is at rest, and then both
 * must do the same.
 */
#include "compare.h"
#include "live.h"
#include "machine.h"
#include "otp.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LATE     "late\n"
#define LATE_MAX 200
#define TRIES    8 /* candidates for the script of a seed, times 100 */

struct reply {
	int id;
	char op[12], result[20];
	bool used;
};

struct replies {
	int n;
	struct reply reply[LIVE_CALLS];
};

static struct otp otp;
static struct live live;
static const char *supd, *mole;

/* ---- the script ------------------------------------------------------------
 */

/* One that says nothing which supctl cannot say, or says otherwise. */
static void
script_of(struct script *ret, long seed)
{
	for (uint64_t k = 0; k < UINT64_C(100) * TRIES; k++) {
		script_generate_live(ret, (uint64_t)seed * 1000 + k);
		if (machine_suits_daemon(ret))
			return;
	}
	fprintf(stderr, "oracle_daemon: seed %ld has no script\n", seed);
	exit(2);
}

/* ---- what OTP makes of it ---------------------------------------------------
 */

static void
ask_otp(const struct script *s, struct buf *ret)
{
	struct buf text = { 0 };
	int id, rc = 0;

	script_print(s, &text);
	for (int late = 0; late <= LATE_MAX && rc == 0; late++) {
		buf_fini(ret);
		rc = otp_send(&otp, 0, buf_str(&text));
		if (rc == 0)
			rc = otp_receive(&otp, &id, ret);
		if (rc == 0 && strcmp(buf_str(ret), LATE) != 0)
			break;
	}
	buf_fini(&text);
	if (rc != 0) {
		fprintf(stderr, "oracle_daemon: OTP: %s\n", strerror(-rc));
		otp_stop(&otp);
		exit(2);
	}
}

static bool
next_line(const char **text, char *line, size_t len)
{
	size_t n = strcspn(*text, "\n");

	if (**text == '\0')
		return false;
	snprintf(line, len, "%.*s", (int)n, *text);
	*text += n + ((*text)[n] == '\n');
	return true;
}

static void
read_replies(const char *text, struct replies *ret)
{
	char line[256];

	ret->n = 0;
	while (ret->n < LIVE_CALLS && next_line(&text, line, sizeof(line))) {
		struct reply *r = &ret->reply[ret->n];

		*r = (struct reply){ 0 };
		ret->n += sscanf(line, "reply %d %11s %19s", &r->id, r->op,
			      r->result) == 3;
	}
}

static struct reply *
take_reply(struct replies *all, int id, enum op_kind op)
{
	for (int i = 0; i < all->n; i++) {
		struct reply *r = &all->reply[i];

		if (!r->used && r->id == id &&
		    strcmp(r->op, op_names[op]) == 0) {
			r->used = true;
			return r;
		}
	}
	return NULL;
}

static bool
is_result(const struct reply *r, const char *what)
{
	return strcmp(r->result, what) == 0;
}

/* delete_child of what runs is refused; `supctl remove` would stop it first. */
static void
find_skips(const struct script *s, struct replies all, bool *skip)
{
	int n = 0;

	for (int i = 0; i < s->n_commands; i++) {
		const struct op *o = &s->command[i].op[0];
		const struct reply *r;

		if (o->kind < OP_START)
			continue;
		r = take_reply(&all, o->id, o->kind);
		skip[n++] =
		    o->kind == OP_DELETE && r != NULL &&
		    (is_result(r, "running") || is_result(r, "restarting") ||
			is_result(r, "simple"));
	}
}

/* ---- comparing --------------------------------------------------------------
 */

/* What both can be asked for. */
static void
common(const char *text, struct buf *ret)
{
	char line[256];
	int sup;

	while (next_line(&text, line, sizeof(line))) {
		if (strncmp(line, "reply ", 6) == 0 ||
		    strncmp(line, "terminated ", 11) == 0 ||
		    strncmp(line, "start_error ", 12) == 0)
			continue;
		if (sscanf(line, "gave_up %d", &sup) == 1)
			buf_printf(ret, "gave_up %d\n", sup);
		else
			buf_printf(ret, "%s\n", line);
	}
}

/* OTP's result in supctl's terms: it is done, or it is not and why. */
static bool
fits(const struct live_call *c, const struct reply *r)
{
	bool ok = is_result(r, "ok");

	if (c->outcome == LIVE_PENDING)
		return false;
	/* There is nobody who could be asked. */
	if (is_result(r, "noproc") || c->outcome == LIVE_NOT_ASKED)
		return true;
	if (c->op == OP_START) /* `enabled: false`: added, but not started */
		ok |= is_result(r, "ignored");
	if (c->op == OP_RESTART) /* it is to run, and it does */
		ok |= is_result(r, "running");
	return (c->outcome == LIVE_OK) == ok;
}

static bool
replies_agree(const struct script *s, const struct live *l,
    struct replies *theirs, struct buf *why)
{
	static const char *const words[] = { "no answer", "ok", "refused",
		"not asked" };

	for (int i = 0; i < l->n_calls; i++) {
		const struct live_call *c = &l->call[i];
		int parent = s->item[c->id].parent;
		const struct reply *r;

		/* O-1: a pool knows pids, supctl knows names. */
		if (s->item[parent].strategy == SIMPLE_ONE_FOR_ONE &&
		    c->op == OP_TERMINATE)
			continue;
		r = take_reply(theirs, c->id, c->op);
		if (r == NULL || !fits(c, r)) {
			buf_printf(why,
			    "call %d: %s %d: supd: %s (%s), OTP: %s\n", i + 1,
			    op_names[c->op], c->id, words[c->outcome], c->why,
			    r != NULL ? r->result : "nothing");
			return false;
		}
	}
	return true;
}

static bool
exit_agrees(const struct live *l, const char *theirs, struct buf *why)
{
	bool failed = strstr(theirs, "\nfailed 1\n") != NULL ||
	              strstr(theirs, "\ngave_up 1 ") != NULL;
	int code = failed ? 70 : 0;

	if (l->exit_code == code || l->exit_code < 0)
		return true;
	buf_printf(why, "supd exited with %d, not %d\n", l->exit_code, code);
	return false;
}

static bool
agree(const struct script *s, const struct live *l, const char *ours,
    const char *theirs, struct buf *why)
{
	struct buf a = { 0 }, b = { 0 };
	struct replies replies;
	bool same;

	if (l->broken[0] != '\0') {
		buf_printf(why, "%s\n", l->broken);
		return false;
	}
	common(ours, &a);
	common(theirs, &b);
	read_replies(theirs, &replies);
	same = compare(s, buf_str(&a), buf_str(&b), why) &&
	       replies_agree(s, l, &replies, why) &&
	       exit_agrees(l, theirs, why);
	buf_fini(&a);
	buf_fini(&b);
	return same;
}

/* ---- running ----------------------------------------------------------------
 */

static void
comment(const char *text)
{
	char line[512];

	while (next_line(&text, line, sizeof(line)))
		printf("# %s\n", line);
}

static void
run_live(const struct script *s, const bool *skip, struct buf *ret)
{
	for (int late = 0; late <= LATE_MAX; late++) {
		live = (struct live){ .supd = supd, .mole = mole };
		buf_fini(ret);
		live_run(&live, s, skip, ret);
		live_fini(&live);
		if (!live.late)
			break;
	}
}

/* True if both agree; else, or always, prints what they tell. */
static bool
run_seed(long seed, bool always)
{
	struct buf ours = { 0 }, theirs = { 0 }, why = { 0 }, text = { 0 };
	bool skip[LIVE_CALLS + 1] = { false }, same;
	struct replies replies;
	struct script s;

	script_of(&s, seed);
	ask_otp(&s, &theirs);
	read_replies(buf_str(&theirs), &replies);
	find_skips(&s, replies, skip);
	run_live(&s, skip, &ours);
	same = agree(&s, &live, buf_str(&ours), buf_str(&theirs), &why);
	if (!same || always) {
		script_print(&s, &text);
		comment(buf_str(&text));
		printf("# -- supd:\n");
		comment(buf_str(&ours));
		printf("# -- OTP:\n");
		comment(buf_str(&theirs));
		comment(buf_str(&why));
	}
	buf_fini(&ours);
	buf_fini(&theirs);
	buf_fini(&why);
	buf_fini(&text);
	return same;
}

static int
run_seeds(long first, long last)
{
	long bad = 0;

	for (long seed = first; seed <= last; seed++) {
		bool same = run_seed(seed, false);

		printf("%s %ld - daemon seed %ld\n", same ? "ok" : "not ok",
		    seed - first + 1, seed);
		fflush(stdout);
		bad += !same;
	}
	printf("1..%ld\n", last - first + 1);
	printf("# %ld seeds, %ld differ\n", last - first + 1, bad);
	return bad != 0;
}

int
main(int argc, char **argv)
{
	long a, b;
	int rc;

	if (argc != 9 || strcmp(argv[1], "--beam") != 0 ||
	    strcmp(argv[3], "--supd") != 0 || strcmp(argv[5], "--mole") != 0) {
		fprintf(stderr, "usage: oracle_daemon --beam DIR --supd FILE "
				"--mole FILE --seeds A-B | --show SEED\n");
		return 2;
	}
	supd = argv[4];
	mole = argv[6];
	signal(SIGPIPE, SIG_IGN);
	rc = otp_start(&otp, argv[2]);
	if (rc != 0) {
		fprintf(stderr, "oracle_daemon: erl: %s\n", strerror(-rc));
		return 2;
	}
	if (strcmp(argv[7], "--show") == 0) {
		rc = run_seed(atol(argv[8]), true) ? 0 : 1;
	} else if (strcmp(argv[7], "--seeds") == 0 &&
		   sscanf(argv[8], "%ld-%ld", &a, &b) == 2 && a <= b) {
		rc = run_seeds(a, b);
	} else {
		fprintf(stderr, "oracle_daemon: what is %s?\n", argv[7]);
		rc = 2;
	}
	otp_stop(&otp);
	return rc;
}
