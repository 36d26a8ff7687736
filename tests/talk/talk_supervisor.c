/* SPDX-License-Identifier: ISC */
/* A supervisor's calls, made by a worker (rules O). */
#include "talk.h"

#include <errno.h>
#include <msg/format.h>
#include <msg/msg.h>
#include <msg/server.h>
#include <msg/supervisor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char exe[256];

/* A child of this program in a role. */
static const char *
spec(const char *name, const char *role, const char *more)
{
	static char text[512];

	snprintf(text, sizeof(text),
	    "{worker: %s, command: ['%s', role, %s]%s%s}", name, exe, role,
	    more[0] != '\0' ? ", " : "", more);
	return text;
}

/* A supervisor of the case's own. */
static void
sup_new(const char *name, const char *more)
{
	char text[512];

	snprintf(text, sizeof(text), "{supervisor: %s, restart: temporary%s%s}",
	    name, more[0] != '\0' ? ", " : "", more);
	check_int(msg_start_child("root", text, NULL, NULL), MSG_SUP_OK);
}

static void
sup_end(const char *name)
{
	check_int(msg_terminate_child("root", name), MSG_SUP_OK);
	check_int(msg_delete_child("root", name), MSG_SUP_NOT_FOUND);
}

static void
start_child_answers_with_the_child(void)
{
	struct msg_child c;
	msg_pid pid;

	sup_new("s1", "");
	check_int(
	    msg_start_child("s1", spec("a", "idle", "ready: notify"), NULL, &c),
	    MSG_SUP_OK);
	check_text(c.name, "a");
	check(!c.is_supervisor && !c.restarting && c.os_pid > 0);
	/* It is ready, so it has its mailbox; and that is its pid. */
	check_ok(msg_whereis("root/s1/a", &pid));
	check(pid == c.pid);
	check_ok(msg_callf(c.pid, -1, NULL, "ping"));
	sup_end("s1");
}

static void
a_name_can_be_taken_once(void)
{
	struct msg_child c, again;

	sup_new("s2", "");
	check_int(msg_start_child("s2", spec("a", "idle", ""), NULL, &c), 0);
	check_int(msg_start_child("s2", spec("a", "idle", ""), NULL, &again),
	    MSG_SUP_ALREADY_STARTED);
	check(again.pid == c.pid);
	check_int(msg_terminate_child("s2", "a"), MSG_SUP_OK);
	check_int(msg_start_child("s2", spec("a", "idle", ""), NULL, &again),
	    MSG_SUP_ALREADY_PRESENT);
	check(again.pid == 0);
	sup_end("s2");
}

static void
what_cannot_start_says_why(void)
{
	int r;

	sup_new("s3", "");
	r = msg_start_child("s3", "{worker: a, comand: [x]}", NULL, NULL);
	check_int(r, MSG_SUP_INVALID);
	check(strstr(msg_strerror(r), "command") != NULL);
	r = msg_start_child(
	    "s3", "{worker: a, command: [/nowhere/at/all]}", NULL, NULL);
	check_int(r, MSG_SUP_START_FAILED);
	check(strstr(msg_strerror(r), "No such file") != NULL);
	/* Nothing of them is stored. */
	check_int(msg_delete_child("s3", "a"), MSG_SUP_NOT_FOUND);
	check_int(msg_start_child(
		      "s3", spec("a", "idle", "enabled: false"), NULL, NULL),
	    MSG_SUP_IGNORED);
	check_int(msg_delete_child("s3", "a"), MSG_SUP_OK);
	sup_end("s3");
}

static void
who_does_not_want_to_run_is_kept_down(void)
{
	struct msg_child_counts n;

	sup_new("s11", "");
	check_int(msg_start_child("s11",
		      spec("a", "unwilling", "ready: notify"), NULL, NULL),
	    MSG_SUP_IGNORED);
	check_int(msg_restart_child("s11", "a", NULL), MSG_SUP_IGNORED);
	check_int(msg_count_children("s11", &n), MSG_SUP_OK);
	check_int(n.specs, 1);
	check_int(n.active, 0);
	check_int(msg_delete_child("s11", "a"), MSG_SUP_OK);
	/* One that is temporary is forgotten. */
	check_int(
	    msg_start_child("s11",
		spec("b", "unwilling", "ready: notify, restart: temporary"),
		NULL, NULL),
	    MSG_SUP_IGNORED);
	check_int(msg_count_children("s11", &n), MSG_SUP_OK);
	check_int(n.specs, 0);
	sup_end("s11");
}

