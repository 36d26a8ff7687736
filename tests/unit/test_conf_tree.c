/* SPDX-License-Identifier: ISC */
/* What keys mean, and the combinations that are refused. */
#include "base/mono.h"
#include "conf_kit.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>

static void
a_worker_has_the_documented_defaults(void **state)
{
	const struct conf_child *c =
	    kit_ok(*state, ROOT "children:\n- {worker: w, command: [a]}\n");
	const struct conf_worker *w = &c->worker;

	assert_false(c->is_sup);
	assert_int_equal(c->line, 5);
	assert_string_equal(w->argv[0], "a");
	assert_null(w->argv[1]);
	assert_null(w->env[0]);
	assert_true(w->spec.enabled);
	assert_int_equal(w->spec.restart, PERMANENT);
	assert_false(w->spec.significant);
	assert_true(w->spec.kill_group);
	assert_int_equal(w->spec.ready, READY_EXEC);
	assert_int_equal(w->spec.start_timeout_ns, 60 * NS_PER_S);
	assert_int_equal(w->spec.start_grace_ns, 0);
	assert_int_equal(w->spec.n_stop, 2);
	assert_int_equal(w->spec.stop[0].sig, SIGTERM);
	assert_int_equal(w->spec.stop[0].wait_ns, 5 * NS_PER_S);
	assert_int_equal(w->spec.stop[1].sig, SIGKILL);
	assert_int_equal(w->spec.success.code[0], 1);
	assert_int_equal(w->spec.fatal.code[0], 0);
	assert_int_equal(w->umask, 022);
	assert_string_equal(w->cwd, "/");
	assert_false(w->has_user || w->has_nice || w->has_oom || w->env_clear);
	assert_int_equal(w->in.mode, IO_NULL);
	assert_int_equal(w->out.mode, IO_LOG);
	assert_int_equal(w->err.mode, IO_LOG);
	assert_int_equal(w->log.size_bytes, 10 << 20);
	assert_int_equal(w->log.keep, 5);
	assert_true(w->log.prefix && w->log.time);
	assert_int_equal(w->instance, 0);
	assert_int_equal(w->instances, 0);
}

static void
a_supervisor_has_the_documented_defaults(void **state)
{
	struct kit *k = *state;
	const struct sup_spec *s;

	kit_ok(k, "supervisor: root\n");
	s = &k->conf->root->sup.spec;
	assert_int_equal(s->strategy, ONE_FOR_ONE);
	assert_int_equal(s->intensity, 3);
	assert_int_equal(s->period_ns, 5 * NS_PER_S);
	assert_int_equal(s->auto_shutdown, AUTO_NEVER);
	assert_int_equal(s->restart, PERMANENT);
	assert_int_equal(s->on_giveup, GIVEUP_ESCALATE);
	assert_int_equal(s->max_children, 0);
	assert_int_equal(s->shutdown_deadline_ns, -1);
	assert_int_equal(k->conf->root->sup.start_rate, 0);
}

static void
every_supervisor_key_is_bound(void **state)
{
	struct kit *k = *state;
	const struct conf_child *c;

	c = kit_ok(k,
	    "supervisor: root\nstrategy: one_for_all\nintensity: 0\n"
	    "period: 100ms\nstart_rate: 50\nmax_children: 2\n"
	    "shutdown_deadline: 30s\nauto_shutdown: all_significant\n"
	    "on_giveup: {exec: \"mail -s 'gave up' ops\"}\nchildren:\n"
	    "- {supervisor: s, restart: temporary, significant: true, "
	    "on_giveup: stop}\n");
	assert_int_equal(k->conf->root->sup.spec.strategy, ONE_FOR_ALL);
	assert_int_equal(k->conf->root->sup.spec.intensity, 0);
	assert_int_equal(k->conf->root->sup.spec.period_ns, 100 * NS_PER_MS);
	assert_int_equal(k->conf->root->sup.start_rate, 50);
	assert_int_equal(k->conf->root->sup.spec.max_children, 2);
	assert_int_equal(
	    k->conf->root->sup.spec.shutdown_deadline_ns, 30 * NS_PER_S);
	assert_int_equal(k->conf->root->sup.spec.on_giveup, GIVEUP_EXEC);
	assert_string_equal(k->conf->root->sup.giveup_argv[2], "gave up");
	assert_int_equal(c->sup.spec.restart, TEMPORARY);
	assert_true(c->sup.spec.significant);
	assert_int_equal(c->sup.spec.on_giveup, GIVEUP_STOP);
}

