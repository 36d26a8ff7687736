/* SPDX-License-Identifier: ISC */
/* Elixir's registry/unique_test: what is its own. */
#include "registry_rig.h"

#include <errno.h>
#include <msg/format.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
u_registrations(void)
{
	msg_pid holder = 0;

	unique();
	put("hello", "value");
	check_text(keys(msg_self()), "hello@me=value");
	check_text(values("hello", msg_self()), "hello@me=value");
	check_int(
	    msg_registry_register(reg, "hello", text("v"), &holder), -EEXIST);
	check(holder == msg_self());
	check_text(keys(msg_self()), "hello@me=value");
	check_text(values("hello", msg_self()), "hello@me=value");
	put("world", "value");
	check_text(keys(msg_self()), "hello@me=value world@me=value");
}

void
u_registrations_across(void)
{
	msg_pid task;
	msg_pid holder = 0;

	unique();
	task = register_task("hello", "value");
	check_ok(msg_link(reg_child.pid));
	check_text(keys(task), "hello@task=value");
	check_text(values("hello", task), "hello@task=value");
	check_int(msg_registry_register(reg, "hello", text("recent"), &holder),
	    -EEXIST);
	check(holder == task);
	check_text(keys(msg_self()), "");
	check_text(values("hello", msg_self()), "");
	/* The link that is ours was not taken away with the failure. */
	check_ok(msg_trap_exit(true));
	check(is_linked_to(reg_child.pid));
}

/* Stopped before the holder ends, the registry cannot have heard of that. */
void
u_registrations_delayed(void)
{
	msg_pid task;
	struct msg_pack p;
	uint64_t ref;
	msg_pid holder = 0;

	unique();
	task = register_task("hello", "value");
	check_int(msg_registry_register(reg, "hello", text("other"), &holder),
	    -EEXIST);
	check(holder == task);
	check(kill(reg_child.os_pid, SIGSTOP) == 0);
	kill_and_check_down(task);
	msg_pack_init(&p);
	msg_packf(&p, "[register hello other]");
	check_ok(msg_request(reg_child.pid, MSG_PACKED, p.data, p.len, &ref));
	msg_pack_fini(&p);
	check_ok(msg_flush(TALK_PATIENCE_MS));
	check(kill(reg_child.os_pid, SIGCONT) == 0);
	check_ok(msg_wait_response(ref, TALK_PATIENCE_MS, NULL));
	check_text(lookup("hello"), "hello@me=other");
}

static void
increment(void *arg, struct msg_unpack *old_value, struct msg_pack *new_value)
{
	int64_t n;

	(void)arg;
	check_ok(msg_unpack_int(old_value, &n));
	msg_pack_int(new_value, n + 1);
}

void
u_updates_value(void)
{
	struct msg_pack one;

	unique();
	check_int(
	    msg_registry_update_value(reg, "hello", never, NULL), -ENOENT);
	register_task("hello", "value");
	check_int(
	    msg_registry_update_value(reg, "hello", never, NULL), -ENOENT);
	msg_pack_init(&one);
	msg_pack_int(&one, 1);
	check_ok(msg_registry_register(reg, "world", &one, NULL));
	msg_pack_fini(&one);
	check_text(lookup("world"), "world@me=1");
	check_ok(msg_registry_update_value(reg, "world", increment, NULL));
	check_text(lookup("world"), "world@me=2");
	check_text(lookup("hello"), "hello@task=value");
}

void
u_dispatches(void)
{
	unique();
	check_int(
	    msg_registry_dispatch(reg, "hello", dispatch, &n_dispatched), 0);
	check_int(n_dispatched, 0);
	put("hello", "value");
	check_int(
	    msg_registry_dispatch(reg, "hello", dispatch, &n_dispatched), 1);
	check_int(n_dispatched, 1);
	check_dispatched("value");
}

void
u_unregisters(void)
{
	unique();
	check_ok(msg_registry_unregister(reg, "hello"));
	put("hello", "value");
	put("world", "value");
	check_text(keys(msg_self()), "hello@me=value world@me=value");
	check_ok(msg_registry_unregister(reg, "hello"));
	check_text(keys(msg_self()), "world@me=value");
	check_ok(msg_registry_unregister(reg, "world"));
	check_text(keys(msg_self()), "");
	/* Only what is one's own. */
	register_task("hello", "value");
	check_ok(msg_registry_unregister(reg, "hello"));
	check_text(lookup("hello"), "hello@task=value");
}

void
u_via(void)
{
	struct msg reply;
	msg_pid agent, pid;
	int n, r;

	unique();
	/* A counter that is known by the key only. */
	agent = start_peer("agent", reg, "hello", "nil");
	check_ok(msg_callf(agent, -1, NULL, "get"));
	check_ok(msg_via_whereis(reg, "hello", &pid));
	check(pid == agent);
	check_ok(msg_via_call(
	    reg, "hello", MSG_PACKED, "\x91\xa9increment", 11, -1, NULL));
	check_ok(
	    msg_via_cast(reg, "hello", MSG_PACKED, "\x91\xa9increment", 11));
	check_ok(
	    msg_via_send(reg, "hello", MSG_PACKED, "\x91\xa9increment", 11));
	check_ok(msg_via_call(
	    reg, "hello", MSG_PACKED, "\x91\xa3get", 5, -1, &reply));
	check(msg_value(&reply, "%d", &n));
	check_int(n, 3);
	msg_free(&reply);
	/* The name is taken: who wants it too does not start. */
	r = try_peer("agent", reg, "hello", "nil", &pid);
	check_int(r, MSG_SUP_START_FAILED);
	check_int(msg_via_register(reg, "hello", NULL, &pid), -EEXIST);
	check(pid == agent);
	/* Nobody has this one. */
	check_int(msg_via_whereis(reg, "world", &pid), -ENOENT);
	check_int(msg_via_send(reg, "world", MSG_BYTES, "x", 1), -ENOENT);
	check_int(
	    msg_via_call(reg, "world", MSG_BYTES, "x", 1, -1, NULL), -ESRCH);
	/* Nor this, when its holder has ended. */
	kill_and_check_down(agent);
	check_int(msg_via_whereis(reg, "hello", &pid), -ENOENT);
	check_ok(msg_via_register(reg, "hello", NULL, NULL));
	check_ok(msg_via_unregister(reg, "hello"));
}

void
u_via_value(void)
{
	msg_pid agent;

	unique();
	agent = start_peer("agent", reg, "hello", "value");
	check_ok(msg_callf(agent, -1, NULL, "get"));
	check_text(lookup("hello"), "hello@task=value");
}

void
u_does_not_grow(void)
{
	unique();
	check_int(msg_registry_count(reg), 0);
	put("hello", "value");
	put("world", "value");
	check_int(msg_registry_count(reg), 2);
	check_int(
	    msg_registry_register(reg, "hello", text("v"), NULL), -EEXIST);
	check_int(msg_registry_count(reg), 2);
	check_text(select_all(), "hello@me=value world@me=value");
}

void
u_does_not_grow_across(void)
{
	unique();
	register_task("hello", "value");
	put("world", "value");
	check_int(msg_registry_count(reg), 2);
	check_int(
	    msg_registry_register(reg, "hello", text("recent"), NULL), -EEXIST);
	check_int(msg_registry_count(reg), 2);
	check_text(keys(msg_self()), "world@me=value");
}

void
u_select_all(void)
{
	msg_pid agent;

	unique();
	agent = start_peer("agent", reg, "hello", "nil");
	check_ok(msg_callf(agent, -1, NULL, "get"));
	put("world", "value");
	check_text(select_all(), "hello@task=nil world@me=value");
}
