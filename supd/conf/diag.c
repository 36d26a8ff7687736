/* SPDX-License-Identifier: ISC */
#include "conf/diag.h"

#include "conf/conf.h"

#include <string.h>

#define LINE_SHOWN_MAX 100u /* characters of a source line */
#define QUOTED_MAX     64u  /* bytes of a quoted value */

struct diag_entry {
	struct place at;
	bool warning;
	uint32_t seq; /* keeps the sort stable */
	const char *text;
};

struct place
place_of(const struct node *n)
{
	return (struct place){ n->src, n->line, n->col, n->end_col };
}

static void
add(struct diag *d, struct place at, bool warning, const char *text)
{
	struct diag_entry *bigger;

	if (d->n == d->cap) {
		d->cap = d->cap == 0 ? 32 : d->cap * 2;
		bigger = arena_array(d->arena, d->cap, sizeof(*bigger));
		if (d->n > 0)
			memcpy(bigger, d->entries, d->n * sizeof(*bigger));
		d->entries = bigger;
	}
	d->entries[d->n] = (struct diag_entry){ at, warning, d->n, text };
	d->n++;
}

void
diag_error_at(struct diag *d, struct place at, const char *fmt, ...)
{
	va_list ap;

	d->n_errors++;
	if (d->n >= DIAG_KEPT_MAX)
		return;
	va_start(ap, fmt);
	add(d, at, false, arena_vprintf(d->arena, fmt, ap));
	va_end(ap);
}

void
diag_error(struct diag *d, const struct node *at, const char *fmt, ...)
{
	va_list ap;

	d->n_errors++;
	if (d->n >= DIAG_KEPT_MAX)
		return;
	va_start(ap, fmt);
	add(d, place_of(at), false, arena_vprintf(d->arena, fmt, ap));
	va_end(ap);
}

void
diag_warn(struct diag *d, const struct node *at, const char *fmt, ...)
{
	va_list ap;

	d->n_warnings++;
	if (d->n >= DIAG_KEPT_MAX)
		return;
	va_start(ap, fmt);
	add(d, place_of(at), true, arena_vprintf(d->arena, fmt, ap));
	va_end(ap);
}

const char *
diag_quote(struct diag *d, const char *text)
{
	size_t len = strlen(text), keep = len;

	if (len > QUOTED_MAX) {
		keep = QUOTED_MAX;
		while (keep > 0 && ((unsigned char)text[keep] & 0xc0) == 0x80)
			keep--; /* not inside a UTF-8 character */
	}
	return arena_printf(
	    d->arena, "\"%.*s%s\"", (int)keep, text, keep < len ? "..." : "");
}

static int
by_place(const void *pa, const void *pb)
{
	const struct diag_entry *a = pa, *b = pb;

	if (a->at.src->seq != b->at.src->seq)
		return a->at.src->seq < b->at.src->seq ? -1 : 1;
	if (a->at.line != b->at.line)
		return a->at.line < b->at.line ? -1 : 1;
	if (a->at.col != b->at.col)
		return a->at.col < b->at.col ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Control characters may drive a terminal: none gets out. */
static void
put_harmless(struct buf *out, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\t')
			buf_puts(out, " ");
		else if (c < 0x20 || c == 0x7f)
			buf_puts(out, "?");
		else if (c == 0xc2 && i + 1 < len &&
			 (unsigned char)s[i + 1] < 0xa0) {
			buf_puts(out, "?"); /* U+0080..U+009F */
			i++;
		} else
			buf_add(out, &s[i], 1);
	}
}

static const char *
find_line(const struct source *src, uint32_t line, size_t *ret_len)
{
	const char *p = src->text, *end = src->text + src->len, *nl;

	while (--line > 0) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			return NULL;
		p = nl + 1;
	}
	nl = memchr(p, '\n', (size_t)(end - p));
	*ret_len = (size_t)((nl == NULL ? end : nl) - p);
	if (*ret_len > 0 && p[*ret_len - 1] == '\r')
		--*ret_len;
	return p;
}

/* Bytes of the first n characters of UTF-8. */
static size_t
utf8_bytes(const char *s, size_t len, uint32_t n)
{
	size_t i = 0;

	while (i < len && n-- > 0) {
		i++;
		while (i < len && ((unsigned char)s[i] & 0xc0) == 0x80)
			i++;
	}
	return i;
}

static uint32_t
utf8_chars(const char *s, size_t len)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static void
put_source(struct buf *out, const struct place *at)
{
	uint32_t col = at->col, end = at->end_col, chars, skip = 0, i;
	const char *p;
	size_t len = 0, from;

	p = at->line == 0 ? NULL : find_line(at->src, at->line, &len);
	if (p == NULL || col == 0)
		return;
	/* Show a window of a very long line. */
	if (col > LINE_SHOWN_MAX - 20) {
		skip = col - 40;
		from = utf8_bytes(p, len, skip);
		p += from;
		len -= from;
	}
	len = utf8_bytes(p, len, LINE_SHOWN_MAX);
	chars = utf8_chars(p, len);
	if (end == 0 || end > skip + chars + 1)
		end = skip + chars + 1;
	buf_printf(out, "%5u | ", at->line);
	put_harmless(out, p, len);
	buf_puts(out, "\n      | ");
	for (i = 1; i < col - skip; i++)
		buf_puts(out, " ");
	buf_puts(out, "^");
	for (i = col + 1; i < end; i++)
		buf_puts(out, "~");
	buf_puts(out, "\n");
}

static void
put_entry(struct buf *out, const struct diag_entry *e)
{
	put_harmless(out, e->at.src->path, strlen(e->at.src->path));
	if (e->at.line > 0)
		buf_printf(out, ":%u:%u", e->at.line, e->at.col);
	buf_puts(out, e->warning ? ": warning: " : ": error: ");
	put_harmless(out, e->text, strlen(e->text));
	buf_puts(out, "\n");
	put_source(out, &e->at);
}

void
diag_render(struct diag *d, struct buf *out)
{
	bool warnings = d->n_errors == 0;
	uint32_t total = warnings ? d->n_warnings : d->n_errors;
	uint32_t shown = 0, i;

	if (d->n == 0)
		return;
	qsort(d->entries, d->n, sizeof(*d->entries), by_place);
	for (i = 0; i < d->n && shown < CONF_ERRORS_MAX; i++) {
		if (d->entries[i].warning != warnings)
			continue;
		put_entry(out, &d->entries[i]);
		shown++;
	}
	if (total > shown)
		buf_printf(out, "%u more %s%s\n", total - shown,
		    warnings ? "warning" : "error",
		    total - shown == 1 ? "" : "s");
}