static void
terminate_restart_delete(void)
{
	struct msg_child first, second;

	sup_new("s4", "");
	check_int(
	    msg_start_child("s4", spec("a", "idle", ""), NULL, &first), 0);
	check_int(msg_restart_child("s4", "a", NULL), MSG_SUP_RUNNING);
	check_int(msg_delete_child("s4", "a"), MSG_SUP_RUNNING);
	check_int(msg_terminate_child("s4", "a"), MSG_SUP_OK);
	check_int(msg_terminate_child("s4", "a"), MSG_SUP_OK);
	check_int(msg_restart_child("s4", "a", &second), MSG_SUP_OK);
	check(second.pid != first.pid && second.os_pid > 0);
	check_int(msg_terminate_child("s4", "a"), MSG_SUP_OK);
	check_int(msg_delete_child("s4", "a"), MSG_SUP_OK);
	check_int(msg_terminate_child("s4", "a"), MSG_SUP_NOT_FOUND);
	check_int(msg_restart_child("s4", "a", NULL), MSG_SUP_NOT_FOUND);
	check_int(msg_delete_child("s4", "a"), MSG_SUP_NOT_FOUND);
	sup_end("s4");
}

static void
children_are_listed_and_counted(void)
{
	struct msg_child_counts n;
	struct msg_child *list;
	size_t len;

	sup_new("s5", "");
	check_int(msg_start_child("s5", spec("a", "idle", ""), NULL, NULL), 0);
	check_int(msg_start_child("s5", "{supervisor: b}", NULL, NULL), 0);
	check_int(msg_start_child("s5", spec("c", "idle", ""), NULL, NULL), 0);
	check_int(msg_terminate_child("s5", "a"), MSG_SUP_OK);
	check_int(msg_which_children("s5", &list, &len), MSG_SUP_OK);
	check_int(len, 3);
	check_text(list[0].name, "c");
	check_text(list[1].name, "b");
	check_text(list[2].name, "a");
	check(list[0].pid != 0 && list[0].os_pid != 0);
	check(list[1].is_supervisor && list[1].pid == 0);
	check(list[2].pid == 0 && list[2].os_pid == 0 && !list[2].restarting);
	free(list);
	check_int(msg_count_children("s5", &n), MSG_SUP_OK);
	check_int(n.specs, 3);
	check_int(n.active, 2);
	check_int(n.supervisors, 1);
	check_int(n.workers, 2);
	sup_end("s5");
}

static void
a_pool_takes_arguments(void)
{
	static const char *const args[] = { "echo", "tea", NULL };
	struct msg_child_counts n;
	struct msg_child c;
	struct msg reply;
	char more[512], what[16];

	snprintf(more, sizeof(more),
	    "strategy: simple_one_for_one, max_children: 1, template: "
	    "{command: ['%s', role], ready: notify, restart: temporary}",
	    exe);
	sup_new("s6", more);
	check_int(msg_start_child("s6", NULL, args, &c), MSG_SUP_OK);
	check_ok(msg_callf(c.pid, -1, &reply, "what"));
	check(msg_value(&reply, "%15s", what));
	check_text(what, "tea");
	msg_free(&reply);
	check_int(
	    msg_start_child("s6", NULL, args, NULL), MSG_SUP_MAX_CHILDREN);
	check_int(msg_count_children("s6", &n), MSG_SUP_OK);
	check_int(n.specs, 1);
	check_int(msg_restart_child("s6", c.name, NULL), MSG_SUP_SIMPLE);
	check_int(msg_delete_child("s6", c.name), MSG_SUP_SIMPLE);
	check_int(msg_terminate_child("s6", "no-such"), MSG_SUP_NOT_FOUND);
	check_int(msg_terminate_child("s6", c.name), MSG_SUP_OK);
	check_int(msg_count_children("s6", &n), MSG_SUP_OK);
	check_int(n.active, 0);
	sup_end("s6");
}

static void
a_call_to_nobody_is_noproc(void)
{
	struct msg_child_counts n;

	check_int(
	    msg_start_child("root/nobody", spec("a", "idle", ""), NULL, NULL),
	    MSG_SUP_NOPROC);
	check_int(msg_count_children("root/nobody", &n), MSG_SUP_NOPROC);
	check_int(msg_terminate_child("root/nobody", "a"), MSG_SUP_NOPROC);
	/* A worker is no supervisor; and one that is down takes no calls. */
	check_int(msg_terminate_child(msg_path(), "a"), MSG_SUP_NOPROC);
	check_int(msg_start_child("root", "{supervisor: s7}", NULL, NULL), 0);
	check_int(msg_terminate_child("root", "s7"), MSG_SUP_OK);
	check_int(msg_count_children("s7", &n), MSG_SUP_NOPROC);
	check_int(msg_delete_child("root", "s7"), MSG_SUP_OK);
}

static void
a_temporary_child_is_forgotten_when_it_ends(void)
{
	sup_new("s8", "");
	check_int(msg_start_child("s8", spec("a", "idle", "restart: temporary"),
		      NULL, NULL),
	    MSG_SUP_OK);
	check_int(msg_terminate_child("s8", "a"), MSG_SUP_OK);
	check_int(msg_restart_child("s8", "a", NULL), MSG_SUP_NOT_FOUND);
	sup_end("s8");
}