static void
ready_takes_each_of_its_forms(void **state)
{
	const struct conf_worker *w;

	w = &kit_ok(*state, WORKER("ready: notify"))->worker;
	assert_int_equal(w->ready, READY_MODE_NOTIFY);
	assert_int_equal(w->spec.ready, READY_EVENT);
	w = &kit_ok(*state, WORKER("ready: {notify_fd: 4}"))->worker;
	assert_int_equal(w->ready, READY_MODE_NOTIFY_FD);
	assert_int_equal(w->ready_fd, 4);
	w = &kit_ok(*state, WORKER("ready: {tcp: \"[::1]:80\"}"))->worker;
	assert_int_equal(w->ready, READY_MODE_TCP);
	assert_string_equal(w->ready_addr, "[::1]:80");
	w = &kit_ok(*state, WORKER("ready: {unix: /run/x}"))->worker;
	assert_int_equal(w->ready, READY_MODE_UNIX);
	w = &kit_ok(*state, WORKER("ready: {delay: 250ms}"))->worker;
	assert_int_equal(w->ready, READY_MODE_DELAY);
	assert_int_equal(w->spec.ready, READY_DELAY);
	assert_int_equal(w->spec.ready_delay_ns, 250 * NS_PER_MS);
}

static void
ready_refuses_other_forms(void **state)
{
	kit_refuses(*state, WORKER("ready: soon"), "unknown ready \"soon\"");
	kit_refuses(*state, WORKER("ready: {notify_fd: 3}"),
	    "t.yaml:7:24: error: notify_fd: \"3\" is not between 4 and 255");
	kit_refuses(*state, WORKER("ready: {unix: x}"),
	    "unix: \"x\" is not an absolute path");
	kit_refuses(*state, WORKER("ready: {delay: 5}"), "needs a unit");
	kit_refuses(*state, WORKER("ready: {http: x}"), "unknown ready");
	kit_refuses(*state, WORKER("ready: {tcp: \"a:1\", unix: /x}"),
	    "ready is one of exec, notify");
	kit_refuses(*state, WORKER("ready: []"), "ready is one of exec");
	kit_refuses(*state, WORKER("ready: {probe: []}"),
	    "probe does not name a program");
}

static void
brutal_kill_is_one_stage(void **state)
{
	const struct worker_spec *s =
	    &kit_ok(*state, WORKER("shutdown: brutal_kill"))->worker.spec;

	assert_int_equal(s->n_stop, 1);
	assert_int_equal(s->stop[0].sig, SIGKILL);
}

static void
infinity_never_kills(void **state)
{
	const struct worker_spec *s =
	    &kit_ok(*state, WORKER("shutdown: infinity\n    stop_signal: INT"))
		 ->worker.spec;

	assert_int_equal(s->n_stop, 1);
	assert_int_equal(s->stop[0].sig, SIGINT);
	assert_int_equal(s->stop[0].wait_ns, -1);
}

static void
a_stop_sequence_replaces_the_stop(void **state)
{
	const struct worker_spec *s =
	    &kit_ok(*state, WORKER("stop_sequence: [INT 5s, SIGTERM 1m, KILL]"))
		 ->worker.spec;

	assert_int_equal(s->n_stop, 3);
	assert_int_equal(s->stop[0].sig, SIGINT);
	assert_int_equal(s->stop[1].wait_ns, 60 * NS_PER_S);
	assert_int_equal(s->stop[2].sig, SIGKILL);
}

static void
a_stop_sequence_ends_and_stands_alone(void **state)
{
	kit_refuses(*state, WORKER("stop_sequence: [INT 5s]"),
	    "\"INT 5s\" cannot be the last step");
	kit_ok(*state, WORKER("stop_sequence: [INT 5s, TERM infinity]"));
	kit_refuses(*state, WORKER("stop_sequence: [KILL, TERM 5s, KILL]"),
	    "\"TERM 5s\" is never reached");
	kit_refuses(*state, WORKER("stop_sequence: TERM"), "takes a list");
	kit_refuses(*state, WORKER("stop_sequence: []"), "takes a list");
	kit_refuses(*state, WORKER("stop_sequence: [FOO 5s, KILL]"),
	    "does not begin with a signal");
	kit_refuses(*state,
	    WORKER("stop_sequence: [A 1s, A 1s, A 1s, A 1s, A 1s, A 1s, "
		   "A 1s, A 1s, KILL]"),
	    "more than 8 steps");
	kit_refuses(*state, WORKER("shutdown: 1s\n    stop_sequence: [KILL]"),
	    "worker \"w\" has both stop_sequence and shutdown");
	kit_refuses(*state,
	    WORKER("stop_signal: INT\n    stop_sequence: [KILL]"),
	    "worker \"w\" has both stop_sequence and stop_signal");
}

