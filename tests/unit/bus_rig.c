/* SPDX-License-Identifier: ISC */
#include "bus_rig.h"

#include "base/clock.h"
#include "bus/main.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINK_BYTES (64 * 1024 * 1024)

static void
pair(int fd[2])
{
	assert_return_code(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), errno);
}

static struct sockaddr_un
control_addr(const struct rig *r)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n =
	    snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", r->dir);

	assert_in_range(n, 1, sizeof(a.sun_path) - 1);
	return a;
}

static int
listen_at(const struct rig *r)
{
	struct sockaddr_un a = control_addr(r);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_return_code(bind(fd, (struct sockaddr *)&a, sizeof(a)), errno);
	assert_return_code(listen(fd, 64), errno);
	return fd;
}

/* In the child: the role's fds, and nothing else. */
static void
become_bus(struct rig *r, const int fd[4])
{
	struct role_args args = {
		.run_dir = r->dir,
		.log_dir = r->dir,
		.socket = r->dir,
	};
	int high[4];

	for (int i = 0; i < 4; i++)
		high[i] = fcntl(fd[i], F_DUPFD, 30);
	for (int i = 0; i < 4; i++)
		dup2(high[i], 3 + i);
	closefrom(7);
	exit(bus_main(&args));
}

static void
sub_dir(const struct rig *r, const char *name)
{
	char path[sizeof(r->dir) + 32];

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	assert_return_code(mkdir(path, 0711), errno);
}

static int
setup(void **state, const char *template)
{
	struct rig *r = calloc(1, sizeof(*r));
	int k[2], e[2], l[2], listener;

	snprintf(r->dir, sizeof(r->dir), "%s", template);
	assert_non_null(mkdtemp(r->dir));
	assert_return_code(chmod(r->dir, 0755), errno);
	sub_dir(r, "notify");
	sub_dir(r, "m");
	pair(k);
	pair(e);
	pair(l);
	listener = listen_at(r);
	fflush(NULL);
	r->pid = fork();
	assert_return_code(r->pid, errno);
	if (r->pid == 0) {
		int fd[4] = { k[1], e[1], l[1], listener };

		become_bus(r, fd);
	}
	close(k[1]);
	close(e[1]);
	close(l[1]);
	close(listener);
	r->keeper_fd = k[0];
	r->engine_fd = e[0];
	r->logger_fd = l[0];
	link_init(&r->keeper, k[0], LINK_BYTES);
	link_init(&r->engine, e[0], LINK_BYTES);
	link_init(&r->logger, l[0], LINK_BYTES);
	*state = r;
	return 0;
}

int
rig_setup(void **state)
{
	return setup(state, "/tmp/supd-test-bus-XXXXXX");
}

int
rig_setup_long(void **state)
{
	return setup(state,
	    "/tmp/supd-test-bus-so-long-that-no-mailbox-path-fits-into-the-"
	    "field-for-it-XXXXXX");
}

static void
remove_in(const struct rig *r, const char *name)
{
	char path[sizeof(r->dir) + 32];

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	assert_return_code(remove(path), errno);
}

int
rig_teardown(void **state)
{
	struct rig *r = *state;
	int status;

	link_fini(&r->keeper);
	link_fini(&r->engine);
	link_fini(&r->logger);
	close(r->keeper_fd);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	close(r->engine_fd);
	close(r->logger_fd);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	/* These fail if the bus has left anything in them. */
	remove_in(r, "control.sock");
	remove_in(r, "notify");
	remove_in(r, "m");
	assert_return_code(rmdir(r->dir), errno);
	free(r);
	return 0;
}

/* ---- links -----------------------------------------------------------------
 */

static void
say(struct link *l, enum wire_type type, uint64_t tag, const void *body)
{
	mono_t end = mono_add(clock_mono(), RIG_WAIT_MS * NS_PER_MS);

	assert_int_equal(link_send(l, type, tag, body, NULL, 0), 0);
	while (link_waiting(l)) {
		struct pollfd p = { .fd = l->fd, .events = POLLOUT };

		assert_true(mono_before(clock_mono(), end));
		assert_return_code(poll(&p, 1, 100), errno);
		assert_int_equal(link_flush(l), 0);
	}
}

