/* SPDX-License-Identifier: ISC */
#ifndef CONFORM_CONFORM_H
#define CONFORM_CONFORM_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The upstream suites of OTP's supervisor and of Elixir's two, case by case
 * and under their names.  Each case is written once, in OTP's words, and runs
 * on up to two rigs: the core with a simulated machine, and a real supd with
 * supctl and real worker processes.
 *
 * The supervisor under test is root/sup_test.  It is a transient child of a
 * root that never restarts it: an end that is not clean would end the root.
 * Names of children are relative to it; "" is the supervisor itself.
 *
 * What must be so is said by the EXPECT macros.  On a real machine they wait
 * for it, for at most PATIENCE_MS; the first that fails ends the case.
 */

#define PATIENCE_MS 30000

/* How a child ends when nobody has told it to. */
enum how {
	NORMAL,        /* exit 0 */
	SHUTDOWN,      /* SIGTERM from a stranger (D4) */
	SHUTDOWN_TERM, /* an exit code of success_exit: {shutdown, Term} */
	ABNORMAL,      /* exit 1 */
	KILL,          /* SIGKILL from a stranger */
};

/* The exit code of SHUTDOWN_TERM, which success_exit must hold. */
#define TERM_CODE     9
#define SUCCESS_EXITS "success_exit: [0, 9]"

struct counts {
	int specs, active, supervisors, workers;
};

/* What has happened, in order: see supd/engine/history.h for the kinds. */
struct happening {
	char kind[16];
	char path[96]; /* relative to sup_test; "/x" when it is beside it */
	uint64_t inc;
	char text[128]; /* exited, stopped: reason; a term, see conform.c */
};

enum call { START_CHILD, TERMINATE_CHILD, RESTART_CHILD, DELETE_CHILD };

/* Where a case runs. */
struct rig {
	const char *name;
	/* All cases on it; open returns false when it cannot be had. */
	bool (*open)(void);
	bool (*close)(void); /* false: something was left behind */
	/* One case: nothing is there but the root. */
	void (*begin)(uint32_t n_nodes);
	void (*end)(bool failed);
	/* The calls of table 1.9; what they return is its term. */
	const char *(*start_child)(const char *path, const char *spec);
	const char *(*terminate_child)(const char *path);
	const char *(*restart_child)(const char *path);
	const char *(*delete_child)(const char *path);
	/*
	 * A call that is not waited for; one at a time on supd, where it is a
	 * terminate_child.  Its result, or "pending"; and which_children of the
	 * supervisor as it was at that time (core).
	 */
	int (*begin_call)(enum call call, const char *path, const char *spec);
	const char *(*end_call)(int handle);
	const char *(*seen_by)(int handle);
	/* sup_test as a part of the configuration, and that loaded again. */
	const char *(*start_tree)(const char *text);
	const char *(*reload)(const char *text);
	/* The shutdown of a worker, as supd.yaml has it. */
	const char *(*shutdown_of)(const char *path);
	int (*intensity)(const char *path);
	/* n children, one after the other; spec(i) is the i-th, from 1. */
	void (*start_many)(const char *path, const char *(*spec)(int i), int n);
	/* terminate_child of each child, in the order of the list. */
	void (*terminate_each)(const char *path);
	/* A stranger kills all children that run. */
	void (*kill_each)(const char *path);
	/* "running", "restarting", "undefined", "starting", "stopping" or
	   "none" when there is no such child. */
	const char *(*state)(const char *path);
	/* Of each child in start order. */
	void (*children)(const char *path,
	    void (*each)(void *ctx, const char *name, const char *state),
	    void *ctx);
	struct counts (*counts)(const char *path);
	uint64_t (*incarnation)(const char *path);
	uint32_t (*restarts_used)(const char *path);
	void (*kill)(const char *path, enum how how);
	void (*gate)(const char *name, const char *tokens);
	/* Take over what has happened since; let a little time go by. */
	void (*pull)(void);
	void (*pause)(void);
	/* Until the restart window of the supervisor is empty. */
	void (*outlive_period)(const char *path);
};

extern const struct rig rig_core, rig_supd;
extern const struct rig *rig;

#define ON_CORE (1u << 0)
#define ON_SUPD (1u << 1)
#define ON_BOTH (ON_CORE | ON_SUPD)

struct conform_case {
	const char *name;
	unsigned on;
	void (*run)(void);
	uint32_t n_nodes; /* 0: the usual few hundred */
};

struct suite {
	const char *name;
	const struct conform_case *cases;
	size_t n;
};

extern const struct suite suite_otp_start, suite_otp_stop, suite_otp_types,
    suite_otp_restart, suite_otp_hanging, suite_otp_significant, suite_otp_tree,
    suite_otp_specs, suite_otp_scale, suite_otp_reload, suite_elixir_supervisor,
    suite_elixir_dynamic;

/* ---- what a case says ----------------------------------------------------
 */

/*
 * Texts of children, as supd.yaml(5) has them; from a ring of static buffers,
 * good until 64 later ones.  `keys` are further keys or "".
 */
