/* SPDX-License-Identifier: ISC */
/* The engine taken elsewhere: copies and images. */
#include "core_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct said said_again;

/* An image that the caller frees. */
static char *
save(const struct engine *e, size_t *ret_len)
{
	char *image;

	*ret_len = engine_save_size(e);
	image = malloc(*ret_len);
	assert_non_null(image);
	engine_save(e, image);
	return image;
}

static void *
new_mem(void)
{
	void *mem = calloc(1, engine_size(RIG_CAP));

	assert_non_null(mem);
	return mem;
}

static int
setup(void **state)
{
	int r = rig_setup(state);

	rig_build(NULL);
	return r;
}

/* Both engines take the same steps and say the same. */
static unsigned
go_on_alike(struct engine *other, int steps)
{
	unsigned n = 0;

	for (int i = 0; i < steps; i++) {
		struct event ev = rig_event();

		rig_step(other, &ev, &said_again);
		rig_step(rig.e, &ev, &said);
		rig_same(&said, &said_again);
		n += said.n;
		assert_true(
		    engine_deadline(other).ns == engine_deadline(rig.e).ns);
	}
	return n;
}

static void
a_copy_steps_as_the_original(void **state)
{
	unsigned n_said = 0;

	(void)state;
	rig_boot();
	for (int k = 0; k < 200; k++) {
		void *mem = new_mem();
		mono_t *windows =
		    calloc(engine_windows_len(rig.e), sizeof(*windows));
		struct engine *copy;

		assert_non_null(windows);
		copy = engine_copy(rig.e, mem, windows);
		engine_check(copy);
		n_said += go_on_alike(copy, 30);
		free(mem);
		free(windows);
	}
	assert_true(n_said > 1000); /* it was no quiet life */
}

static void
a_copy_leaves_the_original_alone(void **state)
{
	size_t size = engine_size(RIG_CAP);
	void *before = malloc(size), *mem = new_mem();
	mono_t windows[RIG_SUPS * RIG_WINDOW];
	mono_t instants[RIG_SUPS][RIG_WINDOW];
	struct engine *copy;

	(void)state;
	assert_non_null(before);
	rig_boot();
	rig_advance(60);
	memcpy(before, rig.mem, size);
	memcpy(instants, rig.window, sizeof(instants));
	assert_int_equal(engine_windows_len(rig.e), RIG_SUPS * RIG_WINDOW);
	copy = engine_copy(rig.e, mem, windows);
	for (int i = 0; i < 500; i++) {
		struct event ev = rig_event();

		rig_step(copy, &ev, &said_again);
	}
	engine_add_worker(copy, NODE_NONE, "new", &rig.worker);
	assert_memory_equal(before, rig.mem, size);
	assert_memory_equal(instants, rig.window, sizeof(instants));
	free(before);
	free(mem);
}

static void
a_copy_of_an_empty_engine_is_empty(void **state)
{
	void *mem = calloc(1, engine_size(2));
	void *more = calloc(1, engine_size(2));
	struct engine *e, *copy;

	(void)state;
	assert_non_null(mem);
	assert_non_null(more);
	e = engine_init(mem, 2);
	assert_int_equal(engine_windows_len(e), 0);
	copy = engine_copy(e, more, NULL);
	engine_check(copy);
	assert_int_equal(engine_cap(copy), 2);
	assert_false(engine_has(copy, NODE_ROOT));
	assert_int_equal(
	    engine_add_worker(copy, NODE_NONE, "w", &rig.worker), NODE_ROOT);
	free(mem);
	free(more);
}

/* A reload that waits for s1 to have started, in its mailbox. */
static void
make_a_plan_wait(void)
{
	struct event boot = { .kind = EV_BOOT };
	struct event reload = { .kind = EV_RELOAD, .node = 2, .tag = 1 };

	rig_step(rig.e, &boot, &said);
	rig_plan();
	rig_step(rig.e, &reload, &said);
	assert_int_equal(said.n, 0);
}

