/* SPDX-License-Identifier: ISC */
/* The registry's memory, against a naive one on random histories. */
#include "../../workers/keytab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
entries_are_listed_in_the_order_of_registration(void **state)
{
	struct keytab t;
	struct holder *a, *b;
	struct holding *e;
	char seen[16] = "";

	(void)state;
	keytab_init(&t);
	a = keytab_hold(&t, 1);
	b = keytab_hold(&t, 2);
	assert_ptr_equal(keytab_hold(&t, 1), a);
	assert_non_null(keytab_add(&t, a, "hello", "1", 1));
	assert_non_null(keytab_add(&t, b, "hello", "2", 1));
	assert_non_null(keytab_add(&t, a, "world", "3", 1));
	assert_non_null(keytab_add(&t, a, "hello", "4", 1));
	TAILQ_FOREACH (e, &keytab_key(&t, "hello")->entries, of_key)
		strncat(seen, (const char *)e->value, 1);
	assert_string_equal(seen, "124");
	seen[0] = '\0';
	TAILQ_FOREACH (e, &a->entries, of_holder)
		strncat(seen, (const char *)e->value, 1);
	assert_string_equal(seen, "134");
	assert_int_equal(t.n_entries, 4);
	keytab_fini(&t);
}

static void
a_value_is_replaced_in_its_place(void **state)
{
	struct keytab t;
	struct holder *a;
	struct holding *e;
	char seen[32] = "";

	(void)state;
	keytab_init(&t);
	a = keytab_hold(&t, 1);
	keytab_add(&t, a, "k", "x", 1);
	e = keytab_add(&t, a, "k", "y", 1);
	keytab_add(&t, a, "k", "z", 1);
	assert_non_null(keytab_replace(&t, e, "longer", 6));
	TAILQ_FOREACH (e, &t.entries, of_all)
		strncat(seen, (const char *)e->value, e->len);
	assert_string_equal(seen, "xlongerz");
	assert_int_equal(a->n_entries, 3);
	keytab_fini(&t);
}

static void
nothing_is_left_of_a_holder_that_is_dropped(void **state)
{
	struct keytab t;
	struct holder *a, *b;

	(void)state;
	keytab_init(&t);
	a = keytab_hold(&t, 1);
	b = keytab_hold(&t, 2);
	keytab_add(&t, a, "only", "", 0);
	keytab_add(&t, a, "both", "", 0);
	keytab_add(&t, b, "both", "", 0);
	keytab_queue(&t, a, "lock", 7);
	keytab_drop(&t, a);
	assert_null(keytab_holder(&t, 1));
	assert_null(keytab_key(&t, "only"));
	assert_null(keytab_key(&t, "lock"));
	assert_int_equal(keytab_key(&t, "both")->n_entries, 1);
	assert_int_equal(t.n_entries, 1);
	keytab_fini(&t);
	assert_null(t.keys);
	assert_null(t.holders);
}

static void
a_lock_goes_to_who_has_waited_longest(void **state)
{
	struct keytab t;
	struct holder *h[3];
	struct waiter *w[3], *next;

	(void)state;
	keytab_init(&t);
	for (unsigned i = 0; i < 3; i++) {
		h[i] = keytab_hold(&t, i + 1);
		w[i] = keytab_queue(&t, h[i], "lock", i);
	}
	assert_ptr_equal(TAILQ_FIRST(&w[0]->key->waiters), w[0]);
	assert_ptr_equal(keytab_place(h[1], 1), w[1]);
	assert_null(keytab_place(h[1], 0));
	/* One that only waits changes nothing for the others. */
	assert_null(keytab_leave(&t, w[1]));
	next = keytab_leave(&t, w[0]);
	assert_ptr_equal(next, w[2]);
	assert_null(keytab_leave(&t, next));
	assert_null(keytab_key(&t, "lock"));
	keytab_fini(&t);
}

/* ---- a naive one -----------------------------------------------------------
 */

#define KEYS    7
#define PIDS    9
#define N_NAIVE 4000

struct naive {
	struct {
		unsigned key;
		msg_pid pid;
		unsigned char value;
	} e[N_NAIVE];
	size_t n;
};

static void
naive_remove(struct naive *v, size_t i)
{
	memmove(&v->e[i], &v->e[i + 1], (v->n - i - 1) * sizeof(v->e[0]));
	v->n--;
}

static void
compare(const struct keytab *t, const struct naive *v)
{
	const struct holding *e = TAILQ_FIRST(&t->entries);
	char key[8];

	assert_int_equal(t->n_entries, v->n);
	for (size_t i = 0; i < v->n; i++) {
		snprintf(key, sizeof(key), "k%u", v->e[i].key);
		assert_string_equal(e->key->text, key);
		assert_int_equal(e->holder->pid, v->e[i].pid);
		assert_int_equal(e->value[0], v->e[i].value);
		assert_ptr_equal(keytab_key(t, key), e->key);
		assert_ptr_equal(keytab_holder(t, e->holder->pid), e->holder);
		e = TAILQ_NEXT(e, of_all);
	}
	assert_null(e);
}

/* Do one thing to both. */
static void
step(struct keytab *t, struct naive *v)
{
	unsigned key = (unsigned)random() % KEYS;
	msg_pid pid = (msg_pid)random() % PIDS + 1;
	struct holder *h = keytab_hold(t, pid);
	struct holding *e;
	struct key *k;
	char text[8];
	size_t i;

	snprintf(text, sizeof(text), "k%u", key);
	switch (random() % 16) {
	case 0: /* it ends */
		keytab_drop(t, h);
		for (i = v->n; i-- > 0;)
			if (v->e[i].pid == pid)
				naive_remove(v, i);
		break;
	case 1:
	case 2: /* it gives all of one key up */
		while ((k = keytab_key(t, text)) != NULL &&
		       (e = keytab_own(h, k)) != NULL)
			keytab_remove(t, e);
		for (i = v->n; i-- > 0;)
			if (v->e[i].pid == pid && v->e[i].key == key)
				naive_remove(v, i);
		break;
	default:
		v->e[v->n].key = key;
		v->e[v->n].pid = pid;
		v->e[v->n].value = (unsigned char)random();
		assert_non_null(keytab_add(t, h, text, &v->e[v->n].value, 1));
		v->n++;
	}
}

static void
it_agrees_with_a_naive_one(void **state)
{
	static struct naive v;
	struct keytab t;

	(void)state;
	srandom(4);
	keytab_init(&t);
	for (unsigned i = 0; i < N_NAIVE; i++) {
		step(&t, &v);
		compare(&t, &v);
	}
	assert_true(v.n > 20);
	keytab_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    entries_are_listed_in_the_order_of_registration),
		cmocka_unit_test(a_value_is_replaced_in_its_place),
		cmocka_unit_test(nothing_is_left_of_a_holder_that_is_dropped),
		cmocka_unit_test(a_lock_goes_to_who_has_waited_longest),
		cmocka_unit_test(it_agrees_with_a_naive_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
