/* SPDX-License-Identifier: ISC */
#ifndef MSG_SUPERVISOR_H
#define MSG_SUPERVISOR_H

#include <msg/msg.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Calls to a supervisor of the tree, as OTP's supervisor and Elixir's
 * DynamicSupervisor have them.  `sup` is its path, as "root/web" or "web".
 *
 * A worker may command those supervisors, and what is below them, that its
 * `allow:` names; for all others these functions are -EPERM.  The two that
 * only look are free to all.
 *
 * A call waits for as long as the supervisor is busy (O-4), and for the child
 * to start or to end.  A worker that is not ready yet must not call its own
 * supervisor, which waits for it: -EDEADLK.
 *
 * Functions return an enum msg_sup_result, or a negative errno value.
 */

#ifdef __cplusplus
extern "C" {
#endif

/* What a supervisor answers; msg_strerror() explains those that are not 0. */
enum msg_sup_result {
	MSG_SUP_OK,
	MSG_SUP_IGNORED,         /* it does not run: `enabled: false`, or its
	                            init wanted so */
	MSG_SUP_NOT_FOUND,       /* no child of that name */
	MSG_SUP_RUNNING,         /* it runs */
	MSG_SUP_RESTARTING,      /* it is being restarted */
	MSG_SUP_ALREADY_STARTED, /* a child of that name runs */
	MSG_SUP_ALREADY_PRESENT, /* there is one of that name, stopped */
	MSG_SUP_START_FAILED,    /* it did not start */
	MSG_SUP_MAX_CHILDREN,    /* there are max_children already */
	MSG_SUP_SIMPLE,          /* not to a simple_one_for_one supervisor */
	MSG_SUP_NOPROC,  /* there is no such supervisor, or it is down */
	MSG_SUP_BUSY,    /* too many calls wait */
	MSG_SUP_INVALID, /* the specification is not valid */
};

/* Longest name of a child. */
#define MSG_CHILD_NAME_MAX 64

/* A child as its supervisor sees it. */
struct msg_child {
	char name[MSG_CHILD_NAME_MAX + 1];
	msg_pid pid;        /* 0: it does not run, or is a supervisor */
	int os_pid;         /* 0: the same */
	bool is_supervisor; /* else a worker */
	bool restarting;    /* it is down, and will be started again */
};

/*
 * Start a child and wait until it is ready.  `spec` is YAML as in the
 * configuration: "{worker: api, command: [./api, '80']}"; it becomes the last
 * in order.  Of a simple_one_for_one supervisor it is NULL, and `args` (NULL-
 * terminated; NULL: none) are added to the template's command.
 *
 * ret_child (NULL: not wanted) is the child, also if it is ALREADY_STARTED.
 */
int msg_start_child(const char *sup, const char *spec, const char *const *args,
    struct msg_child *ret_child);

/*
 * Stop a child and wait until it has ended.  MSG_SUP_OK also when it was not
 * running.  It keeps its place, and is not restarted; but a temporary one, and
 * any of a simple_one_for_one supervisor, is forgotten.
 */
int msg_terminate_child(const char *sup, const char *name);

/* Start a stopped child again, in its place. */
int msg_restart_child(
    const char *sup, const char *name, struct msg_child *ret_child);

/* Forget a child that is stopped. */
int msg_delete_child(const char *sup, const char *name);

/*
 * Its children, last started first, as OTP has it.  Returns MSG_SUP_OK and an
 * array of *ret_n, which the caller releases by free(3).
 */
int msg_which_children(
    const char *sup, struct msg_child **ret_children, size_t *ret_n);

struct msg_child_counts {
	unsigned specs;  /* children; 1 of a simple_one_for_one supervisor */
	unsigned active; /* that run */
	unsigned supervisors;
	unsigned workers;
};
int msg_count_children(const char *sup, struct msg_child_counts *ret_counts);

#ifdef __cplusplus
}
#endif

#endif /* MSG_SUPERVISOR_H */
