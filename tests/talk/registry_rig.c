/* SPDX-License-Identifier: ISC */
#include "registry_rig.h"

#include <inttypes.h>
#include <msg/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char pool[64]; /* the case's peers */
char reg[64];
struct msg_child reg_child;
int n_dispatched;

void
start_registry(const char *kind, const char *listener)
{
	char spec[512], exe[256] = "";

	if (pool[0] == '\0') {
		check(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
		snprintf(pool, sizeof(pool), "pool-%" PRIu64, msg_self());
		snprintf(spec, sizeof(spec),
		    "{supervisor: %s, strategy: simple_one_for_one, template: "
		    "{command: ['%s', role], ready: notify, restart: "
		    "temporary}}",
		    pool, exe);
		check_int(
		    msg_start_child("root", spec, NULL, NULL), MSG_SUP_OK);
	}
	snprintf(reg, sizeof(reg), "registry-%" PRIu64, msg_self());
	snprintf(spec, sizeof(spec),
	    "{worker: %s, command: [registry, %s, %s%s%s], ready: notify, "
	    "restart: temporary}",
	    reg, reg, kind, listener[0] != '\0' ? ", " : "", listener);
	check_int(msg_start_child("root", spec, NULL, &reg_child), MSG_SUP_OK);
}

void
unique(void)
{
	start_registry("unique", "");
}

void
duplicate(void)
{
	start_registry("duplicate", "");
}

/* Another worker: a role with up to three arguments. */
int
try_peer(const char *role, const char *a, const char *b, const char *c,
    msg_pid *ret_pid)
{
	const char *const args[] = { role, a, b, c, NULL };
	struct msg_child child;
	int r = msg_start_child(pool, NULL, args, &child);

	*ret_pid = child.pid;
	return r;
}

msg_pid
start_peer(const char *role, const char *a, const char *b, const char *c)
{
	msg_pid pid;

	check_int(try_peer(role, a, b, c, &pid), MSG_SUP_OK);
	return pid;
}

/* Elixir's register_task(): one that registers, and stays. */
msg_pid
register_task(const char *key, const char *value)
{
	msg_pid task = start_peer("holder", reg, key, value);
	struct msg reply;
	int r;

	check_ok(msg_callf(task, -1, &reply, "result"));
	check(msg_value(&reply, "%d", &r));
	check_int(r, 0);
	msg_free(&reply);
	return task;
}

/* Take the one message that fits, which must come. */
struct msg
expect(unsigned kinds, msg_pid from, uint64_t ref, const char *tag)
{
	struct msg_pattern p = {
		.kinds = kinds, .from = from, .ref = ref, .tag = tag
	};
	struct msg m;

	if (msg_receive_match(&m, &p, 1, TALK_PATIENCE_MS) != 1)
		talk_fail(__FILE__, __LINE__, "a message \"%s\" comes",
		    tag != NULL ? tag : "");
	return m;
}

/* No such message is there. */
void
refute(unsigned kinds, const char *tag)
{
	struct msg_pattern p = { .kinds = kinds, .tag = tag };
	struct msg m;

	check_int(msg_receive_match(&m, &p, 1, 0), 0);
}

void
expect_tag(msg_pid from, const char *tag)
{
	struct msg m = expect(MSG_IS(MSG_DATA), from, 0, tag);

	msg_free(&m);
}

/* It ends, and we know. */
void
kill_and_check_down(msg_pid pid)
{
	struct msg m;
	uint64_t ref;

	check_ok(msg_monitor(pid, &ref));
	check_ok(msg_exit_to(pid, "kill"));
	m = expect(MSG_IS(MSG_DOWN), 0, ref, NULL);
	msg_free(&m);
}

struct msg_pack *
text(const char *value)
{
	static struct msg_pack p;

	msg_pack_fini(&p);
	msg_pack_init(&p);
	msg_pack_str(&p, value);
	return &p;
}

void
put_value(char *out, size_t size, struct msg_unpack u)
{
	const char *s;
	size_t len;
	int64_t i;

	if (msg_unpack_str(&u, &s, &len) == 0)
		snprintf(out, size, "%.*s", (int)len, s);
	else if (msg_unpack_int(&u, &i) == 0)
		snprintf(out, size, "%" PRId64, i);
	else
		snprintf(out, size, "nil");
}

/* "hello@me=value world@task=1" */
const char *
as_text(struct msg_registry_list *l)
{
	static char all[512];
	char value[64];
	size_t n = 0;

	all[0] = '\0';
	for (size_t i = 0; i < l->n; i++) {
		const struct msg_registry_entry *e = &l->entries[i];

		put_value(value, sizeof(value), e->value);
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s@%s=%s",
		    i > 0 ? " " : "", e->key,
		    e->pid == msg_self() ? "me" : "task", value);
	}
	msg_registry_list_free(l);
	return all;
}