static void
who_is_not_allowed_may_only_look(void)
{
	struct msg_child c;
	struct msg reply;
	int start, count;

	sup_new("s9", "");
	check_int(msg_start_child(
		      "s9", spec("a", "asker", "ready: notify"), NULL, &c),
	    MSG_SUP_OK);
	check_ok(msg_callf(c.pid, -1, &reply, "ask s9"));
	check(msg_match(&reply, "%d %d", &start, &count));
	check_int(start, -EPERM);
	check_int(count, MSG_SUP_OK);
	msg_free(&reply);
	/* What `allow` names, and what is below. */
	check_int(
	    msg_start_child("s9",
		spec("b", "asker", "ready: notify, allow: [s9]"), NULL, &c),
	    MSG_SUP_OK);
	check_ok(msg_callf(c.pid, -1, &reply, "ask s9"));
	check(msg_match(&reply, "%d %d", &start, &count));
	check_int(start, MSG_SUP_NOT_FOUND);
	msg_free(&reply);
	check_ok(msg_callf(c.pid, -1, &reply, "ask root"));
	check(msg_match(&reply, "%d %d", &start, &count));
	check_int(start, -EPERM);
	msg_free(&reply);
	sup_end("s9");
}

static void
who_starts_must_not_call_his_supervisor(void)
{
	struct msg_child c;
	struct msg reply;
	int r;

	sup_new("s10", "");
	check_int(
	    msg_start_child("s10",
		spec("a", "early", "ready: notify, allow: [s10]"), NULL, &c),
	    MSG_SUP_OK);
	check_ok(msg_callf(c.pid, -1, &reply, "what"));
	check(msg_value(&reply, "%d", &r));
	check_int(r, -EDEADLK);
	msg_free(&reply);
	sup_end("s10");
}

/* ---- roles -----------------------------------------------------------------
 */

static int
serve(void (*answer)(const struct msg *call))
{
	struct msg m;

	while (msg_receive(&m, -1) == 1) {
		if (m.kind == MSG_CALL)
			answer(&m);
		msg_free(&m);
	}
	return 1;
}

static void
answer_nil(const struct msg *call)
{
	(void)msg_replyf(call, "ok");
}

static int
idle(char **args)
{
	(void)args;
	check_ok(msg_open());
	check_ok(msg_ready());
	return serve(answer_nil);
}

static struct msg_next
init_unwilling(void *state)
{
	(void)state;
	return msg_next_ignore();
}

static int
unwilling(char **args)
{
	static const struct msg_server_ops ops = { .init = init_unwilling };

	(void)args;
	msg_server_main(&ops, NULL, NULL);
}

static const char *echo_text;

static void
answer_text(const struct msg *call)
{
	(void)msg_replyf(call, "%s", echo_text);
}

static int
echo(char **args)
{
	echo_text = args[0];
	check_ok(msg_open());
	check_ok(msg_ready());
	return serve(answer_text);
}

static void
answer_ask(const struct msg *call)
{
	struct msg_child_counts n;
	char sup[64];
	int r;

	if (!msg_match(call, "ask %63s", sup))
		return;
	r = msg_terminate_child(sup, "no-such");
	(void)msg_replyf(call, "[%d %d]", r, msg_count_children(sup, &n));
}

static int
asker(char **args)
{
	(void)args;
	check_ok(msg_open());
	check_ok(msg_ready());
	return serve(answer_ask);
}

static int early_result;

static void
answer_early(const struct msg *call)
{
	(void)msg_replyf(call, "%d", early_result);
}

static int
early(char **args)
{
	(void)args;
	check_ok(msg_open());
	early_result = msg_terminate_child("s10", "no-such");
	check_ok(msg_ready());
	return serve(answer_early);
}

static const struct talk_case cases[] = {
	{ "O start_child answers with the child, when it is ready",
	    start_child_answers_with_the_child },
	{ "O a name can be taken once: already_started, already_present",
	    a_name_can_be_taken_once },
	{ "O what cannot start says why, and is not stored",
	    what_cannot_start_says_why },
	{ "S-9 who does not want to run is kept, down; temporary: forgotten",
	    who_does_not_want_to_run_is_kept_down },
	{ "O terminate, restart, delete", terminate_restart_delete },
	{ "O children are listed, last started first, and counted",
	    children_are_listed_and_counted },
	{ "O-1, O-2 a pool takes arguments, and refuses what needs a name",
	    a_pool_takes_arguments },
	{ "O a call to nobody is noproc", a_call_to_nobody_is_noproc },
	{ "O a temporary child is forgotten when it ends",
	    a_temporary_child_is_forgotten_when_it_ends },
	{ "O who is not allowed may only look",
	    who_is_not_allowed_may_only_look },
	{ "O-5 who starts must not call his supervisor",
	    who_starts_must_not_call_his_supervisor },
	{ NULL, NULL },
};

static const struct talk_role roles[] = {
	{ "idle", idle },
	{ "echo", echo },
	{ "asker", asker },
	{ "early", early },
	{ "unwilling", unwilling },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n > 0)
		exe[n] = '\0';
	return talk_main(argc, argv, cases, roles);
}
