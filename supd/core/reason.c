/* SPDX-License-Identifier: ISC */
#include "core/engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
reason_is_clean(const struct reason *r)
{
	return r->kind == REASON_NORMAL || r->kind == REASON_SHUTDOWN;
}

bool
reason_is_planned(const struct reason *r)
{
	return r->kind == REASON_UNHEALTHY && r->why == WHY_LIFETIME;
}

bool
reason_is_start_error(const struct reason *r)
{
	return r->kind >= REASON_SPAWN && r->kind <= REASON_CHILD;
}

static const struct {
	int sig;
	const char *name;
} signals[] = {
	{ SIGHUP, "SIGHUP" },
	{ SIGINT, "SIGINT" },
	{ SIGQUIT, "SIGQUIT" },
	{ SIGILL, "SIGILL" },
	{ SIGTRAP, "SIGTRAP" },
	{ SIGABRT, "SIGABRT" },
	{ SIGBUS, "SIGBUS" },
	{ SIGFPE, "SIGFPE" },
	{ SIGKILL, "SIGKILL" },
	{ SIGUSR1, "SIGUSR1" },
	{ SIGSEGV, "SIGSEGV" },
	{ SIGUSR2, "SIGUSR2" },
	{ SIGPIPE, "SIGPIPE" },
	{ SIGALRM, "SIGALRM" },
	{ SIGTERM, "SIGTERM" },
	{ SIGSTKFLT, "SIGSTKFLT" },
	{ SIGCHLD, "SIGCHLD" },
	{ SIGCONT, "SIGCONT" },
	{ SIGSTOP, "SIGSTOP" },
	{ SIGTSTP, "SIGTSTP" },
	{ SIGTTIN, "SIGTTIN" },
	{ SIGTTOU, "SIGTTOU" },
	{ SIGURG, "SIGURG" },
	{ SIGXCPU, "SIGXCPU" },
	{ SIGXFSZ, "SIGXFSZ" },
	{ SIGVTALRM, "SIGVTALRM" },
	{ SIGPROF, "SIGPROF" },
	{ SIGWINCH, "SIGWINCH" },
	{ SIGIO, "SIGIO" },
	{ SIGPWR, "SIGPWR" },
	{ SIGSYS, "SIGSYS" },
};

#define N_SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* The kernel's real-time signals: 34.. are SIGRTMIN.. in glibc's count. */
#define RT_MIN 34
#define RT_MAX 64

const char *
signal_name(int sig, char *buf, size_t len)
{
	for (size_t i = 0; i < N_SIGNALS; i++)
		if (signals[i].sig == sig)
			return signals[i].name;
	if (sig >= RT_MIN && sig <= RT_MAX)
		snprintf(buf, len, "SIGRTMIN+%d", sig - RT_MIN);
	else
		snprintf(buf, len, "signal %d", sig);
	return buf;
}

int
signal_number(const char *name)
{
	const char *bare = strncmp(name, "SIG", 3) == 0 ? name + 3 : name;
	char *end;
	long n = strtol(name, &end, 10);

	if (end != name && *end == '\0')
		return n >= 1 && n <= RT_MAX ? (int)n : 0;
	for (size_t i = 0; i < N_SIGNALS; i++)
		if (strcmp(signals[i].name + 3, bare) == 0)
			return signals[i].sig;
	if (strncmp(bare, "RTMIN", 5) != 0)
		return 0;
	if (bare[5] == '\0')
		return RT_MIN;
	n = strtol(bare + 5, &end, 10);
	return bare[5] == '+' && *end == '\0' && n >= 0 && n <= RT_MAX - RT_MIN
	           ? RT_MIN + (int)n
	           : 0;
}

