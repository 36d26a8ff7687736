/* SPDX-License-Identifier: ISC */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include "ctl/ctl.h"

/*
 * The verbs of supctl: one table from which dispatch, options, help and the
 * check of supctl(8) come.
 */

enum verb_group {
	GROUP_LOOK,
	GROUP_ACT,
	GROUP_ASK,
	GROUP_CONFIG,
	GROUP_TALK,
	GROUP_DAEMON,
	GROUP_N
};

/* Options a verb takes besides the general ones. */
#define VERB_WAIT   0x01u  /* --wait, --no-wait; waits unless told not to */
#define VERB_TREE   0x02u  /* -t */
#define VERB_FOLLOW 0x04u  /* -f */
#define VERB_COUNT  0x08u  /* -n N */
#define VERB_SIGNAL 0x10u  /* -s SIG */
#define VERB_FOR    0x20u  /* --for STATE */
#define VERB_STRICT 0x40u  /* --strict */
#define VERB_ASYNC  0x80u  /* with VERB_WAIT: does not wait unless told to */
#define VERB_REPEAT 0x100u /* --repeat N, --every D */
#define VERB_DRY    0x200u /* --dry-run */
#define VERB_APPLY  0x400u /* --apply */

struct verb {
	const char *name;
	enum verb_group group;
	const char *args; /* usage after the name */
	unsigned options;
	int min, max; /* arguments; max < 0: any number */
	/* Returns an exit code; everything has been told. */
	int (*run)(struct ctl *c, int argc, char **argv);
	const char *doc; /* one line, no full stop */
};

extern const struct verb verbs[];
extern const size_t n_verbs;

/* The verb of that name, or NULL. */
const struct verb *verb_find(const char *name);

/* A verb of supctl's design that this version does not have. */
bool verb_is_planned(const char *name);

/* The verb nearest to a misspelt name, or NULL if none is near. */
const char *verb_guess(const char *name);

void verb_print_usage(const struct verb *v, FILE *out);

/* All verbs by group, on one screen. */
void verb_print_all(FILE *out);

/* Usage and meaning of one. */
void verb_print_help(const struct verb *v, FILE *out);

/* Handlers, by file. */
/* look.c */
int look_status(struct ctl *c, int argc, char **argv);
int look_list(struct ctl *c, int argc, char **argv);
int look_show(struct ctl *c, int argc, char **argv);
int look_why(struct ctl *c, int argc, char **argv);
int look_events(struct ctl *c, int argc, char **argv);
int look_logs(struct ctl *c, int argc, char **argv);
int look_names(struct ctl *c, int argc, char **argv);
int look_ping(struct ctl *c, int argc, char **argv);
int look_version(struct ctl *c, int argc, char **argv);
/* act.c */
int act_start(struct ctl *c, int argc, char **argv);
int act_stop(struct ctl *c, int argc, char **argv);
int act_restart(struct ctl *c, int argc, char **argv);
int act_kill(struct ctl *c, int argc, char **argv);
int act_add(struct ctl *c, int argc, char **argv);
int act_remove(struct ctl *c, int argc, char **argv);
int act_shutdown(struct ctl *c, int argc, char **argv);
/* ask.c */
int ask_is_up(struct ctl *c, int argc, char **argv);
int ask_is_ready(struct ctl *c, int argc, char **argv);
int ask_is_failed(struct ctl *c, int argc, char **argv);
int ask_wait(struct ctl *c, int argc, char **argv);
/* talk.c */
/*
 * Ask for a method that waits in supd for a worker, and print what it answers,
 * whatever that is.  Takes params.
 */
int talk_ask(struct ctl *c, const char *method, json_t *params);
int talk_call(struct ctl *c, int argc, char **argv);
int talk_send(struct ctl *c, int argc, char **argv);
int talk_cast(struct ctl *c, int argc, char **argv);
int talk_info(struct ctl *c, int argc, char **argv);
int talk_sys(struct ctl *c, int argc, char **argv);
int talk_trace(struct ctl *c, int argc, char **argv);
/* check.c */
int check_file(struct ctl *c, int argc, char **argv);
/* config.c */
int config_diff(struct ctl *c, int argc, char **argv);
int config_apply(struct ctl *c, int argc, char **argv);
int config_reload(struct ctl *c, int argc, char **argv);
int config_simulate(struct ctl *c, int argc, char **argv);
/* verbs.c */
int help_verb(struct ctl *c, int argc, char **argv);

#endif /* CTL_VERBS_H */