static void
an_inner_way_to_stop_replaces_an_outer_one(void **state)
{
	const struct conf_child *c = kit_ok(*state, ROOT
	    "defaults: {shutdown: 9s, stop_signal: INT}\nchildren:\n"
	    "- {worker: a, command: [a], stop_sequence: [KILL]}\n"
	    "- supervisor: s\n  defaults: {stop_sequence: [HUP 1s, KILL]}\n"
	    "  children:\n  - {worker: b, command: [b]}\n"
	    "  - {worker: c, command: [c], shutdown: 2s}\n");

	assert_int_equal(c->worker.spec.n_stop, 1);
	c = TAILQ_FIRST(&TAILQ_NEXT(c, link)->sup.children);
	assert_int_equal(c->worker.spec.stop[0].sig, SIGHUP);
	c = TAILQ_NEXT(c, link);
	assert_int_equal(c->worker.spec.stop[0].sig, SIGTERM);
	assert_int_equal(c->worker.spec.stop[0].wait_ns, 2 * NS_PER_S);
}

static void
a_command_may_be_a_string(void **state)
{
	const char *const *v = kit_ok(*state,
	    ROOT "children:\n- worker: w\n"
		 "  command: \"sh -c 'echo \\\"$$HOME\\\"' ''\"\n")
	                           ->worker.argv;

	assert_string_equal(v[0], "sh");
	assert_string_equal(v[2], "echo \"$HOME\"");
	assert_string_equal(v[3], "");
	assert_null(v[4]);
}

static void
a_command_names_a_program(void **state)
{
	kit_refuses(*state, ROOT "children:\n- worker: w\n",
	    "t.yaml:5:11: error: worker \"w\" has no command");
	kit_refuses(*state, ROOT "children:\n- {worker: w, command: []}\n",
	    "command does not name a program");
	kit_refuses(*state, ROOT "children:\n- {worker: w, command: ''}\n",
	    "command does not name a program");
	kit_refuses(*state, ROOT "children:\n- {worker: w, command: {}}\n",
	    "command takes a list of words, or a string, not a map");
	kit_refuses(*state, ROOT "children:\n- {worker: w, command: [[]]}\n",
	    "command takes a single value, not a list");
	kit_refuses(*state,
	    ROOT "children:\n- {worker: w, command: \"a 'b\"}\n",
	    "a quote or backslash is not closed");
}

static void
instances_become_children(void **state)
{
	const struct conf_child *c = kit_ok(*state,
	    ROOT "children:\n- worker: w\n  instances: 3\n"
		 "  command: \"a --port 80${instance} '$${instance}'\"\n"
		 "  env: {I: \"${instance}\"}\n");

	assert_string_equal(c->name, "w.1");
	assert_int_equal(c->worker.instance, 1);
	assert_int_equal(c->worker.instances, 3);
	c = TAILQ_NEXT(TAILQ_NEXT(c, link), link);
	assert_string_equal(c->name, "w.3");
	assert_string_equal(c->worker.argv[2], "803");
	assert_string_equal(c->worker.argv[3], "${instance}");
	assert_string_equal(c->worker.env[0], "I=3");
	assert_null(TAILQ_NEXT(c, link));
}

static void
instance_needs_instances(void **state)
{
	kit_refuses(*state, WORKER("cwd: \"/${instance}\""),
	    "${instance} has no value in worker \"w\"; add `instances: N`");
	kit_refuses(*state,
	    ROOT "children:\n- {worker: w, command: \"a ${instance}\"}\n",
	    "${instance} has no value in worker \"w\"");
	kit_refuses(*state, WORKER("instances: 0"), "is not between 1 and");
	assert_string_equal(
	    kit_ok(*state, WORKER("instances: 1"))->name, "w.1");
}

