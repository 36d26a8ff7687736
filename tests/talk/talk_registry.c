/* SPDX-License-Identifier: ISC */
/*
 * Elixir's registry_test, registry/unique_test and registry/duplicate_test on a
 * real registry, its holders and those who wait for its locks being workers;
 * and what K-4 says besides.
 */
#include "registry_rig.h"

#include <errno.h>
#include <inttypes.h>
#include <msg/format.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
is_empty_at_first(void)
{
	check_int(msg_registry_count(reg), 0);
	check_text(select_all(), "");
}

static void
clean_up_on_crash(void)
{
	msg_pid a, b;

	unique();
	a = register_task("hello", "value");
	b = register_task("world", "value");
	check_int(msg_registry_count(reg), 2);
	kill_and_check_down(a);
	kill_and_check_down(b);
	await_count(0);
	check_text(select_all(), "");
}

static void
u_counts_0(void)
{
	unique();
	is_empty_at_first();
}

static void
d_counts_0(void)
{
	duplicate();
	is_empty_at_first();
}

static void
u_counts(void)
{
	unique();
	put("hello", "value");
	put("world", "value");
	check_int(msg_registry_count(reg), 2);
}

static void
d_counts(void)
{
	duplicate();
	put("hello", "value");
	put("hello", "value");
	check_int(msg_registry_count(reg), 2);
}

static void
unregister_without_entries(void)
{
	check_ok(msg_registry_unregister(reg, "hello"));
	check_int(msg_registry_count(reg), 0);
}

static void
u_unregister_without_entries(void)
{
	unique();
	unregister_without_entries();
}

static void
d_unregister_without_entries(void)
{
	duplicate();
	unregister_without_entries();
}

/* The listener is ourselves, who gets the news before the answer. */
static void
listens(const char *kind, const char *second_key)
{
	msg_pid task;
	struct msg m;
	char listener[64], name[64], key[16], value[16];
	uint64_t pid;

	snprintf(listener, sizeof(listener), "listener-%" PRIu64, msg_self());
	check_ok(msg_register(listener));
	start_registry(kind, listener);
	task = register_task("hello", "world");
	m = expect(MSG_IS(MSG_DATA), reg_child.pid, 0, "register");
	check(msg_match(
	    &m, "register %63s %15s %" SCNu64 " %15s", name, key, &pid, value));
	check_text(name, reg);
	check_text(key, "hello");
	check(pid == task);
	check_text(value, "world");
	msg_free(&m);
	put(second_key, "value");
	check_int(msg_receive(&m, 0), 1);
	check(msg_match(
	    &m, "register %63s %15s %" SCNu64 " %15s", name, key, &pid, value));
	check_text(key, second_key);
	check(pid == msg_self());
	check_text(value, "value");
	msg_free(&m);
	check_ok(msg_registry_unregister(reg, second_key));
	check_int(msg_receive(&m, 0), 1);
	check(msg_match(&m, "unregister %63s %15s %" SCNu64, name, key, &pid));
	check_text(key, second_key);
	check(pid == msg_self());
	msg_free(&m);
	/* Of a death it is not told: that is what monitors are for (K-4). */
	kill_and_check_down(task);
	await_count(0);
	check_int(msg_receive(&m, 0), 0);
}

static void
u_listens(void)
{
	listens("unique", "world");
}

static void
d_listens(void)
{
	listens("duplicate", "hello");
}

static void
links(const char *kind)
{
	check_ok(msg_trap_exit(true));
	start_registry(kind, "");
	put("hello", "value");
	put("world", "value");
	check_ok(msg_registry_unregister(reg, "hello"));
	check(is_linked_to(reg_child.pid));
	/* Another, in its place. */
	start_registry(kind, "");
	put("hello", "value");
	put("world", "value");
	check_ok(msg_registry_unregister(reg, "hello"));
	check_ok(msg_registry_unregister(reg, "world"));
	check(!is_linked_to(reg_child.pid));
}

static void
u_links(void)
{
	links("unique");
}

static void
d_links(void)
{
	links("duplicate");
}

static void
unknown_registry(void)
{
	struct msg_registry_list l;
	struct msg_registry_lock lock;
	int r = msg_registry_register("no-such", "hello", NULL, NULL);

	check_int(r, -ESRCH);
	check_text(msg_strerror(r), "unknown registry \"no-such\"");
	check_int(msg_registry_lookup("no-such", "hello", &l), -ESRCH);
	check_int(msg_registry_count("no-such"), -ESRCH);
	check_int(msg_registry_lock("no-such", "a", 0, &lock), -ESRCH);
}

static void
registry_crash_takes_holders(void)
{
	msg_pid task;
	struct msg m;
	uint64_t ref;

	unique();
	task = register_task("hello", "value");
	check_ok(msg_monitor(task, &ref));
	check(kill(reg_child.os_pid, SIGKILL) == 0);
	m = expect(MSG_IS(MSG_DOWN), 0, ref, NULL);
	check_text(m.body, "killed");
	msg_free(&m);
}