static const char *
shutdown_text(const struct reason *r)
{
	switch ((enum reason_why)r->why) {
	case WHY_ASKED:
		return "stopped";
	case WHY_GROUP:
		return "stopped with its group";
	case WHY_GAVE_UP:
		return "gave up";
	case WHY_AUTO_SHUTDOWN:
		return "auto-shutdown";
	case WHY_ROLLBACK:
		return "stopped: a sibling failed to start";
	case WHY_RELOAD:
		return "stopped: its configuration has changed";
	case WHY_HEALTH:
	case WHY_HEARTBEAT:
	case WHY_LIFETIME: /* of REASON_UNHEALTHY */
	case WHY_NONE:
	case WHY_N:
		break;
	}
	return "shutdown";
}

/* "exit 1" or "SIGSEGV (core)". */
static void
end_text(const struct reason *r, bool by_signal, char *buf, size_t len)
{
	char name[24];

	if (by_signal)
		snprintf(buf, len, "%s%s",
		    signal_name(r->code, name, sizeof(name)),
		    r->core ? " (core)" : "");
	else
		snprintf(buf, len, "exit %d", (int)r->code);
}

static const char *
unhealthy_text(const struct reason *r)
{
	if (r->why == WHY_HEARTBEAT)
		return "unhealthy: no sign of life";
	if (r->why == WHY_LIFETIME)
		return "max_lifetime reached";
	return "unhealthy: its probes failed";
}

static void
hook_text(const struct reason *r, char *buf, size_t len)
{
	char end[48];

	if (r->under == REASON_TIMEOUT)
		snprintf(end, sizeof(end), "not done in time");
	else if (r->under == REASON_SPAWN)
		snprintf(end, sizeof(end), "could not be started");
	else if (r->under == REASON_KILLED)
		snprintf(end, sizeof(end), "no time left");
	else
		end_text(r, r->under == REASON_SIGNAL, end, sizeof(end));
	snprintf(buf, len, "%s: %s",
	    r->hook == PROC_POST_STOP ? "post_stop" : "pre_start", end);
}

static void
early_text(const struct reason *r, char *buf, size_t len)
{
	char end[48];

	if (r->under == REASON_SHUTDOWN)
		snprintf(end, sizeof(end), "SIGTERM");
	else if (r->under == REASON_NORMAL)
		snprintf(end, sizeof(end), "exit 0");
	else
		end_text(r, r->under == REASON_SIGNAL, end, sizeof(end));
	snprintf(buf, len, "%s before it was ready", end);
}

const char *
reason_text(const struct reason *r, char *buf, size_t len)
{
	switch ((enum reason_kind)r->kind) {
	case REASON_NONE:
	case REASON_N:
		snprintf(buf, len, "none");
		break;
	case REASON_NORMAL:
		if (r->code == 0)
			snprintf(buf, len, "exit 0");
		else
			snprintf(buf, len, "normal (%d)", (int)r->code);
		break;
	case REASON_SHUTDOWN:
		snprintf(buf, len, "%s", shutdown_text(r));
		break;
	case REASON_EXIT:
		end_text(r, false, buf, len);
		break;
	case REASON_FATAL:
		snprintf(buf, len, "exit %d (fatal)", (int)r->code);
		break;
	case REASON_SIGNAL:
		end_text(r, true, buf, len);
		break;
	case REASON_KILLED:
		snprintf(buf, len, "killed by supd");
		break;
	case REASON_UNHEALTHY:
		snprintf(buf, len, "%s", unhealthy_text(r));
		break;
	case REASON_HOOK:
		hook_text(r, buf, len);
		break;
	case REASON_SPAWN:
		/* The step's name and its argument are the shell's. */
		snprintf(buf, len, "could not be started");
		break;
	case REASON_EARLY:
		early_text(r, buf, len);
		break;
	case REASON_TIMEOUT:
		snprintf(buf, len, "not ready in time");
		break;
	case REASON_CHILD:
		snprintf(buf, len, "a child failed to start");
		break;
	case REASON_IGNORE:
		snprintf(buf, len, "%s",
		    r->declared ? "does not want to run" : "disabled");
		break;
	}
	return buf;
}
