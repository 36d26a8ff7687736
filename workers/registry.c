/* SPDX-License-Identifier: ISC */
/*
 * registry: who holds which key; see <msg/registry.h>.
 *
 *	registry NAME unique|duplicate [LISTENER ...]
 *
 * Answers these calls, the first word being the tag:
 *
 *	register KEY VALUE      ["ok"] | ["already_registered", PID]
 *	unregister KEY          ["ok"]
 *	lookup KEY, keys PID, values KEY PID, select_all
 *	                        [[KEY, PID, VALUE] ...], oldest first
 *	count                   how many entries there are
 *	own_value KEY           ["ok", VALUE] | ["not_found"]
 *	update_value KEY VALUE  ["ok"] | ["not_found"]
 *	lock KEY                "locked", when the caller has the lock
 *	register_name KEY VALUE as register
 *	whereis_name KEY        ["ok", PID] | ["not_found"]
 *
 * and the cast [unlock, REF], REF being that of the caller's "lock".  The last
 * two calls, own_value and update_value are ["not_supported"] in a duplicate
 * registry.  Who calls is the one who registers: there is no doing it for
 * others.  Each LISTENER, a name, is sent [register, NAME, KEY, PID, VALUE] and
 * [unregister, NAME, KEY, PID]; not at a holder's death.
 *
 * A holder is linked, so that it does not outlive its entries, and monitored,
 * so that they do not outlive it.
 */
#include "keytab.h"

#include <err.h>
#include <inttypes.h>
#include <msg/msg.h>
#include <msg/pack.h>
#include <msg/registry.h>
#include <msg/server.h>
#include <string.h>

static struct keytab table;
static const char *self_name;
static bool unique;
static char **listeners; /* NULL-terminated */

/* A request, taken apart as far as all have it. */
struct request {
	const struct msg *call;
	struct msg_unpack args;
	char key[MSG_KEY_MAX + 1];
	struct msg_pack *reply;
};

static struct msg_next
answer(const struct request *q, const char *word)
{
	msg_packf(q->reply, "[%s]", word);
	return msg_next_reply();
}

/* ---- holders ---------------------------------------------------------------
 */

/* The caller, monitored from its first entry or lock on. */
static struct holder *
hold(msg_pid pid)
{
	struct holder *h = keytab_holder(&table, pid);

	if (h != NULL)
		return h;
	h = keytab_hold(&table, pid);
	if (h != NULL && msg_monitor(pid, &h->monitor) != 0) {
		keytab_drop(&table, h);
		return NULL;
	}
	return h;
}

/* It has given something up; perhaps that was all. */
static void
settle(struct holder *h)
{
	if (h->n_entries > 0)
		return;
	if (h->linked)
		(void)msg_unlink(h->pid);
	h->linked = false;
	if (!TAILQ_EMPTY(&h->waiters))
		return;
	(void)msg_demonitor(h->monitor, true);
	keytab_drop(&table, h);
}

/* Its turn has come. */
static void
grant(const struct waiter *w)
{
	struct msg call = {
		.kind = MSG_CALL, .from = w->holder->pid, .ref = w->ref
	};

	(void)msg_replyf(&call, "%s", "locked");
}

static void
leave(struct waiter *w)
{
	const struct waiter *next = keytab_leave(&table, w);

	if (next != NULL)
		grant(next);
}

/* It has ended.  Who hears of that from us finds nothing of it here. */
static void
bury(struct holder *h)
{
	struct holding *e;
	struct waiter *w;

	while ((e = TAILQ_FIRST(&h->entries)) != NULL)
		keytab_remove(&table, e);
	while ((w = TAILQ_FIRST(&h->waiters)) != NULL)
		leave(w);
	keytab_drop(&table, h);
}

/* The one holder of a key, as far as it lives; it may have ended just now. */
static struct holding *
living(const char *text)
{
	struct key *k = keytab_key(&table, text);
	struct holding *e = k != NULL ? TAILQ_FIRST(&k->entries) : NULL;

	if (e == NULL || msg_is_alive(e->holder->pid) != 0)
		return e;
	/* Its DOWN is on its way, and will find nothing. */
	(void)msg_demonitor(e->holder->monitor, true);
	bury(e->holder);
	return NULL;
}