void
rig_prepare(struct rig *r, uint32_t slot, uint32_t flags, uint32_t uid,
    const char *path)
{
	struct wire_prepare w = {
		.slot = slot, .flags = flags, .uid = uid, .gid = uid
	};

	snprintf(w.path, sizeof(w.path), "%s", path);
	say(&r->engine, WIRE_PREPARE, 0, &w);
}

void
rig_wish(struct rig *r, uint32_t slot, const char *path, const char *wishes)
{
	struct wire_prepare w = { .slot = slot, .uid = getuid() };

	snprintf(w.path, sizeof(w.path), "%s", path);
	assert_int_equal(link_send(&r->engine, WIRE_PREPARE, 0, &w, wishes,
			     strlen(wishes) + 1),
	    0);
	rig_expect(&r->engine, WIRE_PREPARED);
}

void
rig_proc_uid(
    struct rig *r, uint32_t slot, uint64_t inc, const char *path, uint32_t uid)
{
	struct wire_proc w = { .slot = slot, .inc = inc, .uid = uid };

	snprintf(w.path, sizeof(w.path), "%s", path);
	say(&r->engine, WIRE_PROC, 0, &w);
}

void
rig_proc(struct rig *r, uint32_t slot, uint64_t inc, const char *path)
{
	rig_proc_uid(r, slot, inc, path, getuid());
}

void
rig_dead(struct rig *r, uint32_t slot, uint64_t inc, const char *reason)
{
	struct wire_dead w = {
		.slot = slot,
		.inc = inc,
		.by_exit = strcmp(reason, "normal") == 0 ||
		           strncmp(reason, "exit ", 5) == 0,
	};

	snprintf(w.reason, sizeof(w.reason), "%s", reason);
	say(&r->engine, WIRE_DEAD, 0, &w);
}

static void
send_fds(struct rig *r, const struct wire_lifeline *w, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} ctl = { 0 };
	struct wire_hdr h = { .type = WIRE_LIFELINE,
		.len = sizeof(h) + sizeof(*w) };
	struct wire_lifeline body = *w;
	struct iovec iov[2] = { { &h, sizeof(h) }, { &body, sizeof(body) } };
	struct msghdr m = {
		.msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = ctl.space,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	assert_return_code(sendmsg(r->keeper_fd, &m, 0), errno);
}

int
rig_lifeline_notify(
    struct rig *r, uint32_t slot, uint64_t inc, int32_t pid, int *ret_notify_fd)
{
	struct wire_lifeline w = { .slot = slot, .inc = inc, .pid = pid };
	int s[2], p[2], fds[2];
	size_t n = 1;

	pair(s);
	fds[0] = s[1];
	if (ret_notify_fd != NULL) {
		assert_return_code(pipe2(p, O_CLOEXEC), errno);
		fds[1] = p[0];
		w.has_notify_fd = 1;
		n = 2;
	}
	send_fds(r, &w, fds, n);
	close(s[1]);
	if (ret_notify_fd != NULL) {
		close(p[0]);
		*ret_notify_fd = p[1];
	}
	return s[0];
}

int
rig_lifeline(struct rig *r, uint32_t slot, uint64_t inc)
{
	return rig_lifeline_notify(r, slot, inc, 4242, NULL);
}

int
rig_worker(struct rig *r, uint32_t slot, uint64_t inc, const char *path)
{
	struct proto_join j = { .os_pid = 4242 };
	int fd;

	rig_proc(r, slot, inc, path);
	fd = rig_lifeline(r, slot, inc);
	ll_send(fd, PROTO_JOIN, 0, 1, 0, &j, sizeof(j));
	ll_expect(fd, PROTO_WELCOME, NULL);
	ll_send(fd, PROTO_OPENED, 0, 0, 0, NULL, 0);
	return fd;
}

static bool
readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

const struct wire_hdr *
rig_expect(struct link *l, enum wire_type type)
{
	static _Alignas(8) char buf[WIRE_FRAME_MAX];
	const struct wire_hdr *h;

	assert_true(readable(l->fd, RIG_WAIT_MS));
	assert_int_equal(link_recv(l, buf, &h, NULL, NULL), 1);
	assert_string_equal(wire_type_name(h->type), wire_type_name(type));
	return h;
}

