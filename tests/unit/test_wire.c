/* SPDX-License-Identifier: ISC */
#include "base/buf.h"
#include "wire/link.h"
#include "wire/wire.h"

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

union frame {
	struct wire_hdr h;
	char bytes[WIRE_FRAME_MAX];
};

static union frame frame;

/* A frame of `type` with a zeroed body and `tail` bytes of 'x'. */
static size_t
frame_make(enum wire_type type, size_t tail)
{
	size_t len = sizeof(frame.h) + wire_fixed_size(type) + tail;

	memset(&frame, 0, sizeof(frame));
	frame.h.type = (uint16_t)type;
	frame.h.len = (uint32_t)len;
	memset(frame.bytes + len - tail, 'x', tail);
	return len;
}

static void
every_type_has_a_name_and_passes_at_its_size(void **state)
{
	(void)state;
	for (int t = WIRE_NONE + 1; t < WIRE_TYPE_N; t++) {
		size_t len = frame_make(t, 0);

		assert_string_not_equal(wire_type_name(t), "unknown");
		if (t == WIRE_SPAWN || t == WIRE_EXEC)
			continue; /* it wants strings */
		assert_true(wire_check(&frame, len));
	}
}

static void
a_frame_of_a_wrong_size_is_refused(void **state)
{
	size_t len;

	(void)state;
	for (int t = WIRE_NONE + 1; t < WIRE_TYPE_N; t++) {
		len = frame_make(t, 0);
		if (wire_fixed_size(t) == 0)
			continue;
		assert_false(wire_check(&frame, len - 1));
		frame.h.len--;
		assert_false(wire_check(&frame, len - 1));
		frame.h.len = (uint32_t)len + 1;
		assert_false(wire_check(&frame, len));
	}
	for (size_t n = 0; n < sizeof(frame.h); n++)
		assert_false(wire_check(&frame, n));
}

static void
an_unknown_type_is_refused(void **state)
{
	size_t len = frame_make(WIRE_UP, 0);

	(void)state;
	frame.h.type = WIRE_NONE;
	assert_false(wire_check(&frame, len));
	frame.h.type = WIRE_TYPE_N;
	assert_false(wire_check(&frame, len));
	frame.h.type = UINT16_MAX;
	assert_false(wire_check(&frame, len));
}

static void
a_text_without_its_end_is_refused(void **state)
{
	size_t len = frame_make(WIRE_PROC, 0);
	struct wire_proc *p = (struct wire_proc *)(&frame.h + 1);

	(void)state;
	memset(p->path, 'a', sizeof(p->path));
	assert_false(wire_check(&frame, len));
	p->path[sizeof(p->path) - 1] = '\0';
	assert_true(wire_check(&frame, len));

	len = frame_make(WIRE_END, 3);
	assert_false(wire_check(&frame, len));
	frame.bytes[len - 1] = '\0';
	assert_true(wire_check(&frame, len));
}

static void
a_tail_too_long_is_refused(void **state)
{
	size_t len = frame_make(WIRE_LOG_LINE, WIRE_TAIL_MAX);

	(void)state;
	frame.bytes[len - 1] = '\0';
	assert_true(wire_check(&frame, len));
	len = frame_make(WIRE_LOG_LINE, WIRE_TAIL_MAX + 1);
	frame.bytes[len - 1] = '\0';
	assert_false(wire_check(&frame, len));
}

static void
a_spawn_must_count_its_strings(void **state)
{
	static const char strings[] = "/bin/true\0/\0\0\0\0true\0A=b";
	size_t len = frame_make(WIRE_SPAWN, sizeof(strings));
	struct wire_spawn *s = (struct wire_spawn *)(&frame.h + 1);

	(void)state;
	memcpy(s + 1, strings, sizeof(strings));
	assert_false(wire_check(&frame, len));
	s->argc = 1;
	s->envc = 1;
	assert_true(wire_check(&frame, len));
	s->argc = UINT32_MAX;
	s->envc = 3;
	assert_false(wire_check(&frame, len));
	s->argc = 1;
	s->envc = 1;
	s->io[1] = SPAWN_IO_N;
	assert_false(wire_check(&frame, len));
	s->io[1] = SPAWN_IO_LOG;
	s->n_groups = SPAWN_GROUPS_MAX + 1;
	assert_false(wire_check(&frame, len));
}

static void
a_spawn_that_wants_its_pid_has_room_for_it(void **state)
{
	static const char room[] = "/bin/a\0\0\0\0\0a\0P=          ";
	static const char less[] = "/bin/a\0\0\0\0\0a\0Q= \0P=       ";
	struct wire_spawn *s = (struct wire_spawn *)(&frame.h + 1);
	size_t len = frame_make(WIRE_SPAWN, sizeof(room));

	(void)state;
	s->flags = SPAWN_PID_ENV;
	memcpy(s + 1, room, sizeof(room));
	s->argc = 1;
	s->envc = 1;
	assert_true(wire_check(&frame, len));
	s->argc = 2;
	s->envc = 0;
	assert_false(wire_check(&frame, len));
	len = frame_make(WIRE_SPAWN, sizeof(less));
	s->flags = SPAWN_PID_ENV;
	memcpy(s + 1, less, sizeof(less));
	s->argc = 1;
	s->envc = 2;
	assert_false(wire_check(&frame, len));
}

/* Two ends of a link, and what was received. */
struct pair {
	struct link a, b;
};

