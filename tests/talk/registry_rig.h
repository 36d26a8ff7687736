/* SPDX-License-Identifier: ISC */
#ifndef TALK_REGISTRY_RIG_H
#define TALK_REGISTRY_RIG_H

/*
 * What the cases of talk_registry share: a registry, others who hold keys in
 * it, and what it says, as text.
 */

#include "talk.h"

#include <msg/msg.h>
#include <msg/pack.h>
#include <msg/registry.h>
#include <msg/supervisor.h>
#include <stdbool.h>
#include <stdint.h>

extern char reg[64];               /* the case's registry */
extern struct msg_child reg_child; /* its worker */

void start_registry(const char *kind, const char *listener);
void unique(void);
void duplicate(void);

/* Another worker, which is ready: a role with up to three arguments. */
int try_peer(const char *role, const char *a, const char *b, const char *c,
    msg_pid *ret_pid);
msg_pid start_peer(
    const char *role, const char *a, const char *b, const char *c);

/* Elixir's register_task(): one that registers, and stays. */
msg_pid register_task(const char *key, const char *value);

/* Take the one message that fits, which must come. */
struct msg expect(unsigned kinds, msg_pid from, uint64_t ref, const char *tag);
void expect_tag(msg_pid from, const char *tag);
/* No such message is there. */
void refute(unsigned kinds, const char *tag);

/* It ends, and we know. */
void kill_and_check_down(msg_pid pid);
/* Does an EXIT come from it when it is killed?  We trap exits. */
bool is_linked_to(msg_pid pid);

/* A value; gone with the next. */
struct msg_pack *text(const char *value);
void put_value(char *out, size_t size, struct msg_unpack u);
void put(const char *key, const char *value);

/* "hello@me=value world@task=1"; the list is released. */
const char *as_text(struct msg_registry_list *l);
const char *lookup(const char *key);
const char *keys(msg_pid pid);
const char *values(const char *key, msg_pid pid);
const char *select_all(void);

/* That a holder has ended, the registry may hear later than we. */
void await_count(int64_t n);

/* An update that must not happen. */
void never(void *arg, struct msg_unpack *old_value, struct msg_pack *new_value);

/* A dispatch to each entry (arg: &n_dispatched); did these values come? */
extern int n_dispatched;
void dispatch(void *arg, const struct msg_registry_entry *entries, size_t n);
void check_dispatched(const char *wanted);

/* ---- cases and roles -------------------------------------------------------
 */

void u_registrations(void);
void u_registrations_across(void);
void u_registrations_delayed(void);
void u_updates_value(void);
void u_dispatches(void);
void u_unregisters(void);
void u_via(void);
void u_via_value(void);
void u_does_not_grow(void);
void u_does_not_grow_across(void);
void u_select_all(void);

void d_registrations(void);
void d_registrations_across(void);
void d_no_update(void);
void d_dispatches(void);
void d_unregisters(void);
void d_no_via(void);
void d_select_all(void);

void lock_different_keys(void);
void lock_same_key(void);
void lock_holder_raises(void);
void lock_holder_terminates(void);
void lock_waiter_terminates(void);
void lock_timeout(void);
void lock_first_come_first_served(void);

int holder(char **args);
int agent(char **args);
int locker(char **args);

#endif /* TALK_REGISTRY_RIG_H */
