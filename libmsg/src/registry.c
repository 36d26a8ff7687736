/* SPDX-License-Identifier: ISC */
/*
 * Calls to a registry (workers/registry.c), which answers with a value, or
 * where it may refuse, with [what, ...].
 */
#include "internal.h"

#include <errno.h>
#include <msg/pack.h>
#include <msg/registry.h>
#include <stdlib.h>
#include <string.h>

/* ---- asking ----------------------------------------------------------------
 */

/* Begin a request of a tag and n more values. */
static void
request(struct msg_pack *p, const char *tag, unsigned n)
{
	msg_pack_init(p);
	msg_pack_array(p, n + 1);
	msg_pack_str(p, tag);
}

static int
put_key(struct msg_pack *p, const char *key)
{
	if (key[0] == '\0' || strlen(key) > MSG_KEY_MAX) {
		msg_pack_fini(p);
		return fail(-EINVAL, "key \"%.300s\": a key has 1 to %d bytes",
		    key, MSG_KEY_MAX);
	}
	msg_pack_str(p, key);
	return 0;
}

/* A value that the user has built; NULL or nothing built: nil. */
static void
put_value(struct msg_pack *p, const struct msg_pack *value)
{
	if (value == NULL || (value->len == 0 && !value->failed))
		msg_pack_nil(p);
	else if (value->failed)
		p->failed = true;
	else
		msg_pack_raw(p, value->data, value->len);
}

/* Send a request, which is released, and take the reply. */
static int
ask(const char *registry, struct msg_pack *p, struct msg *ret_reply)
{
	int r = msg_pack_call_name(registry, p, -1, ret_reply);

	msg_pack_fini(p);
	if (r == -ESRCH)
		return fail(-ESRCH, "unknown registry \"%s\"", registry);
	return r;
}

static int
malformed(struct msg *reply, const char *registry)
{
	msg_free(reply);
	return fail(-EPROTO, "\"%s\" answered as no registry does", registry);
}

/* What a registry may refuse. */
static int
refused(const char *what, const char *registry, const char *key)
{
	if (strcmp(what, "already_registered") == 0)
		return fail(
		    -EEXIST, "\"%s\" has a holder in \"%s\"", key, registry);
	if (strcmp(what, "not_found") == 0)
		return fail(
		    -ENOENT, "nobody holds \"%s\" in \"%s\"", key, registry);
	if (strcmp(what, "not_supported") == 0)
		return fail(-EOPNOTSUPP,
		    "\"%s\" is a duplicate registry: its keys have no one "
		    "holder",
		    registry);
	return fail(
	    -EPROTO, "\"%s\" answered as no registry does: %s", registry, what);
}

/* Ask what may be refused.  ret_pid (NULL: none): the pid in the answer. */
static int
ask_tagged(
    const char *registry, const char *key, struct msg_pack *p, msg_pid *ret_pid)
{
	struct msg_unpack u;
	struct msg reply;
	char what[MSG_TAG_MAX + 1];
	uint64_t pid = 0;
	int n, r = ask(registry, p, &reply);

	if (r != 0)
		return r;
	n = msg_unpack_tag(&reply, &u, what);
	if (n < 0 || (n > 0 && msg_unpack_uint(&u, &pid) != 0))
		return malformed(&reply, registry);
	msg_free(&reply);
	if (ret_pid != NULL && pid != 0)
		*ret_pid = pid;
	return strcmp(what, "ok") == 0 ? 0 : refused(what, registry, key);
}

static int
register_as(const char *tag, const char *registry, const char *key,
    const struct msg_pack *value, msg_pid *ret_holder)
{
	struct msg_pack p;
	int r;

	request(&p, tag, 2);
	r = put_key(&p, key);
	if (r != 0)
		return r;
	put_value(&p, value);
	return ask_tagged(registry, key, &p, ret_holder);
}

MSG_API int
msg_registry_register(const char *registry, const char *key,
    const struct msg_pack *value, msg_pid *ret_holder)
{
	return register_as("register", registry, key, value, ret_holder);
}

MSG_API int
msg_registry_unregister(const char *registry, const char *key)
{
	struct msg_pack p;
	int r;

	request(&p, "unregister", 1);
	r = put_key(&p, key);
	return r != 0 ? r : ask_tagged(registry, key, &p, NULL);
}

/* ---- lists -----------------------------------------------------------------
 */

/* A list's memory: the entries, then the reply that they point into. */
struct list {
	struct msg reply;
	char *keys; /* as C strings, one after the other */
	struct msg_registry_entry entry[];
};

MSG_API void
msg_registry_list_free(struct msg_registry_list *list)
{
	struct list *l = list != NULL ? list->owner : NULL;

	if (l != NULL) {
		msg_free(&l->reply);
		free(l->keys);
		free(l);
	}
	if (list != NULL)
		*list = (struct msg_registry_list){ 0 };
}