/* ---- registering -----------------------------------------------------------
 */

static void
tell_listeners(const char *what, const char *key, msg_pid pid,
    const void *value, size_t len)
{
	struct msg_pack p;

	if (*listeners == NULL)
		return;
	msg_pack_init(&p);
	msg_pack_array(&p, value != NULL ? 5 : 4);
	msg_pack_str(&p, what);
	msg_pack_str(&p, self_name);
	msg_pack_str(&p, key);
	msg_pack_uint(&p, pid);
	if (value != NULL)
		msg_pack_raw(&p, value, len);
	for (char **name = listeners; *name != NULL; name++)
		(void)msg_pack_send_name(*name, &p);
	msg_pack_fini(&p);
}

/* The value of a request, nil when there is none.  False: it is too deep. */
static bool
take_value(struct request *q, const void **ret_value, size_t *ret_len)
{
	static const char nil[] = "\xc0";
	struct msg_pack deep;
	bool ok;

	*ret_value = nil;
	*ret_len = 1;
	if (msg_unpack_type(&q->args) == MSG_TYPE_END)
		return true;
	(void)msg_unpack_raw(&q->args, ret_value, ret_len);
	/* It is given back inside of two arrays. */
	msg_pack_init(&deep);
	msg_pack_array(&deep, 1);
	msg_pack_array(&deep, 1);
	msg_pack_raw(&deep, *ret_value, *ret_len);
	ok = !deep.failed && msg_unpack_check(deep.data, deep.len) == 0;
	msg_pack_fini(&deep);
	return ok;
}

static struct msg_next
do_register(struct request *q)
{
	msg_pid pid = q->call->from;
	struct holding *e = unique ? living(q->key) : NULL;
	struct holder *h;
	const void *value;
	size_t len;

	if (e != NULL) {
		msg_packf(q->reply, "[already_registered %" PRIu64 "]",
		    e->holder->pid);
		return msg_next_reply();
	}
	if (!take_value(q, &value, &len))
		return msg_next_refuse("the value is nested too deep");
	h = hold(pid);
	if (h == NULL)
		return msg_next_refuse("out of memory");
	if (!h->linked && msg_link(pid) != 0) {
		settle(h);
		return msg_next_refuse("only a worker can register");
	}
	h->linked = true;
	if (keytab_add(&table, h, q->key, value, len) == NULL) {
		settle(h);
		return msg_next_refuse("out of memory");
	}
	tell_listeners("register", q->key, pid, value, len);
	return answer(q, "ok");
}

static struct msg_next
do_register_name(struct request *q)
{
	return unique ? do_register(q) : answer(q, "not_supported");
}

static struct msg_next
do_unregister(struct request *q)
{
	struct holder *h = keytab_holder(&table, q->call->from);
	struct key *k = keytab_key(&table, q->key);
	struct holding *e;
	bool some = false;

	while (h != NULL && k != NULL && (e = keytab_own(h, k)) != NULL) {
		keytab_remove(&table, e);
		some = true;
		k = keytab_key(&table, q->key); /* it may have been the last */
	}
	if (some) {
		tell_listeners("unregister", q->key, q->call->from, NULL, 0);
		settle(h);
	}
	return answer(q, "ok");
}

/* ---- looking ---------------------------------------------------------------
 */

static void
put_entry(struct msg_pack *p, const struct holding *e)
{
	msg_pack_array(p, 3);
	msg_pack_str(p, e->key->text);
	msg_pack_uint(p, e->holder->pid);
	msg_pack_raw(p, e->value, e->len);
}

static struct msg_next
do_lookup(struct request *q)
{
	const struct key *k = keytab_key(&table, q->key);
	const struct holding *e;

	msg_pack_array(q->reply, k != NULL ? (uint32_t)k->n_entries : 0);
	if (k != NULL)
		TAILQ_FOREACH (e, &k->entries, of_key)
			put_entry(q->reply, e);
	return msg_next_reply();
}