static void
siblings_have_names_of_their_own(void **state)
{
	kit_refuses(*state,
	    ROOT "children:\n- {worker: a, command: [a]}\n"
		 "- {supervisor: a}\n",
	    "t.yaml:6:16: error: duplicate child \"a\" in supervisor \"root\" "
	    "(first defined at t.yaml:5:3)");
	kit_refuses(*state,
	    ROOT "children:\n- {worker: a.2, command: [a]}\n"
		 "- {worker: a, command: [a], instances: 2}\n",
	    "duplicate child \"a.2\"");
	kit_ok(*state, ROOT "children:\n- {supervisor: a, children: [{worker: "
			    "a, command: [a]}]}\n");
}

static void
names_are_checked(void **state)
{
	kit_refuses(*state, "supervisor: Root\n", "\"Root\" is not a name");
	kit_refuses(*state, ROOT "children:\n- {worker: a/b, command: [a]}\n",
	    "\"a/b\" is not a name");
	kit_refuses(*state, ROOT "children:\n- {worker: '', command: [a]}\n",
	    "\"\" is not a name");
}

static void
defaults_are_inherited_and_overridden(void **state)
{
	const struct conf_child *c = kit_ok(*state,
	    ROOT "defaults: {restart: transient, cwd: /tmp, nice: 3}\n"
		 "children:\n- {worker: a, command: [a], nice: 4}\n"
		 "- supervisor: s\n  defaults: {restart: temporary}\n"
		 "  children:\n  - {worker: b, command: [b]}\n");

	assert_int_equal(c->worker.spec.restart, TRANSIENT);
	assert_string_equal(c->worker.cwd, "/tmp");
	assert_int_equal(c->worker.nice, 4);
	assert_true(c->worker.has_nice);
	c = TAILQ_FIRST(&TAILQ_NEXT(c, link)->sup.children);
	assert_int_equal(c->worker.spec.restart, TEMPORARY);
	assert_int_equal(c->worker.nice, 3);
}

static void
maps_of_defaults_merge_key_by_key(void **state)
{
	const struct conf_worker *w = &kit_ok(*state,
	    ROOT "defaults: {env: {A: 1, B: 2}, log: {keep: 7, size: 1M}, "
		 "rlimit: {core: 0}, ready: {tcp: 'a:1'}}\nchildren:\n"
		 "- {worker: a, command: [a], env: {B: 3, C: 4}, "
		 "log: {size: 2M}, rlimit: {nofile: 9}, ready: {unix: /x}}\n")
	                                   ->worker;

	assert_string_equal(w->env[0], "A=1");
	assert_string_equal(w->env[1], "B=3");
	assert_string_equal(w->env[2], "C=4");
	assert_int_equal(w->log.keep, 7);
	assert_int_equal(w->log.size_bytes, 2 << 20);
	assert_int_equal(w->n_rlimit, 2);
	assert_int_equal(w->ready, READY_MODE_UNIX);
}

static void
a_wrong_default_is_told_once(void **state)
{
	struct kit *k = *state;
	const char *p;
	int n = 0;

	kit_refuses(k,
	    ROOT "defaults: {cwd: x, user: no-such-user-here, env: "
		 "[], stop_sequence: [KILL], shutdown: 1s}\n"
		 "children:\n"
		 "- {worker: a, command: [a], instances: 9}\n"
		 "- {worker: b, command: [b]}\n",
	    "t.yaml:4:17: error: cwd: \"x\" is not an absolute path");
	for (p = buf_str(&k->errors); (p = strstr(p, "error:")) != NULL; p++)
		n++;
	assert_int_equal(n, 4);
	kit_refuses(k, ROOT "defaults: {stop_sequence: [KILL], shutdown: 1s}\n",
	    "defaults of supervisor \"root\" has both stop_sequence and");
}

static void
defaults_hold_worker_keys_only(void **state)
{
	kit_refuses(*state, ROOT "defaults: {strategy: one_for_one}\n",
	    "\"strategy\" is a key of supervisors");
	kit_refuses(*state, ROOT "defaults: {worker: x}\n", "has no name");
	kit_refuses(*state, ROOT "defaults: {comand: x}\n",
	    "did you mean \"command\"?");
	kit_refuses(*state, ROOT "defaults: []\n",
	    "is a map of worker keys, not a list");
	kit_refuses(*state, ROOT "user: root\n",
	    "\"user\" is a key of workers; put it into `defaults`");
}

