/* SPDX-License-Identifier: ISC */
/* The JSON Schema that is printed from the table of all keys. */
#include "conf/schema.h"
#include "conf_kit.h"

#include <jansson.h>

static json_t *
load(void)
{
	struct buf b = { 0 };
	json_error_t error;
	json_t *schema;

	conf_print_schema(&b);
	schema = json_loads(buf_str(&b), JSON_REJECT_DUPLICATES, &error);
	if (schema == NULL)
		print_message("# line %d: %s\n", error.line, error.text);
	buf_fini(&b);
	assert_non_null(schema);
	return schema;
}

static json_t *
key_of(const json_t *schema, const char *object, const char *key)
{
	return json_object_get(
	    json_object_get(
		json_object_get(json_object_get(schema, "definitions"), object),
		"properties"),
	    key);
}

static void
every_key_is_in_its_place(void **state)
{
	static const char *const objects[KEY_WHERE_N] = {
		[IN_SUPERVISOR] = "supervisor",
		[IN_WORKER] = "worker",
		[IN_LOG] = "log",
		[IN_BACKOFF] = "backoff",
		[IN_HEALTH] = "health",
		[IN_MAILBOX] = "mailbox",
	};
	json_t *schema = load(), *key;
	size_t i;

	(void)state;
	for (i = 0; i < schema_n_keys; i++) {
		const struct key *k = &schema_keys[i];

		key = key_of(schema, objects[k->where], k->name);
		if (k->type == T_LATER) {
			assert_null(key);
			continue;
		}
		assert_non_null(key);
		assert_string_equal(
		    json_string_value(json_object_get(key, "description")),
		    k->doc);
		assert_true((json_object_get(key, "default") != NULL) ==
			    (k->def != NULL));
		/* And something that says what it may be. */
		assert_true(json_object_size(key) > (k->def != NULL ? 2 : 1));
	}
	json_decref(schema);
}

static void
defaults_have_the_types_of_json(void **state)
{
	json_t *schema = load(), *def;

	(void)state;
	def = json_object_get(key_of(schema, "worker", "enabled"), "default");
	assert_true(json_is_true(def));
	def = json_object_get(key_of(schema, "log", "keep"), "default");
	assert_int_equal(json_integer_value(def), 5);
	def = json_object_get(key_of(schema, "worker", "env"), "default");
	assert_true(json_is_object(def));
	def = json_object_get(key_of(schema, "worker", "umask"), "default");
	assert_string_equal(json_string_value(def), "022");
	json_decref(schema);
}

static void
a_template_has_no_name(void **state)
{
	json_t *schema = load();

	(void)state;
	assert_null(key_of(schema, "template", "worker"));
	assert_null(key_of(schema, "template", "instances"));
	assert_non_null(key_of(schema, "template", "command"));
	assert_null(key_of(schema, "defaults", "worker"));
	assert_non_null(key_of(schema, "defaults", "instances"));
	json_decref(schema);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_in_its_place),
		cmocka_unit_test(defaults_have_the_types_of_json),
		cmocka_unit_test(a_template_has_no_name),
	};

	return cmocka_run_group_tests(tests, kit_open, kit_close);
}