/* Take [key, pid, value]; the key is copied to `at`.  Returns its end. */
static char *
take_entry(struct msg_unpack *u, struct msg_registry_entry *e, char *at)
{
	const char *key;
	const void *value;
	size_t key_len, value_len;
	uint64_t pid;
	uint32_t n;

	if (msg_unpack_array(u, &n) != 0 || n != 3 ||
	    msg_unpack_str(u, &key, &key_len) != 0 ||
	    msg_unpack_uint(u, &pid) != 0 ||
	    msg_unpack_raw(u, &value, &value_len) != 0)
		return NULL;
	memcpy(at, key, key_len);
	at[key_len] = '\0';
	*e = (struct msg_registry_entry){
		.key = at,
		.pid = pid,
		.value = { .at = value,
		    .end = (const unsigned char *)value + value_len },
	};
	return at + key_len + 1;
}

static int
take_list(struct msg *reply, struct msg_registry_list *ret_list)
{
	struct msg_unpack u;
	struct list *l;
	uint32_t n;
	char *at;

	if (reply->content != MSG_PACKED ||
	    msg_unpack_init(&u, reply->body, reply->len) != 0 ||
	    msg_unpack_array(&u, &n) != 0)
		return -EPROTO;
	/* Each key is in the reply, with at least one byte before it. */
	l = calloc(1, sizeof(*l) + n * sizeof(l->entry[0]));
	at = malloc(reply->len + 1);
	if (l == NULL || at == NULL) {
		free(l);
		free(at);
		return -ENOMEM;
	}
	l->keys = at;
	for (uint32_t i = 0; i < n && at != NULL; i++)
		at = take_entry(&u, &l->entry[i], at);
	if (at == NULL) {
		free(l->keys);
		free(l);
		return -EPROTO;
	}
	l->reply = *reply;
	*ret_list = (struct msg_registry_list){
		.n = n, .entries = l->entry, .owner = l
	};
	return 0;
}

static int
ask_list(
    const char *registry, struct msg_pack *p, struct msg_registry_list *ret)
{
	struct msg reply;
	int r = ask(registry, p, &reply);

	if (r != 0)
		return r;
	r = take_list(&reply, ret);
	if (r == -EPROTO)
		return malformed(&reply, registry);
	if (r != 0) {
		msg_free(&reply);
		return fail(r, "no memory for a list of \"%s\"", registry);
	}
	return 0;
}

MSG_API int
msg_registry_lookup(
    const char *registry, const char *key, struct msg_registry_list *ret_list)
{
	struct msg_pack p;
	int r;

	request(&p, "lookup", 1);
	r = put_key(&p, key);
	return r != 0 ? r : ask_list(registry, &p, ret_list);
}

MSG_API int
msg_registry_keys(
    const char *registry, msg_pid pid, struct msg_registry_list *ret_list)
{
	struct msg_pack p;

	request(&p, "keys", 1);
	msg_pack_uint(&p, pid);
	return ask_list(registry, &p, ret_list);
}

MSG_API int
msg_registry_values(const char *registry, const char *key, msg_pid pid,
    struct msg_registry_list *ret_list)
{
	struct msg_pack p;
	int r;

	request(&p, "values", 2);
	r = put_key(&p, key);
	if (r != 0)
		return r;
	msg_pack_uint(&p, pid);
	return ask_list(registry, &p, ret_list);
}

MSG_API int
msg_registry_select_all(
    const char *registry, struct msg_registry_list *ret_list)
{
	struct msg_pack p;

	request(&p, "select_all", 0);
	return ask_list(registry, &p, ret_list);
}

MSG_API int64_t
msg_registry_count(const char *registry)
{
	struct msg_pack p;
	struct msg_unpack u;
	struct msg reply;
	int64_t n;
	int r;

	request(&p, "count", 0);
	r = ask(registry, &p, &reply);
	if (r != 0)
		return r;
	if (reply.content != MSG_PACKED ||
	    msg_unpack_init(&u, reply.body, reply.len) != 0 ||
	    msg_unpack_int(&u, &n) != 0 || n < 0)
		return malformed(&reply, registry);
	msg_free(&reply);
	return n;
}

/* ---- with a function of the caller's ---------------------------------------
 */

/* Our own value of a key: in *ret_reply, which is to be freed. */
static int
own_value(const char *registry, const char *key, struct msg *ret_reply,
    struct msg_unpack *ret_value)
{
	struct msg_pack p;
	char what[MSG_TAG_MAX + 1];
	int n, r;

	request(&p, "own_value", 1);
	r = put_key(&p, key);
	if (r == 0)
		r = ask(registry, &p, ret_reply);
	if (r != 0)
		return r;
	n = msg_unpack_tag(ret_reply, ret_value, what);
	if (n == 1 && strcmp(what, "ok") == 0)
		return 0;
	if (n != 0)
		return malformed(ret_reply, registry);
	msg_free(ret_reply);
	return refused(what, registry, key);
}