static void
simple_one_for_one_has_exactly_a_template(void **state)
{
	const struct conf_child *c = kit_ok(*state,
	    ROOT "children:\n- supervisor: s\n  strategy: simple_one_for_one\n"
		 "  template: {command: [job], restart: temporary}\n");

	assert_true(TAILQ_EMPTY(&c->sup.children));
	assert_int_equal(c->sup.template->worker.spec.restart, TEMPORARY);
	kit_refuses(*state, "supervisor: r\nstrategy: simple_one_for_one\n",
	    "needs a `template`");
	kit_refuses(*state,
	    "supervisor: r\nstrategy: simple_one_for_one\n"
	    "template: {command: [x]}\nchildren: []\n",
	    "has a `template`, not `children`");
	kit_refuses(*state,
	    "supervisor: r\nstrategy: simple_one_for_one\n"
	    "template: {command: [x]}\ninclude: /nowhere/*\n",
	    "has a `template`, not `include`");
	kit_refuses(*state, ROOT "template: {command: [x]}\n",
	    "a template is for simple_one_for_one");
	kit_refuses(*state,
	    "supervisor: r\nstrategy: simple_one_for_one\n"
	    "template: {restart: temporary}\n",
	    "the template of supervisor \"r\" has no command");
	kit_refuses(*state,
	    "supervisor: r\nstrategy: simple_one_for_one\n"
	    "template: {worker: x, command: [x], instances: 2}\n",
	    "has no name of its own");
	kit_refuses(*state,
	    "supervisor: r\nstrategy: simple_one_for_one\n"
	    "template: {command: [x], instances: 2}\n",
	    "has no instances");
}

static void
simple_one_for_one_has_no_auto_shutdown(void **state)
{
	kit_refuses(*state,
	    "supervisor: r\nstrategy: simple_one_for_one\n"
	    "auto_shutdown: any_significant\ntemplate: {command: [x]}\n",
	    "t.yaml:3:16: error: simple_one_for_one cannot have auto_shutdown");
}

static void
a_permanent_child_cannot_be_significant(void **state)
{
	kit_refuses(*state,
	    "supervisor: r\nauto_shutdown: any_significant\nchildren:\n"
	    "- {worker: w, command: [a], significant: true}\n",
	    "t.yaml:4:42: error: worker \"w\" is significant, so its restart "
	    "must be transient or temporary");
	kit_refuses(*state,
	    "supervisor: r\nauto_shutdown: any_significant\nchildren:\n"
	    "- {supervisor: s, significant: true}\n",
	    "supervisor \"s\" is significant, so its restart must be");
}

static void
significant_needs_auto_shutdown(void **state)
{
	kit_refuses(*state, WORKER("significant: true\n    restart: transient"),
	    "its supervisor's auto_shutdown is never");
	kit_refuses(*state, "supervisor: r\nsignificant: true\n",
	    "the root has no parent, so it cannot be significant");
}

static void
a_supervisor_has_no_shutdown(void **state)
{
	kit_refuses(*state, ROOT "shutdown: 5s\n",
	    "t.yaml:4:1: error: a supervisor has no shutdown: it always gets "
	    "the time it needs");
}

static void
only_the_root_limits_the_start_rate(void **state)
{
	kit_refuses(*state, ROOT "children: [{supervisor: s, start_rate: 5}]\n",
	    "only the root has it");
	kit_refuses(*state, ROOT "restart: transient\n",
	    "the root has no parent that could restart it");
}

static void
limits_of_supervisors_are_checked(void **state)
{
	kit_refuses(*state, "supervisor: r\nintensity: -1\n",
	    "\"-1\" is not between 0 and 100000");
	kit_refuses(*state, "supervisor: r\nintensity: 100001\n",
	    "is not between 0 and 100000");
	kit_refuses(*state, "supervisor: r\nperiod: 0s\n", "is too short");
	kit_refuses(
	    *state, "supervisor: r\nperiod: infinity\n", "is not a duration");
	kit_refuses(*state, "supervisor: r\non_giveup: explode\n",
	    "unknown on_giveup \"explode\"");
	kit_refuses(*state, "supervisor: r\non_giveup: {exec: []}\n",
	    "exec does not name a program");
	kit_refuses(*state,
	    ROOT "max_children: 1\nchildren:\n- {supervisor: a}\n"
		 "- {supervisor: b}\n",
	    "has 2 children, more than");
}

#define NAME_63                                                                \
	"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"