static int
pair_open(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int fds[2];

	if (p == NULL ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		free(p);
		return -1;
	}
	link_init(&p->a, fds[0], 64 * 1024);
	link_init(&p->b, fds[1], 64 * 1024);
	*state = p;
	return 0;
}

static int
pair_close(void **state)
{
	struct pair *p = *state;

	close(p->a.fd);
	if (p->b.fd >= 0)
		close(p->b.fd);
	link_fini(&p->a);
	link_fini(&p->b);
	free(p);
	return 0;
}

static void
frames_wait_in_order_when_the_socket_is_full(void **state)
{
	struct pair *p = *state;
	const struct wire_hdr *h;
	struct wire_end end = { .code = CTL_OK };
	char text[1000] = "";
	uint64_t sent = 0, got = 0;
	int r;

	while ((r = link_send(
		    &p->a, WIRE_END, sent, &end, text, sizeof(text))) == 0)
		sent++;
	assert_int_equal(r, -ENOBUFS);
	assert_true(link_waiting(&p->a));
	while (got < sent) {
		r = link_recv(&p->b, &frame, &h, NULL, NULL);
		if (r == 0) {
			assert_int_equal(link_flush(&p->a), 0);
			continue;
		}
		assert_int_equal(r, 1);
		assert_int_equal(h->tag, got++);
	}
	assert_false(link_waiting(&p->a));
}

/* Linux tells of what the peer has left unread before what it has said. */
static void
the_last_words_of_a_peer_that_did_not_listen_are_read(void **state)
{
	struct pair *p = *state;
	const struct wire_hdr *h;

	assert_int_equal(link_send(&p->a, WIRE_UP, 0, NULL, NULL, 0), 0);
	assert_int_equal(link_send(&p->b, WIRE_UP, 7, NULL, NULL, 0), 0);
	assert_int_equal(link_send(&p->b, WIRE_UP, 8, NULL, NULL, 0), 0);
	close(p->b.fd);
	p->b.fd = -EBADF;
	for (uint64_t tag = 7; tag <= 8; tag++) {
		assert_int_equal(link_recv(&p->a, &frame, &h, NULL, NULL), 1);
		assert_int_equal(h->tag, tag);
	}
	assert_int_equal(link_recv(&p->a, &frame, &h, NULL, NULL), -EPIPE);
}

static void
a_closed_peer_is_told_apart_from_silence(void **state)
{
	struct pair *p = *state;
	const struct wire_hdr *h;

	assert_int_equal(link_recv(&p->a, &frame, &h, NULL, NULL), 0);
	close(p->b.fd);
	p->b.fd = -EBADF;
	assert_int_equal(link_recv(&p->a, &frame, &h, NULL, NULL), -EPIPE);
	assert_int_equal(link_send(&p->a, WIRE_UP, 0, NULL, NULL, 0), -EPIPE);
}

static void
garbage_from_the_peer_is_reported_as_such(void **state)
{
	struct pair *p = *state;
	const struct wire_hdr *h;

	assert_int_equal(send(p->b.fd, "garbage", 7, 0), 7);
	assert_int_equal(link_recv(&p->a, &frame, &h, NULL, NULL), -EBADMSG);
}

static void
an_fd_that_nobody_expects_is_closed(void **state)
{
	struct pair *p = *state;
	struct wire_hdr h = { .type = WIRE_UP, .len = sizeof(h) };
	const struct wire_hdr *got;
	struct iovec iov = { &h, sizeof(h) };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl = { 0 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ctl.space,
		.msg_controllen = sizeof(ctl.space),
	};
	int pipe_fds[2];
	char c;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	ctl.align.cmsg_level = SOL_SOCKET;
	ctl.align.cmsg_type = SCM_RIGHTS;
	ctl.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&ctl.align), &pipe_fds[1], sizeof(int));
	assert_int_equal(sendmsg(p->b.fd, &m, 0), sizeof(h));
	close(pipe_fds[1]);
	assert_int_equal(link_recv(&p->a, &frame, &got, NULL, NULL), 1);
	/* The last writer is gone: end of file, not a wait. */
	assert_int_equal(read(pipe_fds[0], &c, 1), 0);
	close(pipe_fds[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_a_name_and_passes_at_its_size),
		cmocka_unit_test(a_frame_of_a_wrong_size_is_refused),
		cmocka_unit_test(an_unknown_type_is_refused),
		cmocka_unit_test(a_text_without_its_end_is_refused),
		cmocka_unit_test(a_tail_too_long_is_refused),
		cmocka_unit_test(a_spawn_must_count_its_strings),
		cmocka_unit_test(a_spawn_that_wants_its_pid_has_room_for_it),
		cmocka_unit_test_setup_teardown(
		    the_last_words_of_a_peer_that_did_not_listen_are_read,
		    pair_open, pair_close),
		cmocka_unit_test_setup_teardown(
		    frames_wait_in_order_when_the_socket_is_full, pair_open,
		    pair_close),
		cmocka_unit_test_setup_teardown(
		    a_closed_peer_is_told_apart_from_silence, pair_open,
		    pair_close),
		cmocka_unit_test_setup_teardown(
		    garbage_from_the_peer_is_reported_as_such, pair_open,
		    pair_close),
		cmocka_unit_test_setup_teardown(
		    an_fd_that_nobody_expects_is_closed, pair_open, pair_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
