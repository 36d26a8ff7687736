/* SPDX-License-Identifier: ISC */
#include "conf/expand.h"

#include "conf/bind.h"
#include "conf/value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define INSTANCE     "${instance}"
#define INSTANCE_LEN (sizeof(INSTANCE) - 1)
#define VAR_LEN_MAX  255

static size_t
name_len(const char *s)
{
	size_t n = 0;

	while ((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') ||
	       s[n] == '_' || (n > 0 && s[n] >= '0' && s[n] <= '9'))
		n++;
	return n;
}

void
expand_quote(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '$')
			buf_puts(out, "$");
		buf_add(out, text, 1);
	}
}

/* ${VAR} or ${VAR:-text} at p, whose closing brace is at end. */
static bool
variable(struct load *ld, const struct node *n, const char *p, const char *end,
    struct buf *out)
{
	char name[VAR_LEN_MAX + 1];
	size_t len = name_len(p + 2);
	const char *rest = p + 2 + len, *value;

	if (len == 0 || len > VAR_LEN_MAX ||
	    (rest != end && strncmp(rest, ":-", 2) != 0)) {
		diag_error(&ld->diag, n,
		    "%s is not ${VAR} or ${VAR:-text}; write $$ for a $",
		    diag_quote(&ld->diag,
			arena_strndup(ld->arena, p, (size_t)(end - p) + 1)));
		return false;
	}
	memcpy(name, p + 2, len);
	name[len] = '\0';
	value = getenv(name);
	if (rest != end && (value == NULL || value[0] == '\0'))
		value = arena_strndup(
		    ld->arena, rest + 2, (size_t)(end - rest) - 2);
	if (value == NULL) {
		diag_error(&ld->diag, n,
		    "the environment variable %s is not set; give a default "
		    "with ${%s:-text}, or write $$ for a $",
		    name, name);
		return false;
	}
	if (!value_is_utf8(value)) {
		diag_error(&ld->diag, n,
		    "the environment variable %s is not UTF-8", name);
		return false;
	}
	expand_quote(out, value);
	return true;
}

/* One text to the form with only $$ and ${instance}. */
static bool
expand_text(struct load *ld, const struct node *n, struct buf *out)
{
	const char *p = n->text, *dollar, *end;

	while ((dollar = strchr(p, '$')) != NULL) {
		buf_add(out, p, (size_t)(dollar - p));
		if (dollar[1] == '$') {
			buf_puts(out, "$$");
			p = dollar + 2;
			continue;
		}
		if (strncmp(dollar, INSTANCE, INSTANCE_LEN) == 0) {
			buf_puts(out, INSTANCE);
			p = dollar + INSTANCE_LEN;
			continue;
		}
		end = dollar[1] == '{' ? strchr(dollar, '}') : NULL;
		if (end == NULL && dollar[1] == '{') {
			diag_error(
			    &ld->diag, n, "${ has no }; write $$ for a $");
			return false;
		}
		if (end == NULL) {
			diag_error(&ld->diag, n,
			    "a single $ means nothing: write ${VAR}, or $$ "
			    "for a $");
			return false;
		}
		if (!variable(ld, n, dollar, end, out))
			return false;
		p = end + 1;
	}
	buf_puts(out, p);
	return true;
}

void
expand_tree(struct load *ld, struct node *n)
{
	struct node *c;

	if (n->kind != NODE_SCALAR) {
		for (c = n->first; c != NULL; c = c->next)
			expand_tree(ld, c);
		return;
	}
	if (strchr(n->text, '$') == NULL)
		return;
	buf_drain(&ld->scratch, ld->scratch.len);
	if (!expand_text(ld, n, &ld->scratch)) {
		n->bad = true;
		return;
	}
	n->text = load_take(ld);
	n->dollar = strchr(n->text, '$') != NULL;
}

static void
replace(struct buf *out, const char *text, uint32_t instance, bool undouble)
{
	const char *dollar;

	while ((dollar = strchr(text, '$')) != NULL) {
		buf_add(out, text, (size_t)(dollar - text));
		if (dollar[1] == '$') {
			buf_puts(out, undouble ? "$" : "$$");
			text = dollar + 2;
		} else {
			assert(strncmp(dollar, INSTANCE, INSTANCE_LEN) == 0);
			buf_printf(out, "%u", instance);
			text = dollar + INSTANCE_LEN;
		}
	}
	buf_puts(out, text);
}

void
expand_final(struct buf *out, const char *text, uint32_t instance)
{
	replace(out, text, instance, true);
}

void
expand_instance(struct buf *out, const char *text, uint32_t instance)
{
	replace(out, text, instance, false);
}

bool
expand_has_instance(const char *text)
{
	const char *dollar;

	while ((dollar = strchr(text, '$')) != NULL) {
		if (dollar[1] != '$')
			return true;
		text = dollar + 2;
	}
	return false;
}
