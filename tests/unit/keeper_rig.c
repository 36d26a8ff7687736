/* SPDX-License-Identifier: ISC */
#include "keeper_rig.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct rig t;

/* In the child: the fds given must come above the low region. */
static void
play_keeper(enum spawn_method method, int engine, int bus)
{
	static struct keeper k;
	struct keeper_options opt = { t.dir, N_SLOTS, method, { 64, 64 } };
	int code;

	/* cmocka would catch a crash and go on with the other tests, here. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	getrlimit(RLIMIT_NOFILE, &opt.nofile);
	engine = fcntl(engine, F_DUPFD_CLOEXEC, SPAWN_LOW_END);
	bus = fcntl(bus, F_DUPFD_CLOEXEC, SPAWN_LOW_END);
	close(t.engine.fd);
	close(t.bus.fd);
	if (keeper_init(&k, &opt) < 0 || k.spawner.method != method ||
	    keeper_add_role(&k, ROLE_ENGINE, 0, -EBADF, engine) < 0 ||
	    keeper_add_role(&k, ROLE_BUS, 0, -EBADF, bus) < 0)
		_exit(99);
	code = keeper_run(&k);
	keeper_fini(&k);
	_exit(code);
}

int
setup(void **state)
{
	int engine[2], bus[2];
	char path[80];

	kit_mkdir(t.dir);
	snprintf(path, sizeof(path), "%s/log", t.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, engine), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bus), 0);
	link_init(&t.engine, engine[0], 1 << 20);
	link_init(&t.bus, bus[0], 1 << 20);
	t.pid = fork();
	assert_true(t.pid >= 0);
	if (t.pid == 0)
		play_keeper(
		    (enum spawn_method)(uintptr_t)*state, engine[1], bus[1]);
	close(engine[1]);
	close(bus[1]);
	return 0;
}

int
keeper_code(void)
{
	int status = 0, pidfd;
	struct pollfd p = { -1, POLLIN, 0 };

	pidfd = (int)syscall(SYS_pidfd_open, t.pid, 0);
	p.fd = pidfd;
	assert_int_equal(poll(&p, 1, (int)(KIT_WAIT_NS / NS_PER_MS)), 1);
	close(pidfd);
	assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
	t.pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void
send_engine(enum wire_type type, const void *body)
{
	assert_int_equal(link_send(&t.engine, type, 0, body, NULL, 0), 0);
}

int
teardown(void **state)
{
	struct wire_done done = { 17, 0 };

	(void)state;
	if (t.pid != 0) {
		send_engine(WIRE_DONE, &done);
		assert_int_equal(keeper_code(), 17);
	}
	link_fini(&t.engine);
	link_fini(&t.bus);
	closep(&t.engine.fd);
	closep(&t.bus.fd);
	kit_rmdir(t.dir);
	return 0;
}

void
send_spawn(const struct kit_spawn *s, enum wire_type type)
{
	size_t head = sizeof(struct wire_hdr) + sizeof(struct wire_spawn);

	kit_frame(s, type, &t.frame.hdr);
	assert_int_equal(link_send(&t.engine, type, 0, &t.frame.hdr + 1,
			     t.frame.bytes + head, t.frame.hdr.len - head),
	    0);
}

const struct wire_hdr *
next_frame(struct link *l, int *fds, unsigned *n_fds)
{
	struct pollfd p = { l->fd, POLLIN, 0 };
	const struct wire_hdr *h;

	assert_int_equal(poll(&p, 1, (int)(KIT_WAIT_NS / NS_PER_MS)), 1);
	assert_int_equal(link_recv(l, &t.frame, &h, fds, n_fds), 1);
	return h;
}

/* The next frame to the engine must be of this type; its struct. */
const void *
expect(enum wire_type type)
{
	const struct wire_hdr *h = next_frame(&t.engine, NULL, NULL);

	assert_string_equal(wire_type_name(h->type), wire_type_name(type));
	return wire_body(h);
}

pid_t
expect_start(void)
{
	const struct wire_spawned *m = expect(WIRE_SPAWNED);
	pid_t pid = m->pid;

	expect(WIRE_EXECED);
	return pid;
}

void
ack(uint32_t slot, uint64_t inc)
{
	struct wire_id id = { slot, 0, inc };

	send_engine(WIRE_ACK, &id);
}

void
send_signal(int sig, enum signal_scope scope)
{
	struct wire_signal m = { 1, sig, 1, scope, 0 };

	send_engine(WIRE_SIGNAL, &m);
}

bool
alive(pid_t pid)
{
	return kill(pid, 0) == 0;
}

/* A pid that a worker has written to a file; 0 while it has not. */
pid_t
pid_in(const char *name)
{
	const char *s = kit_text(t.dir, name);

	return strchr(s, '\n') != NULL ? (pid_t)atoi(s) : 0;
}

struct kit_spawn
sh_here(const char *script)
{
	struct kit_spawn s = kit_sh(script);

	s.cwd = t.dir;
	s.w.flags = SPAWN_KILL_GROUP;
	return s;
}
