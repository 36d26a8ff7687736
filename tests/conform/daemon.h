/* SPDX-License-Identifier: ISC */
#ifndef CONFORM_DAEMON_H
#define CONFORM_DAEMON_H

#include "base/mono.h"
#include "ctl/client.h"

#include <sys/types.h>

/* The supd under test: its life, its control socket, and what it tells. */

#define GATES_MAX  16
#define ANSWER_NS  (120 * NS_PER_S) /* longest that a call may take */
#define AT_A_TIME  32   /* open requests; the bus reads no more than 64 */
#define EVENTS     200  /* of a pull, usually enough */
#define EVENTS_MAX 8192 /* what supd remembers of them */

struct daemon {
	char dir[32], socket[64], conf[64], log[64];
	pid_t pid;       /* of supd, or 0 */
	bool configured; /* with a configuration of the case's own */
	struct client client;
	uint64_t seen; /* seq of the last event taken over */
	struct {
		char name[32];
		int fd;
	} gate[GATES_MAX];
	size_t n_gates;
	int64_t bg_id;
	json_t *bg_answer;
	char said[16384]; /* what a program printed last, both streams */
};

extern struct daemon d;

/* That long from now. */
mono_t daemon_in_ns(int64_t ns);

/* What a call of that method answers, the whole message; takes params. */
json_t *daemon_ask(const char *method, json_t *params);

bool daemon_open(void);
/* True if it ended well and has left nobody behind. */
bool daemon_close(void);

/* The root of its configuration with that in it. */
bool daemon_write_conf(const char *text);
bool daemon_start(void);
int daemon_stop(void); /* its wait status */

/* As in struct rig. */
void daemon_pull(void);
void daemon_pause(void);
const char *supd_state(const char *path);

#endif /* CONFORM_DAEMON_H */
