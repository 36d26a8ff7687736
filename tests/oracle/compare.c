/* SPDX-License-Identifier: ISC */
#include "compare.h"

#include <stdio.h>
#include <string.h>

#define LINES_MAX 4096

struct line {
	int step;
	char word[20]; /* "start" */
	int id;
	bool self; /* a supervisor's end that nobody asked for */
	char text[232];
};

struct tale {
	int n;
	bool too_long;
	struct line line[LINES_MAX];
};

static struct tale tales[2];

static bool
is_word(const struct line *l, const char *w)
{
	return strcmp(l->word, w) == 0;
}

static bool
is_pool(const struct script *s, int id)
{
	return id > 0 && s->item[id].strategy == SIMPLE_ONE_FOR_ONE;
}

static void
add_line(struct tale *t, const struct line *l)
{
	if (t->n < LINES_MAX)
		t->line[t->n++] = *l;
	else
		t->too_long = true;
}

/* A pool's errors are reported in groups (L-1): count them one by one. */
static void
add_pool_errors(struct tale *t, int step, int sup, const char *reason, int n)
{
	struct line l = { .step = step, .word = "pool_errors", .id = sup };

	/* OTP reports when all of them are down: when does not matter. */

	snprintf(l.text, sizeof(l.text), "pool_errors %d %s", sup, reason);
	while (n-- > 0)
		add_line(t, &l);
}

static void
read_line(const struct script *s, struct tale *t, int step, const char *text)
{
	struct line l = { .step = step };
	char reason[16] = "";
	int n = 1;
	bool error, errors;

	if (sscanf(text, "%19s %d", l.word, &l.id) < 1)
		return;
	snprintf(l.text, sizeof(l.text), "%s", text);
	if (l.id < 0 || l.id > ITEMS_MAX)
		l.id = 0;
	if (is_word(&l, "end") && strstr(text, " self") != NULL) {
		l.self = true;
		*strrchr(l.text, ' ') = '\0';
	}
	error = is_word(&l, "shutdown_error");
	errors = is_word(&l, "shutdown_errors");
	if (error || errors) {
		sscanf(text, "%*s %*d %15s %d", reason, &n);
		/* D3 */
		if (strcmp(reason, "normal") == 0 ||
		    strcmp(reason, "shutdown") == 0)
			return;
		if (error && is_pool(s, s->item[l.id].parent)) {
			add_pool_errors(t, s->n_commands - 1,
			    s->item[l.id].parent, reason, 1);
			return;
		}
		if (errors) {
			add_pool_errors(t, s->n_commands - 1, l.id, reason, n);
			return;
		}
	}
	add_line(t, &l);
}

static void
read_tale(const struct script *s, struct tale *t, const char *text)
{
	int step = -1;
	char line[232];

	t->n = 0;
	t->too_long = false;
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
		if (strcmp(line, "=") == 0)
			step++;
		else
			read_line(s, t, step, line);
	}
}

/* OTP does not say whose idea an end was; ours does. */
static void
copy_self(const struct tale *ours, struct tale *theirs)
{
	int at;

	for (int i = 0; i < theirs->n; i++) {
		struct line *l = &theirs->line[i];
		int before = 0;

		if (!is_word(l, "end"))
			continue;
		for (int k = 0; k < i; k++)
			before += is_word(&theirs->line[k], "end") &&
			          theirs->line[k].step == l->step &&
			          theirs->line[k].id == l->id;
		for (at = 0; at < ours->n; at++)
			if (is_word(&ours->line[at], "end") &&
			    ours->line[at].step == l->step &&
			    ours->line[at].id == l->id && before-- == 0)
				break;
		l->self = at < ours->n && ours->line[at].self;
	}
}

/* Is it something that supervisor `sup` does, or that it sees? */
static bool
concerns(const struct script *s, const struct line *l, int sup)
{
	int parent = s->item[l->id].parent;

	if (is_word(l, "which") || is_word(l, "gave_up") ||
	    is_word(l, "pool_errors"))
		return l->id == sup;
	if (l->self) /* its parent may be doing something else meanwhile */
		return l->id == sup;
	if (is_word(l, "start") || is_word(l, "end"))
		return l->id == sup || parent == sup;
	return parent == sup;
}

/* What has no place in the order. */
static bool
is_loose(const struct line *l)
{
	return is_word(l, "pool_errors") ||
	       (is_word(l, "reply") && strstr(l->text, " noproc") != NULL);
}

static bool
is_stop(const struct line *l)
{
	return is_word(l, "stop") || is_word(l, "kill");
}

static int
by_text(const void *a, const void *b)
{
	const struct line *const *x = a, *const *y = b;

	return strcmp((*x)->text, (*y)->text);
}

static void
sort_stops(const struct line **l, int n)
{
	for (int i = 0, k; i < n; i = k + 1) {
		for (k = i; k < n && (is_stop(l[k]) || is_word(l[k], "end"));
		     k++)
			;
		qsort(&l[i], (size_t)(k - i), sizeof(l[0]), by_text);
	}
}

static const struct line *pick[2 * LINES_MAX];

static void
project(const struct script *s, const struct tale *t, int step, int sup,
    struct buf *ret)
{
	int n = 0, first;

	for (int i = 0; i < t->n; i++)
		if (t->line[i].step == step && !is_loose(&t->line[i]) &&
		    concerns(s, &t->line[i], sup))
			pick[n++] = &t->line[i];
	if (is_pool(s, sup))
		sort_stops(pick, n);
	first = n;
	for (int i = 0; i < t->n; i++)
		if (t->line[i].step == step && is_loose(&t->line[i]) &&
		    concerns(s, &t->line[i], sup))
			pick[n++] = &t->line[i];
	qsort(&pick[first], (size_t)(n - first), sizeof(pick[0]), by_text);
	for (int i = 0; i < n; i++)
		buf_printf(ret, "%s%s", i > 0 ? ", " : "", pick[i]->text);
}

static bool
same(struct buf *two, const struct script *s, int step, int sup,
    struct buf *ret_text)
{
	bool eq = strcmp(buf_str(&two[0]), buf_str(&two[1])) == 0;

	if (!eq) {
		buf_printf(ret_text, "at command %d, `", step + 1);
		if (step < s->n_commands)
			script_print_command(s, &s->command[step], ret_text);
		buf_printf(ret_text,
		    "`, supervisor %d:\n  supd: %s\n"
		    "  OTP:  %s\n",
		    sup, buf_str(&two[0]), buf_str(&two[1]));
	}
	buf_fini(&two[0]);
	buf_fini(&two[1]);
	return eq;
}

bool
compare(const struct script *s, const char *ours, const char *theirs,
    struct buf *ret_text)
{
	if (strcmp(ours, theirs) == 0)
		return true;
	read_tale(s, &tales[0], ours);
	read_tale(s, &tales[1], theirs);
	copy_self(&tales[0], &tales[1]);
	for (int step = 0; step < s->n_commands; step++)
		for (int sup = 0; sup <= ITEMS_MAX; sup++) {
			struct buf two[2] = { { 0 }, { 0 } };

			if (sup > 0 && !s->item[sup].is_sup)
				continue;
			for (int k = 0; k < 2; k++)
				project(s, &tales[k], step, sup, &two[k]);
			if (!same(two, s, step, sup, ret_text))
				return false;
		}
	if (tales[0].too_long || tales[1].too_long) {
		buf_puts(ret_text, "it happens too much to compare\n");
		return false;
	}
	return true;
}