static void
a_plan_of_a_copy_leaves_the_original_s_window_alone(void **state)
{
	cleanup_(freep) void *mem = new_mem();
	cleanup_(freep) mono_t *windows = NULL;
	mono_t zero[ARRAY_LEN(rig.plan_window)] = { 0 };
	struct engine *copy;
	size_t len;

	(void)state;
	make_a_plan_wait();
	len = engine_windows_len(rig.e);
	assert_true(len > RIG_SUPS * RIG_WINDOW + ARRAY_LEN(rig.plan_window));
	windows = calloc(len, sizeof(*windows));
	assert_non_null(windows);
	copy = engine_copy(rig.e, mem, windows);
	for (int i = 0; i < 500; i++) {
		struct event ev = rig_event();

		rig_step(copy, &ev, &said_again);
	}
	assert_memory_equal(rig.plan_window, zero, sizeof(zero));
}

/* ---- images ------------------------------------------------------------- */

static struct engine *
restore(const char *image, size_t len, void *mem)
{
	struct engine *e = NULL;
	uint32_t cap = 0;

	assert_int_equal(engine_image_cap(image, len, &cap), 0);
	assert_int_equal(cap, RIG_CAP);
	assert_int_equal(engine_restore(image, len, mem, &rig_lender, &e), 0);
	engine_check(e);
	return e;
}

static void
a_restored_engine_saves_the_same_bytes(void **state)
{
	(void)state;
	rig_boot();
	for (int k = 0; k < 100; k++) {
		cleanup_(freep) char *image = NULL, *again = NULL;
		cleanup_(freep) void *mem = new_mem();
		size_t len, len_again;

		rig_advance(20);
		image = save(rig.e, &len);
		again = save(restore(image, len, mem), &len_again);
		assert_int_equal(len, len_again);
		rig_same_image(image, again, len);
	}
}

static void
a_restored_engine_steps_as_the_original(void **state)
{
	unsigned n_said = 0;

	(void)state;
	rig_boot();
	for (int k = 0; k < 100; k++) {
		cleanup_(freep) char *image = NULL, *a = NULL, *b = NULL;
		cleanup_(freep) void *mem = new_mem();
		struct engine *e;
		size_t len, len_a, len_b;

		image = save(rig.e, &len);
		e = restore(image, len, mem);
		n_said += go_on_alike(e, 50);
		a = save(e, &len_a);
		b = save(rig.e, &len_b);
		assert_int_equal(len_a, len_b);
		rig_same_image(a, b, len_a);
	}
	assert_true(n_said > 1000);
}

static void
plans_that_wait_are_in_an_image(void **state)
{
	struct event reload = { .kind = EV_RELOAD, .node = 2, .tag = 2 };
	struct event apply = { .kind = EV_APPLY, .node = 1, .tag = 3 };
	cleanup_(freep) char *image = NULL, *a = NULL, *b = NULL;
	cleanup_(freep) void *mem = new_mem();
	struct engine *e;
	size_t len, len_a, len_b;

	(void)state;
	make_a_plan_wait();
	rig_plan(); /* and one more, for which there is no EV_RELOAD yet */
	image = save(rig.e, &len);
	e = restore(image, len, mem);
	a = save(e, &len_a);
	assert_int_equal(len_a, len);
	rig_same_image(image, a, len);
	rig_step(e, &reload, &said);
	rig_step(rig.e, &reload, &said);
	go_on_alike(e, 100);
	apply.now = rig.now;
	rig_step(e, &apply, &said_again);
	rig_step(rig.e, &apply, &said);
	rig_same(&said, &said_again);
	go_on_alike(e, 300);
	free(a);
	a = save(e, &len_a);
	b = save(rig.e, &len_b);
	assert_int_equal(len_a, len_b);
	rig_same_image(a, b, len_a);
}

