/* SPDX-License-Identifier: ISC */
/*
 * The schema as a JSON Schema (draft 7), for editors: completion, the text of
 * each key, and most mistakes while they are typed.  It accepts a whole
 * configuration, and the list of children that an included file is.
 *
 * It is laxer than conf_load(): combinations are not in it, and any text may
 * hold a variable.  An editor types plain scalars, so wherever we take a text
 * a number or a truth value will do.
 */
#include "conf/bind.h"

#include <assert.h>
#include <string.h>

#define SCALAR "\"type\": [\"string\", \"number\", \"boolean\", \"null\"]"
#define TEXT_LIKE(pattern)                                                     \
	"\"type\": \"string\", \"pattern\": \"" pattern "|\\\\$\""
#define VARIABLE "\"type\": \"string\", \"pattern\": \"\\\\$\""
#define TIME     "[0-9]+(ms|s|m|h)"
#define WORDS                                                                  \
	"\"anyOf\": [{" SCALAR "}, {\"type\": \"array\", \"items\": {" SCALAR  \
	"}}]"
#define MAP                                                                    \
	"\"type\": [\"object\", \"null\"], \"additionalProperties\": {" SCALAR \
	"}"
#define ONE_OF_MAP                                                             \
	"\"type\": \"object\", \"minProperties\": 1, \"maxProperties\": 1, "   \
	"\"additionalProperties\": false, \"properties\": "
#define OFF       "{\"enum\": [\"off\", false]}"
#define INSIDE(x) "\"anyOf\": [" OFF ", {\"$ref\": \"#/definitions/" x "\"}]"

/* Types that need no more than a text. */
static const char *const bodies[] = {
	[T_NAME] = "\"type\": [\"string\", \"number\"]",
	[T_TEXT] = SCALAR,
	[T_BOOL] = "\"anyOf\": [{\"type\": \"boolean\"}, {" TEXT_LIKE(
	    "^(true|false)$") "}]",
	[T_TIMEOUT] = TEXT_LIKE("^(infinity|" TIME ")$"),
	[T_FACTOR] = "\"type\": [\"number\", \"string\"], \"minimum\": 1",
	[T_PERCENT] = TEXT_LIKE("%$"),
	[T_SIZE] = TEXT_LIKE("^[0-9]+[KMG]$"),
	[T_SHUTDOWN] = TEXT_LIKE("^(infinity|brutal_kill|" TIME ")$"),
	[T_SIGNAL] = SCALAR,
	[T_STOPS] = "\"type\": \"array\", \"minItems\": 1, \"maxItems\": 8, "
		    "\"items\": {\"type\": \"string\"}",
	[T_EXITS] = WORDS,
	[T_READY] = "\"anyOf\": [{\"enum\": [\"exec\", \"notify\"]}, "
		    "{" ONE_OF_MAP "{\"notify_fd\": {" SCALAR "}, "
		    "\"tcp\": {\"type\": \"string\"}, "
		    "\"unix\": {\"type\": \"string\"}, "
		    "\"probe\": {" WORDS "}, "
		    "\"delay\": {" TEXT_LIKE("^" TIME "$") "}}}]",
	[T_BACKOFF] = INSIDE("backoff"),
	[T_HEALTH] = INSIDE("health"),
	[T_TCP] = TEXT_LIKE(":[0-9]+$"),
	[T_UNIX] = TEXT_LIKE("^/"),
	[T_URL] = TEXT_LIKE("^http://"),
	[T_COMMAND] = WORDS,
	[T_HOOK] = WORDS,
	[T_GIVEUP] = "\"anyOf\": [{\"enum\": [\"escalate\", \"stop\"]}, "
		     "{" ONE_OF_MAP "{\"exec\": {" WORDS "}}}]",
	[T_DIR] = TEXT_LIKE("^/"),
	[T_FILE] = "\"type\": \"string\"",
	[T_UMASK] = SCALAR,
	[T_USER] = SCALAR,
	[T_GROUP] = SCALAR,
	[T_GROUPS] = "\"type\": \"array\", \"items\": {" SCALAR "}",
	[T_ENV] = MAP,
	[T_RLIMIT] = MAP,
	[T_LOG] = "\"allOf\": [{\"$ref\": \"#/definitions/log\"}]",
	[T_NAMES] = WORDS,
	[T_MAILBOX] = "\"allOf\": [{\"$ref\": \"#/definitions/mailbox\"}]",
	[T_LATER] = NULL,
};

static void
put_quoted(struct buf *out, const char *s, size_t len)
{
	size_t i;

	buf_puts(out, "\"");
	for (i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\')
			buf_puts(out, "\\");
		buf_add(out, &s[i], 1);
	}
	buf_puts(out, "\"");
}

/* The words of a list, as an enum; YAML's null is not only a word. */
static void
put_choices(struct buf *out, const char *choices)
{
	const char *sep = "";
	size_t len;

	buf_puts(out, "{\"enum\": [");
	for (; *choices != '\0'; choices += len) {
		choices += *choices == ' ';
		len = strcspn(choices, " ");
		buf_puts(out, sep);
		put_quoted(out, choices, len);
		if (len == 4 && strncmp(choices, "null", len) == 0)
			buf_puts(out, ", null");
		sep = ", ";
	}
	buf_puts(out, "]}");
}