static struct msg_next
do_keys(struct request *q)
{
	const struct holder *h;
	const struct holding *e;
	uint64_t pid;

	if (msg_unpack_uint(&q->args, &pid) != 0)
		return msg_next_refuse("keys of whom? [\"keys\", PID]");
	h = keytab_holder(&table, pid);
	msg_pack_array(q->reply, h != NULL ? (uint32_t)h->n_entries : 0);
	if (h != NULL)
		TAILQ_FOREACH (e, &h->entries, of_holder)
			put_entry(q->reply, e);
	return msg_next_reply();
}

static struct msg_next
do_values(struct request *q)
{
	const struct key *k = keytab_key(&table, q->key);
	const struct holding *e;
	uint64_t pid;
	uint32_t n = 0;

	if (msg_unpack_uint(&q->args, &pid) != 0)
		return msg_next_refuse(
		    "values of whom? [\"values\", KEY, PID]");
	if (k != NULL)
		TAILQ_FOREACH (e, &k->entries, of_key)
			n += e->holder->pid == pid;
	msg_pack_array(q->reply, n);
	if (k != NULL)
		TAILQ_FOREACH (e, &k->entries, of_key)
			if (e->holder->pid == pid)
				put_entry(q->reply, e);
	return msg_next_reply();
}

static struct msg_next
do_select_all(struct request *q)
{
	const struct holding *e;

	msg_pack_array(q->reply, (uint32_t)table.n_entries);
	TAILQ_FOREACH (e, &table.entries, of_all)
		put_entry(q->reply, e);
	return msg_next_reply();
}

static struct msg_next
do_count(struct request *q)
{
	msg_packf(q->reply, "%zu", table.n_entries);
	return msg_next_reply();
}

static struct msg_next
do_whereis_name(struct request *q)
{
	struct holding *e = unique ? living(q->key) : NULL;

	if (e == NULL)
		return answer(q, unique ? "not_found" : "not_supported");
	msg_packf(q->reply, "[ok %" PRIu64 "]", e->holder->pid);
	return msg_next_reply();
}

/* ---- values ----------------------------------------------------------------
 */

/* The caller's entry, of which a unique registry has at most one. */
static struct holding *
own(const struct request *q)
{
	const struct holder *h = keytab_holder(&table, q->call->from);
	const struct key *k = keytab_key(&table, q->key);

	return unique && h != NULL && k != NULL ? keytab_own(h, k) : NULL;
}

static struct msg_next
do_own_value(struct request *q)
{
	const struct holding *e = own(q);

	if (e == NULL)
		return answer(q, unique ? "not_found" : "not_supported");
	msg_pack_array(q->reply, 2);
	msg_pack_str(q->reply, "ok");
	msg_pack_raw(q->reply, e->value, e->len);
	return msg_next_reply();
}

static struct msg_next
do_update_value(struct request *q)
{
	struct holding *e = own(q);
	const void *value;
	size_t len;

	if (e == NULL)
		return answer(q, unique ? "not_found" : "not_supported");
	if (!take_value(q, &value, &len))
		return msg_next_refuse("the value is nested too deep");
	if (keytab_replace(&table, e, value, len) == NULL)
		return msg_next_refuse("out of memory");
	return answer(q, "ok");
}

/* ---- locks -----------------------------------------------------------------
 */

static struct msg_next
do_lock(struct request *q)
{
	struct holder *h = hold(q->call->from);
	struct waiter *w =
	    h != NULL ? keytab_queue(&table, h, q->key, q->call->ref) : NULL;

	if (w == NULL) {
		if (h != NULL)
			settle(h);
		return msg_next_refuse("out of memory");
	}
	if (TAILQ_FIRST(&w->key->waiters) == w)
		grant(w);
	return msg_next_noreply();
}