static void
names_and_paths_of_others_are_checked(void **state)
{
	const struct conf_worker *w;

	w = &kit_ok(*state,
	    WORKER("register: [a, b]\n    link: web/api\n    allow: []"))
	         ->worker;
	assert_string_equal(w->names[1], "b");
	assert_null(w->names[2]);
	assert_string_equal(w->links[0], "web/api");
	assert_null(w->allow);
	assert_null(w->monitors);
	kit_refuses(*state, WORKER("register: a/b"),
	    "register: \"a/b\" has a / in it, as only paths do");
	kit_ok(*state, WORKER("register: " NAME_63));
	kit_refuses(*state, WORKER("register: " NAME_63 "x"),
	    "is longer than 63 bytes");
	kit_refuses(*state, WORKER("link: [\"a b\"]"),
	    "link: \"a b\" has a space or control character in it");
	kit_refuses(
	    *state, WORKER("monitor: [\"\"]"), "monitor: \"\" is empty");
	kit_refuses(*state, WORKER("allow: {a: b}"),
	    "allow takes a list of words, or a string, not a map");
}

static void
keys_of_later_versions_are_refused(void **state)
{
	static const char *const later[] = { "tags", "no_new_privs",
		"capabilities", "secret_env", "ionice", "sched", "cpu_affinity",
		"cgroup", "sockets", "fd_store_max" };
	char text[256], message[96];
	size_t i;

	for (i = 0; i < ARRAY_LEN(later); i++) {
		snprintf(text, sizeof(text), WORKER("%s: x"), later[i]);
		snprintf(message, sizeof(message),
		    "t.yaml:7:5: error: \"%s\" is not supported yet", later[i]);
		kit_refuses(*state, text, message);
	}
	kit_refuses(*state, WORKER("log: {rate: 5}"),
	    "\"log: {rate: ...}\" is not supported yet");
	kit_refuses(*state, WORKER("kill_mode: cgroup"),
	    "\"kill_mode: cgroup\" is not supported yet");
}

static void
an_unknown_key_is_refused(void **state)
{
	kit_refuses(*state, WORKER("shutdwon: 5s"),
	    "t.yaml:7:5: error: unknown key \"shutdwon\" in worker \"w\"; did "
	    "you mean \"shutdown\"?");
	kit_refuses(*state, WORKER("strategy: x"),
	    "\"strategy\" is a key of supervisors; worker \"w\" has none");
	kit_refuses(*state, WORKER("log: {siez: 1M}"),
	    "unknown key \"siez\" in log; did you mean \"size\"?");
	kit_refuses(*state, WORKER("supervisor: w"),
	    "supervisor \"w\" cannot be a worker too");
	kit_refuses(*state, ROOT "children: [{wroker: x}]\n",
	    "did you mean \"worker\"?");
	kit_refuses(*state, ROOT "children: [{}]\n",
	    "a child begins with `worker: NAME` or `supervisor: NAME`");
	kit_refuses(*state, ROOT "children: [x]\n", "a child is a map");
	kit_refuses(*state, ROOT "children: {}\n", "children takes a list");
	kit_refuses(*state, "[]\n", "the file is one supervisor");
	kit_refuses(*state, "worker: x\n", "put this worker among its");
	kit_refuses(*state, "superviser: x\n", "did you mean \"supervisor\"?");
}

static void
a_user_is_looked_up(void **state)
{
	const struct conf_worker *w;
	struct passwd *pw = getpwuid(1);
	char text[256];

	assert_non_null(pw);
	snprintf(text, sizeof(text), WORKER("user: %s"), pw->pw_name);
	w = &kit_ok(*state, text)->worker;
	assert_true(w->has_user);
	assert_int_equal(w->uid, 1);
	assert_int_equal(w->gid, pw->pw_gid);
	assert_string_equal(w->home, pw->pw_dir);
	assert_true(w->n_groups >= 1);
	w = &kit_ok(*state, WORKER("user: '1'\n    group: '7'\n"
				   "    groups: []"))
	         ->worker;
	assert_int_equal(w->uid, 1);
	assert_int_equal(w->gid, 7);
	assert_int_equal(w->n_groups, 0);
	w = &kit_ok(*state, WORKER("user: '3999999'\n    group: '7'"))->worker;
	assert_int_equal(w->uid, 3999999);
	assert_null(w->home);
}

static void
a_wrong_user_is_refused(void **state)
{
	kit_refuses(*state, WORKER("user: no-such-user-here"),
	    "t.yaml:7:11: error: no user \"no-such-user-here\"");
	kit_refuses(*state, WORKER("group: no-such-group-here"),
	    "t.yaml:7:12: error: no group \"no-such-group-here\"");
	kit_refuses(*state, WORKER("groups: [root, no-such-group-here]"),
	    "t.yaml:7:20: error: no group \"no-such-group-here\"");
	kit_refuses(*state, WORKER("user: '3999999'"), "give its `group` too");
}