const char *
lookup(const char *key)
{
	struct msg_registry_list l;

	check_ok(msg_registry_lookup(reg, key, &l));
	return as_text(&l);
}

const char *
keys(msg_pid pid)
{
	struct msg_registry_list l;

	check_ok(msg_registry_keys(reg, pid, &l));
	return as_text(&l);
}

const char *
values(const char *key, msg_pid pid)
{
	struct msg_registry_list l;

	check_ok(msg_registry_values(reg, key, pid, &l));
	return as_text(&l);
}

const char *
select_all(void)
{
	struct msg_registry_list l;

	check_ok(msg_registry_select_all(reg, &l));
	return as_text(&l);
}

void
put(const char *key, const char *value)
{
	check_ok(msg_registry_register(reg, key, text(value), NULL));
}

/* That a holder has ended, the registry may hear later than we. */
void
await_count(int64_t n)
{
	for (int i = 0; msg_registry_count(reg) != n; i++) {
		check(i < TALK_PATIENCE_MS);
		check_ok(msg_sleep(1));
	}
}

/* Does an EXIT come from it when it is killed?  We trap exits. */
bool
is_linked_to(msg_pid pid)
{
	struct msg_pattern p = { .kinds = MSG_IS(MSG_EXIT), .from = pid };
	struct msg m;
	int r;

	kill_and_check_down(pid);
	/* Both are told of by supd at the same time, in whatever order. */
	r = msg_receive_match(&m, &p, 1, 0);
	if (r == 0) {
		check_int(msg_is_alive(pid), 0);
		r = msg_receive_match(&m, &p, 1, 0);
	}
	if (r == 1) {
		check_text(m.body, "killed");
		msg_free(&m);
	}
	return r == 1;
}

void
never(void *arg, struct msg_unpack *old_value, struct msg_pack *new_value)
{
	(void)arg;
	(void)old_value;
	(void)new_value;
	talk_fail(__FILE__, __LINE__, "nothing is updated");
}

void
dispatch(void *arg, const struct msg_registry_entry *entries, size_t n)
{
	char value[32];

	check(arg == &n_dispatched);
	n_dispatched++;
	check(n > 0);
	for (size_t i = 0; i < n; i++) {
		put_value(value, sizeof(value), entries[i].value);
		check_ok(msg_sendf(entries[i].pid, "dispatch %s", value));
	}
}

/* Did these values, and no others, come? */
void
check_dispatched(const char *wanted)
{
	struct msg_pattern p = { .kinds = MSG_IS(MSG_DATA), .tag = "dispatch" };
	char got[64] = "", value[32];
	struct msg m;

	while (msg_receive_match(&m, &p, 1, 0) == 1) {
		check(msg_match(&m, "dispatch %31s", value));
		if (got[0] != '\0')
			strcat(got, " ");
		strcat(got, value);
		msg_free(&m);
	}
	check_text(got, wanted);
}
