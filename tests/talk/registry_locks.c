/* SPDX-License-Identifier: ISC */
/*
 * Elixir's Registry.LockTest.  A locker says "locked" when it has the lock;
 * told "unlock" it gives it back, told "raise" it crashes with it.
 */
#include "registry_rig.h"

#include <errno.h>
#include <inttypes.h>
#include <msg/format.h>
#include <stdio.h>
#include <stdlib.h>

static msg_pid
start_locker(const char *key)
{
	char self[32];

	snprintf(self, sizeof(self), "%" PRIu64, msg_self());
	return start_peer("locker", reg, key, self);
}

/* It was told to unlock, and ends well when it has. */
static void
unlock_and_await(msg_pid locker)
{
	struct msg m;
	uint64_t ref;

	check_ok(msg_monitor(locker, &ref));
	check_ok(msg_sendf(locker, "unlock"));
	m = expect(MSG_IS(MSG_DOWN), 0, ref, NULL);
	check_text(m.body, "normal");
	msg_free(&m);
}

/* Whoever was there before has gone. */
static void
check_free(const char *key)
{
	struct msg_registry_lock lock;

	check_ok(msg_registry_lock(reg, key, TALK_PATIENCE_MS, &lock));
	check_ok(msg_registry_unlock(&lock));
	check_int(msg_registry_unlock(&lock), -EINVAL);
}

/* The locker is in the queue: it has asked before it answers us. */
static void
check_waits(msg_pid locker)
{
	struct msg_pattern p = {
		.kinds = MSG_IS(MSG_DATA), .from = locker, .tag = "locked"
	};
	struct msg m;

	expect_tag(locker, "waiting");
	/* What was asked before this call has been looked at. */
	check_int(msg_registry_count(reg), 0);
	check_int(msg_receive_match(&m, &p, 1, 0), 0);
}

void
lock_different_keys(void)
{
	msg_pid a, b;

	unique();
	a = start_locker("1");
	expect_tag(a, "locked");
	b = start_locker("2");
	expect_tag(b, "locked");
	unlock_and_await(a);
	unlock_and_await(b);
	check_free("1");
	check_free("2");
}

void
lock_same_key(void)
{
	msg_pid a, b;

	unique();
	a = start_locker("ok");
	expect_tag(a, "locked");
	b = start_locker("ok");
	check_waits(b);
	unlock_and_await(a);
	expect_tag(b, "locked");
	unlock_and_await(b);
	check_free("ok");
}

void
lock_holder_raises(void)
{
	msg_pid a, b;
	struct msg m;
	uint64_t ref;

	unique();
	a = start_locker("ok");
	expect_tag(a, "locked");
	b = start_locker("ok");
	check_waits(b);
	check_ok(msg_monitor(a, &ref));
	check_ok(msg_sendf(a, "raise"));
	m = expect(MSG_IS(MSG_DOWN), 0, ref, NULL);
	check_text(m.body, "oops");
	msg_free(&m);
	expect_tag(b, "locked");
	unlock_and_await(b);
	check_free("ok");
}

void
lock_holder_terminates(void)
{
	msg_pid a, b;

	duplicate();
	a = start_locker("ok");
	expect_tag(a, "locked");
	b = start_locker("ok");
	check_waits(b);
	kill_and_check_down(a);
	expect_tag(b, "locked");
	unlock_and_await(b);
	check_free("ok");
}

void
lock_waiter_terminates(void)
{
	msg_pid a, b, c;

	duplicate();
	a = start_locker("ok");
	expect_tag(a, "locked");
	b = start_locker("ok");
	check_waits(b);
	c = start_locker("ok");
	check_waits(c);
	kill_and_check_down(b);
	unlock_and_await(a);
	expect_tag(c, "locked");
	unlock_and_await(c);
	check_free("ok");
}

void
lock_timeout(void)
{
	struct msg_registry_lock lock;
	msg_pid a;

	unique();
	a = start_locker("ok");
	expect_tag(a, "locked");
	check_int(msg_registry_lock(reg, "ok", 0, &lock), -ETIMEDOUT);
	check_int(msg_registry_lock(reg, "ok", 5, &lock), -ETIMEDOUT);
	/* Had it kept its places, it would now have to wait for itself. */
	unlock_and_await(a);
	check_free("ok");
}

void
lock_first_come_first_served(void)
{
	msg_pid l[5];

	unique();
	for (int i = 0; i < 5; i++) {
		l[i] = start_locker("ok");
		if (i == 0)
			expect_tag(l[i], "locked");
		else
			check_waits(l[i]);
	}
	for (int i = 0; i < 5; i++) {
		if (i > 0)
			expect_tag(l[i], "locked");
		refute(MSG_IS(MSG_DATA), "locked");
		unlock_and_await(l[i]);
	}
	check_free("ok");
}
