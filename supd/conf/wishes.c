/* SPDX-License-Identifier: ISC */
/* The keys about other workers: register, link, monitor, allow. */
#include "conf/wishes.h"
#include "conf/types.h"

#include <string.h>

#define NAME_BYTES_MAX 63 /* as the bus: PROTO_NAME_MAX */

/* Why `text` is neither a name nor a path, or NULL. */
static const char *
fault(const char *text, bool is_name)
{
	size_t len = strlen(text);

	if (len == 0)
		return "is empty";
	if (is_name && len > NAME_BYTES_MAX)
		return "is longer than 63 bytes";
	if (len > PATH_MAX_LEN)
		return "is too long";
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return "has a space or control character in it";
		if (is_name && text[i] == '/')
			return "has a / in it, as only paths do";
	}
	return NULL;
}

void
wishes_bind(const struct target *t)
{
	const char *const *words;
	bool is_name = key_id(t->k) == W_REGISTER;
	const char **at = t->at;

	if (t->n->kind == NODE_LIST && t->n->n == 0) {
		*(const char *const **)at = NULL; /* [] takes back defaults */
		return;
	}
	words = type_list(t->ld, t->n, t->k->name);
	for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
		const char *why = fault(words[i], is_name);

		if (why == NULL)
			continue;
		type_say_why(t, t->n, words[i], why);
		return;
	}
	if (words != NULL)
		*(const char *const **)at = words;
}

void
wishes_put(const struct conf_worker *w, struct buf *out)
{
	const struct {
		const char *name;
		const char *const *list;
	} t[] = {
		{ "register", w->names },
		{ "link", w->links },
		{ "monitor", w->monitors },
		{ "allow", w->allow },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		for (size_t k = 0; t[i].list != NULL && t[i].list[k] != NULL;
		     k++)
			buf_printf(out, "%s %s\n", t[i].name, t[i].list[k]);
}