MSG_API int
msg_registry_update_value(const char *registry, const char *key,
    msg_registry_update *update, void *arg)
{
	struct msg_unpack old;
	struct msg_pack p, value;
	struct msg reply;
	int r = own_value(registry, key, &reply, &old);

	if (r != 0)
		return r;
	msg_pack_init(&value);
	update(arg, &old, &value);
	msg_free(&reply);
	request(&p, "update_value", 2);
	(void)put_key(&p, key); /* the same that own_value() has taken */
	put_value(&p, &value);
	msg_pack_fini(&value);
	return ask_tagged(registry, key, &p, NULL);
}

MSG_API int
msg_registry_dispatch(const char *registry, const char *key,
    msg_registry_dispatch_fn *dispatch, void *arg)
{
	struct msg_registry_list l;
	int r = msg_registry_lookup(registry, key, &l);

	if (r != 0)
		return r;
	if (l.n > 0)
		dispatch(arg, l.entries, l.n);
	r = (int)l.n;
	msg_registry_list_free(&l);
	return r;
}

/* ---- locks -----------------------------------------------------------------
 */

/* Give up a lock, or the place in its queue. */
static int
leave(msg_pid registry, uint64_t ref)
{
	struct msg_pack p;
	int r;

	request(&p, "unlock", 1);
	msg_pack_uint(&p, ref);
	r = p.failed ? fail(-ENOMEM, "no memory for an unlock")
	             : msg_cast(registry, MSG_PACKED, p.data, p.len);
	msg_pack_fini(&p);
	return r;
}

MSG_API int
msg_registry_lock(const char *registry, const char *key, int timeout_ms,
    struct msg_registry_lock *ret_lock)
{
	struct msg_registry_lock lock;
	struct msg_pack p;
	int r;

	request(&p, "lock", 1);
	r = put_key(&p, key);
	if (r == 0)
		r = msg_whereis(registry, &lock.registry);
	if (r == -ENOENT)
		r = fail(-ESRCH, "unknown registry \"%s\"", registry);
	if (r == 0)
		r = p.failed ? fail(-ENOMEM, "no memory for a lock")
		             : msg_request(lock.registry, MSG_PACKED, p.data,
				   p.len, &lock.ref);
	msg_pack_fini(&p);
	if (r != 0)
		return r;
	/* The request's ref is the lock's name from now on. */
	r = msg_wait_response(lock.ref, timeout_ms, NULL);
	if (r == -ETIMEDOUT) {
		(void)msg_cancel_request(lock.ref);
		(void)leave(lock.registry, lock.ref);
		return fail(-ETIMEDOUT,
		    "somebody else has the lock \"%s\" of \"%s\"", key,
		    registry);
	}
	if (r == 0)
		*ret_lock = lock;
	return r;
}

MSG_API int
msg_registry_unlock(struct msg_registry_lock *lock)
{
	int r;

	if (lock->ref == 0)
		return fail(-EINVAL, "that is no lock that we hold");
	r = leave(lock->registry, lock->ref);
	*lock = (struct msg_registry_lock){ 0 };
	return r;
}

/* ---- names -----------------------------------------------------------------
 */

MSG_API int
msg_via_register(const char *registry, const char *key,
    const struct msg_pack *value, msg_pid *ret_holder)
{
	return register_as("register_name", registry, key, value, ret_holder);
}

MSG_API int
msg_via_unregister(const char *registry, const char *key)
{
	return msg_registry_unregister(registry, key);
}

MSG_API int
msg_via_whereis(const char *registry, const char *key, msg_pid *ret_pid)
{
	struct msg_pack p;
	msg_pid pid = 0;
	int r;

	request(&p, "whereis_name", 1);
	r = put_key(&p, key);
	if (r == 0)
		r = ask_tagged(registry, key, &p, &pid);
	if (r == 0 && pid == 0)
		return fail(-EPROTO, "\"%s\" told no pid", registry);
	if (r == 0)
		*ret_pid = pid;
	return r;
}

MSG_API int
msg_via_send(const char *registry, const char *key, enum msg_content content,
    const void *body, size_t len)
{
	msg_pid pid;
	int r = msg_via_whereis(registry, key, &pid);

	return r != 0 ? r : msg_send(pid, content, body, len);
}

MSG_API int
msg_via_cast(const char *registry, const char *key, enum msg_content content,
    const void *body, size_t len)
{
	msg_pid pid;
	int r = msg_via_whereis(registry, key, &pid);

	return r != 0 ? r : msg_cast(pid, content, body, len);
}

MSG_API int
msg_via_call(const char *registry, const char *key, enum msg_content content,
    const void *body, size_t len, int timeout_ms, struct msg *ret_reply)
{
	msg_pid pid;
	int r = msg_via_whereis(registry, key, &pid);

	if (r == -ENOENT)
		return fail(
		    -ESRCH, "nobody holds \"%s\" in \"%s\"", key, registry);
	if (r != 0)
		return r;
	return msg_call(pid, content, body, len, timeout_ms, ret_reply);
}