static void
values_of_worker_keys_are_checked(void **state)
{
	kit_refuses(*state, WORKER("enabled: yes"),
	    "enabled: \"yes\" is neither true nor false");
	kit_refuses(*state, WORKER("shutdown: 5"),
	    "shutdown: \"5\" needs a unit: ms, s, m or h (or infinity");
	kit_refuses(*state, WORKER("stop_signal: TREM"), "is not a signal");
	kit_refuses(*state, WORKER("cwd: run"), "is not an absolute path");
	kit_refuses(*state, WORKER("umask: 999"), "is not an octal mask");
	kit_refuses(*state, WORKER("nice: 20"), "is not between -20 and 19");
	kit_refuses(*state, WORKER("oom_score_adj: x"), "is not a number");
	kit_refuses(*state, WORKER("stdin: log"), "unknown stdin \"log\"");
	kit_refuses(*state, WORKER("stdout: join"), "unknown stdout \"join\"");
	kit_refuses(*state, WORKER("stdout: {file: x}"),
	    "file: \"x\" is not an absolute path");
	kit_refuses(*state, WORKER("stdout: {pipe: x}"), "{file: PATH}");
	kit_refuses(*state, WORKER("log: {size: 10}"), "needs a unit: K, M");
	kit_refuses(*state, WORKER("rlimit: {nofile: 2:1}"),
	    "has a soft limit above its hard one");
	kit_refuses(*state, WORKER("rlimit: {files: 2}"), "limits nothing");
	kit_refuses(*state, WORKER("env: {\"A=B\": 1}"),
	    "\"A=B\" cannot name an environment variable");
	kit_refuses(*state, WORKER("env: [A]"), "env takes a map");
	kit_refuses(*state, WORKER("restart: {}"),
	    "restart takes a single value, not a map");
	kit_refuses(*state, WORKER("success_exit: 256"), "is not an exit code");
	kit_refuses(*state, WORKER("fatal_exit: [0]"), "share a value");
}

static void
other_worker_keys_are_bound(void **state)
{
	const struct conf_worker *w = &kit_ok(*state,
	    WORKER("description: d\n    kill_mode: process\n"
		   "    success_exit: [0, 3-4, HUP]\n    fatal_exit: 78\n"
		   "    stdin: {file: /in}\n    stdout: {file: /out}\n"
		   "    stderr: join\n    umask: 077\n    nice: -5\n"
		   "    oom_score_adj: 500\n    env_clear: true\n"
		   "    start_timeout: infinity\n    start_grace: 1s"))
	                                   ->worker;

	assert_string_equal(w->description, "d");
	assert_false(w->spec.kill_group);
	assert_true(exit_set_has_code(&w->spec.success, 4));
	assert_true(exit_set_has_signal(&w->spec.success, SIGHUP));
	assert_true(exit_set_has_code(&w->spec.fatal, 78));
	assert_int_equal(w->in.mode, IO_FILE);
	assert_string_equal(w->out.file, "/out");
	assert_int_equal(w->err.mode, IO_JOIN);
	assert_int_equal(w->umask, 077);
	assert_int_equal(w->nice, -5);
	assert_int_equal(w->oom_score_adj, 500);
	assert_true(w->has_nice && w->has_oom && w->env_clear);
	assert_int_equal(w->spec.start_timeout_ns, -1);
	assert_int_equal(w->spec.start_grace_ns, NS_PER_S);
}

static void
an_env_file_comes_before_env(void **state)
{
	struct kit *k = *state;
	const char *const *e;

	kit_write(k, "w.env",
	    "# comment\n\nA=1\r\nB=two words = $x \n"
	    "C=3\nA=4\n");
	e = kit_ok(k, WORKER("env_file: w.env\n    env: {C: 5, D: 6}"))
	        ->worker.env;
	assert_string_equal(e[0], "A=4");
	assert_string_equal(e[1], "B=two words = $x ");
	assert_string_equal(e[2], "C=5");
	assert_string_equal(e[3], "D=6");
	assert_null(e[4]);
}

