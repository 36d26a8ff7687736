/* SPDX-License-Identifier: ISC */
#include "ctl/table.h"

#include "base/buf.h"
#include "ctl/text.h"

#include <string.h>

struct cell {
	char *text;
	size_t width;
	enum table_color color;
};

struct table {
	unsigned n_cols;
	bool failed; /* a cell was lost: no memory */
	size_t n, cap;
	struct cell *cell;
};

struct table *
table_new(unsigned n_cols)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->n_cols = n_cols;
	return t;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cell[i].text);
	free(t->cell);
	free(t);
}

void
table_freep(struct table **t)
{
	table_free(*t);
}

void
table_cell(struct table *t, enum table_color color, const char *text)
{
	struct cell *more;
	char *copy;

	if (t == NULL || t->failed)
		return;
	if (t->n == t->cap) {
		size_t cap = t->cap != 0 ? t->cap * 2 : 64;

		more = reallocarray(t->cell, cap, sizeof(*more));
		if (more == NULL) {
			t->failed = true;
			return;
		}
		t->cell = more;
		t->cap = cap;
	}
	copy = text_escape(text);
	if (copy == NULL) {
		t->failed = true;
		return;
	}
	t->cell[t->n++] = (struct cell){
		.text = copy, .width = text_width(copy), .color = color
	};
}

void
table_cellf(struct table *t, enum table_color color, const char *fmt, ...)
{
	cleanup_(buf_fini) struct buf b = { 0 };
	va_list ap;

	if (t == NULL)
		return;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (b.failed)
		t->failed = true;
	else
		table_cell(t, color, buf_str(&b));
}

const char *
table_sgr(enum table_color color)
{
	switch (color) {
	case COLOR_GREEN:
		return "\033[32m";
	case COLOR_YELLOW:
		return "\033[33m";
	case COLOR_RED:
		return "\033[31m";
	case COLOR_NONE:
	case COLOR_N:
		break;
	}
	return "\033[0m";
}

static void
print_cell(const struct cell *c, size_t width, bool last, FILE *out, bool color)
{
	bool colored = color && c->color != COLOR_NONE;

	fprintf(out, "%s%s%s", colored ? table_sgr(c->color) : "", c->text,
	    colored ? table_sgr(COLOR_NONE) : "");
	if (!last)
		fprintf(out, "%*s", (int)(width - c->width + 2), "");
}

int
table_print(const struct table *t, FILE *out, bool color)
{
	cleanup_(freep) size_t *width = NULL;

	if (t == NULL || t->failed)
		return -ENOMEM;
	width = calloc(t->n_cols, sizeof(*width));
	if (width == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		if (t->cell[i].width > width[i % t->n_cols])
			width[i % t->n_cols] = t->cell[i].width;
	for (size_t i = 0; i < t->n; i++) {
		unsigned col = (unsigned)(i % t->n_cols);
		bool last = col == t->n_cols - 1;

		print_cell(&t->cell[i], width[col], last, out, color);
		if (last)
			fputc('\n', out);
	}
	return 0;
}