/* The lock that it has, or the one that it waits for no longer. */
static void
unlock(msg_pid pid, uint64_t ref)
{
	struct holder *h = keytab_holder(&table, pid);
	struct waiter *w = h != NULL ? keytab_place(h, ref) : NULL;

	if (w == NULL)
		return;
	leave(w);
	settle(h);
}

/* ---- the server ------------------------------------------------------------
 */

static const struct {
	const char *tag;
	bool has_key;
	struct msg_next (*handle)(struct request *q);
} handlers[] = {
	{ "register", true, do_register },
	{ "unregister", true, do_unregister },
	{ "lookup", true, do_lookup },
	{ "keys", false, do_keys },
	{ "values", true, do_values },
	{ "select_all", false, do_select_all },
	{ "count", false, do_count },
	{ "own_value", true, do_own_value },
	{ "update_value", true, do_update_value },
	{ "lock", true, do_lock },
	{ "register_name", true, do_register_name },
	{ "whereis_name", true, do_whereis_name },
};

static bool
take_key(struct request *q)
{
	const char *text;
	size_t len;

	if (msg_unpack_str(&q->args, &text, &len) != 0 || len == 0 ||
	    len > MSG_KEY_MAX || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(q->key, text, len);
	q->key[len] = '\0';
	return true;
}

static struct msg_next
handle_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	const size_t n = sizeof(handlers) / sizeof(handlers[0]);
	struct request q = { .call = call, .reply = reply };
	char tag[MSG_TAG_MAX + 1];
	size_t i = n;

	(void)state;
	if (msg_unpack_tag(call, &q.args, tag) >= 0)
		for (i = 0; i < n; i++)
			if (strcmp(tag, handlers[i].tag) == 0)
				break;
	if (i == n)
		return msg_next_refuse("a registry does not know that");
	if (handlers[i].has_key && !take_key(&q))
		return msg_next_refuse(
		    "[\"%s\", KEY ...]: the key is a text of 1 to %d bytes",
		    tag, MSG_KEY_MAX);
	return handlers[i].handle(&q);
}

/* Anybody may send anything: what is not for us is dropped. */
static struct msg_next
handle_cast(void *state, const struct msg *m)
{
	uint64_t ref;

	(void)state;
	if (msg_match(m, "unlock %" SCNu64, &ref))
		unlock(m->from, ref);
	return msg_next_noreply();
}

static struct msg_next
handle_info(void *state, const struct msg *m)
{
	struct holder *h =
	    m->kind == MSG_DOWN ? keytab_holder(&table, m->from) : NULL;

	(void)state;
	/* A MSG_EXIT of a holder is no news: the DOWN is. */
	if (h != NULL && h->monitor == m->ref)
		bury(h);
	return msg_next_noreply();
}

static struct msg_next
init(void *state)
{
	(void)state;
	keytab_init(&table);
	/* Linked to all holders, it must not end with the first of them. */
	return msg_trap_exit(true) == 0 ? msg_next_ok()
	                                : msg_next_stop("trap_exit");
}

static void
terminate(void *state, const char *reason)
{
	(void)state;
	(void)reason;
	keytab_fini(&table);
}

static void
format_state(const void *state, struct msg_pack *out)
{
	(void)state;
	msg_packf(out, "{keys %s entries %zu}", unique ? "unique" : "duplicate",
	    table.n_entries);
}

int
main(int argc, char **argv)
{
	static const struct msg_server_ops ops = {
		.init = init,
		.handle_call = handle_call,
		.handle_cast = handle_cast,
		.handle_info = handle_info,
		.terminate = terminate,
		.format_state = format_state,
	};

	if (argc < 3 || (strcmp(argv[2], "unique") != 0 &&
			    strcmp(argv[2], "duplicate") != 0))
		errx(
		    64, "usage: registry NAME unique|duplicate [LISTENER ...]");
	self_name = argv[1];
	unique = strcmp(argv[2], "unique") == 0;
	listeners = argv + 3;
	msg_server_main(&ops, NULL, self_name);
}
