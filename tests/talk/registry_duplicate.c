/* SPDX-License-Identifier: ISC */
/* Elixir's registry/duplicate_test: what is its own. */
#include "registry_rig.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
d_registrations(void)
{
	duplicate();
	put("hello", "value");
	check_text(keys(msg_self()), "hello@me=value");
	check_text(values("hello", msg_self()), "hello@me=value");
	put("hello", "value");
	check_text(keys(msg_self()), "hello@me=value hello@me=value");
	check_text(
	    values("hello", msg_self()), "hello@me=value hello@me=value");
	put("world", "value");
	check_text(
	    keys(msg_self()), "hello@me=value hello@me=value world@me=value");
}

void
d_registrations_across(void)
{
	msg_pid task;

	duplicate();
	task = register_task("hello", "world");
	check_text(keys(msg_self()), "");
	check_text(keys(task), "hello@task=world");
	check_text(values("hello", msg_self()), "");
	check_text(values("hello", task), "hello@task=world");
	put("hello", "value");
	check_text(keys(msg_self()), "hello@me=value");
	check_text(values("hello", msg_self()), "hello@me=value");
	check_text(lookup("hello"), "hello@task=world hello@me=value");
}

void
d_no_update(void)
{
	int r;

	duplicate();
	put("hello", "value");
	r = msg_registry_update_value(reg, "hello", never, NULL);
	check_int(r, -EOPNOTSUPP);
	check(strstr(msg_strerror(r), "duplicate registry") != NULL);
}

void
d_dispatches(void)
{
	duplicate();
	check_ok(msg_trap_exit(true));
	check_int(
	    msg_registry_dispatch(reg, "hello", dispatch, &n_dispatched), 0);
	check_int(n_dispatched, 0);
	put("hello", "value1");
	put("hello", "value2");
	put("world", "value3");
	check_int(
	    msg_registry_dispatch(reg, "hello", dispatch, &n_dispatched), 2);
	check_dispatched("value1 value2");
	check_int(
	    msg_registry_dispatch(reg, "world", dispatch, &n_dispatched), 1);
	check_dispatched("value3");
	check_int(n_dispatched, 2);
	refute(MSG_IS(MSG_EXIT), NULL);
}

void
d_unregisters(void)
{
	duplicate();
	put("hello", "value");
	put("hello", "value");
	put("world", "value");
	check_text(
	    keys(msg_self()), "hello@me=value hello@me=value world@me=value");
	check_ok(msg_registry_unregister(reg, "hello"));
	check_text(keys(msg_self()), "world@me=value");
	check_ok(msg_registry_unregister(reg, "world"));
	check_text(keys(msg_self()), "");
}

void
d_no_via(void)
{
	msg_pid pid;
	int r;

	duplicate();
	r = msg_via_register(reg, "hello", NULL, NULL);
	check_int(r, -EOPNOTSUPP);
	check(strstr(msg_strerror(r), "duplicate registry") != NULL);
	check_int(msg_via_whereis(reg, "hello", &pid), -EOPNOTSUPP);
	check_int(msg_via_send(reg, "hello", MSG_BYTES, "x", 1), -EOPNOTSUPP);
	check_int(msg_registry_count(reg), 0);
}

void
d_select_all(void)
{
	duplicate();
	put("hello", "value");
	put("hello", "value");
	check_text(select_all(), "hello@me=value hello@me=value");
}