static void
put_tree(struct buf *out, const struct key *k)
{
	if (key_id(k) == S_INCLUDE)
		buf_puts(out, WORDS);
	else
		buf_printf(out, "\"allOf\": [{\"$ref\": \"#/definitions/%s\"}]",
		    k->name);
}

/* What a value of that key may be. */
static void
put_type(struct buf *out, const struct key *k)
{
	if (k->type == T_INT) {
		buf_printf(out,
		    "\"anyOf\": [{\"type\": \"integer\", \"minimum\": %lld, "
		    "\"maximum\": %lld}, {" TEXT_LIKE("^[+-]?[0-9]+$") "}%s]",
		    (long long)k->min, (long long)k->max,
		    k->off ? ", " OFF : "");
	} else if (k->type == T_DURATION) {
		buf_printf(out, k->off ? "\"anyOf\": [" OFF ", {%s}]" : "%s",
		    TEXT_LIKE("^" TIME "$"));
	} else if (k->type == T_CHOICE) {
		buf_puts(out, "\"anyOf\": [");
		put_choices(out, k->choices);
		buf_puts(out, ", {" VARIABLE "}]");
	} else if (k->type == T_IO) {
		buf_puts(out, "\"anyOf\": [");
		put_choices(out, k->choices);
		buf_puts(out,
		    ", {" ONE_OF_MAP "{\"file\": {\"type\": \"string\"}}}]");
	} else if (k->type == T_TREE) {
		put_tree(out, k);
	} else {
		assert(bodies[k->type] != NULL);
		buf_puts(out, bodies[k->type]);
	}
}

static void
put_key(struct buf *out, const struct key *k)
{
	buf_printf(
	    out, "        \"%s\": {\n          \"description\": ", k->name);
	put_quoted(out, k->doc, strlen(k->doc));
	if (k->def != NULL) {
		buf_puts(out, ",\n          \"default\": ");
		/* YAML's lists, maps, numbers and truth values are JSON's. */
		if (k->def[0] == '[' || k->def[0] == '{' ||
		    ((k->type == T_BOOL || k->type == T_INT) &&
			strcmp(k->def, "off") != 0))
			buf_puts(out, k->def);
		else
			put_quoted(out, k->def, strlen(k->def));
	}
	buf_puts(out, ",\n          ");
	put_type(out, k);
	buf_puts(out, "\n        }");
}

/* An object of all keys of one place, but for two. */
static void
put_object(struct buf *out, const char *name, enum key_where where,
    enum key_id not_first, enum key_id not_second, const char *more)
{
	const char *sep = "\n";
	size_t i;

	buf_printf(out,
	    "    \"%s\": {\n      \"type\": \"object\",\n"
	    "      \"additionalProperties\": false,\n%s"
	    "      \"properties\": {",
	    name, more);
	for (i = 0; i < LATER_FIRST; i++) {
		if (schema_keys[i].where != where || i == not_first ||
		    i == not_second)
			continue;
		buf_puts(out, sep);
		put_key(out, &schema_keys[i]);
		sep = ",\n";
	}
	buf_puts(out, "\n      }\n    },\n");
}

void
conf_print_schema(struct buf *out)
{
	buf_puts(out,
	    "{\n"
	    "  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
	    "  \"title\": \"supd.yaml\",\n"
	    "  \"description\": \"a supervision tree of supd, or an included "
	    "list of children\",\n"
	    "  \"if\": {\"type\": \"array\"},\n"
	    "  \"then\": {\"$ref\": \"#/definitions/children\"},\n"
	    "  \"else\": {\"$ref\": \"#/definitions/supervisor\"},\n"
	    "  \"definitions\": {\n");
	put_object(out, "supervisor", IN_SUPERVISOR, KEY_MAX, KEY_MAX,
	    "      \"required\": [\"supervisor\"],\n");
	put_object(out, "worker", IN_WORKER, KEY_MAX, KEY_MAX,
	    "      \"required\": [\"worker\"],\n");
	put_object(out, "template", IN_WORKER, W_NAME, W_INSTANCES, "");
	put_object(out, "defaults", IN_WORKER, W_NAME, KEY_MAX, "");
	put_object(out, "log", IN_LOG, KEY_MAX, KEY_MAX, "");
	put_object(out, "mailbox", IN_MAILBOX, KEY_MAX, KEY_MAX, "");
	put_object(out, "backoff", IN_BACKOFF, KEY_MAX, KEY_MAX, "");
	put_object(out, "health", IN_HEALTH, KEY_MAX, KEY_MAX,
	    "      \"oneOf\": [{\"required\": [\"tcp\"]}, "
	    "{\"required\": [\"unix\"]},\n"
	    "        {\"required\": [\"http\"]}, "
	    "{\"required\": [\"probe\"]}],\n");
	buf_puts(out,
	    "    \"children\": {\n"
	    "      \"type\": [\"array\", \"null\"],\n"
	    "      \"items\": {\n"
	    "        \"if\": {\"required\": [\"supervisor\"]},\n"
	    "        \"then\": {\"$ref\": \"#/definitions/supervisor\"},\n"
	    "        \"else\": {\"$ref\": \"#/definitions/worker\"}\n"
	    "      }\n    }\n  }\n}\n");
}