const char *worker(const char *name, const char *keys);
/* A worker with words for `mole serve`, see workers/mole_serve.c. */
const char *worker_as(const char *name, const char *words, const char *keys);
/* A supervisor with children, each a text; the last argument is NULL. */
const char *tree(const char *name, const char *keys, ...)
    __attribute__((sentinel));
/* A simple_one_for_one supervisor: `keys` are its template's. */
const char *pool(const char *name, const char *sup_keys, const char *words,
    const char *keys);

/* Start sup_test as `text`, which tree() or pool() made of that name. */
#define SUP "sup_test"
const char *start_link(const char *text);

/*
 * The same as part of the configuration, which reload() replaces: code_change.
 * "invalid" when it is refused.
 */
const char *start_tree(const char *text);
const char *reload(const char *text);

const char *start_child(const char *path, const char *spec);
const char *terminate_child(const char *path);
const char *restart_child(const char *path);
const char *delete_child(const char *path);

/* It ends by itself; returns when its supervisor has seen that. */
void die(const char *path, enum how how);
/* Several at once; the last argument is NULL. */
void die_together(enum how how, ...) __attribute__((sentinel));

/*
 * What the next starts of the workers with gate=name do, a letter each: o is
 * ready, f fails.  Those for which there is no letter wait for one.
 */
void gate(const char *name, const char *tokens);

/* The start of a child that now runs: no two starts have the same number. */
uint64_t pid_of(const char *path);
bool runs_as(const char *path, uint64_t pid);

/* From here on, for story() and how often(). */
void remember(void);
/* Starts and stops of workers: "stop b, start a, start b". */
const char *story(void);
/* How many there were of a kind, of that path ("*": of any). */
int times(const char *kind, const char *path);

/* A call that goes on until EXPECT_TERMINATED, EXPECT_STARTED: one at a time.
 */
void begin_terminate(const char *path);
void begin_start(const char *path); /* of a pool */

bool on_core(void);

_Noreturn __attribute__((format(printf, 3, 4))) void conform_fail(
    const char *file, int line, const char *fmt, ...);
void conform_term(const char *file, int line, const char *what, const char *got,
    const char *want);
void conform_wait(const char *file, int line, const char *what,
    const char *(*get)(const char *arg), const char *arg, const char *want);

void conform_times(
    const char *file, int line, const char *kind, const char *path, int want);

const char *sight_which(const char *path);
const char *sight_state(const char *path);
const char *sight_counts(const char *path);
const char *sight_ended(const char *path);
const char *sight_story(const char *unused);
const char *sight_call(const char *unused);

/* A call and the term that it must return. */
#define EXPECT(call, want)                                                     \
	conform_term(__FILE__, __LINE__, #call, (call), (want))
#define EXPECT_TRUE(cond)                                                      \
	((cond) ? (void)0 : conform_fail(__FILE__, __LINE__, "not: %s", #cond))
/* which_children in start order: "a=running b=undefined". */
#define EXPECT_WHICH(path, want)                                               \
	conform_wait(                                                          \
	    __FILE__, __LINE__, "which_children", sight_which, path, want)
/* count_children: "specs active supervisors workers" */
#define EXPECT_COUNTS(path, want)                                              \
	conform_wait(                                                          \
	    __FILE__, __LINE__, "count_children", sight_counts, path, want)
#define EXPECT_STATE(path, want)                                               \
	conform_wait(__FILE__, __LINE__, "state", sight_state, path, want)
/*
 * How the last of its ends came to be: normal, shutdown, killed, "exit N", or
 * of a supervisor: shutdown, gave_up, auto_shutdown; "none": it has not ended.
 */
#define EXPECT_ENDED(path, want)                                               \
	conform_wait(__FILE__, __LINE__, "end", sight_ended, path, want)
/* So many of that kind since remember(), see times(). */
#define EXPECT_TIMES(kind, path, want)                                         \
	conform_times(__FILE__, __LINE__, kind, path, want)
#define EXPECT_STORY(want)                                                     \
	conform_wait(__FILE__, __LINE__, "story", sight_story, "", want)
#define EXPECT_TERMINATED(want)                                                \
	conform_wait(                                                          \
	    __FILE__, __LINE__, "terminate_child", sight_call, "", want)
#define EXPECT_STARTED(want)                                                   \
	conform_wait(__FILE__, __LINE__, "start_child", sight_call, "", want)
/* It has given up, or shut itself down, and stays so: that was clean. */
#define EXPECT_SUP_ENDED(how)                                                  \
	(EXPECT_ENDED("", how), EXPECT_STATE("", "undefined"))

/* For the rigs: it has happened. */
void happened(
    const char *kind, const char *path, uint64_t inc, const char *reason_text);
const struct happening *happenings(size_t *ret_n);
/* "root/sup_test/a" <-> "a", "root/x" <-> "/x" */
void full_path(const char *path, char *buf, size_t len);
const char *short_path(const char *full);

#endif /* CONFORM_CONFORM_H */
