/* SPDX-License-Identifier: ISC */
/*
 * usage: replay [-v] FILE
 *
 * Do again what a trace (supd --trace FILE) says: the same core is made, every
 * invariant is checked after every step, and each effect must be the one that
 * was recorded.  -v prints all of it.  Exits 0 if it was the same, 1 if not, 2
 * if the file cannot be read as a trace.
 */
#include "base/attr.h"
#include "core/journal.h"
#include "core/trace.h"
#include "engine/tracefile.h"
#include "lend.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_LEN 768

struct effect_list {
	struct effect *eff;
	size_t len, cap, at; /* at: the first that no record was read for */
};

static struct replay {
	const char *path;
	bool verbose;
	char *bytes;
	size_t len;
	struct trace_head head;
	struct journal_target target;
	struct effect_list made;
	struct event last;
	unsigned long n_events, n_effects, n_others;
	struct lent lent;
} r;

static void *
must(void *p)
{
	if (p == NULL) {
		fprintf(stderr, "replay: out of memory\n");
		exit(2);
	}
	return p;
}

static const struct lender lender = LENDER(&r.lent);

/* ---- reading ------------------------------------------------------------ */

static int
load(void)
{
	cleanup_(closep) int fd = open(r.path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(stderr, "replay: %s: %s\n", r.path, strerror(errno));
		return -1;
	}
	r.bytes = must(malloc((size_t)st.st_size + 1));
	while ((n = read(fd, r.bytes + r.len, (size_t)st.st_size - r.len)) > 0)
		r.len += (size_t)n;
	if (n < 0) {
		fprintf(stderr, "replay: %s: %s\n", r.path, strerror(errno));
		return -1;
	}
	return 0;
}

static int
check_head(void)
{
	struct trace_head *h = &r.head;

	if (r.len < sizeof(*h) ||
	    (memcpy(h, r.bytes, sizeof(*h)), h->magic != TRACE_MAGIC)) {
		fprintf(stderr, "replay: %s: not a trace of supd\n", r.path);
		return -1;
	}
	h->supd[sizeof(h->supd) - 1] = '\0';
	if (h->version != TRACE_VERSION || h->layout != engine_layout() ||
	    h->head_len != sizeof(*h)) {
		fprintf(stderr,
		    "replay: %s: written by another build of supd (%s); use "
		    "the replay of that build\n",
		    r.path, h->supd);
		return -1;
	}
	if (h->cap == 0 || h->cap > UINT32_MAX / 8) {
		fprintf(stderr, "replay: %s: damaged in its head\n", r.path);
		return -1;
	}
	return 0;
}

/* ---- comparing ---------------------------------------------------------- */

static void
collect(void *ctx, const struct effect *eff)
{
	struct effect_list *l = ctx;

	if (l->len == l->cap) {
		l->cap = l->cap * 2 + 64;
		l->eff = must(reallocarray(l->eff, l->cap, sizeof(*l->eff)));
	}
	l->eff[l->len++] = *eff;
}

static void
say(const char *what, const char *text)
{
	int64_t ms = r.last.now.ns / NS_PER_MS;

	printf("%05" PRId64 ".%03" PRId64 " %s%s\n", ms / 1000, ms % 1000, what,
	    text);
}

static void
say_effect(const char *what, const struct effect *eff)
{
	char text[TEXT_LEN];

	say(what, trace_effect(r.target.e, eff, text, sizeof(text)));
}

/* A record's bytes are the same where its values are. */
static bool
same_effect(const struct effect *a, const struct effect *b)
{
	char x[JOURNAL_RECORD_MAX] = { 0 }, y[JOURNAL_RECORD_MAX] = { 0 };
	struct journal jx = { .buf = x, .cap = sizeof(x) };
	struct journal jy = { .buf = y, .cap = sizeof(y) };

	return journal_effect(&jx, a) == 0 && journal_effect(&jy, b) == 0 &&
	       jx.len == jy.len && memcmp(x, y, jx.len) == 0;
}

static int
differs(uint64_t seq, const struct effect *was, const struct effect *is)
{
	char text[TEXT_LEN];

	fprintf(stderr, "replay: %s: record %" PRIu64 ": it went otherwise\n",
	    r.path, seq);
	say("after:  ", trace_event(r.target.e, &r.last, text, sizeof(text)));
	if (was != NULL)
		say_effect("then:   ", was);
	else
		say("then:   ", "nothing more");
	if (is != NULL)
		say_effect("now:    ", is);
	else
		say("now:    ", "nothing more");
	return 1;
}

/* What the last step has emitted has all been recorded, too. */
static int
check_no_more(uint64_t seq)
{
	struct effect_list *l = &r.made;

	return l->at < l->len ? differs(seq, NULL, &l->eff[l->at]) : 0;
}

static int
compare(const struct record *rec)
{
	struct effect_list *l = &r.made;

	r.n_effects++;
	if (l->at == l->len)
		return differs(rec->seq, &rec->effect, NULL);
	if (!same_effect(&rec->effect, &l->eff[l->at]))
		return differs(rec->seq, &rec->effect, &l->eff[l->at]);
	if (r.verbose)
		say_effect("\t", &l->eff[l->at]);
	l->at++;
	return 0;
}

static int
redo(const struct record *rec)
{
	struct effects todo = { collect, &r.made };
	char text[TEXT_LEN];
	int code = check_no_more(rec->seq);

	if (code != 0)
		return code;
	r.made.len = r.made.at = 0;
	if (rec->kind == RECORD_EVENT) {
		r.n_events++;
		r.last = rec->event;
		if (r.verbose)
			say("", trace_event(r.target.e, &rec->event, text,
				    sizeof(text)));
	} else {
		r.n_others++;
	}
	code = journal_apply(&r.target, rec, &todo);
	if (code < 0) {
		fprintf(stderr,
		    "replay: %s: record %" PRIu64 " does not belong there\n",
		    r.path, rec->seq);
		return 2;
	}
	engine_check(r.target.e);
	return 0;
}

static int
replay(void)
{
	struct journal_reader in = {
		.at = r.bytes + sizeof(r.head),
		.left = r.len - sizeof(r.head),
		.seq = 1,
	};
	struct record rec;
	int code = 0, k = 1;

	while (code == 0 && (k = journal_read(&in, &rec)) > 0)
		code = rec.kind == RECORD_EFFECT ? compare(&rec) : redo(&rec);
	if (k < 0) {
		fprintf(stderr,
		    "replay: %s: damaged at byte %zu, record %" PRIu64
		    "; those before it replay\n",
		    r.path, r.len - in.left, in.seq);
		return 2;
	}
	if (code != 0)
		return code;
	/* Effects of the last step may have been lost with their writer. */
	printf("%s: %lu events, %lu calls, %lu effects: as recorded%s\n",
	    r.path, r.n_events, r.n_others, r.n_effects,
	    in.left != 0 ? "; the last record is cut short" : "");
	return 0;
}

int
main(int argc, char **argv)
{
	void *mem;
	int code = 2, i = 1;

	if (i < argc && strcmp(argv[i], "-v") == 0) {
		r.verbose = true;
		i++;
	}
	if (i + 1 != argc) {
		fputs("usage: replay [-v] FILE\n", stderr);
		return 2;
	}
	r.path = argv[i];
	if (load() < 0 || check_head() < 0)
		return 2;
	mem = must(calloc(1, engine_size(r.head.cap)));
	r.target.lender = &lender;
	r.target.e = engine_init(mem, r.head.cap);
	code = replay();
	lend_release(&r.lent);
	free(r.made.eff);
	free(mem);
	free(r.bytes);
	return code;
}