/* A PREPARE of nothing is answered after everything before it. */
void
rig_expect_nothing(struct rig *r, struct link *l)
{
	const struct wire_hdr *h;
	int fd = ctl_open(r);

	json_decref(
	    ctl_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"));
	close(fd);
	rig_prepare(r, 900, 0, getuid(), "root/barrier");
	h = rig_expect(&r->engine, WIRE_PREPARED);
	assert_int_equal(((const struct wire_result *)wire_body(h))->slot, 900);
	if (l != &r->engine)
		assert_false(readable(l->fd, 0));
}

/* ---- lifelines -------------------------------------------------------------
 */

void
ll_send(int fd, enum proto_type type, uint64_t to, uint64_t ref, unsigned flags,
    const void *body, size_t len)
{
	static _Alignas(8) char buf[2 * PROTO_LIFELINE_MAX];
	struct proto_frame h = {
		.type = (uint8_t)type,
		.flags = (uint16_t)flags,
		.to = to,
		.ref = ref,
	};
	size_t n = proto_put(buf, sizeof(buf), &h, body, len);

	assert_int_not_equal(n, 0);
	assert_return_code(send(fd, buf, n, MSG_NOSIGNAL), errno);
}

void
ll_text(int fd, enum proto_type type, uint64_t ref, const char *text)
{
	ll_send(fd, type, 0, ref, 0, text, strlen(text));
}

struct proto_frame
ll_recv(int fd, const void **ret_body, size_t *ret_len)
{
	static _Alignas(8) char buf[PROTO_LIFELINE_MAX];
	struct proto_frame h;
	const void *body;
	size_t pos = 0, len;
	ssize_t n;

	assert_true(readable(fd, RIG_WAIT_MS));
	n = recv(fd, buf, sizeof(buf), 0);
	assert_true(n > 0);
	assert_true(proto_next(
	    buf, (size_t)n, &pos, PROTO_LIFELINE_MAX, &h, &body, &len));
	assert_int_equal(pos, n);
	if (ret_body != NULL)
		*ret_body = body;
	if (ret_len != NULL)
		*ret_len = len;
	return h;
}

struct proto_frame
ll_expect(int fd, enum proto_type type, const void **body)
{
	struct proto_frame h = ll_recv(fd, body, NULL);

	assert_int_equal(h.type, type);
	return h;
}

int
ll_result(int fd, uint64_t ref)
{
	const void *body;
	struct proto_result r;
	struct proto_frame h = ll_expect(fd, PROTO_RESULT, &body);

	assert_int_equal(h.ref, ref);
	memcpy(&r, body, sizeof(r));
	return r.error;
}

void
ll_quiet(int fd)
{
	ll_text(fd, PROTO_UNREGISTER, 987654321, "no-such-name");
	assert_int_equal(ll_result(fd, 987654321), ENOENT);
}

/* ---- control ---------------------------------------------------------------
 */

int
ctl_open(struct rig *r)
{
	struct sockaddr_un a = control_addr(r);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_return_code(
	    connect(fd, (struct sockaddr *)&a, sizeof(a)), errno);
	return fd;
}

void
ctl_send(int fd, const char *line)
{
	size_t len = strlen(line);

	assert_int_equal(send(fd, line, len, MSG_NOSIGNAL), len);
	assert_int_equal(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
}

json_t *
ctl_recv(int fd)
{
	size_t cap = 256, len = 0;
	char *line = malloc(cap);
	json_t *v;

	for (;;) {
		assert_true(readable(fd, RIG_WAIT_MS));
		assert_int_equal(recv(fd, line + len, 1, 0), 1);
		if (line[len] == '\n')
			break;
		if (++len == cap) {
			cap *= 2;
			line = realloc(line, cap);
		}
	}
	v = json_loadb(line, len, 0, NULL);
	free(line);
	assert_non_null(v);
	return v;
}

json_t *
ctl_call(int fd, const char *line)
{
	ctl_send(fd, line);
	return ctl_recv(fd);
}

int
ctl_code(json_t *take)
{
	const json_t *e = json_object_get(take, "error");
	int code = (int)json_integer_value(json_object_get(e, "code"));

	assert_true(e != NULL || json_object_get(take, "result") != NULL);
	json_decref(take);
	return code;
}

void
expect_json(json_t *take, const char *text)
{
	char *got =
	    json_dumps(take, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	json_t *want_v = json_loads(text, JSON_DECODE_ANY, NULL);
	char *want =
	    json_dumps(want_v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	assert_non_null(want_v);
	assert_string_equal(got, want);
	free(got);
	free(want);
	json_decref(want_v);
	json_decref(take);
}