static void
what_is_no_request_is_refused(void)
{
	char key[MSG_KEY_MAX + 2];
	struct msg_pack deep;
	int r;

	unique();
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	check_int(msg_registry_register(reg, key, NULL, NULL), -EINVAL);
	check_int(msg_registry_unregister(reg, ""), -EINVAL);
	key[MSG_KEY_MAX] = '\0';
	check_ok(msg_registry_register(reg, key, NULL, NULL));
	check_int(msg_callf_name(reg, -1, NULL, "frobnicate"), -EREMOTEIO);
	check_int(msg_callf_name(reg, -1, NULL, "register"), -EREMOTEIO);
	check_int(msg_callf_name(reg, -1, NULL, "register %d", 5), -EREMOTEIO);
	check_int(msg_callf_name(reg, -1, NULL, "keys x"), -EREMOTEIO);
	check_ok(msg_castf_name(reg, "unlock %d", 5));
	check_ok(msg_castf_name(reg, "unlock x"));
	check_ok(msg_sendf_name(reg, "hello"));
	/* A value that could not be given back. */
	msg_pack_init(&deep);
	for (int i = 0; i < MSG_PACK_DEPTH_MAX - 1; i++)
		msg_pack_array(&deep, 1);
	msg_pack_nil(&deep);
	r = msg_registry_register(reg, "deep", &deep, NULL);
	check_int(r, -EREMOTEIO);
	msg_pack_fini(&deep);
	check_int(msg_registry_count(reg), 1);
}

static void
many_keys(void)
{
	struct msg_registry_list l;
	char key[16];

	unique();
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		check_ok(msg_registry_register(reg, key, NULL, NULL));
	}
	check_int(msg_registry_count(reg), 2000);
	check_ok(msg_registry_keys(reg, msg_self(), &l));
	check_int(l.n, 2000);
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		check_text(l.entries[i].key, key);
	}
	msg_registry_list_free(&l);
	check(l.n == 0 && l.entries == NULL);
	msg_registry_list_free(&l);
}

#define R "Registry.Test: "
#define L "Registry.LockTest: "
#define U "Registry.UniqueTest: "
#define D "Registry.DuplicateTest: "

static const struct talk_case cases[] = {
	{ R "clean up registry on process crash", clean_up_on_crash },
	{ L "does not lock when using different keys", lock_different_keys },
	{ L "locks when using the same key", lock_same_key },
	{ L "locks when the one holding the lock raises", lock_holder_raises },
	{ L "locks when the one holding the lock terminates",
	    lock_holder_terminates },
	{ L "locks when the one waiting for the lock terminates",
	    lock_waiter_terminates },
	{ U "counts 0 keys in an empty registry", u_counts_0 },
	{ U "counts the number of keys in a registry", u_counts },
	{ U "has unique registrations", u_registrations },
	{ U "has unique registrations across processes",
	    u_registrations_across },
	{ U "has unique registrations even if partition is delayed",
	    u_registrations_delayed },
	{ U "updates current process value", u_updates_value },
	{ U "dispatches to a single key", u_dispatches },
	{ U "unregisters process by key", u_unregisters },
	{ U "unregisters with no entries", u_unregister_without_entries },
	{ U "allows listeners", u_listens },
	{ U "links and unlinks on register/unregister", u_links },
	{ U "raises on unknown registry name", unknown_registry },
	{ U "via callbacks", u_via },
	{ U "uses value provided in via", u_via_value },
	{ U "doesn't grow ets on already_registered", u_does_not_grow },
	{ U "doesn't grow ets on already_registered across processes",
	    u_does_not_grow_across },
	{ U "select all", u_select_all },
	{ U "empty list for empty registry", u_counts_0 },
	{ D "counts 0 keys in an empty registry", d_counts_0 },
	{ D "counts the number of keys in a registry", d_counts },
	{ D "has duplicate registrations", d_registrations },
	{ D "has duplicate registrations across processes",
	    d_registrations_across },
	{ D "update_value is not supported", d_no_update },
	{ D "dispatches to multiple keys in serial", d_dispatches },
	{ D "unregisters by key", d_unregisters },
	{ D "unregisters with no entries", d_unregister_without_entries },
	{ D "allows listeners", d_listens },
	{ D "links and unlinks on register/unregister", d_links },
	{ D "raises on unknown registry name", unknown_registry },
	{ D "raises if attempt to be used on via", d_no_via },
	{ D "select all", d_select_all },
	{ D "empty list for empty registry", d_counts_0 },
	{ "K-4 a registry's crash takes its holders with it",
	    registry_crash_takes_holders },
	{ "K-4 who waits too long for a lock leaves the queue", lock_timeout },
	{ "K-4 a lock goes to who has waited longest",
	    lock_first_come_first_served },
	{ "K-4 what is no request is refused", what_is_no_request_is_refused },
	{ "K-4 a worker may hold many keys", many_keys },
	{ NULL, NULL },
};

static const struct talk_role roles[] = {
	{ "holder", holder },
	{ "agent", agent },
	{ "locker", locker },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	return talk_main(argc, argv, cases, roles);
}
