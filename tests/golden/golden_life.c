/* SPDX-License-Identifier: ISC */
#include "golden_life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
hook_word(struct life *l, enum proc_kind proc, const char *rest, bool *ret_has)
{
	if (rest[0] == '=')
		l->hook_ms[proc] =
		    strcmp(rest, "=hang") == 0 ? -1 : atol(rest + 1);
	else if (rest[0] != '\0')
		return false;
	*ret_has = true;
	return true;
}

bool
life_word(struct life *l, struct worker_spec *s, const char *word)
{
	long v, timeout, delay = 0;
	unsigned n;

	if (strncmp(word, "pre", 3) == 0)
		return hook_word(l, PROC_PRE_START, word + 3, &s->pre_start);
	if (strncmp(word, "post", 4) == 0)
		return hook_word(l, PROC_POST_STOP, word + 4, &s->post_stop);
	if (sscanf(word, "hooks=%ld", &v) == 1)
		s->hook_timeout_ns = v * NS_PER_MS;
	else if (sscanf(word, "heartbeat=%ld", &v) == 1)
		s->heartbeat_ns = v * NS_PER_MS;
	else if (sscanf(word, "lifetime=%ld", &v) == 1)
		s->max_lifetime_ns = v * NS_PER_MS;
	else if (sscanf(word, "health=%ld:%ld:%u:%ld", &v, &timeout, &n,
		     &delay) >= 3)
		s->health = (struct health){ v * NS_PER_MS, timeout * NS_PER_MS,
			delay * NS_PER_MS, n };
	else
		return false;
	return true;
}

bool
life_command(struct life *l, const char *cmd)
{
	const char *w;

	if (strcmp(cmd, "bad") == 0) {
		w = strtok(NULL, " ");
		l->bad[strcmp(w, "pre") == 0 ? PROC_PRE_START
					     : PROC_POST_STOP] =
		    atoi(strtok(NULL, " "));
		return true;
	}
	if (strcmp(cmd, "well") != 0 && strcmp(cmd, "sick") != 0 &&
	    strcmp(cmd, "mute") != 0)
		return false;
	l->sick = cmd[0] == 's';
	l->mute = cmd[0] == 'm';
	return true;
}

int
life_hook(struct life *l, enum proc_kind proc, int64_t *ret_ms)
{
	*ret_ms = l->hook_ms[proc];
	if (l->bad[proc] == 0)
		return 0;
	l->bad[proc]--;
	return 1;
}
