/* SPDX-License-Identifier: ISC */
#ifndef MSG_REGISTRY_H
#define MSG_REGISTRY_H

#include <msg/msg.h>
#include <msg/pack.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A registry: who is responsible for which key, with a value for each, as
 * Elixir's Registry.  It is a worker of its own in the tree:
 *
 *	- worker: sessions
 *	  command: [/usr/local/libexec/supd/registry, sessions, unique]
 *	  ready: notify
 *
 * In a `unique` registry a key has one holder, in a `duplicate` one any
 * number of entries, also several of one worker: so it serves as a table of
 * subscribers.  A worker may hold any number of keys.
 *
 * Entries are their holder's: only itself makes and removes them, and they
 * vanish when it ends.  A holder is linked to the registry for as long as it
 * has entries there (msg_link()): when the registry crashes its holders do
 * too, and their supervisor starts them to register anew.
 *
 * `registry` is the name that the registry has registered.  Every function
 * asks it, and returns besides what stands below
 *
 *	-ESRCH       unknown registry: nobody has that name
 *	-ETIMEDOUT, -ECONNRESET, -EPIPE: as msg_call()
 *	-EINVAL      a key that is empty or longer than MSG_KEY_MAX
 */

#ifdef __cplusplus
extern "C" {
#endif

/* Longest key, in bytes. */
#define MSG_KEY_MAX 255

/* An entry of a list: borrowed from the list. */
struct msg_registry_entry {
	const char *key;
	msg_pid pid;
	struct msg_unpack value; /* nil when it was registered without one */
};

/* What a function has found, oldest first.  msg_registry_list_free() it. */
struct msg_registry_list {
	size_t n;
	const struct msg_registry_entry *entries;
	void *owner; /* libmsg's own */
};

/* Harmless on a zeroed or released one. */
void msg_registry_list_free(struct msg_registry_list *list);

/*
 * Become the holder of a key, with a msgpack value (NULL: nil).
 * -EEXIST: in a unique registry, the key has a holder that is alive; it is in
 * *ret_holder, if that is not NULL.  It may be ourselves.
 */
int msg_registry_register(const char *registry, const char *key,
    const struct msg_pack *value, msg_pid *ret_holder);

/* Remove all own entries of a key.  0 also when there were none. */
int msg_registry_unregister(const char *registry, const char *key);

/*
 * The entries of a key; of a worker; of both; all.  None is an empty list.
 * Right after the end of a worker a list may still have its entries.
 */
int msg_registry_lookup(
    const char *registry, const char *key, struct msg_registry_list *ret_list);
int msg_registry_keys(
    const char *registry, msg_pid pid, struct msg_registry_list *ret_list);
int msg_registry_values(const char *registry, const char *key, msg_pid pid,
    struct msg_registry_list *ret_list);
int msg_registry_select_all(
    const char *registry, struct msg_registry_list *ret_list);

/* How many entries there are. */
int64_t msg_registry_count(const char *registry);

/*
 * Replace the value of an entry of our own in a unique registry: `update` gets
 * the old value and builds the new one, in this process.
 * -ENOENT: we do not hold that key, and `update` was not called.
 * -EOPNOTSUPP: the registry is a duplicate one.
 */
typedef void msg_registry_update(
    void *arg, struct msg_unpack *old_value, struct msg_pack *new_value);
int msg_registry_update_value(const char *registry, const char *key,
    msg_registry_update *update, void *arg);

/*
 * Look up a key and call `dispatch` with its entries, once, in this process;
 * not when there are none.  Returns how many there were.
 */
typedef void msg_registry_dispatch_fn(
    void *arg, const struct msg_registry_entry *entries, size_t n);
int msg_registry_dispatch(const char *registry, const char *key,
    msg_registry_dispatch_fn *dispatch, void *arg);

/*
 * Mutual exclusion by a key, which need not have entries: wait until nobody
 * else holds its lock, first come, first served.  A lock ends by
 * msg_registry_unlock() or with its holder; who ends while he waits is
 * skipped.  A lock is no entry, and does not link.  Locking twice waits for
 * oneself.  timeout_ms: -1 waits for ever.  -ETIMEDOUT: not had in time; the
 * place in the queue is given up.
 */
struct msg_registry_lock {
	msg_pid registry;
	uint64_t ref;
};
int msg_registry_lock(const char *registry, const char *key, int timeout_ms,
    struct msg_registry_lock *ret_lock);
int msg_registry_unlock(struct msg_registry_lock *lock);

/*
 * Keys of a unique registry used as names (OTP's {via, Registry, ...}).  They
 * return as their namesakes in <msg/msg.h> do; -EOPNOTSUPP: the registry is a
 * duplicate one.  msg_via_whereis() gives a worker that is alive.
 * msg_via_register() of a name that is taken is -EEXIST, and says whose.
 */
int msg_via_register(const char *registry, const char *key,
    const struct msg_pack *value, msg_pid *ret_holder);
int msg_via_unregister(const char *registry, const char *key);
int msg_via_whereis(const char *registry, const char *key, msg_pid *ret_pid);
int msg_via_send(const char *registry, const char *key,
    enum msg_content content, const void *body, size_t len);
int msg_via_cast(const char *registry, const char *key,
    enum msg_content content, const void *body, size_t len);
int msg_via_call(const char *registry, const char *key,
    enum msg_content content, const void *body, size_t len, int timeout_ms,
    struct msg *ret_reply);

#ifdef __cplusplus
}
#endif

#endif /* MSG_REGISTRY_H */