static void
a_wrong_env_file_is_told_by_its_line(void **state)
{
	struct kit *k = *state;

	kit_write(k, "w.env", "A=1\nnonsense\n=x\nexport B=1\n");
	kit_refuses(k, WORKER("env_file: w.env\n    instances: 3"),
	    "w.env:2:1: error: an env_file has lines of KEY=VALUE");
	kit_expect(k, "w.env:3:1");
	kit_expect(k, "w.env:4:1");
	kit_refuses(k, WORKER("env_file: none.env"),
	    "t.yaml:7:15: error: none.env: cannot open: No such file");
}

static void
a_tree_is_at_most_32_deep(void **state)
{
	struct kit *k = *state;
	int i;

	/* Three levels a file. */
	for (i = 0; i < 11; i++) {
		char name[16], text[256];

		snprintf(name, sizeof(name), "%d.yaml", i);
		snprintf(text, sizeof(text),
		    "- {supervisor: a, children: [{supervisor: b, children: "
		    "[{supervisor: c, include: %d.yaml}]}]}\n",
		    i + 1);
		kit_write(k, name, text);
	}
	kit_refuses(k, ROOT "include: 0.yaml\n",
	    "10.yaml:1:16: error: the tree is deeper than 32 levels");
}

static void
one_spawn_has_a_bounded_size(void **state)
{
	struct buf b = { 0 };

	buf_puts(&b, ROOT "children:\n- worker: w\n  command: [a, ");
	while (b.len < 120000)
		buf_puts(
		    &b, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	buf_puts(&b, "]\n");
	kit_refuses(*state, buf_str(&b), "more than 98304");
	buf_fini(&b);
}

static void
warnings_do_not_fail_a_load(void **state)
{
	struct kit *k = *state;

	kit_ok(k, "supervisor: root\n");
	kit_expect(k, "t.yaml:1:13: warning: the root leaves intensity and "
		      "period at the default");
	kit_ok(k, "supervisor: root\nintensity: 1\n");
	kit_expect(k, "warning: the root leaves period at the default");
	kit_ok(k, ROOT "children:\n- {worker: w, command: [/bin/sh, -c, x], "
		       "kill_mode: process}\n");
	kit_expect(k, "t.yaml:5:53: warning: with kill_mode process only the "
		      "shell is signalled");
	kit_ok(k, WORKER("ready: notify\n    start_timeout: 2s"));
	kit_expect(k, "warning: if \"w\" never gets ready, supervisor \"root\" "
		      "never gives up");
	kit_ok(k, WORKER("ready: notify\n    start_timeout: 1s"));
	assert_int_equal(k->errors.len, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_open, kit_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_worker_has_the_documented_defaults),
		TEST(a_supervisor_has_the_documented_defaults),
		TEST(every_supervisor_key_is_bound),
		TEST(ready_takes_each_of_its_forms),
		TEST(ready_refuses_other_forms),
		TEST(brutal_kill_is_one_stage),
		TEST(infinity_never_kills),
		TEST(a_stop_sequence_replaces_the_stop),
		TEST(a_stop_sequence_ends_and_stands_alone),
		TEST(an_inner_way_to_stop_replaces_an_outer_one),
		TEST(a_command_may_be_a_string),
		TEST(a_command_names_a_program),
		TEST(instances_become_children),
		TEST(instance_needs_instances),
		TEST(siblings_have_names_of_their_own),
		TEST(names_are_checked),
		TEST(defaults_are_inherited_and_overridden),
		TEST(maps_of_defaults_merge_key_by_key),
		TEST(a_wrong_default_is_told_once),
		TEST(defaults_hold_worker_keys_only),
		TEST(simple_one_for_one_has_exactly_a_template),
		TEST(simple_one_for_one_has_no_auto_shutdown),
		TEST(a_permanent_child_cannot_be_significant),
		TEST(significant_needs_auto_shutdown),
		TEST(a_supervisor_has_no_shutdown),
		TEST(only_the_root_limits_the_start_rate),
		TEST(limits_of_supervisors_are_checked),
		TEST(names_and_paths_of_others_are_checked),
		TEST(keys_of_later_versions_are_refused),
		TEST(an_unknown_key_is_refused),
		TEST(a_user_is_looked_up),
		TEST(a_wrong_user_is_refused),
		TEST(values_of_worker_keys_are_checked),
		TEST(other_worker_keys_are_bound),
		TEST(an_env_file_comes_before_env),
		TEST(a_wrong_env_file_is_told_by_its_line),
		TEST(a_tree_is_at_most_32_deep),
		TEST(one_spawn_has_a_bounded_size),
		TEST(warnings_do_not_fail_a_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