/* An address in it would differ from that of another engine. */
static void
an_image_holds_no_address(void **state)
{
	cleanup_(freep) char *a = NULL, *b = NULL;
	size_t len_a, len_b;

	rig_boot();
	rig_advance(100);
	a = save(rig.e, &len_a);
	rig_teardown(state);
	/* Keep that memory away from the second one. */
	cleanup_(freep) void *other = malloc(engine_size(RIG_CAP));
	assert_non_null(other);
	rig_setup(state);
	{
		/* Windows and specs elsewhere, too: lent ones. */
		cleanup_(freep) char *empty = NULL;
		cleanup_(freep) void *mem = rig.mem;
		size_t len;

		rig_build(NULL);
		empty = save(rig.e, &len);
		rig.mem = new_mem();
		rig.e = restore(empty, len, rig.mem);
	}
	rig_boot();
	rig_advance(100);
	b = save(rig.e, &len_b);
	assert_int_equal(len_a, len_b);
	rig_same_image(a, b, len_a);
}

static void
damage_anywhere_in_an_image_is_seen(void **state)
{
	cleanup_(freep) char *image = NULL;
	cleanup_(freep) void *mem = new_mem();
	struct engine *e;
	uint32_t cap;
	size_t len;

	(void)state;
	rig_boot();
	rig_advance(50);
	image = save(rig.e, &len);
	for (size_t i = 0; i < len; i++) {
		char was = image[i];

		image[i] ^= (char)(1u << rig_random(8));
		assert_true(engine_image_cap(image, len, &cap) < 0);
		if (i % 16 == 0)
			assert_true(engine_restore(
					image, len, mem, &rig_lender, &e) < 0);
		image[i] = was;
	}
	for (size_t i = 0; i < len; i += 1 + rig_random(40))
		assert_true(engine_image_cap(image, i, &cap) < 0);
	assert_int_equal(engine_image_cap(image, len, &cap), 0);
}

static void
what_is_no_image_is_refused_by_name(void **state)
{
	cleanup_(freep) char *image = NULL;
	uint32_t cap;
	size_t len;

	(void)state;
	assert_int_equal(engine_image_cap("", 0, &cap), -EINVAL);
	assert_int_equal(
	    engine_image_cap(
		"#!/bin/sh\n# this is not an image of any engine", 48, &cap),
	    -EINVAL);
	image = save(rig.e, &len);
	image[8]++; /* the version */
	assert_int_equal(engine_image_cap(image, len, &cap), -EPROTONOSUPPORT);
	image[8]--;
	image[12]++; /* the layout */
	assert_int_equal(engine_image_cap(image, len, &cap), -EPROTONOSUPPORT);
	image[12]--;
	assert_int_equal(engine_image_cap(image, len - 1, &cap), -EBADMSG);
	assert_int_equal(engine_image_cap(image, len, &cap), 0);
}

static const struct sup_spec *
lend_nothing(void *ctx, node_t n, const struct sup_spec *saved)
{
	(void)ctx;
	(void)n;
	(void)saved;
	return NULL;
}

static void
a_lender_without_memory_fails_the_restore(void **state)
{
	struct lender poor = rig_lender;
	cleanup_(freep) char *image = NULL;
	cleanup_(freep) void *mem = new_mem();
	struct engine *e;
	size_t len;

	(void)state;
	poor.sup = lend_nothing;
	image = save(rig.e, &len);
	assert_int_equal(engine_restore(image, len, mem, &poor, &e), -ENOMEM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_copy_steps_as_the_original, setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
		    a_copy_leaves_the_original_alone, setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
		    a_copy_of_an_empty_engine_is_empty, setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
		    a_restored_engine_saves_the_same_bytes, setup,
		    rig_teardown),
		cmocka_unit_test_setup_teardown(
		    a_restored_engine_steps_as_the_original, setup,
		    rig_teardown),
		cmocka_unit_test_setup_teardown(
		    an_image_holds_no_address, setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
		    damage_anywhere_in_an_image_is_seen, setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_no_image_is_refused_by_name, setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
		    a_lender_without_memory_fails_the_restore, setup,
		    rig_teardown),
		cmocka_unit_test_setup_teardown(
		    a_plan_of_a_copy_leaves_the_original_s_window_alone, setup,
		    rig_teardown),
		cmocka_unit_test_setup_teardown(
		    plans_that_wait_are_in_an_image, setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
